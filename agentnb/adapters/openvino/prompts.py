"""Prompts to tokens, with a check that they fit the model's context."""

from __future__ import annotations

from typing import Any

from agentnb.adapters.openvino.calls import Prompt
from agentnb.errors import ContextOverflow

_LONGEST_TOKEN = 128
"""Characters; a prompt of more than so many a token of the context can't fit, and isn't tokenised."""

_SLICE = 4000


def encode(tokenizer: Any, prompt: Prompt, limit: int) -> tuple[Any, int]:
    """The prompt's tokens, of shape (1, tokens), and how many of them are scored.

    Args:
        tokenizer: OpenVINO's Tokenizer; it cuts what is longer than its own limit silently.
        prompt: What the model continues.
        limit: Tokens that the model reads; 0 where that is unknown.

    Raises:
        ContextOverflow: The prompt leaves no room for an answer.
    """
    chat = tokenizer.apply_chat_template([dict(message) for message in prompt.messages], True) if prompt.messages else ""
    start = f"{chat}{prompt.text}"
    tokens = _tokens(tokenizer, f"{start}{prompt.scored}", limit)
    scored = tokens.shape[1] - _tokens(tokenizer, start, limit).shape[1] if prompt.scored else 0
    return tokens, scored


def _tokens(tokenizer: Any, text: str, limit: int) -> Any:
    if limit and len(text) > limit * _LONGEST_TOKEN:
        raise _overflow(f"at least {len(text) // _LONGEST_TOKEN}", limit)
    tokens = tokenizer.encode(text, add_special_tokens=False).input_ids
    if limit and tokens.shape[1] >= limit:
        slices = (text[at : at + _SLICE] for at in range(0, len(text), _SLICE))
        count = sum(tokenizer.encode(part, add_special_tokens=False).input_ids.shape[1] for part in slices)
        raise _overflow(f"about {count}", limit)
    return tokens


def _overflow(tokens: str, limit: int) -> ContextOverflow:
    return ContextOverflow(
        f"the prompt has {tokens} tokens and the model reads {limit}: shorten the prompt, or use a model with a longer context"
    )
