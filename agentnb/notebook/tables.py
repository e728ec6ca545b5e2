"""What ``%agentnb`` commands return: rows that look like a table, and can be used as data."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from numbers import Number
from typing import Any

from rich.cells import cell_len, set_cell_size

from agentnb.notebook import html
from agentnb.notebook.formats import ago, usage_line
from agentnb.ports.model import ModelInfo
from agentnb.ports.optimizer import Optimized
from agentnb.ports.store import AgentRecord, Run
from agentnb.runtime.shown import elapsed

_TOOLTIP = 2_000
_NARROWEST = 12


@dataclass(frozen=True)
class Table:
    """Rows of values under named columns; ``data`` is what they were made of.

    Attributes:
        empty: What to do so that there is something, shown where there is nothing.
        numbers: Places of the columns that hold numbers.
        most: Characters of one cell that are shown, 0 for all; ``data`` has all of them in any case.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    data: tuple[Any, ...]
    empty: str = ""
    numbers: frozenset[int] = frozenset()
    most: int = 0

    def __len__(self) -> int:
        return len(self.data)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.data)

    def __getitem__(self, place: int) -> Any:
        return self.data[place]

    def __repr__(self) -> str:
        if not self.rows:
            return self.empty
        lines = [self.columns, *(tuple(_one_line(cell) if self.most else cell for cell in row) for row in self.rows)]
        widths = [max(cell_len(line[place]) for line in lines) for place in range(len(self.columns))]
        if self.most:
            widths = _narrowed([min(width, self.most) for width in widths])
        return "\n".join(
            "  ".join(self._padded(place, cell, width) for place, (cell, width) in enumerate(zip(line, widths, strict=True))).rstrip()
            for line in lines
        )

    def _padded(self, place: int, cell: str, width: int) -> str:
        text = _cut(cell, width)
        room = " " * (width - cell_len(text))
        return room + text if place in self.numbers else text + room

    def _repr_html_(self) -> str:
        cells = [[_SHOWN.get(column, self._shown)(cell) for column, cell in zip(self.columns, row, strict=True)] for row in self.rows]
        return html.table(self.columns, cells, empty=self.empty, numbers=self.numbers, wide=bool(self.most))

    def _shown(self, cell: str) -> str:
        """A cell as HTML; of a long one all is in its tooltip."""
        if not self.most or len(cell) <= self.most:
            return escape(cell)
        return f'<span title="{escape(_cut(cell, _TOOLTIP))}">{escape(_cut(_one_line(cell), self.most))}</span>'


def runs(found: Sequence[Run]) -> Table:
    """Runs, as ``%agentnb runs`` and ``agentnb runs list`` show them."""
    rows = [(run.id, run.name, run.status, run.reason, ago(run.created_at), usage_line("", run.usage, elapsed(run))) for run in found]
    return Table(
        ("run", "name", "status", "reason", "started", "used"),
        tuple(rows),
        tuple(found),
        "No such runs: start one with a %%agent or a %%workflow cell",
    )


def agents(found: Sequence[AgentRecord]) -> Table:
    """Agents, as ``%agentnb agents`` and ``agentnb agents list`` show them."""
    rows = [(agent.id, agent.name, agent.state, ", ".join(agent.capabilities), agent.origin) for agent in found]
    return Table(
        ("id", "name", "state", "capabilities", "defined in"), tuple(rows), tuple(found), "No agents yet: define one with agentnb.Agent(…)"
    )


def models(found: Sequence[ModelInfo]) -> Table:
    """Models, as ``%agentnb models`` and ``agentnb models list`` show them."""
    rows = [
        (info.name, "here" if info.installed else "", f"{info.size / 1e6:,.0f} MB" if info.size else "", info.licence, info.description)
        for info in found
    ]
    return Table(("model", "fetched", "size", "licence", "description"), tuple(rows), tuple(found), "No models")


def optimized(found: Optimized) -> Table:
    """The recipes of a search, as ``agentnb optimize`` shows them."""
    rows = found.report["recipes"]
    cells = [
        (
            row["recipe"]["name"],
            row["status"],
            f"{row['speedup']:.2f}" if row["speedup"] else "",
            f"{row['verdict']['drop']:+.4f}" if row["verdict"] else "",
            f"{row['verdict']['low']:+.4f} to {row['verdict']['high']:+.4f}" if row["verdict"] else "",
            f"{row['megabytes']:.1f}" if row["megabytes"] else "",
            row["reason"],
        )
        for row in rows
    ]
    return Table(("recipe", "status", "× as fast", "drop", "95 % interval", "MB", "why"), tuple(cells), tuple(rows))


def rows_of(columns: Sequence[str], found: Sequence[Sequence[Any]]) -> Table:
    """The answer to a query."""
    cells = tuple(tuple("" if cell is None else str(cell) for cell in row) for row in found)
    numbers = frozenset(place for place, values in enumerate(zip(*found, strict=True)) if _are_numbers(values))
    data = tuple(dict(zip(columns, row, strict=True)) for row in found)
    return Table(tuple(columns), cells, data, "No rows", numbers, most=80)


def _unbroken(cell: str) -> str:
    return f'<span style="white-space: nowrap">{escape(cell)}</span>'


_SHOWN: dict[str, Callable[[str], str]] = {"status": html.status, "started": _unbroken}
"""How the cells of columns become HTML, where they don't as text."""


def _are_numbers(values: Sequence[Any]) -> bool:
    found = [value for value in values if value is not None]
    return bool(found) and all(isinstance(value, Number) and not isinstance(value, bool) for value in found)


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _cut(text: str, most: int) -> str:
    return text if cell_len(text) <= most else f"{set_cell_size(text, most - 1).rstrip()}…"


def _narrowed(widths: list[int]) -> list[int]:
    """Widths of columns, the widest made narrower until a line fits the terminal, where there is one."""
    room = shutil.get_terminal_size().columns - 2 * (len(widths) - 1) if sys.stdout.isatty() else 0
    while room and sum(widths) > room and max(widths) > _NARROWEST:
        widths[widths.index(max(widths))] -= 1
    return widths
