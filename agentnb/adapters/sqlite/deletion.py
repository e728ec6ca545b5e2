"""Forgets runs, and what nobody refers to any more."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable

from agentnb.adapters.sqlite import payloads
from agentnb.errors import IllegalTransition, RunNotFound
from agentnb.ports.store import FINAL

Execute = Callable[..., sqlite3.Cursor]

_TABLES = {
    "events": ("run_id", ("data",)),
    "runs": ("id", ("input", "output", "error", "usage")),
    "signals": ("run_id", ("payload",)),
    "turns": ("run_id", ("messages",)),
    "cache": ("run_id", ("value",)),
    "definitions": ("", ("spec",)),
}
"""By table, which column names the run, and which may refer to blobs."""


def delete_runs(run_ids: Iterable[str], location: str, execute: Execute) -> None:
    """Delete ended runs, inside a transaction.

    Raises:
        RunNotFound: One isn't there.
        IllegalTransition: One hasn't ended.
    """
    loose: set[str] = set()
    for run_id in run_ids:
        found = execute("SELECT status FROM runs WHERE id = ?", (run_id,)).fetchone()
        if found is None:
            raise RunNotFound(run_id, location)
        if found[0] not in FINAL:
            raise IllegalTransition(f"run {run_id} is {found[0]}: cancel it, before it can be deleted")
        for table, (key, columns) in _TABLES.items():
            if key:
                where = f"FROM {table} WHERE {key} = ?"
                loose |= _references(execute(f"SELECT {', '.join(columns)} {where}", (run_id,)))
                execute(f"DELETE {where}", (run_id,))
    if loose:
        _drop(loose, execute)


def _drop(loose: set[str], execute: Execute) -> None:
    """Drop those of the blobs that nothing refers to."""
    for table, (_, columns) in _TABLES.items():
        marked = " OR ".join(f"instr({column}, '\"$blob\"')" for column in columns)
        loose -= _references(execute(f"SELECT {', '.join(columns)} FROM {table} WHERE {marked}"))
    for key in loose:
        execute("DELETE FROM blobs WHERE hash = ?", (key,))


def _references(rows: Iterable[tuple[str, ...]]) -> set[str]:
    return {key for row in rows for text in row for key in payloads.references(text)}
