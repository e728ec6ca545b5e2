"""Gets a tool call approved: by a person in front of a surface, by a signal from elsewhere, or by the policy."""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

from agentnb.agents.execution import Answer, Approval
from agentnb.agents.trace import Identity, Step
from agentnb.errors import PolicyDenied
from agentnb.policy.rules import PolicySettings
from agentnb.ports.store import Event, RunChange
from agentnb.runtime.journal import RunJournal
from agentnb.runtime.watch import ActiveRun

UNAVAILABLE = "approval_unavailable"
"""Reason code of a refusal because nobody was there."""


class Presenter(Protocol):
    """A surface with a person in front of it."""

    def present(self, approval: Approval, seconds: float) -> None:
        """Show the question, and return at once; the answer comes through ``Runtime.answer``. It is void after ``seconds``."""
        ...


class Elsewhere:
    """Shows nothing here: somebody watches the run in the journal, and answers from there."""

    def present(self, approval: Approval, seconds: float) -> None:
        """The question is in the journal."""


class RunApprover:
    """Asks for one run; ``presenter`` is None where nobody is there."""

    def __init__(
        self, run: ActiveRun, journal: RunJournal, identity: Identity, settings: PolicySettings, presenter: Presenter | None
    ) -> None:
        self._run = run
        self._journal = journal
        self._identity = identity
        self._settings = settings
        self._presenter = presenter
        self._open = 0

    async def ask(self, approval: Approval) -> Answer:
        """The answer.

        Raises:
            PolicyDenied: Nobody is there to ask, and the policy doesn't decide otherwise.
        """
        answers = self._run.answers(f"answer:{approval.step_id}")
        given = _matching(answers, approval)
        if given is not None:
            return given
        if self._presenter is None and self._settings.without_user == "approve" and approval.code != "interrupted":
            return Answer("approve", by="policy", note="policy.without_user = approve")
        if self._presenter is None and self._settings.without_user == "deny":
            if self._journal.resumed:
                self._journal.write(self._requested(approval))
            raise PolicyDenied("tool_call", UNAVAILABLE, _unavailable(approval))
        return await self._wait(approval, answers)

    async def _wait(self, approval: Approval, answers: asyncio.Queue[Any]) -> Answer:
        self._open += 1
        self._journal.write(self._requested(approval), RunChange(self._identity.run_id, {"status": "waiting"}))
        try:
            if self._presenter is not None:
                self._presenter.present(approval, self._settings.approval_timeout)
            async with asyncio.timeout(self._settings.approval_timeout):
                while True:
                    payload = await answers.get()
                    if _belongs(payload, approval):
                        return parse_answer(payload)
        except TimeoutError:
            return Answer("deny", by="policy", note=f"nobody answered within {self._settings.approval_timeout:g} s")
        finally:
            self._open -= 1
            if not self._open:
                self._journal.write(RunChange(self._identity.run_id, {"status": "running"}))

    def _requested(self, approval: Approval) -> Event:
        step = Step(approval.step_id, "approval", approval.tool, "waiting", input=dict(approval.arguments), input_hash=approval.input_hash)
        return self._identity.event(
            "agent.approval_requested",
            status="waiting",
            input_data=step.input,
            step=step,
            kind="approval",
            name=approval.tool,
            started_ms=0.0,
            reason=approval.reason,
            code=approval.code,
            effects=approval.effects,
        )


def _matching(answers: asyncio.Queue[Any], approval: Approval) -> Answer | None:
    """An answer to just this question that has come already."""
    while not answers.empty():
        payload = answers.get_nowait()
        if _belongs(payload, approval):
            return parse_answer(payload)
    return None


def _belongs(payload: Any, approval: Approval) -> bool:
    """Whether an answer is one to this question: the same call with the same arguments."""
    return isinstance(payload, dict) and payload.get("input_hash") == approval.input_hash


def _unavailable(approval: Approval) -> str:
    return (
        f"{approval.tool} needs an approval and nobody is here to give it: run it in JupyterLab, "
        "or set policy.without_user to wait or approve in agentnb.toml"
    )


def parse_answer(payload: Any) -> Answer:
    """The answer in a signal's payload; anything but a clear approval is a denial."""
    data = payload if isinstance(payload, dict) else {}
    arguments = data.get("arguments")
    sound = arguments is None or isinstance(arguments, dict)
    return Answer(
        "approve" if data.get("verdict") == "approve" and sound else "deny",
        arguments if isinstance(arguments, dict) else None,
        str(data.get("by", "")),
        str(data.get("note", "")),
    )
