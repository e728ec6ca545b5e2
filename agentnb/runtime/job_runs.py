"""Runs of jobs, as far as every surface must know them: their events, and the end of those whose process is gone."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from agentnb.agents.identity import new_run_id
from agentnb.errors import AgentNBError, ExecutionCancelled, LeaseLost, described
from agentnb.ports.store import Event, Fence, FiringChange, Reason, Run, RunChange, now
from agentnb.runtime.agent_runs import classified
from agentnb.runtime.owner import LEASE_SECONDS, is_dead, last_sign, this_process

if TYPE_CHECKING:
    from agentnb.runtime.runtime import Runtime


class ProcessLost(AgentNBError):
    """The process of a job is gone, and has not said how it ended."""


def queue(runtime: Runtime, name: str, given: dict[str, Any], *, user: str = "") -> Run:
    """Write down that a job is to be run, by the process that begins the run of that ID; until one does, it belongs to this one.

    Args:
        runtime: Where.
        name: Of the job.
        given: ``parameters``, ``trigger`` and, to go on with a run, ``resume``.
        user: Who asks.
    """
    run = Run(
        id=new_run_id("job"),
        kind="job",
        name=name,
        status="queued",
        user=user or runtime.settings.user,
        input=given,
        owner=this_process(),
        lease_until=time.time() + LEASE_SECONDS,
        created_at=now(),
    )
    runtime.store.write(run, event(run, "job.queued", "queued", input_data=given))
    return run


def event(run: Run, type_: str, status: str, *, step_id: str = "", milliseconds: float = 0.0, **data: Any) -> Event:
    """An event of a job's run."""
    fields = {
        "event_type": type_,
        "timestamp": now(),
        "job_id": run.id,
        "job_name": run.name,
        "user_id": run.user,
        "execution_time_ms": round(milliseconds, 3),
        "status": status,
        **data,
    }
    return Event(type_, fields, run.id, step_id)


def end_ownerless(runtime: Runtime, run: Run, error: AgentNBError | None = None) -> Run | None:
    """End a run whose process is gone, and the firing that it answered: as cancelled, by default; None where somebody else was quicker."""
    error = error or ExecutionCancelled(f"cancelled by {runtime.settings.user}")
    with suppress(LeaseLost):
        last, run = last_sign(run), runtime.claim(run)
        status, reason = classified(error)
        lost: Reason = "lost" if isinstance(error, ProcessLost) else reason
        change = {
            "status": status, "reason": lost, "error": described(error), "owner": "", "lease_until": 0.0,
            "ended_at": last if lost == "lost" else now(),
        }  # fmt: skip
        firings = [found for found in runtime.store.firings(job=run.name, statuses=["started"]) if found.run_id == run.id]
        runtime.store.write(
            event(run, "job.failed", status, reason=lost, error=described(error), output_data=run.output, usage=dict(run.usage)),
            RunChange(run.id, change),
            *(FiringChange(firing, {"status": "ended", "lease_until": 0.0}) for firing in firings),
            fence=Fence(run.id, run.attempt),
        )
        return runtime.store.run(run.id)
    return None


def deleted(run: Run) -> Event:
    """The event of a run that is forgotten; nothing of what it was given or gave is in it."""
    return event(run, "job.run_deleted", "deleted")


def is_lost(runtime: Runtime, run: Run) -> bool:
    """Whether a run's process is surely gone: not where only the clock has jumped past its lease."""
    if runtime.is_alive(run):
        return False
    host = run.owner.partition("/")[0]
    return is_dead(run.owner) or host != this_process().partition("/")[0]
