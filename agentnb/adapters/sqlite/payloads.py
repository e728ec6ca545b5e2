"""How values lie in the store: JSON without secrets, large parts once, under the hash of their content."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from agentnb.errors import StoreError
from agentnb.secrets import plain_json

LARGE = 16_384
"""Characters of JSON from which a value is kept as a blob."""

_REFERENCE = "$blob"
_QUOTED = "$$blob"


def dumps(value: Any) -> str:
    """JSON text that a column can hold."""
    text = plain_json(value)
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def pack(value: Any, blobs: dict[str, str]) -> str:
    """The text for a column; what is large goes into ``blobs``, and a reference stays."""
    text = dumps(_quoted(value))
    return text if len(text) < LARGE else dumps(_reference(text, blobs))


def pack_fields(value: Mapping[str, Any], blobs: dict[str, str]) -> str:
    """Like ``pack``, but a large mapping stays readable: only its large fields become references."""
    text = dumps(value)
    if "$" in text and f'"{_REFERENCE}"' in text:
        value = {key: _quoted(field) for key, field in value.items()}
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
    if f'"{_REFERENCE}"' not in text:
        return []
    value = _loads(text)
    parts = [value, *value.values()] if isinstance(value, dict) else []
    return [part[_REFERENCE] for part in parts if _is_reference(part)]


def unpack(text: str, blobs: Mapping[str, str]) -> Any:
    """The value again, its references replaced by the blobs' content.

    Raises:
        StoreError: The text is damaged, or a blob is missing.
    """
    value = _resolved(_loads(text), blobs)
    return {key: _resolved(part, blobs) for key, part in value.items()} if isinstance(value, dict) else value


def _resolved(value: Any, blobs: Mapping[str, str]) -> Any:
    if _is_reference(value):
        if value[_REFERENCE] not in blobs:
            raise StoreError(f"the store has lost a part of a record ({value[_REFERENCE][:12]}…): it is damaged")
        value = _loads(blobs[value[_REFERENCE]])
    if isinstance(value, dict) and len(value) == 1 and _QUOTED in value:
        return {_REFERENCE: value[_QUOTED]}
    return value


def _quoted(value: Any) -> Any:
    """A user's own mapping that looks like one of our references, made to look different."""
    return {_QUOTED: value[_REFERENCE]} if isinstance(value, dict) and value.keys() == {_REFERENCE} else value


def _reference(text: str, blobs: dict[str, str]) -> dict[str, str]:
    key = hashlib.sha256(text.encode()).hexdigest()
    blobs[key] = text
    return {_REFERENCE: key}


def _is_reference(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() == {_REFERENCE} and isinstance(value[_REFERENCE], str) and len(value[_REFERENCE]) == 64


def _loads(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise StoreError(f"a record of the store is damaged: {error}") from None
