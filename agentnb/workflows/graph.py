"""Which step waits for which: the graph of a workflow."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agentnb.workflows.compilation import CompiledStep, compiled, transition_conditions
from agentnb.workflows.spec import Compensate, Goto, Step, WorkflowError, WorkflowSpec, once_a_spec

if TYPE_CHECKING:
    import networkx

__all__ = ["CompiledStep", "CycleError", "Graph", "compiled", "graph_of", "handler_of", "transition_conditions"]


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
        known = {node: _in_order(others, order) for node, others in needs.items()}
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


def _in_order(nodes: Iterable[str], order: Mapping[str, int]) -> tuple[str, ...]:
    known = {node for node in nodes if node in order}
    return tuple(sorted(known, key=order.__getitem__)) if len(known) > 1 else tuple(known)


def _reached(edges: Mapping[str, tuple[str, ...]], ids: Iterable[str]) -> set[str]:
    found = set(ids)
    rest = list(found)
    while rest:
        new = [other for other in edges.get(rest.pop(), ()) if other not in found]
        found.update(new)
        rest += new
    return found


@once_a_spec
def graph_of(spec: WorkflowSpec) -> Graph:
    """What the steps of a DAG wait for: their needs, what their expressions read, and for a handler the steps that name it.

    Raises:
        WorkflowSpecError: An expression isn't valid.
    """
    steps = compiled(spec)
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
