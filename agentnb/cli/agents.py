"""``agentnb run`` and ``agentnb agents …``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from agentnb.cli import execution
from agentnb.cli.completion import workflow_files
from agentnb.cli.inputs import parse_inputs
from agentnb.cli.output import Json, exit_codes, put, put_table
from agentnb.errors import ConfigurationError
from agentnb.notebook import tables
from agentnb.notebook.formats import printable
from agentnb.notebook.questions import Questions
from agentnb.notebook.view import TerminalView
from agentnb.ports.store import AgentRecord
from agentnb.runtime.agent import Agent
from agentnb.runtime.bridge import run_sync
from agentnb.runtime.results import AgentResult
from agentnb.runtime.runtime import Runtime, current

app = typer.Typer(help="Agents of the store.", no_args_is_help=True)

Input = Annotated[
    list[str] | None, typer.Option("-i", "-p", "--input", help="key=value; `-i prompt=…` is the prompt. JSON values are read as such.")
]
Model = Annotated[str | None, typer.Option("--model", "-m", help="provider:model, instead of the agent's own.")]
Session = Annotated[str, typer.Option(help="Conversation to go on with.")]
Record = Annotated[Path | None, typer.Option(help="Cassette file to record to.")]
Replay = Annotated[Path | None, typer.Option(help="Cassette file to answer from.")]


@app.command("list")
def list_agents(capability: Annotated[str, typer.Option(help="Only agents with this capability.")] = "", as_json: Json = False) -> None:
    """List agents, newest first."""
    with exit_codes(as_json=as_json):
        put_table(tables.agents(current().agents.all(capability)), "agents", as_json=as_json)


@app.command()
def show(name: Annotated[str, typer.Argument(help="Name or ID.")], as_json: Json = False) -> None:
    """Show what an agent is made of."""
    with exit_codes(as_json=as_json):
        runtime = current()
        record = _found(runtime, name)
        put({**_record(record), "definition": runtime.store.definition(record.definition).spec})


@app.command()
def delete(name: Annotated[str, typer.Argument(help="Name or ID.")], as_json: Json = False) -> None:
    """Terminate an agent and forget it; its runs stay."""
    with exit_codes(as_json=as_json):
        runtime = current()
        record = runtime.agents.delete(_found(runtime, name).id)
        if as_json:
            put({"deleted": record.id})
        else:
            sys.stdout.write(f"deleted {record.name} ({record.id})\n")


@app.command("run")
def run_agent(
    name: Annotated[str, typer.Argument(help="Name or ID.")],
    prompt: Annotated[str, typer.Argument(help="What to ask; `-` reads standard input.")],
    model: Model = None,
    session: Session = "",
    record: Record = None,
    replay: Replay = None,
    as_json: Json = False,
) -> None:
    """Ask an agent of the store."""
    with exit_codes(as_json=as_json):
        execute(name, sys.stdin.read() if prompt == "-" else prompt, model, session, record, replay, as_json=as_json)


def run(
    name: Annotated[
        str, typer.Argument(metavar="NAME_OR_FILE", help="An agent's name or ID, or a workflow's file.", autocompletion=workflow_files)
    ],
    inputs: Input = None,
    model: Model = None,
    session: Session = "",
    record: Record = None,
    replay: Replay = None,
    as_json: Json = False,
) -> None:
    """Run an agent: `agentnb run NAME -i prompt="…"`, or a workflow: `agentnb run FILE.yaml -i key=value`."""
    with exit_codes(as_json=as_json):
        if execution.is_workflow_file(name):
            if session:
                raise ConfigurationError("--session goes with an agent: a workflow's run has no conversation")
            execution.run_file(name, inputs or (), model=model, record=record, replay=replay, as_json=as_json)
            return
        values = parse_inputs(inputs or [])
        prompt = str(values.pop("prompt", ""))
        if values:
            prompt = "\n\n".join(part for part in (prompt, json.dumps(values, ensure_ascii=False)) if part)
        if not prompt:
            raise ConfigurationError('nothing to do: give a prompt with -i prompt="…"')
        execute(name, prompt, model, session, record, replay, as_json=as_json)


def execute(name: str, prompt: str, model: str | None, session: str, record: Path | None, replay: Path | None, *, as_json: bool) -> None:
    """Ask an agent, and print its answer while it comes."""
    agent = Agent.load(_found(current(), name).id)
    if model:
        agent = agent.with_model(model)
    interactive = sys.stdin.isatty() and not as_json
    questions = Questions(agent.runtime) if interactive else None
    view = TerminalView()
    result = run_sync(
        agent.execute(
            prompt, session=session, record=record, replay=replay, listener=None if as_json else view.update, presenter=questions
        ),
        questions.ask_pending if questions else None,
    )
    if as_json:
        put(result_data(result))
    else:
        view.complete(result, agent.spec.model)


def result_data(result: AgentResult) -> dict[str, object]:
    """A result as JSON can hold it."""
    return {
        "id": result.execution_id,
        "agent": result.agent,
        "agent_id": result.agent_id,
        "status": result.status,
        "reason": result.reason,
        "text": result.text,
        "output": result.output if not hasattr(result.output, "model_dump") else result.output.model_dump(mode="json"),
        "error": result.error,
        "usage": dict(result.usage),
        "execution_time_ms": result.execution_time_ms,
        "trace": list(result.trace),
    }


def _found(runtime: Runtime, name: str) -> AgentRecord:
    """The agent that a name or an ID means; says which one, where several are called so."""
    found = runtime.agents.called(name)
    if len({agent.definition for agent in found}) > 1:
        sys.stderr.write(printable(f"{len(found)} agents are called {name!r}: took {found[0].id}, the newest\n"))
    return found[0]


def _record(record: object) -> dict[str, object]:
    from dataclasses import asdict

    return asdict(record)  # type: ignore[call-overload,no-any-return]
