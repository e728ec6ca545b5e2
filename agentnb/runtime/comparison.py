"""Two benchmarks beside each other: what became slower beyond the noise."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from agentnb.errors import ConfigurationError

_KEY = ("model", "engine", "batch", "length", "hint", "streams", "threads", "precision")


@dataclass(frozen=True, slots=True)
class Difference:
    """One figure of both benchmarks.

    Attributes:
        what: Which model, engine and size.
        figure: ``latency``, or of language models ``first token`` and ``token``.
        before: Milliseconds, the median; after: the same in the second one.
        ratio: ``after`` in terms of ``before``: above 1 is slower.
        verdict: ``slower`` or ``faster`` where the medians' intervals don't overlap and the ratio is beyond the tolerance; else ``same``.
    """

    what: str
    figure: str
    before: float
    after: float
    ratio: float
    verdict: str


def compare(before: Mapping[str, Any], after: Mapping[str, Any], tolerance: float = 0.05) -> list[Difference]:
    """What both measured, row by row.

    Args:
        before: What ``benchmark`` gave.
        after: The same, later.
        tolerance: What is no difference, as a part of the median.

    Raises:
        ConfigurationError: They have no row in common, one is no benchmark, or a figure or the tolerance is none.
    """
    if not 0 <= tolerance < math.inf:
        raise ConfigurationError(f"tolerance {tolerance}: it has to be a number, 0 or more")
    try:
        known = {_key(row): row for row in before["rows"]}
        pairs = [(known[_key(row)], row) for row in after["rows"] if _key(row) in known]
        found = [difference for old, new in pairs for difference in _differences(old, new, tolerance)]
    except KeyError as error:
        raise ConfigurationError(f"that is no benchmark of this version: {error} is missing") from None
    except (TypeError, AttributeError) as error:
        raise ConfigurationError(f"that is no benchmark of this version: {error}") from None
    if not found:
        raise ConfigurationError(
            "the two benchmarks have no model, engine and size in common: run the second with the same options as the first"
        )
    return found


def caveats(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """What a comparison of the two doesn't tell by itself: other machines, and rows that only the first has."""
    found = []
    machines = [benchmark.get("machine", {}) for benchmark in (before, after)]
    first, second = ([str(machine.get(name, "?")) for name in ("processor", "cores", "device")] for machine in machines)
    if first != second:
        found.append(f"they ran on different machines: {' × '.join(first)}, then {' × '.join(second)}")
    known = {_key(row) for row in after["rows"]}
    missing = [_what(row) for row in before["rows"] if _key(row) not in known]
    if missing:
        found.append(f"only the first has {'; '.join(missing)}")
    return found


def _key(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(row[name] for name in _KEY)


def _what(row: Mapping[str, Any]) -> str:
    size = f"{row['batch']}×{row['length']}" if row["length"] else str(row["batch"])
    more = " ".join(str(row[name]) for name in ("hint", "precision") if row[name])
    return f"{row['model']} ({row['engine']}) {size} {more}".strip()


def _differences(old: Mapping[str, Any], new: Mapping[str, Any], tolerance: float) -> list[Difference]:
    figures = [("latency", "p50_ms", "low_ms", "high_ms")]
    if "first_token_ms" in new:
        figures = [("first token", "first_token_ms", "first_low_ms", "first_high_ms"), ("token", "p50_ms", "low_ms", "high_ms")]
    return [_difference(_what(new), name, old, new, keys, tolerance) for name, *keys in figures]


def _difference(what: str, figure: str, old: Mapping[str, Any], new: Mapping[str, Any], keys: list[str], tolerance: float) -> Difference:
    middle, low, high = keys
    for number in (row[key] for row in (old, new) for key in keys):
        if not 0 < number < math.inf:
            raise ConfigurationError(f"{what}: a {figure} of {number} ms is none: measure again")
    ratio = new[middle] / old[middle]
    verdict = "same"
    if ratio > 1 + tolerance and new[low] > old[high]:
        verdict = "slower"
    elif ratio < 1 / (1 + tolerance) and new[high] < old[low]:
        verdict = "faster"
    return Difference(what, figure, old[middle], new[middle], round(ratio, 4), verdict)
