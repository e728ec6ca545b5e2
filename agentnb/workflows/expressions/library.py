"""What expressions may call: CEL's own functions and its standard extensions, and what each call costs.

Names and meaning of the extensions are those of ``cel.stdlib``, which mirrors cel-go
(https://pkg.go.dev/github.com/google/cel-go/ext).
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from agentnb.names import nearest
from agentnb.workflows.expressions import patterns
from agentnb.workflows.expressions.values import duration_seconds, timestamp_text, type_name

TYPES = frozenset({"int", "uint", "double", "bool", "string", "bytes", "list", "map", "null_type", "type"})
_NATIVE = """
    int uint double bytes dyn type timestamp duration contains startsWith endsWith orValue or value hasValue
    getFullYear getMonth getDate getDayOfMonth getDayOfWeek getDayOfYear getHours getMinutes getSeconds getMilliseconds
    optional.of optional.none optional.ofNonZeroValue
"""
NATIVE = frozenset(_NATIVE.split())
OWN = {"size": "__size", "string": "__string", "matches": "__matches"}
"""Functions of CEL that go by ours, which count characters instead of bytes, know every scalar and bound the cost."""


def _size(value: Any) -> int:
    if not isinstance(value, str | bytes | list | dict):
        raise TypeError(f"needs text, a list or a map, not {type_name(value)}")
    return len(value)


def _string(value: Any) -> str:
    """As CEL's ``string``, and true, false, null, lists and maps as JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, datetime):
        return timestamp_text(value)
    if isinstance(value, timedelta):
        return duration_seconds(value)
    if isinstance(value, float) and (not math.isfinite(value) or value.is_integer()):
        return f"{value:.0f}"
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def _matches(text: Any, pattern: Any) -> bool:
    import cel

    if not (isinstance(text, str) and isinstance(pattern, str)):
        raise TypeError(f"needs text and a pattern, not {type_name(text)} and {type_name(pattern)}")
    try:
        return bool(cel.evaluate("t.matches(p)", {"t": text, "p": pattern}))
    except RuntimeError as error:
        raise ValueError(
            str(error).removeprefix("Function 'matches' error: ").removesuffix(". Check function arguments and their types.")
        ) from None


def _distinct(items: list[Any]) -> list[Any]:
    found: dict[Any, Any] = {}
    for item in items:
        found.setdefault(_identity(item), item)
    return list(found.values())


def _identity(value: Any) -> Any:
    """Something hashable that is equal where CEL finds the values equal: 1 and 1.0, but not 1 and true."""
    if isinstance(value, list):
        return ("list", *map(_identity, value))
    if isinstance(value, dict):
        return ("map", frozenset((key, _identity(item)) for key, item in value.items()))
    return (isinstance(value, bool), value)


def _set(items: Any) -> set[Any]:
    if not isinstance(items, list):
        raise TypeError(f"needs two lists, not {type_name(items)}")
    return {_identity(item) for item in items}


@cache
def registered() -> dict[str, Callable[..., Any]]:
    """The functions that are called in Python, by the name they have in CEL."""
    from cel.stdlib import STDLIB_FUNCTIONS

    return {
        **STDLIB_FUNCTIONS,
        "__size": _size,
        "__string": _string,
        "__matches": _matches,
        "distinct": _distinct,
        "sets.contains": lambda items, part: _set(part) <= _set(items),
        "sets.equivalent": lambda one, other: _set(one) == _set(other),
        "sets.intersects": lambda one, other: bool(_set(one) & _set(other)),
    }


def hint(name: str) -> str:
    """What may have been meant by the name of a function that isn't there."""
    known = sorted({*OWN, *NATIVE, *registered(), "has", "map", "filter", "all", "exists", "exists_one"} - set(OWN.values()))
    near = nearest(name, known)
    return f"did you mean {near}?" if near else f"there are {', '.join(known)}"


@cache
def namespaces() -> frozenset[str]:
    """First names of functions such as ``math.abs``."""
    return frozenset(name.split(".")[0] for name in (*registered(), *NATIVE) if "." in name)


def foreseen(name: str, arguments: tuple[Any, ...]) -> int:
    """Units that a call costs beyond reading its arguments; known before it is made."""
    match name, arguments:
        case "replace", (str(text), str(old), str(new), *_):
            return text.count(old) * len(new) // 16
        case "join", (list(items), str(separator)):
            return len(items) * len(separator) // 16
        case "lists.range", (int(count),):
            return 5 * max(count, 0)
        case "split", (str(text), str(), *_):
            return 5 * len(text)
        case "__matches", (str(text), str(pattern)):
            return patterns.cost(pattern, len(text))
    return 0
