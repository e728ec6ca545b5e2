"""A cell that goes on while others run."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator
from typing import Any

from agentnb.notebook.view import NotebookView, View
from agentnb.runtime.results import AgentResult


class BackgroundRun:
    """What ``-o`` binds until the result is there: ``await`` it for the result, ``stop()`` it."""

    def __init__(self, execute: Callable[[View], Awaitable[AgentResult]], view: NotebookView) -> None:
        self._button = _stop_button(self.stop)
        self._task = asyncio.ensure_future(self._run(execute, view))
        self._task.add_done_callback(self._ended)

    @property
    def done(self) -> bool:
        return self._task.done()

    def stop(self) -> None:
        """Cancel it."""
        self._task.cancel()

    def __await__(self) -> Generator[Any, None, AgentResult]:
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

    async def _run(self, execute: Callable[[View], Awaitable[AgentResult]], view: NotebookView) -> AgentResult:
        try:
            return await execute(view)
        except KeyboardInterrupt:
            raise asyncio.CancelledError from None

    def _ended(self, task: asyncio.Task[AgentResult]) -> None:
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
