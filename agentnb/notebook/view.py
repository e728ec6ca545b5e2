"""What one execution shows while it goes on and when it has ended: in a notebook by updating one output, in a terminal by printing."""

from __future__ import annotations

import asyncio
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any, Protocol

from agentnb.agents.execution import Update
from agentnb.agents.trace import Step
from agentnb.errors import PolicyDenied, UnknownModel
from agentnb.notebook import html
from agentnb.notebook.formats import duration, gist, printable, result_line
from agentnb.runtime.results import AgentResult
from agentnb.secrets import redact

UPDATES_PER_SECOND = 15
_TICK_SECONDS = 1.0

Bundle = dict[str, str]


class View(Protocol):
    """Shows one execution."""

    def begin(self, line: str, prompt: str) -> None: ...

    def update(self, update: Update) -> None: ...

    def complete(self, result: AgentResult, model: str) -> None: ...

    def fail(self, error: BaseException) -> None: ...


class NotebookView:
    """One output of a cell, replaced at most ``UPDATES_PER_SECOND`` times a second; its last state stays in the notebook.

    Args:
        publish: Shows a MIME bundle: the first time as a new output, then in its place.
        stop: Whether to offer a stop button.
    """

    def __init__(self, publish: Callable[[Bundle], None] | None = None, *, stop: bool = True) -> None:
        self._publish = publish or Output()
        self._stop = stop
        self._line = ""
        self._prompt = ""
        self._pieces: list[str] = []
        self._steps: dict[str, Step] = {}
        self._started = time.perf_counter()
        self._shown = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._ticking = False
        self._ended = False

    def begin(self, line: str, prompt: str) -> None:
        self._line, self._prompt = line, prompt
        self._show()

    def update(self, update: Update) -> None:
        if update.step is not None:
            self._add(update.step)
        elif update.text is None:
            self._pieces.clear()
        elif update.text and not self._pieces:
            self._pieces.append(update.text)
            self._shown = 0.0  # the first words don't wait for their turn
            self._stop_timer()
        else:
            self._pieces.append(update.text)
        self._soon()

    def complete(self, result: AgentResult, model: str) -> None:
        replayed = bool(result.trace) and all(step.replayed for step in result.trace)
        state = "replayed" if replayed and result.status == "completed" else result.status
        self._close(state, result_line(model, result), result.text, list(result.trace))

    def fail(self, error: BaseException) -> None:
        cancelled = isinstance(error, asyncio.CancelledError | KeyboardInterrupt)
        state = "cancelled" if cancelled or type(error).__name__ == "ExecutionCancelled" else "failed"
        card = "" if cancelled else failure(error)
        if isinstance(error, PolicyDenied) and error.stage == "output":
            self._withhold()
        run = getattr(error, "run_id", "")
        line = " · ".join(part for part in (self._line, duration(self._milliseconds()), run) if part)
        steps = [replace(step, status=state) if step.status in ("running", "waiting") else step for step in self._steps.values()]
        self._close(state, line, "".join(self._pieces), steps, card)

    def _withhold(self) -> None:
        """Forget an answer that the policy refused."""
        self._pieces.clear()
        self._steps = {name: replace(step, output=None) if step.kind == "model" else step for name, step in self._steps.items()}

    def _add(self, step: Step) -> None:
        self._steps[step.id] = step
        if step.kind == "model" and step.status == "completed" and isinstance(step.output, dict) and step.output.get("tool_calls"):
            self._pieces.clear()

    def _soon(self) -> None:
        if self._ended or (self._timer is not None and not self._ticking):
            return
        self._stop_timer()
        wait = self._shown + 1 / UPDATES_PER_SECOND - time.perf_counter()
        if wait <= 0:
            self._show()
        else:
            self._timer = asyncio.get_running_loop().call_later(wait, self._show)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._ticking = False

    def _show(self) -> None:
        self._timer = None
        if self._ended:
            return
        text = "".join(self._pieces)
        waiting = any(step.status == "waiting" for step in self._steps.values())
        running = [step.name for step in self._steps.values() if step.status == "running" and step.kind == "tool"]
        line = " · ".join([self._line, *running, duration(self._milliseconds())])
        stop = '<button class="agentnb-action" data-agentnb-stop>Stop</button>' if self._stop else ""
        self._send(text, html.answer(text) + html.trace("waiting" if waiting else "running", line, [], stop))
        self._shown = time.perf_counter()
        with suppress(RuntimeError):
            self._timer = asyncio.get_running_loop().call_later(_TICK_SECONDS, self._show)
            self._ticking = True

    def _close(self, state: str, line: str, text: str, steps: list[Step], card: str = "") -> None:
        self._ended = True
        self._stop_timer()
        buttons = html.actions(text, self._prompt) if text else ""
        self._send(text or line, html.answer(text) + card + html.trace(state, line, steps, buttons))

    def _send(self, text: str, body: str) -> None:
        self._publish({"text/html": redact(body), "text/plain": redact(text)})

    def _milliseconds(self) -> float:
        return (time.perf_counter() - self._started) * 1000


class TerminalView:
    """Prints the answer while it comes, then the quiet line."""

    def __init__(self) -> None:
        self._at_start = True

    def begin(self, line: str, prompt: str) -> None:
        pass

    def update(self, update: Update) -> None:
        if update.step is not None:
            self._step(update.step)
        elif update.text is None:
            self._write("\n(trying again)\n")
        elif update.text:
            self._write(update.text)

    def complete(self, result: AgentResult, model: str) -> None:
        self._new_line()
        self._write(f"— {result_line(model, result)} · {result.execution_id}\n")

    def fail(self, error: BaseException) -> None:
        self._new_line()

    def _step(self, step: Step) -> None:
        if step.kind == "tool" and step.status in ("completed", "failed"):
            self._new_line()
            self._write(
                f"[{' · '.join(part for part in (f'{step.name} {step.status}', gist(step), duration(step.duration_ms)) if part)}]\n"
            )

    def _new_line(self) -> None:
        if not self._at_start:
            self._write("\n")

    def _write(self, text: str) -> None:
        text = printable(text)
        self._at_start = text.endswith("\n")
        sys.stdout.write(text)
        sys.stdout.flush()


class Output:
    """One output of the current cell; each bundle replaces the one before."""

    def __init__(self) -> None:
        self._handle: Any = None

    def __call__(self, bundle: Bundle) -> None:
        from IPython.display import display

        if self._handle is None:
            self._handle = display(bundle, raw=True, display_id=True)
        else:
            self._handle.update(bundle, raw=True)


def failure(error: BaseException) -> str:
    """An error as a card; a refusal looks like one."""
    kind, title = ("refusal", "Refused") if isinstance(error, PolicyDenied) else ("error", type(error).__name__)
    detail = "".join(traceback.format_exception(error))
    buttons = html.fetch(error.fetch) if isinstance(error, UnknownModel) and error.fetch else ""
    return html.card(kind, title, str(error), detail, buttons)
