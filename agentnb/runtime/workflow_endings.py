"""How runs of workflows come to rest: suspended, failed, cancelled, forgotten; and with them what their steps had started."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from agentnb.errors import AgentNBError, ExecutionCancelled, LeaseLost, RunNotFound, StoreError, described
from agentnb.ports.store import FINAL, Event, Fence, Run, RunChange, Status, now
from agentnb.runtime import agent_runs
from agentnb.runtime.workflow_results import usage_of
from agentnb.workflows.dag import Suspended
from agentnb.workflows.trace import ENDED, Identity, StepRecord, steps_of

if TYPE_CHECKING:
    from agentnb.runtime.runtime import Runtime


def suspend(runtime: Runtime, run: Run, waiting: Suspended) -> None:
    """Leave a run to whoever goes on with it."""
    change = RunChange(run.id, {"status": "waiting", "owner": "", "lease_until": 0.0, "wake_at": waiting.wake_at})
    event = Identity.of(run).event("workflow.suspended", "waiting", wake_at=waiting.wake_at)
    runtime.store.write(event, change, fence=Fence(run.id, run.attempt), sync=True)


def end(runtime: Runtime, run: Run, error: BaseException, milliseconds: float, records: Mapping[str, StepRecord]) -> None:
    """Write down that it failed, as far as the store can still be written; a run that was taken over is left alone."""
    status, reason = agent_runs.classified(error)
    if isinstance(error, AgentNBError):
        error.run_id = run.id
    event = Identity.of(run).event("workflow.failed", status, reason=reason, error=described(error), execution_time_ms=milliseconds)
    change = RunChange(run.id, {"reason": reason, "error": described(error), **ended(status, usage_of(records) if records else {})})
    with suppress(StoreError, LeaseLost):
        runtime.store.write(event, change, fence=Fence(run.id, run.attempt))
        end_children(runtime, records)


def end_ownerless(runtime: Runtime, run: Run, error: AgentNBError | None = None) -> None:
    """End a run that no process executes, and what it had started: with the error, or as cancelled."""
    run = runtime.claim(run)
    identity = Identity.of(run)
    for record in steps_of(runtime.store.events(run.id)).values():
        if record.status not in ENDED:
            record.status = "cancelled"
            runtime.store.write(identity.step_event(record), fence=Fence(run.id, run.attempt))
            end_children(runtime, {record.id: record})
    end(runtime, run, error or ExecutionCancelled(f"cancelled by {runtime.settings.user}"), 0.0, {})


def end_children(runtime: Runtime, records: Mapping[str, StepRecord]) -> None:
    """End the runs that cancelled steps have started, where these wait by themselves."""
    for record in records.values():
        if record.child and record.status == "cancelled":
            with suppress(RunNotFound):
                child = runtime.store.run(record.child)
                if child.status not in FINAL and not runtime.is_alive(child):
                    (agent_runs.end_ownerless if child.kind == "agent" else end_ownerless)(runtime, child)


def ended(status: Status, usage: Mapping[str, Any]) -> dict[str, Any]:
    """What the row of a run says once it has ended."""
    return {"status": status, "owner": "", "lease_until": 0.0, "wake_at": 0.0, "ended_at": now(), "usage": usage}


def deleted(run: Run) -> Event:
    """The event that a run was forgotten."""
    return Identity.of(run).event("workflow.run_deleted", "deleted")
