"""Steps of runs, those of agents and those of workflows alike, and what runs wait for."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pydantic import Field

from agentnb.agents.trace import steps_of as agent_steps_of
from agentnb.ports.store import Event, Run
from agentnb.runtime import workflow_signals
from agentnb.runtime.runtime import Runtime
from agentnb.server.routing import Data
from agentnb.workflows.trace import steps_of as workflow_steps_of


class StepData(Data):
    """One step of a run.

    Attributes:
        kind: Of a workflow's step its kind; of an agent's ``model``, ``tool`` or ``approval``.
        name: What people call it; the model, or the tool.
        started_ms: Milliseconds after the start of the run; None where nothing was run.
        error: ``{"type", "message"}``, or None.
        child: The run that it started.
        source: Where the result was taken from that nothing was run for: an earlier run, or ``cache``.
    """

    id: str
    kind: str
    name: str
    status: str
    reason: str = ""
    outcome: str = ""
    started_ms: float | None
    duration_ms: float
    input: Any = None
    output: Any = None
    error: dict[str, Any] | None = None
    attempts: int = 1
    usage: dict[str, Any] = Field(default_factory=dict)
    child: str = ""
    source: str = ""


class QuestionData(Data):
    """What a run waits for.

    Attributes:
        run_id: The run that asks: itself, or one of a sub-workflow.
        kind: ``human``, ``approval``, ``interrupted`` or ``callback``.
        verdicts: What may be answered.
        form: JSON Schema of the data that goes with an approval, or None.
        shown: What is to be looked at; of an agent's approval the tool and its arguments.
        due: Seconds since the epoch, or 0 for never.
        reason: Why an agent has to ask; ``effects`` of its tool.
    """

    run_id: str
    step_id: str
    kind: str
    prompt: str
    verdicts: list[str]
    form: dict[str, Any] | None = None
    shown: Any = None
    assignee: str = ""
    asked_at: float = 0.0
    due: float = 0.0
    reason: str = ""
    effects: str = ""


def steps_of_run(run: Run, events: list[Event]) -> list[StepData]:
    """The steps of a run, in the order in which they began."""
    return _of_agent(events) if run.kind == "agent" else _of_workflow(run, events)


def questions_of(runtime: Runtime, run: Run) -> list[QuestionData]:
    """What a run waits for, its sub-workflows and its agents included."""
    if run.kind == "agent":
        return [_approval(run.id, event) for event in runtime.pending(run.id)]
    found = []
    for owner, record in workflow_signals.pending(runtime, run.id):
        question = record.question or {}
        names = ("kind", "prompt", "verdicts", "form", "shown", "assignee", "asked_at", "due")
        found.append(QuestionData(run_id=owner, step_id=record.id, **{name: question[name] for name in names if question.get(name)}))
    return found + _approvals_of_children(runtime, run)


def _approvals_of_children(runtime: Runtime, run: Run) -> list[QuestionData]:
    """What the agents ask that steps of the run have started."""
    children = [child for child in runtime.store.runs(parent=run.id, whole=False, limit=1000) if child.status == "waiting"]
    return [_approval(child.id, event) for child in children if child.kind == "agent" for event in runtime.pending(child.id)]


def _approval(run_id: str, event: Event) -> QuestionData:
    metadata: Mapping[str, Any] = event.data["metadata"]
    asked = datetime.fromisoformat(event.data["timestamp"]).timestamp()
    return QuestionData(
        run_id=run_id,
        step_id=event.step_id,
        kind="approval",
        prompt=f"Call {metadata['name']}?",
        verdicts=["approve", "deny"],
        shown={"tool": metadata["name"], "arguments": event.data["input_data"]},
        asked_at=asked,
        reason=str(metadata.get("reason") or ""),
        effects=str(metadata.get("effects") or ""),
    )


def _of_agent(events: list[Event]) -> list[StepData]:
    return [
        StepData(
            id=step.id,
            kind=step.kind,
            name=step.name,
            status=step.status,
            started_ms=step.started_ms,
            duration_ms=step.duration_ms,
            input=step.input,
            output=step.output,
            error={"type": "", "message": step.error} if step.error else None,
            usage=step.usage.as_dict() if step.usage else {},
            source="replay" if step.replayed else "",
        )
        for step in agent_steps_of(events)
    ]


def _of_workflow(run: Run, events: list[Event]) -> list[StepData]:
    begun = _seconds(run.created_at)
    return [
        StepData(
            id=step.id,
            kind=step.kind,
            name=step.title or step.id,
            status=step.status,
            reason=step.reason,
            outcome=step.outcome,
            started_ms=round((_seconds(step.started_at) - begun) * 1000, 3) if step.started_at else None,
            duration_ms=step.duration_ms,
            input=step.input,
            output=step.output,
            error=dict(step.error) if step.error else None,
            attempts=step.attempts,
            usage=dict(step.usage),
            child=step.child,
            source=step.source,
        )
        for step in workflow_steps_of(events).values()
    ]


def _seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).astimezone(UTC).timestamp()
