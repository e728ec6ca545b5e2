"""What an agent is made of, and how it is kept in the store so that another process can load it."""

from __future__ import annotations

import hashlib
import importlib
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from agentnb.agents.output import OutputType
from agentnb.agents.tools import Tool
from agentnb.errors import DefinitionError
from agentnb.ports.model import canonical
from agentnb.ports.store import Definition
from agentnb.secrets import held_in

_PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"


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
        references = {name: _reference(function) for name, function in functions.items()}
        code, problem = _pickled({name: functions[name] for name, reference in references.items() if not reference})
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
        return Definition(key, "agent", self.name, spec, code, _PYTHON if code else "")


def load(definition: Definition) -> AgentSpec:
    """The agent again, perhaps in another process.

    Raises:
        DefinitionError: A function can't be loaded; the message says which one and where it is defined.
    """
    spec = definition.spec
    functions = {name: _resolve(spec["name"], reference) for name, reference in spec["functions"].items() if reference}
    if any(not reference for reference in spec["functions"].values()):
        functions.update(_unpickled(definition))
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


def _reference(function: Any) -> str:
    """``module:qualname`` where that finds the same thing again, else an empty string."""
    target = function.function if isinstance(function, Tool) else function
    module, name = getattr(target, "__module__", ""), getattr(target, "__qualname__", "")
    if not module or module == "__main__" or not name or "<" in name:
        return ""
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    if found is function:
        return f"{module}:{name}"
    return ""


def _resolve(agent: str, reference: str) -> Any:
    module, _, name = reference.partition(":")
    try:
        found: Any = importlib.import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError) as error:
        raise DefinitionError(
            f"the agent {agent!r} needs {reference}, which can't be imported here ({error}): run it where that module is, or set PYTHONPATH"
        ) from error
    return found


def _pickled(functions: dict[str, Any]) -> tuple[bytes, str]:
    if not functions:
        return b"", ""
    import cloudpickle

    try:
        code = cloudpickle.dumps(functions)
        if held_in(code):
            return b"", "a function holds a secret, which is not kept: read it with context.secret(…) instead"
        return code, ""
    except Exception as error:
        return b"", f"{', '.join(name or 'output' for name in functions)}: {type(error).__name__}: {error}"


def _unpickled(definition: Definition) -> dict[str, Any]:
    import cloudpickle

    name = definition.name
    if not definition.code:
        raise DefinitionError(
            f"the agent {name!r} can't be loaded outside the notebook or file that defines it ({definition.spec['not_portable']}): "
            "run its cell again, or move the functions into a module"
        )
    if definition.python != _PYTHON:
        raise DefinitionError(
            f"the functions of the agent {name!r} were defined under Python {definition.python}, this is {_PYTHON}: "
            f"run its cell again here, or use Python {definition.python}"
        )
    try:
        functions: dict[str, Any] = cloudpickle.loads(definition.code)
    except Exception as error:
        raise DefinitionError(
            f"the functions of the agent {name!r} can't be loaded here ({type(error).__name__}: {error}): "
            "install what they import, or run the cell that defines it again"
        ) from error
    return functions
