"""A ``%%workflow`` cell: from its text to a plan or a run, and back to what the cell shows, binds and raises."""

from __future__ import annotations

import asyncio
import inspect
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from types import ModuleType
from typing import TYPE_CHECKING, Any

from agentnb.agents.tools import Tool
from agentnb.errors import AgentNBError, ConfigurationError
from agentnb.notebook import workflow_html
from agentnb.notebook.cells import has_user, quiet, short
from agentnb.notebook.questions import Questions
from agentnb.notebook.view import Output
from agentnb.notebook.workflow_arguments import WorkflowArguments, inputs_of, parse
from agentnb.notebook.workflow_source import located, workflow_of
from agentnb.notebook.workflow_view import NotebookWorkflowView, TerminalWorkflowView, WorkflowView
from agentnb.runtime import workflow_runs
from agentnb.runtime.bridge import run_sync
from agentnb.runtime.runtime import Runtime
from agentnb.runtime.workflow import Workflow
from agentnb.runtime.workflow_results import WorkflowRun
from agentnb.secrets import redact
from agentnb.workflows.documents import Finding, WorkflowSpecError
from agentnb.workflows.spec import WorkflowSpec

if TYPE_CHECKING:
    from agentnb.notebook.extension import Extension


@dataclass(frozen=True)
class _Cell:
    """What is to be run."""

    workflow: Workflow
    inputs: dict[str, Any]
    rerun: str
    arguments: WorkflowArguments


async def run_awaited(extension: Extension, line: str, text: str) -> None:
    """Do what a cell says, on the kernel's loop."""
    cell = await _prepared(extension, line, text)
    if cell is None:
        return
    if not _is_live(extension):
        await _run(extension, cell, NotebookWorkflowView(), None)
        return
    view = _graph_view(cell.workflow)
    if not cell.arguments.background:
        await _run(extension, cell, view, view)
        return
    from agentnb.notebook.background import BackgroundRun

    run = BackgroundRun(partial(_run, extension, cell, view, view))
    if cell.arguments.variable:
        extension.shell.user_ns[cell.arguments.variable] = run


def run_blocking(extension: Extension, line: str, text: str) -> None:
    """Do what a cell says where nobody can await: in a terminal, under another magic, in a kernel without autoawait."""
    in_kernel = getattr(extension.shell, "kernel", None) is not None
    cell = run_sync(_prepared(extension, line, text))
    if cell is None:
        return
    if cell.arguments.background:
        raise ConfigurationError("%%workflow: --background needs a cell of its own in a notebook")
    questions = Questions(cell.workflow.runtime) if has_user(extension) else None
    view: WorkflowView = NotebookWorkflowView() if in_kernel else TerminalWorkflowView()
    run_sync(_run(extension, cell, view, questions), questions.ask_pending if questions else None)


async def watched(
    runtime: Runtime,
    spec: WorkflowSpec,
    view: WorkflowView,
    presenter: Any,
    work: Callable[[], Awaitable[WorkflowRun]],
    before: WorkflowRun | None = None,
) -> WorkflowRun:
    """Show a run while it is worked on, and how it ends; errors come out short.

    Args:
        runtime: Where it is kept.
        spec: What is run.
        view: Shows it.
        presenter: Shows questions and, where it can, approvals; None where nobody is there.
        work: Runs it; ``view.update`` is to be its listener.
        before: The run so far, where one goes on.
    """
    from agentnb.notebook.approval import approvals_shown

    view.begin(spec, before)
    try:
        with approvals_shown(runtime, _approvals(runtime, presenter)):
            run = await work()
    except asyncio.CancelledError as error:
        view.fail(error, _so_far(runtime, view.run_id))
        raise quiet(KeyboardInterrupt(), ["cancelled"]) from None
    except Exception as error:
        view.fail(error, _so_far(runtime, getattr(error, "run_id", "") or view.run_id))
        raise quiet(error, short(error)) from None
    view.complete(run)
    return run


async def _run(extension: Extension, cell: _Cell, view: WorkflowView, presenter: Any) -> WorkflowRun:
    arguments, workflow = cell.arguments, cell.workflow
    work = partial(
        workflow.run,
        cell.inputs,
        presenter=presenter,
        listener=view.update,
        record=arguments.record,
        replay=arguments.replay,
        rerun=cell.rerun,
        start=arguments.start,
    )
    run = await watched(workflow.runtime, workflow.spec, view, presenter, work)
    if arguments.variable:
        extension.shell.user_ns[arguments.variable] = run
    return run


async def _prepared(extension: Extension, line: str, text: str) -> _Cell | None:
    """The checked workflow, bound to its variable; None where the line asks for no run, and the plan is shown."""
    try:
        arguments = parse(line)
        if arguments is None:
            return None
        _refuse_to_replace(extension, arguments.name)
        workflow = await workflow_of(extension, arguments.name, text)
        found = located(workflow.validate(), workflow, text)
        _refuse_errors(found)
        _bind(extension, arguments, workflow)
        if not arguments.run:
            _show_plan(extension, workflow, found)
            return None
        inputs = inputs_of(arguments.inputs, workflow.spec.inputs, extension.shell.user_ns)
        return _Cell(workflow, inputs, _rerun(workflow, arguments), arguments)
    except WorkflowSpecError as error:
        _show({"text/html": workflow_html.findings(error.findings), "text/plain": workflow_html.findings_text(error.findings)}, extension)
        lines = [f"WorkflowSpecError: {workflow_html.finding_line(finding)}" for finding in error.findings]
        raise quiet(error, [redact(line) for line in lines]) from None
    except AgentNBError as error:
        raise (error if hasattr(error, "_render_traceback_") else quiet(error, short(error))) from None


def _refuse_errors(found: list[Finding]) -> None:
    if any(finding.severity == "error" for finding in found):
        raise WorkflowSpecError(found)


def _refuse_to_replace(extension: Extension, name: str) -> None:
    """A workflow that is called like one of the functions would take its place: it could run once at most."""
    value = extension.shell.user_ns.get(name)
    if inspect.isroutine(value) or isinstance(value, Tool | ModuleType):
        kind = "module" if isinstance(value, ModuleType) else "function"
        raise ConfigurationError(
            f"%%workflow {name}: {name} is a {kind} of this notebook, which the workflow would replace: give it another name"
        )


def _bind(extension: Extension, arguments: WorkflowArguments, workflow: Workflow) -> None:
    """Bind the workflow: to what was asked for, or to its own name, which takes no other variable's place."""
    namespace = extension.shell.user_ns
    if arguments.variable and not arguments.run:
        namespace[arguments.variable] = workflow
    if arguments.name.isidentifier():
        namespace[arguments.name] = workflow
        return
    name = re.sub(r"\W+", "_", workflow.name).strip("_").lower()
    if name.isidentifier() and isinstance(namespace.get(name), Workflow | None):
        namespace[name] = workflow


def _is_live(extension: Extension) -> bool:
    """Whether the graph can be a widget."""
    if not has_user(extension) or getattr(extension.shell, "kernel", None) is None:
        return False
    from agentnb.notebook import graph_view

    return graph_view.is_live()


def _graph_view(workflow: Workflow) -> Any:
    from agentnb.notebook.graph_view import GraphView
    from agentnb.runtime.graphs.drawing import of_workflow

    return GraphView(workflow.runtime, of_workflow(workflow), workflow.spec)


def _show_plan(extension: Extension, workflow: Workflow, found: list[Finding]) -> None:
    if _is_live(extension):
        _graph_view(workflow).show_plan(workflow_html.facts(workflow), workflow.plan().to_text())
        if found:
            _show({"text/html": workflow_html.findings(found), "text/plain": workflow_html.findings_text(found)}, extension)
        return
    warnings = workflow_html.findings(found) if found else ""
    text = "\n".join(part for part in (workflow.plan().to_text(), workflow_html.findings_text(found)) if part)
    _show({"text/html": workflow_html.of_workflow(workflow) + warnings, "text/plain": text}, extension)


def _show(bundle: dict[str, str], extension: Extension) -> None:
    if getattr(extension.shell, "kernel", None) is not None:
        Output()(bundle)
    else:
        print(bundle["text/plain"])  # noqa: T201


def _rerun(workflow: Workflow, arguments: WorkflowArguments) -> str:
    """The run that is run again."""
    if arguments.rerun != "last":
        return arguments.rerun
    found = workflow.runtime.runs(kind="workflow", name=workflow.name, limit=1)
    if not found:
        raise ConfigurationError(f"--rerun last: there is no run of {workflow.name!r} yet: --run begins one")
    return found[0].id


def _approvals(runtime: Runtime, presenter: Any) -> Any:
    """What shows the approvals of the agents that a workflow runs, where the presenter of its questions is there."""
    if presenter is None or hasattr(presenter, "present"):
        return presenter
    from agentnb.notebook.approval import CardPresenter

    return CardPresenter(runtime)


def _so_far(runtime: Runtime, run_id: str) -> WorkflowRun | None:
    try:
        return workflow_runs.get(runtime, run_id) if run_id else None
    except AgentNBError:
        return None
