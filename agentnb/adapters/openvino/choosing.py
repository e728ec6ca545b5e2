"""Which tool a request calls for, if any: the one whose description is nearest in meaning, unless plain talk is nearer."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from agentnb.adapters.openvino.filling import Embed
from agentnb.adapters.openvino.spans import numbers, spans
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
_THRESHOLD = -0.03
"""What a tool must be nearer by than talk is; from the requests of tests/benchmarks/tool_prompts_dev.py."""

_MISSING_NUMBER, _SPARE_NUMBER, _MISSING_CHOICE = 0.3, 0.05, 0.15
_SHOWN = 300
_LONGEST = 1000
_REMEMBERED = 4096

Memo = dict[str, list[float]]
"""Vectors of texts that come again: descriptions of tools and of talk."""


async def choose(tools: Sequence[ToolSpec], request: str, embed: Embed, memo: Memo, *, required: bool = False) -> ToolSpec | None:
    """The tool that a request calls for; None where talk explains it better, unless one is ``required``."""
    text = request.strip()[:_LONGEST]
    bare = _without_values(text)
    fixed = [*map(describe, tools), *_TALK]
    missing = [one for one in dict.fromkeys(fixed) if one not in memo]
    fresh = await embed([*missing, text, bare])
    memo.update(zip(missing, fresh, strict=False))
    known = [memo[one] for one in fixed]
    if len(memo) > _REMEMBERED:
        memo.clear()
    nearness = [max(_cosine(vector, fresh[-2]), _cosine(vector, fresh[-1])) for vector in known]
    scores = [near + _fit(tool.parameters, text) for tool, near in zip(tools, nearness, strict=False)]
    talk = sum(sorted(nearness[len(tools) :])[-_NEAREST_TALK:]) / _NEAREST_TALK
    best = max(range(len(tools)), key=scores.__getitem__)
    return tools[best] if required or scores[best] - talk > _THRESHOLD else None


def describe(tool: ToolSpec) -> str:
    """A tool in words: its name and the first paragraph of its description."""
    name = re.sub(r"(?<=[a-z])(?=[A-Z])|[_.-]", " ", tool.name)
    first = tool.description.strip().split("\n\n")[0].replace("\n", " ")[:_SHOWN]
    return f"{name}: {first}" if first else name


def _without_values(text: str) -> str:
    """The request without what is quoted in it or follows its colon: what is asked for, and not of what."""
    for span in reversed([span for span in spans(text) if span.kind in ("quoted", "colon")]):
        text = text[: span.start] + "this" + text[span.end :]
    return text


def _fit(parameters: Mapping[str, object], text: str) -> float:
    """Below 0 where the request lacks what the tool must be given, or has numbers for which the tool has no use."""
    properties = parameters.get("properties", {})
    required = parameters.get("required", ())
    if not isinstance(properties, Mapping) or not isinstance(required, Sequence):
        return 0.0
    numeric = [key for key, part in properties.items() if part.get("type") in ("integer", "number")]
    needed, there = sum(key in required for key in numeric), len(numbers(text))
    score = -_MISSING_NUMBER if needed > there else -_SPARE_NUMBER * max(there - len(numeric), 0)
    for key in required:
        values = properties.get(key, {}).get("enum", ())
        if values and not any(str(value).casefold() in text.casefold() for value in values):
            score -= _MISSING_CHOICE
    return score


def _cosine(first: Sequence[float], second: Sequence[float]) -> float:
    return sum(a * b for a, b in zip(first, second, strict=True))
