"""Values as YAML text: in blocks, in one line, and each scalar in the simplest style that reads back as the same."""

from __future__ import annotations

import json
import math
import re
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agentnb.workflows.documents.nodes import MAX_DEPTH, NUMBER, WORDS, Finding, Path, WorkflowSpecError

WIDTH = 120

_ODD = re.compile(r"[^\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
_ESCAPED = re.compile(r"[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
_PLAIN = re.compile(r"(?!\.\.\.)[^\s\-?:,\[\]{}#&*!|>'\"%@`=](?:[^\n]*[^\s:])?")
_NOT_PLAIN = re.compile(r": |:\t| #|\t#")
_FLOW_MARKS = re.compile(r"[,\[\]{}]")
_OLD_YAML = re.compile(r"(?i:y|n|yes|no|on|off)|<<|[-+]?\.?[0-9][-0-9_:.]*(?:[Tt ].*)?|[-+]?0[bB].*")
"""What YAML 1.1 readers take for something else than text; ``on`` as a key is left as it is."""

_WORDS_IN_LINE = re.compile(r"\S+(?: \S+)*")
_BLANK_LINE = re.compile(r"^[ \t]+$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Layout:
    """Spaces by which children are indented; ``dash`` is for a list below its key."""

    step: int = 2
    dash: int = 2


Rendered = tuple[str, list[str]]
"""What follows the key in its line, and the lines below it."""


def plain(value: Any, path: Path = ()) -> Any:
    """The same in dict, list, str, int, float, bool and None only.

    Raises:
        WorkflowSpecError: It holds something that a document can't.
    """
    if len(path) > MAX_DEPTH:
        raise WorkflowSpecError([Finding(f"nested deeper than {MAX_DEPTH} levels", "Flatten it", path[:3])])
    if isinstance(value, Mapping):
        odd = next((key for key in value if not isinstance(key, str)), None)
        if odd is not None:
            raise WorkflowSpecError([Finding(f"a key must be text, not {odd!r}", "Use text as the key", path)])
        return {_text(key, path): plain(item, (*path, key)) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item, (*path, place)) for place, item in enumerate(value)]
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _text(value, path)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float) and math.isfinite(value):
        return float(value)
    shown = value if isinstance(value, float) else f"a {type(value).__name__}"
    raise WorkflowSpecError(
        [Finding(f"{shown} has no place in a document", "Use text, a number, true, false, null, a list or a mapping", path)]
    )


def _text(value: str, path: Path) -> str:
    try:
        value.encode()
    except UnicodeEncodeError:
        raise WorkflowSpecError([Finding("half of a surrogate pair is no character", "Remove it", path)]) from None
    return str(value)


def scalar(value: Any, *, flow: bool = False, key: bool = False, style: str = "") -> str:
    """A scalar in one line; a text keeps the quotes that ``style`` names where it can."""
    if not isinstance(value, str):
        return json.dumps(value)
    odd = _ODD.search(value)
    if style == "'" and not odd:
        return "'" + value.replace("'", "''") + "'"
    if style != '"' and not odd and _reads_as_text(value, key) and not (flow and _FLOW_MARKS.search(value)):
        return value
    return _ESCAPED.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(value, ensure_ascii=False))


def _reads_as_text(value: str, key: bool) -> bool:
    if not _PLAIN.fullmatch(value) or _NOT_PLAIN.search(value):
        return False
    if value in WORDS or NUMBER.fullmatch(value):
        return False
    return (key and value == "on") or not _OLD_YAML.fullmatch(value)


def flow(value: Any, style: str = "") -> str:
    """A value in one line, as it may stand between brackets."""
    if isinstance(value, dict):
        return "{" + ", ".join(flow_entry(key, item) for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(flow(item) for item in value) + "]"
    return scalar(value, flow=True, style=style)


def flow_entry(key: str, value: Any) -> str:
    name = scalar(key, flow=True, key=True)
    return f"{'? ' if len(name) > WIDTH else ''}{name}{' ' if len(name) > WIDTH else ''}: {flow(value)}"


def mapping(value: Mapping[str, Any], column: int, layout: Layout) -> list[str]:
    """The lines of a mapping whose keys start in that column."""
    lines: list[str] = []
    pad = " " * column
    for key, item in value.items():
        name = scalar(key, key=True)
        head = f"{pad}{name}:" if len(name) <= 500 else f"{pad}? {name}\n{pad}:"
        inline, below = block(item, column, layout, used=column + len(name) + 2)
        lines += [f"{head} {inline}" if inline else head, *below]
    return lines


def sequence(value: Sequence[Any], column: int, layout: Layout) -> list[str]:
    """The lines of a list whose dashes stand in that column."""
    lines: list[str] = []
    for item in value:
        inline, below = block(item, column, layout, used=column + 2, in_list=True)
        lines += [f"{' ' * column}- {inline}", *below]
    return lines


def block(value: Any, column: int, layout: Layout, *, used: int = 0, in_list: bool = False, style: str = "") -> Rendered:
    """A value behind a key, or a dash, that stands in that column; ``used`` counts what its line holds already."""
    if isinstance(value, list) and value and not _short(value, used):
        lines = sequence(value, column + (2 if in_list else layout.dash), layout)
    elif isinstance(value, dict) and value:
        lines = mapping(value, column + (2 if in_list else layout.step), layout)
    elif isinstance(value, str):
        return _block_text(value, column + (2 if in_list else layout.step), used, style)
    else:
        return flow(value), []
    if in_list:
        return lines[0][column + 2 :], lines[1:]
    return "", lines


def _short(value: list[Any], used: int) -> bool:
    if any(isinstance(item, dict | list) or (isinstance(item, str) and "\n" in item) for item in value):
        return False
    return used + len(flow(value)) <= WIDTH


def _block_text(value: str, column: int, used: int, style: str) -> Rendered:
    found: Rendered | None = None
    long = len(value) + used > WIDTH
    if style == ">" or (long and not style and "\n" not in value):
        found = _folded(value, column)
    if style == "|" or (not found and "\n" in value and style not in ('"', "'")):
        found = _literal(value, column)
    return found or (scalar(value, style=style), [])


def _literal(value: str, column: int) -> Rendered | None:
    body = value.rstrip("\n")
    lines = value.split("\n")
    if (
        not body
        or body.lstrip("\n")[0].isspace()
        or _BLANK_LINE.search(value)
        or any(_ODD.search(line.replace("\t", "")) for line in lines)
    ):
        return None
    ends = len(value) - len(body)
    lines = body.split("\n") + [""] * (ends - 1)
    return f"|{'-' if ends == 0 else '' if ends == 1 else '+'}", [" " * column + line if line else "" for line in lines]


def _folded(value: str, column: int) -> Rendered | None:
    body = value.removesuffix("\n")
    paragraphs = body.split("\n")
    if not paragraphs[0] or not paragraphs[-1] or _ODD.search(body.replace("\n", "")):
        return None
    if not all(_WORDS_IN_LINE.fullmatch(line) for line in paragraphs if line):
        return None
    lines: list[str] = []
    for place, paragraph in enumerate(paragraphs):
        lines += [""] if place else []
        lines += textwrap.wrap(paragraph, max(WIDTH - column, 40), break_long_words=False, break_on_hyphens=False)
    return f">{'' if value != body else '-'}", [" " * column + line if line else "" for line in lines]
