"""What a workflow's run shows while it goes on and when it has ended."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Protocol

from agentnb.errors import ConfigurationError
from agentnb.notebook import html, workflow_html
from agentnb.notebook.formats import duration, plural, printable
from agentnb.notebook.graph_svg import Picture
from agentnb.notebook.view import Bundle, Output, failure
from agentnb.ports.store import Event, now
from agentnb.runtime.workflow_results import WorkflowRun
from agentnb.secrets import redact
from agentnb.workflows.spec import WorkflowSpec
from agentnb.workflows.trace import ENDED, STEP_TYPES, StepRecord, steps_of

UPDATES_PER_SECOND = 10
FEW = 12
"""Steps whose table is unfolded while they run."""
_TICK_SECONDS = 1.0


class WorkflowView(Protocol):
    """Shows one run of a workflow.

    Attributes:
        run_id: The run, once something has happened in it.
    """

    run_id: str

    def begin(self, spec: WorkflowSpec, run: WorkflowRun | None = None) -> None:
        """Show that it begins; or that ``run`` goes on."""
        ...

    def update(self, event: Event) -> None: ...

    def complete(self, run: WorkflowRun) -> None:
        """Show how it ended, or that it waits."""
        ...

    def fail(self, error: BaseException, run: WorkflowRun | None) -> None: ...


class NotebookWorkflowView:
    """One output of a cell, replaced at most ``UPDATES_PER_SECOND`` times a second; its last state stays in the notebook.

    Args:
        publish: Shows a MIME bundle: the first time as a new output, then in its place.
        stop: Whether to offer a stop button.
    """

    def __init__(self, publish: Callable[[Bundle], None] | None = None, *, stop: bool = True) -> None:
        self.run_id = ""
        self._publish = publish or Output()
        self._stop = stop
        self._pace = Pace(self._show)
        self._spec: WorkflowSpec | None = None
        self._picture: Picture | None = None
        self._steps: dict[str, StepRecord] = {}
        self._history: list[Mapping[str, Any]] = []
        self._started_at = now()
        self._started = time.perf_counter()

    def begin(self, spec: WorkflowSpec, run: WorkflowRun | None = None) -> None:
        self._spec, self._picture = spec, Picture(spec)
        if run is not None:
            self.run_id, self._steps, self._history, self._started_at = run.id, dict(run.steps), list(run.history), run.started_at
        self._pace.now()

    def update(self, event: Event) -> None:
        self.run_id = self.run_id or event.run_id
        if event.run_id != self.run_id:
            return
        if event.type in STEP_TYPES:
            self._steps.update(steps_of([event]))
        elif event.type == "workflow.state_entered":
            self._history.append(event.data)
        self._pace.soon()

    def complete(self, run: WorkflowRun) -> None:
        self._pace.stop()
        self._send(workflow_html.run_text(run), workflow_html.of_run(run, self._picture))

    def fail(self, error: BaseException, run: WorkflowRun | None) -> None:
        if run is not None:
            self.complete(run)
            return
        self._pace.stop()
        if isinstance(error, asyncio.CancelledError) and self._picture is not None:
            self._send(
                "cancelled", workflow_html.summary("cancelled", self._picture.spec.name) + workflow_html.pictured(self._picture.svg())
            )
        elif isinstance(error, ConfigurationError):
            self._send(str(error), html.card("error", type(error).__name__, str(error)))
        else:
            self._send(f"{type(error).__name__}: {error}", failure(error))

    def _show(self) -> None:
        spec, picture = self._spec, self._picture
        if spec is None or picture is None:
            return
        waits = any(record.status == "waiting" for record in self._steps.values())
        status = "waiting" if waits else "running"
        running = [record.title or name for name, record in self._steps.items() if record.status == "running"]
        names = [*running[:3], *([f"{len(running) - 3} more"] if len(running) > 3 else [])]
        said = (
            spec.name,
            workflow_html.done_of(spec, self._steps),
            ", ".join(names),
            duration((time.perf_counter() - self._started) * 1000),
        )
        line = " · ".join(part for part in said if part)
        stop = '<button class="agentnb-action" data-agentnb-stop>Stop</button>' if self._stop else ""
        steps = workflow_html.queued(spec, self._steps)
        table = workflow_html.rows(steps, self._started_at, time.time()) if len(steps) <= FEW else ""
        body = (
            f'<div class="agentnb-workflow" data-status="{status}">{workflow_html.summary(status, line, stop)}{_bar(spec, self._steps)}'
            f"{workflow_html.pictured(picture.svg(self._steps, history=self._history, now=time.time()))}"
            f"{html.folded('Steps', table, unfolded=True)}</div>"
        )
        self._send(line, body)

    def _send(self, text: str, body: str) -> None:
        self._publish({"text/html": redact(body), "text/plain": redact(text)})


class TerminalWorkflowView:
    """Prints each step when it has ended, and the outputs at the end."""

    def __init__(self) -> None:
        self.run_id = ""

    def begin(self, spec: WorkflowSpec, run: WorkflowRun | None = None) -> None:
        self.run_id = run.id if run else ""
        self._write(f"{spec.name}{' goes on' if run else ''}")

    def update(self, event: Event) -> None:
        self.run_id = self.run_id or event.run_id
        if event.run_id != self.run_id:
            return
        if event.type == "workflow.state_entered":
            self._write(f"→ {event.data['state']}")
        elif event.type in STEP_TYPES and event.data["status"] in ENDED and "[" not in event.step_id:
            self._write(workflow_html.step_text(steps_of([event])[event.step_id]))

    def complete(self, run: WorkflowRun) -> None:
        self._write(f"— {workflow_html.run_line(run, status=True)}")
        if run.status == "waiting":
            self._write(f"It waits for {', '.join(step.id for step in run.waiting) or 'an event'}: %agentnb show {run.id}")
        if run.outputs:
            self._write(json.dumps(run.outputs, indent=2, ensure_ascii=False, default=str))

    def fail(self, error: BaseException, run: WorkflowRun | None) -> None:
        if run is not None:
            self._write(f"— {workflow_html.run_line(run, status=True)}")

    def _write(self, text: str) -> None:
        sys.stdout.write(printable(text) + "\n")
        sys.stdout.flush()


class Pace:
    """Calls ``show`` soon after something happened, never more than so many times a second, and once a second in any case."""

    def __init__(self, show: Callable[[], None]) -> None:
        self._show = show
        self._timer: asyncio.TimerHandle | None = None
        self._asked = self._stopped = False
        self._last = 0.0

    def now(self) -> None:
        if self._stopped:
            return
        self._asked = False
        self._last = time.perf_counter()
        self._later(_TICK_SECONDS)  # first: what can't be shown now is shown then
        self._show()

    def soon(self) -> None:
        if not self._asked and not self._stopped:
            self._asked = True
            self._later(max(self._last + 1 / UPDATES_PER_SECOND - time.perf_counter(), 0))

    def stop(self) -> None:
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()

    def _later(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        with suppress(RuntimeError):
            self._timer = asyncio.get_running_loop().call_later(seconds, self.now)


def _bar(spec: WorkflowSpec, steps: Mapping[str, StepRecord]) -> str:
    """How much of a DAG is done; the items of a fan-out count as parts of their step."""
    if spec.kind != "dag" or not spec.steps:
        return ""
    done = sum(_done(name, steps) for name in spec.steps)
    style = "width:100%;max-width:40em;height:6px;accent-color:var(--jp-brand-color1,#1976d2)"
    label = f"{done:.0f} of {plural(len(spec.steps), 'step')}"
    return f'<progress value="{done:.2f}" max="{len(spec.steps)}" aria-label="{label}" style="{style}"></progress>'


def _done(name: str, steps: Mapping[str, StepRecord]) -> float:
    record = steps.get(name)
    if record is None:
        return 0.0
    if record.status in ENDED:
        return 1.0
    items: Any = record.input.get("items", 0) if isinstance(record.input, dict) else 0
    if not isinstance(items, int) or not items:
        return 0.0
    ended: Sequence[str] = [key for key, item in steps.items() if key.startswith(f"{name}[") and item.status in ENDED]
    return len(ended) / items
