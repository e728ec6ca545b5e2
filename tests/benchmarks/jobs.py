"""What jobs cost: a run beside plain papermill, and a scheduler with many jobs.

    python tests/benchmarks/jobs.py overhead [--rounds 5]
    python tests/benchmarks/jobs.py scheduler [--jobs 10000] [--seconds 120]
    python tests/benchmarks/jobs.py exactly-once [--firings 1000]

``overhead``: a notebook of 20 cells, by ``papermill`` and by ``agentnb jobs run``, in turn; each with its kernel, medians of the clock's
time and of the processor's, which a busy machine changes less.
``scheduler``: jobs that are due once a minute each, spread over its seconds; how late each is claimed and started, and the memory.
What is started ends at once, so that it is the scheduler that is measured.
``exactly-once``: two schedulers on one store, 600 times as fast as the clock, one killed at random again and again.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import textwrap
import time
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))


def overhead(rounds: int) -> None:
    from tests.support.notebooks import write_notebook

    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        os.environ["AGENTNB_STORE"] = str(place / "store")
        notebook = write_notebook(
            place / "n.ipynb", ("n = 1", "parameters"), *(f"x{number} = sum(range(n * 1000))\nprint(x{number})" for number in range(19))
        )
        plain = [sys.executable, "-m", "papermill", str(notebook), str(place / "out.ipynb"), "-p", "n", "3", "--no-progress-bar"]
        ours = [sys.executable, "-m", "agentnb", "jobs", "run", str(notebook), "-p", "n=3", "-o", str(place / "ours.ipynb")]
        engine = [*plain, "--engine", "agentnb"]
        times: dict[str, list[tuple[float, float]]] = {"papermill": [], "agentnb jobs run": [], "papermill --engine agentnb": []}
        for _ in range(rounds):
            for name, line in zip(times, (plain, ours, engine), strict=True):
                started, used = time.perf_counter(), _processor_seconds()
                subprocess.run(line, cwd=place, check=True, capture_output=True)
                times[name].append((time.perf_counter() - started, _processor_seconds() - used))
        for kind, what in enumerate(("clock", "processor")):
            base = statistics.median(found[kind] for found in times["papermill"])
            for name, each in times.items():
                middle = statistics.median(found[kind] for found in each)
                told = ", ".join(f"{found[kind]:.2f}" for found in each)
                print(f"{what:<10} {name:<28} {middle:6.2f} s  {middle / base:5.2f}x  ({told})")


def _processor_seconds() -> float:
    """What the processes that have ended used."""
    found = resource.getrusage(resource.RUSAGE_CHILDREN)
    return found.ru_utime + found.ru_stime


class _Starts:
    """Notes when each firing was started; what is started has ended at once."""

    def __init__(self) -> None:
        self.late: list[float] = []

    def start(self, firing: Any, file: Path) -> _Starts:
        from agentnb.ports.store import FiringChange
        from agentnb.runtime.runtime import current

        self.late.append(time.time() - firing.position)
        current().store.write(FiringChange(firing, {"status": "ended"}))
        return self

    def poll(self) -> int:
        return 0

    def said(self) -> str:
        return ""


def scheduler(jobs: int, seconds: float) -> None:
    from agentnb.jobs.scheduler import Scheduler
    from agentnb.jobs.serving import POLL_SECONDS
    from agentnb.runtime.runtime import current

    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        os.environ["AGENTNB_STORE"] = str(place / "store")
        (place / "jobs").mkdir()
        for number in range(jobs):
            job = {"name": f"job{number}", "notebook": "n.ipynb", "schedule": {"cron": f"{number % 60} * * * * *", "overlap": "parallel"}}
            (place / "jobs" / f"{number}.json").write_text(json.dumps(job))
        starts = _Starts()
        made = Scheduler(current(), place / "jobs", starts, max_parallel=1_000_000)
        began = time.perf_counter()
        made.tick()
        loaded = time.perf_counter() - began
        made.tick()
        starts.late.clear()
        ready, until = time.time(), time.monotonic() + seconds
        while time.monotonic() < until:
            time.sleep(min(made.tick(), POLL_SECONDS))
        late = sorted(starts.late)
        memory = psutil.Process().memory_info().rss / 1e6
        expected = jobs * (time.time() - ready) / 60
        print(f"{jobs:,} jobs were read in {loaded:.1f} s; {len(late):,} firings of about {expected:,.0f}")
        shown = [late[int((len(late) - 1) * share)] for share in (0.5, 0.99, 1)]
        print("late: median {:.3f} s, p99 {:.3f} s, at most {:.3f} s;".format(*shown), f"memory {memory:.0f} MB")


WORKER = textwrap.dedent(
    """
    import sys, time
    from pathlib import Path
    from agentnb.jobs.journal import JobJournal
    from agentnb.jobs.scheduler import Scheduler
    from agentnb.runtime.runtime import current

    class Launcher:
        def start(self, firing, file):
            JobJournal.begin(current(), firing.job, {}, run_id=firing.run_id, firing=firing).finish(None, {}, firing)
            return self
        def poll(self): return 0
        def said(self): return ""

    start, began = float(sys.argv[2]), time.monotonic()
    made = Scheduler(current(), Path(sys.argv[1]), Launcher(), clock=lambda: start + (time.monotonic() - began) * 600, max_parallel=1000)
    while True:
        made.tick()
        time.sleep(0.01)
    """
)


def exactly_once(firings: int) -> None:
    from agentnb.jobs.scheduler import Scheduler
    from agentnb.runtime.runtime import current

    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        os.environ["AGENTNB_STORE"] = str(place / "store")
        (place / "jobs").mkdir()
        for number in range(10):
            job = {
                "name": f"j{number}",
                "notebook": "n.ipynb",
                "schedule": {"cron": "* * * * *", "misfire": "run_all", "overlap": "parallel"},
            }
            (place / "jobs" / f"{number}.json").write_text(json.dumps(job))
        start, began = 1_800_000_000.0, time.monotonic()
        store = current().store

        def now() -> float:
            return start + (time.monotonic() - began) * 600

        def spawn() -> subprocess.Popen[bytes]:
            return subprocess.Popen([sys.executable, "-c", WORKER, str(place / "jobs"), str(now())])

        Scheduler(current(), place / "jobs", _Starts(), clock=now).tick()
        workers, killed = [spawn(), spawn()], 0
        while len(store.firings(statuses=["ended"], limit=100_000)) < firings:
            time.sleep(random.uniform(0.5, 3))
            victim = workers.pop(random.randrange(2))
            victim.send_signal(signal.SIGKILL)
            victim.wait()
            killed += 1
            workers.append(spawn())
        for worker in workers:
            worker.kill()
            worker.wait()
        found = [firing for firing in store.firings(limit=1_000_000) if firing.status != "watched"]
        times = Counter((firing.job, firing.position) for firing in found)
        gaps = 0
        for name in {firing.job for firing in found}:
            positions = sorted(firing.position for firing in found if firing.job == name)
            gaps += sum(later - sooner != 60 for sooner, later in pairwise(positions))
        runs = Counter(firing.run_id for firing in found)
        begun = Counter(event.run_id for event in store.events(types=["job.started"]))
        print(f"{len(found):,} firings, {killed} schedulers killed; fired twice: {sum(n > 1 for n in times.values())}, left out: {gaps}")
        still = sum(firing.status != "ended" for firing in found)
        print(f"runs begun twice: {sum(n > 1 for n in begun.values())}; still open: {still}; runs: {len(runs):,}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["overhead", "scheduler", "exactly-once"])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--firings", type=int, default=1_000)
    given = parser.parse_args()
    if given.what == "overhead":
        overhead(given.rounds)
    elif given.what == "scheduler":
        scheduler(given.jobs, given.seconds)
    else:
        exactly_once(given.firings)


if __name__ == "__main__":
    main()
