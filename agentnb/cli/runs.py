"""``agentnb runs …``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from agentnb.agents.execution import Answer
from agentnb.cli import execution, watched, workflow_runs
from agentnb.cli.agents import result_data
from agentnb.cli.completion import run_ids
from agentnb.cli.inputs import parsed, run_named
from agentnb.cli.output import Json, exit_codes, put, put_table, put_text
from agentnb.cli.workflow_runs import VERDICTS
from agentnb.errors import ConfigurationError
from agentnb.names import nearest
from agentnb.notebook.formats import GLYPHS, ago, duration, printable, result_line, usage_line
from agentnb.notebook.questions import Questions
from agentnb.notebook.tables import Table
from agentnb.notebook.view import TerminalView
from agentnb.ports.store import Run
from agentnb.runtime import agent_runs
from agentnb.runtime.agent_runs import RunOptions
from agentnb.runtime.bridge import run_sync
from agentnb.runtime.runtime import current
from agentnb.runtime.shown import elapsed

app = typer.Typer(help="Runs of the store, past and present.", no_args_is_help=True)
RunId = Annotated[
    str, typer.Argument(metavar="RUN", help="The run's ID, or the beginning of it; last is the newest.", autocompletion=run_ids)
]
Kind = Literal["agent", "workflow", "job"]


@app.command("list")
def list_runs(
    kind: Annotated[Kind | None, typer.Option(help="Only runs of this kind.")] = None,
    status: Annotated[str, typer.Option(help="queued, running, waiting, completed, failed or cancelled.")] = "",
    name: Annotated[str, typer.Option(help="Only runs of this agent or workflow.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=1_000_000, help="At most so many.")] = 50,
    as_json: Json = False,
) -> None:
    """List runs, newest first."""
    with exit_codes(as_json=as_json):
        found = current().runs(kind=kind or "", status=status, name=name, limit=limit)
        if as_json:
            put({"runs": [_data(run) for run in found]})
        else:
            put_table(_table(found), "runs", as_json=False)


@app.command()
def show(run: RunId, as_json: Json = False) -> None:
    """Show a run: what it gave, its steps, what it waits for."""
    with exit_codes(as_json=as_json):
        run = run_named(run)
        runtime = current()
        if runtime.store.run(run).kind == "workflow":
            workflow_runs.show(runtime, run, as_json=as_json)
            return
        if runtime.store.run(run).kind == "job":
            from agentnb.cli import job_execution

            job_execution.show(runtime.get(run), as_json=as_json)
            return
        result = runtime.result(run)
        if as_json:
            put({**result_data(result), "pending": [event.step_id for event in runtime.pending(result.id)]})
            return

        def write(text: str) -> None:
            sys.stdout.write(printable(text))

        write(f"{result.id} {GLYPHS[result.status]} {result.status} {result.reason}\n")
        write(f"{result_line(result.agent, result)}\n")
        for step in result.trace:
            depth = "  " * (step.id.count(".") + 1)
            write(f"{depth}{step.id} {step.kind} {step.name} {step.status} {duration(step.duration_ms)} {step.error}\n")
        if result.error:
            write(f"{result.error['type']}: {result.error['message']}\n")
        if result.reason == "lost":
            write(f"its process is gone; go on after its last finished step: agentnb runs resume {result.id}\n")
        if result.text:
            write(f"\n{result.text}\n")
        for event in runtime.pending(result.id):
            write(f"\nwaits for an approval: agentnb runs signal {result.id} {event.step_id} approve|deny\n")


@app.command()
def events(
    run: RunId,
    after: Annotated[int, typer.Option(help="Only events behind this number.")] = 0,
    as_json: Json = False,
) -> None:
    """Print a run's events in the journal's order."""
    with exit_codes(as_json=as_json):
        run = run_named(run)
        runtime = current()
        found = runtime.events(runtime.store.run(run).id, after)
        if as_json:
            put({"events": [{"seq": event.seq, "step": event.step_id, **event.data} for event in found]})
            return
        for event in found:
            sys.stdout.write(
                f"{event.seq:>6}  {event.data['timestamp']}  {event.type:<26} {event.step_id:<8} {event.data.get('status', '')}\n"
            )


@app.command()
def cancel(run: RunId, as_json: Json = False) -> None:
    """Cancel a run, wherever it is executed."""
    with exit_codes(as_json=as_json):
        run = run_named(run)
        cancelled = current().cancel(run)
        if as_json:
            put(_data(cancelled))
        else:
            sys.stdout.write(f"{cancelled.id}: cancelling\n" if cancelled.status != "cancelled" else f"{cancelled.id}: cancelled\n")


@app.command()
def signal(
    run: RunId,
    step: Annotated[str, typer.Argument(metavar="STEP", help="The step that waits, as `agentnb runs show` names it; or an event's name.")],
    verdict: Annotated[
        str, typer.Argument(help="approve, reject or deny; of an interrupted step retry, skip or fail; none for an event or a call back.")
    ] = "",
    arguments: Annotated[str, typer.Option(help="JSON object: arguments of a tool instead of those asked for.")] = "",
    data: Annotated[str, typer.Option(help="JSON: what the form asks for, or what an event or a call back brings.")] = "",
    note: Annotated[str, typer.Option(help="What the agent, or the workflow, is told beside it.")] = "",
    as_json: Json = False,
) -> None:
    """Answer what a run waits for, or send it an event; where the run's process is gone, the run goes on here."""
    with exit_codes(as_json=as_json):
        run = run_named(run)
        if verdict not in ("", *VERDICTS):
            near = nearest(verdict, VERDICTS)
            mend = f", did you mean {near}?" if near else ""
            raise ConfigurationError(f"the answer must be approve or deny, of a workflow also retry, skip or fail, not {verdict!r}{mend}")
        runtime = current()
        found = runtime.store.run(run)
        if found.kind == "workflow":
            workflow_runs.signal(runtime, found.id, step, verdict, parsed(data, "--data"), note, as_json=as_json)
            return
        if verdict not in ("approve", "deny", "reject"):
            raise ConfigurationError(f"the answer must be approve or deny, not {verdict!r}")
        edited = _arguments(arguments)
        answer = Answer("approve" if verdict == "approve" else "deny", edited, note=note)
        if runtime.answer(found.id, step, answer):
            _go_on(found.id, as_json=as_json)
        elif as_json:
            put({"answered": step})
        else:
            sys.stdout.write(f"{step}: {verdict}\n")


@app.command()
def resume(
    run: RunId,
    is_watched: Annotated[bool, typer.Option("--watched", hidden=True, help="Somebody watches it from elsewhere.")] = False,
    as_json: Json = False,
) -> None:
    """Go on with a run whose process is gone, or that was answered, after its last finished step."""
    with exit_codes(as_json=as_json):
        run = run_named(run)
        if is_watched:
            watched.go_on(current(), run)
        else:
            _go_on(run, as_json=as_json)


@app.command()
def delete(
    runs: Annotated[
        list[str], typer.Argument(metavar="RUN…", help="IDs of runs that have ended; last is the newest run.", autocompletion=run_ids)
    ],
    as_json: Json = False,
) -> None:
    """Forget runs that have ended: their events, inputs and results, with all that their steps have started."""
    with exit_codes(as_json=as_json):
        runtime = current()
        deleted = [name for run in runs for name in runtime.delete(runtime.store.run(run_named(run)).id)]
        if as_json:
            put({"deleted": deleted})
        else:
            sys.stdout.write("".join(f"deleted {name}\n" for name in deleted))


@app.command()
def replay(
    run: RunId,
    live: Annotated[bool, typer.Option("--live", help="Go on with real calls where it diverges.")] = False,
    as_json: Json = False,
) -> None:
    """Run an ended run again, answered by what was recorded."""
    with exit_codes(as_json=as_json):
        run = run_named(run)
        runtime = current()
        if runtime.store.run(run).kind == "workflow":
            workflow_runs.replay(runtime, run, live=live, as_json=as_json)
        else:
            _finish(lambda options: agent_runs.replay(runtime, run, options, live=live), as_json=as_json)


@app.command()
def report(
    run: RunId,
    form: Annotated[Literal["text", "markdown", "json", "html"], typer.Option("--format", "-f", help="How it is written.")] = "text",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="File to write to, instead of printing it.")] = None,
    as_json: Json = False,
) -> None:
    """Report on a workflow's run: results, failures, where the time and the money went."""
    with exit_codes(as_json=as_json):
        run = run_named(run, "workflow")
        put_text(workflow_runs.report(current(), run, "json" if as_json else form), output)


@app.command()
def diff(a: RunId, b: RunId, as_json: Json = False) -> None:
    """Say how two runs differ: steps, inputs, outputs, time, tokens."""
    from agentnb.runtime.diff import diff as compare

    with exit_codes(as_json=as_json):
        found = compare(current(), run_named(a), run_named(b))
        if as_json:
            put(found.to_dict())
        else:
            sys.stdout.write(f"{found.to_text().rstrip()}\n")


def _go_on(run: str, *, as_json: bool) -> None:
    from agentnb.runtime.workflow_runs import root

    runtime = current()
    found = root(runtime, runtime.store.run(run))
    if found.kind == "job":
        raise ConfigurationError(f"a job is gone on with by its file: agentnb jobs run {found.name} --resume-of {found.id}")
    if found.kind == "workflow":
        execution.resume(found.id, as_json=as_json)
    else:
        _finish(lambda options: agent_runs.resume(runtime, run, options), as_json=as_json)


def _finish(work: Any, *, as_json: bool) -> None:
    view = TerminalView()
    questions = Questions(current()) if sys.stdin.isatty() and not as_json else None
    options = RunOptions(listener=None if as_json else view.update, presenter=questions)
    result = run_sync(work(options), questions.ask_pending if questions else None)
    if as_json:
        put(result_data(result))
    else:
        view.complete(result, result.agent)


def _arguments(text: str) -> dict[str, Any] | None:
    data = parsed(text, "--arguments")
    if data is not None and not isinstance(data, dict):
        raise ConfigurationError("--arguments: must be a JSON object")
    return data


def _table(found: Sequence[Run]) -> Table:
    rows = [
        (run.id, run.kind, run.name, run.status, run.reason, ago(run.created_at), usage_line("", run.usage, elapsed(run))) for run in found
    ]
    columns = ("run", "kind", "name", "status", "reason", "started", "used")
    return Table(columns, tuple(rows), tuple(found), "No such runs: start one with `agentnb run NAME_OR_FILE`")


def _data(run: Run) -> dict[str, Any]:
    data = asdict(run)
    return {**data, "started_at": data.pop("created_at")}
