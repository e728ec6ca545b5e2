"""Runs one command, watches everything that it starts, and leaves nothing of it behind.

A script that ``agentnb.workflows.kinds.shell`` starts by its path, so that it loads little, and nothing of the user's. It has one thread,
so setting the limits between fork and exec is safe here, as it is not in a kernel full of threads. On Linux it adopts every orphan
below it: ``setsid``, a double fork and an emptied environment don't get away. When the other end of ``control`` is closed, also because
that process was killed, everything ends.

    python -I -S supervisor.py CONTROL FOLDER_OF_PSUTIL LIMITS COMMAND…
"""

from __future__ import annotations

import json
import math
import os
import resource
import select
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

_LOOK = 0.05
_SHARE = 20
_PATIENCE = 10.0
_SUBREAPER = 36
_FIRST = -20
_THREADS = 16
_RESERVED = 1_000_000_000


def main(control: int, limits: Mapping[str, Any], command: list[str]) -> int:
    """Run it, and write to ``control`` what became of it: ``{"code"}`` or ``{"limit"}``.

    Returns:
        0, or 1 where something is left that couldn't be killed.
    """
    parent = os.getppid()
    os.set_inheritable(control, False)
    _adopt_orphans()
    wake, woken = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    signal.set_wakeup_fd(woken)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    tree = Tree(_start(command, limits), limits)
    with suppress(OSError):
        os.nice(_FIRST)
    report: dict[str, Any] = {}
    due = time.monotonic() + _LOOK
    while tree.alive:
        ready, _, _ = select.select([control, wake], [], [], max(due - time.monotonic(), 0))
        if control in ready or os.getppid() != parent:
            break
        if wake in ready:
            os.read(wake, 4096)
            tree.reap()
        looked = time.monotonic()
        if looked >= due and tree.alive:
            exceeded = tree.exceeded()
            if exceeded:
                report = {"limit": exceeded}
                break
            ended = time.monotonic()
            due = ended + max(_LOOK, (ended - looked) * _SHARE)
    ended = tree.end()
    with suppress(OSError):
        os.write(control, json.dumps(report or {"code": tree.code}).encode())
    return 0 if ended else 1


class Tree:
    """The command and everything that it has started.

    Attributes:
        alive: Whether the command itself still runs.
        code: What it ended with; the negative number of the signal that ended it.
    """

    def __init__(self, pid: int, limits: Mapping[str, Any]) -> None:
        self._pid = pid
        self._limits = limits
        self.alive = True
        self.code: int | None = None

    def reap(self) -> bool:
        """Take note of those that have ended; whether any are left."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return False
            if pid == 0:
                return True
            if pid == self._pid:
                self.alive, self.code = False, os.waitstatus_to_exitcode(status)

    def exceeded(self) -> str:
        """The limit that is exceeded, or an empty string."""
        below = _below()
        if len(below) > self._limits["processes"]:
            return "processes"
        memory, cpu = self._limits.get("memory"), self._limits.get("cpu")
        if memory and _sum(below, _resident) > memory and _sum(below, _proportional) > memory:
            return "memory"
        return "cpu" if cpu and _sum(below, _processor_time) > cpu else ""

    def end(self) -> bool:
        """Kill all of it; whether none is left.

        Whole groups are killed by one call each, which no fork can outrun. They are all below this process: the command began a session.
        """
        if self.alive:
            _kill_group(self._pid)
        deadline = time.monotonic() + _PATIENCE
        while self.reap():
            if time.monotonic() > deadline:
                return False
            for group in _groups(_below()):
                _kill_group(group)
            time.sleep(0.002)
        return True


def _start(command: list[str], limits: Mapping[str, Any]) -> int:
    pid = os.fork()
    if pid:
        return pid
    try:
        os.setsid()
        for number in (signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_DFL)
        signal.set_wakeup_fd(-1)
        _limit(limits)
        os.execvp(command[0], command)  # noqa: S606
    except BaseException as error:
        os.write(2, f"{command[0]}: {error}\n".encode("utf-8", "replace"))
    os._exit(127)


def _limit(limits: Mapping[str, Any]) -> None:
    """What the kernel enforces for each process, in addition to what is watched for all of them together.

    The watch measures what is used; these stop what outruns it. RLIMIT_DATA, with room to spare, instead of RLIMIT_AS: node, java and Go
    reserve far more memory than they use. RLIMIT_NPROC counts all tasks of the user, so it comes on top of those that are there; it doesn't
    hold root, who may in turn have the watch run before everything else.
    """
    if limits.get("memory"):
        _lower(resource.RLIMIT_DATA, limits["memory"] + _RESERVED)
    if limits.get("cpu"):
        _lower(resource.RLIMIT_CPU, math.ceil(limits["cpu"]) + 1)
    if limits.get("file_size"):
        _lower(resource.RLIMIT_FSIZE, limits["file_size"])
    _lower(resource.RLIMIT_CORE, 0)
    tasks = _tasks()
    if tasks:
        _lower(resource.RLIMIT_NPROC, tasks + _THREADS * limits["processes"])


def _lower(what: int, value: int) -> None:
    hard = resource.getrlimit(what)[1]
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(what, (value, value))


def _tasks() -> int:
    count = 0
    for name in os.listdir("/proc") if os.path.isdir("/proc/self/task") else ():  # noqa: PTH112, PTH208
        try:
            if name.isdigit() and os.stat(f"/proc/{name}").st_uid == os.getuid():  # noqa: PTH116
                count += len(os.listdir(f"/proc/{name}/task"))  # noqa: PTH208
        except OSError:
            continue
    return count


def _adopt_orphans() -> None:
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0)


def _below() -> list[Any]:
    import psutil

    try:
        return list(psutil.Process().children(recursive=True))
    except psutil.Error:
        return []


def _sum(processes: Sequence[Any], measure: Any) -> float:
    import psutil

    total = 0.0
    for process in processes:
        try:
            total += measure(process)
        except (psutil.Error, OSError):
            continue
    return total


def _resident(process: Any) -> float:
    return float(process.memory_info().rss)


def _proportional(process: Any) -> float:
    """Bytes, each shared page divided among those that share it: a fork doesn't count twice."""
    memory = process.memory_full_info()
    return float(getattr(memory, "pss", memory.rss))


def _processor_time(process: Any) -> float:
    times = process.cpu_times()
    return float(times.user + times.system + times.children_user + times.children_system)


def _groups(processes: Sequence[Any]) -> set[int]:
    found = set()
    for process in processes:
        with suppress(ProcessLookupError):
            found.add(os.getpgid(process.pid))
    return found - {os.getpgrp()}


def _kill_group(group: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


if __name__ == "__main__":
    sys.path.append(sys.argv[2])
    sys.exit(main(int(sys.argv[1]), json.loads(sys.argv[3]), sys.argv[4:]))
