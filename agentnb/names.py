"""The name that was probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Collection

_LISTED = 8
_COMPARED = 500


def did_you_mean(name: str, known: Collection[str], what: str = "There are") -> str:
    """The mend for a name that isn't known: one that is, or all of them."""
    near = nearest(name, known)
    if near:
        return f"Did you mean {near}?"
    names = [str(other) for other in known]
    if not names:
        return ""
    listed = ", ".join(names[:_LISTED])
    return f"{what} {listed} and {len(names) - _LISTED} more" if len(names) > _LISTED else f"{what} {listed}"


def nearest(name: str, known: Collection[str], cutoff: float = 0.6) -> str:
    """The name that resembles it most, or an empty string."""
    names = [other for other in known if isinstance(other, str) and other != name]
    if len(names) > _COMPARED:
        names = [other for other in names if abs(len(other) - len(name)) <= 2 and (other[:2] == name[:2] or other[-2:] == name[-2:])]
    return next(iter(difflib.get_close_matches(name, names[:_COMPARED], 1, cutoff)), "")
