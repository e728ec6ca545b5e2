"""What an agent is made of, and how it is kept in the store so that another process can load it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from agentnb.agents import portable
from agentnb.agents.output import OutputType
from agentnb.agents.tools import Tool
from agentnb.ports.model import canonical
from agentnb.ports.store import Definition


@dataclass(frozen=True)
class AgentSpec:
    """An agent's definition.

    Attributes:
        model: ``provider:model``.
        options: Sampling settings of the model: ``temperature``, ``max_tokens`` …
        max_steps: Model calls that one execution may take.
        timeout: Seconds that one execution may take, without the time in which it waits for a person.
        repairs: How often the model may correct an answer that doesn't fit the output type.
    """

    name: str
    model: str
    instructions: str = ""
    tools: tuple[Tool, ...] = ()
    output: OutputType | None = None
    capabilities: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    max_steps: int = 10
    timeout: float = 300.0
    repairs: int = 2

    @property
    def idempotent(self) -> bool:
        """Whether an execution may run twice: where no tool has an effect."""
        return all(tool.effects == "none" for tool in self.tools)

    def definition(self) -> Definition:
        """The definition as the store keeps it; functions by name where they can be imported, else by cloudpickle."""
        functions: dict[str, Any] = {tool.name: tool for tool in self.tools}
        if self.output is not None:
            functions[""] = self.output.type
        references = {name: portable.reference(function) for name, function in functions.items()}
        code, problem = portable.pickled({name: functions[name] for name, reference in references.items() if not reference})
        spec = {
            "name": self.name,
            "model": self.model,
            "instructions": self.instructions,
            "tools": [{**tool.spec.as_dict(), "approval": tool.approval, "effects": tool.effects} for tool in self.tools],
            "output_schema": self.output.schema if self.output else None,
            "capabilities": list(self.capabilities),
            "options": dict(self.options),
            "max_steps": self.max_steps,
            "timeout": self.timeout,
            "repairs": self.repairs,
            "functions": references,
            "not_portable": problem,
        }
        key = hashlib.sha256(canonical(spec).encode("utf-8", "surrogatepass") + code).hexdigest()
        return Definition(key, "agent", self.name, spec, code, portable.PYTHON if code else "")


def load(definition: Definition) -> AgentSpec:
    """The agent again, perhaps in another process.

    Raises:
        DefinitionError: A function can't be loaded; the message says which one and where it is defined.
    """
    spec = definition.spec
    functions = portable.load(f"the agent {spec['name']!r}", definition)
    return AgentSpec(
        name=spec["name"],
        model=spec["model"],
        instructions=spec["instructions"],
        tools=tuple(functions[tool["name"]] for tool in spec["tools"]),
        output=OutputType(functions[""]) if "" in functions else None,
        capabilities=tuple(spec["capabilities"]),
        options=spec["options"],
        max_steps=spec["max_steps"],
        timeout=spec["timeout"],
        repairs=spec["repairs"],
    )
