"""Who executes a run: this process's name, and whether another one still lives."""

from __future__ import annotations

import os
import socket
import sys
from functools import lru_cache
from pathlib import Path

from agentnb.ports.store import Run, rfc3339

LEASE_SECONDS = 30.0
_STARTTIME = 18
"""Its place behind the state in /proc/PID/stat, in ticks since the machine was started: proc_pid_stat(5)."""


def this_process() -> str:
    """``host/pid/start``: names this process, also after its number was given to another one."""
    return _name(os.getpid())


@lru_cache(maxsize=2)
def _name(pid: int) -> str:
    return f"{socket.gethostname()}/{pid}/{_start(pid)}"


def is_dead(owner: str) -> bool:
    """Whether the process surely lives no more; False also where it can't be known, as for one on another machine."""
    host, _, rest = owner.partition("/")
    pid, _, start = rest.partition("/")
    return host == socket.gethostname() and pid.isdigit() and _start(int(pid)) != start


def last_sign(run: Run) -> str:
    """When a run that was lost was last known to be executed, RFC 3339 UTC: its lease was renewed then."""
    return max(run.created_at, rfc3339(run.lease_until - LEASE_SECONDS))


def _start(pid: int) -> str:
    """When a process began; empty where it lives no more. On Linux by a clock that nobody sets: psutil's moves with the time of day."""
    if sys.platform == "linux":
        try:
            state, *found = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
        except OSError:
            return ""
        return "" if state in "ZX" else found[_STARTTIME]
    import psutil

    try:
        process = psutil.Process(pid)
        return "" if process.status() == psutil.STATUS_ZOMBIE else f"{process.create_time():.2f}"
    except psutil.Error:
        return ""
