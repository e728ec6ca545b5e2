"""What the rules look at, and where they put what they find."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from agentnb.workflows.compilation import CompiledStep, action_path
from agentnb.workflows.documents import Finding, Path
from agentnb.workflows.spec import SubWorkflow, WorkflowSpec

_LISTED = 8
_COMPARED = 500


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


def did_you_mean(name: str, known: Collection[str], what: str = "There are") -> str:
    """The mend for a name that isn't known: one that is, or all of them."""
    near = nearest(name, known)
    if near:
        return f"Did you mean {near}?"
    names = [str(other) for other in known]
    if not names:
        return ""
    listed = ", ".join(names[:_LISTED])
    return f"{what} {listed} and {len(names) - _LISTED} more" if len(names) > _LISTED else f"{what} {listed}"


def nearest(name: str, known: Collection[str], cutoff: float = 0.6) -> str:
    """The name that resembles it most, or an empty string."""
    names = [other for other in known if isinstance(other, str) and other != name]
    if len(names) > _COMPARED:
        names = [other for other in names if abs(len(other) - len(name)) <= 2 and (other[:2] == name[:2] or other[-2:] == name[-2:])]
    return next(iter(difflib.get_close_matches(name, names[:_COMPARED], 1, cutoff)), "")


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
