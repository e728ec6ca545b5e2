"""Starts the processes that execute runs: user code runs there, never in the server.

A run is in the journal before its process is: what it is to do is read from there, so nothing of it stands in the process's arguments.
Processes outlive the server. Those that can't begin say why, and fail their run with that.
"""

from __future__ import annotations

import json
import logging
import os
import queue
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from agentnb.errors import AgentNBError
from agentnb.runtime.runtime import Runtime

_TOLD = 2000
"""Characters of what a process complained of that are kept."""
_log = logging.getLogger(__name__)


class ProcessFailed(AgentNBError):
    """The process of a run ended before it had begun with it."""


@dataclass(frozen=True, slots=True)
class Work:
    """A run that a process is to go on with.

    Attributes:
        watched: Whether somebody may answer what its agents ask.
        folder: Where its functions are imported from.
        command: What begins it, after ``agentnb``; what goes on with it by default.
        log: The file that keeps what its process says, where one does.
    """

    run_id: str
    watched: bool
    folder: Path
    command: tuple[str, ...] = ()
    log: Path | None = None


class Spawner:
    """Starts processes, so many at a time; further ones wait their turn, and their runs are kept in the server's name meanwhile.

    Args:
        runtime: Whose store and settings the processes use.
        limit: How many run at a time.
        tell: Is told of pieces of text: the run, and the piece.
    """

    def __init__(self, runtime: Runtime, limit: int, tell: Callable[[str, str | None], None]) -> None:
        self._runtime = runtime
        self._limit = limit
        self._tell = tell
        self._line: queue.SimpleQueue[Work] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._held: set[str] = set()
        self._again: dict[str, Work] = {}

    @property
    def held(self) -> frozenset[str]:
        """Runs that have a process here, or wait for one."""
        with self._lock:
            return frozenset(self._held)

    @property
    def running(self) -> int:
        return max(len(self._held) - self._line.qsize(), 0)

    def start(self, run_id: str, *, watched: bool = True, folder: Path | None = None) -> None:
        """Have a process go on with a run; where it has one that is about to end, after that."""
        self.add(Work(run_id, watched, folder or Path.cwd()))

    def add(self, work: Work) -> None:
        """Like ``start``, with all that can be said of it."""
        run_id = work.run_id
        with self._lock:
            if run_id in self._held:
                self._again[run_id] = work
                return
            self._held.add(run_id)
            if len(self._threads) < self._limit and len(self._held) > len(self._threads):
                thread = threading.Thread(target=self._serve, name="agentnb-process", daemon=True)
                self._threads.append(thread)
                thread.start()
        self._line.put(work)

    def sweep(self, folder: Path) -> subprocess.Popen[bytes]:
        """A process that takes all runs that are due."""
        command = [sys.executable, "-m", "agentnb", "workflow", "resume", "--due", "--json"]
        return self._popen(command, folder, subprocess.DEVNULL, subprocess.DEVNULL)

    def environment(self) -> dict[str, str]:
        """Of processes that work on the same store."""
        return {**os.environ, "AGENTNB_STORE": str(self._runtime.settings.store.absolute()), "PYTHONUNBUFFERED": "1"}

    def _serve(self) -> None:
        while True:
            work = self._line.get()
            try:
                self._execute(work)
            except Exception as error:
                _log.warning("the process of run %s: %s", work.run_id, error)
                self._give_up(work.run_id, f"its process could not be started: {error}")
            finally:
                self._ended(work.run_id)

    def _execute(self, work: Work) -> None:
        words = work.command or ("runs", "resume", work.run_id, "--watched" if work.watched else "--json")
        command = [sys.executable, "-m", "agentnb", *words]
        if work.log is not None:
            self._execute_logged(work, command, work.log)
            return
        with tempfile.TemporaryFile() as complaints:
            process = self._popen(command, work.folder, subprocess.PIPE, complaints)
            assert process.stdout is not None  # noqa: S101
            with process.stdout as lines:
                for line in lines:
                    if work.watched:
                        self._relay(work.run_id, line)
            code = process.wait()
            if code:
                complaints.seek(0)
                said = complaints.read().decode(errors="replace").strip()[-_TOLD:]
                self._give_up(work.run_id, said or f"its process ended with the exit code {code}")

    def _execute_logged(self, work: Work, command: list[str], log: Path) -> None:
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as stream:
            code = self._popen(command, work.folder, stream, subprocess.STDOUT).wait()
        if code:
            self._give_up(work.run_id, log.read_text(encoding="utf-8", errors="replace").strip()[-_TOLD:] or f"exit code {code}")

    def _ended(self, run_id: str) -> None:
        with self._lock:
            again = self._again.pop(run_id, None)
            if again is None:
                self._held.discard(run_id)
        if again is not None:
            self._line.put(again)

    def _relay(self, run_id: str, line: bytes) -> None:
        try:
            text = json.loads(line)["text"]
        except (ValueError, KeyError, TypeError):
            return
        self._tell(run_id, text)

    def _give_up(self, run_id: str, reason: str) -> None:
        try:
            self._runtime.give_up(run_id, ProcessFailed(reason))
        except AgentNBError as error:
            _log.warning("run %s: %s", run_id, error)

    def _popen(self, command: list[str], folder: Path, output: int | IO[bytes], complaints: int | IO[bytes]) -> subprocess.Popen[bytes]:
        return subprocess.Popen(  # noqa: S603
            command,
            cwd=folder if folder.is_dir() else None,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=complaints,
            start_new_session=True,
        )
