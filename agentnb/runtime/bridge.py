"""From synchronous code into asynchronous: the one bridge, also where a loop is running already."""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError, Future, wait
from contextlib import suppress
from typing import Any, TypeVar

Result = TypeVar("Result")

POLL_SECONDS = 0.05
_here = threading.local()


def run_sync(work: Coroutine[Any, Any, Result], idle: Callable[[], None] | None = None) -> Result:
    """Run it to its end on the bridge's own loop; Ctrl-C or the stop button cancels it.

    Args:
        work: What to run. It sees the context variables of the caller.
        idle: Called on the calling thread every ``POLL_SECONDS`` seconds meanwhile, as to ask the user something.
    """
    nested = getattr(_here, "bridge", False)
    bridge = _Bridge() if nested else _Bridge.of_this_process()
    try:
        return _run_on(bridge, work, idle)
    finally:
        if nested:
            bridge.close()


def _run_on(bridge: _Bridge, work: Coroutine[Any, Any, Result], idle: Callable[[], None] | None) -> Result:
    future = asyncio.run_coroutine_threadsafe(_contained(work), bridge.loop)
    try:
        while not wait([future], POLL_SECONDS).done:
            if idle is not None:
                idle()
    except BaseException:
        _cancel(future, bridge)
        raise
    try:
        return future.result()
    except CancelledError:
        raise asyncio.CancelledError from None


async def _contained(work: Coroutine[Any, Any, Result]) -> Result:
    """The work; an interrupt that it raises would end the loop's thread, and is a cancellation there."""
    try:
        return await work
    except KeyboardInterrupt:
        raise asyncio.CancelledError from None


def _cancel(future: Future[Any], bridge: _Bridge) -> None:
    """Cancel the work, and wait until it has written down that it was."""
    future.cancel()
    idle = asyncio.run_coroutine_threadsafe(_others_done(), bridge.loop)
    with suppress(Exception):
        idle.result(timeout=10)


async def _others_done() -> None:
    others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task() and task.cancelling()]
    if others:
        await asyncio.wait(others)


class _Bridge:
    """A loop that runs in a thread of its own until the process ends, so that connections outlive one call."""

    _current: _Bridge | None = None
    _lock = threading.Lock()

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.pid = os.getpid()
        self.thread = threading.Thread(target=self._run, name="agentnb-sync", daemon=True)
        self.thread.start()
        atexit.register(self.close)

    @classmethod
    def of_this_process(cls) -> _Bridge:
        with cls._lock:
            if cls._current is None or cls._current.pid != os.getpid() or not cls._current.thread.is_alive():
                cls._current = cls()
            return cls._current

    def close(self) -> None:
        """Stop the loop, after what was begun on it is cancelled."""
        atexit.unregister(self.close)
        if self.pid == os.getpid() and self.thread.is_alive():
            self.loop.call_soon_threadsafe(self.loop.stop)
            self.thread.join(5)

    def _run(self) -> None:
        _here.bridge = True
        asyncio.set_event_loop(self.loop)
        try:
            self.loop.run_forever()
            tasks = asyncio.all_tasks(self.loop)
            for task in tasks:
                task.cancel()
            self.loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
            self.loop.run_until_complete(self.loop.shutdown_asyncgens())
        finally:
            self.loop.close()
