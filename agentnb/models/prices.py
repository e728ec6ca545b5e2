"""What calls cost, by the price list of the package genai-prices; local models cost nothing, unknown ones None."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any

from agentnb.ports.model import Usage


def priced(model: str, usage: Usage) -> Usage:
    """The usage with its cost in US dollars, where the price of ``provider:model`` is known."""
    if usage.cost is not None or not (usage.input_tokens or usage.output_tokens):
        return usage
    found = _price(model)
    if found is None:
        return usage
    from genai_prices import Usage as Tokens

    tokens = Tokens(input_tokens=usage.input_tokens, cache_read_tokens=usage.cached_tokens, output_tokens=usage.output_tokens)
    return replace(usage, cost=float(found.calc_price(tokens)["total_price"]))


@lru_cache(maxsize=256)
def _price(model: str) -> Any:
    from datetime import UTC, datetime

    from genai_prices.data_snapshot import get_snapshot

    provider, _, name = model.partition(":")
    try:
        _, info = get_snapshot().find_provider_model(name, None, provider, None)
    except LookupError:
        return None
    return info.get_prices(datetime.now(UTC))
