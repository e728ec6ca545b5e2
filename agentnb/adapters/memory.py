"""The store's port without a file: it ends with the process. Values are kept as the text that a file would have, without secrets."""

from __future__ import annotations

import json
import threading
import time
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import count
from operator import attrgetter
from typing import Any, TypeVar

from agentnb.adapters.sqlite.payloads import dumps
from agentnb.errors import LeaseLost, RunNotFound, StoreError, UnknownName
from agentnb.ports.store import FINAL, AgentRecord, AgentState, Cached, Definition, Event, Fence, Record, Run, RunChange, Signal, Turn

_RUN_JSON = ("input", "output", "error", "usage")
_BLANK = Run("", "agent", "", "queued")
_number = attrgetter("seq")
Numbered = TypeVar("Numbered", Event, Signal)


class MemoryStore:
    """Everything in this process; its threads may share it."""

    location = ":memory:"

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._events: dict[str, list[Event]] = {"": []}
        self._signals: dict[str, list[Signal]] = {}
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

    def events(self, run_id: str = "", after: int = 0, limit: int | None = None) -> list[Event]:
        with self._lock:
            found = _after(self._events.get(run_id, []), after)
        return [event._replace(data=_value(event.data)) for event in found[:limit]]

    def run(self, run_id: str) -> Run:
        with self._lock:
            ids = [run_id] if run_id in self._runs else [name for name in self._runs if len(run_id) >= 4 and name.startswith(run_id)]
            if len(ids) > 1:
                raise UnknownName(f"several runs begin with {run_id!r}: write more of the ID")
            if not ids:
                raise RunNotFound(run_id, self.location)
            return _read(self._runs[ids[0]])

    def runs(self, *, kind: str = "", status: str = "", name: str = "", limit: int = 50) -> list[Run]:
        return self._newest(lambda run: kind in ("", run.kind) and status in ("", run.status) and name in ("", run.name), limit)

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
            case RunChange() if record.id in self._runs:
                self._runs[record.id] = replace(self._runs[record.id], **record.fields)
            case AgentRecord():
                self._agents[record.id] = record
            case AgentState() if record.id in self._agents:
                self._agents[record.id] = replace(self._agents[record.id], state=record.state)
            case Definition():
                self._definitions.setdefault(record.hash, record)
            case Turn():
                self._turns.setdefault(record.session, {})[record.key] = record
            case Signal():
                self._signals.setdefault(record.run_id, []).append(replace(record, seq=next(self._numbers)))
            case Cached():
                self._cache[record.key] = record

    def _keep_event(self, event: Event) -> None:
        kept = Event(event.type, event.data, event.run_id, event.step_id, event.input_hash, len(self._events[""]) + 1)
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
