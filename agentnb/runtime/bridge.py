"""From synchronous code into asynchronous: the one bridge, also where a loop is running already."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from contextvars import copy_context
from typing import Any, TypeVar

Result = TypeVar("Result")

JOIN_SECONDS = 0.05


def run_sync(work: Coroutine[Any, Any, Result]) -> Result:
    """Run it to its end; Ctrl-C or the stop button cancels it.

    Where this thread runs a loop already, as a notebook's does, it runs in a thread of its own.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    return _Thread(work).result()


class _Thread:
    def __init__(self, work: Coroutine[Any, Any, Any]) -> None:
        self._work = work
        self._task: asyncio.Task[Any] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._outcome: Any = None
        self._error: BaseException | None = None
        self._begun = threading.Event()
        self._thread = threading.Thread(target=copy_context().run, args=(self._run,), name="agentnb-sync", daemon=True)

    def result(self) -> Any:
        self._thread.start()
        try:
            while self._thread.is_alive():
                self._thread.join(JOIN_SECONDS)
        except KeyboardInterrupt:
            self._begun.wait()
            if self._loop is not None and self._task is not None and self._thread.is_alive():
                self._loop.call_soon_threadsafe(self._task.cancel)
            self._thread.join()
            raise
        if self._error is not None:
            raise self._error
        return self._outcome

    def _run(self) -> None:
        try:
            self._outcome = asyncio.run(self._main())
        except BaseException as error:
            self._error = error
        finally:
            self._begun.set()

    async def _main(self) -> Any:
        self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
        self._begun.set()
        return await self._work
