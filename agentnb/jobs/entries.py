"""The jobs that a scheduler watches: what it must know of each, and no more, since there may be thousands."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agentnb.jobs import documents, schedule
from agentnb.jobs.catalog import is_job_file
from agentnb.jobs.schedule import Misfire, NotASchedule
from agentnb.jobs.spec import JobSpec
from agentnb.ports.store import Event, Trigger

COMPLETED = "job.completed"


@dataclass(slots=True)
class Entry:
    """One watched job.

    Attributes:
        types: Types of events that may start it.
        cursor: Position of its newest firing, or None before it is registered.
        next: When it is due next, in seconds since the epoch.
        completed: Of the jobs that it depends on: the place in the journal where each was last completed.
    """

    name: str
    file: Path
    cron: str
    timezone: str
    misfire: Misfire
    grace: float
    overlap: str
    types: tuple[str, ...] = ()
    where: Mapping[str, Any] = field(default_factory=dict)
    depends_on: tuple[str, ...] = ()
    cursor: float | None = None
    next: float = float("inf")
    completed: dict[str, int] = field(default_factory=dict)

    @property
    def trigger(self) -> Trigger:
        return "cron" if self.cron else "event"

    def plan_after(self, moment: float) -> None:
        """Find out when it is due next."""
        self.next = schedule.following(self.cron, self.timezone, moment) if self.cron else float("inf")

    def starts_with(self, event: Event) -> bool:
        """Whether this event, the newest so far, starts it."""
        if self.cursor is not None and event.seq <= self.cursor:
            return False
        if not self.depends_on:
            return event.type in self.types and all(_value(event.data, key) == value for key, value in self.where.items())
        if event.type != COMPLETED or event.data.get("job_name") not in self.depends_on:
            return False
        self.completed[str(event.data["job_name"])] = event.seq
        return all(self.completed.get(name, 0) > (self.cursor or 0) for name in self.depends_on)


class Entries:
    """The watched jobs of a folder, by name; what has changed is read again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.by_name: dict[str, Entry] = {}
        self._seen: dict[str, tuple[int, int]] = {}
        self._names: dict[str, str] = {}
        self._refused: set[str] = set()

    def changes(self) -> tuple[list[Entry], list[str], list[str]]:
        """Jobs that are new or changed, names of those that are gone, and what is wrong."""
        fresh: list[Entry] = []
        problems: list[str] = []
        files = _marks(self.folder)
        gone = [self._names.pop(file) for file in [*self._seen] if file not in files and file in self._names]
        changed = sorted(file for file, mark in files.items() if self._seen.get(file) != mark)
        self._seen = files
        for name in gone:
            self.by_name.pop(name, None)
        self._refused.intersection_update(files)
        for file in [*changed, *sorted(self._refused.difference(changed))]:
            found = self._read(Path(file), problems)
            if found is not None:
                fresh.append(found)
        return fresh, gone, problems

    def _read(self, file: Path, problems: list[str]) -> Entry | None:
        told = str(file) in self._refused
        self._refused.discard(str(file))
        before = self._names.pop(str(file), "")
        known = self.by_name.pop(before, None) if before else None
        spec = documents.quick(file)
        if spec is None:
            problems.append(f"{file}: it can't be scheduled: `agentnb jobs validate` says why")
            return None
        if spec.name in self.by_name:
            if not told:
                problems.append(f"{file}: {self.by_name[spec.name].file.name} has the name {spec.name!r} already")
            self._refused.add(str(file))
            return None
        try:
            entry = _entry(spec, file)
        except NotASchedule as error:
            problems.append(f"{file}: {error}")
            return None
        if entry is None:
            return None
        if known is not None and known.trigger == entry.trigger and known.name == entry.name:
            entry.cursor = known.cursor
        self._names[str(file)] = spec.name
        self.by_name[spec.name] = entry
        return entry

    def __iter__(self) -> Any:
        return iter(self.by_name.values())

    def event_types(self) -> list[str]:
        """All types of events that may start a job."""
        return sorted({name for entry in self.by_name.values() for name in entry.types})


def _entry(spec: JobSpec, file: Path) -> Entry | None:
    """What is to be watched of a job; None where nothing starts it but people."""
    times = spec.schedule
    cron = times.cron if times and times.cron else ""
    if cron and times:
        schedule.check(cron, times.timezone)
    types: Iterable[str] = (spec.on_event.type,) if spec.on_event else (COMPLETED,) if spec.depends_on else ()
    if not cron and not types:
        return None
    return Entry(
        spec.name,
        file,
        cron,
        times.timezone if times else "UTC",
        times.misfire if times else "run_once",
        times.grace if times else 60.0,
        spec.overlap,
        tuple(types),
        spec.on_event.where if spec.on_event else {},
        spec.depends_on,
    )


def _marks(folder: Path) -> dict[str, tuple[int, int]]:
    """The job files of a folder, each with what changes when it does."""
    try:
        with os.scandir(folder) as found:
            return {entry.path: _mark(entry) for entry in found if is_job_file(entry.name) and entry.is_file()}
    except OSError:
        return {}


def _mark(entry: os.DirEntry[str]) -> tuple[int, int]:
    found = entry.stat()
    return found.st_mtime_ns, found.st_size


def _value(data: Mapping[str, Any], path: str) -> Any:
    found: Any = data
    for part in path.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found
