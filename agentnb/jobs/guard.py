"""Watches over a job's process: keeps its lease, hears of cancellation and of signals, and ends what runs past a limit."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import TYPE_CHECKING, Any, Self

from agentnb.errors import AgentNBError, ExecutionCancelled, ExecutionTimeout, LimitExceeded
from agentnb.runtime.owner import LEASE_SECONDS, this_process

if TYPE_CHECKING:
    from agentnb.runtime.runtime import Runtime

POLL_SECONDS = 0.2
GRACE_SECONDS = 5.0
"""How long what was interrupted may take to end by itself."""

_MEMORY_SECONDS = 1.0
_log = logging.getLogger(__name__)


class ProcessGroup:
    """A process that leads a group of its own, and all that it has started."""

    def __init__(self, pid: int) -> None:
        self.pid = pid

    def interrupt(self) -> None:
        """Ask the process to stop what it does, as Ctrl-C does."""
        with suppress(OSError):
            os.kill(self.pid, signal.SIGINT)

    def kill(self) -> None:
        """End it, its group, and its descendants in other groups."""
        family = self._family()
        with suppress(OSError):
            os.killpg(self.pid, signal.SIGKILL)
        for process in family:
            with suppress(Exception):
                process.kill()

    def memory(self) -> int:
        """Bytes that the process and its descendants hold in memory."""
        total = 0
        for process in self._family():
            with suppress(Exception):
                total += process.memory_info().rss
        return total

    def _family(self) -> list[Any]:
        import psutil

        try:
            process = psutil.Process(self.pid)
            return [process, *process.children(recursive=True)]
        except psutil.Error:
            return []


class Guard:
    """Ends a job that was cancelled, interrupted, or took more than it may, and an attempt one of whose cells did; ``cause`` says why.

    What runs is interrupted first, so that a notebook shows where it was, and killed when it hasn't ended ``GRACE_SECONDS`` later.
    """

    def __init__(self, runtime: Runtime, run_id: str, name: str, *, timeout: float | None = None, memory: int | None = None) -> None:
        self._runtime, self._run_id, self._name = runtime, run_id, name
        self._timeout, self._memory = timeout, memory
        self._deadline = time.monotonic() + timeout if timeout else None
        self._stopped_by: AgentNBError | None = None
        self._overdue: AgentNBError | None = None
        self._cell: tuple[str, float, float] | None = None
        self._target: ProcessGroup | None = None
        self._kill_at: float | None = None
        self._seen = 0
        self._renewed = self._measured = time.monotonic()
        self._ended = threading.Event()
        self._stopped = threading.Event()
        self._before: dict[int, Any] = {}
        self._thread = threading.Thread(target=self._watch, name="agentnb-guard", daemon=True)

    @property
    def cause(self) -> AgentNBError | None:
        """Why the job, or this attempt, has to end."""
        return self._stopped_by or self._overdue

    def may_go_on(self) -> bool:
        """Whether there may be another attempt, which starts afresh."""
        self._overdue = None
        return self._stopped_by is None

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._signalled)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(10)
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @contextmanager
    def over(self, process: ProcessGroup) -> Iterator[None]:
        """Watch over a process, and leave nothing of it behind."""
        self._target, self._kill_at = process, None
        if self.cause is not None:
            self._interrupt()
        try:
            yield
        finally:
            self._target = None
            process.kill()

    @contextmanager
    def cell(self, what: str, timeout: float | None) -> Iterator[None]:
        """Give what is done within it so many seconds."""
        self.check()
        self._cell = (what, timeout, time.monotonic() + timeout) if timeout else None
        try:
            yield
        finally:
            self._cell = None

    def check(self) -> None:
        """Go no further where the job was stopped.

        Raises:
            AgentNBError: The cause.
        """
        if self.cause is not None:
            raise self.cause

    def sleep(self, seconds: float) -> None:
        """Wait, as before another attempt, unless the job is stopped meanwhile.

        Raises:
            AgentNBError: It was; the cause.
        """
        self._stopped.wait(seconds)
        self.check()

    def stop(self, cause: AgentNBError) -> None:
        """End the job; asked a second time, at once."""
        again = self.cause is not None
        self._stopped_by = self._stopped_by or cause
        self._stopped.set()
        if again:
            self._kill_at = time.monotonic()
        else:
            self._interrupt()

    def _interrupt(self) -> None:
        self._kill_at = time.monotonic() + GRACE_SECONDS
        if self._target is not None:
            self._target.interrupt()

    def _signalled(self, number: int, _frame: FrameType | None) -> None:
        self.stop(ExecutionCancelled(f"interrupted by {signal.Signals(number).name}"))

    def _watch(self) -> None:
        while not self._ended.wait(POLL_SECONDS):
            try:
                self._look(time.monotonic())
            except Exception as error:
                _log.warning("can't watch over job %s: %s", self._run_id, error)

    def _look(self, moment: float) -> None:
        if self._kill_at is not None and moment >= self._kill_at and self._target is not None:
            self._target.kill()
            self._kill_at = moment + GRACE_SECONDS
        if self.cause is None:
            self._check_limits(moment)
        if moment - self._renewed > LEASE_SECONDS / 3:
            self._runtime.store.renew([self._run_id], this_process(), time.time() + LEASE_SECONDS)
            self._renewed = moment
        self._listen()

    def _check_limits(self, moment: float) -> None:
        cell = self._cell
        if self._deadline is not None and self._timeout and moment >= self._deadline:
            self.stop(ExecutionTimeout(f"the job {self._name!r}", self._timeout))
        elif cell is not None and moment >= cell[2]:
            self._overdue = ExecutionTimeout(cell[0], cell[1])
            self._interrupt()
        elif self._memory is not None and self._target is not None and moment - self._measured > _MEMORY_SECONDS:
            self._measured = moment
            used = self._target.memory()
            if used > self._memory:
                self.stop(
                    LimitExceeded(
                        f"the job {self._name!r} used {used / 1e6:,.0f} MB of memory, and {self._memory / 1e6:,.0f} MB are allowed: "
                        "raise resources.memory, or give it less to do"
                    )
                )

    def _listen(self) -> None:
        for told in self._runtime.store.signals(self._run_id, self._seen):
            self._seen = told.seq
            if told.name == "cancel":
                self.stop(ExecutionCancelled("somebody cancelled the run"))
