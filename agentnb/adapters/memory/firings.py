"""Firings of jobs in memory."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from operator import attrgetter

from agentnb.ports.store import Firing, FiringChange, Offer

_Key = tuple[str, str, float]


class MemoryFirings:
    """The part of the store that schedulers use."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._firings: dict[_Key, Firing] = {}

    def firings(self, *, job: str = "", statuses: Sequence[str] = (), limit: int = 100) -> list[Firing]:
        with self._lock:
            found = [item for item in self._firings.values() if job in ("", item.job) and (not statuses or item.status in statuses)]
        return sorted(found, key=attrgetter("position"), reverse=True)[:limit]

    def newest_firings(self) -> list[Firing]:
        with self._lock:
            found = sorted(self._firings.values(), key=attrgetter("position"))
        return [*{(item.job, item.trigger): item for item in found}.values()]

    def take_firing(self, firing: Firing, owner: str, until: float) -> Firing | None:
        with self._lock:
            kept = self._firings.get(_key(firing))
            if kept is None or (kept.attempt, kept.status) != (firing.attempt, firing.status):
                return None
            taken = replace(firing, status="claimed", owner=owner, lease_until=until, attempt=firing.attempt + 1)
            self._firings[_key(firing)] = replace(kept, status="claimed", owner=owner, lease_until=until, attempt=taken.attempt)
            return taken

    def renew_firings(self, owner: str, until: float) -> None:
        with self._lock:
            for key, item in self._firings.items():
                if item.owner == owner and item.status in ("claimed", "queued"):
                    self._firings[key] = replace(item, lease_until=until)

    def offered(self, offer: Offer) -> bool:
        """Write the firings, unless the job has been fired meanwhile."""
        first = offer.firings[0]
        same = [item.position for item in self._firings.values() if (item.job, item.trigger) == (first.job, first.trigger)]
        if max(same, default=None) != offer.after:
            return False
        self._firings.update({_key(item): item for item in offer.firings})
        return True

    def change_firing(self, change: FiringChange) -> None:
        """Write new values."""
        kept = self._firings.get(_key(change.firing))
        if kept is not None:
            self._firings[_key(kept)] = replace(kept, **change.fields)


def _key(firing: Firing) -> _Key:
    return firing.job, firing.trigger, firing.position
