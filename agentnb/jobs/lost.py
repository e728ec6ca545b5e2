"""Runs whose process is gone: ended in its stead, cleared away, and told of."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from agentnb.errors import AgentNBError, ConfigurationError, ExecutionError, RunNotFound, StoreError
from agentnb.jobs import documents, notifications, places
from agentnb.jobs.attempt import kernel_folder
from agentnb.jobs.journal import JobJournal, Listener
from agentnb.jobs.spec import JobSpec
from agentnb.ports.store import FINAL, Firing, Run
from agentnb.runtime import job_runs
from agentnb.runtime.owner import is_dead

if TYPE_CHECKING:
    from agentnb.runtime.runtime import Runtime

_MOST = 1_000
_PATIENCE_SECONDS = 2.0


def conclude(runtime: Runtime, firing: Firing, file: Path | None, code: int, said: str) -> Run | None:
    """How the run of a firing has ended whose process has; one that never began is written down as failed."""
    how = f"killed by signal {-code}" if code < 0 else f"exit code {code}"
    try:
        run = runtime.store.run(firing.run_id)
    except RunNotFound:
        return _failed_to_begin(runtime, firing, file, how, said) if code != 0 else None
    if run.status in FINAL or not job_runs.is_lost(runtime, run):
        return run
    return _ended(runtime, run, f"its process ended without a word ({how})")


def end_lost_runs(runtime: Runtime, spare: Collection[str]) -> None:
    """End the runs of jobs whose process is gone, also those that no scheduler has started."""
    for run in runtime.store.runs(kind="job", status="running", limit=_MOST):
        if run.id not in spare and job_runs.is_lost(runtime, run):
            _ended(runtime, run, "its process is gone")


def _ended(runtime: Runtime, run: Run, why: str) -> Run | None:
    mend = f"`agentnb jobs run {run.name} --resume-of {run.id}` goes on after what it had finished"
    ended = job_runs.end_ownerless(runtime, run, job_runs.ProcessLost(f"{why}: {mend}"))
    if ended is not None:
        clear_away(run)
    if ended is not None and run.definition:
        begun = runtime.store.definition(run.definition).spec
        _tell(runtime, ended, documents.quick(Path(begun["file"])) or documents.shape(begun["document"])[0])
    return ended


def clear_away(run: Run) -> None:
    """End what the process of a run has left on this machine: what the kernel had started, and the kernel where it lives on."""
    import psutil

    if not is_dead(run.owner):
        return
    left = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if process.environ().get("AGENTNB_JOB") == run.id:
                left.append(process)
    for process in psutil.wait_procs(left, _PATIENCE_SECONDS)[1]:
        with suppress(psutil.Error):
            process.kill()
    for folder in Path(tempfile.gettempdir()).glob(f"{kernel_folder(run.id)}*"):
        shutil.rmtree(folder, ignore_errors=True)


def _failed_to_begin(runtime: Runtime, firing: Firing, file: Path | None, how: str, said: str) -> Run | None:
    message = f"the job ended before it began ({how}): {said.strip() or 'it said nothing'}"
    error: AgentNBError = ConfigurationError(message) if how == "exit code 2" else ExecutionError(message)
    return never_began(runtime, firing.job, documents.quick(file) if file is not None else None, error, firing)


def never_began(
    runtime: Runtime,
    name: str,
    spec: JobSpec | None,
    error: AgentNBError,
    firing: Firing | None = None,
    listener: Listener | None = None,
) -> Run | None:
    """Write down a run that couldn't begin, and tell of it; None where somebody else has."""
    given: dict[str, object] = {"parameters": {}, "trigger": firing.trigger if firing else "manual"}
    try:
        journal = JobJournal.begin(runtime, name, given, run_id=firing.run_id if firing else "", firing=firing, listener=listener)
        ended = journal.finish(error, {}, firing)
    except StoreError:
        return None
    _tell(runtime, ended, spec, listener)
    return ended


def _tell(runtime: Runtime, ended: Run, spec: JobSpec | None, listener: Listener | None = None) -> None:
    """Send the notifications that the run itself couldn't send."""
    if spec is None:
        return
    given = ended.input if isinstance(ended.input, dict) else {}
    zone = spec.schedule.timezone if spec.schedule else "UTC"
    known = places.values(ended.name, ended.id, time.time(), zone, str(given.get("trigger", "")))
    notifications.tell(runtime, spec, ended, known, JobJournal(runtime, ended, listener))
