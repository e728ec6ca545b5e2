"""Folders that are there as a whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from agentnb.errors import ConfigurationError, OptimizationError, cause
from agentnb.optimization.packages import core, openvino

_ROOM = 1.2
_PIECE = 2**20
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextmanager
def readable_errors(place: Path) -> Iterator[None]:
    """Turn what the file system says into an OptimizationError that names the mend."""
    try:
        yield
    except OSError as error:
        mend = "free some space, then run this again" if error.errno in _FULL else "choose a folder that can be written"
        raise OptimizationError(f"{place} can't be written ({error.strerror or error}): {mend}; nothing was left there") from error


def check_free(target: Path, *, force: bool) -> None:
    """Refuse early what could not be written in the end; nothing is made.

    Raises:
        ConfigurationError: Something is there already, or the folder above can't be written.
    """
    if target in (Path.cwd(), *Path.cwd().parents):
        raise ConfigurationError(f"-o {target}: that is the working folder, or holds it: name a folder of its own")
    try:
        target.exists()
    except OSError as error:
        raise ConfigurationError(f"-o {target.name[:40]}… can't be a folder's name ({error.strerror}): choose another -o") from None
    if target.exists() and not (target.is_dir() and not any(target.iterdir())):
        if not (target / "agentnb.json").is_file():
            raise ConfigurationError(f"{target} is there already, and wasn't written by `agentnb optimize`: choose another -o")
        if not force:
            raise ConfigurationError(f"{target} is there already: choose another -o, or --force to replace it")
    above = next(place for place in target.parents if place.exists())
    try:
        with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=above):
            pass
    except OSError as error:
        raise ConfigurationError(f"{above} can't be written ({error.strerror}): choose another -o") from None


@contextmanager
def whole(target: Path) -> Iterator[Path]:
    """A folder to fill; at the end of the block it takes the target's place, after an error it is removed.

    Raises:
        OptimizationError: The disk is full, or the folder can't be written.
    """
    with readable_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=f".{target.name}.part-", dir=target.parent))
        try:
            yield work
            work.chmod(0o755)
            _sync(work)
            _replace(work, target)
        finally:
            shutil.rmtree(work, ignore_errors=True)


def _sync(folder: Path) -> None:
    for file in folder.rglob("*"):
        if file.is_file():
            descriptor = os.open(file, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)


def _replace(work: Path, target: Path) -> None:
    if not target.exists():
        work.rename(target)
        return
    old = target.with_name(f".{target.name}.old-{os.getpid()}")
    target.rename(old)
    try:
        work.rename(target)
    except OSError:
        old.rename(target)
        raise
    shutil.rmtree(old, ignore_errors=True)


def save(model: Any, file: Path) -> int:
    """Write an IR; the number of its bytes.

    OpenVINO doesn't notice every failed write, and names no reason for those that it does: the room is asked for before, the file is read
    back after, and where that fails, as much is written without OpenVINO, for the file system to say what is wrong.

    Raises:
        OptimizationError: The disk is full (an OSError is its cause), or OpenVINO can't write this model.
    """
    with readable_errors(file.parent):
        file.parent.mkdir(parents=True, exist_ok=True)
        needed = int(weight_bytes(model) * _ROOM)
        if shutil.disk_usage(file.parent).free < needed:
            raise OSError(errno.ENOSPC, f"{needed / 1e6:.0f} MB are needed")
        try:
            openvino().save_model(model, file, compress_to_fp16=False)
            core().read_model(file)
            return file.stat().st_size + file.with_suffix(".bin").stat().st_size
        except OSError:
            raise
        except Exception as error:
            for part in (file, file.with_suffix(".bin")):
                with contextlib.suppress(OSError):
                    part.unlink()
            _try_to_write(file.parent, needed)
            raise OptimizationError(f"OpenVINO can't write this model to {file}: {cause(error)}") from error


def _try_to_write(folder: Path, size: int) -> None:
    """Write so many bytes, and leave nothing; raises the file system's own error."""
    with tempfile.TemporaryFile(dir=folder) as file:
        for _ in range(size // _PIECE + 1):
            file.write(bytes(_PIECE))
        file.flush()
        os.fsync(file.fileno())


def weight_bytes(model: Any) -> int:
    """Bytes of a model's constants."""
    return sum(node.get_byte_size() for node in model.get_ops() if node.get_type_name() == "Constant")


def sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
