"""Executions of agents: started in a process of their own, and what they gave."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field

from agentnb.errors import ConfigurationError
from agentnb.runtime import agent_runs
from agentnb.runtime.runtime import Runtime
from agentnb.server.pages import Name, PageQuery
from agentnb.server.routing import Call, Data, Reply, Request
from agentnb.server.runs import RunData, RunPage, RunsQuery, kept_run, list_runs, run_data
from agentnb.server.steps import StepData, steps_of_run


class NewExecution(Request):
    """What an agent is asked.

    Attributes:
        session: Conversation to go on with; none where empty.
        turn: Place in the conversation; the same one again replaces that turn.
        attended: Whether somebody watches the run, so that tool calls that need an approval wait for one; else the policy decides.
    """

    prompt: str = Field(min_length=1, max_length=10_000_000)
    session: Name = ""
    turn: Name = ""
    attended: bool = True


class Execution(Data):
    """What an execution gave, or has given so far."""

    id: str
    agent: str
    agent_id: str
    status: str
    reason: str
    text: str
    output: Any
    error: dict[str, str] | None
    usage: dict[str, Any]
    execution_time_ms: float
    trace: list[StepData]


def start(call: Call, agent: str, body: NewExecution) -> Reply[RunData]:
    """Ask an agent; its run is queued, and executed in a process of its own."""
    run = ask(call, agent, body)
    return Reply(run, location=f"/runs/{run.id}")


def ask(call: Call, agent: str, asked: NewExecution) -> RunData:
    """Queue an execution and have a process begin it."""
    record = call.runtime.agents.find(agent)
    run = agent_runs.queue(
        call.runtime, record, asked.prompt, session=asked.session, turn=asked.turn, user=call.user, also=lambda run: kept_run(call, run)
    )
    call.service.spawner.start(run.id, watched=asked.attended, folder=folder_of(call, record.origin))
    return run_data(run)


def folder_of(call: Call, origin: str) -> Path:
    """Where an agent's functions are imported from: beside the notebook or the file that defines it, else in the server's folder."""
    file = Path(origin)
    return file.parent if file.is_absolute() and file.parent.is_dir() else call.service.root


def list_(call: Call, query: PageQuery) -> RunPage:
    """List executions of agents, newest first."""
    return list_runs(call.runtime, RunsQuery(kind="agent", limit=query.limit, cursor=query.cursor))


def get(call: Call, execution_id: str) -> Execution:
    """Show what an execution gave."""
    return result_of(call.runtime, execution_id)


def result_of(runtime: Runtime, run_id: str) -> Execution:
    """What an execution gave.

    Raises:
        ConfigurationError: The run is no agent's.
    """
    run = runtime.store.run(run_id)
    if run.kind != "agent":
        raise ConfigurationError(f"run {run.id} is of a {run.kind}, not of an agent")
    result = runtime.result(run.id)
    return Execution(
        id=run.id,
        agent=result.agent,
        agent_id=result.agent_id,
        status=result.status,
        reason=result.reason,
        text=result.text,
        output=result.output,
        error=dict(result.error) if result.error else None,
        usage=dict(result.usage),
        execution_time_ms=result.execution_time_ms,
        trace=steps_of_run(run, runtime.events(run.id)),
    )
