"""Which output notebooks are kept, and with them logs: older ones are removed after a run; the store keeps the runs themselves."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from agentnb.jobs import logs
from agentnb.jobs.spec import Retention
from agentnb.ports.store import FINAL, Run

if TYPE_CHECKING:
    from agentnb.runtime.runtime import Runtime

_MOST = 10_000


def prune(runtime: Runtime, name: str, retention: Retention) -> list[str]:
    """Remove outputs and logs that are to be kept no longer; the outputs that were removed.

    What lies in a bucket is left to the bucket's own rules.
    """
    removed: list[str] = []
    kept: set[str] = set()
    runs = [run for run in runtime.store.runs(kind="job", name=name, limit=_MOST) if run.status in FINAL]
    for place, run in enumerate(runs):
        file = _file(run)
        if not _expired(run, place, retention):
            kept.add(file)
            continue
        logs.remove(runtime, run.id)
        if file and file not in kept and "://" not in file:
            with suppress(OSError):
                Path(file).unlink()
                removed.append(file)
    return removed


def _expired(run: Run, place: int, retention: Retention) -> bool:
    if retention.runs is not None and place >= retention.runs:
        return True
    age = (datetime.now(UTC) - datetime.fromisoformat(run.created_at)).total_seconds()
    return retention.age is not None and age > retention.age


def _file(run: Run) -> str:
    return str(run.output.get("notebook", "")) if isinstance(run.output, dict) else ""
