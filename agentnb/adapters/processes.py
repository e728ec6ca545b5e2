"""Runs functions in warm processes of this machine.

A worker is started as ``python -c``, never forked and never by ``multiprocessing``: so the user's script isn't run again, and no lock of
this process is inherited. Each one has a socket of its own, so that its death is seen at once and hurts nobody else.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
from collections import deque
from concurrent.futures import Future
from contextlib import suppress
from multiprocessing.connection import Connection, Pipe
from pathlib import Path

from agentnb.errors import ExecutionError

_START = "import sys; sys.path[:0] = [sys.argv[2]]; from agentnb.adapters.worker import serve; serve(int(sys.argv[1]))"
_PATIENCE = 10.0
_HOME = str(Path(__file__).resolve().parents[2])


class ProcessExecutor:
    """An ``Executor`` whose workers start when they are first needed, and stay.

    A worker has this process's environment, import path and working folder. What a function prints goes to standard error, for standard
    output may be somebody's JSON. Workers end with this process, however that ends, and so does what they have started.

    Args:
        workers: Functions that run at a time; by default one for each processor that this process may use.
    """

    def __init__(self, workers: int | None = None) -> None:
        self._limit = workers or _processors()
        self._tasks: deque[_Task] = deque()
        self._wake = threading.Condition()
        self._workers: list[_Worker] = []
        self._threads: list[threading.Thread] = []
        self._idle = 0
        self._closed = False

    async def run(self, payload: bytes) -> bytes:
        """See ``Executor``."""
        task = _Task(payload)
        with self._wake:
            if self._closed:
                raise ExecutionError("the process executor is closed")
            self._tasks.append(task)
            if len(self._tasks) > self._idle and len(self._workers) < self._limit:
                worker = _Worker()
                self._workers.append(worker)
                thread = threading.Thread(target=self._serve, args=(worker,), name="agentnb-executor", daemon=True)
                self._threads.append(thread)
                thread.start()
            self._wake.notify()
        future = asyncio.wrap_future(task.done)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            self._give_up(task)
            with suppress(ExecutionError):
                await future
            raise

    def close(self) -> None:
        """See ``Executor``."""
        with self._wake:
            self._closed = True
            waiting, workers = list(self._tasks), list(self._workers)
            self._tasks.clear()
            self._wake.notify_all()
        for task in waiting:
            task.done.set_exception(ExecutionError("the process executor was closed before the function began"))
        for worker in workers:
            worker.stop()
        for thread in self._threads:
            thread.join(_PATIENCE)

    def _give_up(self, task: _Task) -> None:
        with self._wake:
            if task in self._tasks:
                self._tasks.remove(task)
                task.done.set_exception(ExecutionError("cancelled before it began"))
                return
            task.given_up = True
            worker = task.worker
        if worker is not None:
            worker.kill(task)

    def _serve(self, worker: _Worker) -> None:
        while (task := self._next(worker)) is not None:
            try:
                reply = worker.run(task)
            except BaseException as error:
                task.done.set_exception(error)
            else:
                task.done.set_result(reply)
        worker.end()

    def _next(self, worker: _Worker) -> _Task | None:
        with self._wake:
            self._idle += 1
            try:
                while not self._tasks and not self._closed:
                    self._wake.wait()
            finally:
                self._idle -= 1
            if self._closed:
                return None
            task = self._tasks.popleft()
            task.worker = worker
            return task


class _Task:
    def __init__(self, payload: bytes) -> None:
        self.payload = payload
        self.done: Future[bytes] = Future()
        self.done.set_running_or_notify_cancel()
        self.worker: _Worker | None = None
        self.given_up = False


class _Worker:
    """One process, and the next one where it dies; ``run`` is called by one thread, the rest by any."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._pipe: Connection | None = None
        self._task: _Task | None = None
        self._surroundings = ""
        self._doomed = False
        self._stopped = False

    def run(self, task: _Task) -> bytes:
        for fresh in (False, True):
            process, pipe = self._begin(task, fresh)
            try:
                self._surround(pipe)
                pipe.send_bytes(task.payload)
                reply = pipe.recv_bytes()
            except (EOFError, OSError):
                self.end()
                raise ExecutionError("the process executor was closed" if self._stopped else _cause(process, task)) from None
            finally:
                with self._lock:
                    self._task = None
            if reply:
                return reply
        raise ExecutionError("a new worker process says that the code it has just loaded is out of date: are its files being written?")

    def kill(self, task: _Task) -> None:
        with self._lock:
            if self._task is task:
                self._doomed = True
                _kill(self._process)

    def stop(self) -> None:
        with self._lock:
            self._stopped = True
            _kill(self._process)

    def _begin(self, task: _Task, fresh: bool) -> tuple[subprocess.Popen[bytes], Connection]:
        if fresh or self._doomed or (self._process is not None and self._process.poll() is not None):
            self.end()
        with self._lock:
            if task.given_up or self._stopped:
                raise ExecutionError("it was cancelled before it began")
            if self._process is None or self._pipe is None:
                self._process, self._pipe = _start()
                self._surroundings, self._doomed = "", False
            self._task = task
            return self._process, self._pipe

    def _surround(self, pipe: Connection) -> None:
        """Tell the worker where imports and relative paths start, where that has changed."""
        with suppress(FileNotFoundError):
            now = json.dumps([sys.path, os.getcwd()])  # noqa: PTH109
            if now != self._surroundings:
                pipe.send_bytes(now.encode("utf-8", "surrogateescape"))
                self._surroundings = now
                return
        pipe.send_bytes(b"-")

    def end(self) -> None:
        with self._lock:
            process, pipe = self._process, self._pipe
            self._process = self._pipe = None
            _kill(process)
        if pipe is not None:
            pipe.close()
        if process is not None:
            process.wait()


def _start() -> tuple[subprocess.Popen[bytes], Connection]:
    ours, theirs = Pipe()
    try:
        command = [sys.executable, "-c", _START, str(theirs.fileno()), _HOME]
        process = subprocess.Popen(  # noqa: S603
            command, stdin=subprocess.DEVNULL, stdout=_standard_error(), pass_fds=(theirs.fileno(),), start_new_session=True
        )
    finally:
        theirs.close()
    return process, ours


def _standard_error() -> int:
    try:
        os.fstat(2)
    except OSError:
        return subprocess.DEVNULL
    return 2


def _kill(process: subprocess.Popen[bytes] | None) -> None:
    """End it with everything in its session's group; it is its leader, and not yet waited for, so the number is still its own."""
    if process is not None and process.returncode is None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)


def _cause(process: subprocess.Popen[bytes], task: _Task) -> str:
    if task.given_up:
        return "it was cancelled"
    code = process.wait()
    if code >= 0:
        return f"the function ended its process with code {code}: let it return, or raise an exception"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    hint = {
        "SIGKILL": "somebody killed it, or the machine ran out of memory: give it less data, or fewer at a time",
        "SIGSEGV": "a compiled library crashed in it",
    }.get(name, "it, or a library that it calls, crashed")
    return f"the process of the function died of {name}: {hint}"


def _processors() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1
