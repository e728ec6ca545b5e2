"""Texts to vectors, for everybody: the policy reads the texts before a model does."""

from __future__ import annotations

from collections.abc import Sequence

from agentnb.errors import ConfigurationError
from agentnb.policy import Check
from agentnb.runtime.runtime import Runtime, current

DEFAULT_EMBEDDER = "openvino:minilm"


async def embed(texts: Sequence[str], *, model: str = DEFAULT_EMBEDDER, runtime: Runtime | None = None) -> list[list[float]]:
    """One vector a text, in the texts' order.

    Args:
        texts: What is to be embedded.
        model: ``provider:model``; by default the one on this machine: 384 numbers a text, of length 1, so that a dot product is a cosine.
        runtime: The process's own by default.

    Raises:
        ConfigurationError: Something else than texts is given, or there is no such model.
        PolicyDenied: The policy refuses a text.
        ProviderError: The provider failed.
    """
    place = runtime or current()
    if isinstance(texts, str):
        raise ConfigurationError("embed takes a list of texts: write embed([text])")
    for number, text in enumerate(texts):
        if not isinstance(text, str):
            raise ConfigurationError(f"texts[{number}] must be text, not {type(text).__name__}")
        place.policy.enforce(Check("input", text))
    embedder = place.models.embedder(model)
    return await embedder.embed(texts) if texts else []
