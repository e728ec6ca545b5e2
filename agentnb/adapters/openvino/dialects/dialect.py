"""How a family of models writes tool calls."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class ParsedCall:
    """A call as it stands in a text; ``arguments`` is JSON, perhaps malformed where the model wrote it so."""

    name: str
    arguments: str


Parsed = tuple[str, tuple[ParsedCall, ...]]
"""The text without its calls, and the calls."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """One way to write tool calls.

    Attributes:
        signs: Chat templates that hold one of these teach it.
        openings: What a call may begin with; text is held back from there on.
        anywhere: Whether calls may follow text; otherwise they are all of it.
        parse: Takes a text apart; a text without calls is given back as it is.
        frame: For a tool's name what stands before and after the JSON of its arguments.
        trigger: The beginning that all calls share.
    """

    name: str
    signs: tuple[str, ...]
    openings: tuple[str, ...]
    parse: Callable[[str], Parsed]
    frame: Callable[[str], tuple[str, str]]
    trigger: str
    anywhere: bool = True


def read_call(text: str) -> tuple[ParsedCall | None, int]:
    """The call that a JSON object at the start of a text names, as ``arguments`` or ``parameters``, and where the object ends.

    An object that is cut off or malformed gives None and the length of the text.
    """
    try:
        data, end = json.JSONDecoder().raw_decode(text)
    except (ValueError, RecursionError):
        return None, len(text)
    return named(data), end


def named(data: Any) -> ParsedCall | None:
    """The call in an object with ``name`` and ``arguments`` or ``parameters``, or with both under ``function``."""
    if not isinstance(data, dict):
        return None
    data = data["function"] if isinstance(data.get("function"), dict) else data
    name = data.get("name")
    if not isinstance(name, str) or not name:
        return None
    arguments: Any = next((data[key] for key in ("arguments", "parameters") if data.get(key) is not None), {})
    return ParsedCall(name, arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False))
