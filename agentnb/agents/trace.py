"""What one execution did, step by step: the steps, the events that they become, and the way back from events to steps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, SupportsIndex, overload

from agentnb.errors import UnknownName
from agentnb.ports.model import Usage
from agentnb.ports.store import Event, brief, now
from agentnb.secrets import redact

Kind = Literal["model", "tool", "approval"]


@dataclass(frozen=True, slots=True)
class Step:
    """One model call, tool call or approval.

    Attributes:
        id: ``m1`` is the first model call, ``m1.t2`` the second tool call that it asked for, ``m1.t2.a`` its approval.
        name: The model, or the tool.
        started_ms: Milliseconds after the start of the run.
        input: What was added to the conversation since the last model call; a tool's arguments.
        output: The model's answer ``{"text", "tool_calls", …}``; a tool's result as text; an approval's answer.
        replayed: Whether the output was taken from an earlier run, and nothing was called.
    """

    id: str
    kind: Kind
    name: str
    status: str = "running"
    started_ms: float = 0.0
    duration_ms: float = 0.0
    input: Any = None
    output: Any = None
    usage: Usage | None = None
    error: str = ""
    replayed: bool = False
    input_hash: str = ""

    def __repr__(self) -> str:
        said = self.error or self._said()
        spent = f" in {self.duration_ms:.0f} ms" if self.duration_ms else ""
        return f"<step {self.id}: {self.kind} {self.name}, {self.status}{spent}{f': {redact(said)}' if said else ''}>"

    def _said(self) -> str:
        if self.kind != "model":
            return " → ".join(brief(value) for value in (self.input, self.output) if value is not None)
        answer = self.output if isinstance(self.output, Mapping) else {}
        calls = ", ".join(str(call["name"]) for call in answer.get("tool_calls") or ())
        return f"asks for {calls}" if calls else brief(answer["text"]) if answer.get("text") else ""


class Trace(tuple[Step, ...]):
    """The steps of one execution, in the order in which they began; a notebook shows them as a table with bars."""

    __slots__ = ()

    @overload
    def __getitem__(self, place: SupportsIndex | str) -> Step: ...

    @overload
    def __getitem__(self, place: slice) -> tuple[Step, ...]: ...

    def __getitem__(self, place: SupportsIndex | slice | str) -> Step | tuple[Step, ...]:
        """A step by its place or its ID, such as ``m1.t2``.

        Raises:
            UnknownName: There is no step of that ID; the message names those that are there.
        """
        if not isinstance(place, str):
            return super().__getitem__(place)
        for step in self:
            if step.id == place:
                return step
        raise UnknownName(f"no step {place!r} in the trace; there are: {', '.join(step.id for step in self) or 'none'}")

    @property
    def failed(self) -> list[Step]:
        """The tool calls that failed."""
        return [step for step in self if step.kind == "tool" and step.status == "failed"]

    def __repr__(self) -> str:
        return "\n".join(map(repr, self)) or "<no steps>"


@dataclass(frozen=True, slots=True)
class Identity:
    """Whose execution it is: the fields that every event of it carries."""

    run_id: str
    agent_id: str
    agent: str
    session: str = ""
    user: str = ""
    workflow_id: str = ""
    workflow_step: str = ""

    def event(
        self,
        type_: str,
        *,
        status: str,
        input_data: Any = None,
        output_data: Any = None,
        milliseconds: float = 0.0,
        step: Step | None = None,
        **metadata: Any,
    ) -> Event:
        """An event of the kin of ``agent.executed``."""
        data = {
            "event_type": type_,
            "timestamp": now(),
            "agent_id": self.agent_id,
            "execution_id": self.run_id,
            "user_id": self.user,
            "session_id": self.session,
            "input_data": input_data,
            "output_data": output_data,
            "execution_time_ms": round(milliseconds, 3),
            "status": status,
            "metadata": {"workflow_id": self.workflow_id, "step_id": self.workflow_step, **metadata},
        }
        return Event(type_, data, self.run_id, step.id if step else "", step.input_hash if step else "")

    def step_event(self, step: Step) -> Event:
        """The event of a step as it is now."""
        metadata: dict[str, Any] = {"kind": step.kind, "name": step.name, "started_ms": round(step.started_ms, 3)}
        if step.usage is not None:
            metadata["usage"] = step.usage.as_dict()
        if step.error:
            metadata["error"] = step.error
        if step.replayed:
            metadata["replayed"] = True
        return self.event(
            _TYPES[step.kind, step.status in _OPEN],
            status=step.status,
            input_data=step.input,
            output_data=step.output,
            milliseconds=step.duration_ms,
            step=step,
            **metadata,
        )


_OPEN = ("running", "waiting")
_TYPES: dict[tuple[Kind, bool], str] = {
    ("model", False): "agent.model_called",
    ("model", True): "agent.model_started",
    ("tool", False): "agent.tool_called",
    ("tool", True): "agent.tool_started",
    ("approval", False): "agent.approval_answered",
    ("approval", True): "agent.approval_requested",
}
STEP_TYPES = frozenset(_TYPES.values())


def steps_of(events: Iterable[Event]) -> list[Step]:
    """The steps of a run, each as its last event says, in the order in which they began."""
    steps: dict[str, Step] = {}
    for event in events:
        if event.type in STEP_TYPES:
            steps[event.step_id] = _step(event)
    return list(steps.values())


def _step(event: Event) -> Step:
    metadata: Mapping[str, Any] = event.data["metadata"]
    usage = metadata.get("usage")
    return Step(
        id=event.step_id,
        kind=metadata["kind"],
        name=metadata["name"],
        status=event.data["status"],
        started_ms=metadata["started_ms"],
        duration_ms=event.data["execution_time_ms"],
        input=event.data["input_data"],
        output=event.data["output_data"],
        usage=Usage(**usage) if usage else None,
        error=metadata.get("error", ""),
        replayed=metadata.get("replayed", False),
        input_hash=event.input_hash,
    )
