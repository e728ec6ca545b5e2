"""Graphs of workflows as data: what a canvas draws, and what a run has made of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from itertools import pairwise
from typing import Any, Literal

from pydantic import Field

from agentnb.runtime.workflow_results import WorkflowRun
from agentnb.server.routing import Data
from agentnb.workflows.graph import graph_of as needs_of
from agentnb.workflows.graph import handler_of
from agentnb.workflows.spec import WorkflowSpec, duration_text
from agentnb.workflows.trace import ENDED, StepRecord, place_of

_KEEPS_DETAIL = ("status", "reason", "outcome", "started_at", "duration_ms", "attempts", "error", "source", "child", "usage", "question")


class NodeState(Data):
    """What a run has made of a node; of a fan-out ``items`` counts its items by status, ``total`` is how many there are."""

    status: str
    reason: str = ""
    outcome: str = ""
    started_at: str = ""
    duration_ms: float = 0.0
    attempts: int = 0
    error: dict[str, Any] | None = None
    source: str = ""
    child: str = ""
    usage: dict[str, Any] = Field(default_factory=dict)
    question: dict[str, Any] | None = None
    visits: int = 0
    items: dict[str, int] = Field(default_factory=dict)
    total: int = 0


class GraphNode(Data):
    """A step or a state.

    Attributes:
        kind: Of the step; ``state`` for a state that does nothing.
        phase: Which layer it stands in; -1 for a state.
        state: Of a run, where there is one.
    """

    id: str
    kind: str
    title: str
    phase: int = -1
    when: str = ""
    fan_out: bool = False
    handler: bool = False
    initial: bool = False
    final: bool = False
    state: NodeState | None = None


class GraphEdge(Data):
    """From a step to one that waits for it, or from a state to where it leads.

    Attributes:
        kind: ``needs``, ``failure`` (to a handler) or ``transition``.
        taken: How often a run went this way; None where that isn't counted.
    """

    source: str
    target: str
    kind: Literal["needs", "failure", "transition"] = "needs"
    label: str = ""
    taken: int | None = None


class GraphData(Data):
    """A workflow's graph; ``current`` is the state in which a machine is, ``history`` the states that it entered."""

    kind: Literal["dag", "state_machine"]
    nodes: list[GraphNode]
    edges: list[GraphEdge]
    current: str = ""
    history: list[dict[str, Any]] = Field(default_factory=list)


def graph_of(spec: WorkflowSpec) -> GraphData:
    """The graph of a workflow."""
    return _of_states(spec) if spec.kind == "state_machine" else _of_steps(spec)


def graph_of_run(run: WorkflowRun) -> GraphData:
    """The graph of a run, as far as it has come."""
    graph = graph_of(run.spec)
    if run.spec.kind == "state_machine":
        return _visited(graph, run)
    items: dict[str, list[StepRecord]] = {}
    for step in run.steps.values():
        base, bracket, _ = step.id.partition("[")
        if bracket and "." not in base:
            items.setdefault(base, []).append(step)
    for node in graph.nodes:
        node.state = _state(run.steps.get(node.id), items.get(node.id, []))
    return graph


def _state(record: StepRecord | None, items: list[StepRecord]) -> NodeState:
    if record is None:
        return NodeState(status="queued")
    counts = Counter(item.status for item in items)
    total = record.input.get("items") if isinstance(record.input, Mapping) else None
    found = {name: getattr(record, name) for name in _KEEPS_DETAIL}
    found["usage"] = dict(record.usage)
    return NodeState(**found, items=dict(counts), total=(total if isinstance(total, int) else len(items)) if items else 0)


def _visited(graph: GraphData, run: WorkflowRun) -> GraphData:
    entered = [str(visit["state"]) for visit in run.history]
    visits, ways = Counter(entered), Counter(pairwise(entered))
    records = {place_of(step.id): step for step in run.steps.values()}
    graph.current = entered[-1] if entered else ""
    graph.history = [dict(visit) for visit in run.history]
    for node in graph.nodes:
        record = records.get(node.id)
        if record is not None:
            node.state = _state(record, [])
        else:
            here = node.id == graph.current and run.status not in ENDED
            node.state = NodeState(status=run.status if here else "completed" if visits[node.id] else "queued")
        node.state.visits = visits[node.id]
    for edge in graph.edges:
        edge.taken = ways[edge.source, edge.target]
    return graph


def _of_steps(spec: WorkflowSpec) -> GraphData:
    needs = needs_of(spec)
    phase = {name: place for place, layer in enumerate(needs.phases()) for name in layer}
    nodes = [
        GraphNode(
            id=name,
            kind=step.kind,
            title=step.title or name,
            phase=phase[name],
            when=str(step.when or ""),
            fan_out=step.for_each is not None,
            handler=step.handler,
        )
        for name, step in spec.steps.items()
    ]
    failures = {(name, target) for name, step in spec.steps.items() if (target := handler_of(step)) is not None}
    edges = [
        GraphEdge(
            source=source,
            target=target,
            kind="failure" if (source, target) in failures else "needs",
            label=str(spec.steps[target].when or ""),
        )
        for target, sources in needs.needs.items()
        for source in sources
    ]
    return GraphData(kind="dag", nodes=nodes, edges=edges)


def _of_states(spec: WorkflowSpec) -> GraphData:
    nodes = [
        GraphNode(
            id=name,
            kind=state.step.kind if state.step is not None else "state",
            title=state.title or name,
            initial=name == spec.initial,
            final=state.final,
        )
        for name, state in spec.states.items()
    ]
    edges = []
    for name, state in spec.states.items():
        for way in state.transitions:
            after = duration_text(way.after) if way.after else ""
            said = (("on", way.on), ("after", after), ("when", way.when))
            label = " ".join(f"{word} {value}" for word, value in said if value)
            edges.append(GraphEdge(source=name, target=way.to, kind="transition", label=label))
    return GraphData(kind="state_machine", nodes=nodes, edges=edges)
