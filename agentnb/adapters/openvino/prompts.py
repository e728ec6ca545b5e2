"""Prompts to tokens, with a check that they fit the model's context."""

from __future__ import annotations

from typing import Any

from agentnb.adapters.openvino.calls import Prompt
from agentnb.errors import ContextOverflow

_LONGEST_TOKEN = 128
"""Characters; a prompt of more than so many a token of the context can't fit, and isn't tokenised."""

_SLICE = 4000


def encode(tokenizer: Any, prompt: Prompt, limit: int) -> Any:
    """The prompt's tokens, of shape (1, tokens).

    Args:
        tokenizer: OpenVINO's Tokenizer; it cuts what is longer than its own limit silently.
        prompt: What the model continues.
        limit: Tokens that the model reads; 0 where that is unknown.

    Raises:
        ContextOverflow: The prompt leaves no room for an answer.
    """
    chat = _chat(tokenizer, prompt) if prompt.messages else ""
    return _tokens(tokenizer, f"{chat}{prompt.text}", limit)


def _chat(tokenizer: Any, prompt: Prompt) -> str:
    messages = [dict(message) for message in prompt.messages]
    text: str = tokenizer.apply_chat_template(messages, True, tools=[dict(tool) for tool in prompt.tools] or None)
    return text


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
