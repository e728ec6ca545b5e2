"""The boundary to where a step's Python function runs, when it isn't a thread of this process."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from agentnb.errors import ExecutionError


class RemoteError(ExecutionError):
    """What a function raised in another process; the message begins with the type.

    Attributes:
        type: Name of the exception's class there.
        traceback: Its traceback there, as text.
    """

    def __init__(self, type: str, message: str, traceback: str) -> None:
        super().__init__(f"{type}: {message}" if message else type)
        self.type = type
        self.traceback = traceback
        self.add_note(f"In the other process:\n{traceback}")


class Executor(Protocol):
    """Runs functions elsewhere.

    ``ProcessExecutor`` has warm processes on this machine. One for many machines would hand the payload to its scheduler, await that one
    task, and cancel that one task when the await is cancelled; it needs nothing else of agentnb, for a payload carries the function by
    value where it can't be imported. Both sides have to have the same Python and packages, as cloudpickle demands.
    """

    async def run(self, payload: bytes) -> bytes:
        """Run one function; awaited by many tasks, of several event loops, at once.

        Args:
            payload: What ``pack`` made.

        Returns:
            What ``unpack`` reads: cloudpickle of ``("ok", value)`` or of ``("error", type, message, traceback)``.

        Raises:
            ExecutionError: The function's process died; only this call is hurt.
            asyncio.CancelledError: The await was cancelled; by then the function has been stopped.
        """
        ...

    def close(self) -> None:
        """Stop what still runs, and free everything; ``run`` must not be called any more."""
        ...


def pack(function: Callable[..., Any], arguments: Mapping[str, Any]) -> bytes:
    """A call as a payload.

    Raises:
        ExecutionError: The function or an argument can't be pickled.
    """
    import cloudpickle

    try:
        return bytes(cloudpickle.dumps((function, dict(arguments))))
    except Exception as error:
        name = getattr(function, "__qualname__", repr(function))
        raise ExecutionError(
            f"{name} can't be sent to another process: {type(error).__name__}: {error}. "
            "Pass plain data, and open files, locks and connections inside the function; or use executor: thread"
        ) from error


def unpack(reply: bytes) -> Any:
    """The function's result.

    Raises:
        RemoteError: The function raised.
    """
    import cloudpickle

    verdict, *rest = cloudpickle.loads(reply)
    if verdict == "ok":
        return rest[0]
    raise RemoteError(*rest)


async def call(executor: Executor, function: Callable[..., Any], arguments: Mapping[str, Any]) -> Any:
    """Call a function elsewhere.

    Raises:
        RemoteError: It raised.
        ExecutionError: It can't be sent, or its process died.
    """
    return unpack(await executor.run(pack(function, arguments)))
