"""Numbers of JSON within bounds, as EBNF."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

_DIGITS = 15
"""Of an integer without bounds, so that every JSON reader takes it exactly."""

_DECIMALS = 4


def integer(schema: Mapping[str, Any]) -> str | None:
    """An integer within the schema's bounds; None where no integer is."""
    low, high = _bounds(schema)
    bottom = -(10**_DIGITS - 1) if low is None else math.ceil(low) + (low == math.ceil(low) and _open(schema, "Minimum", low))
    top = 10**_DIGITS - 1 if high is None else math.floor(high) - (high == math.floor(high) and _open(schema, "Maximum", high))
    if high is None and bottom > top:
        top = 10 ** len(str(bottom)) - 1
    if low is None and top < bottom:
        bottom = 1 - 10 ** len(str(-top))
    return between(bottom, top) if bottom <= top else None


def number(schema: Mapping[str, Any]) -> str | None:
    """A decimal within the schema's bounds; None where a bound is no integer."""
    low, high = _bounds(schema)
    if any(bound is not None and bound != int(bound) for bound in (low, high)):
        return None
    bottom = -(10**_DIGITS) if low is None else int(low)
    top = 10**_DIGITS if high is None else int(high)
    low_open = low is None or _open(schema, "Minimum", bottom)
    high_open = high is None or _open(schema, "Maximum", top)
    parts = [_positive(max(bottom, 0), top, bottom >= 0 and low_open, high_open)]
    if bottom < 0:
        mirrored = _positive(max(-top, 0), -bottom, top <= 0 and high_open, low_open)
        parts.append(mirrored and f'"-" ({mirrored})')
    return " | ".join(part for part in parts if part) or None


def _positive(low: int, high: int, low_open: bool, high_open: bool) -> str:
    """Decimals from low to high, neither below 0, each end perhaps excluded."""
    fraction = f'("." [0-9]{{1,{_DECIMALS}}})?'
    above = f'"." [0-9]{{0,{_DECIMALS - 1}}} [1-9]'
    parts = []
    if low < high:
        parts.append(f'"{low}" {above}' if low_open else f'"{low}" {fraction}')
        if low + 1 < high:
            parts.append(f"({between(low + 1, high - 1)}) {fraction}")
    if (high > low and not high_open) or (low == high and not (low_open or high_open)):
        parts.append(f'"{high}"')
    return " | ".join(parts)


def between(low: int, high: int) -> str:
    """The integers from low to high, both included, without leading zeros."""
    parts = []
    if high >= 0:
        parts += _naturals(max(low, 0), high)
    if low < 0:
        parts.append('"-" (' + " | ".join(_naturals(max(-high, 1), -low)) + ")")
    return " | ".join(parts)


def _naturals(low: int, high: int) -> list[str]:
    parts = []
    while low <= high:
        size, longest = len(str(low)), len(str(high + 1)) - 1
        if low == 10 ** (size - 1) and longest > size:
            parts.append(f"[1-9] [0-9]{{{size - 1},{longest - 1}}}")
            low = 10**longest
            continue
        end = min(high, 10**size - 1)
        parts += _same_length(str(low), str(end))
        low = end + 1
    return parts


def _same_length(low: str, high: str) -> list[str]:
    """Numbers of one length: split at the first digit that differs, then each side at its own digits."""
    size = len(low)
    if low == high:
        return [f'"{low}"']
    if set(low[1:]) <= {"0"} and set(high[1:]) <= {"9"}:
        return [_digits(low[0], high[0]) + (f" [0-9]{{{size - 1}}}" if size > 1 else "")]
    first, last = low[0], high[0]
    if first == last:
        return [f'"{first}" ({" | ".join(_same_length(low[1:], high[1:]))})']
    nines, zeros = "9" * (size - 1), "0" * (size - 1)
    parts = [f'"{first}" ({" | ".join(_same_length(low[1:], nines))})']
    if int(last) - int(first) > 1:
        parts.append(f"{_digits(str(int(first) + 1), str(int(last) - 1))} [0-9]{{{size - 1}}}")
    return [*parts, f'"{last}" ({" | ".join(_same_length(zeros, high[1:]))})']


def _digits(low: str, high: str) -> str:
    return f'"{low}"' if low == high else f"[{low}-{high}]"


def _bounds(schema: Mapping[str, Any]) -> tuple[float | None, float | None]:
    lows = [schema[key] for key in ("minimum", "exclusiveMinimum") if schema.get(key) is not None]
    highs = [schema[key] for key in ("maximum", "exclusiveMaximum") if schema.get(key) is not None]
    return max(lows, default=None), min(highs, default=None)


def _open(schema: Mapping[str, Any], which: str, bound: float) -> bool:
    return schema.get(f"exclusive{which}") == bound
