"""What ``%agentnb`` does with runs of workflows."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from agentnb.errors import ConfigurationError
from agentnb.notebook import workflow_html
from agentnb.notebook.arguments import CellParser, parsed, words
from agentnb.notebook.cells import has_user
from agentnb.notebook.formats import plural
from agentnb.notebook.graph_svg import workflow_svg
from agentnb.notebook.questions import Questions, answer_step
from agentnb.notebook.view import Output
from agentnb.notebook.workflow_cells import watched
from agentnb.notebook.workflow_source import known_workflow
from agentnb.notebook.workflow_view import NotebookWorkflowView, TerminalWorkflowView, WorkflowView
from agentnb.ports.store import FINAL, Run
from agentnb.runtime import workflow_runs, workflow_signals
from agentnb.runtime.bridge import run_sync
from agentnb.runtime.runtime import Runtime, current
from agentnb.runtime.workflow_results import WorkflowRun
from agentnb.runtime.workflow_runs import WorkflowOptions
from agentnb.secrets import redact

if TYPE_CHECKING:
    from agentnb.notebook.extension import Extension


def show(extension: Extension, runtime: Runtime, run: Run) -> None:
    """A run of a workflow, and the cards of what it waits for; the answer goes on with it here, where no process executes it."""
    found = workflow_runs.get(runtime, run.id)
    if not _in_kernel(extension):
        TerminalWorkflowView().complete(found)
        _ask_in_terminal(extension, runtime, found)
        return
    from agentnb.notebook import graph_view

    if not graph_view.is_live():
        NotebookWorkflowView(stop=False).complete(found)
        return
    from agentnb.notebook.approval import agents_of, show_pending

    view = graph_view.view_of_run(runtime, found)
    view.show_run(found)
    if run.status not in FINAL or run.reason == "lost":
        for child in agents_of(runtime, run.id):
            show_pending(runtime, child, view.go_on)


def _ask_in_terminal(extension: Extension, runtime: Runtime, run: WorkflowRun) -> None:
    if run.status != "waiting" or not has_user(extension):
        return
    asked = [(owner, step) for owner, step in workflow_signals.pending(runtime, run.id) if (step.question or {}).get("kind") != "callback"]
    ownerless = [answer_step(runtime, owner, step) for owner, step in asked]
    if any(ownerless):
        _watch(extension, runtime, run, lambda options: workflow_runs.resume(runtime, run.id, options), goes_on=True)


def resume(extension: Extension, runtime: Runtime, run: Run) -> None:
    """Go on with a run here."""
    found = workflow_runs.get(runtime, run.id)
    _watch(extension, runtime, found, lambda options: workflow_runs.resume(runtime, run.id, options), goes_on=True)


def graph(extension: Extension, rest: str) -> None:
    """The picture of a run, or its steps as text."""
    run_named(rest).graph()._ipython_display_()


def report(extension: Extension, rest: str) -> Any:
    """The report of a run, which shows itself."""
    return run_named(rest).report()


def rerun(extension: Extension, rest: str) -> None:
    """Run an ended run again, as it was defined then."""
    given = parsed(rerun_parser(), rest)
    if given is None:
        return
    run = run_named(given["run"])
    runtime = current()
    _watch(extension, runtime, run, lambda how: workflow_runs.rerun(runtime, run.id, how, start=given["start"]))


def rerun_parser() -> CellParser:
    """The options of ``%agentnb rerun``."""
    options = CellParser(prog="%agentnb rerun", description="Run a workflow's run again; what is the same is taken over.")
    options.add_argument("run", help="its ID; last is the latest one")
    options.add_argument("--from", dest="start", action="append", default=[], metavar="STEP", help="run this step anew, and what needs it")
    return options


def diff(extension: Extension, rest: str) -> Any:
    """How two runs differ; the answer shows itself."""
    given = words(rest, "%agentnb diff")
    if len(given) != 2:
        raise ConfigurationError("%agentnb diff takes two runs: %agentnb diff RUN RUN")
    from agentnb.runtime.diff import diff as compare

    return compare(current(), *(run_named(name).id if name == "last" else name for name in given))


def stale(extension: Extension, rest: str) -> None:
    """What a rerun of a run would run, with the workflow as it is now."""
    given = words(rest, "%agentnb stale")
    if len(given) != 2:
        raise ConfigurationError("%agentnb stale takes a workflow and a run: %agentnb stale NAME RUN")
    workflow = known_workflow(extension, given[0])
    run = run_named(given[1])
    names = workflow.stale(run.id)
    count = f"{len(names)} of {plural(len(workflow.spec.actions()), 'step')} {'is' if len(names) == 1 else 'are'} stale"
    line = count if names else "nothing is stale: a rerun takes everything over"
    how = f" · %agentnb rerun runs it as it was then; %%workflow {given[0]} --rerun {run.id} runs it as it is now" if names else ""
    svg = workflow_svg(workflow.spec, run.steps, stale=frozenset(name.partition(".")[0] for name in names), history=run.history)
    body = workflow_html.summary("stale" if names else "completed", line + how) + workflow_html.pictured(svg)
    text = f"{line}{': ' if names else ''}{', '.join(names)}"
    _output(extension, {"text/html": body, "text/plain": text})


def _watch(
    extension: Extension,
    runtime: Runtime,
    run: WorkflowRun,
    work: Callable[[WorkflowOptions], Awaitable[WorkflowRun]],
    *,
    goes_on: bool = False,
) -> None:
    view: WorkflowView = NotebookWorkflowView() if _in_kernel(extension) else TerminalWorkflowView()
    questions = Questions(runtime) if has_user(extension) else None
    options = WorkflowOptions(presenter=questions, listener=view.update)
    watching = watched(runtime, run.spec, view, questions, lambda: work(options), run if goes_on else None)
    run_sync(watching, questions.ask_pending if questions else None)


def run_named(rest: str) -> WorkflowRun:
    """The run of that ID; the last one of a workflow where none is named."""
    runtime, name = current(), rest.strip()
    if not name or name == "last":
        runs = runtime.runs(kind="workflow", limit=1)
        if not runs:
            raise ConfigurationError("no runs of workflows yet: start one with %%workflow NAME --run")
        name = runtime.outermost(runs[0]).id
    run = runtime.get(name)
    if run.kind != "workflow":
        raise ConfigurationError(f"{run.id} is a run of an agent: %agentnb show {run.id}")
    return workflow_runs.get(runtime, run.id)


def _output(extension: Extension, bundle: dict[str, str]) -> None:
    if _in_kernel(extension):
        Output()({"text/html": redact(bundle["text/html"]), "text/plain": redact(bundle["text/plain"])})
    else:
        print(bundle["text/plain"])  # noqa: T201


def _in_kernel(extension: Extension) -> bool:
    return getattr(extension.shell, "kernel", None) is not None
