"""The store's port over one SQLite file."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from agentnb.adapters.sqlite import deletion, firings, payloads
from agentnb.adapters.sqlite.connection import connect, readable_errors
from agentnb.errors import LeaseLost, RunNotFound, UnknownName
from agentnb.ports.store import (
    AgentRecord,
    AgentState,
    Cached,
    Definition,
    Event,
    Fence,
    Firing,
    FiringChange,
    Offer,
    Record,
    Run,
    RunChange,
    Signal,
    Turn,
    now,
)

_RUN_COLUMNS = (
    "id", "kind", "name", "status", "definition", "agent_id", "reason", "session", "user", "parent",
    "input", "output", "error", "owner", "lease_until", "attempt", "created_at", "ended_at", "usage",
    "wake_at", "job",
)  # fmt: skip
_RUN_JSON = ("input", "output", "error", "usage")
_SELECT_RUN = f"SELECT {', '.join(_RUN_COLUMNS)} FROM runs"
_SELECT_BARE_RUN = _SELECT_RUN.replace("input, output", "'null' AS input, 'null' AS output")
_INSERT_RUN = f"INSERT INTO runs ({', '.join(_RUN_COLUMNS)}) VALUES ({', '.join('?' * len(_RUN_COLUMNS))})"
_SELECT_AGENT = "SELECT id, name, origin, definition, state, capabilities, created_at FROM agents"
_NEWEST = "number = (SELECT max(number) FROM agents AS other WHERE other.name = agents.name AND other.origin = agents.origin)"

_CURRENT = (
    "NOT EXISTS (SELECT 1 FROM definitions AS other WHERE other.kind = definitions.kind AND other.name = definitions.name"
    " AND (other.used_at, other.hash) > (definitions.used_at, definitions.hash))"
)
_LAST = "\U0010ffff"

_UNFINISHED = "status IN ('queued', 'running', 'waiting')"

_EVENT_COLUMNS = "topic, type, run_id, step_id, input_hash, data"
_INSERT_EVENT = f"INSERT INTO events ({_EVENT_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)"
_HOLDS = "SELECT 1 FROM runs WHERE id = ? AND attempt = ?"
_INSERT_FENCED = f"INSERT INTO events ({_EVENT_COLUMNS}) SELECT ?, ?, ?, ?, ?, ? WHERE EXISTS ({_HOLDS})"

Blobs = dict[str, str]
Statement = tuple[str, tuple[Any, ...]]


class SQLiteStore:
    """Everything in ``journal.db`` of a folder.

    One connection serves all threads of the process, one after the other; a forked child opens its own.

    Args:
        folder: Where the file lies.
        synchronous: ``normal`` survives a killed process, ``full`` also a power loss.
    """

    def __init__(self, folder: Path, *, synchronous: str = "normal") -> None:
        self._file = str(folder / "journal.db")
        self._synchronous = self._holds = synchronous
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        self._pid = 0

    @property
    def location(self) -> str:
        return self._file

    def write(self, *records: Record, fence: Fence | None = None, sync: bool = False) -> None:
        statements = _statements(records)
        with self._lock:
            try:
                connection = self._open(sync=sync)
                if len(statements) == 1 and fence is not None and statements[0][0] == _INSERT_EVENT:
                    # one statement is a transaction by itself
                    if not connection.execute(_INSERT_FENCED, (*statements[0][1], fence.run_id, fence.attempt)).rowcount:
                        raise _lost(fence.run_id)
                    return
                connection.execute("BEGIN IMMEDIATE")
                try:
                    if fence is not None and not connection.execute(_HOLDS, (fence.run_id, fence.attempt)).fetchone():
                        raise _lost(fence.run_id)
                    for statement in statements:
                        connection.execute(*statement)
                    connection.execute("COMMIT")
                except BaseException:
                    if connection.in_transaction:
                        connection.execute("ROLLBACK")
                    raise
            except (sqlite3.Error, OSError) as error:
                with readable_errors(self._file):
                    raise error

    def reserve_agent(self, record: AgentRecord, *others: Record) -> bool:
        statements = _statements((record, *others))
        with self._transaction() as execute:
            if execute("SELECT 1 FROM agents WHERE id = ?", (record.id,)).fetchone():
                return False
            for statement in statements:
                execute(*statement)
            return True

    def events(self, run_id: str = "", after: int = 0, limit: int | None = None, types: Sequence[str] = ()) -> list[Event]:
        where, values = ("run_id = ? AND run_id <> '' AND seq > ?", (run_id, after)) if run_id else ("seq > ?", (after,))
        if types:
            where, values = f"{where} AND type IN ({', '.join('?' * len(types))})", (*values, *types)
        rows = self._rows(
            f"SELECT seq, type, run_id, step_id, input_hash, data FROM events WHERE {where} ORDER BY seq LIMIT ?",
            (*values, -1 if limit is None else limit),
        )
        blobs = self._blobs(row[5] for row in rows)
        return [Event(row[1], payloads.unpack(row[5], blobs), row[2], row[3], row[4], row[0]) for row in rows]

    def position(self) -> int:
        return int(self._rows("SELECT coalesce(max(seq), 0) FROM events", ())[0][0])

    def run(self, run_id: str) -> Run:
        found = self._runs("id = ?", (run_id,), 1)
        if not found and len(run_id) >= 4:
            found = self._runs("id > ? AND id < ?", (run_id, f"{run_id}{_LAST}"), 2)
        if len(found) > 1:
            raise UnknownName(f"several runs begin with {run_id!r}: write more of the ID")
        if not found:
            raise RunNotFound(run_id, self.location)
        return found[0]

    def runs(
        self,
        *,
        kind: str = "",
        status: str = "",
        name: str = "",
        agent_id: str = "",
        session: str = "",
        parent: str = "",
        job: str = "",
        since: str = "",
        until: str = "",
        before: tuple[str, str] | None = None,
        limit: int = 50,
        whole: bool = True,
    ) -> list[Run]:
        wanted = {
            "kind = ?": kind,
            "status = ?": status,
            "name = ?": name,
            "agent_id = ? AND agent_id <> ''": agent_id,
            "session = ?": session,
            "parent = ? AND parent <> ''": parent,
            "job = ? AND job <> ''": job,
            "created_at >= ?": since,
            "created_at < ?": until,
        }
        given = {clause: value for clause, value in wanted.items() if value}
        clauses, values = [*given, *(["(created_at, id) < (?, ?)"] if before else [])], (*given.values(), *(before or ()))
        return self._runs(" AND ".join(clauses) or "1", values, limit, _SELECT_RUN if whole else _SELECT_BARE_RUN)

    def counts(self) -> dict[tuple[str, str], int]:
        return {(kind, status): count for kind, status, count in self._rows("SELECT kind, status, count(*) FROM runs GROUP BY 1, 2", ())}

    def delete_runs(self, run_ids: Sequence[str], *others: Record) -> None:
        with self._transaction() as execute:
            deletion.delete_runs(run_ids, self.location, execute)
            for statement in _statements(others):
                execute(*statement)

    def claim(self, run_id: str, owner: str, until: float, *, expect_attempt: int) -> Run:
        with self._transaction() as execute:
            changed = execute(
                f"UPDATE runs SET owner = ?, lease_until = ?, attempt = attempt + 1 WHERE id = ? AND attempt = ? AND {_UNFINISHED}",
                (owner, until, run_id, expect_attempt),
            ).rowcount
            if not changed:
                raise _lost(run_id)
        return self.run(run_id)

    def renew(self, run_ids: Sequence[str], owner: str, until: float) -> None:
        with self._transaction() as execute:
            for run_id in run_ids:
                execute(f"UPDATE runs SET lease_until = ? WHERE id = ? AND owner = ? AND {_UNFINISHED}", (until, run_id, owner))

    def definition(self, key: str) -> Definition:
        rows = self._rows("SELECT hash, kind, name, spec, code, python, used_at FROM definitions WHERE hash = ?", (key,))
        if not rows:
            raise UnknownName(f"no definition {key} in {self.location}")
        digest, kind, name, spec, code, python, used_at = rows[0]
        return Definition(digest, kind, name, payloads.unpack(spec, self._blobs([spec])), code, python, used_at)

    def definitions(
        self, kind: str, *, name: str = "", current: bool = True, before: tuple[str, str] | None = None, limit: int = 50
    ) -> list[Definition]:
        clauses, values = ["kind = ?"], [kind]
        if name:
            clauses, values = [*clauses, "name = ?"], [*values, name]
        if current:
            clauses.append(_CURRENT)
        if before:
            clauses, values = [*clauses, "(used_at, hash) < (?, ?)"], [*values, *before]
        rows = self._rows(
            f"SELECT hash, kind, name, spec, python, used_at FROM definitions WHERE {' AND '.join(clauses)}"
            " ORDER BY used_at DESC, hash DESC LIMIT ?",
            (*values, limit),
        )
        blobs = self._blobs(row[3] for row in rows)
        return [Definition(row[0], row[1], row[2], payloads.unpack(row[3], blobs), b"", row[4], row[5]) for row in rows]

    def agents(self, *, name: str = "", agent_id: str = "", current: bool = True) -> list[AgentRecord]:
        wanted = {"name = ?": name, "id = ?": agent_id}
        given = {clause: value for clause, value in wanted.items() if value}
        clauses = [*given, *([_NEWEST] if current else [])]
        rows = self._rows(f"{_SELECT_AGENT} WHERE {' AND '.join(clauses) or '1'} ORDER BY number DESC", tuple(given.values()))
        return [AgentRecord(row[0], row[1], row[2], row[3], row[4], tuple(payloads.unpack(row[5], {})), row[6]) for row in rows]

    def delete_agent(self, agent_id: str, *others: Record) -> None:
        with self._transaction() as execute:
            execute("DELETE FROM agents WHERE id = ?", (agent_id,))
            for statement in _statements(others):
                execute(*statement)

    def turns(self, session: str, before: str = "") -> list[Turn]:
        end = "coalesce((SELECT number FROM turns WHERE session = ?1 AND key = ?2), 9223372036854775807)"
        rows = self._rows(
            f"SELECT session, key, run_id, messages FROM turns WHERE session = ?1 AND number < {end} ORDER BY number", (session, before)
        )
        blobs = self._blobs(row[3] for row in rows)
        return [Turn(row[0], row[1], row[2], payloads.unpack(row[3], blobs)) for row in rows]

    def signals(self, run_id: str, after: int = 0) -> list[Signal]:
        rows = self._rows("SELECT run_id, name, payload, seq FROM signals WHERE run_id = ? AND seq > ? ORDER BY seq", (run_id, after))
        blobs = self._blobs(row[2] for row in rows)
        return [Signal(row[0], row[1], payloads.unpack(row[2], blobs), row[3]) for row in rows]

    def cached(self, key: str) -> Cached | None:
        rows = self._rows(
            "SELECT key, value, run_id, expires FROM cache WHERE key = ? AND (expires = 0 OR expires > ?)", (key, time.time())
        )
        return Cached(rows[0][0], payloads.unpack(rows[0][1], self._blobs([rows[0][1]])), rows[0][2], rows[0][3]) if rows else None

    def reserve(self, cached: Cached) -> bool:
        with self._transaction() as execute:
            execute("DELETE FROM cache WHERE key = ? AND expires > 0 AND expires <= ?", (cached.key, time.time()))
            if execute("SELECT 1 FROM cache WHERE key = ?", (cached.key,)).fetchone():
                return False
            for statement in _statements((cached,)):
                execute(*statement)
            return True

    def due(self, moment: float, limit: int = 100) -> list[Run]:
        where = "(status = 'waiting' AND wake_at > 0 AND wake_at <= ?1 AND lease_until < ?1) OR (lease_until > 0 AND lease_until < ?1)"
        return self._runs(f"{_UNFINISHED} AND ({where})", (moment,), limit)

    def offer(self, offers: Sequence[Offer]) -> list[bool]:
        made = [_statements(offer.events) for offer in offers]
        with self._transaction() as execute:
            return [firings.offered(offer, execute, events) for offer, events in zip(offers, made, strict=True)]

    def firings(self, *, job: str = "", statuses: Sequence[str] = (), limit: int = 100) -> list[Firing]:
        return firings.made(self._rows(*firings.query(job, statuses, limit)))

    def newest_firings(self) -> list[Firing]:
        return firings.made(self._rows(firings.NEWEST, ()))

    def take_firing(self, firing: Firing, owner: str, until: float) -> Firing | None:
        with self._transaction() as execute:
            return firings.taken(firing, owner, until, execute)

    def renew_firings(self, owner: str, until: float) -> None:
        with self._transaction() as execute:
            firings.renew(owner, until, execute)

    def version(self) -> int:
        return int(self._rows("PRAGMA data_version", ())[0][0])

    def close(self) -> None:
        with self._lock:
            connection, self._connection = self._connection, None
            if connection is not None and self._pid == os.getpid():
                connection.close()

    def _open(self, *, sync: bool = False) -> sqlite3.Connection:
        if self._connection is None or self._pid != os.getpid():
            self._connection = connect(self._file, self._synchronous)
            self._holds = self._synchronous
            self._pid = os.getpid()
        wanted = "full" if sync else self._synchronous
        if wanted != self._holds:
            self._connection.execute(f"PRAGMA synchronous={wanted}")
            self._holds = wanted
        return self._connection

    @contextmanager
    def _transaction(self) -> Iterator[Callable[..., sqlite3.Cursor]]:
        with self._lock, readable_errors(self._file):
            connection = self._open()
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection.execute
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    def _rows(self, query: str, values: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        with self._lock, readable_errors(self._file):
            return self._open().execute(query, values).fetchall()

    def _runs(self, where: str, values: tuple[Any, ...], limit: int, select: str = _SELECT_RUN) -> list[Run]:
        rows = self._rows(f"{select} WHERE {where} ORDER BY created_at DESC, id DESC LIMIT {limit:d}", values)
        records = [dict(zip(_RUN_COLUMNS, row, strict=True)) for row in rows]
        blobs = self._blobs(record[column] for record in records for column in _RUN_JSON)
        for record in records:
            record.update({column: payloads.unpack(record[column], blobs) for column in _RUN_JSON})
        return [Run(**record) for record in records]

    def _blobs(self, texts: Iterable[str]) -> Blobs:
        keys = sorted({key for text in texts for key in payloads.references(text)})
        found: Blobs = {}
        for start in range(0, len(keys), 500):
            part = keys[start : start + 500]
            found.update(self._rows(f"SELECT hash, data FROM blobs WHERE hash IN ({', '.join('?' * len(part))})", tuple(part)))
        return found


def _lost(run_id: str) -> LeaseLost:
    return LeaseLost(f"run {run_id} was taken over by another process")


def _statements(records: Iterable[Record]) -> list[Statement]:
    """What writes the records, and the large parts that they share."""
    blobs: Blobs = {}
    made = [_WRITERS[type(record)](record, blobs) for record in records]
    made += [("INSERT OR IGNORE INTO blobs (hash, data) VALUES (?, ?)", part) for part in blobs.items()]
    return made


def _event(event: Event, blobs: Blobs) -> Statement:
    return _INSERT_EVENT, (
        event.topic,
        event.type,
        event.run_id,
        event.step_id,
        event.input_hash,
        payloads.pack_fields(event.data, blobs),
    )


def _run(run: Run, blobs: Blobs) -> Statement:
    return _INSERT_RUN, tuple(_run_value(column, getattr(run, column), blobs) for column in _RUN_COLUMNS)


def _run_change(change: RunChange, blobs: Blobs) -> Statement:
    replace(_BLANK, **change.fields)
    values = tuple(_run_value(column, value, blobs) for column, value in change.fields.items())
    return f"UPDATE runs SET {', '.join(f'{column} = ?' for column in change.fields)} WHERE id = ?", (*values, change.id)


def _run_value(column: str, value: Any, blobs: Blobs) -> Any:
    return payloads.pack(value, blobs) if column in _RUN_JSON else value


def _agent(agent: AgentRecord, blobs: Blobs) -> Statement:
    return (
        "INSERT INTO agents (id, name, origin, definition, state, capabilities, created_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (agent.id, agent.name, agent.origin, agent.definition, agent.state, payloads.dumps(agent.capabilities), agent.created_at),
    )


def _agent_state(state: AgentState, blobs: Blobs) -> Statement:
    return "UPDATE agents SET state = ? WHERE id = ?", (state.state, state.id)


def _definition(definition: Definition, blobs: Blobs) -> Statement:
    return (
        "INSERT INTO definitions (hash, kind, name, spec, code, python, used_at) VALUES (?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (hash) DO UPDATE SET used_at = excluded.used_at",
        (
            definition.hash,
            definition.kind,
            definition.name,
            payloads.pack(definition.spec, blobs),
            definition.code,
            definition.python,
            now(),
        ),
    )


def _turn(turn: Turn, blobs: Blobs) -> Statement:
    return (
        "INSERT INTO turns (session, key, run_id, messages) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (session, key) DO UPDATE SET run_id = excluded.run_id, messages = excluded.messages",
        (turn.session, turn.key, turn.run_id, payloads.pack(list(turn.messages), blobs)),
    )


def _signal(signal: Signal, blobs: Blobs) -> Statement:
    return "INSERT INTO signals (run_id, name, payload) VALUES (?, ?, ?)", (
        signal.run_id,
        signal.name,
        payloads.pack(signal.payload, blobs),
    )


def _cached(cached: Cached, blobs: Blobs) -> Statement:
    return (
        "INSERT OR REPLACE INTO cache (key, value, run_id, expires) VALUES (?, ?, ?, ?)",
        (cached.key, payloads.pack(cached.value, blobs), cached.run_id, cached.expires),
    )


_BLANK = Run("", "agent", "", "queued")
_WRITERS: dict[type, Callable[[Any, Blobs], Statement]] = {
    Event: _event,
    Run: _run,
    RunChange: _run_change,
    AgentRecord: _agent,
    AgentState: _agent_state,
    Definition: _definition,
    Turn: _turn,
    Signal: _signal,
    Cached: _cached,
    FiringChange: lambda change, _: firings.change(change),
}
