"""What runs are told: answers to what they ask, events, and to stop."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from agentnb.agents.execution import Answer
from agentnb.errors import ConfigurationError
from agentnb.ports.store import Run
from agentnb.runtime import workflow_runs, workflow_signals
from agentnb.server.pages import Name
from agentnb.server.routing import Call, Data, Request
from agentnb.server.runs import RunData, run_data, workflow_run
from agentnb.server.starts import go_on


class NewAnswer(Request):
    """An answer to what a run waits for, as ``questions`` lists it.

    Attributes:
        data: What the form asks for.
        arguments: Of an agent's approval: arguments of the tool instead of those asked for.
        note: What the agent, or the workflow, is told beside it.
    """

    step_id: Name
    verdict: Literal["approve", "deny", "reject", "retry", "skip", "fail"]
    data: Any = None
    arguments: dict[str, Any] | None = None
    note: str = Field("", max_length=100_000)


class NewSignal(Request):
    """An event that a state machine waits for."""

    name: Name
    data: Any = None


class Told(Data):
    """That a run was told something; ``resumed`` where nobody executed it, so that a process now does."""

    resumed: bool


def answer(call: Call, run_id: str, body: NewAnswer) -> Told:
    """Answer what a run waits for; where nobody executes it, it goes on in a process of its own."""
    run = call.runtime.store.run(run_id)
    if run.kind == "agent":
        if body.verdict not in ("approve", "deny", "reject"):
            raise ConfigurationError(f"the answer must be approve or deny, not {body.verdict!r}")
        given = Answer("approve" if body.verdict == "approve" else "deny", body.arguments, call.user, body.note)
        return _told(call, run, call.runtime.answer(run.id, body.step_id, given))
    alone = workflow_signals.answer(call.runtime, run.id, body.step_id, body.verdict, data=body.data, by=call.user, note=body.note)
    return _told(call, run, alone)


def send(call: Call, run_id: str, body: NewSignal) -> Told:
    """Send an event to a state machine; where nobody executes it, it goes on in a process of its own."""
    run = workflow_run(call.runtime, run_id)
    events = run.spec.events()
    if body.name not in events:
        raise ConfigurationError(f"run {run.id} waits for no event {body.name!r}; its events are: {', '.join(sorted(events)) or 'none'}")
    return _told(call, call.runtime.store.run(run.id), workflow_signals.send(call.runtime, run.id, body.name, body.data))


def cancel(call: Call, run_id: str) -> RunData:
    """Cancel a run, wherever it is executed; one that another process executes is cancelled a moment later."""
    return run_data(call.runtime.cancel(run_id))


def _told(call: Call, run: Run, alone: bool) -> Told:
    if alone:
        go_on(call, workflow_runs.root(call.runtime, call.runtime.store.run(run.id)))
    return Told(resumed=alone)
