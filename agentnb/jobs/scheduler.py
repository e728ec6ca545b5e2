"""The scheduler: watches jobs, claims what is due, and has it started; each firing once, however many schedulers there are.

A firing is a row that can be written once, and names the run that it starts. A run of that ID can begin once. So whoever dies between the
two leaves nothing undone and nothing done twice: another scheduler takes the row over when its owner is gone.
"""

from __future__ import annotations

import heapq
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from agentnb.agents.identity import new_run_id
from agentnb.jobs import schedule
from agentnb.jobs.entries import Entries, Entry
from agentnb.ports.store import Event, Firing, FiringChange, Offer, Run, now
from agentnb.runtime.owner import LEASE_SECONDS, is_dead, this_process

if TYPE_CHECKING:
    from agentnb.runtime.runtime import Runtime

RELOAD_SECONDS = 2.0
ADOPT_SECONDS = 5.0
_OPEN = ("claimed", "queued")
_MOST = 100_000

Clock = Callable[[], float]
Tell = Callable[[dict[str, Any]], None]


class Running(Protocol):
    """A job that was started."""

    def poll(self) -> int | None:
        """Its exit code, once it has one."""
        ...

    def said(self) -> str:
        """The end of what it has said, for people."""
        ...


class Launcher(Protocol):
    """Starts jobs, each in a process of its own."""

    def start(self, firing: Firing, file: Path) -> Running:
        """Start the job of a file for a firing."""
        ...


class Scheduler:
    """One scheduler on one store.

    Args:
        runtime: Its store is shared with the other schedulers, and with the jobs.
        folder: The jobs.
        launcher: Starts them.
        max_parallel: How many at a time.
        tell: Is told of each firing, in words for a log.
        clock: Seconds since the epoch.
    """

    def __init__(
        self,
        runtime: Runtime,
        folder: Path,
        launcher: Launcher,
        *,
        max_parallel: int = 4,
        tell: Tell | None = None,
        clock: Clock = time.time,
    ) -> None:
        self._runtime, self._store, self._launcher = runtime, runtime.store, launcher
        self._entries = Entries(folder)
        self._max_parallel, self._tell, self._clock = max_parallel, tell or (lambda _: None), clock
        self._me = this_process()
        self._fresh: list[Entry] = []
        self._heap: list[tuple[float, str]] = []
        self._ready: deque[Firing] = deque()
        self._running: dict[str, tuple[Firing, Running]] = {}
        self._replaced: set[str] = set()
        self._reloaded = self._adopted = self._renewed = float("-inf")
        self._event_seq: int | None = None

    @property
    def running(self) -> int:
        """How many jobs of this scheduler are going on."""
        return len(self._running)

    def tick(self) -> float:
        """Do all that is to be done now; how many seconds there is time until the next look, at most."""
        moment, steady = self._clock(), time.monotonic()
        if steady - self._reloaded > RELOAD_SECONDS:
            self._reloaded = steady
            self._reload(moment)
        self._fire(moment)
        self._hear()
        self._reap()
        if steady - self._adopted > ADOPT_SECONDS:
            self._adopted = steady
            self._adopt()
        if steady - self._renewed > LEASE_SECONDS / 3:
            self._renewed = steady
            self._store.renew_firings(self._me, time.time() + LEASE_SECONDS)
        self._start()
        return max(self._heap[0][0] - self._clock(), 0.0) if self._heap else 1.0

    def _reload(self, moment: float) -> None:
        fresh, gone, problems = self._entries.changes()
        for problem in problems:
            self._tell({"at": now(), "problem": problem})
        for name in gone:
            self._tell({"at": now(), "job": name, "what": "no longer watched"})
        self._fresh += fresh
        if not self._fresh:
            return
        known = {(firing.job, firing.trigger): firing for firing in self._store.newest_firings()}
        self._register([entry for entry in self._fresh if (entry.name, entry.trigger) not in known], moment)
        for entry in self._fresh:
            if (found := known.get((entry.name, entry.trigger))) is not None:
                entry.cursor = found.position
                self._refuse_double(entry)
            self._plan(entry)
        self._fresh.clear()
        self._event_seq = None

    def _register(self, entries: Sequence[Entry], moment: float) -> None:
        """Write down from when on jobs are watched: what was before is not missed."""
        last = float(self._store.position())
        rows = [
            Firing(entry.name, entry.trigger, moment if entry.cron else last, "watched", note=str(entry.file.resolve()))
            for entry in entries
        ]
        won = self._store.offer([Offer(None, (row,)) for row in rows])
        for entry, row, ours in zip(entries, rows, won, strict=True):
            entry.cursor = row.position if ours else self._newest(entry)

    def _refuse_double(self, entry: Entry) -> None:
        """Leave a job alone whose name another file of this store has: its firings would be taken for one another's."""
        other = self._watched(entry.name)
        if other is not None and other != entry.file.resolve():
            self._entries.by_name.pop(entry.name, None)
            self._tell({"at": now(), "job": entry.name, "problem": f"{entry.file}: {other} has the same name in this store: rename one"})

    def _watched(self, job: str) -> Path | None:
        """The file with which a job was registered, where it is still there."""
        found = next(iter(self._store.firings(job=job, statuses=["watched"], limit=1)), None)
        file = Path(found.note) if found is not None and found.note else None
        return file if file is not None and file.is_file() else None

    def _newest(self, entry: Entry) -> float | None:
        found = self._store.firings(job=entry.name, limit=_MOST)
        return max((firing.position for firing in found if firing.trigger == entry.trigger), default=None)

    def _plan(self, entry: Entry) -> None:
        if entry.cron and entry.cursor is not None and self._entries.by_name.get(entry.name) is entry:
            entry.plan_after(entry.cursor)
            heapq.heappush(self._heap, (entry.next, entry.name))

    def _fire(self, moment: float) -> None:
        """Claim what is due; of what another scheduler has claimed, learn how far it is."""
        due: list[tuple[Entry, Offer]] = []
        while self._heap and self._heap[0][0] <= moment:
            planned, name = heapq.heappop(self._heap)
            entry = self._entries.by_name.get(name)
            if entry is not None and entry.next == planned:
                due += self._offers(entry, moment)
        self._claim(due)

    def _offers(self, entry: Entry, moment: float) -> list[tuple[Entry, Offer]]:
        assert entry.cursor is not None  # noqa: S101
        found = schedule.due(entry.cron, entry.timezone, entry.cursor, moment, misfire=entry.misfire, grace=entry.grace)
        if not found.any:
            self._plan(entry)
            return []
        rows = [self._firing(entry, position) for position in found.fire]
        events: tuple[Event, ...] = ()
        if found.missed:
            events = (_event(entry.name, "job.missed", missed=len(found.missed), first=found.missed[0], last=found.missed[-1]),)
        if not rows:
            rows = [Firing(entry.name, "cron", found.missed[-1], "missed", note=f"{len(found.missed)} missed, misfire: {entry.misfire}")]
        return [(entry, Offer(entry.cursor, tuple(rows), events))]

    def _firing(self, entry: Entry, position: float) -> Firing:
        until = time.time() + LEASE_SECONDS
        return Firing(entry.name, entry.trigger, position, "claimed", new_run_id("job"), self._me, until)

    def _claim(self, offers: Sequence[tuple[Entry, Offer]]) -> None:
        if not offers:
            return
        try:
            won = self._store.offer([offer for _, offer in offers])
            for (entry, offer), ours in zip(offers, won, strict=True):
                if ours:
                    entry.cursor = offer.firings[-1].position
                    self._ready.extend(firing for firing in offer.firings if firing.status == "claimed")
                else:
                    entry.cursor = self._newest(entry)
        finally:
            for entry, _ in offers:
                self._plan(entry)

    def _hear(self) -> None:
        """Claim firings for events of the journal."""
        waiting = [entry for entry in self._entries if entry.types]
        if not waiting:
            return
        if self._event_seq is None:
            self._event_seq = int(min(entry.cursor or 0 for entry in waiting))
        elif self._store.position() == self._event_seq:
            return
        newest = self._store.position()
        events = self._store.events("", self._event_seq, types=self._entries.event_types())
        for event in (event for event in events if event.seq <= newest):
            started = [entry for entry in waiting if entry.starts_with(event)]
            self._claim([(entry, Offer(entry.cursor, (self._firing(entry, float(event.seq)),))) for entry in started])
        self._event_seq = newest

    def _start(self) -> None:
        """Start what is claimed, as far as there is room and the job's own earlier runs allow it; what waits keeps its place."""
        waiting: dict[str, list[Firing]] = {}
        try:
            while self._ready and len(self._running) < self._max_parallel:
                firing = self._ready.popleft()
                entry = self._entries.by_name.get(firing.job)
                if entry is None:
                    self._end(firing, "skipped", "the job is no longer there")
                elif firing.job in waiting:
                    waiting[firing.job].append(firing)
                elif entry.overlap == "parallel" or not (active := self._active(firing)):
                    self._launch(entry, firing)
                elif entry.overlap == "skip":
                    self._end(firing, "skipped", f"run {active[0].id or 'of an earlier firing'} still goes on")
                else:
                    waiting[firing.job] = [self._queued(entry, firing, active)]
        finally:
            self._ready.extendleft(firing for firings in reversed(waiting.values()) for firing in reversed(firings))

    def _launch(self, entry: Entry, firing: Firing) -> None:
        if firing.status == "queued":
            taken = self._store.take_firing(firing, self._me, time.time() + LEASE_SECONDS)
            if taken is None:
                return
            firing = taken
        self._running[firing.run_id] = firing, self._launcher.start(firing, entry.file)
        self._tell({"at": now(), "job": firing.job, "what": "started", "run": firing.run_id, "late_s": round(self._late(firing), 3)})

    def _late(self, firing: Firing) -> float:
        return self._clock() - firing.position if firing.trigger == "cron" else 0.0

    def _active(self, firing: Firing) -> list[Run]:
        """Runs of the job that go on; one that an earlier firing is about to start counts too."""
        found = [run for run in self._store.runs(kind="job", name=firing.job, status="running") if self._runtime.is_alive(run)]
        if found or any(other.job == firing.job for other, _ in self._running.values()):
            return found or [_BEGINNING]
        before = self._store.firings(job=firing.job, statuses=["claimed"])
        return [_BEGINNING] if any(self._is_elsewhere(other, firing) for other in before) else []

    def _is_elsewhere(self, other: Firing, firing: Firing) -> bool:
        """Whether another scheduler is about to start an earlier firing."""
        return other.position < firing.position and other.owner != self._me and not self._is_orphan(other)

    def _queued(self, entry: Entry, firing: Firing, active: Sequence[Run]) -> Firing:
        """A firing that waits for the runs before it, which it may end; each once, since one that is told twice is killed."""
        if entry.overlap == "replace":
            for run in active:
                if run.id and run.id not in self._replaced:
                    self._replaced.add(run.id)
                    self._runtime.cancel(run.id)
        if firing.status != "queued":
            self._store.write(FiringChange(firing, {"status": "queued"}))
        return replace(firing, status="queued")

    def _end(self, firing: Firing, status: str, why: str) -> None:
        change = FiringChange(firing, {"status": status, "note": why, "lease_until": 0.0})
        self._store.write(change, _event(firing.job, f"job.{status}", position=firing.position, why=why))
        self._tell({"at": now(), "job": firing.job, "what": status, "why": why})

    def _reap(self) -> None:
        """See to what has ended: a process that died has not written how."""
        from agentnb.jobs.lost import conclude

        for run_id, (firing, process) in list(self._running.items()):
            code = process.poll()
            if code is not None:
                del self._running[run_id]
                self._replaced.discard(run_id)
                entry = self._entries.by_name.get(firing.job)
                run = conclude(self._runtime, firing, entry.file if entry else None, code, process.said())
                told = {"run": run_id, "status": run.status, "reason": run.reason} if run else {"run": run_id}
                self._tell({"at": now(), "job": firing.job, "what": "ended", **told})

    def _adopt(self) -> None:
        """Take over what schedulers have left behind that are gone, and end runs whose process is."""
        from agentnb.jobs.lost import end_lost_runs

        mine = {firing.run_id for firing in self._ready} | self._running.keys()
        for firing in reversed(self._store.firings(statuses=_OPEN, limit=_MOST)):
            if firing.run_id in mine or not self._is_orphan(firing) or self._is_elsewhere_watched(firing.job):
                continue
            taken = self._store.take_firing(firing, self._me, time.time() + LEASE_SECONDS)
            if taken is not None:
                self._ready.append(taken)
                self._tell({"at": now(), "job": firing.job, "what": "taken over", "run": firing.run_id})
        end_lost_runs(self._runtime, self._running.keys())

    def _is_elsewhere_watched(self, job: str) -> bool:
        """Whether a job is one of another folder, whose schedulers will see to it."""
        file = None if job in self._entries.by_name else self._watched(job)
        return file is not None and file.parent != self._entries.folder.resolve()

    def _is_orphan(self, firing: Firing) -> bool:
        return firing.owner == self._me or is_dead(firing.owner) or firing.lease_until < time.time()


_BEGINNING = Run("", "job", "", "running")


def _event(job: str, type_: str, **data: Any) -> Event:
    return Event(type_, {"event_type": type_, "timestamp": now(), "job_name": job, "status": type_.partition(".")[2], **data})
