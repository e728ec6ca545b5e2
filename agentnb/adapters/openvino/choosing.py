"""Which tool a request calls for, if any: the one whose description is nearest in meaning, unless plain talk is nearer."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from typing import Any

from agentnb.adapters.openvino.filling import TIMES, Embed, fill, fillable, spaced
from agentnb.adapters.openvino.spans import Span, numbers, spans
from agentnb.ports.model import ToolSpec

_TALK = (
    "Hello and greetings.",
    "Saying thank you, please or goodbye.",
    "A general knowledge question about history, science, nature or geography.",
    "Tell a joke, a story or a poem.",
    "Explain how something works.",
    "Give advice or an opinion.",
    "Small talk about feelings.",
    "A question about the assistant itself.",
    "Creative writing.",
    "General conversation.",
    "Ideas and suggestions.",
    "A question about famous people.",
    "A question about animals.",
    "The meaning of something.",
)
_NEAREST_TALK = 2
_THRESHOLD = -0.05
"""What a tool must be nearer by than talk is; like the weights below from the requests of tests/benchmarks/tool_prompts_dev.py."""

_MISSING_NUMBER, _SPARE_NUMBER, _MISSING_CHOICE = 0.3, 0.05, 0.15
_TAKES_NOTHING, _SPARE_VALUE, _CHOICE, _TIME = 0.1, 0.08, 0.1, 0.1
_CLOSE, _FILLED = 0.15, 0.08
_BADLY, _UNKNOWN, _WELL = -2.0, 1.0, 2.5
_SHOWN = 300
_LONGEST = 1000
_REMEMBERED = 4096

Memo = dict[str, list[float]]
"""Vectors of texts that come again: descriptions of tools and of talk."""


async def choose(tools: Sequence[ToolSpec], request: str, embed: Embed, memo: Memo, *, required: bool = False) -> ToolSpec | None:
    """The tool that a request calls for; None where talk explains it better, unless one is ``required``."""
    embed = _remembering(embed)
    ranked, talk = await scores(tools, request, embed, memo)
    close = [at for at, score in enumerate(ranked) if score > max(ranked) - _CLOSE]
    filled = [await _filled(tools[at], request, embed) for at in close] if len(close) > 1 else [0.0]
    best = max(zip(close, filled, strict=True), key=lambda pair: ranked[pair[0]] + _FILLED * pair[1])[0]
    return tools[best] if required or ranked[best] - talk > _THRESHOLD else None


async def _filled(tool: ToolSpec, request: str, embed: Embed) -> float:
    """How well the request fills the arguments of a tool, from -2 to 2.5 for each."""
    if not fillable(tool.parameters):
        return _UNKNOWN
    found = await fill(tool.name, tool.description, tool.parameters, request.strip()[:_LONGEST], embed)
    return min(found[0].score / max(len(tool.parameters.get("properties", {})), 1), _WELL) if found else _BADLY


def _remembering(embed: Embed) -> Embed:
    """The same, without embedding a text of one request twice."""
    known: dict[str, list[float]] = {}

    async def remember(texts: Sequence[str]) -> list[list[float]]:
        missing = [text for text in dict.fromkeys(texts) if text not in known]
        known.update(zip(missing, await embed(missing) if missing else [], strict=True))
        return [known[text] for text in texts]

    return remember


async def scores(tools: Sequence[ToolSpec], request: str, embed: Embed, memo: Memo) -> tuple[list[float], float]:
    """How well each tool goes with a request, and how well talk does."""
    text = request.strip()[:_LONGEST]
    values = _values(text)
    said = [text, _without(text, [value for value in values if value.kind in ("quoted", "colon")]), _without(text, values)]
    described = [(short := describe(tool), _with_arguments(short, tool)) for tool in tools]
    fixed = [*itertools.chain.from_iterable(described), *_TALK]
    missing = [one for one in dict.fromkeys(fixed) if one not in memo]
    fresh = await embed([*missing, *said])
    memo.update(zip(missing, fresh, strict=False))
    near = {one: sum(_cosine(memo[one], vector) for vector in fresh[len(missing) :]) / len(said) for one in fixed}
    if len(memo) > _REMEMBERED:
        memo.clear()
    ranked = [
        (near[short] + near[full]) / 2 + _fit(tool.parameters, text, values) for tool, (short, full) in zip(tools, described, strict=True)
    ]
    return ranked, sum(sorted(near[one] for one in _TALK)[-_NEAREST_TALK:]) / _NEAREST_TALK


def describe(tool: ToolSpec) -> str:
    """A tool in words: its name and the first paragraph of its description."""
    name = spaced(tool.name)
    first = tool.description.strip().split("\n\n")[0].replace("\n", " ")[:_SHOWN]
    return f"{name}: {first}" if first else name


def _with_arguments(short: str, tool: ToolSpec) -> str:
    names = ", ".join(spaced(name) for name in tool.parameters.get("properties", {}))
    return f"{short} ({names})" if names else short


def _values(text: str) -> list[Span]:
    """What is clearly a value, and no part of another one."""
    found = [span for span in spans(text) if span.kind in ("quoted", "colon", "code", "name", "time")]
    return [span for span in found if not any(other is not span and other.start <= span.start and span.end <= other.end for other in found)]


def _without(text: str, values: Sequence[Span]) -> str:
    """The request without its values: what is asked for, and not of what."""
    for span in reversed(values):
        text = text[: span.start] + "it" + text[span.end :]
    return text


def _fit(parameters: Mapping[str, Any], text: str, values: Sequence[Span]) -> float:
    """How well the values of a request go with the arguments of a tool: below 0 where some are missing or left over."""
    properties = {key: part for key, part in parameters.get("properties", {}).items() if isinstance(part, Mapping)}
    numeric = [key for key, part in properties.items() if part.get("type") in ("integer", "number")]
    there = len(numbers(text))
    given = sum(not value.text.isdigit() for value in values) + (there if numeric else 0)
    score = -_SPARE_VALUE * max(given - len(properties), 0)
    if not properties and (values or there):
        score -= _TAKES_NOTHING
    if any(value.kind == "time" for value in values) and TIMES & set(spaced(" ".join(properties)).split()):
        score += _TIME
    required = set(parameters.get("required", ()))
    missing = sum(key in required for key in numeric) > there
    score -= _MISSING_NUMBER if missing else _SPARE_NUMBER * max(there - len(numeric), 0)
    return score + sum(_choice(part["enum"], text, key in required) for key, part in properties.items() if "enum" in part)


def _choice(values: Sequence[Any], text: str, required: bool) -> float:
    if any(re.search(rf"(?<!\w){re.escape(str(value))}(?!\w)", text, re.IGNORECASE) for value in values):
        return _CHOICE
    return -_MISSING_CHOICE if required else 0.0


def _cosine(first: Sequence[float], second: Sequence[float]) -> float:
    return sum(a * b for a, b in zip(first, second, strict=True))
