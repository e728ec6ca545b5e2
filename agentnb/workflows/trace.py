"""What one run of a workflow did: its steps, the events that they become, and the way back from events to steps."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any

from agentnb.ports.store import Event, Run, brief, now
from agentnb.secrets import redact

_VISIT = re.compile(r"@\d+")
ENDED = frozenset({"completed", "failed", "skipped", "cancelled"})


@dataclass(slots=True)
class StepRecord:
    """One step, as it is now.

    Attributes:
        id: The step's own; ``each[3]`` is the fourth item of a fan-out, ``REVIEW@2`` a state that was entered for the second time.
        status: ``queued``, ``running``, ``waiting``, ``completed``, ``failed``, ``skipped`` or ``cancelled``.
        reason: Why it failed or was skipped: ``error``, ``timed_out``, ``policy``, ``when``, ``handler``, ``unreached``.
        outcome: What it came to, for a state machine's transitions: ``completed``, ``error``, ``timed_out``, ``approved``, ``rejected``.
        duration_ms: Of the last attempt that ended, its waits included.
        attempts: How often it was tried.
        source: Where a result was taken from that nothing was run for: the ID of an earlier run, or ``cache``.
        child: ID of the run that it started.
        question: What it waits for, or waited for last: ``{"kind", "prompt", "form", "due", …}``.
        fingerprint: Of the step's own text, function and agent; differs after an edit.
    """

    id: str
    kind: str
    title: str = ""
    status: str = "queued"
    reason: str = ""
    outcome: str = ""
    started_at: str = ""
    duration_ms: float = 0.0
    input: Any = None
    output: Any = None
    error: Mapping[str, Any] | None = None
    attempts: int = 0
    source: str = ""
    child: str = ""
    usage: Mapping[str, Any] = field(default_factory=dict)
    question: Mapping[str, Any] | None = None
    input_hash: str = ""
    fingerprint: str = ""
    retry_at: float = 0.0

    def __repr__(self) -> str:
        asked = (self.question or {}).get("prompt") if self.status == "waiting" else None
        given = [value for value in (self.input, self.output) if value is not None]
        said = str((self.error or {}).get("message", "")) or (brief(asked) if asked else " → ".join(map(brief, given)))
        spent = f" in {self.duration_ms:.0f} ms" if self.duration_ms else ""
        return f"<step {self.id}: {self.kind}, {self.status}{spent}{f': {redact(said)}' if said else ''}>"

    @property
    def value(self) -> dict[str, Any]:
        """What expressions see as ``steps.ID``."""
        return {"status": self.status, "output": self.output if self.status == "completed" else None, "error": self.error}


class Steps(dict[str, StepRecord]):
    """The steps of a run by their ID; a notebook shows them as a table with bars."""

    def __repr__(self) -> str:
        return "\n".join(map(repr, self.values())) or "<no steps>"


_EXTRA = ("reason", "outcome", "started_at", "error", "attempts", "source", "child", "usage", "question", "fingerprint", "retry_at")
_extra = attrgetter(*_EXTRA)
_TYPES = {
    "running": "workflow.step_started",
    "waiting": "workflow.step_waiting",
    "completed": "workflow.step_completed",
    "failed": "workflow.step_failed",
    "skipped": "workflow.step_skipped",
    "cancelled": "workflow.step_cancelled",
    "queued": "workflow.step_retrying",
}
STEP_TYPES = frozenset(_TYPES.values())


@dataclass(frozen=True, slots=True)
class Identity:
    """Whose run it is: what every event of it carries."""

    run_id: str
    name: str
    user: str = ""

    @classmethod
    def of(cls, run: Run) -> Identity:
        return cls(run.id, run.name, run.user)

    def event(self, type_: str, status: str, **data: Any) -> Event:
        """An event of the run itself."""
        return Event(
            type_,
            {
                "event_type": type_,
                "timestamp": now(),
                "workflow_id": self.run_id,
                "workflow_name": self.name,
                "user_id": self.user,
                "status": status,
                **data,
            },
            self.run_id,
        )

    def step_event(self, step: StepRecord, next_steps: Sequence[str] = ()) -> Event:
        """The event of a step as it is now."""
        type_ = _TYPES[step.status]
        data: dict[str, Any] = {
            "event_type": type_,
            "timestamp": now(),
            "workflow_id": self.run_id,
            "workflow_name": self.name,
            "step_id": step.id,
            "step_name": step.title or step.id,
            "step_type": step.kind,
            "execution_time_ms": round(step.duration_ms, 3),
            "status": step.status,
            "input_data": step.input,
            "output_data": step.output,
            "next_steps": next_steps,
        }
        data.update({name: value for name, value in zip(_EXTRA, _extra(step), strict=True) if value})
        return Event(type_, data, self.run_id, step.id, step.input_hash)


def place_of(step_id: str) -> str:
    """Where a state machine's step stands in the document: its ID without the visit."""
    return _VISIT.sub("", step_id)


def steps_of(events: Iterable[Event]) -> dict[str, StepRecord]:
    """The steps of a run by their ID, each as its last event says, in the order in which they began."""
    steps: dict[str, StepRecord] = {}
    for event in events:
        if event.type in STEP_TYPES:
            steps[event.step_id] = _record(event)
    return steps


def _record(event: Event) -> StepRecord:
    data = event.data
    record = StepRecord(
        event.step_id,
        data["step_type"],
        data["step_name"] if data["step_name"] != event.step_id else "",
        data["status"],
        duration_ms=data["execution_time_ms"],
        input=data["input_data"],
        output=data["output_data"],
        input_hash=event.input_hash,
    )
    for name in _EXTRA:
        if name in data:
            setattr(record, name, data[name])
    return record
