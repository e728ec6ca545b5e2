"""The cells of a notebook as a job sees them: their numbers, their hashes, and what an earlier run had of them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from agentnb.jobs.once import TAG
from agentnb.ports.store import Event

INJECTED = "injected-parameters"


def tags_of(cell: Any) -> Sequence[str]:
    """A cell's tags."""
    found = cell.get("metadata", {}).get("tags", [])
    return found if isinstance(found, list) else []


def is_code(cell: Any) -> bool:
    """Whether there is something in it to be run."""
    return cell.get("cell_type") == "code" and bool(str(_source(cell)).strip())


def is_once(cell: Any) -> bool:
    """Whether it may run once only. A cell of ours keeps its results in the journal by itself, whatever its tags."""
    return TAG in tags_of(cell) and not str(_source(cell)).lstrip().startswith(("%%agent", "%%workflow"))


def numbers_of(cells: Iterable[Any]) -> list[int]:
    """The number of each cell in the notebook as it was written, from 1; 0 for the one that papermill puts in."""
    found, number = [], 0
    for cell in cells:
        own = INJECTED not in tags_of(cell)
        number += own
        found.append(number if own else 0)
    return found


def hashes_of(cells: Iterable[Any]) -> dict[str, str]:
    """SHA-256 of each code cell, by its number."""
    found = list(cells)
    numbered = zip(numbers_of(found), found, strict=True)
    return {
        str(number): hashlib.sha256(_source(cell).encode("utf-8", "replace")).hexdigest()
        for number, cell in numbered
        if _counts(number, cell)
    }


def first_line(cell: Any) -> str:
    """What a cell is called in a progress report."""
    return next((line.strip() for line in _source(cell).splitlines() if line.strip()), "")[:60]


@dataclass(frozen=True)
class Stored:
    """A cell tagged ``once`` that has run: what it assigned, and what it put out."""

    values: Mapping[str, Any]
    outputs: Sequence[Any] = ()


@dataclass(frozen=True)
class Past:
    """What earlier runs leave to the next one.

    Attributes:
        runs: Their IDs, newest first.
        stored: Results of cells tagged ``once``, by number.
    """

    runs: tuple[str, ...] = ()
    stored: Mapping[int, Stored] = field(default_factory=dict)


def stored_in(events: Iterable[Event]) -> tuple[dict[int, Stored], dict[int, str]]:
    """Of a run's cells tagged ``once``: those whose result is kept, and of the others that had begun, why it isn't."""
    stored: dict[int, Stored] = {}
    doubtful: dict[int, str] = {}
    for event in events:
        data = event.data
        if not data.get("once"):
            continue
        number = int(data["cell"])
        if event.type == "job.cell_started":
            doubtful[number] = "it had begun, and nobody knows how far it got"
            stored.pop(number, None)
        elif event.type == "job.cell_completed" and "values" in data["once"]:
            stored[number] = Stored(data["once"]["values"], data.get("outputs", []))
            doubtful.pop(number, None)
        elif event.type == "job.cell_completed":
            doubtful[number] = f"it has run, but its result isn't stored: {data['once'].get('problem', '')}"
        elif event.type == "job.cell_failed":
            doubtful[number] = "it had failed, and nobody knows how far it got"
    return stored, doubtful


def _counts(number: int, cell: Any) -> bool:
    return number > 0 and cell.get("cell_type") == "code"


def _source(cell: Any) -> str:
    found = cell.get("source", "")
    return "".join(map(str, found)) if isinstance(found, list) else str(found)
