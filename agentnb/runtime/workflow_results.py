"""What one run of a workflow gave."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from agentnb.errors import LeaseLost
from agentnb.ports.store import Definition, Event, Reason, Run, Status
from agentnb.runtime.bridge import run_sync
from agentnb.runtime.results import Finished
from agentnb.runtime.shown import plural
from agentnb.workflows.spec import WorkflowSpec, adapter
from agentnb.workflows.trace import StepRecord, Steps, steps_of

if TYPE_CHECKING:
    from agentnb.runtime.graphs.graph import Graph
    from agentnb.runtime.report import Report
    from agentnb.runtime.runtime import Runtime


@dataclass(frozen=True, repr=False)
class WorkflowRun(Finished):
    """A run of a workflow, as far as it has come.

    Attributes:
        outputs: What the workflow gave, once it is completed.
        steps: Its steps by their ID, in the order in which they began; ``steps["a"].output``.
        history: The states that a state machine went through: ``{"state", "visit", "previous", "event", "entered_at"}`` each.
        usage: Totals: ``steps``, ``replayed``, ``input_tokens``, ``output_tokens``, ``model_calls``, ``tool_calls``, ``cost``.
        parent: The run that it is a step of, or empty; ``rerun_of``: the run that it runs again, or empty.
    """

    id: str
    name: str
    status: Status
    reason: Reason
    inputs: Mapping[str, Any]
    outputs: Mapping[str, Any]
    steps: Steps
    spec: WorkflowSpec
    history: Sequence[Mapping[str, Any]] = ()
    error: Mapping[str, Any] | None = None
    started_at: str = ""
    ended_at: str = ""
    duration_ms: float = 0.0
    usage: Mapping[str, Any] = field(default_factory=dict)
    parent: str = ""
    rerun_of: str = ""

    @property
    def waiting(self) -> list[StepRecord]:
        """The steps that wait for somebody."""
        return [step for step in self.steps.values() if step.status == "waiting"]

    async def answer(
        self,
        step: str,
        verdict: str = "",
        data: Any = None,
        *,
        note: str = "",
        by: str = "",
        runtime: Runtime | None = None,
        **arguments: Any,
    ) -> WorkflowRun:
        """Answer what a step waits for; where no process executes the run, it goes on here until it ends, or waits again.

        Args:
            step: Its ID, as in ``waiting``; the name of a state means the visit of it that waits.
            verdict: ``approve`` or ``reject``; ``retry``, ``skip`` or ``fail`` where the step was in flight when its process died.
                May be left out where there is only one.
            data: What the form asks for.
            note: What the workflow is told beside it.
            by: Who answers; the user of the settings by default.
            runtime: Where the run is kept; the process's own by default.
            **arguments: As for ``agentnb.resume``.

        Returns:
            The run as it is then. This one stays as it was.

        Raises:
            NotWaiting: Nothing waits under that name, or it was answered already.
            ConfigurationError: There is no such verdict, or the data doesn't fit the form.
            AgentNBError: The run went on, and failed.
        """
        from agentnb.runtime import workflow_runs, workflow_signals
        from agentnb.runtime.runtime import current

        place = runtime or current()
        if workflow_signals.answer(place, self.id, step, verdict, data=data, by=by, note=note):
            with suppress(LeaseLost):  # somebody else was quicker to go on with it
                await workflow_runs.resume(place, self.id, workflow_runs.WorkflowOptions(**arguments))
        return workflow_runs.get(place, self.id)

    def answer_sync(self, step: str, verdict: str = "", data: Any = None, **arguments: Any) -> WorkflowRun:
        """Like ``answer``, for code that isn't asynchronous; works in a notebook too."""
        return run_sync(self.answer(step, verdict, data, **arguments))

    def report(self) -> Report:
        """Results, successes, errors, duration, critical path, tokens and cost; shows itself in a notebook."""
        from agentnb.runtime.report import report_of

        return report_of(self)

    def graph(self) -> Graph:
        """Its graph, which shows itself in a notebook: live while it goes on, with buttons to answer, cancel, resume and retry."""
        from agentnb.runtime.graphs.graph import Graph
        from agentnb.runtime.runtime import current

        return Graph(current(), run_id=self.id)

    def __repr__(self) -> str:
        known = self.spec.steps or self.steps
        done = sum(step.status in ("completed", "skipped") for name, step in self.steps.items() if name in known)
        waits = f", waits for {', '.join(step.id for step in self.waiting)}" if self.waiting else ""
        return f"<{self.status} run {self.id} of {self.name}: {done} of {plural(len(known), 'step')}, {self.duration_ms:.0f} ms{waits}>"


def result_of(run: Run, events: Sequence[Event], definition: Definition) -> WorkflowRun:
    """A run from what the store has of it."""
    started = next((event.data for event in events if event.type == "workflow.started"), {})
    visits = [event.data for event in events if event.type == "workflow.state_entered"]
    ended = events[-1].data["timestamp"] if events else run.created_at
    spec = adapter().validate_python(definition.spec["document"])
    return made(run, spec, steps_of(events), visits, ended, started.get("rerun_of", ""))


def made(
    run: Run, spec: WorkflowSpec, steps: Mapping[str, StepRecord], visits: Sequence[Mapping[str, Any]], ended: str, rerun_of: str
) -> WorkflowRun:
    """A run from its parts; ``ended`` is the time of its last event."""
    elapsed = datetime.fromisoformat(ended) - datetime.fromisoformat(run.created_at)
    return WorkflowRun(
        run.id,
        run.name,
        run.status,
        run.reason,
        run.input or {},
        run.output or {},
        Steps(steps),
        spec,
        visits,
        run.error,
        run.created_at,
        run.ended_at,
        elapsed.total_seconds() * 1000,
        run.usage,
        run.parent,
        rerun_of,
    )


def usage_of(records: Mapping[str, StepRecord]) -> dict[str, Any]:
    """Totals over the steps that a run has done itself."""
    total: dict[str, Any] = {
        "steps": 0,
        "replayed": 0,
        "input_tokens": 0,
        "output_tokens": 0,
        "model_calls": 0,
        "tool_calls": 0,
        "cost": 0.0,
    }
    for record in records.values():
        total["steps"] += record.status == "completed"
        total["replayed"] += bool(record.source)
        if record.source or not record.usage:
            continue
        for name in ("input_tokens", "output_tokens", "model_calls", "tool_calls"):
            total[name] += record.usage.get(name) or 0
        cost = record.usage.get("cost", 0.0)
        total["cost"] = None if total["cost"] is None or cost is None else total["cost"] + cost
    return total
