"""Tool calls of models that never learned any: which tool, if any, and with which arguments.

Asked outright, a model of 135 million parameters picks tools by chance. But it does know which requests a tool invites: a tool is
called when the user's words are likelier after the tool's description than after those of plain conversation (a noisy
channel, as in https://arxiv.org/abs/2108.04106). The arguments are then written under a grammar, so that they always fit.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import math
import uuid
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from agentnb.adapters.openvino.calls import Answer, Prompt, Sampling
from agentnb.adapters.openvino.grammar import constraint
from agentnb.ports.model import Message, ModelRequest, ModelResponse, ToolCall, ToolSpec, Usage

_CONVERSATION = (
    "General conversation.",
    "Answer a question from general knowledge.",
    "Write a text.",
    "Greet, thank or ask how someone is.",
)
_THRESHOLD = 4.0
"""Nats by which a tool must explain the request better than conversation does; the plateau of 40 hand-written prompts is 3.5 to 4.75."""

_SHOWN = 300
_REMEMBERED = 4096
_numbers = itertools.count(1)
_ARGUMENTS = 400
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

    async def __call__(self, prompt: Prompt, sampling: Sampling, grammar: tuple[str, str] | None = None) -> Answer: ...


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


Memo = dict[tuple[str, str], float]
"""Natural logarithms of the likelihoods of a text after a description; both are the key."""


async def choose(request: ModelRequest, ask: Ask, memo: Memo) -> tuple[ToolSpec | None, Usage]:
    """The tool that the last message calls for; none once a tool has answered, or where talk explains the message better."""
    last = request.messages[-1] if request.messages else None
    if last is None or last.role != "user" or not last.content.strip():
        return None, Usage()
    text = last.content.strip()[:_SHOWN]
    descriptions = [*(_describe(tool) for tool in request.tools), *_CONVERSATION]
    scores, spent = await _likelihoods(descriptions, text, ask, memo)
    tools = scores[: len(request.tools)]
    talk = sum(scores[len(request.tools) :]) / len(_CONVERSATION)
    best = max(range(len(tools)), key=tools.__getitem__)
    return (request.tools[best] if tools[best] - talk > _THRESHOLD else None), spent


async def _likelihoods(descriptions: Sequence[str], text: str, ask: Ask, memo: Memo) -> tuple[list[float], Usage]:
    """How likely the text is after each description.

    What lies in the prefix cache is not computed again, and so has no likelihood: then a number before the prompt gets past it.
    """
    spent = Usage()
    missing = [description for description in dict.fromkeys(descriptions) if (description, text) not in memo]
    start = ""
    while missing:
        prompts = [Prompt(text=f"{start}A tool: {description}\nExample request: ", scored=text) for description in missing]
        answers = await asyncio.gather(*(ask(prompt, Sampling(max_tokens=1)) for prompt in prompts))
        spent += sum((usage(answer) for answer in answers), Usage())
        found = {description: answer.logprob for description, answer in zip(missing, answers, strict=True)}
        memo.update({(description, text): score for description, score in found.items() if not math.isnan(score)})
        missing = [description for description, score in found.items() if math.isnan(score)]
        start = f"{next(_numbers)}. "
    scores = [memo[description, text] for description in descriptions]
    if len(memo) > _REMEMBERED:
        memo.clear()
    return scores, spent


def _describe(tool: ToolSpec) -> str:
    first = tool.description.strip().split("\n\n")[0].replace("\n", " ")[:_SHOWN]
    return f"{_signature(tool)}: {first}" if first else _signature(tool)


def _signature(tool: ToolSpec) -> str:
    return f"{tool.name}({', '.join(tool.parameters.get('properties', {}))})"


async def call(request: ModelRequest, tool: ToolSpec, spent: Usage, sampling: Sampling, ask: Ask, *, copy: bool) -> ModelResponse:
    """Have the arguments written; they always fit the tool's schema.

    With ``copy``, open strings are runs of words of the message: a weak model spells what it should copy wrongly.
    """
    schema = {"type": "object", "properties": {}, **tool.parameters}
    text = request.messages[-1].content.strip()
    prompt = Prompt(text=f"{_EXAMPLES}Tool: {_signature(tool)}\nRequest: {text}\nJSON:\n")
    limits = Sampling(sampling.temperature, max(sampling.max_tokens, _ARGUMENTS), sampling.top_p, sampling.seed)
    answer = await ask(prompt, limits, constraint(schema, limits.max_tokens, text if copy else ""))
    arguments = answer.text.strip()
    if answer.finish_reason == "length":
        return ModelResponse("", (), spent + usage(answer), "length")
    with_calls = (ToolCall(f"call_{uuid.uuid4().hex[:12]}", tool.name, json.dumps(json.loads(arguments), ensure_ascii=False)),)
    return ModelResponse("", with_calls, spent + usage(answer), "tool_calls")
