"""Looks for runs whose time has come, and for those whose process is gone, and has a process go on with them."""

from __future__ import annotations

import logging
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from agentnb.errors import AgentNBError
from agentnb.ports.store import Run
from agentnb.runtime.owner import LEASE_SECONDS, this_process
from agentnb.runtime.runtime import Runtime
from agentnb.runtime.sweeping import overdue
from agentnb.server import metrics
from agentnb.server.spawning import Spawner

SECONDS = 1.0
_FIRST_WAIT, _LONGEST_WAIT = 5.0, 600.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Tried:
    """When a process was last started for a run in a certain attempt, and how long to wait before the next one."""

    attempt: int
    last: float
    wait: float


class Sweeper:
    """Looks every second, on a thread of its own; other servers on the same store may look too: the lease of a run gives it to one.

    A run that nobody could go on with is tried again after some seconds, then less and less often.

    Attributes:
        problem: Why it can't look, or empty.
    """

    def __init__(self, runtime: Runtime, spawner: Spawner, folder: Path) -> None:
        self.problem = ""
        self._runtime = runtime
        self._spawner = spawner
        self._folder = folder
        self._tried: dict[str, _Tried] = {}
        self._processes: list[subprocess.Popen[bytes]] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="agentnb-sweep", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(5)

    def _watch(self) -> None:
        renewed = 0.0
        while not self._stop.wait(SECONDS):
            try:
                if time.monotonic() - renewed > LEASE_SECONDS / 3:
                    self._runtime.store.renew(sorted(self._spawner.held), this_process(), time.time() + LEASE_SECONDS)
                    renewed = time.monotonic()
                self.look()
                self.problem = ""
            except (AgentNBError, OSError) as error:
                if str(error) != self.problem:
                    _log.warning("can't look for runs that are due: %s", error)
                self.problem = str(error)

    def look(self) -> list[Run]:
        """Have a process take what is due; the runs for which one was started."""
        self._processes = [process for process in self._processes if process.poll() is None]
        held = self._spawner.held
        found = {run.id: run for run in overdue(self._runtime) if run.id not in held}
        due = [run for run in found.values() if self._may_try(run)]
        if due:
            self._processes.append(self._spawner.sweep(self._folder))
            metrics.SWEEPS.inc()
        return due

    def _may_try(self, run: Run) -> bool:
        moment = time.monotonic()
        self._tried = {name: tried for name, tried in self._tried.items() if moment - tried.last < 2 * _LONGEST_WAIT}
        before = self._tried.get(run.id)
        went_on = before is not None and run.status == "waiting" and run.attempt != before.attempt
        wait = 0.0 if before is None or went_on else before.wait
        if before is not None and moment < before.last + wait:
            return False
        self._tried[run.id] = _Tried(run.attempt, moment, min(max(wait * 2, _FIRST_WAIT), _LONGEST_WAIT))
        return True
