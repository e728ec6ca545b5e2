"""What a workflow will do, before it runs: phases, the critical path, and the resources that its steps ask for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from agentnb.workflows.graph import Graph, graph_of
from agentnb.workflows.spec import Transition, WorkflowSpec, duration_text

_SHOWN = 20


@dataclass(frozen=True)
class Plan:
    """How a workflow would run.

    Attributes:
        phases: Steps that may run at the same time, phase after phase; empty for a state machine.
        critical_path: The steps that decide how long it takes, by the durations given, else by their number; without handlers.
        width: How many steps the largest phase has.
        max_parallel: How many steps may run at a time, or None for no limit.
        pools: How much each pool has.
        demand: What steps take from pools, by step and pool.
        steps: How many steps there are; for a state machine, actions.
        handlers: Steps that run only where another one fails.
        transitions: For a state machine, where each state leads: ``REVIEW on approved``.
    """

    name: str
    kind: str
    phases: tuple[tuple[str, ...], ...]
    critical_path: tuple[str, ...]
    width: int
    max_parallel: int | None
    pools: Mapping[str, int]
    demand: Mapping[str, Mapping[str, int]]
    steps: int
    handlers: tuple[str, ...] = ()
    transitions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """The plan as JSON-like data."""
        return {name: _plain(value) for name, value in asdict(self).items()}

    def to_text(self) -> str:
        """The plan for a terminal: a phase or a state a line, the critical path, the resources."""
        lines = [self._headline()]
        margin = len(str(len(self.phases)))
        lines += [f"  {number:>{margin}}  {self._steps(phase)}" for number, phase in enumerate(self.phases, 1)]
        margin = max(map(len, self.transitions), default=0)
        lines += [f"  {state:<{margin}}  → {', '.join(targets) or 'ends'}" for state, targets in self.transitions.items()]
        if self.critical_path:
            lines.append(f"critical path: {_shortened(self.critical_path, ' → ')}")
        if self.max_parallel is not None:
            lines.append(f"at most {_count(self.max_parallel, 'step')} at a time")
        lines += [f"pool {pool}: {size} in all{self._takers(pool)}" for pool, size in self.pools.items()]
        return "\n".join(lines)

    def __repr__(self) -> str:
        return self.to_text()

    def _headline(self) -> str:
        if self.kind == "state_machine":
            return f"{self.name}: {_count(len(self.transitions), 'state')}, {_count(self.steps, 'step')}"
        return f"{self.name}: {_count(self.steps, 'step')} in {_count(len(self.phases), 'phase')}, {self.width} side by side at most"

    def _steps(self, phase: tuple[str, ...]) -> str:
        return _shortened([f"{step} (only on failure)" if step in self.handlers else step for step in phase], ", ")

    def _takers(self, pool: str) -> str:
        takers = [f"{step} takes {wanted[pool]}" for step, wanted in self.demand.items() if pool in wanted]
        return f"; {_shortened(takers, ', ')}" if takers else ""


def plan(spec: WorkflowSpec, durations: Mapping[str, float] | None = None, *, graph: Graph | None = None) -> Plan:
    """How the workflow would run.

    Args:
        spec: The workflow.
        durations: Seconds that steps take, as of earlier runs; a step without one counts as 1.
        graph: What ``graph_of`` gave for it, where the caller has that already.

    Raises:
        CycleError: Steps wait for one another.
        WorkflowSpecError: An expression isn't valid.
    """
    resources = spec.resources
    if spec.kind == "state_machine":
        transitions = {name: tuple(map(_transition, state.transitions)) for name, state in spec.states.items()}
        count = len(spec.actions())
        return Plan(spec.name, spec.kind, (), (), 0, resources.max_parallel, resources.pools, {}, count, transitions=transitions)
    graph = graph or graph_of(spec)
    phases = tuple(tuple(phase) for phase in graph.phases())
    handlers = tuple(name for name, step in spec.steps.items() if step.handler)
    regular = Graph.of({name: needs for name, needs in graph.needs.items() if name not in handlers}) if handlers else graph
    return Plan(
        name=spec.name,
        kind=spec.kind,
        phases=phases,
        critical_path=tuple(regular.critical_path(durations or {})),
        width=max(map(len, phases), default=0),
        max_parallel=resources.max_parallel,
        pools=resources.pools,
        demand={name: step.resources for name, step in spec.steps.items() if step.resources},
        steps=len(spec.steps),
        handlers=handlers,
    )


def _transition(transition: Transition) -> str:
    after = duration_text(transition.after) if transition.after else None
    said = (("on", transition.on), ("after", after), ("when", transition.when))
    return " ".join([transition.to, *(f"{word} {value}" for word, value in said if value)])


def _shortened(names: Iterable[str], by: str) -> str:
    names = list(names)
    if len(names) <= _SHOWN:
        return by.join(names)
    return by.join([*names[: _SHOWN - 1], f"… {len(names) - _SHOWN} more …", names[-1]])


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(part) for part in value]
    if isinstance(value, Mapping):
        return {name: _plain(part) for name, part in value.items()}
    return value
