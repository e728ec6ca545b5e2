"""What a workflow's run shows while it goes on: a table that is kept up to date on a terminal, else a line for each thing that ends."""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, TextIO

from agentnb.cli.questions import answer_text, asked_text, shown_text
from agentnb.notebook.formats import GLYPHS, duration, printable
from agentnb.ports.store import FINAL, Event
from agentnb.runtime.runtime import current

if TYPE_CHECKING:
    from rich.live import Live
    from rich.table import Table

UPDATES_PER_SECOND = 10
_ENDED = ("completed", "failed", "skipped", "cancelled")
_MARGIN = 6


@dataclass(slots=True)
class Row:
    """A step, or a visit of a state.

    Attributes:
        since: When it began here, by the monotonic clock.
        done: Of a fan-out, how many items have ended; total: how many there are.
    """

    id: str
    kind: str = ""
    status: str = "queued"
    since: float = 0.0
    milliseconds: float = 0.0
    note: str = ""
    done: int = 0
    total: int = 0

    @property
    def glyph(self) -> str:
        return GLYPHS[self.status]

    @property
    def time(self) -> str:
        if self.status in ("running", "waiting") and self.since:
            return duration((time.monotonic() - self.since) * 1000)
        return duration(self.milliseconds) if self.status in ("completed", "failed") else ""

    @property
    def about(self) -> str:
        return f"{self.done} of {self.total} {self.note}".strip() if self.total else self.note


class Progress:
    """Follows one run; events of the runs that it starts are left out.

    Args:
        steps: IDs and kinds of the steps that are known beforehand.
        run_id: The run, where it is known beforehand.
        stays: Whether the run waits here for answers, so that it has to be said where they are to be given.
        stream: Where it shows itself; standard error by default, so that standard output is the result.

    Attributes:
        run_id: The run, once something of it has happened.
    """

    def __init__(
        self, steps: Mapping[str, str] | None = None, *, run_id: str = "", stays: bool = True, stream: TextIO | None = None
    ) -> None:
        self.run_id = run_id
        self.rows = {name: Row(name, kind) for name, kind in (steps or {}).items()}
        self._events: SimpleQueue[Event] = SimpleQueue()
        self._stream = stream or sys.stderr
        self._stays = stays
        self._live: Live | None = None
        self._shown = 0.0
        self._started = time.monotonic()
        self._terminal = self._stream.isatty()

    def note(self, event: Event) -> None:
        """Take an event; called on the thread on which the run is executed."""
        self._events.put(event)

    def refresh(self, *, now: bool = False) -> None:
        """Show what has happened; called on the main thread, as often as it likes."""
        while not self._events.empty():
            event = self._events.get()
            if self._is_ours(event):
                line = self._apply(event)
                if line and not self._terminal:
                    self._stream.write(printable(line + "\n"))
                    self._stream.flush()
        if self._terminal and (now or time.monotonic() - self._shown >= 1 / UPDATES_PER_SECOND):
            self._shown = time.monotonic()
            self._display()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Leave the terminal to somebody else for a while."""
        self.refresh(now=True)
        self._stop()
        try:
            yield
        finally:
            self._live = None

    def close(self) -> None:
        """Show the last state, and leave it on the terminal."""
        self.refresh()
        if self.run_id and current().store.run(self.run_id).status in FINAL:
            self._leave_state()
        self.refresh(now=True)
        self._stop()

    def _is_ours(self, event: Event) -> bool:
        if not self.run_id:
            self.run_id = event.run_id if not current().store.run(event.run_id).parent else ""
        return event.run_id == self.run_id

    def _apply(self, event: Event) -> str:
        """Take an event in; the line that tells of it where there is no table."""
        data = event.data
        if event.type == "workflow.state_entered":
            self._leave_state()
            self._begin(f"{data['state']}@{data['visit']}", "state")
            return f"→ {data['state']}"
        if not event.step_id or "step_type" not in data:
            return ""
        name, _, item = event.step_id.partition("[")
        row = self.rows.setdefault(name, Row(name, data["step_type"]))
        if item:
            row.done += data["status"] in _ENDED
            return self._ended(event.step_id, data) if data["status"] == "failed" else ""
        return self._step(row, data)

    def _leave_state(self) -> None:
        for row in self.rows.values():
            if row.kind == "state" and row.status == "running":
                row.status, row.milliseconds = "completed", (time.monotonic() - row.since) * 1000

    def _step(self, row: Row, data: Mapping[str, Any]) -> str:
        row.kind, row.status, row.milliseconds = data["step_type"], data["status"], data["execution_time_ms"]
        row.since = row.since or time.monotonic()
        given = data["input_data"]
        if row.status == "running" and isinstance(given, dict) and given.keys() == {"items"} and isinstance(given["items"], int):
            row.total = row.total or given["items"]
        row.note = _note(data)
        if row.status == "waiting":
            return f"{row.glyph} {row.id} waits: {row.note}{_command(data)}" if self._stays else ""
        if row.status == "queued":
            return f"{row.glyph} {row.id} is tried again: {row.note}"
        return self._ended(row.id, data) if row.status in _ENDED else ""

    def _ended(self, name: str, data: Mapping[str, Any]) -> str:
        took = duration(data["execution_time_ms"]) if data["status"] in ("completed", "failed") else data["status"]
        return " ".join(part for part in (GLYPHS[data["status"]], name, data["step_type"], took, _note(data)) if part)

    def _begin(self, name: str, kind: str) -> None:
        self.rows[name] = Row(name, kind, "running", time.monotonic())

    def _display(self) -> None:
        from rich.console import Console
        from rich.live import Live

        if self._live is None:
            self._live = Live(console=Console(file=self._stream), auto_refresh=False)
            self._live.start()
        self._live.update(self._table(self._live.console.height, self._live.console.width), refresh=True)

    def _table(self, height: int, width: int) -> Table:
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, padding=(0, 1), show_header=False)
        shown, left = self._visible(max(height - _MARGIN, 5))
        for row in shown:
            note = printable(" ".join(row.about.split()))[: max(width - 50, 20)]
            table.add_row(Text(row.glyph), Text(printable(row.id)), Text(row.kind), Text(row.time, justify="right"), Text(note))
        counts = {status: sum(row.status == status for row in self.rows.values()) for status in GLYPHS}
        told = " · ".join(f"{count} {status}" for status, count in counts.items() if count)
        elapsed = duration((time.monotonic() - self._started) * 1000)
        table.add_row("", Text(f"… {left} more" if left else ""), "", Text(elapsed, justify="right"), Text(told))
        return table

    def _visible(self, most: int) -> tuple[list[Row], int]:
        """The rows that there is room for: what goes on or failed first, then what has begun last."""
        rows = list(self.rows.values())
        if len(rows) <= most:
            return rows, 0
        rank = {"running": 0, "waiting": 0, "failed": 1, "completed": 2}
        best = sorted(range(len(rows)), key=lambda place: (rank.get(rows[place].status, 3), -rows[place].since, place))[:most]
        return [rows[place] for place in sorted(best)], len(rows) - most

    def _stop(self) -> None:
        if self._live is not None:
            self._live.stop()


def _note(data: Mapping[str, Any]) -> str:
    if data["status"] in ("failed", "queued") and data.get("error"):
        return f"{data['error']['type']}: {data['error']['message']}"
    if data["status"] == "waiting" and data.get("question"):
        return asked_text(data["question"])
    if data.get("source"):
        return "taken from the cache" if data["source"] == "cache" else f"taken from {data['source']}"
    if data["status"] == "completed":
        return answer_text(data.get("question") or {}, data["output_data"])
    return f"({data['reason']})" if data["status"] == "skipped" and data.get("reason") else ""


def answer_command(run_id: str, step_id: str, question: Mapping[str, Any]) -> str:
    """The command that answers a question."""
    verdicts = question["verdicts"]
    parts = [
        f"agentnb runs signal {run_id} {shlex.quote(step_id)}",
        "|".join(verdicts) if len(verdicts) > 1 else "",
        "--data JSON" if question["form"] or question["kind"] == "callback" else "",
    ]
    return " ".join(part for part in parts if part)


def _command(data: Mapping[str, Any]) -> str:
    question = data.get("question")
    if not question or question["kind"] == "child":
        return ""
    shown = shown_text(question)
    return "".join([f"\n    shown: {shown}" if shown else "", f"\n    {answer_command(data['workflow_id'], data['step_id'], question)}"])
