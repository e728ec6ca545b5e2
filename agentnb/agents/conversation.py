"""A conversation that the caller keeps, as those do who speak the chat-completions protocol: all of it comes with every call."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from agentnb.agents.output import OutputType
from agentnb.agents.spec import AgentSpec
from agentnb.policy import Check
from agentnb.ports.model import Message, ToolSpec


@dataclass(frozen=True, slots=True)
class Conversation:
    """What a caller brings along.

    Attributes:
        messages: All that was said; the last is what is asked now.
        tools: Tools that the caller runs himself: the execution ends with the calls that the model wants of them.
        output_schema: JSON Schema of an object that the answer must fit, instead of the agent's own output type.
        options: Sampling settings that count more than the agent's own; ``tool_choice`` too.
    """

    messages: tuple[Message, ...]
    tools: tuple[ToolSpec, ...] = ()
    output_schema: Mapping[str, Any] | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def prompt(self) -> str:
        """What is asked now."""
        return self.messages[-1].content

    def applied(self, spec: AgentSpec) -> AgentSpec:
        """The agent as this conversation wants it.

        Raises:
            ConfigurationError: The output schema is none.
        """
        output = spec.output if self.output_schema is None else OutputType(self.output_schema)
        return replace(spec, output=output, options={**spec.options, **self.options})

    def checks(self, agent: str) -> Iterator[Check]:
        """What the policy has to be asked: all of it came from outside."""
        calls = {call.id: call.name for message in self.messages for call in message.tool_calls}
        for message in self.messages:
            if message.role == "tool":
                yield Check("tool_result", message.content, agent, calls.get(message.tool_call_id, ""))
            elif message.content:
                yield Check("input", message.content, agent)

    def as_dict(self) -> dict[str, Any]:
        return {
            "messages": [message.as_dict() for message in self.messages],
            "tools": [tool.as_dict() for tool in self.tools],
            "output_schema": self.output_schema,
            "options": dict(self.options),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Conversation:
        return cls(
            tuple(Message.from_dict(message) for message in data["messages"]),
            tuple(ToolSpec(**tool) for tool in data["tools"]),
            data["output_schema"],
            data["options"],
        )
