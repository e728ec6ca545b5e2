"""Mistral 7B v0.3 and later: ``[TOOL_CALLS][{"name": …, "arguments": {…}}, …]``."""

from __future__ import annotations

import json

from agentnb.adapters.openvino.dialects.dialect import Dialect, Parsed, named

_TAG = "[TOOL_CALLS]"


def parse(text: str) -> Parsed:
    """The calls of the list after the tag; what stands before it is text."""
    said, tag, rest = text.partition(_TAG)
    if not tag:
        return text, ()
    try:
        data, _ = json.JSONDecoder().raw_decode(rest.lstrip())
    except (ValueError, RecursionError):
        return text, ()
    calls = [named(item) for item in (data if isinstance(data, list) else [data])]
    whole = tuple(call for call in calls if call is not None)
    return (said.strip(), whole) if whole and len(whole) == len(calls) else (text, ())


def frame(name: str) -> tuple[str, str]:
    return f'{_TAG}[{{"name": {json.dumps(name)}, "arguments": ', "}]"


MISTRAL = Dialect("mistral", (_TAG,), (_TAG,), parse, frame, _TAG)
