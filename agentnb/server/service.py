"""What the extension keeps while the server runs."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from agentnb.config import load
from agentnb.errors import ConfigurationError
from agentnb.runtime.runtime import Runtime
from agentnb.server import metrics
from agentnb.server.live import Tail
from agentnb.server.pulls import Pulls
from agentnb.server.spawning import Spawner
from agentnb.server.sweeping import Sweeper

_THREADS = 4
Result = TypeVar("Result")


class Service:
    """The runtime, and what goes on beside the requests; begun with the server, or by the first request.

    Args:
        root: The server's folder: settings are searched from there, and files of workflows lie in it.
        base: The URL path of the API.
        max_processes: How many processes of runs it starts at a time.
    """

    def __init__(self, root: Path, base: str, max_processes: int = 8) -> None:
        self.root = root
        self.base = base
        self._max_processes = max_processes
        self._threads = ThreadPoolExecutor(_THREADS, "agentnb")
        self._started = False
        self._opening = threading.Lock()

    @cached_property
    def runtime(self) -> Runtime:
        return Runtime(load(self.root))

    @cached_property
    def tail(self) -> Tail:
        return Tail(Runtime(self.runtime.settings).store, metrics.observe)

    @cached_property
    def spawner(self) -> Spawner:
        return Spawner(self.runtime, self._max_processes, lambda run_id, text: self.tail.whisper(run_id, "delta", text))

    @cached_property
    def sweeper(self) -> Sweeper:
        return Sweeper(self.runtime, self.spawner, self.root)

    @cached_property
    def pulls(self) -> Pulls:
        return Pulls(self.root, self.spawner.environment())

    async def start(self) -> None:
        """Begin, where that wasn't done yet.

        Raises:
            AgentNBError: The settings are wrong, or the store can't be had.
        """
        if self._started:
            return
        position = await self.aside(self._open)
        if not self._started:
            self._started = True
            self.tail.start(position)
            self.sweeper.start()
            metrics.watch(self)

    def _open(self) -> int:
        with self._opening:
            return self.runtime.store.position()

    async def aside(self, work: Callable[..., Result], *arguments: Any) -> Result:
        """Do something that waits for the disk, without holding up the server's loop."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, work, *arguments)

    def path(self, name: str) -> Path:
        """A file in the server's folder.

        Raises:
            ConfigurationError: It is elsewhere.
        """
        root = self.root.resolve()
        if "\0" in name:
            raise ConfigurationError("file: a path holds no NUL")
        try:
            path = (root / name.lstrip("/")).resolve()
            special = path.exists() and not (path.is_file() or path.is_dir())
        except (OSError, RuntimeError) as error:
            raise ConfigurationError(f"file: {name[:200]!r} is no path: {error}") from None
        if not path.is_relative_to(root):
            raise ConfigurationError(f"file: {name[:200]!r} is not in the server's folder: give a path below it")
        if special:
            raise ConfigurationError(f"file: {name[:200]!r} is a pipe or a device: give a file")  # reading one might never end
        return path

    def problems(self) -> dict[str, str]:
        """By part, why it doesn't do its work; empty where it does."""
        return {"events": self.tail.problem, "sweep": self.sweeper.problem}

    def close(self) -> None:
        if self._started:
            metrics.watch(None)
            self.sweeper.close()
            self.tail.close()
            self.runtime.close()
        self._threads.shutdown(wait=False, cancel_futures=True)
