r"""JSON strings within bounds, as EBNF.

Compiling a grammar looks at every token of the vocabulary in every state, about 30 ms a state: a string counted out to 300
characters takes 8 s. So a string without a tight bound is so many *words*, all of which share one rule.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

Rule = Callable[[str], str]
"""Takes the body of a rule, and gives the name by which it goes."""

_CHARACTER = r'[^"\\\x00-\x1f]'
_ESCAPE = r'"\\" ["\\nt]'
_WORD = r'[^ /.,:;_=&?"\\\x00-\x1f-]'
_SEPARATOR = rf"[ /.,:;_=&?-] | {_ESCAPE}"
_WORD_LENGTH = 64
_SHORT_WORD_LENGTH = 16
_LETTERS = 6
"""Of an average word with its space."""

_EXACT = 100
"""Characters up to which a bound is counted out."""

_SOURCE_WORD = re.compile(r"[\w$€£%#@+-](?:[^\s\"'“”‘’,;:!?()\[\]]*[\w$€£%#])?")
_SOURCE_WORDS = 60

_FORMATS = {
    "date": ('[12] [0-9] [0-9] [0-9] "-" ("0" [1-9] | "1" [0-2]) "-" ("0" [1-9] | "1" [0-9] | "2" [0-8])', 10),
    "time": ('("0" [0-9] | "1" [0-9] | "2" [0-3]) ":" [0-5] [0-9] ":" [0-5] [0-9]', 8),
    "uuid": ('[0-9a-f]{8} "-" [0-9a-f]{4} "-4" [0-9a-f]{3} "-" [89ab] [0-9a-f]{3} "-" [0-9a-f]{12}', 36),
    "email": ('[a-z0-9]{1,24} ("." [a-z0-9]{1,24})? "@" [a-z0-9]{1,24} "." [a-z]{2,6}', 80),
}
_FORMATS["date-time"] = (f'{_FORMATS["date"][0]} "T" {_FORMATS["time"][0]} "Z"', 20)

_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"})


def literal(text: str) -> str:
    """A quoted terminal of EBNF."""
    return '"' + "".join(char if char.isprintable() else f"\\U{ord(char):08x}" for char in text.translate(_ESCAPES)) + '"'


def string(schema: Mapping[str, Any], longest: int, source: str, rule: Rule) -> tuple[str, int] | None:
    """The rule of a string and its length in characters; None where its format is unknown or its bounds contradict each other.

    Args:
        schema: May have ``format``, ``minLength`` and ``maxLength``.
        longest: Characters of a string without a bound, roughly.
        source: If given, a string without bounds is a run of words of this text.
        rule: Names a rule.
    """
    if "format" in schema:
        return _format(schema, rule)
    low, high = int(schema.get("minLength", 0)), schema.get("maxLength")
    if high is not None and int(high) < low:
        return None
    if low > 1 or (high is not None and int(high) <= _EXACT):
        top = min(int(high), max(_EXACT, low)) if high is not None else max(_EXACT, low)
        return _exact(min(max(low, 1), top), top, rule)
    if high is None and source:
        return _spans(source, rule) or _words(longest, None, rule)
    return _words(longest, high, rule)


def _format(schema: Mapping[str, Any], rule: Rule) -> tuple[str, int] | None:
    if schema["format"] not in _FORMATS or schema.keys() & {"minLength", "maxLength"}:
        return None
    body, size = _FORMATS[schema["format"]]
    return rule(rf'"\"" {body} "\""'), size + 2


def _exact(low: int, high: int, rule: Rule) -> tuple[str, int]:
    character = rule(f"{_CHARACTER} | {_ESCAPE}")
    return rule(rf'"\"" {character}{{{low},{high}}} "\""'), high + 2


def _words(longest: int, high: int | None, rule: Rule) -> tuple[str, int]:
    """At least one character, and so few words that it stays within its bound, if it has one."""
    length = _WORD_LENGTH if high is None else _SHORT_WORD_LENGTH
    words = longest // _LETTERS if high is None else min(longest // _LETTERS, high // (length + 1) - 1)
    word, separator = rule(f"{_WORD}{{0,{length}}}"), rule(_SEPARATOR)
    return rule(rf'"\"" {_WORD} {word} ({separator} {word}){{0,{words}}} "\""'), _LETTERS * words + 8


def _spans(source: str, rule: Rule) -> tuple[str, int] | None:
    """A run of the source's words with what stands between them; None where it has no word."""
    found = list(_SOURCE_WORD.finditer(source))[:_SOURCE_WORDS]
    rest, starts = "", []
    for at in reversed(range(len(found))):
        word = literal(_quoted(found[at][0]))
        between = literal(_quoted(source[found[at].end() : found[at + 1].start()])) if rest else ""
        rest = rule(f"{word} ({between} {rest})?" if rest else word)
        starts.append(rest)
    return (rule(rf'"\"" ({" | ".join(reversed(starts))}) "\""'), len(source) + 2) if starts else None


def _quoted(text: str) -> str:
    """As it stands between the quotes of JSON."""
    return json.dumps(text, ensure_ascii=False)[1:-1]
