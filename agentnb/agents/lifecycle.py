"""The states of an agent and of one execution, and which may follow which."""

from __future__ import annotations

from typing import Literal

from agentnb.errors import IllegalTransition

State = Literal["CREATED", "INITIALIZING", "VALIDATING", "VALIDATED", "READY", "EXECUTING", "COMPLETED", "FAILED", "TERMINATED"]

AGENT: dict[State, frozenset[State]] = {
    "CREATED": frozenset({"INITIALIZING", "TERMINATED"}),
    "INITIALIZING": frozenset({"VALIDATING", "FAILED", "TERMINATED"}),
    "VALIDATING": frozenset({"VALIDATED", "FAILED", "TERMINATED"}),
    "VALIDATED": frozenset({"READY", "TERMINATED"}),
    "READY": frozenset({"TERMINATED"}),
    "FAILED": frozenset({"READY", "INITIALIZING", "TERMINATED"}),
    "TERMINATED": frozenset(),
}
"""An agent is READY while it executes, because it may execute many times at once."""

EXECUTION: dict[State, frozenset[State]] = {
    "READY": frozenset({"EXECUTING"}),
    "EXECUTING": frozenset({"COMPLETED", "FAILED"}),
    "COMPLETED": frozenset({"READY"}),
    "FAILED": frozenset({"READY"}),
}
"""One execution; a cancelled, timed-out or refused one is FAILED with that reason."""

EVENTS: dict[State, str] = {
    "CREATED": "agent.created",
    "INITIALIZING": "agent.initializing",
    "VALIDATING": "agent.validating",
    "VALIDATED": "agent.validated",
    "READY": "agent.ready",
    "EXECUTING": "agent.executing",
    "COMPLETED": "agent.executed",
    "FAILED": "agent.failed",
    "TERMINATED": "agent.terminated",
}


def advance(table: dict[State, frozenset[State]], what: str, old: State, new: State) -> State:
    """The new state, if it may follow the old one.

    Raises:
        IllegalTransition: It may not; the message says what may.
    """
    if new not in table.get(old, frozenset()):
        allowed = ", ".join(sorted(table.get(old, frozenset()))) or "nothing: it is terminated, make a new one"
        raise IllegalTransition(f"{what} is {old} and can't become {new}; from there it can become: {allowed}")
    return new
