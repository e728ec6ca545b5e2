"""What an execution gives back."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn, Self

from agentnb.agents.trace import Step, Trace
from agentnb.errors import no_attribute
from agentnb.ports.model import ToolCall
from agentnb.ports.store import Reason, Status, brief
from agentnb.runtime.shown import plural


class Finished:
    """Awaiting it gives itself: so code that awaits a ``--background`` cell's variable does right however soon the run ends."""

    def __await__(self) -> Generator[Any, None, Self]:
        yield from ()
        return self

    if not TYPE_CHECKING:  # a type checker would take every attribute for one that is there

        def __getattr__(self, name: str) -> NoReturn:
            raise no_attribute(type(self).__name__, name, dir(self))


@dataclass(frozen=True, repr=False)
class AgentResult(Finished):
    """One finished execution of an agent.

    Attributes:
        output: A value of the agent's output type, or the text of the answer.
        text: The answer as the model wrote it.
        usage: ``input_tokens``, ``output_tokens``, ``cached_tokens``, ``cost`` (US dollars or None), ``model_calls``,
            ``tool_calls``, ``replayed`` (steps that were), ``cut_off`` (whether an answer reached ``max_tokens``).
        trace: Its model calls, tool calls and approvals, in the order in which they began.
        execution_id: The run's ID, for ``%agentnb show`` and ``agentnb runs show``.
        execution_time_ms: Milliseconds from start to end.
        tool_calls: Calls of tools that the caller brought along, for him to make; then it is his turn.
    """

    output: Any
    text: str
    status: Status
    agent: str
    agent_id: str
    execution_id: str
    execution_time_ms: float
    usage: Mapping[str, Any] = field(default_factory=dict)
    trace: Trace = field(default_factory=Trace)
    reason: Reason = ""
    error: Mapping[str, str] | None = None
    tool_calls: tuple[ToolCall, ...] = ()

    @property
    def id(self) -> str:
        return self.execution_id

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        failed = f", {plural(len(self.trace.failed), 'tool')} failed" if self.trace.failed else ""
        took = f"{plural(len(self.trace), 'step')}{failed}, {self.execution_time_ms:.0f} ms"
        return f"<{self.status} result of {self.agent}: {brief(self.text)}, {took}>"


@dataclass(frozen=True)
class StreamEvent:
    """Something that happens while an agent works.

    Attributes:
        type: ``text`` (a piece of the answer), ``text_reset`` (forget the pieces so far), ``step`` (one began or ended),
            ``result`` (the last one).
    """

    type: str
    text: str = ""
    step: Step | None = None
    result: AgentResult | None = None

    def __repr__(self) -> str:
        said = repr(self.result or self.step) if self.result or self.step else brief(self.text)
        return f"<{self.type}: {said}>"
