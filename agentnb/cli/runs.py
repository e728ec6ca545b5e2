"""``agentnb runs …``."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import Annotated, Any

import typer

from agentnb.agents.execution import Answer
from agentnb.cli.agents import result_data
from agentnb.cli.output import Json, exit_codes, put, put_table
from agentnb.errors import ConfigurationError
from agentnb.notebook import tables
from agentnb.notebook.formats import GLYPHS, duration, usage_line
from agentnb.notebook.questions import Questions
from agentnb.notebook.view import TerminalView, printable
from agentnb.ports.store import Run
from agentnb.runtime import agent_runs
from agentnb.runtime.agent_runs import RunOptions
from agentnb.runtime.bridge import run_sync
from agentnb.runtime.runtime import current

app = typer.Typer(help="Runs of the store, past and present.", no_args_is_help=True)
RunId = Annotated[str, typer.Argument(metavar="RUN", help="The run's ID, or the beginning of it.")]


@app.command("list")
def list_runs(
    status: Annotated[str, typer.Option(help="queued, running, waiting, completed, failed or cancelled.")] = "",
    name: Annotated[str, typer.Option(help="Only runs of this agent.")] = "",
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 50,
    as_json: Json = False,
) -> None:
    """List runs, newest first."""
    with exit_codes(as_json=as_json):
        found = current().runs(status=status, name=name, limit=limit)
        if as_json:
            put({"runs": [_data(run) for run in found]})
        else:
            put_table(tables.runs(found), "runs", as_json=False)


@app.command()
def show(run: RunId, as_json: Json = False) -> None:
    """Show a run: its answer, its steps, the approvals that it waits for."""
    with exit_codes(as_json=as_json):
        runtime = current()
        result = runtime.result(run)
        if as_json:
            put({**result_data(result), "pending": [event.step_id for event in runtime.pending(result.id)]})
            return

        def write(text: str) -> None:
            sys.stdout.write(printable(text))

        write(f"{result.id} {GLYPHS[result.status]} {result.status} {result.reason}\n")
        write(f"{usage_line(result.agent, result.usage, result.execution_time_ms)}\n")
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
        runtime = current()
        found = runtime.events(runtime.store.run(run).id, after)
        if as_json:
            put({"events": [{"seq": event.seq, "step": event.step_id, **event.data} for event in found]})
            return
        for event in found:
            sys.stdout.write(f"{event.seq:>6}  {event.data['timestamp']}  {event.type:<26} {event.step_id:<8} {event.data['status']}\n")


@app.command()
def cancel(run: RunId, as_json: Json = False) -> None:
    """Cancel a run, wherever it is executed."""
    with exit_codes(as_json=as_json):
        cancelled = current().cancel(run)
        if as_json:
            put(_data(cancelled))
        else:
            sys.stdout.write(f"{cancelled.id}: cancelling\n" if cancelled.status != "cancelled" else f"{cancelled.id}: cancelled\n")


@app.command()
def signal(
    run: RunId,
    step: Annotated[str, typer.Argument(help="The step that waits, as `agentnb runs show` names it.")],
    verdict: Annotated[str, typer.Argument(help="approve or deny.")],
    arguments: Annotated[str, typer.Option(help="JSON object: arguments instead of those asked for.")] = "",
    note: Annotated[str, typer.Option(help="What the agent is told with a denial.")] = "",
    as_json: Json = False,
) -> None:
    """Answer an approval; where the run's process is gone, the run goes on here."""
    with exit_codes(as_json=as_json):
        if verdict not in ("approve", "deny"):
            raise ConfigurationError(f"the answer must be approve or deny, not {verdict!r}")
        runtime = current()
        edited = _arguments(arguments)
        run_id = runtime.store.run(run).id
        ownerless = runtime.answer(run_id, step, Answer("approve" if verdict == "approve" else "deny", edited, note=note))
        if ownerless:
            _go_on(run_id, as_json=as_json)
        elif as_json:
            put({"answered": step})
        else:
            sys.stdout.write(f"{step}: {verdict}\n")


@app.command()
def resume(run: RunId, as_json: Json = False) -> None:
    """Go on with a run whose process is gone, after its last finished step."""
    with exit_codes(as_json=as_json):
        _go_on(run, as_json=as_json)


@app.command()
def replay(
    run: RunId,
    live: Annotated[bool, typer.Option("--live", help="Go on with real calls where it diverges.")] = False,
    as_json: Json = False,
) -> None:
    """Run an ended run again, answered by what was recorded."""
    with exit_codes(as_json=as_json):
        runtime = current()
        _finish(lambda options: agent_runs.replay(runtime, run, options, live=live), as_json=as_json)


def _go_on(run: str, *, as_json: bool) -> None:
    runtime = current()
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
    if not text:
        return None
    try:
        data = json.loads(text)
    except ValueError as error:
        raise ConfigurationError(f"--arguments: not JSON: {error}") from None
    if not isinstance(data, dict):
        raise ConfigurationError("--arguments: must be a JSON object")
    return data


def _data(run: Run) -> dict[str, Any]:
    data = asdict(run)
    return {**data, "started_at": data.pop("created_at")}
