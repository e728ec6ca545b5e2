"""A workflow as data that any front end can draw: places of boxes and lines, and sub-workflows inside their step."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from agentnb.errors import AgentNBError
from agentnb.ports.store import Definition, Store
from agentnb.runtime.graphs.layout import Line
from agentnb.runtime.graphs.sketch import BOX_HEIGHT, Item, Sketch, whole_sketch
from agentnb.runtime.workflow import Workflow
from agentnb.runtime.workflow_definitions import DEPTH, Finder
from agentnb.secrets import redact
from agentnb.workflows.spec import WorkflowSpec, adapter

Drawing = dict[str, Any]
"""``GraphData`` of ``labextension/src/graph/types.ts``: ``{name, kind, width, height, nodes, edges, left_out}``, lengths in pixels."""


def drawing(spec: WorkflowSpec, inner: Mapping[str, Drawing] | None = None) -> Drawing:
    """All of a workflow, nothing folded; every string without secrets.

    Args:
        spec: The workflow.
        inner: Drawings of its sub-workflows by the ID of their step.
    """
    drawn = whole_sketch(spec)
    layout = drawn.layout
    nodes = []
    for name, item in drawn.items.items():
        box = layout.boxes[name]
        node = _node(item, box.x, box.middle - BOX_HEIGHT / 2)
        if inner and name in inner:
            node["graph"] = inner[name]
        nodes.append(node)
    return {
        "name": redact(spec.name),
        "description": redact(spec.description),
        "kind": spec.kind,
        "width": round(layout.width, 1),
        "height": round(max(layout.height, BOX_HEIGHT), 1),
        "nodes": nodes,
        "edges": [_edge(line, drawn) for line in layout.lines],
        "left_out": drawn.left_out,
    }


def of_workflow(workflow: Workflow, depth: int = 0) -> Drawing:
    """A workflow as it is defined now, with the sub-workflows that can be found.

    Raises:
        WorkflowSpecError: It isn't valid.
    """
    spec, finder = workflow.spec, Finder(workflow.runtime, workflow)
    inner: dict[str, Drawing] = {}
    for place, action in spec.actions().items():
        if action.workflow is not None and depth < DEPTH:
            with suppress(AgentNBError, OSError):
                inner[place] = of_workflow(finder.workflow_of(action.workflow), depth + 1)
    return drawing(spec, inner)


def of_definition(store: Store, definition: Definition) -> Drawing:
    """A workflow as a run pinned it, with its sub-workflows."""
    inner: dict[str, Drawing] = {}
    for place, key in definition.spec.get("workflows", {}).items():
        with suppress(AgentNBError):
            inner[place] = of_definition(store, store.definition(key))
    return drawing(adapter().validate_python(definition.spec["document"]), inner)


def _node(item: Item, x: float, y: float) -> dict[str, Any]:
    node: dict[str, Any] = {
        "id": item.id,
        "title": redact(item.title),
        "kind": item.kind,
        "detail": redact(item.detail),
        "hint": redact(item.hint),
        "x": round(x, 1),
        "y": round(y, 1),
        "width": round(item.width, 1),
        "height": BOX_HEIGHT,
    }
    flags = {"conditional": item.conditional, "fan": item.fan, "initial": item.initial, "final": item.final}
    node.update({name: True for name, value in flags.items() if value})
    return node if item.loop is None else {**node, "loop": redact(item.loop)}


def _edge(line: Line, drawn: Sketch) -> dict[str, Any]:
    edge = line.edge
    shift = (8.0 if edge.backward else -8.0) if drawn.both_ways(edge) else 0.0
    points = [[round(x, 1), round(y + shift, 1)] for x, y in line.points]
    found: dict[str, Any] = {"id": edge_id(edge.source, edge.target), "source": edge.source, "target": edge.target, "points": points}
    if edge.label:
        found["label"] = redact(edge.label)
        found["at_end"] = drawn.arriving[_last(line)] <= drawn.leaving[_first(line)]
    found.update({name: True for name, value in (("dashed", edge.dashed), ("backward", edge.backward)) if value})
    return found


def edge_id(source: str, target: str) -> str:
    """What names the line from one node to another; of a state to itself, its loop."""
    return f"{source}→{target}"


def _first(line: Line) -> str:
    return line.edge.target if line.edge.backward else line.edge.source


def _last(line: Line) -> str:
    return line.edge.source if line.edge.backward else line.edge.target
