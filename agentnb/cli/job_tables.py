"""Jobs and their times as tables."""

from __future__ import annotations

import heapq
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from agentnb.jobs import schedule
from agentnb.jobs.catalog import Catalog
from agentnb.jobs.spec import JobSpec
from agentnb.notebook.formats import ago
from agentnb.notebook.tables import Table
from agentnb.ports.store import Run
from agentnb.runtime.runtime import current

_WRONG = "the file is wrong: agentnb jobs validate"


def jobs_table(catalog: Catalog) -> Table:
    """The jobs of a folder: what starts them, the next time, the last run; and files that are no jobs."""
    runtime = current()
    data: list[dict[str, Any]] = []
    for file in catalog.files:
        spec = catalog.specs.get(file)
        if spec is None:
            data.append({"name": file.stem, "file": str(file), "starts": _WRONG, "next": None, "last": None})
            continue
        due = _next(spec)
        last = next(iter(runtime.runs(kind="job", name=spec.name, limit=1)), None)
        data.append(
            {
                "name": spec.name,
                "file": str(file),
                "starts": _WRONG if spec.schedule and spec.schedule.cron and due is None else starts(spec),
                "next": due,
                "last": _last(last),
                "description": spec.description,
            }
        )
    rows = [(row["name"], row["starts"], _short(row["next"]), _told(row["last"]), str(row.get("description", ""))[:60]) for row in data]
    return Table(
        ("job", "starts", "next", "last run", "description"),
        tuple(rows),
        tuple(data),
        f"No jobs in {catalog.folder}: write one (`agentnb jobs schema` says what it may hold), or name another folder with --dir",
    )


def firings_table(catalog: Catalog, name: str, count: int) -> Table:
    """The next times of a job, or of all."""
    specs = [spec for spec in catalog.specs.values() if name in ("", spec.name) and spec.schedule and spec.schedule.cron]
    found = heapq.nsmallest(count, (item for spec in specs for item in _first(spec, count)))
    data = [{"name": job, "at": _local(moment, zone), "at_utc": _local(moment, "UTC")} for moment, job, zone in found]
    rows = [(row["name"], row["at"], row["at_utc"]) for row in data]
    return Table(("job", "at", "UTC"), tuple(rows), tuple(data), "Nothing is scheduled: give a job schedule: {cron: …}")


def starts(spec: JobSpec) -> str:
    """What starts a job, in words."""
    if spec.schedule and spec.schedule.cron:
        return f"{spec.schedule.cron} {spec.schedule.timezone}"
    if spec.on_event:
        return f"event {spec.on_event.type}"
    return f"after {', '.join(spec.depends_on)}" if spec.depends_on else "by hand"


def _first(spec: JobSpec, count: int) -> Iterator[tuple[float, str, str]]:
    assert spec.schedule is not None  # noqa: S101
    assert spec.schedule.cron is not None  # noqa: S101
    try:
        for _, moment in zip(range(count), schedule.times(spec.schedule.cron, spec.schedule.timezone, time.time()), strict=False):
            yield moment, spec.name, spec.schedule.timezone
    except schedule.NotASchedule:
        return


def _next(spec: JobSpec) -> str | None:
    if not spec.schedule or not spec.schedule.cron:
        return None
    found = next(_first(spec, 1), None)
    return _local(found[0], found[2]) if found else None


def _local(moment: float, zone: str) -> str:
    return datetime.fromtimestamp(moment, UTC).astimezone(ZoneInfo(zone)).isoformat(timespec="seconds")


def _last(run: Run | None) -> dict[str, Any] | None:
    return {"id": run.id, "status": run.status, "reason": run.reason, "started_at": run.created_at} if run else None


def _told(last: dict[str, Any] | None) -> str:
    return f"{last['status']} {ago(last['started_at'])}" if last else ""


def _short(moment: str | None) -> str:
    return moment[:16].replace("T", " ") if moment else ""
