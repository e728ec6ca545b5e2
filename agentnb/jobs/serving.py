"""``agentnb jobs serve``: the scheduler as a process, which starts every job in one of its own and imports nothing of users."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import IO, Any

from agentnb.errors import AgentNBError
from agentnb.jobs import logs
from agentnb.jobs.scheduler import Scheduler, Tell
from agentnb.ports.store import Firing, now
from agentnb.runtime.runtime import Runtime, current

POLL_SECONDS = 0.25
SWEEP_SECONDS = 5.0
_SHOWN = 2_000


class Process:
    """A job's process, and the file to which it writes what it says."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self._process = process
        self._log = log

    def poll(self) -> int | None:
        return self._process.poll()

    def said(self) -> str:
        try:
            return self._log.read_text(encoding="utf-8", errors="replace")[-_SHOWN:]
        except OSError:
            return ""

    def stop(self) -> None:
        """Ask it to end: it is cancelled, and keeps its output."""
        self._process.send_signal(signal.SIGTERM)


class ProcessLauncher:
    """Starts jobs by ``agentnb jobs run``, in sessions of their own: they go on when the scheduler dies."""

    def __init__(self, runtime: Runtime, folder: Path) -> None:
        self._runtime = runtime
        self._folder = folder
        self.started: list[Process] = []

    def start(self, firing: Firing, file: Path) -> Process:
        log = logs.file_of(self._runtime, firing.run_id)
        log.parent.mkdir(parents=True, exist_ok=True)
        position = f"{firing.trigger}:{firing.position!r}"
        command = [sys.executable, "-m", "agentnb", "jobs", "run", firing.job, "--dir", str(self._folder), "--firing", position]
        with log.open("wb") as stream:
            made = Process(_spawned(command, stream), log)
        self.started = [*(process for process in self.started if process.poll() is None), made]
        return made


def serve(folder: Path, *, max_parallel: int, grace: float, tell: Tell) -> None:
    """Run jobs when they are due, until SIGINT or SIGTERM; those that are running then get ``grace`` seconds to end."""
    runtime = current()
    launcher = ProcessLauncher(runtime, folder)
    scheduler = Scheduler(runtime, folder, launcher, max_parallel=max_parallel, tell=tell)
    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())
    tell({"at": now(), "what": "watching", "folder": str(folder)})
    sweeper = _Sweeper(runtime)
    while not stopping.is_set():
        wait = _tick(scheduler, tell)
        sweeper.look()
        stopping.wait(min(wait, POLL_SECONDS))
    _wind_down(scheduler, launcher, grace, tell)


def _tick(scheduler: Scheduler, tell: Tell) -> float:
    """One look; a store that can't be written now, as on a full disk, is tried again."""
    try:
        return scheduler.tick()
    except (AgentNBError, OSError) as error:
        tell({"at": now(), "problem": f"{type(error).__name__}: {error}"})
        return POLL_SECONDS


def _wind_down(scheduler: Scheduler, launcher: ProcessLauncher, grace: float, tell: Tell) -> None:
    deadline = time.monotonic() + grace
    tell({"at": now(), "what": "stopping", "running": len(launcher.started)})
    while any(process.poll() is None for process in launcher.started) and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
    left = [process for process in launcher.started if process.poll() is None]
    for process in left:
        process.stop()
    deadline = time.monotonic() + grace
    while any(process.poll() is None for process in left) and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)


class _Sweeper:
    """Goes on with runs that are due or whose process died, in a process of their own."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._looked = float("-inf")
        self._process: subprocess.Popen[bytes] | None = None

    def look(self) -> None:
        busy = self._process is not None and self._process.poll() is None
        if busy or time.monotonic() - self._looked < SWEEP_SECONDS:
            return
        from agentnb.runtime.sweeping import overdue

        self._looked = time.monotonic()
        try:
            due = overdue(self._runtime)
        except AgentNBError:
            return
        if due:
            self._process = _spawned([sys.executable, "-m", "agentnb", "workflow", "resume", "--due"], subprocess.DEVNULL)


def _spawned(command: list[str], out: IO[Any] | int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, start_new_session=True)  # noqa: S603
