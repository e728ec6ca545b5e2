"""A graph as users hold it: shows itself in a notebook."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from agentnb import plugins
from agentnb.runtime.graphs.drawing import Drawing, of_definition, of_workflow
from agentnb.runtime.graphs.following import Changes, Following
from agentnb.runtime.runtime import Runtime

if TYPE_CHECKING:
    from agentnb.runtime.workflow import Workflow


@dataclass(frozen=True, repr=False)
class Graph:
    """The graph of a workflow, or of one of its runs: live while that goes on, in this process or in another one.

    Attributes:
        workflow: The workflow, where it is none of a run.
        run_id: The run, or empty.
    """

    runtime: Runtime
    workflow: Workflow | None = None
    run_id: str = ""

    def data(self) -> Drawing:
        """Where everything stands: ``GraphData`` of ``labextension/src/graph/types.ts``."""
        if self.workflow is not None:
            return of_workflow(self.workflow)
        store = self.runtime.store
        return of_definition(store, store.definition(store.run(self.run_id).definition))

    def state(self) -> Changes | None:
        """What the run has come to: ``GraphState`` of the same file; None without a run."""
        return Following(self.runtime, self.run_id).state() if self.run_id else None

    def _ipython_display_(self) -> None:
        plugins.load("agentnb.views", "graph")(self)

    def __repr__(self) -> str:
        return f"<graph of {self.run_id or (self.workflow.name if self.workflow else '')}>"
