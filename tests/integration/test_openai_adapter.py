"""The OpenAI adapter against a real HTTP server."""

from __future__ import annotations

import asyncio
import email.utils
import gc
import json
import logging
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from typing import Any

import pytest

from agentnb.adapters.openai import OpenAIModel, OpenAIProvider
from agentnb.adapters.openai.strict import permits_strict
from agentnb.errors import AgentNBError, ConfigurationError, ContextOverflow, MissingKey, ProviderError, RateLimited, UnknownModel
from agentnb.ports.model import Message, ModelRequest, ToolCall, ToolSpec, Usage
from tests.support.openai_server import ANSWER, OpenAIServer, Reply

KEY = "sk-secret-0123456789"
WEATHER = ToolSpec("weather", "The weather.", {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]})
COLLECT: list[str | None] = []


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    with OpenAIServer().running() as server:
        yield server


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_BASE_URL", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID", "OPENAI_ADMIN_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)


@pytest.fixture
def model(server: OpenAIServer) -> OpenAIModel:
    return OpenAIProvider().model("gpt-test", base_url=server.base_url, timeout=5)


def ask(text: str = "hello", **more: Any) -> ModelRequest:
    return ModelRequest("openai:gpt-test", (Message("system", "be brief"), Message("user", text)), **more)


async def fails(model: OpenAIModel, *, streamed: bool = False, request: ModelRequest | None = None) -> AgentNBError:
    """The error of a call, after checking that the key is nowhere in it."""
    with pytest.raises(AgentNBError) as caught:
        await model.generate(request or ask(), (lambda piece: None) if streamed else None)
    error = caught.value
    assert KEY not in "".join(traceback.format_exception(error)) + repr(error) + str(error.__dict__)
    assert error.__cause__ is None
    assert error.__context__ is None
    return error


async def test_an_answer(server: OpenAIServer, model: OpenAIModel) -> None:
    response = await model.generate(ask(options={"temperature": 0.5, "max_tokens": 9, "stop": ["x"], "seed": 1, "top_p": 0.9}))
    assert response.text == ANSWER
    assert response.usage == Usage(11, 7, 3, None)
    assert response.finish_reason == "stop"
    sent = server.requests[0]
    assert sent.path == "/v1/chat/completions"
    assert sent.headers["authorization"] == f"Bearer {KEY}"
    assert sent.body == {
        "model": "gpt-test",
        "messages": [{"role": "system", "content": "be brief"}, {"role": "user", "content": "hello"}],
        "temperature": 0.5,
        "max_tokens": 9,
        "stop": ["x"],
        "seed": 1,
        "top_p": 0.9,
    }


async def test_a_streamed_answer(server: OpenAIServer, model: OpenAIModel) -> None:
    pieces: list[str | None] = []
    response = await model.generate(ask(), pieces.append)
    assert pieces == ["It ", "is ", "sunny ", "in ", "Lisbon ", "today."]
    assert (response.text, response.usage, response.finish_reason) == (ANSWER, Usage(11, 7, 3), "stop")
    assert server.requests[0].body["stream_options"] == {"include_usage": True}


@pytest.mark.parametrize("streamed", [False, True])
async def test_parallel_tool_calls_and_the_answer_after_them(server: OpenAIServer, model: OpenAIModel, streamed: bool) -> None:
    server.calls = 3
    emit = (lambda piece: None) if streamed else None
    first = await model.generate(ask(tools=(WEATHER,)), emit)
    assert first.tool_calls == tuple(ToolCall(f"call_{n}", "weather", json.dumps({"city": f"value {n}"})) for n in range(3))
    assert (first.text, first.finish_reason) == ("", "tool_calls")
    results = tuple(Message("tool", "sunny", tool_call_id=call.id) for call in first.tool_calls)
    asked = ask(tools=(WEATHER,))
    messages = (*asked.messages, Message("assistant", "", first.tool_calls), *results)
    assert (await model.generate(ModelRequest("openai:gpt-test", messages, asked.tools), emit)).text == ANSWER
    sent = server.requests[1].body
    assert sent["tools"] == [{"type": "function", "function": WEATHER.as_dict()}]
    assert sent["messages"][2]["content"] is None
    assert sent["messages"][2]["tool_calls"][1]["function"] == {"name": "weather", "arguments": '{"city": "value 1"}'}
    assert sent["messages"][3] == {"role": "tool", "content": "sunny", "tool_call_id": "call_0"}


@pytest.mark.parametrize("streamed", [False, True])
async def test_structured_output(server: OpenAIServer, model: OpenAIModel, streamed: bool) -> None:
    schema = {
        "title": "Weather report!",
        "type": "object",
        "properties": {"city": {"type": "string"}, "degrees": {"type": "number"}},
        "required": ["city", "degrees"],
        "additionalProperties": False,
    }
    response = await model.generate(ask(output_schema=schema), (lambda piece: None) if streamed else None)
    assert json.loads(response.text) == {"city": "word", "degrees": 1.5}
    wanted = {"name": "Weather_report", "schema": schema, "strict": True}
    assert server.requests[0].body["response_format"] == {"type": "json_schema", "json_schema": wanted}


STRICT = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"], "additionalProperties": False}


@pytest.mark.parametrize(
    ("schema", "permitted"),
    [
        (STRICT, True),
        ({**STRICT, "properties": {"a": {"type": "array", "items": STRICT}}}, True),
        ({**STRICT, "properties": {"a": {"$ref": "#/$defs/b"}}, "$defs": {"b": STRICT}}, True),
        ({**STRICT, "properties": {"a": {"anyOf": [{"type": "null"}, STRICT]}}}, True),
        ({**STRICT, "additionalProperties": True}, False),
        ({**STRICT, "required": []}, False),
        ({**STRICT, "properties": {"a": {"type": "integer", "default": 1}}}, False),
        ({**STRICT, "properties": {"a": {"type": "string", "minLength": 1}}}, False),
        ({**STRICT, "properties": {"a": {"type": "string", "format": "uri"}}}, False),
        ({**STRICT, "properties": {"a": {"$ref": "#/$defs/b", "description": "x"}}, "$defs": {"b": STRICT}}, False),
        ({**STRICT, "properties": {"a": {"type": "object", "additionalProperties": {"type": "string"}}}}, False),
        ({**STRICT, "properties": {"a": True}}, False),
        ({"type": "array", "items": STRICT}, False),
    ],
)
def test_strict_only_where_the_schema_permits(schema: dict[str, Any], permitted: bool) -> None:
    assert permits_strict(schema) is permitted


@pytest.mark.parametrize(
    ("reply", "text", "reason"),
    [
        (Reply(text="cut", finish_reason="length"), "cut", "length"),
        (Reply(text="", finish_reason="content_filter"), "", "content_filter"),
        (Reply(message={"content": None, "refusal": "I won't."}), "I won't.", "refusal"),
        (Reply(message={"content": [{"type": "text", "text": "in "}, {"type": "text", "text": "parts"}]}), "in parts", "stop"),
    ],
)
async def test_finish_reasons_and_kinds_of_content(server: OpenAIServer, model: OpenAIModel, reply: Reply, text: str, reason: str) -> None:
    server.plan(reply)
    response = await model.generate(ask())
    assert (response.text, response.finish_reason) == (text, reason)


def delta(finish: str | None = None, **content: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": content, "finish_reason": finish}]}


async def test_streams_of_servers_that_do_it_differently(server: OpenAIServer, model: OpenAIModel) -> None:
    call = {"function": {"name": "weather", "arguments": '{"city":'}, "id": "a"}
    more = {"function": {"arguments": '"Rome"}'}}
    second = {"function": {"name": "weather", "arguments": {"city": "Oslo"}}, "id": "b"}
    server.plan(
        Reply(events=[delta(tool_calls=[call]), delta(tool_calls=[more]), delta(tool_calls=[second]), delta("stop")], done=False),
        Reply(events=[delta(tool_calls=[{**second, "index": 0}, {**call, "index": 0}]), delta("function_call")]),
        Reply(events=[delta(content="a"), delta(content=None), {"choices": [], "usage": None}, delta("stop", content="\u2028é😀")]),
        Reply(events=[delta(content="x", tool_calls=[{"function": {"name": "now"}}])]),
        Reply(
            body=': hello\n\nevent: x\r\ndata:{"choices":[{"delta":{"content":"ok"},\ndata: "finish_reason":"stop"}]}\r\n\r\ndata: [DONE]'
        ),
        Reply(events=['{"choices":[{"delta":{"content":"\\ud83d"}}]}', delta("stop", content="!")]),
    )
    answers = [await model.generate(ask(), lambda piece: None) for _ in range(6)]
    assert [c.arguments for c in answers[0].tool_calls] == ['{"city":"Rome"}', '{"city": "Oslo"}']
    assert answers[0].finish_reason == answers[1].finish_reason == "tool_calls"
    assert [c.id for c in answers[1].tool_calls] == ["b", "a"]
    assert (answers[2].text, answers[2].usage) == ("a\u2028é😀", Usage())
    assert answers[3].tool_calls[0].arguments == "{}"
    assert answers[3].tool_calls[0].id.startswith("call_")
    assert answers[4].text == "ok"
    assert answers[5].text.encode().decode() == "\ufffd!"


async def test_a_server_that_answers_a_stream_with_json(server: OpenAIServer, model: OpenAIModel) -> None:
    body = json.dumps({"choices": [{"message": {"content": "whole"}, "finish_reason": "stop"}]})
    server.plan(Reply(body=body, headers={"content-type": "application/json; charset=utf-8"}))
    pieces: list[str | None] = []
    assert (await model.generate(ask(), pieces.append)).text == "whole"
    assert pieces == ["whole"]


async def test_a_server_that_refuses_stream_options_is_asked_without(server: OpenAIServer, model: OpenAIModel) -> None:
    server.plan(Reply(status=400, text="Unrecognized request argument: stream_options"))
    assert (await model.generate(ask(), lambda piece: None)).text == ANSWER
    assert (await model.generate(ask(), lambda piece: None)).usage == Usage()
    assert ["stream_options" in request.body for request in server.requests] == [True, False, False]


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(
    ("reply", "kind", "retryable"),
    [
        (Reply(status=500, text="broken"), ProviderError, True),
        (Reply(status=503, text="overloaded", headers={"retry-after": "4"}), ProviderError, True),
        (Reply(status=408), ProviderError, True),
        (Reply(status=409), ProviderError, True),
        (Reply(status=400, text="bad schema"), ProviderError, False),
        (Reply(status=429, text="slow down"), RateLimited, True),
        (Reply(status=429, text="pay", code="insufficient_quota"), ProviderError, False),
        (Reply(status=400, text="too long", code="context_length_exceeded"), ContextOverflow, False),
        (Reply(status=400, text="This model's maximum context length is 8192 tokens."), ContextOverflow, False),
        (Reply(status=502, body="<html>bad gateway</html>"), ProviderError, True),
        (Reply(cut=-1), ProviderError, True),
        (Reply(body="<html>hello</html>"), ProviderError, True),
        (Reply(body="{}", headers={"content-type": "application/json"}), ProviderError, True),
        (Reply(body='{"choices": 3}', headers={"content-type": "application/json"}), ProviderError, True),
        (Reply(body='{"choices": [{"message": {"content": 3}}]}', headers={"content-type": "application/json"}), ProviderError, True),
        (Reply(body="[" * 100_000, headers={"content-type": "application/json"}), ProviderError, True),
        (Reply(body='{"error": {"message": "upstream", "code": 502}}', headers={"content-type": "application/json"}), ProviderError, True),
        (Reply(body='{"error": {"message": "no", "code": 429}}', headers={"content-type": "application/json"}), RateLimited, True),
    ],
)
async def test_failures(server: OpenAIServer, model: OpenAIModel, reply: Reply, kind: type, retryable: bool, streamed: bool) -> None:
    server.plan(reply)
    error = await fails(model, streamed=streamed)
    assert type(error) is kind
    assert isinstance(error, ProviderError)
    assert error.retryable is retryable
    assert server.base_url in str(error)
    assert (await model.generate(ask())).text == ANSWER


async def test_a_body_shorter_than_promised(server: OpenAIServer, model: OpenAIModel) -> None:
    server.plan(Reply(extra_length=10))
    error = await fails(model)
    assert isinstance(error, ProviderError)
    assert error.retryable
    assert "lost the connection" in str(error)


@pytest.mark.parametrize("cut", [0, 1, 3])
async def test_a_stream_that_is_cut(server: OpenAIServer, model: OpenAIModel, cut: int) -> None:
    server.plan(Reply(cut=cut))
    error = await fails(model, streamed=True)
    assert isinstance(error, ProviderError)
    assert error.retryable
    assert "lost the connection" in str(error)


@pytest.mark.parametrize(
    "events",
    [
        ["{broken"],
        [3],
        [{"choices": [{"delta": 3}]}],
        [delta(content=3)],
        [delta(content="half")],
        [delta("tool_calls", tool_calls=[{"index": 0, "function": {"arguments": "{}"}}])],
        [delta("tool_calls", tool_calls=[3])],
        [delta(content="half"), {"error": {"message": "died", "code": "server_error"}}],
    ],
)
async def test_a_garbled_stream(server: OpenAIServer, model: OpenAIModel, events: list[Any]) -> None:
    server.plan(Reply(events=events, done=False))
    error = await fails(model, streamed=True)
    assert isinstance(error, ProviderError)
    assert error.retryable


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": "9", "retry-after-ms": "250"}, 0.25),
        ({"retry-after": email.utils.formatdate(time.time() + 90_000, usegmt=True)}, 90_000),
        ({"retry-after": email.utils.formatdate(time.time() - 90_000, usegmt=True)}, 0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "nan"}, None),
        ({}, None),
    ],
)
async def test_retry_after(server: OpenAIServer, model: OpenAIModel, headers: dict[str, str], seconds: float | None) -> None:
    server.plan(Reply(status=429, headers=headers))
    error = await fails(model)
    assert isinstance(error, RateLimited)
    assert error.retry_after == (None if seconds is None else pytest.approx(seconds, rel=0.05))


@pytest.mark.parametrize("status", [401, 403])
async def test_a_refused_key(server: OpenAIServer, model: OpenAIModel, status: int, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    server.plan(Reply(status=status, text=f"Incorrect API key provided: {KEY}"))
    error = await fails(model)
    assert type(error) is ConfigurationError
    assert "Check the key in OPENAI_API_KEY" in str(error)
    assert KEY not in caplog.text
    assert KEY not in repr(model) + repr(vars(model))


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_redirect_takes_the_prompt_nowhere(server: OpenAIServer, model: OpenAIModel, streamed: bool) -> None:
    server.plan(Reply(status=307, headers={"location": f"{server.base_url}/elsewhere?key=x"}))
    with pytest.raises(ConfigurationError, match=r"redirects to .*/elsewhere, which isn't followed: set base_url"):
        await model.generate(ask(), (lambda piece: None) if streamed else None)
    assert len(server.requests) == 1


async def test_an_unknown_model(server: OpenAIServer, model: OpenAIModel) -> None:
    server.plan(Reply(status=404, text="The model does not exist"))
    error = await fails(model)
    assert type(error) is UnknownModel
    assert "'gpt-test'" in str(error)


async def test_without_a_key(server: OpenAIServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    monkeypatch.setenv("OPENAI_ADMIN_KEY", KEY)
    provider = OpenAIProvider()
    with pytest.raises(MissingKey, match="OPENAI_API_KEY"):
        provider.model("gpt-test")
    monkeypatch.setenv("OPENAI_BASE_URL", server.base_url + "/")
    model = provider.model("gpt-test")
    assert (await model.generate(ask())).text == ANSWER
    assert "authorization" not in server.requests[0].headers
    server.plan(Reply(status=401))
    assert "It wants a key: set the environment variable OPENAI_API_KEY" in str(await fails(model))


async def test_nobody_listens(unused_tcp_port: int) -> None:
    model = OpenAIProvider().model("gpt-test", base_url=f"http://user:pass@127.0.0.1:{unused_tcp_port}/v1")
    for streamed in (False, True):
        error = await fails(model, streamed=streamed)
        assert isinstance(error, ProviderError)
        assert error.retryable
        assert f"can't connect to http://127.0.0.1:{unused_tcp_port}/v1" in str(error)
        assert "OPENAI_BASE_URL" in str(error)


async def test_the_time_out_holds_for_the_whole_call(server: OpenAIServer) -> None:
    model = OpenAIProvider().model("gpt-test", base_url=server.base_url, timeout=0.1)
    server.plan(Reply(delay=30))
    error = await fails(model)
    assert isinstance(error, ProviderError)
    assert error.retryable
    assert "sent nothing for 0.1 s: raise timeout" in str(error)


async def test_the_time_out_holds_for_each_gap_of_a_stream(server: OpenAIServer) -> None:
    model = OpenAIProvider().model("gpt-test", base_url=server.base_url, timeout=0.3)
    server.plan(Reply(chunk_delay=0.07), Reply(chunk_delay=30), Reply(delay=30))
    assert (await model.generate(ask(), lambda piece: None)).text == ANSWER
    for _ in range(2):
        assert "sent nothing for 0.3 s" in str(await fails(model, streamed=True))


@pytest.mark.parametrize("streamed", [False, True])
async def test_cancelling_closes_the_connection(server: OpenAIServer, model: OpenAIModel, streamed: bool) -> None:
    server.plan(Reply(delay=0 if streamed else 30, chunk_delay=0.05 if streamed else 0, text="word " * 600))
    started = asyncio.Event()
    task = asyncio.create_task(model.generate(ask(), (lambda piece: started.set()) if streamed else None))
    await asyncio.wait_for(started.wait(), 5) if streamed else await asyncio.sleep(0.1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await asyncio.to_thread(server.requests[0].dropped.wait, 5)


@pytest.mark.parametrize("kind", [LookupError, BrokenPipeError])
async def test_an_error_of_emit_passes_and_closes_the_connection(server: OpenAIServer, model: OpenAIModel, kind: type[Exception]) -> None:
    def emit(piece: str | None) -> None:
        raise kind("mine")

    server.plan(Reply(chunk_delay=0.01, text="word " * 600))
    with pytest.raises(kind, match="mine"):
        await model.generate(ask(), emit)
    assert await asyncio.to_thread(server.requests[0].dropped.wait, 5)


async def test_connections_are_used_again_and_shared(server: OpenAIServer) -> None:
    provider = OpenAIProvider()
    for _ in range(3):
        model = provider.model("gpt-test", base_url=server.base_url)
        await model.generate(ask())
        await model.generate(ask(), lambda piece: None)
    assert server.connections == 1
    await asyncio.gather(*(model.generate(ask(str(number))) for number in range(50)))
    assert {request.body["messages"][1]["content"] for request in server.requests} >= {str(number) for number in range(50)}


async def test_a_connection_that_was_given_up_is_not_used_again(server: OpenAIServer, model: OpenAIModel) -> None:
    for reply in (Reply(delay=30), Reply(cut=-1), Reply(extra_length=5), Reply(status=500)):
        server.plan(reply)
        with pytest.raises((TimeoutError, ProviderError)):
            await asyncio.wait_for(model.generate(ask()), 0.1)
        assert (await model.generate(ask())).text == ANSWER
    server.plan(Reply(cut=2))
    with pytest.raises(ProviderError):
        await model.generate(ask(), lambda piece: None)
    assert (await model.generate(ask(), lambda piece: None)).text == ANSWER


async def test_idle_connections_are_closed(server: OpenAIServer, model: OpenAIModel, monkeypatch: pytest.MonkeyPatch) -> None:
    from agentnb.adapters.openai import connections

    await asyncio.gather(*(model.generate(ask()) for _ in range(5)))
    assert len(server.open) == 5
    monkeypatch.setattr(connections, "_IDLE_SECONDS", 0.05)
    await asyncio.sleep(0.1)
    await model.generate(ask())
    for _ in range(100):
        if len(server.open) == 1:
            break
        await asyncio.sleep(0.01)
    assert len(server.open) == 1


async def test_a_proxy_of_the_environment_is_used(server: OpenAIServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", server.base_url.removesuffix("/v1"))
    monkeypatch.setenv("NO_PROXY", "localhost")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://models.invalid/v1")
    model = OpenAIProvider().model("gpt-test")
    assert (await model.generate(ask())).text == ANSWER
    assert server.requests[0].path == "http://models.invalid/v1/chat/completions"


def test_the_time_out_does_not_count_the_import_of_the_client(server: OpenAIServer) -> None:
    code = f"""
import asyncio, sys
from agentnb.adapters.openai import OpenAIProvider
from agentnb.ports.model import Message, ModelRequest

async def main():
    model = OpenAIProvider().model("gpt-test", base_url={server.base_url!r}, timeout=0.2)
    calls = [asyncio.create_task(model.generate(ModelRequest("openai:gpt-test", (Message("user", "hi"),)))) for _ in range(3)]
    ticks = 0
    while not all(call.done() for call in calls):
        await asyncio.sleep(0.01)
        ticks += 1
    print(len({{call.result().text for call in calls}}), ticks > 5, "openai" in sys.modules)

asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1", "True", "True"]


def test_importing_the_adapter_imports_no_client() -> None:
    heavy = {"openai", "httpx", "httpx2", "pydantic"}
    code = f"import sys, agentnb.adapters.openai, agentnb.adapters.scripted; print(sorted({heavy} & sys.modules.keys()))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"


def test_several_loops_at_once_leave_nothing_open(server: OpenAIServer, model: OpenAIModel) -> None:
    answers: list[str] = []

    async def work() -> None:
        for _ in range(3):
            answers.append((await model.generate(ask())).text)  # noqa: PERF401
        answers.append((await model.generate(ask(), lambda piece: None)).text)

    threads = [threading.Thread(target=lambda: asyncio.run(work())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    asyncio.run(work())
    gc.collect()
    assert answers == [ANSWER] * 20
    assert model._endpoint._clients == {}
    assert not server.open


async def test_embeddings_come_in_the_order_of_the_texts(server: OpenAIServer) -> None:
    embedder = OpenAIProvider().embedder("embed", base_url=server.base_url)
    assert await embedder.embed(["a", "bb", "ccc"]) == [[1, 0, 1], [2, 1, 1], [3, 2, 1]]
    assert server.requests[0].body == {"model": "embed", "input": ["a", "bb", "ccc"], "encoding_format": "float"}
    assert await embedder.embed([]) == []
    assert [len(request.body["input"]) for request in server.requests] == [3]
    vectors = await embedder.embed(["x" * number for number in range(600)])
    assert [vector[0] for vector in vectors] == list(range(600))
    assert [len(request.body["input"]) for request in server.requests[1:]] == [256, 256, 88]


@pytest.mark.parametrize(
    "data",
    [[], [{"index": 0, "embedding": "x"}], [{"embedding": [1]}], [3], [{"index": 0, "embedding": [1]}, {"index": 1, "embedding": [1, 2]}]],
)
async def test_garbled_embeddings(server: OpenAIServer, data: list[Any]) -> None:
    server.plan(Reply(body=json.dumps({"data": data})))
    with pytest.raises(ProviderError, match="embedding") as caught:
        await OpenAIProvider().embedder("embed", base_url=server.base_url).embed(["a"] * max(len(data), 1))
    assert caught.value.retryable


@pytest.mark.parametrize(
    "settings",
    [
        {"temperature": 1},
        {"api_key": "x"},
        {"timeout": 0},
        {"timeout": "5"},
        {"base_url": "localhost:8000"},
        {"base_url": "http://x:port/v1"},
    ],
)
def test_wrong_settings_are_refused(settings: dict[str, Any]) -> None:
    for make in (OpenAIProvider().model, OpenAIProvider().embedder):
        with pytest.raises(ConfigurationError, match=r"\[models\.openai\]"):
            make("gpt-test", **settings)


def test_a_key_that_can_not_be_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-…")
    with pytest.raises(ConfigurationError, match="characters that no key has"):
        OpenAIProvider().model("gpt-test")


def test_catalog_and_pull(monkeypatch: pytest.MonkeyPatch) -> None:
    provider = OpenAIProvider()
    assert all(info.name.startswith("openai:") and info.installed for info in provider.catalog())
    with pytest.raises(UnknownModel, match="nothing to fetch"):
        provider.pull("gpt-5", lambda what, done, total: None)
    with pytest.raises(UnknownModel, match="after the colon"):
        provider.model("")


async def test_the_official_server_is_told_max_completion_tokens_and_objects_only(monkeypatch: pytest.MonkeyPatch) -> None:
    from agentnb.adapters.openai.wire import write_request

    request = ask(options={"max_tokens": 5}, output_schema={"type": "array"})
    assert write_request("m", request, official=True).keys() == {"model", "messages", "max_completion_tokens"}
    assert write_request("m", request, official=False).keys() == {"model", "messages", "max_tokens", "response_format"}
    assert OpenAIProvider().model("gpt-test")._endpoint.official


def test_a_file_cannot_send_the_key_to_another_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-abcdefghijklmnopqrstuv")
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    provider = OpenAIProvider()
    for url in ("https://models.example/v1", "http://127.0.0.1.example/v1", "http://127.0.0.1@models.example/v1"):
        with pytest.raises(ConfigurationError, match="is not sent to an address that only a file names"):
            provider.model("m", base_url=url)
    provider.model("m", base_url="http://127.0.0.1:9/v1")
    monkeypatch.setenv("OPENAI_BASE_URL", "https://models.example/v1")
    provider.model("m", base_url="https://models.example/v1")
    monkeypatch.delenv("OPENAI_API_KEY")
    monkeypatch.delenv("OPENAI_BASE_URL")
    provider.model("m", base_url="https://models.example/v1")
