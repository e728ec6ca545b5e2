"""What the rules look at, and where they put what they find."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from agentnb.workflows.compilation import CompiledStep, action_path
from agentnb.workflows.documents import Finding, Path
from agentnb.workflows.spec import SubWorkflow, WorkflowSpec


class Resolver(Protocol):
    """What the runtime knows of names. Each raises an AgentNBError, whose text is the finding, where it knows none."""

    def tool(self, name: str) -> Mapping[str, Any] | None:
        """JSON Schema of the tool's parameters, or None where its shape is unknown."""
        ...

    def agent(self, name: str) -> None:
        """Returns where there is such an agent."""
        ...

    def workflow(self, target: SubWorkflow) -> Mapping[str, Any] | None:
        """JSON Schemas of that workflow's inputs by name, or None where they are unknown."""
        ...


@dataclass
class Report:
    """A workflow under examination.

    Attributes:
        data: The plain document.
        spec: The document's model; what didn't fit it is left out.
        steps: What the actions' expressions compile to.
        broken: IDs of steps and states of which something was left out.
        findings: What was found so far.
    """

    data: Mapping[str, Any]
    spec: WorkflowSpec
    steps: Mapping[str, CompiledStep]
    resolver: Resolver | None = None
    broken: frozenset[str] = frozenset()
    findings: list[Finding] = field(default_factory=list)

    def error(self, path: Path, message: str, mend: str = "") -> None:
        self.findings.append(Finding(message, mend, path))

    def warning(self, path: Path, message: str, mend: str = "") -> None:
        self.findings.append(Finding(message, mend, path, severity="warning"))

    def names(self, key: str) -> Collection[str]:
        """The keys of that mapping of the document, also those that don't fit."""
        found = self.data.get(key)
        return found.keys() if isinstance(found, Mapping) else ()

    def path(self, action: str, dotted: str = "") -> Path:
        """Where a field of that action stands in the document."""
        return (*action_path(self.spec, action), *(dotted.split(".") if dotted else ()))


def value_at(data: Any, path: Path) -> Any:
    """The value at that place of a plain document, or None."""
    for part in path:
        if not holds(data, part):
            return None
        data = data[part]
    return data


def existing(data: Any, path: Path) -> Path:
    """As much of the path as there is in a plain document."""
    for length, part in enumerate(path):
        if not holds(data, part):
            return path[:length]
        data = data[part]
    return path


def holds(data: Any, part: str | int) -> bool:
    """Whether the value is a mapping with that key, or a list with that index."""
    if isinstance(data, Mapping):
        return part in data
    return isinstance(data, list | tuple) and isinstance(part, int) and 0 <= part < len(data)
