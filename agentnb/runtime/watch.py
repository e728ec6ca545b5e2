"""Keeps this process's runs alive and listens for what they are told: one thread, while there are any."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from agentnb.ports.store import Signal, Store
from agentnb.runtime.owner import LEASE_SECONDS, this_process

POLL_SECONDS = 0.2
_log = logging.getLogger(__name__)
Result = TypeVar("Result")


class ActiveRun:
    """A run that this process executes: where signals to it go.

    Attributes:
        cancelled: Whether somebody asked for it to be cancelled.
        seen: Number of the last signal that was handed over.
    """

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id
        self.cancelled = False
        self.seen = 0
        self._task: asyncio.Task[Any] | None = None
        self._delivering = threading.Lock()
        self._loop = asyncio.get_running_loop()
        self._answers: dict[str, asyncio.Queue[Any]] = {}

    def start(self, work: Coroutine[Any, Any, Result]) -> asyncio.Task[Result]:
        """The task that does the run's work, and that a signal cancels."""
        self._task = task = self._loop.create_task(work)
        return task

    def answers(self, name: str) -> asyncio.Queue[Any]:
        """The payloads of the signals of that name, as they come; to be used on the run's own loop."""
        return self._answers.setdefault(name, asyncio.Queue())

    def catch_up(self, store: Store) -> None:
        """Hand over what the run was told since the last time, each signal once; from any thread."""
        with self._delivering:
            for signal in store.signals(self.run_id, self.seen):
                self.seen = signal.seq
                self._deliver(signal)

    def _deliver(self, signal: Signal) -> None:
        action: Callable[[Signal], None] = self._cancel if signal.name == "cancel" else self._answer
        try:
            self._loop.call_soon_threadsafe(action, signal)
        except RuntimeError:
            return

    def _cancel(self, _signal: Signal) -> None:
        self.cancelled = True
        if self._task is not None:
            self._task.cancel()

    def _answer(self, signal: Signal) -> None:
        self.answers(signal.name).put_nowait(signal.payload)


class Watch:
    """The active runs of this process on one store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._runs: dict[str, ActiveRun] = {}
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def add(self, run: ActiveRun) -> None:
        with self._lock:
            self._runs[run.run_id] = run
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._loop, name="agentnb-watch", daemon=True)
                self._thread.start()

    def remove(self, run_id: str) -> None:
        with self._lock:
            self._runs.pop(run_id, None)

    def get(self, run_id: str) -> ActiveRun | None:
        with self._lock:
            return self._runs.get(run_id)

    def deliver(self, run_id: str) -> bool:
        """Hand over what a run was told; False where this process doesn't execute it."""
        run = self.get(run_id)
        if run is None:
            return False
        run.catch_up(self._store)
        return True

    def _loop(self) -> None:
        renewed, version = time.monotonic(), -1
        idle = 0
        while idle < 50:
            time.sleep(POLL_SECONDS)
            with self._lock:
                names = list(self._runs)
                idle = 0 if names else idle + 1
                if idle == 50:
                    self._thread = None
                    return
            try:
                if names and time.monotonic() - renewed > LEASE_SECONDS / 3:
                    self._store.renew(names, this_process(), time.time() + LEASE_SECONDS)
                    renewed = time.monotonic()
                latest = self._store.version()
                if latest != version:
                    version = latest
                    self._deliver_all(names)
            except Exception as error:
                _log.warning("can't keep runs alive: %s", error)

    def _deliver_all(self, names: list[str]) -> None:
        for name in names:
            try:
                self.deliver(name)
            except Exception as error:
                _log.warning("can't read what run %s is told: %s", name, error)
