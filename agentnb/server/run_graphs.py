"""Graphs of runs, as ``labextension/src/graph`` draws them: where everything stands, what came of it, and the sheet of one step."""

from __future__ import annotations

from typing import Any

from agentnb.runtime.graphs.details import details as details_of
from agentnb.runtime.graphs.drawing import of_definition
from agentnb.runtime.graphs.following import Following
from agentnb.server.pages import Name
from agentnb.server.routing import Call, Data, Request
from agentnb.server.runs import workflow_run


class RunGraph(Data):
    """A run's graph.

    Attributes:
        data: What is drawn: ``GraphData`` of ``labextension/src/graph/types.ts``; the same as long as the run is.
        state: What the run has come to: ``GraphState`` of the same file.
    """

    data: dict[str, Any]
    state: dict[str, Any]


class NodeQuery(Request):
    """Which node of the graph.

    Attributes:
        node: The step, or ``step/step of its sub-workflow``.
        part: An item of a fan-out (``each[3]``) or a visit of a state (``REVIEW@2``).
    """

    node: Name
    part: Name = ""


class NodeDetails(Data):
    """What the sheet of one node shows: ``NodeDetails`` of ``labextension/src/graph/types.ts``."""

    details: dict[str, Any]


def graph(call: Call, run_id: str) -> RunGraph:
    """The graph of a workflow's run, with what came of each step."""
    run = workflow_run(call.runtime, run_id)
    store = call.runtime.store
    drawn = of_definition(store, store.definition(store.run(run.id).definition))
    return RunGraph(data=drawn, state=Following(call.runtime, run.id).state())


def details(call: Call, run_id: str, query: NodeQuery) -> NodeDetails:
    """What is known of one step of a workflow's run: input, output, attempts, events, what its agent did."""
    run = workflow_run(call.runtime, run_id)
    following = Following(call.runtime, run.id)
    following.state()
    return NodeDetails(details=details_of(call.runtime, following, query.node, query.part))
