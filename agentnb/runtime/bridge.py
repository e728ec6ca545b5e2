"""From synchronous code into asynchronous: the one bridge, also where a loop is running already."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from contextlib import suppress
from contextvars import copy_context
from typing import Any, TypeVar

Result = TypeVar("Result")

POLL_SECONDS = 0.05


def run_sync(work: Coroutine[Any, Any, Result], idle: Callable[[], None] | None = None) -> Result:
    """Run it to its end in a thread of its own; Ctrl-C or the stop button cancels it.

    Args:
        work: What to run. It sees the context variables of the caller.
        idle: Called on the calling thread every ``POLL_SECONDS`` seconds meanwhile, as to ask the user something.
    """
    done: Future[Result] = Future()
    begun, ended = threading.Event(), threading.Event()
    inside: list[tuple[asyncio.AbstractEventLoop, asyncio.Task[Any]]] = []

    async def main() -> Result:
        task = asyncio.current_task()
        if task is not None:
            inside.append((asyncio.get_running_loop(), task))
        begun.set()
        return await work

    def run() -> None:
        try:
            done.set_result(asyncio.run(main()))
        except BaseException as error:
            done.set_exception(error)
        finally:
            begun.set()
            ended.set()

    # Events rather than Thread.join: in Python 3.11 an interrupted join takes the thread for ended.
    thread = threading.Thread(target=copy_context().run, args=(run,), name="agentnb-sync", daemon=True)
    thread.start()
    try:
        while not ended.wait(POLL_SECONDS):
            if idle is not None:
                idle()
    except BaseException:
        begun.wait()
        for loop, task in inside:
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(task.cancel)
        ended.wait()
        raise
    return done.result()
