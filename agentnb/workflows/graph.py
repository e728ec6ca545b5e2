"""Which step waits for which: the graph of a workflow, and what the expressions of its steps compile to."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache, partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from agentnb.workflows.documents import Finding, Path, WorkflowSpecError
from agentnb.workflows.expressions import Condition, ExpressionError, Reference, Template
from agentnb.workflows.spec import Action, Cache, Compensate, Goto, Step, WorkflowError, WorkflowSpec

if TYPE_CHECKING:
    import networkx


class CycleError(WorkflowError):
    """Steps wait for one another in a circle.

    Attributes:
        path: The circle, each step before the one that waits for it; the first one stands at the end again.
    """

    def __init__(self, path: list[str]) -> None:
        super().__init__(f"steps wait for one another: {' → '.join(path)}: take one of these needs or references away")
        self.path = path


@dataclass(frozen=True, slots=True)
class Graph:
    """What waits for what, both ways, in document order and without duplicates."""

    needs: Mapping[str, tuple[str, ...]]
    dependants: Mapping[str, tuple[str, ...]]

    @classmethod
    def of(cls, needs: Mapping[str, Iterable[str]]) -> Graph:
        """The graph of what each node needs; an ID that is no node is left out."""
        order = {node: place for place, node in enumerate(needs)}
        known = {
            node: tuple(sorted({other for other in others if other in order}, key=order.__getitem__)) for node, others in needs.items()
        }
        dependants: dict[str, list[str]] = {node: [] for node in known}
        for node, others in known.items():
            for other in others:
                dependants[other].append(node)
        return cls(known, {node: tuple(others) for node, others in dependants.items()})

    def phases(self) -> list[list[str]]:
        """Layers of nodes: each node stands one layer after the last one that it needs; document order within a layer.

        Raises:
            CycleError: Nodes wait for one another.
        """
        depth = self._depths()
        if len(depth) < len(self.needs):
            raise CycleError(self.cycle() or [])
        layers: list[list[str]] = [[] for _ in range(max(depth.values(), default=-1) + 1)]
        for node in self.needs:
            layers[depth[node]].append(node)
        return layers

    def cycle(self) -> list[str] | None:
        """One circle as ``[a, b, a]``, where b waits for a: the shortest through its first node; None where there is none."""
        done = self._depths()
        node = next((node for node in self.needs if node not in done), None)
        seen: set[str] = set()
        while node is not None and node not in seen:
            seen.add(node)
            node = next(other for other in self.needs[node] if other not in done)
        return None if node is None else self._shortest(node)

    def downstream(self, ids: Iterable[str]) -> set[str]:
        """These nodes, and all that wait for them, directly or not."""
        return _reached(self.dependants, ids)

    def upstream(self, ids: Iterable[str]) -> set[str]:
        """These nodes, and all that they wait for, directly or not."""
        return _reached(self.needs, ids)

    def critical_path(self, weights: Mapping[str, float]) -> list[str]:
        """The heaviest path by the weights of its nodes; a node without a weight has 1.

        Raises:
            CycleError: Nodes wait for one another.
        """
        total: dict[str, float] = {}
        before: dict[str, str | None] = {}
        for node in (node for layer in self.phases() for node in layer):
            last = max(self.needs[node], key=total.__getitem__, default=None)
            before[node] = last
            total[node] = weights.get(node, 1) + (total[last] if last is not None else 0)
        node_or_none = max(total, key=total.__getitem__, default=None)
        path = []
        while node_or_none is not None:
            path.append(node_or_none)
            node_or_none = before[node_or_none]
        return path[::-1]

    def to_networkx(self) -> networkx.DiGraph[str]:
        """The same as a networkx graph: an edge leads from a node to one that waits for it."""
        import networkx

        graph: networkx.DiGraph[str] = networkx.DiGraph()
        graph.add_nodes_from(self.needs)
        graph.add_edges_from((node, other) for node, others in self.dependants.items() for other in others)
        return graph

    def _depths(self) -> dict[str, int]:
        """How many layers stand before each node that is in no circle and behind none (Kahn's algorithm)."""
        waiting = {node: len(others) for node, others in self.needs.items()}
        depth = {node: 0 for node, count in waiting.items() if not count}
        ready = deque(depth)
        while ready:
            node = ready.popleft()
            for other in self.dependants[node]:
                waiting[other] -= 1
                if not waiting[other]:
                    depth[other] = depth[node] + 1
                    ready.append(other)
        return depth

    def _shortest(self, start: str) -> list[str]:
        """The shortest circle through a node that is in one, by breadth."""
        before: dict[str, str] = {}
        ready = deque([start])
        while start not in before:
            node = ready.popleft()
            for other in self.dependants[node]:
                if other not in before:
                    before[other] = node
                    ready.append(other)
        path = [start, before[start]]
        while path[-1] != start:
            path.append(before[path[-1]])
        return path[::-1]


def _reached(edges: Mapping[str, tuple[str, ...]], ids: Iterable[str]) -> set[str]:
    found = set(ids)
    rest = list(found)
    while rest:
        new = [other for other in edges.get(rest.pop(), ()) if other not in found]
        found.update(new)
        rest += new
    return found


@dataclass(frozen=True, slots=True)
class CompiledStep:
    """What the templates and conditions of an action compile to.

    Attributes:
        parts: The templates of the action's own kind by dotted field: ``human.prompt``, ``human.assignee``, ``webhook.url``,
            ``webhook.headers``, ``webhook.body``, ``shell.env``, ``shell.cwd``, ``shell.command`` (a list only); those that are given.
        references: What all of them read.
    """

    input: Template
    when: Condition | None = None
    for_each: Template | None = None
    cache_key: Template | None = None
    parts: Mapping[str, Template] = field(default_factory=dict)
    references: frozenset[Reference] = frozenset()


_NOTHING = Template(None)
_NO_PARTS: Mapping[str, Template] = MappingProxyType({})
_PLAIN = CompiledStep(_NOTHING, parts=_NO_PARTS)


def compiled(spec: WorkflowSpec) -> Mapping[str, CompiledStep]:
    """Every action of the document, by the ID that ``spec.actions()`` gives it.

    Raises:
        WorkflowSpecError: An expression isn't valid.
    """
    steps, findings = compile_all(spec)
    if findings:
        raise WorkflowSpecError(findings)
    return steps


def compile_all(spec: WorkflowSpec) -> tuple[Mapping[str, CompiledStep], list[Finding]]:
    """The same, with what isn't valid left out, and a finding for each such field."""
    findings: list[Finding] = []
    steps = {name: _compile(action, partial(action_path, spec, name), findings) for name, action in spec.actions().items()}
    return steps, findings


def _compile(action: Action, path: Callable[[], Path], findings: list[Finding]) -> CompiledStep:
    made: dict[str, Template | Condition] = {}
    for place, value in _sources(action):
        try:
            made[place] = _condition(value) if place == "when" else _template(value)
        except ExpressionError as error:
            findings.append(Finding(str(error), path=(*path(), *place.split("."))))
    if not made:
        return _PLAIN
    references = frozenset(reference for part in made.values() for reference in part.references)
    given: dict[str, Any] = {name: made.pop(place, None) for name, place in _FIELDS.items()}
    parts = {place: part for place, part in made.items() if isinstance(part, Template)}
    return CompiledStep(**{**given, "input": given["input"] or _NOTHING}, parts=parts or _NO_PARTS, references=references)


def transition_conditions(spec: WorkflowSpec) -> Mapping[str, tuple[Condition | None, ...]]:
    """The ``when`` of each state's transitions, in their order.

    Raises:
        WorkflowSpecError: A condition isn't valid.
    """
    conditions, findings = compile_transitions(spec)
    if findings:
        raise WorkflowSpecError(findings)
    return conditions


def compile_transitions(spec: WorkflowSpec) -> tuple[Mapping[str, tuple[Condition | None, ...]], list[Finding]]:
    """The same, with what isn't valid left out, and a finding for each such condition."""
    findings: list[Finding] = []

    def condition(path: Path, text: str | None) -> Condition | None:
        try:
            return None if text is None else _condition(text)
        except ExpressionError as error:
            findings.append(Finding(str(error), path=path))
            return None

    conditions = {
        name: tuple(
            condition(("states", name, "transitions", place, "when"), transition.when) for place, transition in enumerate(state.transitions)
        )
        for name, state in spec.states.items()
    }
    return conditions, findings


def graph_of(spec: WorkflowSpec, steps: Mapping[str, CompiledStep] | None = None) -> Graph:
    """What the steps of a DAG wait for: their needs, what their expressions read, and for a handler the steps that name it.

    Args:
        spec: The document.
        steps: What ``compiled`` gave for it, where the caller has that already.

    Raises:
        WorkflowSpecError: An expression isn't valid.
    """
    steps = compiled(spec) if steps is None else steps
    needs: dict[str, list[str]] = {name: [*step.needs] for name, step in spec.steps.items()}
    for name, step in spec.steps.items():
        needs[name] += [reference.name for reference in steps[name].references if reference.root == "steps"]
        target = handler_of(step)
        if target in needs:
            needs[target].append(name)
    return Graph.of(needs)


def handler_of(step: Step) -> str | None:
    """The handler that the step's on_error names."""
    match step.on_error:
        case Compensate(compensate=target) | Goto(goto=target):
            return target
        case _:
            return None


def action_path(spec: WorkflowSpec, name: str) -> Path:
    """Where the action of that ID stands in the document."""
    if spec.kind == "dag":
        return ("steps", name)
    state, _, rest = name.partition(".")
    if not rest:
        return ("states", state, "step")
    where, _, place = rest.partition(".")
    return ("states", state, where, int(place))


_FIELDS = {"input": "input", "when": "when", "for_each": "for_each", "cache_key": "cache.key"}
_PARTS = {"human": ("prompt", "assignee"), "webhook": ("url", "headers", "body"), "shell": ("env", "cwd", "command")}


def _sources(action: Action) -> Iterator[tuple[str, Any]]:
    """What is to be compiled, by dotted field."""
    if action.input is not None:
        yield "input", action.input
    if isinstance(action, Step):
        if action.when is not None:
            yield "when", action.when
        if action.for_each is not None:
            yield "for_each", action.for_each
    if isinstance(action.cache, Cache) and action.cache.key is not None:
        yield "cache.key", action.cache.key
    for kind, fields in _PARTS.items():
        part = getattr(action, kind)
        if part is not None:
            for name in fields:
                value = getattr(part, name)
                if value is not None and not (name == "command" and isinstance(value, str)):
                    yield f"{kind}.{name}", value


def _template(value: Any) -> Template:
    return _text(value) if isinstance(value, str) else Template([*value] if isinstance(value, tuple) else value)


@lru_cache(1024)
def _text(value: str) -> Template:
    return Template(value)


@lru_cache(1024)
def _condition(value: str) -> Condition:
    return Condition(value)
