"""The store's port without a file: it ends with the process. Values are kept as the text that a file would have, without secrets."""

from __future__ import annotations

import json
import time
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import count
from operator import attrgetter
from typing import Any, TypeVar

from agentnb.adapters.memory.firings import MemoryFirings
from agentnb.adapters.sqlite.payloads import dumps
from agentnb.errors import IllegalTransition, LeaseLost, RunNotFound, StoreError, UnknownName
from agentnb.ports.store import (
    FINAL,
    AgentRecord,
    AgentState,
    Cached,
    Definition,
    Event,
    Fence,
    FiringChange,
    Offer,
    Record,
    Run,
    RunChange,
    Signal,
    Turn,
    now,
)

_RUN_JSON = ("input", "output", "error", "usage")
_BLANK = Run("", "agent", "", "queued")
_number = attrgetter("seq")
Numbered = TypeVar("Numbered", Event, Signal)


class MemoryStore(MemoryFirings):
    """Everything in this process; its threads may share it."""

    location = ":memory:"

    def __init__(self) -> None:
        super().__init__()
        self._events: dict[str, list[Event]] = {"": []}
        self._signals: dict[str, list[Signal]] = {}
        self._position = 0
        self._numbers = count(1)
        self._runs: dict[str, Run] = {}
        self._agents: dict[str, AgentRecord] = {}
        self._definitions: dict[str, Definition] = {}
        self._turns: dict[str, dict[str, Turn]] = {}
        self._cache: dict[str, Cached] = {}

    def write(self, *records: Record, fence: Fence | None = None, sync: bool = False) -> None:
        kept = [_texts(record) for record in records]
        with self._lock:
            if fence is not None:
                run = self._runs.get(fence.run_id)
                if run is None or run.attempt != fence.attempt:
                    raise _lost(fence.run_id)
            new = [record.id for record in records if type(record) is Run or type(record) is AgentRecord]
            if new and (len({*new}) < len(new) or not self._runs.keys().isdisjoint(new) or not self._agents.keys().isdisjoint(new)):
                raise StoreError(f"the store {self.location} has one of {', '.join(new)} already")
            for record in kept:
                self._keep(record)

    def reserve_agent(self, record: AgentRecord, *others: Record) -> bool:
        with self._lock:
            if record.id in self._agents:
                return False
            self.write(record, *others)
            return True

    def events(self, run_id: str = "", after: int = 0, limit: int | None = None, types: Sequence[str] = ()) -> list[Event]:
        with self._lock:
            found = [event for event in _after(self._events.get(run_id, []), after) if not types or event.type in types]
        return [event._replace(data=_value(event.data)) for event in found[:limit]]

    def position(self) -> int:
        return self._position

    def run(self, run_id: str) -> Run:
        with self._lock:
            ids = [run_id] if run_id in self._runs else [name for name in self._runs if len(run_id) >= 4 and name.startswith(run_id)]
            if len(ids) > 1:
                raise UnknownName(f"several runs begin with {run_id!r}: write more of the ID")
            if not ids:
                raise RunNotFound(run_id, self.location)
            return _read(self._runs[ids[0]])

    def runs(
        self,
        *,
        since: str = "",
        until: str = "",
        before: tuple[str, str] | None = None,
        limit: int = 50,
        whole: bool = True,
        **wanted: str,
    ) -> list[Run]:
        given = {name: value for name, value in wanted.items() if value}

        def fits(run: Run) -> bool:
            if before is not None and (run.created_at, run.id) >= before:
                return False
            in_time = run.created_at >= since and (not until or run.created_at < until)
            return in_time and all(getattr(run, name) == value for name, value in given.items())

        found = self._newest(fits, limit)
        return found if whole else [replace(run, input=None, output=None) for run in found]

    def counts(self) -> dict[tuple[str, str], int]:
        with self._lock:
            return dict(Counter((run.kind, run.status) for run in self._runs.values()))

    def delete_runs(self, run_ids: Sequence[str], *others: Record) -> None:
        with self._lock:
            for run_id in run_ids:
                if run_id not in self._runs:
                    raise RunNotFound(run_id, self.location)
                if self._runs[run_id].status not in FINAL:
                    raise IllegalTransition(f"run {run_id} is {self._runs[run_id].status}: cancel it, before it can be deleted")
            gone = set(run_ids)
            for run_id in gone:
                for table in (self._runs, self._events, self._signals):
                    table.pop(run_id, None)
            self._events[""] = [event for event in self._events[""] if event.run_id not in gone]
            self._cache = {key: cached for key, cached in self._cache.items() if cached.run_id not in gone}
            for session, turns in self._turns.items():
                self._turns[session] = {key: turn for key, turn in turns.items() if turn.run_id not in gone}
            self.write(*others)

    def claim(self, run_id: str, owner: str, until: float, *, expect_attempt: int) -> Run:
        with self._lock:
            run = self._runs.get(run_id)
            if run is None or run.attempt != expect_attempt or run.status in FINAL:
                raise _lost(run_id)
            self._runs[run_id] = run = replace(run, owner=owner, lease_until=until, attempt=run.attempt + 1)
            return _read(run)

    def renew(self, run_ids: Sequence[str], owner: str, until: float) -> None:
        with self._lock:
            for run in [self._runs[run_id] for run_id in run_ids if run_id in self._runs]:
                if run.owner == owner and run.status not in FINAL:
                    self._runs[run.id] = replace(run, lease_until=until)

    def definition(self, key: str) -> Definition:
        with self._lock:
            if key not in self._definitions:
                raise UnknownName(f"no definition {key} in {self.location}")
            found = self._definitions[key]
        return replace(found, spec=_value(found.spec))

    def definitions(
        self, kind: str, *, name: str = "", current: bool = True, before: tuple[str, str] | None = None, limit: int = 50
    ) -> list[Definition]:
        with self._lock:
            found = [item for item in self._definitions.values() if item.kind == kind and name in ("", item.name)]
        found.sort(key=attrgetter("used_at", "hash"), reverse=True)
        newest = {item.name: item.hash for item in reversed(found)}
        found = [item for item in found if not current or newest[item.name] == item.hash]
        found = [item for item in found if before is None or (item.used_at, item.hash) < before]
        return [replace(item, spec=_value(item.spec), code=b"") for item in found[:limit]]

    def agents(self, *, name: str = "", agent_id: str = "", current: bool = True) -> list[AgentRecord]:
        with self._lock:
            newest = {(agent.name, agent.origin): agent.id for agent in self._agents.values()}
            found = [agent for agent in self._agents.values() if name in ("", agent.name) and agent_id in ("", agent.id)]
        return [agent for agent in reversed(found) if not current or newest[agent.name, agent.origin] == agent.id]

    def delete_agent(self, agent_id: str, *others: Record) -> None:
        with self._lock:
            self.write(*others)
            self._agents.pop(agent_id, None)

    def turns(self, session: str, before: str = "") -> list[Turn]:
        with self._lock:
            turns = self._turns.get(session, {})
            keys = list(turns)
            found = [turns[key] for key in keys[: keys.index(before) if before in turns else None]]
        return [replace(turn, messages=_value(turn.messages)) for turn in found]

    def signals(self, run_id: str, after: int = 0) -> list[Signal]:
        with self._lock:
            found = _after(self._signals.get(run_id, []), after)
        return [replace(signal, payload=_value(signal.payload)) for signal in found]

    def cached(self, key: str) -> Cached | None:
        with self._lock:
            found = self._cache.get(key)
        return None if found is None or 0 < found.expires <= time.time() else replace(found, value=_value(found.value))

    def reserve(self, cached: Cached) -> bool:
        with self._lock:
            if self.cached(cached.key) is not None:
                return False
            self.write(cached)
            return True

    def offer(self, offers: Sequence[Offer]) -> list[bool]:
        with self._lock:
            written = []
            for offer in offers:
                written.append(self.offered(offer))
                self.write(*(offer.events if written[-1] else ()))
            return written

    def due(self, moment: float, limit: int = 100) -> list[Run]:
        def is_due(run: Run) -> bool:
            waits = run.status == "waiting" and 0 < run.wake_at <= moment and run.lease_until < moment
            return run.status not in FINAL and (waits or 0 < run.lease_until < moment)

        return self._newest(is_due, limit)

    def version(self) -> int:
        return 0

    def close(self) -> None:
        """Nothing has to be closed."""

    def _newest(self, wanted: Callable[[Run], bool], limit: int) -> list[Run]:
        with self._lock:
            found = [run for run in self._runs.values() if wanted(run)]
        return [_read(run) for run in sorted(found, key=attrgetter("created_at", "id"), reverse=True)[:limit]]

    def _keep(self, record: Record) -> None:
        match record:
            case Event():
                self._keep_event(record)
            case Run():
                self._runs[record.id] = record
            case AgentRecord():
                self._agents[record.id] = record
            case Definition():
                self._definitions[record.hash] = replace(self._definitions.get(record.hash, record), used_at=now())
            case Turn():
                self._turns.setdefault(record.session, {})[record.key] = record
            case Signal():
                self._signals.setdefault(record.run_id, []).append(replace(record, seq=next(self._numbers)))
            case Cached():
                self._cache[record.key] = record
            case _:
                self._change(record)

    def _change(self, record: Record) -> None:
        match record:
            case RunChange() if record.id in self._runs:
                self._runs[record.id] = replace(self._runs[record.id], **record.fields)
            case AgentState() if record.id in self._agents:
                self._agents[record.id] = replace(self._agents[record.id], state=record.state)
            case FiringChange():
                self.change_firing(record)

    def _keep_event(self, event: Event) -> None:
        self._position += 1
        kept = Event(event.type, event.data, event.run_id, event.step_id, event.input_hash, self._position)
        self._events[""].append(kept)
        if event.run_id:
            self._events.setdefault(event.run_id, []).append(kept)


def _texts(record: Record) -> Any:
    """The record with text in place of its values."""
    match record:
        case Event():
            return Event(record.type, _text(record.data), record.run_id, record.step_id, record.input_hash)
        case Run():
            return _with(record, _text, *_RUN_JSON)
        case RunChange():
            replace(_BLANK, **record.fields)
            return replace(record, fields={name: _text(value) if name in _RUN_JSON else value for name, value in record.fields.items()})
        case Turn():
            return replace(record, messages=_text(list(record.messages)))
        case Definition():
            return _with(record, _text, "spec")
        case Signal():
            return _with(record, _text, "payload")
        case Cached():
            return _with(record, _text, "value")
    return record


def _text(value: Any) -> Any:
    return dumps(value)


def _value(text: Any) -> Any:
    return json.loads(text)


def _with(record: Any, change: Callable[[Any], Any], *names: str) -> Any:
    return replace(record, **{name: change(getattr(record, name)) for name in names})


def _read(run: Run) -> Run:
    return _with(run, _value, *_RUN_JSON)  # type: ignore[no-any-return]


def _after(found: list[Numbered], number: int) -> list[Numbered]:
    return found[bisect_right(found, number, key=_number) :]


def _lost(run_id: str) -> LeaseLost:
    return LeaseLost(f"run {run_id} was taken over by another process")
