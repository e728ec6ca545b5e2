"""Tool steps: a registered function, or one of a module."""

from __future__ import annotations

import threading
from typing import Any

from agentnb.agents.tools import Context, ToolError
from agentnb.errors import AgentNBError
from agentnb.policy import Check
from agentnb.workflows.functions import Function
from agentnb.workflows.kinds.call import Call, Question, Result, StepFailed


class ToolStep:
    """Calls a function of this workflow, in this process or in one of its own."""

    async def run(self, call: Call) -> Result:
        function = call.functions[call.action.tool or ""]
        given = call.secret(call.input) if '"secret:' in call.text else call.input
        try:
            arguments = function.bind(given)
        except ToolError as error:
            raise StepFailed(str(error), retryable=False) from None
        await permit(call, Check("tool_call", call.text, call.workflow, function.name, _facts(function)))
        if call.action.executor == "process":
            return Result(await call.host.executor("process").call(function.target, arguments))
        try:
            return Result(await function.call(arguments, _context(call)))
        except (AgentNBError, TimeoutError):
            raise
        except Exception as error:
            raise StepFailed(f"{function.name} raised {type(error).__name__}: {error}") from error


async def permit(call: Call, check: Check) -> None:
    """Ask the policy, and a person where it says so.

    Raises:
        PolicyDenied: The policy refuses.
        StepFailed: The person does.
    """
    decision = call.policy.enforce(check)
    if decision.verdict == "allow":
        return
    reply = await call.wait(Question("approval", f"Run {check.tool}? {decision.reason}", shown=call.input))
    if reply.verdict != "approve":
        raise StepFailed(f"{reply.by or 'somebody'} rejected the call of {check.tool}{f': {reply.note}' if reply.note else ''}", retryable=False)


def _facts(function: Function) -> dict[str, Any]:
    return {"declared": True, "approval": function.approval, "effects": function.effects}


def _context(call: Call) -> Context[Any]:
    return Context(None, call.run_id, call.workflow, "", "", call.user, call.step_id, threading.Event())
