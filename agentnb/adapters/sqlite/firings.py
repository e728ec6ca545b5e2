"""The table of firings: rows that are written once."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import astuple, fields, replace
from typing import Any

from agentnb.ports.store import Firing, FiringChange, Offer

Execute = Callable[..., sqlite3.Cursor]
Statement = tuple[str, tuple[Any, ...]]

_COLUMNS = tuple(field.name for field in fields(Firing))
_SELECT = f"SELECT {', '.join(_COLUMNS)} FROM firings"
_INSERT = f"INSERT INTO firings ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))})"
_NEWER = "SELECT max(position) FROM firings WHERE job = ? AND trigger = ?"
_ONE = "job = ? AND trigger = ? AND position = ?"

NEWEST = f"{_SELECT} WHERE (job, trigger, position) IN (SELECT job, trigger, max(position) FROM firings GROUP BY job, trigger)"
"""The newest firing of each job and trigger."""


def query(job: str, statuses: Sequence[str], limit: int) -> tuple[str, tuple[Any, ...]]:
    """What finds firings, newest first; lists of open statuses are written out, so that the partial index serves them."""
    clauses = ["job = ?"] if job else []
    if statuses:
        clauses.append(f"status IN ({', '.join(repr(str(status)) for status in statuses if status.isalpha())})")
    where = " AND ".join(clauses) or "1"
    return f"{_SELECT} WHERE {where} ORDER BY position DESC LIMIT {limit:d}", ((job,) if job else ())


def made(rows: Iterable[tuple[Any, ...]]) -> list[Firing]:
    """Rows as firings."""
    return [Firing(*row) for row in rows]


def offered(offer: Offer, execute: Execute, events: Iterable[Statement]) -> bool:
    """Write the firings and what belongs to them, unless the job has been fired meanwhile."""
    first = offer.firings[0]
    newest = execute(_NEWER, (first.job, first.trigger)).fetchone()[0]
    if newest != offer.after:
        return False
    for firing in offer.firings:
        execute(_INSERT, astuple(firing))
    for statement in events:
        execute(*statement)
    return True


def taken(firing: Firing, owner: str, until: float, execute: Execute) -> Firing | None:
    """The firing, claimed; None where somebody has changed it since it was read."""
    changed = execute(
        f"UPDATE firings SET status = 'claimed', owner = ?, lease_until = ?, attempt = attempt + 1"
        f" WHERE {_ONE} AND attempt = ? AND status = ?",
        (owner, until, firing.job, firing.trigger, firing.position, firing.attempt, firing.status),
    ).rowcount
    return replace(firing, status="claimed", owner=owner, lease_until=until, attempt=firing.attempt + 1) if changed else None


def renew(owner: str, until: float, execute: Execute) -> None:
    """Prolong the leases of what the owner has claimed."""
    execute("UPDATE firings SET lease_until = ? WHERE status IN ('claimed', 'queued') AND owner = ?", (until, owner))


def change(changed: FiringChange) -> Statement:
    """What writes new values."""
    firing = changed.firing
    replace(firing, **changed.fields)
    return (
        f"UPDATE firings SET {', '.join(f'{column} = ?' for column in changed.fields)} WHERE {_ONE}",
        (*changed.fields.values(), firing.job, firing.trigger, firing.position),
    )
