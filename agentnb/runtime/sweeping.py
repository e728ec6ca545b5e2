"""Goes on with runs whose time has come, and with those that nobody executes any more."""

from __future__ import annotations

import asyncio
import logging
import time
from functools import lru_cache
from typing import TYPE_CHECKING

from agentnb.errors import LeaseLost, RunNotFound
from agentnb.ports.store import FINAL, Run
from agentnb.runtime import agent_runs, workflow_runs
from agentnb.runtime.workflow_runs import WorkflowOptions, root

if TYPE_CHECKING:
    from agentnb.runtime.runtime import Runtime

_log = logging.getLogger(__name__)


async def sweep(runtime: Runtime, options: WorkflowOptions) -> list[str]:
    """Go on with runs whose timer or deadline is due, and with those whose process died; the IDs of those that were taken.

    Those that other processes take at the same time are left to them.
    """

    async def one(run: Run) -> str:
        try:
            if run.kind == "agent":
                await agent_runs.resume(runtime, run.id)
            else:
                await workflow_runs.resume(runtime, run.id, options)
        except LeaseLost:
            return ""
        except Exception as error:
            if runtime.store.run(run.id).attempt == run.attempt:
                _complain(run.id, f"{type(error).__name__}: {error}")
                return ""
        return run.id

    return [name for name in await asyncio.gather(*map(one, overdue(runtime))) if name]


def overdue(runtime: Runtime) -> list[Run]:
    """The runs that a sweep would take: due, queued by a process that died, or begun by one; of agents only those that were queued.

    What a job has begun is left to the job, until that is completed: resuming the job does it.
    """
    lost = [run for status in ("running", "queued") for run in runtime.store.runs(status=status, limit=1000, whole=False)]
    due = runtime.store.due(time.time(), limit=1000)
    found = [root(runtime, run) for run in [*due, *lost] if run.kind == "workflow" or (run.kind, run.status) == ("agent", "queued")]
    over = {run.id: run for run in found if not runtime.is_alive(run) and run.status not in FINAL}
    return [run for run in over.values() if not run.job or _is_completed(runtime, run.job)]


def _is_completed(runtime: Runtime, job: str) -> bool:
    try:
        return runtime.store.run(job).status == "completed"
    except RunNotFound:
        return True


@lru_cache(1000)
def _complain(run_id: str, problem: str) -> None:
    """Say once why nobody goes on with a run here."""
    _log.warning("can't go on with run %s: %s", run_id, problem)
