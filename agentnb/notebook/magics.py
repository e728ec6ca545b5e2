"""``%agentnb``: looks at runs, agents and models, and goes on with runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from agentnb import plugins
from agentnb.errors import AgentNBError, ConfigurationError
from agentnb.notebook import performance_magics, tables, workflow_magics
from agentnb.notebook.arguments import did_you_mean, words
from agentnb.notebook.background import keep
from agentnb.notebook.cells import has_user, quiet, short
from agentnb.notebook.questions import Questions
from agentnb.notebook.view import NotebookView, Output, TerminalView, View
from agentnb.ports.store import Run
from agentnb.runtime import agent_runs
from agentnb.runtime.agent_runs import RunOptions
from agentnb.runtime.bridge import run_sync
from agentnb.runtime.runtime import Runtime, current
from agentnb.runtime.shown import compact

if TYPE_CHECKING:
    from agentnb.notebook.extension import Extension

HELP = """%agentnb agents                      agents of the store
%agentnb runs [STATUS]               past and present runs, newest first
%agentnb show [RUN]                  one run: its answer or its graph, its steps, what it waits for; the last one by default
%agentnb replay RUN [--live]         an agent's run again, answered by what was recorded; --live goes on with real calls
%agentnb resume RUN                  goes on with a run whose process is gone
%agentnb cancel RUN                  cancels a run, wherever it is executed
%agentnb graph [RUN]                 the picture of a workflow's run
%agentnb report [RUN]                what it came to: times, errors, critical path, tokens and cost
%agentnb rerun RUN [--from STEP]     a workflow's run again; what is the same is taken over, STEP and what needs it are run anew
%agentnb diff RUN RUN                how two runs differ
%agentnb stale NAME RUN              the workflow of that variable or file: what a rerun of RUN would run
%agentnb models [pull NAME]          models that are there, and those that can be fetched
%agentnb optimize MODEL --calibration DATA -o DIR    a model made faster, behind an accuracy gate; --help shows the options
%agentnb benchmark MODEL…            measures models beside their peers; --help shows the options
%agentnb sql SELECT …                DuckDB over the journal: runs, steps, events, agents, turns
%agentnb doctor [--hardware]         what is installed, and what is missing; what the machine computes in
RUN is an ID, or last for the latest one"""


def run(extension: Extension, line: str) -> Any:
    """Do what the line says; errors come out short."""
    command, _, rest = line.strip().partition(" ")
    if {"-h", "--help"} & {command, *rest.split()} and command not in _WITH_OPTIONS:
        command, rest = "help", command if command in COMMANDS else ""
    action = COMMANDS.get(command or "help")
    try:
        if action is None:
            near = did_you_mean(command, COMMANDS) or f"; there are: {', '.join(sorted(COMMANDS))}"
            raise ConfigurationError(f"%agentnb {command}: there is no such command{near}")
        return action(extension, rest.strip())
    except AgentNBError as error:
        raise quiet(error, short(error)) from None


def _help(extension: Extension, rest: str) -> None:
    own = [line for line in HELP.splitlines() if line.startswith(f"%agentnb {rest.strip()} ")]
    print("\n".join(own) or HELP)  # noqa: T201


def _agents(extension: Extension, rest: str) -> tables.Table:
    return tables.agents(current().agents.all(rest))


def _runs(extension: Extension, rest: str) -> tables.Table:
    return tables.runs(current().runs(status=rest))


def _show(extension: Extension, rest: str) -> None:
    runtime = current()
    run = _run(runtime, rest)
    if run.kind == "workflow":
        workflow_magics.show(extension, runtime, run)
        return
    output = Output()
    view = NotebookView(output, stop=False) if _in_kernel(extension) else TerminalView()
    if run.kind == "agent":
        print(f"Prompt: {compact(run.input['prompt'])}")  # noqa: T201
    view.begin(run.name, "")
    result = runtime.result(run.id)
    models = [step.name for step in result.trace if step.kind == "model"]
    view.complete(result, " · ".join([run.name, *models[:1]]))
    if isinstance(view, TerminalView):
        print(result.text)  # noqa: T201
    if run.error:
        print(f"{run.error['type']}: {run.error['message']}")  # noqa: T201
    if run.reason == "lost":
        print(f"Its process is gone; go on after its last finished step with: %agentnb resume {run.id}")  # noqa: T201
    if _in_kernel(extension):
        from agentnb.notebook.approval import show_pending

        def go_on() -> None:
            keep(_go_on(runtime, run, NotebookView(output, stop=False)))

        show_pending(runtime, run.id, go_on)


async def _go_on(runtime: Runtime, run: Run, view: NotebookView) -> None:
    from agentnb.notebook.approval import CardPresenter

    view.begin(f"{run.name} · resumed", "")
    try:
        result = await agent_runs.resume(runtime, run.id, RunOptions(listener=view.update, presenter=CardPresenter(runtime)))
    except AgentNBError as error:
        view.fail(error)
    else:
        view.complete(result, f"{run.name} · resumed")


def _replay(extension: Extension, rest: str) -> Any:
    given = words(rest, "%agentnb replay")
    live = "--live" in given
    runtime = current()
    source = _run(runtime, " ".join(word for word in given if word != "--live"))
    if source.kind == "workflow":
        raise ConfigurationError(f"{source.id} is a run of a workflow: %agentnb rerun {source.id} runs it again")
    return _watched(extension, source, lambda options: agent_runs.replay(runtime, source.id, options, live=live))


def _resume(extension: Extension, rest: str) -> Any:
    runtime = current()
    run = _run(runtime, rest)
    if run.kind == "workflow":
        return workflow_magics.resume(extension, runtime, run)
    return _watched(extension, run, lambda options: agent_runs.resume(runtime, run.id, options))


def _watched(extension: Extension, run: Run, work: Callable[[RunOptions], Any]) -> None:
    view = _view(extension)
    questions = Questions(current()) if has_user(extension) else None

    async def watched() -> None:
        view.begin(run.name, "")
        try:
            result = await work(RunOptions(listener=view.update, presenter=questions))
        except Exception as error:
            view.fail(error)
            raise
        view.complete(result, run.name)

    run_sync(watched(), questions.ask_pending if questions else None)


def _cancel(extension: Extension, rest: str) -> None:
    if not rest:
        raise ConfigurationError("say which run: %agentnb cancel RUN; last is the newest one")
    runtime = current()
    cancelled = runtime.cancel(_run(runtime, rest).id)
    print(f"{cancelled.id}: {cancelled.status}")  # noqa: T201


def _models(extension: Extension, rest: str) -> tables.Table:
    given = rest.split()
    if given[:1] == ["pull"] and len(given) == 2:
        from agentnb.notebook.progress import pull

        return tables.models([pull(current(), given[1])])
    if given:
        raise ConfigurationError("write %agentnb models, or %agentnb models pull NAME")
    return tables.models(current().models.catalog())


def _sql(extension: Extension, rest: str) -> tables.Table:
    if not rest:
        raise ConfigurationError(
            "write a query, such as %agentnb sql SELECT name, status FROM runs; tables: runs, steps, events, agents, turns"
        )
    columns, rows = plugins.load("agentnb.queries", "duckdb")(current().settings.store, rest)
    return tables.rows_of(columns, rows)


def _doctor(extension: Extension, rest: str) -> tables.Table:
    from agentnb.runtime import doctor

    if rest not in ("", "--hardware"):
        raise ConfigurationError("write %agentnb doctor, or %agentnb doctor --hardware")
    found = doctor.hardware() if rest else doctor.examine(current().settings)
    cells = tuple(
        (finding.name, "missing" if not finding.ok else "none" if finding.absent else "ok", finding.value, finding.mend)
        for finding in found
    )
    return tables.Table(("what", "state", "found", "mend"), cells, tuple(found))


def _run(runtime: Runtime, name: str) -> Run:
    if name and name != "last":
        return runtime.get(name)
    found = runtime.runs(limit=1)
    if not found:
        raise ConfigurationError("no runs yet: start one with a %%agent or a %%workflow cell")
    return runtime.outermost(found[0])


def _view(extension: Extension) -> View:
    return NotebookView(stop=False) if _in_kernel(extension) else TerminalView()


def _in_kernel(extension: Extension) -> bool:
    return getattr(extension.shell, "kernel", None) is not None


COMMANDS: dict[str, Callable[[Any, str], Any]] = {
    "help": _help,
    "agents": _agents,
    "runs": _runs,
    "show": _show,
    "replay": _replay,
    "resume": _resume,
    "cancel": _cancel,
    "graph": workflow_magics.graph,
    "report": workflow_magics.report,
    "rerun": workflow_magics.rerun,
    "diff": workflow_magics.diff,
    "stale": workflow_magics.stale,
    "models": _models,
    "optimize": performance_magics.optimize,
    "benchmark": performance_magics.benchmark,
    "sql": _sql,
    "doctor": _doctor,
}
_WITH_OPTIONS = ("rerun", "optimize", "benchmark")
"""Those that show their options themselves."""
