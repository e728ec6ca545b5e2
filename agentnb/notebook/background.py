"""A cell that goes on while others run."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import Any

_kept: set[asyncio.Task[Any]] = set()
"""Runs that go on after an answer: the loop itself would let go of them."""


def keep(work: Coroutine[Any, Any, Any]) -> None:
    """Have the loop do this, after the cell has ended too."""
    task = asyncio.ensure_future(work)
    _kept.add(task)
    task.add_done_callback(_kept.discard)


class BackgroundRun:
    """What ``-o`` binds until the result is there: ``await`` it for the result, ``stop()`` it."""

    def __init__(self, execute: Callable[[], Awaitable[Any]]) -> None:
        self._button = _stop_button(self.stop)
        self._task = asyncio.ensure_future(self._run(execute))
        self._task.add_done_callback(self._ended)

    @property
    def done(self) -> bool:
        return self._task.done()

    def stop(self) -> None:
        """Cancel it."""
        self._task.cancel()

    def __await__(self) -> Generator[Any, None, Any]:
        return asyncio.shield(self._task).__await__()

    def __repr__(self) -> str:
        if not self.done:
            return "<background run, running; await it for its result>"
        if self._task.cancelled():
            return "<background run, cancelled>"
        error = self._task.exception()
        return (
            f"<background run, failed: {type(error).__name__}: {error}>"
            if error
            else "<background run, completed; await it for its result>"
        )

    async def _run(self, execute: Callable[[], Awaitable[Any]]) -> Any:
        try:
            return await execute()
        except KeyboardInterrupt:
            raise asyncio.CancelledError from None

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._button.close()
        if not task.cancelled():
            task.exception()


def _stop_button(stop: Callable[[], None]) -> Any:
    from IPython.display import display
    from ipywidgets import Button

    button = Button(description="Stop", icon="stop", tooltip="Cancel this run")
    button.on_click(lambda _: stop())
    display(button)
    return button
