"""One run of a job in the store: its row, its events, and how it ends, whatever happens."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from agentnb.agents.identity import new_run_id
from agentnb.errors import AgentNBError, RunNotFound, StoreError, described
from agentnb.ports.store import Definition, Event, Fence, Firing, FiringChange, Record, Run, RunChange, now
from agentnb.runtime import job_runs
from agentnb.runtime.agent_runs import classified
from agentnb.runtime.owner import LEASE_SECONDS, this_process

if TYPE_CHECKING:
    from agentnb.runtime.runtime import Runtime

Listener = Callable[[Event], None]
_KEPT = 10_000
_SUMMED = ("input_tokens", "output_tokens", "cached_tokens", "model_calls", "tool_calls", "replayed")


class JobJournal:
    """Writes what a run of a job does, under its fence.

    What can't be written, as on a full disk, is kept and written with what comes next: a run isn't ended by a lost line of its journal.

    Attributes:
        run: As it was begun.
    """

    def __init__(self, runtime: Runtime, run: Run, listener: Listener | None = None) -> None:
        self.runtime = runtime
        self.run = run
        self.listener = listener
        self._unwritten: list[Record] = []
        self._started = time.monotonic()

    @classmethod
    def begin(
        cls,
        runtime: Runtime,
        name: str,
        given: Mapping[str, Any],
        *,
        run_id: str = "",
        definition: Definition | None = None,
        firing: Firing | None = None,
        listener: Listener | None = None,
        **details: Any,
    ) -> JobJournal:
        """Write that a run has begun, or that one has which was queued; ``details`` are fields of its ``job.started``.

        Raises:
            StoreError: The store can't be written, or a run of that ID has begun already.
            LeaseLost: It was queued, and cancelled.
        """
        queued = _queued(runtime, run_id) if run_id and firing is None else None
        if queued is not None:
            return cls._begin(runtime, queued, given, definition, listener, details)
        run = Run(
            id=run_id or new_run_id("job"),
            kind="job",
            name=name,
            status="running",
            definition=definition.hash if definition else "",
            user=runtime.settings.user,
            input=dict(given),
            owner=this_process(),
            lease_until=time.time() + LEASE_SECONDS,
            attempt=1,
            created_at=now(),
        )
        journal = cls(runtime, run, listener)
        event = journal.event("job.started", "running", input_data=given, versions=dict(versions()), **details)
        fired = [FiringChange(firing, {"status": "started", "run_id": run.id})] if firing else []
        runtime.store.write(*([definition] if definition else []), run, event, *fired)
        journal._tell(event)
        return journal

    @classmethod
    def _begin(
        cls,
        runtime: Runtime,
        queued: Run,
        given: Mapping[str, Any],
        definition: Definition | None,
        listener: Listener | None,
        details: Mapping[str, Any],
    ) -> JobJournal:
        """Take over a run that was queued."""
        run = runtime.store.claim(queued.id, this_process(), time.time() + LEASE_SECONDS, expect_attempt=queued.attempt)
        fields: dict[str, Any] = {"status": "running", "definition": definition.hash if definition else "", "input": dict(given)}
        journal = cls(runtime, replace(run, **fields), listener)
        event = journal.event("job.started", "running", input_data=given, versions=dict(versions()), **details)
        records = [definition] if definition else []
        runtime.store.write(*records, RunChange(run.id, fields), event, fence=Fence(run.id, run.attempt))
        journal._tell(event)
        return journal

    def event(self, type_: str, status: str, *, step_id: str = "", milliseconds: float = 0.0, **data: Any) -> Event:
        """An event of this run."""
        return job_runs.event(self.run, type_, status, step_id=step_id, milliseconds=milliseconds, **data)

    def note(self, event: Event, *records: Record) -> None:
        """Write an event, and tell the listener of it; what can't be written now is written later.

        Raises:
            LeaseLost: Another process has taken the run over.
        """
        self._unwritten += [event, *records]
        self._flush()
        self._tell(event)

    def finish(self, error: BaseException | None, output: Mapping[str, Any], firing: Firing | None = None) -> Run:
        """Write how it ended.

        Raises:
            StoreError: It can't be written.
        """
        status, reason = classified(error) if error is not None else ("completed", "")
        usage = self.usage()
        fields: dict[str, Any] = {
            "status": status,
            "reason": reason,
            "error": described(error) if error is not None else None,
            "output": dict(output),
            "owner": "",
            "lease_until": 0.0,
            "ended_at": now(),
            "usage": usage,
        }
        if isinstance(error, AgentNBError):
            error.run_id, error.usage = self.run.id, usage
        kind = "job.completed" if status == "completed" else "job.failed"
        event = self.event(
            kind, status, milliseconds=self.milliseconds, reason=reason, error=fields["error"], output_data=dict(output), usage=usage
        )
        ended = [FiringChange(firing, {"status": "ended", "lease_until": 0.0})] if firing else []
        self._unwritten += [event, RunChange(self.run.id, fields), *ended]
        self._flush(patient=False)
        self._tell(event)
        self.run = replace(self.run, **fields)
        return self.run

    @property
    def milliseconds(self) -> float:
        return (time.monotonic() - self._started) * 1000

    def usage(self) -> dict[str, Any]:
        """What the agents that it ran have used."""
        total: dict[str, Any] = dict.fromkeys(_SUMMED, 0) | {"cost": 0.0}
        try:
            found = self.runtime.store.runs(kind="agent", job=self.run.id, limit=100_000)
        except StoreError:
            return {}
        for run in found:
            for key in _SUMMED:
                total[key] += run.usage.get(key) or 0
            cost = run.usage.get("cost", 0.0)
            total["cost"] = None if total["cost"] is None or cost is None else total["cost"] + cost
        return total

    def _flush(self, *, patient: bool = True) -> None:
        try:
            self.runtime.store.write(*self._unwritten, fence=Fence(self.run.id, self.run.attempt))
            self._unwritten.clear()
        except StoreError:
            if not patient or len(self._unwritten) > _KEPT:
                raise

    def _tell(self, event: Event) -> None:
        if self.listener is not None:
            self.listener(event)


def _queued(runtime: Runtime, run_id: str) -> Run | None:
    try:
        found = runtime.store.run(run_id)
    except RunNotFound:
        return None
    return found if found.status == "queued" and found.kind == "job" else None


@cache
def versions() -> Mapping[str, str]:
    """What runs here: agentnb, Python, papermill and the kernel's package."""
    found = {"python": sys.version.split()[0]}
    for name, package in (("agentnb", "jupyter-agentnb"), ("papermill", "papermill"), ("ipykernel", "ipykernel")):
        try:
            found[name] = version(package)
        except PackageNotFoundError:
            continue
    return found
