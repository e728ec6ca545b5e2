"""How two runs differ: step by step, in their definitions, their inputs and outputs, in time, tokens and cost."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from agentnb.secrets import to_json

if TYPE_CHECKING:
    from agentnb.runtime.runtime import Runtime

StepStatus = Literal["same", "changed", "only in a", "only in b"]


@dataclass(frozen=True)
class StepSide:
    """A step as it was in one of the runs.

    Attributes:
        kind: Of a workflow's step its kind; of an agent's ``model``, ``tool`` or ``approval``.
        name: Of an agent's step the model or the tool.
        input: What it was given; for a model call, the messages that were added since the last one.
        error: ``{"type", "message"}``, or None.
        cost: In US dollars; None where it is unknown.
        child: The run that it started, to be compared in its turn.
        source: Where the output was taken from that nothing was run for: an earlier run, or ``cache``.
    """

    kind: str
    name: str
    status: str
    reason: str
    input: Any
    output: Any
    error: Mapping[str, Any] | None
    attempts: int
    duration_ms: float
    tokens: int
    cost: float | None
    child: str
    source: str
    input_hash: str
    fingerprint: str


@dataclass(frozen=True)
class StepDiff:
    """One step in both runs.

    Attributes:
        changed: What differs, of ``status``, ``input``, ``output``, ``error``, ``attempts`` and ``definition``.
    """

    id: str
    status: StepStatus
    changed: tuple[str, ...]
    a: StepSide | None
    b: StepSide | None

    @property
    def duration_ms(self) -> float | None:
        """How much longer it took in b."""
        return self.b.duration_ms - self.a.duration_ms if self.a and self.b else None

    @property
    def tokens(self) -> int | None:
        """How many more tokens it took in b."""
        return self.b.tokens - self.a.tokens if self.a and self.b else None

    @property
    def cost(self) -> float | None:
        """How much more it cost in b; None where that is unknown."""
        return _less(self.b.cost, self.a.cost) if self.a and self.b else None

    @property
    def children(self) -> tuple[str, str]:
        """The runs that it started, or empty."""
        return (self.a.child if self.a else "", self.b.child if self.b else "")

    def to_dict(self) -> dict[str, Any]:
        """As JSON-like data; inputs and outputs only where they differ."""
        data: dict[str, Any] = {
            "id": self.id,
            "status": self.status,
            "changed": list(self.changed),
            "duration_ms": self.duration_ms,
            "tokens": self.tokens,
            "cost": self.cost,
            "children": list(self.children),
        }
        unchanged = {name for name in ("input", "output", "error") if self.status == "same" or (self.changed and name not in self.changed)}
        for side in ("a", "b"):
            found = getattr(self, side)
            data[side] = {name: value for name, value in asdict(found).items() if name not in unchanged} if found else None
        return data


@dataclass(frozen=True)
class DefinitionDiff:
    """How the definitions of two runs differ.

    Attributes:
        same: Whether both ran the very same definition.
        fields: What differs of the document, or of the agent, apart from steps and states: the value in a and in b by field.
        edited: Steps and states whose own text differs: the text in a and in b.
        behind: Steps whose text is the same, and whose function, agent or sub-workflow differs.
        only_a: Steps and states that only a's definition has; ``only_b`` likewise.
    """

    same: bool
    fields: Mapping[str, tuple[Any, Any]]
    edited: Mapping[str, tuple[Any, Any]]
    behind: tuple[str, ...]
    only_a: tuple[str, ...]
    only_b: tuple[str, ...]


@dataclass(frozen=True)
class RunSide:
    """One of the runs as a whole."""

    id: str
    name: str
    status: str
    reason: str
    error: Mapping[str, Any] | None
    started_at: str
    duration_ms: float
    tokens: int
    cost: float | None
    definition: str
    input: Any
    output: Any


@dataclass(frozen=True, repr=False)
class RunDiff:
    """How run b differs from run a.

    Attributes:
        kind: Of both: ``agent`` or ``workflow``.
        steps: In the order in which they began in a; those that only b has stand where they began there.
        diverged: The first step in that order that differs in what it was given or in what it came to; empty where none does.
    """

    kind: str
    a: RunSide
    b: RunSide
    definition: DefinitionDiff
    steps: tuple[StepDiff, ...]
    diverged: str

    @property
    def same(self) -> bool:
        """Whether both were given the same and came to the same, step by step; times, tokens and attempts don't count."""
        return not self.diverged and all(getattr(self.a, name) == getattr(self.b, name) for name in ("status", "input", "output", "error"))

    @property
    def counts(self) -> dict[str, int]:
        """How many steps are the same, changed, only in a, only in b."""
        return dict(Counter(step.status for step in self.steps))

    @property
    def duration_ms(self) -> float:
        """How much longer b took."""
        return self.b.duration_ms - self.a.duration_ms

    @property
    def tokens(self) -> int:
        """How many more tokens b took."""
        return self.b.tokens - self.a.tokens

    @property
    def cost(self) -> float | None:
        """How much more b cost; None where that is unknown."""
        return _less(self.b.cost, self.a.cost)

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON data, without secrets."""
        data = {
            "kind": self.kind,
            "same": self.same,
            "a": asdict(self.a),
            "b": asdict(self.b),
            "duration_ms": self.duration_ms,
            "tokens": self.tokens,
            "cost": self.cost,
            "definition": asdict(self.definition),
            "counts": self.counts,
            "diverged": self.diverged,
            "steps": [step.to_dict() for step in self.steps],
        }
        plain: dict[str, Any] = json.loads(to_json(data))
        return plain

    def to_text(self) -> str:
        """For a terminal: lines that begin with ``-`` are of a, with ``+`` of b, with ``@@`` headings."""
        from agentnb.runtime import diff_views

        return diff_views.as_text(self)

    def _repr_html_(self) -> str:
        from agentnb.runtime import diff_views

        return diff_views.as_html(self)

    def __repr__(self) -> str:
        where = f"from {self.diverged} on" if self.diverged else "in no step"
        return f"<runs {self.a.id} and {self.b.id} of {self.b.name} differ {where}>"


def diff(runtime: Runtime, a: str, b: str) -> RunDiff:
    """How run b differs from run a; both are runs of agents, or both of workflows.

    Raises:
        ConfigurationError: They are of two kinds, or of one that has no steps.
        RunNotFound: There is no such run.
    """
    from agentnb.runtime.diff_reading import compared

    return compared(runtime, a, b)


def _less(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one - other
