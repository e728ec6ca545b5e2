"""Tool calls of models that learned them: the chat template shows the tools, a grammar keeps calls well-formed, the dialect reads them."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Sequence
from typing import Any

from agentnb.adapters.openvino.calls import Grammar, Prompt
from agentnb.adapters.openvino.dialects import Dialect
from agentnb.adapters.openvino.grammar import constraint
from agentnb.ports.model import Message, ModelRequest, ToolCall, ToolSpec


def prompt(request: ModelRequest) -> Prompt:
    """The conversation as chat templates with tools take it."""
    names = {call.id: call.name for message in request.messages for call in message.tool_calls}
    return Prompt(tuple(_message(message, names) for message in request.messages), tools=tuple(map(_definition, request.tools)))


def _message(message: Message, names: dict[str, str]) -> dict[str, Any]:
    data: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.tool_calls:
        data["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": _arguments(call)}}
            for call in message.tool_calls
        ]
    if message.role == "tool":
        data |= {"name": names.get(message.tool_call_id, ""), "tool_call_id": message.tool_call_id}
    return data


def _arguments(call: ToolCall) -> Any:
    """As an object: templates write it as JSON themselves."""
    try:
        return json.loads(call.arguments)
    except ValueError:
        return call.arguments


def _definition(tool: ToolSpec) -> dict[str, Any]:
    return {"type": "function", "function": tool.as_dict()}


def grammar(tools: Sequence[ToolSpec], dialect: Dialect, max_tokens: int, *, required: bool, single: bool = False) -> Grammar:
    """Free text in which a call, once begun, must be one of these tools with arguments that fit its schema.

    Args:
        tools: What may be called.
        dialect: How the model writes a call.
        max_tokens: Tokens of the answer.
        required: There must be a call.
        single: There may be one only.
    """
    tags = []
    for tool in tools:
        begin, end = dialect.frame(tool.name)
        schema = {"type": "object", "properties": {}, **tool.parameters}
        tags.append((begin, constraint(schema, max_tokens), end))
    return Grammar("tags", dialect.trigger, tuple(tags), one=required, single=single)


def read(text: str, dialect: Dialect) -> tuple[str, tuple[ToolCall, ...]]:
    """What the model said, and what it wants called."""
    said, calls = dialect.parse(text)
    return said, tuple(ToolCall(f"call_{uuid.uuid4().hex[:12]}", call.name, call.arguments) for call in calls)


class Held:
    """Hands on the text of an answer until something in it may be a call."""

    def __init__(self, emit: Callable[[str], None], dialect: Dialect) -> None:
        self._emit = emit
        self._dialect = dialect
        self._text = ""
        self._shown = 0

    def add(self, piece: str) -> None:
        self._text += piece
        end = self._end()
        if end > self._shown:
            self._emit(self._text[self._shown : end])
            self._shown = end

    def rest(self, text: str) -> None:
        """What of the whole ``text`` was not shown yet, once it is clear what it is."""
        if text[self._shown :] and text.startswith(self._text[: self._shown]):
            self._emit(text[self._shown :])

    def _end(self) -> int:
        """Up to where the text can't be a part of a call."""
        if not self._dialect.anywhere:
            lead = self._text.lstrip()
            begins = any(lead.startswith(opening) or opening.startswith(lead) for opening in self._dialect.openings)
            return 0 if begins else len(self._text)
        places = [self._text.find(opening) for opening in self._dialect.openings]
        found = [at for at in places if at >= 0]
        if found:
            return len(self._text[: min(found)].rstrip())
        partial = max((self._overlap(opening) for opening in self._dialect.openings), default=0)
        return len(self._text[: len(self._text) - partial].rstrip())

    def _overlap(self, opening: str) -> int:
        return next((size for size in range(min(len(opening) - 1, len(self._text)), 0, -1) if self._text.endswith(opening[:size])), 0)
