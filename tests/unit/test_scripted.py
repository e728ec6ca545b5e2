from __future__ import annotations

import asyncio
import json
import time

import pytest

from agentnb.adapters.scripted import ScriptedModel, ScriptedProvider
from agentnb.errors import ConfigurationError, ProviderError, UnknownModel
from agentnb.ports.model import Message, ModelRequest, ModelResponse, ToolCall, Usage


def ask(text: str = "hello") -> ModelRequest:
    return ModelRequest("scripted:x", (Message("system", "be brief"), Message("user", text)))


async def test_answers_in_order_and_keeps_the_requests() -> None:
    model = ScriptedModel(
        ["one", {"text": "two", "usage": {"input_tokens": 3, "output_tokens": 1}}, ModelResponse("three", finish_reason="length")]
    )
    answers = [await model.generate(ask(str(number))) for number in range(3)]
    assert [answer.text for answer in answers] == ["one", "two", "three"]
    assert answers[1].usage == Usage(3, 1)
    assert answers[2].finish_reason == "length"
    assert [request.messages[-1].content for request in model.requests] == ["0", "1", "2"]
    assert repr(model) == "ScriptedModel(the script: 3 of 3 used)"


async def test_tool_calls_get_ids_that_differ_between_requests() -> None:
    call = {"name": "weather", "arguments": {"city": "Köln"}}
    model = ScriptedModel([{"tool_calls": [call, call]}, {"tool_calls": [{"name": "raw", "arguments": "{broken", "id": "mine"}]}])
    first, second = await model.generate(ask()), await model.generate(ask())
    assert first.tool_calls == (ToolCall("call_1_0", "weather", '{"city": "Köln"}'), ToolCall("call_1_1", "weather", '{"city": "Köln"}'))
    assert first.finish_reason == "tool_calls"
    assert second.tool_calls == (ToolCall("mine", "raw", "{broken"),)


@pytest.mark.parametrize("text", ["", "one", " two  words\n", "a b\nc", "\n"])
async def test_streams_word_by_word(text: str) -> None:
    pieces: list[str | None] = []
    assert (await ScriptedModel([text]).generate(ask(), pieces.append)).text == text
    assert "".join(str(piece) for piece in pieces) == text
    assert len(pieces) == max(len(text.split()), 1 if text else 0)


async def test_when_chooses_the_first_unused_line_that_fits() -> None:
    model = ScriptedModel([{"when": "Rome", "text": "rome"}, {"when": "Oslo", "text": "oslo"}, "any"])
    asked = ["in Oslo?", "in Paris?", "in Rome?"]
    assert [(await model.generate(ask(text))).text for text in asked] == ["oslo", "any", "rome"]


async def test_errors_as_scripted() -> None:
    model = ScriptedModel([{"error": "overloaded", "retryable": True, "retry_after": 2}, {"error": "gone"}])
    with pytest.raises(ProviderError, match="overloaded") as caught:
        await model.generate(ask())
    assert (caught.value.retryable, caught.value.retry_after) == (True, 2)
    with pytest.raises(ProviderError, match="gone") as caught:
        await model.generate(ask())
    assert not caught.value.retryable


async def test_an_exhausted_script_says_what_was_asked() -> None:
    model = ScriptedModel(["one"])
    await model.generate(ask())
    with pytest.raises(ProviderError, match=r"the script has 1 entry and all are used, but was asked 'the weather'"):
        await model.generate(ask("the weather"))
    with pytest.raises(ProviderError, match="none of the 1 left fits"):
        await ScriptedModel([{"when": "x", "text": "y"}]).generate(ask("z"))


async def test_a_function_sees_the_request() -> None:
    model = ScriptedModel([lambda request: request.messages[-1].content.upper(), lambda request: {"text": "object"}, lambda request: 3])  # type: ignore[list-item, return-value]
    assert (await model.generate(ask("loud"))).text == "LOUD"
    assert (await model.generate(ask())).text == "object"
    with pytest.raises(ConfigurationError, match="the script, request 3: must be a text"):
        await model.generate(ask())


async def test_delays_and_cancelling() -> None:
    started = time.monotonic()
    pieces: list[str | None] = []
    await ScriptedModel([{"text": "a b", "delay": 0.05, "chunk_delay": 0.05}]).generate(ask(), pieces.append)
    assert time.monotonic() - started >= 0.14
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(ScriptedModel([{"text": "late", "delay": 60}]).generate(ask()), 0.01)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ({"txt": "x"}, "entry 1: unknown key 'txt'; there are: text,"),
        ({"text": 3}, "text can't be 3"),
        ({"delay": 1}, "needs text, tool_calls or error"),
        ({"tool_calls": ["weather"]}, r"tool_calls\[0\]: must be an object with name"),
        ({"text": "x", "usage": {"tokens": 1}}, "usage can't be"),
        (3, "must be a text, an object"),
    ],
)
def test_a_wrong_entry_is_refused_at_once(line: object, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        ScriptedModel([line])  # type: ignore[list-item]


async def test_each_model_of_a_file_starts_it_anew(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    lines = ["# a comment", "", json.dumps({"text": "first\u2028line"}, ensure_ascii=False), json.dumps({"text": "second"})]
    (tmp_path / "demo.jsonl").write_text("\r\n".join(lines), encoding="utf-8")
    provider = ScriptedProvider()
    one, other = provider.model("demo.jsonl"), provider.model("demo.jsonl")
    assert [(await model.generate(ask())).text for model in (one, other, one)] == ["first\u2028line", "first\u2028line", "second"]
    assert provider.catalog() == []
    with pytest.raises(ProviderError, match=r"demo\.jsonl has 2 entries"):
        await one.generate(ask())


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"text": "x"', r"bad\.jsonl:2: Expecting"),
        ("[1]", r"bad\.jsonl:2: must be a JSON object"),
        ('{"text": 1}', r"bad\.jsonl:2: text can't"),
    ],
)
def test_a_broken_file_names_the_line(tmp_path, line: str, message: str) -> None:
    (tmp_path / "bad.jsonl").write_text('{"text": "fine"}\n' + line)
    with pytest.raises(ConfigurationError, match=message):
        ScriptedProvider().model(str(tmp_path / "bad.jsonl"))


def test_what_the_provider_refuses(tmp_path) -> None:
    provider = ScriptedProvider()
    (tmp_path / "binary.jsonl").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigurationError, match="not UTF-8"):
        provider.model(str(tmp_path / "binary.jsonl"))
    with pytest.raises(UnknownModel, match="No such file"):
        provider.model(str(tmp_path / "none.jsonl"))
    with pytest.raises(ConfigurationError, match="no setting 'temperature'"):
        provider.model("x", temperature=1)
    with pytest.raises(UnknownModel, match="a file that you write"):
        provider.pull("x", lambda what, done, total: None)
