"""The arguments of a tool call out of the words of a request: which part of it is which argument.

Every way to give the arguments parts that don't overlap is weighed: by what kind of part each is, by the words before it, by how near its
meaning is to the argument's name, and by how much of the request is left unexplained by the tool and its arguments.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from agentnb.adapters.openvino.spans import ARTICLES, FUNCTION_WORDS, Number, Span, numbers, spans

Embed = Callable[[Sequence[str]], Awaitable[list[list[float]]]]

_PRIOR = {"quoted": 2.0, "colon": 1.7, "code": 1.3, "name": 1.2, "time": 0.4, "words": 0.6, "phrase": 0.2}
_EACH_WORD, _WORDS = 0.1, 5
_OF_TOOL = -0.9
_NEARNESS = 1.5
_LEFT_OVER = -0.35
_LEADING = frozenset({"of", "for", "about", "on", "in", "to", "from", "with", "by", "at", "into"})
_IN_ORDER = 0.15
_CALLED = -0.5
_PREPOSITION = 0.9
_CANDIDATES = 9
_COMBINATIONS = 4000
_ARGUMENTS = 50

TIMES = frozenset(re.findall(r"\w+", "time when date day deadline due moment start_time end_time datetime"))
_FREE = frozenset(
    re.split(" ", "text message content body note query title task subject question description comment sentence topic prompt")
)
_FROM = frozenset(re.findall(r"\w+", "from source origin start departure sender begin old src"))
_TO = frozenset(re.findall(r"\w+", "to target destination end arrival recipient receiver goal new language dest into"))
_NONE: frozenset[str] = frozenset()
_SHARE = frozenset({"percent", "percentag", "pct", "rat", "rate", "share", "ratio", "discount"})
_MONEY = frozenset({"amount", "pric", "bill", "cost", "sum", "total", "fe", "fee", "budget", "salary", "rent"})
_UNITS = {"percent": _SHARE, "per": _SHARE, **dict.fromkeys(("dollars", "dollar", "euros", "euro", "pounds", "cents"), _MONEY)}
_PLACES = frozenset(re.findall(r"\w+", "city town place location country region station address area where destination origin"))
_NUMERIC = ("integer", "number")


@dataclass(frozen=True)
class Filled:
    """Arguments with how likely they are meant, as a number that only compares."""

    arguments: Mapping[str, Any]
    score: float


@dataclass(frozen=True)
class _Choice:
    value: Any
    score: float
    places: tuple[tuple[int, int], ...] = field(default=())


async def fill(name: str, description: str, schema: Mapping[str, Any], request: str, embed: Embed) -> list[Filled] | None:
    """The likeliest arguments first; None where the schema holds more than texts, numbers and choices, or the request lacks something."""
    if not fillable(schema):
        return None
    properties: Mapping[str, Any] = schema.get("properties", {})
    required = set(schema.get("required", ()))
    if not properties:
        return [Filled({}, 0.0)]
    found, counted = spans(request), numbers(request)
    nearness = await _nearness([key for key, part in properties.items() if _is_text(part)], properties, found, embed)
    tool_words = _stems(f"{name} {description} {' '.join(properties)}")
    options = []
    for key, part in properties.items():
        choices = _choices(key, part, found, counted, nearness, tool_words, request)
        if not choices and key in required:
            return None
        if key not in required:
            choices = [*(choice for choice in choices if choice.score > 1.0), _Choice(_ABSENT, 0.0)]
        options.append(choices)
    return _ranked(list(properties), options, request, tool_words)


def fillable(schema: Mapping[str, Any]) -> bool:
    """Whether all arguments are texts, numbers and choices, and no more than a request may hold."""
    properties = schema.get("properties", {})
    return (
        len(properties) <= _ARGUMENTS
        and all(isinstance(part, Mapping) and _simple(part) for part in properties.values())
        and not set(schema.get("required", ())) - properties.keys()
    )


_ABSENT = object()


def _simple(part: Mapping[str, Any]) -> bool:
    if part.keys() & {"anyOf", "oneOf", "allOf", "$ref", "const", "pattern", "format"}:
        return False
    if "enum" in part:
        return all(isinstance(value, str) for value in part["enum"])
    return part.get("type") in ("string", *_NUMERIC)


def _is_text(part: Mapping[str, Any]) -> bool:
    return part.get("type") == "string" and "enum" not in part


async def _nearness(
    keys: Sequence[str], properties: Mapping[str, Any], found: Sequence[Span], embed: Embed
) -> dict[tuple[str, str], float]:
    """Cosine of what an argument is called and each part of the request, less its mean over the arguments."""
    texts = sorted({span.text for span in found})
    if len(keys) < 1 or not texts:
        return {}
    labels = [f"{spaced(key)} {properties[key].get('description', '')}".strip() for key in keys]
    vectors = await embed([*labels, *texts])
    named, parts = vectors[: len(keys)], vectors[len(keys) :]
    table = [[sum(a * b for a, b in zip(label, part, strict=True)) for part in parts] for label in named]
    return {(key, text): table[row][column] for row, key in enumerate(keys) for column, text in enumerate(texts)}


def _choices(
    key: str,
    part: Mapping[str, Any],
    found: Sequence[Span],
    counted: Sequence[Number],
    nearness: Mapping[tuple[str, str], float],
    tool_words: frozenset[str],
    request: str,
) -> list[_Choice]:
    if "enum" in part:
        return list(_mentioned(part["enum"], request))
    if part.get("type") in _NUMERIC:
        return list(_counted(key, part, counted))
    weighed = [
        _Choice(span.text, _weight(key, span, tool_words) + _NEARNESS * nearness.get((key, span.text), 0.0), ((span.start, span.end),))
        for span in found
        if part.get("minLength", 0) <= len(span.text) <= part.get("maxLength", len(span.text))
    ]
    return sorted(weighed, key=lambda choice: -choice.score)[:_CANDIDATES]


def _mentioned(values: Sequence[str], request: str) -> Iterator[_Choice]:
    for value in values:
        for match in re.finditer(rf"(?<!\w){re.escape(spaced(value))}(?!\w)", request, re.IGNORECASE):
            yield _Choice(value, 2.0, ((match.start(), match.end()),))


def _counted(key: str, part: Mapping[str, Any], counted: Sequence[Number]) -> Iterator[_Choice]:
    own = _stems(spaced(key) + " " + str(part.get("description", "")))
    for at, number in enumerate(counted):
        if part["type"] == "integer" and number.value != int(number.value):
            continue
        if not part.get("minimum", number.value) <= number.value <= part.get("maximum", number.value):
            continue
        value = int(number.value) if number.value == int(number.value) else number.value
        near = any(_stem(word) in own or _UNITS.get(word, _NONE) & own for word in number.around)
        yield _Choice(value, 1.5 + near - 0.1 * at, ((number.start, number.end),))


def _weight(key: str, span: Span, tool_words: frozenset[str]) -> float:
    """How good a value of an argument of that name a span is, by itself."""
    words = re.findall(r"\w[\w'’&-]*", span.text) or [span.text]
    score = _PRIOR[span.kind] + sum(weight for weight, holds in _SIGNS if holds(span, words))
    if span.kind in ("words", "name", "code"):
        score += _EACH_WORD * min(len(words), _WORDS)
    if span.kind in ("words", "phrase", "name"):
        content = [word for word in words if word.casefold() not in FUNCTION_WORDS]
        score += _OF_TOOL * (sum(_stem(word) in tool_words for word in content) / max(len(content), 1)) ** 2
    parts = set(spaced(key).casefold().split())
    if len(words) > 1 and next((word.casefold() for word in words if word.casefold() not in ARTICLES), "") in parts:
        score += _CALLED
    if parts & TIMES:
        score += 2.0 if span.kind == "time" else -0.6
    if parts & _FREE:
        score += 0.6 if span.kind in ("quoted", "colon", "phrase") else 0.0
    return score + _prepositions(parts, span)


_SIGNS: tuple[tuple[float, Callable[[Span, Sequence[str]], bool]], ...] = (
    (-0.3, lambda span, words: span.kind == "name" and " and " in span.text),
    (0.8, lambda span, words: span.kind == "phrase" and span.before in ("to", "that")),
    (-0.8, lambda span, words: span.kind == "phrase" and span.before != "that" and words[0].casefold() in FUNCTION_WORDS - ARTICLES),
    (-0.8, lambda span, words: span.start == 0 and span.kind not in ("quoted", "name", "code") and words[0].casefold() not in ARTICLES),
    (0.2, lambda span, words: span.before in _LEADING),
    (-0.5, lambda span, words: span.kind == "words" and span.before[:1].isdigit()),
    (-0.3, lambda span, words: span.kind == "words" and _led_by_another(words)),
)
"""Signs for or against a span: names joined by *and*, what somebody wants *to* do, clauses of little words, the verb of the request, what
follows a preposition, the unit of a number, a name with a word before it."""


def _led_by_another(words: Sequence[str]) -> bool:
    return words[0][0].islower() and words[0] not in ARTICLES and any(word[0].isupper() for word in words)


def _prepositions(parts: set[str], span: Span) -> float:
    score = 0.0
    if parts & _FROM:
        from_here = span.before in ("from", "of", "leave", "leaving", "between") or span.before[:1].isdigit()
        score += _PREPOSITION * (from_here - (span.before in ("to", "into", "for", "as")))
    if parts & _TO:
        score += _PREPOSITION * ((span.before in ("to", "into", "in", "for", "as")) - (span.before == "from"))
    if parts & _PLACES:
        score += _PREPOSITION * 0.5 * (span.before in ("in", "at", "near", "around"))
    return score


def _ranked(keys: Sequence[str], options: Sequence[Sequence[_Choice]], request: str, tool_words: frozenset[str]) -> list[Filled]:
    while _product(options) > _COMBINATIONS:
        longest = max(range(len(options)), key=lambda at: len(options[at]))
        options = [choices[:-1] if at == longest else choices for at, choices in enumerate(options)]
    content = [
        (match.start(), match.end())
        for match in re.finditer(r"\w[\w'’&-]*", request)
        if match[0].casefold() not in FUNCTION_WORDS and _stem(match[0]) not in tool_words
    ]
    found: list[Filled] = []
    for chosen in itertools.product(*options):
        places = [place for choice in chosen for place in choice.places]
        if any(a[0] < b[1] and b[0] < a[1] for a, b in itertools.combinations(places, 2)):
            continue
        ordered = sum(a < b for a, b in itertools.pairwise(places))
        left = sum(not any(start <= at and end <= stop for start, stop in places) for at, end in content)
        arguments = {key: choice.value for key, choice in zip(keys, chosen, strict=True) if choice.value is not _ABSENT}
        found.append(Filled(arguments, sum(choice.score for choice in chosen) + _LEFT_OVER * left + _IN_ORDER * ordered))
    return sorted(found, key=lambda filled: -filled.score)


def _product(options: Sequence[Sequence[_Choice]]) -> int:
    size = 1
    for choices in options:
        size *= len(choices)
    return size


def spaced(name: str) -> str:
    """A name of code as words."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])|[_.-]", " ", name)


def _stems(text: str) -> frozenset[str]:
    return frozenset(_stem(word) for word in re.findall(r"\w+", spaced(text)) if word.casefold() not in FUNCTION_WORDS)


def _stem(word: str) -> str:
    short = word.casefold().rstrip("'’")
    for ending in ("ing", "ed", "es", "s", "e"):
        if short.endswith(ending) and len(short) - len(ending) >= 3:
            return short.removesuffix(ending)
    return short
