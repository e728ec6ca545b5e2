"""Shell steps: a command in a subprocess, with limits, and nothing left of it when the step ends."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any

from agentnb.agents.tools import in_thread
from agentnb.policy import Check
from agentnb.secrets import to_json
from agentnb.workflows.kinds.call import Call, Result, StepFailed
from agentnb.workflows.kinds.tool import approved
from agentnb.workflows.spec import Limits, Shell, duration_text

MARK = "AGENTNB_SHELL"
KEY = "AGENTNB_IDEMPOTENCY_KEY"
INHERITED = ("PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "LD_LIBRARY_PATH")
"""The variables of this process that a command sees; the others may be secrets."""

_SUPERVISOR = str(Path(__file__).with_name("supervisor.py"))
_CHUNK = 65536
_TAIL = 2000
_PATIENCE = 15.0
_DRAIN = 2.0
_SWEEPS = 20


class ShellStep:
    """Output: ``{stdout, stderr, code}``, both as text. The step's input, where it has one, is the command's standard input, as JSON."""

    async def run(self, call: Call) -> Result:
        shell = call.action.shell
        if shell is None:
            raise StepFailed("this step has no command", retryable=False)
        given = call.parts.get("shell.command", shell.command)
        command = ["/bin/sh", "-c", given] if isinstance(given, str) else [str(part) for part in given]
        shown = given if isinstance(given, str) else to_json(command)
        decision = call.policy.enforce(Check("shell", shown, call.workflow, call.step_id, {"declared": True}))
        if decision.verdict == "ask":
            await approved(call, f"the command {shown}", decision.reason)
        env = _environment(call, shell)
        folder = _folder(call, shell)
        _find(command[0], env, folder)
        data = None if call.input is None else json.dumps(call.secret(call.input), ensure_ascii=False, default=str).encode()
        return Result(await _Command(command, env, folder, shell.limits).run(data))


class _Command:
    def __init__(self, command: Sequence[str], env: Mapping[str, str], folder: Path, limits: Limits) -> None:
        self._command = command
        self._env = env
        self._folder = folder
        self._limits = limits
        self._left = limits.output

    async def run(self, data: bytes | None) -> dict[str, Any]:
        """Run it to its end; when the await is cancelled, everything that it started has ended before this does.

        Raises:
            StepFailed: Its code is not 0, or it came to a limit.
        """
        ours, theirs = socket.socketpair()
        with theirs:
            reports, control = await asyncio.open_connection(sock=ours)
            try:
                with _input(data) as stdin:
                    process = self._start(theirs, stdin)
                theirs.close()
                return await self._watch(process, reports, control)
            finally:
                control.close()

    def _start(self, control: socket.socket, stdin: IO[bytes]) -> subprocess.Popen[bytes]:
        limits = self._limits.model_dump(include={"memory", "cpu", "file_size", "processes"})
        arguments = [str(control.fileno()), _packages(), json.dumps(limits), *self._command]
        try:
            return subprocess.Popen(  # noqa: S603
                [sys.executable, "-I", "-S", _SUPERVISOR, *arguments],
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=self._env,
                cwd=self._folder,
                pass_fds=(control.fileno(),),
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            raise StepFailed(f"{self._command[0]} can't be started: {error}", retryable=False) from error

    async def _watch(
        self, process: subprocess.Popen[bytes], reports: asyncio.StreamReader, control: asyncio.StreamWriter
    ) -> dict[str, Any]:
        stdout, stderr = bytearray(), bytearray()
        readers: list[asyncio.Task[None]] = []
        transports: list[asyncio.BaseTransport] = []
        try:
            try:
                for pipe, kept in ((process.stdout, stdout), (process.stderr, stderr)):
                    stream, transport = await _connect(pipe)
                    transports.append(transport)
                    readers.append(asyncio.create_task(self._read(stream, kept, control)))
                report = json.loads(await reports.read() or b"{}")
            finally:
                control.close()
                await in_thread(lambda: _gone(process, self._env[MARK]))
            await asyncio.wait(readers, timeout=_DRAIN)
        finally:
            for reader in readers:
                reader.cancel()
            for transport in transports:
                transport.close()
        return self._judge(stdout.decode(errors="replace"), stderr.decode(errors="replace"), report)

    async def _read(self, stream: asyncio.StreamReader, kept: bytearray, control: asyncio.StreamWriter) -> None:
        """All of it, up to the limit; what comes after that ends the command, and is dropped."""
        while chunk := await stream.read(_CHUNK):
            self._left -= len(chunk)
            if self._left >= 0:
                kept += chunk
            elif not control.is_closing():
                with suppress(OSError):
                    control.write_eof()

    def _judge(self, stdout: str, stderr: str, report: Mapping[str, Any]) -> dict[str, Any]:
        name = self._command[0] if self._command[0] != "/bin/sh" else "the command"
        code = report.get("code")
        limit = "output" if self._left < 0 else report.get("limit")
        if limit:
            raise StepFailed(f"{name} {_excess(limit, self._limits)}", retryable=False)
        if code is None:
            raise StepFailed(f"{name} ended the process that watched it: it must not kill its parent")
        if code:
            ended = f"ended with code {code}" if code > 0 else f"was ended by {_signal_name(-code)}"
            said = stderr.strip() or stdout.strip()
            raise StepFailed(f"{name} {ended}{f': …{said[-_TAIL:]}' if len(said) > _TAIL else f': {said}' if said else ''}")
        return {"stdout": stdout, "stderr": stderr, "code": code}


def _environment(call: Call, shell: Shell) -> dict[str, str]:
    inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
    given = call.secret(call.parts.get("shell.env", shell.env)) or {}
    texts = {str(name): value if isinstance(value, str) else to_json(value) for name, value in given.items()}
    return {"PATH": os.defpath, "LANG": "C.UTF-8", **inherited, KEY: call.idempotency_key, **texts, MARK: uuid.uuid4().hex}


def _folder(call: Call, shell: Shell) -> Path:
    folder = call.folder / str(call.parts.get("shell.cwd", shell.cwd) or "")
    if not folder.is_dir():
        raise StepFailed(f"shell.cwd: there is no folder {folder}; it is relative to the workflow's file", retryable=False)
    return folder


def _find(program: str, env: Mapping[str, str], folder: Path) -> None:
    place = str(folder / program) if "/" in program else program
    if shutil.which(place, path=env["PATH"]) is None:
        raise StepFailed(
            f"there is no program {program!r} on the PATH {env['PATH']!r}: install it, or give its whole path", retryable=False
        )


def _packages() -> str:
    """The folder that psutil lies in."""
    found = find_spec("psutil")
    return str(Path(found.origin).parents[1]) if found is not None and found.origin else ""


def _input(data: bytes | None) -> IO[bytes]:
    """A file to read from, in memory where that can be: a pipe would block whoever writes to a command that doesn't read."""
    if data is None:
        return open(os.devnull, "rb")  # noqa: PTH123
    in_memory = hasattr(os, "memfd_create")
    file: IO[bytes] = os.fdopen(os.memfd_create("input"), "w+b") if in_memory else tempfile.TemporaryFile()  # noqa: SIM115
    file.write(data)
    file.seek(0)
    return file


async def _connect(pipe: IO[bytes] | None) -> tuple[asyncio.StreamReader, asyncio.BaseTransport]:
    reader = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), pipe)
    return reader, transport


def _gone(process: subprocess.Popen[bytes], mark: str) -> None:
    """Wait until the supervisor has ended everything; look for what is left where it couldn't."""
    try:
        code: int | None = process.wait(_PATIENCE)
    except subprocess.TimeoutExpired:
        code = None
        process.kill()
        process.wait()
    if code != 0 or sys.platform != "linux":
        _sweep(mark)


def _sweep(mark: str) -> None:
    """Kill what carries the mark, until a look finds nothing: it may fork meanwhile."""
    import psutil

    for _ in range(_SWEEPS):
        found = 0
        for process in psutil.process_iter():
            with suppress(psutil.Error, OSError):
                if process.environ().get(MARK) == mark:
                    process.kill()
                    found += 1
        if not found:
            return


def _excess(limit: str, limits: Limits) -> str:
    what, mend = {
        "memory": (f"used more than {limits.memory or 0:,} bytes of memory, what it started included", "give it less data"),
        "cpu": (f"used more than {duration_text(limits.cpu or 0)} of processor time, what it started included", "give it less to do"),
        "output": (f"printed more than {limits.output:,} bytes", "print less, or write to a file"),
        "processes": (f"started more than {limits.processes} processes", "start fewer at a time"),
    }[limit]
    return f"{what}: {mend}, or raise shell.limits.{limit}"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
