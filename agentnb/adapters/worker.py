"""The other side of ``agentnb.adapters.processes``: a process that runs one function after another."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Coroutine
from contextlib import suppress
from multiprocessing.connection import Connection
from queue import SimpleQueue
from types import ModuleType
from typing import Any

_LOOK = 1.0


def serve(descriptor: int) -> None:
    """Answer payloads until the other side is gone; then end at once, with everything that was started here.

    Before each payload comes ``-``, or a new import path and working folder. An empty answer says that code which is loaded here has
    changed on disk, so that a new process is needed.
    """
    os.set_inheritable(descriptor, False)
    pipe = Connection(descriptor)
    payloads: SimpleQueue[bytes] = SimpleQueue()
    threading.Thread(target=_receive, args=(pipe, payloads, os.getppid()), daemon=True).start()
    while True:
        _surround(payloads.get())
        payload = payloads.get()
        reply = b"" if _outdated() else _run(payload)
        _outdated()
        pipe.send_bytes(reply)


def _receive(pipe: Connection, payloads: SimpleQueue[bytes], parent: int) -> None:
    """Hand on what comes, and look after the other side also while a function runs."""
    try:
        while os.getppid() == parent:
            if pipe.poll(_LOOK):
                payloads.put(pipe.recv_bytes())
    except (EOFError, OSError):
        pass
    os.killpg(0, signal.SIGKILL)


def _surround(message: bytes) -> None:
    if message == b"-":
        return
    path, folder = json.loads(message)
    sys.path[:] = path
    with suppress(OSError):
        os.chdir(folder)


def _run(payload: bytes) -> bytes:
    import cloudpickle

    try:
        function, arguments = cloudpickle.loads(payload)
        value = function(**arguments)
        if isinstance(value, Coroutine):
            import asyncio

            value = asyncio.run(value)
    except BaseException as error:
        return bytes(cloudpickle.dumps(_described(error)))
    finally:
        _flush()
    try:
        return bytes(cloudpickle.dumps(("ok", value)))
    except Exception as error:
        reason = f"its result, a {type(value).__name__}, can't be sent back ({type(error).__name__}: {error}): return plain data"
        return bytes(cloudpickle.dumps(("error", "ExecutionError", reason, "")))


def _described(error: BaseException) -> tuple[str, str, str, str]:
    import traceback

    try:
        message = str(error)
    except Exception:
        message = "its message can't be read"
    return "error", type(error).__name__, message, "".join(traceback.format_exception(error))


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):
            stream.flush()


_loaded: dict[str, int] = {}


def _outdated() -> bool:
    """Whether a file of the user's own modules has changed since it was loaded; installed packages are not looked at."""
    installed = tuple(f"{prefix}{os.sep}lib" for prefix in {sys.prefix, sys.base_prefix})
    changed = False
    for module in list(sys.modules.values()):
        file: Any = module.__dict__.get("__file__") if type(module) is ModuleType else None
        if not isinstance(file, str) or file.startswith(installed):
            continue
        with suppress(OSError):
            modified = os.stat(file).st_mtime_ns  # noqa: PTH116
            changed = changed or _loaded.setdefault(file, modified) != modified
    return changed
