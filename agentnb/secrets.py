"""Keeps secrets out of everything that is written down or shown: the journal, cassettes, errors, cells, the terminal."""

from __future__ import annotations

import json
import math
import os
import re
from typing import Any
from urllib.parse import urlsplit

import pydantic_core

MASK = "[secret]"
NAMED_BY = "AGENTNB_MASKED"
"""The environment variable in which a job tells the processes that it starts which others are secret."""

_NAMES = re.compile(r"KEY|TOKEN|SECRET|PASSW|CREDENTIAL", re.IGNORECASE)
_SHAPES = (
    r"\bsk-[A-Za-z0-9_-]{16,}",
    r"\bgh[opusr]_[A-Za-z0-9]{20,}",
    r"\bxox[abprs]-[A-Za-z0-9-]{10,}",
    r"\bAKIA[A-Z0-9]{16}\b",
    r"\bAIza[A-Za-z0-9_-]{30,}",
    r"\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}",
    r"(?<=Bearer )[A-Za-z0-9._~+/=-]{16,}",
    r"(?<=://)[^\s/:@\"'\\]*:[^\s/@\"'\\]+(?=@)",
)
_MARKS = tuple(re.compile(mark).search for mark in ("sk-", "gh[opusr]_", "xox", "A(?:KIA|Iza)", "eyJ", "Bearer "))
"""One of these is in whatever has such a shape, but for a URL's password; each begins with a letter, which makes the search for it fast."""
_PLAIN_KEY = re.compile(r"^[a-z_]+$")
_DEEPEST = 200
_shape = re.compile("|".join(_SHAPES))
_values: tuple[str, ...] = ()
_traces: tuple[str, ...] = ()
_learned: set[str] = set()


def refresh() -> None:
    """Learn anew which values of the environment are secret: those of 8 and more characters whose name says so, or that a job names."""
    global _values, _traces
    named = os.environ.get(NAMED_BY, "").split(",")
    found = {value for name, value in os.environ.items() if len(value) >= 8 and (name in named or _is_secret(name, value))}
    if {*_values} != found | _learned:
        _values = tuple(sorted(found | _learned, key=len, reverse=True))
        _traces = tuple(sorted({trace for value in _values for trace in _written(value)}, key=len, reverse=True))


def _is_secret(name: str, value: str) -> bool:
    return _NAMES.search(name) is not None and not os.path.exists(value)  # noqa: PTH110


def _written(value: str) -> tuple[str, ...]:
    """The value, and as it stands in JSON, in source code, and in JSON that holds source code, as a notebook does."""
    escaped = json.dumps(value)[1:-1]
    return value, escaped, json.dumps(value, ensure_ascii=False)[1:-1], json.dumps(escaped)[1:-1]


def learn(value: str) -> None:
    """Mask this value from now on."""
    if len(value) >= 8:
        _learned.add(value)
        refresh()


def redact(text: str) -> str:
    """The text with every known secret replaced by ``[secret]``; what has none comes back as it is."""
    for trace in _traces:
        if trace in text:
            text = text.replace(trace, MASK)
    return _shape.sub(MASK, text) if _marked(text) else text


def bare_url(url: str) -> str:
    """A server's address without what may give access to it: user name, password and query."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="").geturl()


def held_in(data: bytes) -> bool:
    """Whether a known secret stands in these bytes."""
    return any(value.encode("utf-8", "surrogatepass") in data for value in _values)


def to_json(value: Any, *, sort_keys: bool = False) -> str:
    """Compact JSON text without secrets; what JSON doesn't know, NaN and infinity among it, is written as its ``str``."""
    try:
        text = _dumps(value, sort_keys)
    except (ValueError, TypeError, RecursionError):
        return _dumps(_cleaned(value, 0), sort_keys)
    return _dumps(_cleaned(value, 0), sort_keys) if _suspicious(text) else text


def clean_document(text: str) -> str:
    """A JSON document, such as a notebook, without secrets; one that has none, or is no JSON, comes back as it is."""
    if not _suspicious(text):
        return text
    try:
        found = json.loads(text)
    except ValueError:
        return redact(text)
    return json.dumps(_cleaned(found, 0), indent=1, ensure_ascii=False) + "\n"


_ENCODERS = {
    sort_keys: json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=str, allow_nan=False, sort_keys=sort_keys)
    for sort_keys in (False, True)
}


def _dumps(value: Any, sort_keys: bool) -> str:
    return _ENCODERS[sort_keys].encode(value)


def plain_json(value: Any) -> str:
    """Like ``to_json``, several times faster; dates, sets, data classes and models are written as JSON rather than as their ``str``."""
    try:
        text = pydantic_core.to_json(value, inf_nan_mode="strings", fallback=str).decode()
    except (ValueError, TypeError, RecursionError):
        return to_json(value)
    return _dumps(_cleaned(value, 0), False) if _suspicious(text) else text


def _suspicious(text: str) -> bool:
    for trace in _traces:
        if trace in text:
            return True
    return _marked(text) and _shape.search(text) is not None


def _marked(text: str) -> bool:
    for mark in _MARKS:
        if mark(text):
            return True
    return "@" in text and "://" in text


def _cleaned(value: Any, depth: int) -> Any:
    if isinstance(value, str):
        return redact(value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        odd = str(value) in _values or (isinstance(value, float) and not math.isfinite(value))
        return redact(str(value)) if odd else value
    if depth > _DEEPEST:
        return "…"
    if isinstance(value, dict):
        return {_key(key): _cleaned(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_cleaned(item, depth + 1) for item in value]
    return redact(str(value))


def _key(key: Any) -> str:
    """A key; plain words, such as those of our own events, are never secrets."""
    text = str(key)
    return text if _PLAIN_KEY.match(text) else redact(text)


refresh()
