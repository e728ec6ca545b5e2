"""What the scheduler thread is asked to generate, and what it answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from agentnb.errors import ConfigurationError

MAX_TOKENS = 512
"""Tokens of an answer when the request doesn't say."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the next token is chosen; a temperature of 0 always takes the likeliest."""

    temperature: float = 0.0
    max_tokens: int = MAX_TOKENS
    top_p: float = 1.0
    seed: int | None = None
    stop: tuple[str, ...] = ()

    @classmethod
    def from_options(cls, options: Mapping[str, Any]) -> Sampling:
        """Check the options of a request.

        Raises:
            ConfigurationError: One is unknown or out of its range.
        """
        given = {key: value for key, value in options.items() if value is not None}
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
        scored: The end of the raw text, whose likelihood is wanted.
    """

    messages: tuple[Mapping[str, str], ...] = ()
    text: str = ""
    scored: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """The end of a call.

    Attributes:
        finish_reason: ``stop`` or ``length``.
        logprob: Natural logarithm of the likelihood of ``Prompt.scored``; NaN where the prefix cache had swallowed it.
    """

    text: str
    input_tokens: int
    output_tokens: int
    finish_reason: str
    logprob: float = 0.0


Event = str | Answer | Exception
"""A piece of text, or the end: an answer or what went wrong."""


@dataclass(eq=False, slots=True)
class Call:
    """One generation.

    Attributes:
        deliver: Receives every event on the scheduler thread; it must not block.
        grammar: ``(kind, source)`` that the text must fit: kind is ``grammar`` (EBNF) or ``json_schema``.
        cancelled: Set it, and the scheduler drops the call before its next step.
    """

    prompt: Prompt
    sampling: Sampling
    deliver: Callable[[Event], None]
    grammar: tuple[str, str] | None = None
    cancelled: bool = field(default=False)
