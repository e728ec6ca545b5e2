"""Tool steps: a registered function, or one of a module."""

from __future__ import annotations

import asyncio
import threading
from copy import deepcopy
from functools import partial
from typing import Any

from agentnb.agents.tools import Context, ToolError
from agentnb.errors import AgentNBError
from agentnb.policy import Check
from agentnb.ports import executor
from agentnb.workflows.kinds.call import Call, Question, Result, StepFailed


class ToolStep:
    """Calls a function of this workflow, in this process or in one of its own."""

    async def run(self, call: Call) -> Result:
        function = call.functions[call.action.tool or ""]
        given = call.secret(call.input) if "secret:" in call.text else deepcopy(call.input)
        try:
            arguments = function.bind(given)
        except ToolError as error:
            raise StepFailed(str(error), retryable=False) from None
        outline = function.outline(call.input, call.text)
        decision = call.policy.enforce(Check("tool_call", outline, call.workflow, function.name, function.facts))
        if decision.verdict == "ask":
            await approved(call, function.name, decision.reason)
        try:
            if call.action.executor == "process":
                if function.wants_context:
                    raise StepFailed(f"{function.name} takes a context, which stays in this process: use executor: thread", retryable=False)
                return Result(await executor.call(call.host.executor("process"), function.target, arguments))
            return Result(await function.call(arguments, partial(_context, call)))
        except (AgentNBError, TimeoutError, KeyboardInterrupt):
            raise
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            raise StepFailed(f"{function.name} cancelled itself") from None
        except BaseException as error:
            raise StepFailed(f"{function.name} raised {type(error).__name__}: {error}") from error


async def approved(call: Call, what: str, reason: str) -> None:
    """Ask a person, as the policy wants it.

    Raises:
        StepFailed: The person rejects it.
    """
    reply = await call.wait(Question("approval", f"Run {what}? {reason}", shown=call.input))
    if reply.verdict != "approve":
        raise StepFailed(f"{reply.by or 'somebody'} rejected the call of {what}{f': {reply.note}' if reply.note else ''}", retryable=False)


def _context(call: Call) -> Context[Any]:
    return Context(None, call.run_id, call.workflow, "", "", call.user, call.step_id, threading.Event())
