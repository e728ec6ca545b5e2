"""Values on their way to CEL and back: which are allowed, what they cost, how they look as JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from agentnb.workflows.expressions.tokens import ExpressionError

WORK = 8_000_000
"""Units that one evaluation may cost; a unit is about 100 ns of one core."""

MAX_DEPTH = 100
"""How deep values may be nested."""

_SCALARS = (bool, float, type(None), datetime, timedelta)


class Exhausted(ExpressionError):
    """The evaluation would cost more than it may."""

    def __init__(self) -> None:
        super().__init__("it takes too much work: refer to smaller values, nest fewer loops, or do it in a tool")


class Meter:
    """Counts what one evaluation costs, and ends it at ``WORK`` units: the same limit on every machine."""

    __slots__ = ("exhausted", "left")

    def __init__(self) -> None:
        self.left = WORK
        self.exhausted = False

    def charge(self, units: int) -> None:
        self.left -= units
        if self.left < 0:
            self.exhausted = True
            raise Exhausted

    def cost(self, value: Any, depth: int = 0) -> int:
        """What it costs to hand the value to CEL.

        Raises:
            ExpressionError: It is nothing that JSON knows, or nested too deep, or costs more than is left.
        """
        if isinstance(value, str | bytes):
            return 5 + len(value) // 16
        if isinstance(value, _SCALARS):
            return 5
        if isinstance(value, int):
            if not -(2**63) <= value < 2**63:
                raise ExpressionError(f"the number {str(value)[:30]} has more than 64 bits: keep it as text")
            return 5
        if depth > MAX_DEPTH:
            raise ExpressionError(f"a value is nested more than {MAX_DEPTH} deep: refer to a part of it")
        if isinstance(value, dict):
            return self._dict_cost(value, depth)
        if isinstance(value, list | tuple):
            total = 15
            for item in value:
                total += self.cost(item, depth + 1)
                self._check(total)
            return total
        if is_optional(value):
            return 5 + (self.cost(value.value(), depth + 1) if value.has_value() else 0)
        raise ExpressionError(
            f"a value of the type {type(value).__name__} can't be used, only what JSON knows: return a dict, a list, text, …"
        )

    def converted(self, value: Any) -> int:
        """What it costs to get the value from CEL, or to give it back: everything that CEL may hold is allowed."""
        return 5 if not isinstance(value, str | bytes | list | dict) else self.cost(value)

    def _dict_cost(self, value: dict[Any, Any], depth: int) -> int:
        total = 20
        for key, item in value.items():
            if not isinstance(key, str | int):
                raise ExpressionError(f"a key of the type {type(key).__name__} can't be used: keys are text")
            total += 25 + len(str(key)) // 16 + self.cost(item, depth + 1)
            self._check(total)
        return total

    def _check(self, units: int) -> None:
        if units > self.left:
            self.charge(units)


def type_name(value: Any) -> str:
    """The type as CEL calls it."""
    if value is None:
        return "null"
    names = {bool: "bool", int: "int", float: "double", str: "string", bytes: "bytes", datetime: "timestamp", timedelta: "duration"}
    return names.get(type(value)) or (
        "map" if isinstance(value, dict) else "list" if isinstance(value, list | tuple) else type(value).__name__
    )


def with_article(name: str) -> str:
    return name if name == "null" else f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


def timestamp_text(value: datetime) -> str:
    return value.isoformat().replace("+00:00", "Z")


def duration_seconds(value: timedelta) -> str:
    """A duration as CEL and JSON write it: ``5400s``, ``0.5s``."""
    whole, micro = divmod(value // timedelta(microseconds=1), 1_000_000)
    return f"{value.total_seconds():.6f}".rstrip("0").rstrip(".") + "s" if micro else f"{whole}s"


def plain(value: Any, meter: Meter, depth: int = 0) -> Any:
    """A result as JSON-like data: times and durations as text, maps in the order of their keys.

    Raises:
        ExpressionError: It holds bytes, a number that JSON doesn't know, or keys that are no text.
    """
    meter.charge(10)
    if value is None or isinstance(value, str | bool | int):
        if isinstance(value, str):
            meter.charge(len(value) >> 6)
        return value
    if isinstance(value, float):
        if math.isfinite(value):
            return value
        raise ExpressionError(f"the result is {value}, which JSON doesn't know: test the divisor first")
    if depth > MAX_DEPTH:
        raise ExpressionError(f"the result is nested more than {MAX_DEPTH} deep")
    if isinstance(value, Mapping):
        return _plain_map(value, meter, depth)
    if isinstance(value, list | tuple):
        return [plain(item, meter, depth + 1) for item in value]
    return _plain_special(value, meter, depth)


def _plain_map(value: Mapping[Any, Any], meter: Meter, depth: int) -> dict[str, Any]:
    for key in value:
        if not isinstance(key, str):
            raise ExpressionError(f"a map of the result has the key {key!r}, but keys of JSON are text: write string(…)")
    return {key: plain(value[key], meter, depth + 1) for key in sorted(value)}


def _plain_special(value: Any, meter: Meter, depth: int) -> Any:
    if isinstance(value, datetime):
        return timestamp_text(value)
    if isinstance(value, timedelta):
        return duration_seconds(value)
    if isinstance(value, bytes):
        raise ExpressionError("the result is bytes, which JSON doesn't know: write string(…) for text, or base64.encode(…)")
    if is_optional(value):
        return plain(value.value(), meter, depth + 1) if value.has_value() else None
    raise ExpressionError(f"the result is of the type {type(value).__name__}, which JSON doesn't know")


def is_optional(value: Any) -> bool:
    """Whether it is an optional value of CEL."""
    return type(value).__name__ == "OptionalValue"
