"""Tool calls of models that never learned any: sentence embeddings pick the tool, its arguments are parts of the request.

Asked outright, a model of 135 million parameters picks tools by chance and misspells what it should copy. Embeddings tell which tool is
meant, if any (``choosing``), and arguments are what the request says (``filling``). Only what is no plain text, number or choice is written
by the model, under a grammar, so that every call fits its schema.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from agentnb.adapters.openvino.calls import Answer, Grammar, Prompt, Sampling
from agentnb.adapters.openvino.choosing import Memo, choose
from agentnb.adapters.openvino.filling import Embed, fill
from agentnb.adapters.openvino.grammar import constraint
from agentnb.ports.model import Message, ModelRequest, ModelResponse, ToolCall, ToolSpec, Usage

_ARGUMENTS = 400
"""Tokens that arguments may take at least."""

_READ = 2000
"""Characters of a request in which arguments are looked for."""

_EXAMPLES = """Copy the arguments of the tool from the request, as JSON.

Tool: translate(text, language)
Request: Say 'thank you' in German.
JSON:
{"text":"thank you","language":"German"}

Tool: share_price(company)
Request: What does Apple trade at today?
JSON:
{"company":"Apple"}

Tool: multiply(x, y)
Request: How much is 6 times 14?
JSON:
{"x":6,"y":14}

Tool: make_shorter(text)
Request: Make this shorter: the cat sat down on the old mat
JSON:
{"text":"the cat sat down on the old mat"}

Tool: find_books(topic)
Request: Are there any books about deep sea fish?
JSON:
{"topic":"deep sea fish"}

"""


class Ask(Protocol):
    """Generates once: the model without tools."""

    async def __call__(self, prompt: Prompt, sampling: Sampling, grammar: Grammar | None = None) -> Answer: ...


def usage(answer: Answer) -> Usage:
    """What an answer took; local tokens cost nothing."""
    return Usage(answer.input_tokens, answer.output_tokens, 0, 0.0)


def conversation(messages: Sequence[Message]) -> list[dict[str, str]]:
    """Messages as every chat template takes them: results of tools become part of what the user says."""
    calls = {call.id: call for message in messages for call in message.tool_calls}
    shown: list[dict[str, str]] = []
    for message in messages:
        role, content = message.role, message.content
        if role == "tool":
            call = calls.get(message.tool_call_id)
            role, content = (
                "user",
                f"The result of {f'{call.name}({call.arguments})' if call else 'the tool'} is: {content}\nAnswer me with this result.",
            )
        elif message.tool_calls and not content:
            continue
        if shown and shown[-1]["role"] == role:
            shown[-1] = {"role": role, "content": f"{shown[-1]['content']}\n\n{content}"}
        else:
            shown.append({"role": role, "content": content})
    return shown


def asking_for(shown: Sequence[dict[str, str]], schema: Mapping[str, Any]) -> list[dict[str, str]]:
    """The conversation, its last message naming the fields: a grammar makes an answer fit, only words make it mean something."""
    fields = ", ".join(schema.get("properties", {}))
    if not fields or not shown or shown[-1]["role"] != "user":
        return list(shown)
    return [*shown[:-1], {"role": "user", "content": f"{shown[-1]['content']}\n\nWrite the {fields} of this text as JSON."}]


class Caller:
    """Makes the calls of one model."""

    def __init__(self, ask: Ask, embed: Embed) -> None:
        self._ask = ask
        self._embed = embed
        self._memo: Memo = {}

    async def respond(self, request: ModelRequest, sampling: Sampling) -> ModelResponse | None:
        """The call that the last message wants; None once a tool has answered, or where it wants none."""
        last = request.messages[-1] if request.messages else None
        wanted = request.options.get("tool_choice")
        if last is None or last.role != "user" or not last.content.strip():
            return None
        tool = await choose(request.tools, last.content, self._embed, self._memo, required=wanted == "required")
        return None if tool is None else await self._call(last.content.strip(), tool, sampling)

    async def _call(self, text: str, tool: ToolSpec, sampling: Sampling) -> ModelResponse:
        filled = await fill(tool.name, tool.description, tool.parameters, text[:_READ], self._embed)
        if filled:
            return _called(tool, filled[0].arguments, Usage(0, 0, 0, 0.0))
        return await self._written(text, tool, sampling)

    async def _written(self, text: str, tool: ToolSpec, sampling: Sampling) -> ModelResponse:
        """Arguments that the model writes; open strings are runs of words of the message."""
        schema = {"type": "object", "properties": {}, **tool.parameters}
        prompt = Prompt(text=f"{_EXAMPLES}Tool: {_signature(tool)}\nRequest: {text}\nJSON:\n")
        limits = Sampling(sampling.temperature, max(sampling.max_tokens, _ARGUMENTS), sampling.top_p, sampling.seed)
        answer = await self._ask(prompt, limits, constraint(schema, limits.max_tokens, text))
        if answer.finish_reason == "length":
            return ModelResponse("", (), usage(answer), "length")
        return _called(tool, json.loads(answer.text), usage(answer))


def _called(tool: ToolSpec, arguments: Mapping[str, Any], spent: Usage) -> ModelResponse:
    call = ToolCall(f"call_{uuid.uuid4().hex[:12]}", tool.name, json.dumps(arguments, ensure_ascii=False))
    return ModelResponse("", (call,), spent, "tool_calls")


def _signature(tool: ToolSpec) -> str:
    return f"{tool.name}({', '.join(tool.parameters.get('properties', {}))})"
