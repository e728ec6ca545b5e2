"""Idempotency keys: what was asked with a key is done once, and answered alike for a day, by every server on the store."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass

from agentnb.errors import AgentNBError
from agentnb.ports.store import Cached, Store

_PENDING_SECONDS, _KEPT_SECONDS = 60.0, 86_400.0


class KeyInUse(AgentNBError):
    """A request with this key is being answered, or it was another request."""


@dataclass(frozen=True, slots=True)
class Answered:
    """What a request with the key was answered."""

    status: int
    body: str
    location: str


class Key:
    """One key of one user, for one path."""

    def __init__(self, store: Store, user: str, path: str, key: str, body: bytes) -> None:
        self._store = store
        self._name = f"idempotency:{_digest(user, path, key)}"
        self._request = _digest(body.decode(errors="replace"))

    def begin(self) -> Answered | None:
        """Take the key; what was answered before, where it was taken.

        Raises:
            KeyInUse: Another request has it.
        """
        while not self._reserved():
            kept = self._store.cached(self._name)
            if kept is None:
                continue
            if kept.value["request"] != self._request:
                raise KeyInUse("this Idempotency-Key was used for another request: send a new one")
            if "status" not in kept.value:
                raise KeyInUse("the request with this Idempotency-Key is being answered: ask again in a moment")
            return Answered(kept.value["status"], kept.value["body"], kept.value["location"])
        return None

    def keep(self, answered: Answered) -> None:
        """Remember the answer."""
        self._store.write(self.record(answered))

    def record(self, answered: Answered) -> Cached:
        """The answer as it is remembered, to be written in one transaction with what was done."""
        value = {"request": self._request, "status": answered.status, "body": answered.body, "location": answered.location}
        return Cached(self._name, value, "", time.time() + _KEPT_SECONDS)

    def release(self) -> None:
        """Let the request be sent again, because it failed."""
        self._store.write(Cached(self._name, {"request": self._request}, "", time.time() - 1.0))

    def _reserved(self) -> bool:
        return self._store.reserve(Cached(self._name, {"request": self._request}, "", time.time() + _PENDING_SECONDS))


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode("utf-8", "surrogatepass")).hexdigest()
