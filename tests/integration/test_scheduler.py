"""Schedulers on one store: each firing once, whatever happens to them. Time is an argument; a stand-in starts the jobs."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from agentnb.agents.identity import new_run_id
from agentnb.errors import StoreError
from agentnb.jobs.journal import JobJournal
from agentnb.jobs.scheduler import Scheduler
from agentnb.ports.store import Event, Firing, Offer, now
from agentnb.runtime.runtime import Runtime, current

START = 1_800_000_000.0


class Instant:
    """A job that begins and ends where it is started; or goes on until it is told to end."""

    def __init__(self, runtime: Runtime, *, holds: bool = False) -> None:
        self.runtime = runtime
        self.holds = holds
        self.started: list[Firing] = []
        self.open: list[tuple[JobJournal, Firing]] = []
        self.code: int | None = None

    def start(self, firing: Firing, file: Path) -> Any:
        self.started.append(firing)
        journal = JobJournal.begin(self.runtime, firing.job, {"parameters": {}}, run_id=firing.run_id, firing=firing)
        if self.holds:
            self.open.append((journal, firing))
        else:
            journal.finish(None, {}, firing)
        return _Process(self, firing)

    def end_all(self) -> None:
        for journal, firing in self.open:
            journal.finish(None, {}, firing)
        self.open.clear()


class _Process:
    def __init__(self, launcher: Instant, firing: Firing) -> None:
        self._launcher, self._firing = launcher, firing

    def poll(self) -> int | None:
        return None if any(firing == self._firing for _, firing in self._launcher.open) else 0

    def said(self) -> str:
        return ""


class Clock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def jobs(tmp_path: Path) -> Path:
    folder = tmp_path / "papermill_jobs"
    folder.mkdir()
    return folder


def job(folder: Path, name: str, **fields: Any) -> None:
    (folder / f"{name}.json").write_text(json.dumps({"name": name, "notebook": "n.ipynb", **fields}))


def every_minute(**fields: Any) -> dict[str, Any]:
    return {"schedule": {"cron": "* * * * *", **fields}}


def scheduler(folder: Path, clock: Clock, **options: Any) -> tuple[Scheduler, Instant]:
    launcher = Instant(current(), holds=options.pop("holds", False))
    made = Scheduler(current(), folder, launcher, clock=clock, **options)
    made.tick()
    return made, launcher


def positions(launcher: Instant) -> list[float]:
    return [firing.position - START for firing in launcher.started]


def test_a_job_is_fired_when_it_is_due(jobs: Path) -> None:
    job(jobs, "a", **every_minute())
    clock = Clock()
    made, launcher = scheduler(jobs, clock)
    assert launcher.started == []
    for _ in range(4):
        clock.now += 30
        made.tick()
    assert positions(launcher) == [60.0, 120.0]
    assert [run.status for run in current().runs(kind="job", name="a")] == ["completed"] * 2
    assert {firing.status for firing in current().store.firings(job="a")} == {"watched", "ended"}


@pytest.mark.parametrize(
    ("misfire", "expected"), [("run_once", [3600.0]), ("run_all", [60.0 * n for n in range(1, 61)]), ("skip", [3600.0])]
)
def test_missed_times_follow_the_policy_after_a_restart(jobs: Path, misfire: str, expected: list[float]) -> None:
    job(jobs, "a", schedule={"cron": "* * * * *", "misfire": misfire, "overlap": "parallel"})
    clock = Clock()
    scheduler(jobs, clock)
    clock.now += 3630
    made, launcher = scheduler(jobs, clock, max_parallel=100)
    made.tick()
    assert positions(launcher) == expected
    missed = [event for event in current().events() if event.type == "job.missed"]
    assert [event.data["missed"] for event in missed] == ([59] if misfire != "run_all" else [])


def test_a_clock_that_jumps_back_fires_nothing_twice(jobs: Path) -> None:
    job(jobs, "a", **every_minute())
    clock = Clock()
    made, launcher = scheduler(jobs, clock)
    for step in (90, -7200, 3600, 3600, 30, 60):
        clock.now += step
        made.tick()
    assert positions(launcher) == [60.0, 120.0, 180.0]


@pytest.mark.parametrize(
    ("overlap", "while_it_runs", "in_the_end"),
    [("skip", 1, 1), ("queue", 1, 3), ("parallel", 3, 3), ("replace", 1, 3)],
)
def test_overlap(jobs: Path, overlap: str, while_it_runs: int, in_the_end: int) -> None:
    job(jobs, "a", **every_minute(overlap=overlap))
    clock = Clock()
    made, launcher = scheduler(jobs, clock, holds=True)
    for _ in range(3):
        clock.now += 60
        made.tick()
    assert len(launcher.started) == while_it_runs
    told = [signal.name for firing in launcher.started[:1] for signal in current().store.signals(firing.run_id)]
    assert told == (["cancel"] if overlap == "replace" else [])
    for _ in range(4):
        launcher.end_all()
        made.tick()
    assert len(launcher.started) == in_the_end
    assert sum(firing.status == "skipped" for firing in current().store.firings(job="a")) == 3 - in_the_end


def test_events_and_other_jobs_start_jobs(jobs: Path) -> None:
    job(jobs, "orders", on_event={"type": "external.orders", "where": {"data.shop": "north"}})
    job(jobs, "report", depends_on=["orders", "clean"])
    clock = Clock()
    store = current().store
    made, launcher = scheduler(jobs, clock)
    for shop in ("south", "north"):
        event = {"event_type": "external.orders", "timestamp": now(), "data": {"shop": shop}}
        store.write(Event("external.orders", event))
    made.tick()
    assert [firing.job for firing in launcher.started] == ["orders"]
    made.tick()
    assert len(launcher.started) == 1
    JobJournal.begin(current(), "clean", {}).finish(None, {})
    made.tick()
    assert [firing.job for firing in launcher.started] == ["orders", "report"]
    for _ in range(2):
        JobJournal.begin(current(), "clean", {}).finish(None, {})
        scheduler(jobs, clock)[0].tick()
    assert len(current().runs(kind="job", name="report")) == 1


def test_what_a_dead_scheduler_has_claimed_is_started_by_another(jobs: Path) -> None:
    job(jobs, "a", **every_minute())
    clock = Clock()
    _, launcher = scheduler(jobs, clock)
    store = current().store
    [watched] = store.firings(job="a")
    dead = f"{os.uname().nodename}/999999/1.00"
    orphan = Firing("a", "cron", START + 60, "claimed", new_run_id("job"), dead, time.time() + 1000)
    assert store.offer([Offer(watched.position, (orphan,))]) == [True]
    clock.now += 70
    _, launcher = scheduler(jobs, clock)
    assert [firing.run_id for firing in launcher.started] == [orphan.run_id]


def test_files_that_come_change_and_go(jobs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agentnb.jobs.scheduler.RELOAD_SECONDS", -1)
    told: list[dict[str, Any]] = []
    clock = Clock()
    made, launcher = scheduler(jobs, clock, tell=told.append)
    job(jobs, "a", **every_minute())
    (jobs / "broken.yaml").write_text("name: [")
    job(jobs, "b", schedule={"cron": "61 * * * *"})
    made.tick()
    assert sum("problem" in line for line in told) == 2
    job(jobs, "a", schedule={"cron": "*/5 * * * *"})
    clock.now += 60
    made.tick()
    assert launcher.started == []
    clock.now += 240
    made.tick()
    assert positions(launcher) == [300.0]
    (jobs / "a.json").unlink()
    clock.now += 300
    made.tick()
    assert len(launcher.started) == 1


@pytest.mark.parametrize("method", ["offer", "newest_firings"])
def test_a_store_that_fails_once_loses_no_job(jobs: Path, monkeypatch: pytest.MonkeyPatch, method: str) -> None:
    monkeypatch.setattr("agentnb.jobs.scheduler.RELOAD_SECONDS", -1)
    clock = Clock()
    made, launcher = scheduler(jobs, clock)
    store = type(current().store)

    def fails(*_: Any) -> Any:
        raise StoreError("the disk is full")

    for moment in (0, 60):
        clock.now = START + moment
        job(jobs, f"from {moment}".replace(" ", "_"), **every_minute(overlap="parallel"))
        with monkeypatch.context() as broken:
            broken.setattr(store, method, fails)
            with pytest.raises(StoreError):
                made.tick()
        made.tick()
    clock.now += 60
    made.tick()
    assert sorted((firing.job, firing.position - START) for firing in launcher.started) == [
        ("from_0", 60.0),
        ("from_0", 120.0),
        ("from_60", 120.0),
    ]


def test_a_name_that_becomes_free_is_taken_by_the_other_file(jobs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agentnb.jobs.scheduler.RELOAD_SECONDS", -1)
    told: list[dict[str, Any]] = []
    clock = Clock()
    job(jobs, "a", **every_minute())
    (jobs / "b.json").write_text((jobs / "a.json").read_text())
    made, launcher = scheduler(jobs, clock, tell=told.append)
    made.tick()
    assert [line["problem"] for line in told] == [f"{jobs / 'b.json'}: a.json has the name 'a' already"]
    (jobs / "a.json").unlink()
    made.tick()
    clock.now += 60
    made.tick()
    assert positions(launcher) == [60.0]


def test_what_is_queued_keeps_its_order(jobs: Path) -> None:
    """The first place that becomes free is taken by another job while this one waits."""
    job(jobs, "a", on_event="external.a")
    job(jobs, "b", on_event="external.b")
    made, launcher = scheduler(jobs, Clock(), holds=True, max_parallel=2)
    for name in "aabab":
        current().store.write(Event(f"external.{name}", {"event_type": f"external.{name}", "timestamp": now()}))
    for _ in range(10):
        made.tick()
        if launcher.open:
            journal, firing = launcher.open.pop(0)
            journal.finish(None, {}, firing)
    for name, count in (("a", 3), ("b", 2)):
        found = [firing.position for firing in launcher.started if firing.job == name]
        assert found == sorted(found)
        assert len(found) == count


def test_what_a_scheduler_of_another_folder_has_left_is_left_to_it(jobs: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    job(jobs, "a", **every_minute())
    clock = Clock()
    scheduler(jobs, clock)
    [watched] = current().store.firings(job="a")
    orphan = Firing("a", "cron", START + 60, "claimed", new_run_id("job"), f"{os.uname().nodename}/999999/1", time.time() + 1000)
    assert current().store.offer([Offer(watched.position, (orphan,))]) == [True]
    clock.now += 70
    for folder, taken in ((elsewhere, []), (jobs, [orphan.run_id])):
        made, launcher = scheduler(folder, clock)
        made.tick()
        assert [firing.run_id for firing in launcher.started] == taken


def test_two_files_of_one_store_may_not_share_a_name(jobs: Path, tmp_path: Path) -> None:
    other = tmp_path / "elsewhere"
    other.mkdir()
    for folder in (jobs, other):
        job(folder, "a", **every_minute())
    clock = Clock()
    scheduler(jobs, clock)
    told: list[dict[str, Any]] = []
    clock.now += 60
    _, launcher = scheduler(other, clock, tell=told.append)
    assert "has the same name in this store" in told[0]["problem"]
    assert launcher.started == []


WORKER = textwrap.dedent(
    """
    import sys, time
    from pathlib import Path
    from agentnb.jobs.journal import JobJournal
    from agentnb.jobs.scheduler import Scheduler
    from agentnb.runtime.runtime import current

    class Launcher:
        def start(self, firing, file):
            with open(sys.argv[2], "a") as done:
                done.write(f"{firing.job} {firing.position}\\n")
            JobJournal.begin(current(), firing.job, {}, run_id=firing.run_id, firing=firing).finish(None, {}, firing)
            return self
        def poll(self): return 0
        def said(self): return ""

    start, began = float(sys.argv[3]), time.monotonic()
    clock = lambda: start + (time.monotonic() - began) * 600
    made = Scheduler(current(), Path(sys.argv[1]), Launcher(), clock=clock, max_parallel=1000)
    while True:
        made.tick()
        time.sleep(0.01)
    """
)


@pytest.mark.timeout(120)
def test_each_firing_once_with_two_schedulers_one_of_which_is_killed_at_random(jobs: Path, tmp_path: Path) -> None:
    """600 times as fast as the clock: 5 jobs a minute; after each kill another scheduler comes, until 100 firings are done."""
    for number in range(5):
        job(jobs, f"j{number}", schedule={"cron": "* * * * *", "misfire": "run_all", "overlap": "parallel"})
    scheduler(jobs, Clock())
    log, chance = tmp_path / "done.txt", random.Random(7)
    began = time.monotonic()

    def spawn() -> subprocess.Popen[bytes]:
        behind = START + (time.monotonic() - began) * 600
        return subprocess.Popen([sys.executable, "-c", WORKER, str(jobs), str(log), str(behind)])

    workers = [spawn(), spawn()]
    killed = 0
    try:
        while _lines(log) < 100 or killed < 2:
            time.sleep(chance.uniform(0.1, 0.8))
            if killed < 2 and _lines(log) >= 10 * (killed + 1):
                victim = workers.pop(chance.randrange(2))
                victim.send_signal(signal.SIGKILL)
                victim.wait()
                killed += 1
                workers.append(spawn())
            assert all(worker.poll() is None for worker in workers)
            assert time.monotonic() - began < 90
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()
    made, _ = scheduler(jobs, _at(time.monotonic() - began), max_parallel=1000)
    made.tick()
    runs = current().runs(kind="job", limit=10_000)
    firings = [firing for firing in current().store.firings(limit=10_000) if firing.status != "watched"]
    times = Counter((firing.job, firing.position) for firing in firings)
    assert set(times.values()) == {1}
    for name in {firing.job for firing in firings}:
        found = sorted(firing.position for firing in firings if firing.job == name)
        assert [later - sooner for sooner, later in pairwise(found)] == [60.0] * (len(found) - 1)
    assert {firing.status for firing in firings} == {"ended"}
    assert sorted(firing.run_id for firing in firings) == sorted(run.id for run in runs)


def _at(seconds: float) -> Clock:
    clock = Clock()
    clock.now = START + seconds * 600
    return clock


def _lines(log: Path) -> int:
    return len(log.read_text().splitlines()) if log.exists() else 0
