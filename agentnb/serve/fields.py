"""OpenAI's fields that ``ChatRequest`` and ``EmbeddingsRequest`` don't honour: those that clients may send all the same, and what is
told of the others.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

HARMLESS = frozenset(
    {
        "metadata",
        "prediction",
        "prompt_cache_key",
        "prompt_cache_options",
        "prompt_cache_retention",
        "reasoning_effort",
        "safety_identifier",
        "service_tier",
        "store",
        "user",
        "verbosity",
    }
)
"""Labels, hints of how much to think and say, and what concerns OpenAI's own caches and bills: no answer is wrong without them."""

REFUSED: Mapping[str, tuple[Any, str]] = {
    "audio": (None, "only text is answered: leave it out"),
    "function_call": (None, "it is the old form: use tool_choice"),
    "functions": ([], "it is the old form: use tools"),
    "logit_bias": ({}, "tokens can't be weighted: leave it out"),
    "logprobs": (False, "probabilities of tokens aren't told: leave it out"),
    "modalities": (["text"], "only text is answered: leave it out"),
    "moderation": (None, "nothing is moderated here; what the policy refuses is error 403: leave it out"),
    "n": (1, "there is one answer to a request: send it as often as you want answers"),
    "top_logprobs": (0, "probabilities of tokens aren't told: leave it out"),
    "web_search_options": (None, "nothing searches the web here: give a tool that does"),
}
"""Of each what may stand there, for it asks for nothing, and the mend."""


def objection(name: str, value: Any) -> tuple[str, str] | None:
    """What is wrong with a field that isn't honoured, and the error's code; None where it may stay."""
    if name in HARMLESS:
        return None
    if name not in REFUSED:
        return f"{name} is no field of this protocol: leave it out", "unknown_parameter"
    accepted, mend = REFUSED[name]
    return None if value == accepted else (f"{name} is not supported: {mend}", "unsupported_parameter")
