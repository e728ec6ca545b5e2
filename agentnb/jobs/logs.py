"""What the processes of jobs say that nobody watches: a file a run, beside the store, which goes when the run's output does."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agentnb.runtime.runtime import Runtime

SHOWN = 200_000
"""Bytes of the end of a log that are shown."""


def folder(runtime: Runtime) -> Path:
    """Where the logs are."""
    return runtime.settings.store / "jobs" / "logs"


def file_of(runtime: Runtime, run_id: str) -> Path:
    """The log of a run, whether it is there or not."""
    return folder(runtime) / f"{run_id}.log"


def tail(file: Path, most: int = SHOWN) -> tuple[str, int]:
    """The end of a log, from the beginning of a line on, and the size of all of it in bytes.

    Raises:
        OSError: It can't be read.
    """
    with file.open("rb") as stream:
        size = stream.seek(0, 2)
        stream.seek(max(size - most, 0))
        data = stream.read()
    if size > most:
        data = data.partition(b"\n")[2]
    return data.decode("utf-8", "replace"), size


def remove(runtime: Runtime, run_id: str) -> None:
    """Remove the log of a run, where there is one."""
    with suppress(OSError):
        file_of(runtime, run_id).unlink(missing_ok=True)
