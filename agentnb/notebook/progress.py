"""How far long work is: bars in a terminal and in a notebook, elsewhere a line for each part that has ended."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from agentnb.notebook.formats import duration, printable
from agentnb.notebook.html import escape
from agentnb.notebook.view import Output
from agentnb.ports.model import ModelInfo
from agentnb.ports.progress import Progress, Step
from agentnb.runtime.runtime import Runtime

if TYPE_CHECKING:
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

_UPDATES_PER_SECOND = 5


@contextmanager
def shown(*, files: bool = False) -> Iterator[Progress]:
    """Show the progress of long work where its user is: in the cell, on the terminal, or as lines on standard error.

    Args:
        files: What is counted are bytes, and every step keeps a bar of its own.
    """
    if _in_kernel():
        cell = Cell(keep=files)
        try:
            yield cell.note
        finally:
            cell.close()
    elif sys.stderr.isatty():
        with _bars(files) as bars:
            yield Terminal(bars, keep=files).note
    else:
        yield Lines().note


def pull(runtime: Runtime, name: str) -> ModelInfo:
    """Fetch a model under progress bars."""
    with shown(files=True) as note:
        return runtime.models.pull(name, lambda what, done, total: note(Step(what, done, total, ended=done >= total > 0)))


class Lines:
    """A line on standard error for each part, or step, that has ended."""

    def __init__(self) -> None:
        self._last = ""

    def note(self, step: Step) -> None:
        if step.ended and step.what != self._last:
            self._last = step.what
            sys.stderr.write(printable(f"{step}\n"))
            sys.stderr.flush()


class Terminal:
    """A bar of the whole, where it has parts, with the best so far, and one of what is being done."""

    def __init__(self, bars: Bars, *, keep: bool = False) -> None:
        self._bars = bars
        self._keep = keep
        self._rows: dict[str, TaskID] = {}

    def note(self, step: Step) -> None:
        if step.part:
            best = f" · best so far: {step.best}" if step.best else ""
            self._show("", step.place + best, step.number - (not step.ended), step.parts)
        if not self._keep:
            for what in self._rows.keys() - {"", step.what}:
                self._bars.remove_task(self._rows.pop(what))
        self._show(step.what, step.what, step.done, step.total)

    def _show(self, row: str, text: str, done: int, total: int) -> None:
        if row not in self._rows:
            self._rows[row] = self._bars.add_task(printable(text), total=max(total, 1))
        self._bars.update(self._rows[row], description=printable(text), completed=done, total=max(total, 1))


class Cell:
    """The same as one output of a cell, which in the end says how long all took."""

    def __init__(self, *, keep: bool = False) -> None:
        self._output = Output()
        self._keep = keep
        self._rows: dict[str, Step] = {}
        self._began = time.perf_counter()
        self._shown = 0.0

    def note(self, step: Step) -> None:
        self._rows = {**(self._rows if self._keep else {}), step.what: step}
        if time.perf_counter() - self._shown >= 1 / _UPDATES_PER_SECOND:
            self._shown = time.perf_counter()
            whole = _bar(step.place, step.number - 1, step.parts) if step.part else ""
            best = f"<div>best so far: {escape(str(step.best))}</div>" if step.best else ""
            self._send(whole + best + "".join(_bar(one.what, one.done, one.total) for one in self._rows.values()), str(step))

    def close(self) -> None:
        if self._rows:
            said = " · ".join(
                [*(step.place or step.what for step in self._rows.values()), duration((time.perf_counter() - self._began) * 1000)]
            )
            self._send(f"<div>{escape(said)}</div>", said)

    def _send(self, html: str, text: str) -> None:
        self._output({"text/html": f'<div class="agentnb-progress">{html}</div>', "text/plain": printable(text)})


def _bar(what: str, done: int, total: int) -> str:
    return f'<div><progress max="{max(total, 1)}" value="{done}"></progress> {escape(what)}</div>'


def _in_kernel() -> bool:
    if "IPython" not in sys.modules:
        return False
    from IPython.core.getipython import get_ipython

    return getattr(get_ipython(), "kernel", None) is not None


def _bars(files: bool) -> Bars:
    from rich import progress
    from rich.console import Console

    text = progress.TextColumn("{task.description}", markup=False)
    counted: list[Any] = [progress.TaskProgressColumn(), progress.TimeElapsedColumn()]
    if files:
        counted = [progress.DownloadColumn(), progress.TransferSpeedColumn(), progress.TimeRemainingColumn(elapsed_when_finished=True)]
    return progress.Progress(progress.BarColumn(24), *counted, text, console=Console(stderr=True), transient=not files)
