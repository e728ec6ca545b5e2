"""What the scheduler thread is asked to generate, and what it answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from agentnb.errors import ConfigurationError

MAX_TOKENS = 512
"""Tokens of an answer when the request doesn't say."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the next token is chosen; a temperature of 0 always takes the likeliest.

    Attributes:
        frequency_penalty: What each time that it stands in the answer costs a token; presence_penalty: that it stands there at all.
    """

    temperature: float = 0.0
    max_tokens: int = MAX_TOKENS
    top_p: float = 1.0
    seed: int | None = None
    stop: tuple[str, ...] = ()
    frequency_penalty: float = 0.0
    presence_penalty: float = 0.0

    @classmethod
    def from_options(cls, options: Mapping[str, Any], **defaults: Any) -> Sampling:
        """Check the options of a request; where it has none, ``defaults`` hold.

        Raises:
            ConfigurationError: One is unknown or out of its range.
        """
        given = {**defaults, **{key: value for key, value in options.items() if value is not None}}
        if given.pop("tool_choice", "auto") not in ("auto", "required"):
            raise ConfigurationError("option tool_choice must be auto or required; leave the tools out for none")
        if not isinstance(given.pop("parallel_tool_calls", True), bool):
            raise ConfigurationError("option parallel_tool_calls must be true or false")
        unknown = sorted(given.keys() - _RANGES.keys() - {"stop"})
        if unknown:
            raise ConfigurationError(
                f"unknown option {', '.join(unknown)} for an openvino model; there are: {', '.join([*_RANGES, 'stop'])}"
            )
        stop = given.pop("stop", ())
        stops = (stop,) if isinstance(stop, str) else tuple(stop)
        return cls(stop=stops, **{key: _number(key, value) for key, value in given.items()})


_RANGES: dict[str, tuple[type[int] | type[float], float, float]] = {
    "temperature": (float, 0.0, 10.0),
    "max_tokens": (int, 1, 2**31 - 1),
    "top_p": (float, 1e-6, 1.0),
    "seed": (int, 0, 2**64 - 1),
    "frequency_penalty": (float, -2.0, 2.0),
    "presence_penalty": (float, -2.0, 2.0),
}


def _number(key: str, value: Any) -> Any:
    kind, low, high = _RANGES[key]
    try:
        number = kind(value)
    except (TypeError, ValueError):
        number = None
    if number is None or not low <= number <= high:
        raise ConfigurationError(f"option {key} must be a number from {low:g} to {high:g}, not {value!r}")
    return number


@dataclass(frozen=True, slots=True)
class Prompt:
    """What the model continues.

    Attributes:
        messages: A conversation in the words of chat templates, ``role`` and ``content``; then comes ``text``.
        text: Raw text.
        tools: Definitions of functions, for chat templates that show them to the model.
    """

    messages: tuple[Mapping[str, Any], ...] = ()
    text: str = ""
    tools: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """The end of a call.

    Attributes:
        finish_reason: ``stop`` or ``length``.
    """

    text: str
    input_tokens: int
    output_tokens: int
    finish_reason: str


Event = str | Answer | Exception
"""A piece of text, or the end: an answer or what went wrong."""


@dataclass(frozen=True, slots=True)
class Grammar:
    """What a text must fit.

    Attributes:
        kind: ``grammar`` (EBNF), ``json_schema``, or ``tags``: free text in which each part of ``tags`` may stand.
        source: The grammar or the schema; for ``tags``, what every one of them begins with.
        tags: Beginning, grammar of what is inside, and end of each.
        one: At least one of the tags must come; single: at most one, which ends the text.
    """

    kind: Literal["grammar", "json_schema", "tags"]
    source: str
    tags: tuple[tuple[str, Grammar, str], ...] = ()
    one: bool = False
    single: bool = False


@dataclass(eq=False, slots=True)
class Call:
    """One generation.

    Attributes:
        deliver: Receives every event, on the scheduler thread or on that which tries grammars; it must not block.
        grammar: What the text must fit, if anything.
        cancelled: Set it, and the scheduler drops the call before its next step.
        tried: Whether the grammar can be made.
    """

    prompt: Prompt
    sampling: Sampling
    deliver: Callable[[Event], None]
    grammar: Grammar | None = None
    cancelled: bool = field(default=False)
    tried: bool = field(default=False)
