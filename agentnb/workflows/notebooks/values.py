"""Values on their way from one step of a notebook to another: as JSON where that gives back the same, else pickled and signed."""

from __future__ import annotations

import base64
import hashlib
import hmac
import math
import os
import secrets as randomness
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from agentnb.secrets import held_in
from agentnb.workflows.kinds.call import StepFailed

PICKLE = "$pickle"
MAX_BYTES = 20_000_000
_DEEPEST = 50
_TO_OURS = bytes.maketrans(b"hxKzJ", b".~!@*")
_FROM_OURS = bytes.maketrans(b".~!@*", b"hxKzJ")
"""Base64 in letters of which no secret's shape can be made: masking finds nothing to search through in megabytes of it."""

_LARGEST = 2**63


@dataclass(frozen=True)
class Answer:
    """An agent's answer as later cells see it."""

    text: str
    output: Any
    usage: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, value: dict[str, Any]) -> Answer:
        """From the output of an agent step."""
        return cls(value["text"], value["text"] if value.get("data") is None else value["data"], dict(value.get("usage") or {}))

    def __str__(self) -> str:
        return self.text


def encoded(name: str, value: Any) -> Any:
    """A variable's value as the journal can hold it.

    Raises:
        StepFailed: It can't be pickled, is larger than ``MAX_BYTES``, or holds a secret.
    """
    if is_json(value) and not (type(value) is dict and PICKLE in value):
        return value
    import cloudpickle

    kind = type(value).__name__
    try:
        data: bytes = cloudpickle.dumps(value)
    except Exception as error:
        raise StepFailed(
            f"{name} is a {kind}, which can't be passed to a later step ({type(error).__name__}: {error}): "
            "make it in the step that uses it, or write a file and pass its path",
            retryable=False,
        ) from error
    if len(data) > MAX_BYTES:
        raise StepFailed(
            f"{name}, a {kind}, takes {len(data) / 1e6:.0f} MB pickled, and steps pass up to {MAX_BYTES // 1_000_000} MB: "
            "write it to a file and pass its path",
            retryable=False,
        )
    if held_in(data):
        raise StepFailed(f"{name}, a {kind}, holds a secret, which is not kept: read it in the step that uses it", retryable=False)
    return {PICKLE: base64.b64encode(data).translate(_TO_OURS).decode(), "type": kind, "size": len(data), "signature": _signature(data)}


def decoded(name: str, value: Any) -> Any:
    """The value again; what was pickled is loaded only where a step of a notebook with this store has pickled it.

    Raises:
        StepFailed: It was not, or can't be loaded.
    """
    if not (type(value) is dict and PICKLE in value):
        return value
    import cloudpickle

    try:
        data = base64.b64decode(value[PICKLE].encode("ascii").translate(_FROM_OURS), validate=True)
        genuine = hmac.compare_digest(str(value.get("signature")).encode(), _signature(data).encode())
    except (ValueError, TypeError, AttributeError):
        genuine = False
    if not genuine:
        raise StepFailed(
            f"{name} holds pickled data that no step with this store has made: it isn't loaded, for that would run whatever is in it",
            retryable=False,
        )
    try:
        return cloudpickle.loads(data)
    except Exception as error:
        raise StepFailed(
            f"{name}, a {value.get('type')}, can't be loaded here ({type(error).__name__}: {error}): "
            "install what it needs, or run the step again that gives it",
            retryable=False,
        ) from error


def outlined(value: Any) -> Any:
    """The value with nothing but the size of what is pickled in it."""
    if type(value) is dict and isinstance(value.get(PICKLE), str):
        return {**value, PICKLE: f"{len(value[PICKLE]):,} characters"}
    return value


def shown(value: Any) -> Any:
    """The value of a step's last line: JSON where that is the same, a number of NumPy as a number, else text."""
    if is_json(value):
        return value
    with suppress(Exception):
        plain = value.item()
        if is_json(plain):
            return plain
    from agentnb.agents.content import as_prompt

    try:
        return as_prompt(value)
    except Exception as error:
        return f"<{type(value).__name__}: {error}>"


def is_json(value: Any, depth: int = 0) -> bool:
    """Whether JSON gives back an equal value of the same type."""
    kind = type(value)
    if value is None or kind is bool:
        return True
    if kind is str:
        return value.isascii() or _is_text(value)
    if kind is int:
        return bool(-_LARGEST <= value < _LARGEST)
    if kind is float:
        return math.isfinite(value)
    if depth >= _DEEPEST:
        return False
    if kind is list:
        return all(is_json(item, depth + 1) for item in value)
    return kind is dict and all(type(key) is str and is_json(key) and is_json(item, depth + 1) for key, item in value.items())


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _signature(data: bytes) -> str:
    from agentnb import config

    return hmac.new(_key(config.load().store / "notebook.key"), data, hashlib.sha256).hexdigest()


@lru_cache(8)
def _key(path: Path) -> bytes:
    """The store's own key; made on first use, by one process only."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(f"{path.name}.{os.getpid()}.{randomness.token_hex(4)}")
        fresh.touch(0o600)
        fresh.write_bytes(randomness.token_bytes(32))
        with suppress(FileExistsError):
            path.hardlink_to(fresh)
        fresh.unlink()
    return path.read_bytes()
