"""The OpenVINO packages: imported on first use, with their telemetry off."""

from __future__ import annotations

from typing import Any

from agentnb import telemetry
from agentnb.adapters.openvino.calls import Grammar
from agentnb.errors import MissingExtra


def load() -> Any:
    """The module ``openvino_genai``.

    Raises:
        MissingExtra: It is not installed.
    """
    telemetry.mute()
    try:
        import openvino_genai
    except ImportError:
        raise MissingExtra("openvino-genai") from None
    return openvino_genai


def structured(grammar: Grammar) -> Any:
    """OpenVINO's own form of a grammar."""
    config = load().StructuredOutputConfig
    if grammar.kind != "tags":
        return config(**{grammar.kind: grammar.source})
    inside = {"grammar": config.EBNF, "json_schema": config.JSONSchema}
    tags = [config.Tag(begin, inside[part.kind](part.source), end) for begin, part, end in grammar.tags]
    triggered = config.TriggeredTags([grammar.source], tags, at_least_one=grammar.one, stop_after_first=grammar.single)
    return config(structural_tags_config=triggered)
