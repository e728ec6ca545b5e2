"""Gets a tool call approved: by a person in front of a surface, by a signal from elsewhere, or by the policy."""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

from agentnb.agents.execution import Answer, Approval
from agentnb.agents.trace import Identity, Step
from agentnb.errors import PolicyDenied
from agentnb.policy.rules import PolicySettings
from agentnb.ports.store import RunChange
from agentnb.runtime.journal import RunJournal
from agentnb.runtime.watch import ActiveRun


class Presenter(Protocol):
    """A surface with a person in front of it."""

    def present(self, approval: Approval, seconds: float) -> None:
        """Show the question, and return at once; the answer comes through ``Runtime.answer``. It is void after ``seconds``."""
        ...


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
        if self._presenter is None and self._settings.without_user == "deny":
            raise PolicyDenied(
                "tool_call",
                "approval_unavailable",
                f"{approval.tool} needs an approval and nobody is here to give it: run it in JupyterLab, "
                "or set policy.without_user to wait or approve in agentnb.toml",
            )
        if self._presenter is None and self._settings.without_user == "approve" and approval.code != "interrupted":
            return Answer("approve", by="policy", note="policy.without_user = approve")
        return await self._wait(approval)

    async def _wait(self, approval: Approval) -> Answer:
        future = self._run.expect(f"answer:{approval.step_id}")
        step = Step(approval.step_id, "approval", approval.tool, "waiting", input=dict(approval.arguments))
        requested = self._identity.event(
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
        self._open += 1
        self._journal.write(requested, RunChange(self._identity.run_id, {"status": "waiting"}))
        try:
            if self._presenter is not None:
                self._presenter.present(approval, self._settings.approval_timeout)
            payload = await asyncio.wait_for(asyncio.shield(future), self._settings.approval_timeout)
        except TimeoutError:
            return Answer("deny", by="policy", note=f"nobody answered within {self._settings.approval_timeout:g} s")
        finally:
            self._open -= 1
            if not self._open:
                self._journal.write(RunChange(self._identity.run_id, {"status": "running"}))
        return parse_answer(payload)


def parse_answer(payload: Any) -> Answer:
    """The answer in a signal's payload; anything but a clear approval is a denial."""
    data = payload if isinstance(payload, dict) else {}
    arguments = data.get("arguments")
    return Answer(
        "approve" if data.get("verdict") == "approve" else "deny",
        arguments if isinstance(arguments, dict) else None,
        str(data.get("by", "")),
        str(data.get("note", "")),
    )
