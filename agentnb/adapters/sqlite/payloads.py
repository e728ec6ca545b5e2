"""How values lie in the store: JSON without secrets, large parts once, under the hash of their content."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from agentnb.secrets import redact

LARGE = 16_384
"""Characters of JSON from which a value is kept as a blob."""

_REFERENCE = "$blob"


def dumps(value: Any) -> str:
    """JSON text without secrets; what JSON doesn't know is written as its ``str``."""
    return redact(json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)).encode("utf-8", "replace").decode()


def pack(value: Any, blobs: dict[str, str]) -> str:
    """The text for a column; what is large goes into ``blobs``, and a reference stays."""
    text = dumps(value)
    return text if len(text) < LARGE else dumps(_reference(text, blobs))


def pack_fields(value: Mapping[str, Any], blobs: dict[str, str]) -> str:
    """Like ``pack``, but a large mapping stays readable: only its large fields become references."""
    text = dumps(value)
    if len(text) < LARGE:
        return text
    small = {}
    for key, field in value.items():
        part = dumps(field)
        small[key] = field if len(part) < LARGE // 8 else _reference(part, blobs)
    return dumps(small)


def references(text: str) -> list[str]:
    """The blobs that a column's text refers to."""
    if _REFERENCE not in text:
        return []
    value = json.loads(text)
    parts = [value, *value.values()] if isinstance(value, dict) else []
    return [part[_REFERENCE] for part in parts if _is_reference(part)]


def unpack(text: str, blobs: Mapping[str, str]) -> Any:
    """The value again, its references replaced by the blobs' content."""
    value = _resolved(json.loads(text), blobs)
    return {key: _resolved(part, blobs) for key, part in value.items()} if isinstance(value, dict) else value


def _resolved(value: Any, blobs: Mapping[str, str]) -> Any:
    return json.loads(blobs[value[_REFERENCE]]) if _is_reference(value) and value[_REFERENCE] in blobs else value


def _reference(text: str, blobs: dict[str, str]) -> dict[str, str]:
    key = hashlib.sha256(text.encode()).hexdigest()
    blobs[key] = text
    return {_REFERENCE: key}


def _is_reference(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() == {_REFERENCE}
