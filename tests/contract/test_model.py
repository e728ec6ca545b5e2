"""What every model must do, whatever is behind it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator

import pytest

from agentnb.adapters.openai import OpenAIProvider
from agentnb.adapters.openvino import OpenVINOProvider
from agentnb.adapters.scripted import ScriptedModel
from agentnb.ports.model import Message, Model, ModelRequest, ToolSpec
from tests.support.openai_server import OpenAIServer

WEATHER = ToolSpec(
    "weather",
    "Weather of a city.",
    {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"], "additionalProperties": False},
)
ASK = ModelRequest("m", (Message("system", "Be brief."), Message("user", "What is the weather in Paris?")), options={"max_tokens": 40})


@pytest.fixture(params=["scripted", "openai", pytest.param("openvino", marks=pytest.mark.model)])
def model(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Model]:
    if request.param == "scripted":
        lines = [{"tool_calls": [{"name": "weather", "arguments": {"city": "Paris"}}]}] if "tool" in request.node.name else []
        slow = [{"text": "late", "delay": 5}] if "cancelling" in request.node.name else []
        yield ScriptedModel([*lines, *slow, *["It is sunny in Paris, as it often is."] * 20])
    elif request.param == "openai":
        monkeypatch.setenv("OPENAI_API_KEY", "contract-test-key")
        with OpenAIServer().running() as server:
            yield OpenAIProvider().model("m", base_url=server.base_url)
    else:
        provider = OpenVINOProvider()
        provider.pull("smollm2-135m", lambda *_: None)
        yield provider.model("smollm2-135m")


async def test_an_answer(model: Model) -> None:
    response = await model.generate(ASK)
    assert response.text
    assert response.finish_reason in ("stop", "length")
    assert response.tool_calls == ()


async def test_pieces_are_the_answer(model: Model) -> None:
    pieces: list[str | None] = []
    response = await model.generate(ASK, pieces.append)
    assert "".join(piece for piece in pieces if piece) == response.text
    assert len(pieces) > 1


async def test_a_tool_call_and_its_result(model: Model) -> None:
    request = ModelRequest("m", ASK.messages, (WEATHER,), options=ASK.options)
    pieces: list[str | None] = []
    response = await model.generate(request, pieces.append)
    [call] = response.tool_calls
    assert (call.name, set(json.loads(call.arguments))) == ("weather", {"city"})
    assert call.id
    assert '{"city"' not in "".join(piece for piece in pieces if piece)
    more = (*ASK.messages, Message("assistant", response.text, response.tool_calls), Message("tool", "sunny", tool_call_id=call.id))
    answer = await model.generate(ModelRequest("m", more, (WEATHER,), options=ASK.options))
    assert answer.text
    assert answer.tool_calls == ()


async def test_many_at_once(model: Model) -> None:
    answers = await asyncio.gather(*(model.generate(ASK) for _ in range(6)))
    assert all(answer.text for answer in answers)


def test_several_loops(model: Model) -> None:
    for _ in range(3):
        assert asyncio.run(model.generate(ASK)).text


async def test_cancelling_ends_it(model: Model) -> None:
    task = asyncio.ensure_future(model.generate(ASK, lambda _: None))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await model.generate(ASK)).text
