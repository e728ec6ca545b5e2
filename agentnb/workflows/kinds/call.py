"""The boundary between the executors and the kinds of steps: what a kind is given, what it gives back, how it fails, whom it may ask."""

from __future__ import annotations

import os
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol

from agentnb import secrets
from agentnb.errors import ExecutionError
from agentnb.policy import PolicyEngine
from agentnb.ports.store import Event
from agentnb.workflows.callables import Function
from agentnb.workflows.spec import Action, Escalation

_SECRET = re.compile(r"\bsecret:([A-Za-z_][A-Za-z0-9_]*)")


class StepFailed(ExecutionError):
    """An attempt at a step failed.

    Attributes:
        retryable: Whether another attempt may succeed.
        retry_after: Seconds that the other side asked to wait, or None.
    """

    def __init__(self, message: str, *, retryable: bool = True, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retryable = retryable
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class Question:
    """What a run waits for, perhaps for days.

    Attributes:
        kind: ``human`` (a step of its own), ``approval`` (a tool needs one), ``interrupted`` (a step was in flight when its process
            died: retry, skip or fail), ``callback`` (another system answers), ``child`` (the run that the step started waits itself).
        form: JSON Schema of the answer's data, or None.
        shown: What the person should see beside the prompt: the step's input.
        timeout: Seconds, or None for no end.
    """

    kind: Literal["human", "approval", "interrupted", "callback", "child"]
    prompt: str
    form: Mapping[str, Any] | None = None
    shown: Any = None
    assignee: str = ""
    timeout: float | None = None
    on_timeout: Literal["approve", "reject", "fail"] = "fail"
    escalate: tuple[Escalation, ...] = ()

    @property
    def verdicts(self) -> tuple[str, ...]:
        """What may be answered."""
        return {"interrupted": ("retry", "skip", "fail"), "callback": ("approve",), "child": ("approve",)}.get(
            self.kind, ("approve", "reject")
        )


@dataclass(frozen=True, slots=True)
class Reply:
    """What was answered."""

    verdict: str
    data: Any = None
    by: str = ""
    note: str = ""


_FREE: Mapping[str, Any] = {}


class Result(NamedTuple):
    """What a step came to; ``usage`` holds tokens and cost, where there are any."""

    output: Any
    outcome: str = "completed"
    usage: Mapping[str, Any] = _FREE


@dataclass(slots=True)
class Call:
    """One attempt at a step.

    Attributes:
        place: Where the step stands in the workflow: the step ID without the item or the visit.
        input: The step's input, its expressions resolved; ``text`` is the same as JSON.
        parts: Resolved templates by their field: ``human.prompt``, ``webhook.url``, ``shell.env`` …
        folder: Where relative paths start: the folder of the workflow's file.
        functions: Those that the workflow's tool steps name.
        child: ID that a run started by this step has, also when the step is tried again after a crash.
        continued: Whether an earlier process had begun this attempt.
        pending: What the step was waiting for when an earlier process left it, or None.
        host: The runtime, for kinds that start runs or use its executors.
        idempotency_key: The same for every attempt at this step.
        emit: Writes an event in the run's next transaction.
        ask: Waits for an answer; see ``wait``.
    """

    run_id: str
    workflow: str
    user: str
    step_id: str
    place: str
    attempt: int
    action: Action
    input: Any
    text: str
    parts: Mapping[str, Any]
    folder: Path
    functions: Mapping[str, Function]
    policy: PolicyEngine
    host: Any
    child: str
    continued: bool
    emit: Callable[[Event], None]
    ask: Callable[[Question], Awaitable[Reply]]
    pending: Mapping[str, Any] | None = None

    @property
    def idempotency_key(self) -> str:
        return f"{self.run_id}:{self.step_id}"

    async def wait(self, question: Question) -> Reply:
        """Ask, and wait for the answer; the attempt's time-out stands still meanwhile.

        Raises:
            StepFailed: Nobody answered in time, and the question says that this is a failure.
        """
        return await self.ask(question)

    def secret(self, value: Any) -> Any:
        """The value with every ``secret:NAME`` in its texts replaced by the environment's; that is masked wherever agentnb writes.

        Raises:
            StepFailed: It is not set.
        """
        if isinstance(value, str):
            return _SECRET.sub(lambda match: _secret(match[1]), value) if "secret:" in value else value
        if isinstance(value, Mapping):
            return {key: self.secret(item) for key, item in value.items()}
        return [self.secret(item) for item in value] if isinstance(value, list) else value


class Kind(Protocol):
    """Runs steps of one kind; found by the table ``agentnb.steps``."""

    async def run(self, call: Call) -> Result:
        """Run one attempt.

        Raises:
            StepFailed: It failed. Every other exception counts as one that may be retried.
            PolicyDenied: The policy refuses it.
        """
        ...


def _secret(name: str) -> str:
    value = os.environ.get(name, "")
    if not value:
        raise StepFailed(f"the secret {name} is not set in the environment", retryable=False)
    secrets.learn(value)
    return value
