"""What a process that is part of a job takes over from the job's earlier runs."""

from __future__ import annotations

import threading
from typing import Any

from agentnb.config import Settings
from agentnb.ports.store import Run, Store
from agentnb.runtime.owner import this_process

_MOST = 10_000


class Continuation:
    """Finds the run whose finished steps a new one may use, each once.

    A resumed job runs its cells again, in a new kernel. What agents and workflows had finished by then is in the journal: a run of the
    same name and input is that one again.

    Attributes:
        job: Run of the job that this process is a part of, or empty.
    """

    def __init__(self, store: Store, settings: Settings) -> None:
        self.job = settings.job
        self._sources = [name for name in settings.resume.split(",") if name]
        self._store = store
        self._used: set[str] = set()
        self._lock = threading.Lock()

    def source(self, kind: str, name: str, given: Any) -> Run | None:
        """The run to go on from; None where this process resumes nothing, or nothing of the kind was run."""
        if not self._sources:
            return None
        with self._lock:
            for job in self._sources:
                for run in self._runs(job, kind, name):
                    if run.id not in self._used and run.owner != this_process() and _asked(run) == _asked_of(kind, given):
                        self._used.add(run.id)
                        return run
        return None

    def _runs(self, job: str, kind: str, name: str) -> list[Run]:
        """Runs of that name in the order to be tried: those that were completed first, then the newest."""
        found = [run for run in self._store.runs(kind=kind, name=name, job=job, limit=_MOST) if not run.parent]
        return sorted(found, key=lambda run: run.status != "completed")


def _asked(run: Run) -> Any:
    return _asked_of(run.kind, run.input)


def _asked_of(kind: str, given: Any) -> Any:
    return given.get("prompt") if kind == "agent" and isinstance(given, dict) else given
