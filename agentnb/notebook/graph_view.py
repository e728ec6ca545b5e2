"""A workflow's graph in a cell: the widget with a static picture beside it, kept up with the run, and what its buttons do."""

from __future__ import annotations

import asyncio
import contextvars
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from agentnb.errors import AgentNBError, ConfigurationError
from agentnb.notebook import html, workflow_html
from agentnb.notebook.background import keep
from agentnb.notebook.cells import user_of
from agentnb.notebook.graph_svg import Picture
from agentnb.notebook.graph_widget import BUNDLE, GraphWidget, Handler
from agentnb.notebook.questions import form_errors
from agentnb.notebook.view import Output, failure
from agentnb.notebook.workflow_cells import watched
from agentnb.notebook.workflow_view import Pace
from agentnb.ports.store import FINAL, Event
from agentnb.runtime import workflow_runs, workflow_signals
from agentnb.runtime.graphs.details import details
from agentnb.runtime.graphs.drawing import Drawing, of_definition, of_workflow
from agentnb.runtime.graphs.following import Changes, Following
from agentnb.runtime.graphs.graph import Graph
from agentnb.runtime.runtime import Runtime
from agentnb.runtime.workflow_results import WorkflowRun
from agentnb.runtime.workflow_runs import WorkflowOptions
from agentnb.secrets import redact
from agentnb.workflows.spec import WorkflowSpec
from agentnb.workflows.trace import StepRecord

_POLL_SECONDS = 0.2
_NOTHING: Changes = {"run": None, "steps": {}, "taken": {}, "current": []}


class GraphView:
    """Shows one run of a workflow, and answers for it where somebody presses a button; also a presenter of what its steps ask.

    Args:
        runtime: Where runs are kept.
        graph: The workflow's drawing.
        spec: The workflow.

    Attributes:
        run_id: The run, once something has happened in it.
    """

    def __init__(self, runtime: Runtime, graph: Drawing, spec: WorkflowSpec) -> None:
        self.run_id = ""
        self._runtime = runtime
        self._graph = graph
        self._spec = spec
        self._picture = Picture(spec)
        self._here = contextvars.copy_context()  # what goes on is shown in this cell: a click has no output area of its own
        self._output, self._results = Output(), Output()
        self._pace = Pace(self.refresh)
        self._following: Following | None = None
        self._widget: GraphWidget | None = None
        self._begun = asyncio.Event()

    def show_plan(self, facts: str, text: str) -> None:
        """Show a workflow that isn't run, with a line of facts."""
        self._widget = GraphWidget(self._graph, _NOTHING, {})
        self._publish(workflow_html.plan(self._spec, facts), text)

    def show_run(self, run: WorkflowRun, *, results: bool = True) -> None:
        """Show a run of this process, of another one, or of the past; one that goes on is followed."""
        self.begin(self._spec, run)
        self._pace.stop()
        if results or run.status in FINAL:
            self._settle(run, results=results)
        if run.status not in FINAL:
            keep(self._follow(run.id))

    def begin(self, spec: WorkflowSpec, run: WorkflowRun | None = None) -> None:
        self._pace = Pace(self.refresh)
        if run is not None:
            self._attach(run.id)
        if self._widget is None:
            handlers: dict[str, Handler] = {
                "details": self._details,
                "answer": self._answer,
                "cancel": self._cancel,
                "resume": self._resume,
                "retry": self._retry,
            }
            self._widget = GraphWidget(self._graph, self._following.state() if self._following else _NOTHING, handlers)
            svg = self._picture.svg(run.steps, history=run.history) if run else self._picture.svg()
            body = workflow_html.summary(run.status if run else "running", spec.name) + workflow_html.pictured(svg)
            self._publish(f'<div class="agentnb-workflow">{body}</div>', spec.name)
        self.refresh()

    def update(self, event: Event) -> None:
        if not self.run_id:
            self._attach(event.run_id)
        self._begun.set()
        self._pace.soon()

    def present_question(self, run_id: str, step: StepRecord) -> None:
        """What a step asks is shown and answered in the graph."""
        self._pace.soon()

    def complete(self, run: WorkflowRun) -> None:
        self._pace.stop()
        self.refresh()
        self._settle(run, results=True)

    def fail(self, error: BaseException, run: WorkflowRun | None) -> None:
        if run is not None:
            self.complete(run)
            return
        self._pace.stop()
        if isinstance(error, asyncio.CancelledError):
            self._publish(workflow_html.summary("cancelled", self._spec.name) + workflow_html.pictured(self._picture.svg()), "cancelled")
        elif isinstance(error, ConfigurationError):
            self._tell(html.card("error", type(error).__name__, str(error)), str(error))
        else:
            self._tell(failure(error), f"{type(error).__name__}: {error}")

    def go_on(self) -> None:
        """Resume the run here; how it fails stands in the graph."""
        keep(self._gone_on())

    async def _gone_on(self) -> None:
        with suppress(AgentNBError):
            await self._resume()

    def refresh(self) -> None:
        """Show what is new in the journal."""
        if self._following is None or self._widget is None:
            return
        with suppress(AgentNBError):  # a run that somebody has deleted stays as it was shown last
            changes = self._following.changes()
            if changes:
                self._widget.change(changes, self._following.shown)

    def _attach(self, run_id: str) -> None:
        """Follow a run; the widget shows its graph, should that be another one."""
        self._following = Following(self._runtime, run_id)
        known, self.run_id = self.run_id, self._following.run_id
        if self._widget is not None and known != self.run_id:
            state = self._following.state()
            store = self._runtime.store
            graph = of_definition(store, store.definition(store.run(self.run_id).definition))
            if graph != self._graph:
                self._graph = graph
                self._widget.replace(graph, state)
            else:
                self._widget.change(state, state)

    async def _follow(self, run_id: str) -> None:
        """Keep up with a run that is executed elsewhere, or waits; ends with it, or once it is executed here."""
        version = -1
        with suppress(AgentNBError):
            while not self._begun.is_set() and self._following is not None and not self._following.finished:
                latest = self._runtime.store.version()
                if latest != version or self._runtime.watch.get(run_id) is not None:
                    version = latest
                    self.refresh()
                await asyncio.sleep(_POLL_SECONDS)
            if not self._begun.is_set():
                self.refresh()
                self._settle(workflow_runs.get(self._runtime, run_id), results=True)

    def _settle(self, run: WorkflowRun, *, results: bool) -> None:
        """The picture as it stays in the notebook and, below, what came out."""
        self._publish(workflow_html.graph_of_run(run, self._picture), workflow_html.run_text(run))
        if results and run.status != "waiting":
            self._tell(workflow_html.results_of_run(run), "")

    def _publish(self, body: str, text: str) -> None:
        data: dict[str, Any] = {}
        if self._widget is not None:
            bundle = self._widget._repr_mimebundle_()
            data = dict(bundle[0] if isinstance(bundle, tuple) else bundle or {})
        self._here.copy().run(self._output, {**data, "text/html": redact(body), "text/plain": redact(text)})

    def _tell(self, body: str, text: str) -> None:
        if body:
            self._here.copy().run(self._results, {"text/html": redact(body), "text/plain": redact(text)})

    async def _details(self, path: str, part: str = "") -> dict[str, Any]:
        self.refresh()
        if self._following is None:
            return {"path": path, "part": part, "status": "queued", "parts": []}
        return details(self._runtime, self._following, path, part)

    async def _answer(self, answer: dict[str, Any]) -> dict[str, Any]:
        run_id, step, verdict = str(answer["run"]), str(answer["step"]), str(answer["verdict"])
        asked = next(
            (record for owner, record in workflow_signals.pending(self._runtime, run_id) if (owner, record.id) == (run_id, step)), None
        )
        form = (asked.question or {}).get("form") if asked is not None and verdict == "approve" else None
        errors = form_errors(form, answer.get("data")) if form else {}
        if errors:
            whole = f": {errors['']}" if "" in errors else ": see the marked fields"
            return {"accepted": False, "message": f"Not sent{whole}", "errors": errors}
        try:
            ownerless = workflow_signals.answer(
                self._runtime, run_id, step, verdict, data=answer.get("data") if form else None, note=str(answer.get("note", ""))
            )
        except AgentNBError as error:
            return {"accepted": False, "message": redact(str(error))}
        self._pace.soon()
        if ownerless:
            await self._resume()
        return {"accepted": True, "message": "The run goes on here" if ownerless else ""}

    async def _cancel(self) -> None:
        self._runtime.cancel(self.run_id)
        self.refresh()

    async def _resume(self) -> None:
        root = workflow_runs.get(self._runtime, self.run_id)
        while root.parent:
            root = workflow_runs.get(self._runtime, root.parent)
        await self._start(lambda options: workflow_runs.resume(self._runtime, root.id, options), root)

    async def _retry(self, steps: list[str]) -> None:
        before = self.run_id
        self.run_id = ""
        try:
            await self._start(lambda options: workflow_runs.rerun(self._runtime, before, options, start=steps), None)
        finally:
            self.run_id = self.run_id or before

    async def _start(self, work: Callable[[WorkflowOptions], Awaitable[WorkflowRun]], before: WorkflowRun | None) -> None:
        """Execute a run here; comes back once it has begun.

        Raises:
            AgentNBError: It couldn't begin.
        """
        self._begun.clear()
        options = WorkflowOptions(presenter=self, listener=self.update)
        found: list[BaseException] = []

        async def run() -> None:
            try:
                await watched(self._runtime, self._spec, self, self, lambda: work(options), before)
            except (Exception, KeyboardInterrupt) as error:
                found.append(error)

        task = asyncio.get_running_loop().create_task(run(), context=self._here)
        keep(_ended(task))
        begun = asyncio.ensure_future(self._begun.wait())
        await asyncio.wait({task, begun}, return_when=asyncio.FIRST_COMPLETED)
        begun.cancel()
        if found and not self._begun.is_set():
            raise AgentNBError(str(found[0]))


async def _ended(task: asyncio.Task[None]) -> None:
    with suppress(asyncio.CancelledError):
        await task


def is_live() -> bool:
    """Whether somebody is in front of this cell who can use a widget, and the widget was built."""
    return user_of() and BUNDLE.is_file()


def view_of_run(runtime: Runtime, run: WorkflowRun) -> GraphView:
    """A view of a run that has begun."""
    store = runtime.store
    return GraphView(runtime, of_definition(store, store.definition(store.run(run.id).definition)), run.spec)


def show(graph: Graph) -> None:
    """Display a graph: as a widget where somebody is there, as a picture where nobody is, as text in a terminal."""
    if graph.run_id:
        run = workflow_runs.get(graph.runtime, graph.run_id)
        if is_live():
            view_of_run(graph.runtime, run).show_run(run, results=False)
            return
        svg = Picture(run.spec).svg(run.steps, history=run.history, now=time.time())
        body = workflow_html.summary(run.status, workflow_html.run_line(run)) + workflow_html.pictured(svg)
        _show({"text/html": body, "text/plain": workflow_html.run_text(run)})
    elif graph.workflow is not None:
        facts, text = workflow_html.facts(graph.workflow), graph.workflow.plan().to_text()
        if is_live():
            GraphView(graph.runtime, of_workflow(graph.workflow), graph.workflow.spec).show_plan(facts, text)
            return
        _show({"text/html": workflow_html.plan(graph.workflow.spec, facts), "text/plain": text})


def _show(bundle: dict[str, str]) -> None:
    from IPython.core.getipython import get_ipython

    if getattr(get_ipython(), "kernel", None) is not None:
        Output()({name: redact(value) for name, value in bundle.items()})
    else:
        print(redact(bundle["text/plain"]))  # noqa: T201
