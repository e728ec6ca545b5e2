"""Which JSON Schemas OpenAI's strict mode takes (https://platform.openai.com/docs/guides/structured-outputs, "Supported schemas")."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_KEYWORDS = frozenset(
    [
        "type",
        "properties",
        "required",
        "additionalProperties",
        "items",
        "enum",
        "const",
        "anyOf",
        "$ref",
        "$defs",
        "definitions",
        "title",
        "description",
        "pattern",
        "format",
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "multipleOf",
        "minItems",
        "maxItems",
    ]
)
_FORMATS = frozenset(["date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"])


def permits_strict(schema: Mapping[str, Any]) -> bool:
    """Whether a schema may be sent with ``strict: true``; the answer then fits it, without any repair.

    Every object must forbid other properties and require all of its own, the root must be an object, and only some keywords may occur.
    """
    return schema.get("type") == "object" and _permitted(schema)


def _permitted(schema: object) -> bool:
    if not isinstance(schema, Mapping) or not schema.keys() <= _KEYWORDS:
        return False
    if "$ref" in schema:
        return len(schema) == 1
    if schema.get("format", "date") not in _FORMATS:
        return False
    return _closed(schema) and all(_permitted(part) for part in _parts(schema))


def _closed(schema: Mapping[str, Any]) -> bool:
    if schema.get("type") != "object" and "properties" not in schema:
        return True
    return schema.get("additionalProperties") is False and set(schema.get("required", ())) == set(schema.get("properties", {}))


def _parts(schema: Mapping[str, Any]) -> list[object]:
    parts: list[object] = list(schema.get("anyOf", ()))
    for key in ("properties", "$defs", "definitions"):
        parts.extend(schema.get(key, {}).values())
    if "items" in schema:
        parts.append(schema["items"])
    return parts
