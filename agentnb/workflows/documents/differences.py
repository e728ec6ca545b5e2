"""How two versions of a document's data differ."""

from __future__ import annotations

import difflib
import json
from typing import Any, NamedTuple

_MAX_COMPARED = 2_000


def same(one: Any, other: Any) -> bool:
    """Whether two values are equal, where true, 1 and 1.0 are not."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


class Plan(NamedTuple):
    """How a mapping or a list becomes another one; entries go by their place in the old one.

    Attributes:
        kept: Entries that stay, each with its new value.
        removed: In order.
        added: After which old entry (-1: first), the key in a mapping, the value.
    """

    kept: dict[int, Any]
    removed: list[int]
    added: list[tuple[int, str | None, Any]]


def plan(old: Any, new: Any) -> Plan:
    """What to do with the entries of a mapping, or of a list, so that it becomes the new one."""
    if isinstance(old, dict):
        kept = {place: new[key] for place, key in enumerate(old) if key in new}
        removed = [place for place, key in enumerate(old) if key not in new]
        return Plan(kept, removed, [(len(old) - 1, key, value) for key, value in new.items() if key not in old])
    found = Plan({}, [], [])
    for start, end, new_start, new_end in _aligned(old, new):
        both = min(end - start, new_end - new_start)
        found.kept.update({start + place: new[new_start + place] for place in range(both)})
        found.removed.extend(range(start + both, end))
        found.added.extend((end - 1, None, new[place]) for place in range(new_start + both, new_end))
    return found


def _aligned(old: list[Any], new: list[Any]) -> list[tuple[int, int, int, int]]:
    """Stretches of two lists that belong together; those of one length hold the same, or changed items."""
    if len(old) + len(new) > _MAX_COMPARED:
        return [(0, len(old), 0, len(new))]
    sides = [[json.dumps(item, sort_keys=True) for item in side] for side in (old, new)]
    return [code[1:] for code in difflib.SequenceMatcher(None, sides[0], sides[1], autojunk=False).get_opcodes()]
