"""GGUF files: what their header says, and their conversion to OpenVINO IR, which loads in half the time.

The format is described at https://github.com/ggml-org/ggml/blob/master/docs/gguf.md.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile
from importlib import metadata
from pathlib import Path
from typing import Any, BinaryIO

from agentnb.errors import ConfigurationError

_SCALARS = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d"}
_STRING, _ARRAY = 8, 9
_SHORT = 8
_SCRIPT = """
import sys
sys.modules["openvino_telemetry"] = None
import openvino_genai
openvino_genai.Tokenizer(sys.argv[1], enable_save_ov_model=True)
scheduler = openvino_genai.SchedulerConfig()
scheduler.cache_size = 1
openvino_genai.ContinuousBatchingPipeline(sys.argv[1], scheduler, "CPU", {"enable_save_ov_model": True})
"""
"""Runs in a process of its own, for OpenVINO ends the process on some damaged files."""

_QUANTISATION = "gguf_tensor_to_f16"
"""What OpenVINO names where it meets K-quants and Q5."""

_ARCHITECTURES = ("llama", "qwen2", "qwen3")


def header(file: Path) -> dict[str, Any]:
    """The metadata of a GGUF file; of arrays only the first eight values.

    Raises:
        ConfigurationError: It is no GGUF file, or its header is cut off.
    """
    try:
        with file.open("rb") as stream:
            magic, version, _, count = struct.unpack("<4sIQQ", stream.read(24))
            if magic != b"GGUF" or version < 2:
                raise ConfigurationError(
                    f"{file} is no GGUF file of version 2 or 3: name a .gguf file, or a folder with openvino_model.xml"
                )
            return dict(_pair(stream) for _ in range(count))
    except (struct.error, UnicodeDecodeError, KeyError, EOFError, OSError) as error:
        raise ConfigurationError(f"{file} is damaged or cut off ({error}): fetch it again") from None


def _pair(stream: BinaryIO) -> tuple[str, Any]:
    key = _string(stream)
    return key, _value(stream, _scalar(stream, "<I"))


def _scalar(stream: BinaryIO, layout: str) -> Any:
    return struct.unpack(layout, stream.read(struct.calcsize(layout)))[0]


def _string(stream: BinaryIO) -> str:
    size = _scalar(stream, "<Q")
    data = stream.read(size) if size < 2**26 else b""
    if len(data) != size:
        raise EOFError("the file ends inside its header")
    return data.decode("utf-8", "replace")


def _value(stream: BinaryIO, kind: int) -> Any:
    if kind == _STRING:
        return _string(stream)
    if kind != _ARRAY:
        return _scalar(stream, _SCALARS[kind])
    item, count = _scalar(stream, "<I"), _scalar(stream, "<Q")
    if item in _SCALARS and count > _SHORT:
        stream.seek(struct.calcsize(_SCALARS[item]) * count, os.SEEK_CUR)
        return []
    return [_value(stream, item) for _ in range(count)][:_SHORT]


def context_length(facts: dict[str, Any]) -> int:
    """Tokens that the model reads at most; 0 where the file doesn't say."""
    return int(facts.get(f"{facts.get('general.architecture')}.context_length", 0))


def converted(file: Path, cache: Path) -> Path:
    """The IR folder of a GGUF file; converted the first time, which takes about 10 s for 100 MB.

    Several processes may convert at once: each works in a folder of its own, and the first to rename it wins.

    Raises:
        ConfigurationError: OpenVINO can't read this file; the message says why.
    """
    target = _target(file, cache)
    if target.is_dir():
        return target
    facts = header(file)
    target.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=".part-", dir=target.parent))
    try:
        _convert(file, work, facts)
        with contextlib.suppress(OSError):
            work.rename(target)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return target


def _target(file: Path, cache: Path) -> Path:
    path = file.resolve()
    state = path.stat()
    version = metadata.version("openvino-genai")
    key = hashlib.sha256(f"{path}\n{state.st_size}\n{state.st_mtime_ns}\n{version}".encode()).hexdigest()[:12]
    return cache / "converted" / f"{path.stem}-{key}"


def _convert(file: Path, work: Path, facts: dict[str, Any]) -> None:
    link = work / "model.gguf"
    try:
        link.symlink_to(file.resolve())
    except OSError:
        shutil.copyfile(file, link)
    problem = _exported(link)
    if problem is not None and _QUANTISATION in problem and facts.get("general.architecture") in _ARCHITECTURES:
        from agentnb.adapters.openvino.requantise import rewritten

        link.unlink()
        rewritten(file, link)
        problem = _exported(link)
    link.unlink()
    if problem is not None:
        raise ConfigurationError(_unreadable(file, facts, problem))
    config = {"model_type": facts.get("general.architecture", ""), "max_position_embeddings": context_length(facts)}
    (work / "config.json").write_text(json.dumps(config), encoding="utf-8")


def _exported(file: Path) -> str | None:
    """Write the IR beside the file; what OpenVINO says where it can't."""
    done = subprocess.run([sys.executable, "-c", _SCRIPT, str(file)], capture_output=True, text=True, errors="replace", check=False)  # noqa: S603
    return done.stderr if done.returncode else None


def _unreadable(file: Path, facts: dict[str, Any], error: str) -> str:
    architecture = facts.get("general.architecture")
    if architecture not in _ARCHITECTURES:
        known = ", ".join(_ARCHITECTURES)
        return f"{file}: OpenVINO reads GGUF files of {known}, not of {architecture}: use an OpenVINO IR folder of this model"
    lines = [line.strip() for line in error.splitlines() if line.strip()]
    reason = lines[-1] if lines else "its process crashed"
    return f"{file}: OpenVINO can't read it ({reason}): it is perhaps cut off, so fetch it again"
