"""What ``%agentnb`` commands return: rows that look like a table, and can be used as data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape
from typing import Any

from agentnb.notebook import html
from agentnb.notebook.formats import ago, usage_line
from agentnb.ports.model import ModelInfo
from agentnb.ports.optimizer import Optimized
from agentnb.ports.store import AgentRecord, Run


@dataclass(frozen=True)
class Table:
    """Rows of values under named columns; ``data`` is what they were made of.

    Attributes:
        empty: What to do so that there is something, shown where there is nothing.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    data: tuple[Any, ...]
    empty: str = ""

    def __len__(self) -> int:
        return len(self.data)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.data)

    def __getitem__(self, place: int) -> Any:
        return self.data[place]

    def __repr__(self) -> str:
        if not self.rows:
            return self.empty
        lines = [self.columns, *self.rows]
        widths = [max(len(line[place]) for line in lines) for place in range(len(self.columns))]
        return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines)

    def _repr_html_(self) -> str:
        cells = [
            [html.status(cell) if column == "status" else escape(cell) for column, cell in zip(self.columns, row, strict=True)]
            for row in self.rows
        ]
        return html.table(self.columns, cells, empty=self.empty)


def runs(found: Sequence[Run]) -> Table:
    """Runs, as ``%agentnb runs`` and ``agentnb runs list`` show them."""
    rows = [(run.id, run.name, run.status, run.reason, ago(run.created_at), usage_line("", run.usage, _milliseconds(run))) for run in found]
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
    return Table(tuple(columns), cells, tuple(dict(zip(columns, row, strict=True)) for row in found), "No rows")


def _milliseconds(run: Run) -> float:
    output = run.output if isinstance(run.output, dict) else {}
    if run.kind == "agent" and "execution_time_ms" in output:
        return float(output["execution_time_ms"])
    if not run.ended_at:
        return 0.0
    return (datetime.fromisoformat(run.ended_at) - datetime.fromisoformat(run.created_at)).total_seconds() * 1000
