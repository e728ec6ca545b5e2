"""Steps that start runs of their own: agents and sub-workflows."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from agentnb.agents.content import as_prompt
from agentnb.errors import RunNotFound
from agentnb.ports.store import FINAL, Run
from agentnb.runtime import agent_runs
from agentnb.runtime.agent_runs import RunOptions
from agentnb.runtime.results import AgentResult
from agentnb.workflows.dag import Suspended
from agentnb.workflows.kinds.call import Call, Question, Result, StepFailed

if TYPE_CHECKING:
    from agentnb.runtime.workflow_runs import Host


class AgentStep:
    """Executes an agent. Output: ``{text, data, usage}``; ``data`` is the structured output, or None."""

    async def run(self, call: Call) -> Result:
        host: Host = call.host
        pinned = host.ready.agents[call.action.agent or ""]
        options = RunOptions(
            workflow_id=call.run_id, workflow_step=call.step_id, run_id=call.child, record=host.options.record, replay=host.options.replay
        )
        begun = _begun(call)
        if begun is None:
            result = await agent_runs.execute(host.runtime, pinned.spec, pinned.record, _prompt(call.input), options)
        elif begun.status in FINAL:
            result = host.runtime.result(begun.id)
            if result.status != "completed":
                raise StepFailed(f"the run {begun.id} of its agent {result.status}: {(result.error or {}).get('message', '')}")
        else:
            result = await agent_runs.resume(host.runtime, begun.id, options)
        return Result(_output(result), usage=result.usage)


class WorkflowStep:
    """Runs a sub-workflow. Output: its outputs."""

    async def run(self, call: Call) -> Result:
        from agentnb.runtime import workflow_runs

        host: Host = call.host
        ready = host.ready.workflows[call.place]
        while True:
            try:
                begun = _begun(call)
                if begun is None:
                    run = await workflow_runs.execute(
                        host.runtime, ready, call.input or {}, host.options, run_id=call.child, parent=call.run_id, claims=host.claims
                    )
                elif begun.status in FINAL:
                    run = workflow_runs.get(host.runtime, begun.id)
                    if run.status != "completed":
                        raise StepFailed(f"its run {begun.id} {run.status}: {(run.error or {}).get('message', '')}")
                else:
                    run = await workflow_runs.go_on(host.runtime, begun, ready, host.options, host.claims)
                return Result(run.outputs, usage=run.usage)
            except Suspended as waiting:
                due = max(waiting.wake_at - time.time(), 0.01) if waiting.wake_at else None
                await call.wait(
                    Question("child", f"the run {call.child} waits", shown=None, timeout=due, on_timeout="approve"),
                )


def _begun(call: Call) -> Run | None:
    """The run that the step has started already, where it has."""
    try:
        return call.host.runtime.store.run(call.child)  # type: ignore[no-any-return]
    except RunNotFound:
        return None


def _prompt(value: Any) -> str:
    """Text as it is; a mapping with nothing but a text or a prompt is that; everything else as JSON."""
    if isinstance(value, Mapping) and len(value) == 1:
        only = next(iter(value))
        if only in ("text", "prompt") and isinstance(value[only], str):
            return str(value[only])
    return as_prompt(value if value is not None else "")


def _output(result: AgentResult) -> dict[str, Any]:
    data = result.output
    if hasattr(data, "model_dump"):
        data = data.model_dump(mode="json")
    return {"text": result.text, "data": None if data == result.text else data, "usage": dict(result.usage)}
