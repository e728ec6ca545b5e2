"""Hermes 2 and later, Qwen 2.5 and 3: ``<tool_call>{"name": …, "arguments": {…}}</tool_call>``, as often as there are calls."""

from __future__ import annotations

import json
import re

from agentnb.adapters.openvino.dialects.dialect import Dialect, Parsed, read_call

_OPEN, _CLOSE = "<tool_call>", "</tool_call>"
_THOUGHT = re.compile(r"<think>.*?(?:</think>|\Z)", re.DOTALL)


def parse(text: str) -> Parsed:
    """Calls in the order in which they stand; a closing tag may be missing at the end, and thoughts before the calls are no text."""
    said, *blocks = _THOUGHT.sub("", text).split(_OPEN)
    pieces, calls = [said], []
    for block in blocks:
        body = block.lstrip()
        call, end = read_call(body)
        if call is None:
            pieces.append(_OPEN + block)
            continue
        calls.append(call)
        pieces.append(body[end:].lstrip().removeprefix(_CLOSE))
    return "".join(pieces).strip() if calls else text, tuple(calls)


def frame(name: str) -> tuple[str, str]:
    return f'{_OPEN}\n{{"name": {json.dumps(name)}, "arguments": ', f"}}\n{_CLOSE}"


HERMES = Dialect("hermes", (_OPEN,), (_OPEN,), parse, frame, _OPEN)
