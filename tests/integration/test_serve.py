"""``agentnb serve`` as a process, asked by the official client over HTTP."""

from __future__ import annotations

import asyncio
import http.client
import inspect
import json
import os
import queue
import re
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openai
import pytest
from openai.resources import chat

import agentnb as anb
from agentnb.config import load
from agentnb.ports.store import Run
from agentnb.runtime.runtime import Runtime
from agentnb.serve import app, fields, handlers
from agentnb.serve.offer import Offer
from agentnb.serve.protocol import ChatRequest, EmbeddingsRequest
from tests.support import networks

pytestmark = pytest.mark.model

LIMIT = 60
MODEL = "smollm2-135m"
COMMAND = [sys.executable, "-c", "from agentnb.cli import main; main()", "serve", "--port", "0", "--json", "--no-warm"]
WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Get the weather of a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"], "additionalProperties": False},
    },
}
AGENTS = """
import sys, agentnb as anb
from pydantic import BaseModel

@anb.tool(effects="none")
def lookup(city: str) -> str:
    "Look up the weather of a city."
    return f"18 degrees in {city}"

class Verdict(BaseModel):
    good: bool

folder = sys.argv[1]
anb.Agent("helper", model=f"scripted:{folder}/broken.jsonl", origin="other.ipynb").initialize()
anb.Agent("helper", model=f"scripted:{folder}/helper.jsonl", tools=[lookup], instructions="Be brief.").initialize()
anb.Agent("judge", model=f"scripted:{folder}/judge.jsonl", output=Verdict).initialize()
anb.Agent("slow", model=f"scripted:{folder}/slow.jsonl").initialize()
anb.Agent("broken", model=f"scripted:{folder}/broken.jsonl").initialize()
"""
TALL = [{"tool_calls": [{"name": "lookup", "arguments": {"city": "Rome"}}]}, {"text": "It is 18 degrees in Rome."}]
SCRIPTS = {
    "helper": TALL * 2,
    "judge": [{"text": '{"good": true}'}] * 2,
    "slow": [{"text": "late", "delay": 300}, {"text": "one two three " * 200, "chunk_delay": 0.2}],
    "broken": [{"error": "the provider is down"}] * 2,
}


@dataclass
class Server:
    """A server process; ``lines`` are those of its log, as they come."""

    process: subprocess.Popen[str]
    url: str
    store: Path
    lines: queue.Queue[dict[str, Any]]
    reader: threading.Thread

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2].partition("/")[0])

    def client(self, **settings: Any) -> openai.OpenAI:
        return openai.OpenAI(base_url=self.url, api_key=settings.pop("api_key", "none"), max_retries=0, timeout=LIMIT, **settings)

    def runs(self) -> list[Run]:
        runtime = Runtime(load(store=self.store))
        try:
            return runtime.runs()
        finally:
            runtime.close()

    def until(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        while True:
            line = self.lines.get(timeout=LIMIT)
            if wanted(line):
                return line


def start(store: Path, *words: str, **environment: str) -> Server:
    process = subprocess.Popen(
        [*COMMAND, *words],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "AGENTNB_STORE": str(store), **environment},
    )
    lines: queue.Queue[dict[str, Any]] = queue.Queue()

    def read() -> None:
        assert process.stderr is not None
        with process.stderr as log:
            for line in log:
                lines.put(json.loads(line))

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    server = Server(process, "", store, lines, reader)
    server.url = server.until(lambda line: line["event"] == "listening")["url"]
    return server


def stop(server: Server) -> int:
    server.process.send_signal(signal.SIGTERM)
    try:
        return server.process.wait(LIMIT)
    finally:
        server.process.kill()
        server.process.wait()
        server.reader.join()


@pytest.fixture(scope="module")
def server(local_model: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("serve")
    for name, script in SCRIPTS.items():
        (folder / f"{name}.jsonl").write_text("\n".join(map(json.dumps, script)))
    store = folder / "store"
    environment = {**os.environ, "AGENTNB_STORE": str(store)}
    subprocess.run([sys.executable, "-c", AGENTS, str(folder)], check=True, env=environment)
    running = start(store)
    yield running
    assert stop(running) == 0


@pytest.fixture
def client(server: Server) -> Iterator[openai.OpenAI]:
    with server.client() as one:
        yield one


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def ask(text: str) -> Any:
    return [{"role": "user", "content": text}]


def post(server: Server, body: bytes, **headers: str) -> tuple[int, dict[str, Any]]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=LIMIT)
    try:
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request("POST", "/v1/chat/completions", body, {"Content-Type": "application/json", **names})
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


def test_models_are_the_agents_and_what_is_installed(client: openai.OpenAI) -> None:
    names = [model.id for model in client.models.list()]
    assert {"agent:helper", "agent:judge", "openvino:smollm2-135m", "openvino:minilm"} <= set(names)
    assert not {"openvino:minilm-l6-v2", "openvino:ppocrv6-rec-small"} & set(names), "models that answer nothing"
    assert client.models.retrieve("agent:helper").owned_by == "agentnb"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("nobody")


def test_a_local_model_answers_in_a_run_of_its_own(server: Server, client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(model=MODEL, messages=ask("Name a fruit."), max_tokens=8)
    assert answer.choices[0].message.content
    assert answer.usage is not None
    assert answer.usage.completion_tokens == 8
    assert answer.choices[0].finish_reason == "length"
    [run] = [run for run in server.runs() if f"chatcmpl-{run.id}" == answer.id]
    assert (run.status, run.name) == ("completed", f"openvino:{MODEL}")


def test_streaming_gives_the_pieces_and_the_usage(client: openai.OpenAI) -> None:
    asked: Any = {"model": MODEL, "messages": ask("Tell me about the sea."), "max_tokens": 12}
    whole = client.chat.completions.create(**asked)
    chunks = list(client.chat.completions.create(**asked, stream=True, stream_options={"include_usage": True}))
    pieces = [chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices]
    assert "".join(pieces) == whole.choices[0].message.content
    assert len(pieces) > 5
    assert chunks[-2].choices[0].finish_reason == "length"
    assert chunks[-1].usage == whole.usage


@pytest.mark.parametrize("stream", [False, True])
def test_a_tool_is_called_and_its_result_answered(client: openai.OpenAI, stream: bool) -> None:
    messages = ask("What is the weather in Paris?")
    asked: Any = {"model": MODEL, "messages": messages, "tools": [WEATHER], "max_tokens": 30}
    if stream:
        deltas = [chunk.choices[0] for chunk in client.chat.completions.create(**asked, stream=True)]
        [call] = next(choice.delta.tool_calls for choice in deltas if choice.delta.tool_calls)
        reason = deltas[-1].finish_reason
    else:
        choice = client.chat.completions.create(**asked).choices[0]
        assert choice.message.content is None
        [call] = choice.message.tool_calls or ()
        reason = choice.finish_reason
    assert (call.function.name, json.loads(call.function.arguments), reason) == ("get_weather", {"city": "Paris"}, "tool_calls")
    function = {"name": call.function.name, "arguments": call.function.arguments}
    messages += [
        {"role": "assistant", "content": None, "tool_calls": [{"id": call.id, "type": "function", "function": function}]},
        {"role": "tool", "tool_call_id": call.id, "content": "18 degrees and sunny"},
    ]
    after = client.chat.completions.create(model=MODEL, messages=messages, tools=[WEATHER], max_tokens=30)
    assert after.choices[0].message.tool_calls is None
    assert after.choices[0].message.content


def test_tool_choice_forbids_and_forces(client: openai.OpenAI) -> None:
    asked: Any = {"model": MODEL, "tools": [WEATHER], "max_tokens": 5}
    none = client.chat.completions.create(messages=ask("What is the weather in Paris?"), tool_choice="none", **asked)
    assert none.choices[0].message.tool_calls is None
    forced = {"type": "function", "function": {"name": "get_weather"}}
    named = client.chat.completions.create(messages=ask("I like Oslo."), tool_choice=forced, **asked)
    assert json.loads(named.choices[0].message.tool_calls[0].function.arguments) == {"city": "Oslo"}


def test_an_answer_fits_its_json_schema(client: openai.OpenAI) -> None:
    schema = {
        "type": "object",
        "properties": {"name": {"type": "string"}, "age": {"type": "integer", "minimum": 0, "maximum": 120}},
        "required": ["name", "age"],
        "additionalProperties": False,
    }
    form: Any = {"type": "json_schema", "json_schema": {"name": "person", "schema": schema, "strict": True}}
    asked: Any = {"model": MODEL, "messages": ask("Ann is 31 years old."), "response_format": form}
    data = json.loads(client.chat.completions.create(**asked).choices[0].message.content)
    assert set(data) == {"name", "age"}
    pieces = [chunk.choices[0].delta.content or "" for chunk in client.chat.completions.create(**asked, stream=True)]
    assert json.loads("".join(pieces)) == data


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_cut_off_before_its_schema_is_whole_says_so(server: Server, client: openai.OpenAI, stream: bool) -> None:
    form: Any = {"type": "json_schema", "json_schema": {"name": "person", "schema": of_object(name={"type": "string"})}}
    asked: Any = {"model": MODEL, "messages": ask("Ann is 31 years old."), "response_format": form, "max_tokens": 3}
    if stream:
        *_, last = client.chat.completions.create(**asked, stream=True)
        reason, found = last.choices[0].finish_reason, last.id
    else:
        answer = client.chat.completions.create(**asked)
        reason, found = answer.choices[0].finish_reason, answer.id
        assert (answer.choices[0].message.content or "").startswith("{")
    assert reason == "length"
    [run] = [run for run in server.runs() if f"chatcmpl-{run.id}" == found]
    assert (run.status, run.usage["model_calls"]) == ("completed", 1)


def test_null_is_as_good_as_left_out(server: Server) -> None:
    tool = {"type": "function", "function": {"name": "get_time", "description": None, "parameters": None, "strict": None}}
    message = {"role": "user", "content": "What time is it?", "name": None, "tool_calls": None, "tool_call_id": None}
    body = {"model": MODEL, "messages": [message], "tools": [tool], "tool_choice": "required", "stop": None, "max_tokens": None}
    status, answer = post(server, json.dumps(body).encode())
    assert status == 200, answer
    assert answer["choices"][0]["message"]["tool_calls"][0]["function"]["name"] == "get_time"


def test_an_agent_uses_its_own_tools(server: Server, client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(model="agent:helper", messages=ask("What is the weather in Rome?"))
    assert answer.choices[0].message.content == "It is 18 degrees in Rome."
    [run] = [run for run in server.runs() if f"chatcmpl-{run.id}" == answer.id]
    assert (run.name, run.usage["tool_calls"], run.usage["model_calls"]) == ("helper", 1, 2)
    chunks = client.chat.completions.create(model="helper", messages=ask("And in Rome?"), stream=True)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "It is 18 degrees in Rome."


@pytest.mark.parametrize("stream", [False, True])
def test_an_agent_answers_in_its_own_schema(client: openai.OpenAI, stream: bool) -> None:
    if stream:
        chunks = client.chat.completions.create(model="agent:judge", messages=ask("Good?"), stream=True)
        text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    else:
        text = client.chat.completions.create(model="agent:judge", messages=ask("Good?")).choices[0].message.content or ""
    assert json.loads(text) == {"good": True}


def test_embeddings_as_numbers_and_as_base64(client: openai.OpenAI) -> None:
    texts = ["A man is eating food.", "A man eats something.", "The stock market fell."]
    coded = [item.embedding for item in client.embeddings.create(model="minilm", input=texts).data]
    plain = [item.embedding for item in client.embeddings.create(model="openvino:minilm", input=texts, encoding_format="float").data]
    assert coded == [pytest.approx(vector, abs=1e-5) for vector in plain]
    near, far = (sum(a * b for a, b in zip(plain[0], plain[at], strict=True)) for at in (1, 2))
    assert near > 0.8 > 0.3 > far


def test_embeddings_that_cant_be_had_are_refused_by_name(client: openai.OpenAI) -> None:
    assert len(client.embeddings.create(model="minilm", input="a", dimensions=384).data[0].embedding) == 384
    for wrong, message in (
        ({"dimensions": 100}, "vectors of minilm have 384 numbers, not 100"),
        ({"input": [1, 2, 3]}, "token IDs aren't read.*send texts"),
        ({"input": [[1, 2], [3]]}, "token IDs aren't read.*send texts"),
        ({"input": ["a"] * 2049}, "input: .*at most 2048 items"),
        ({"input": []}, "input: .*at least 1 item"),
        ({"input": 5}, "input: .*valid string"),
    ):
        asked: Any = {"model": "minilm", "input": "a", **wrong}
        with pytest.raises(openai.BadRequestError, match=message):
            client.embeddings.create(**asked)


def test_an_optimized_encoder_is_served(tmp_path: Path, local_model: str) -> None:
    encoder, texts = networks.encoder(tmp_path / "encoder"), networks.sentences(24)
    recipe = ("int8-weights-sym+f32",)
    found = anb.optimize(encoder, calibration=texts, output=tmp_path / "fast", only=recipe, max_drop=0.1, progress=False)
    name = f"openvino:{found.folder}"
    server = start(tmp_path / "store", "--model", name, "--warm")
    try:
        server.until(lambda line: line["event"] == "ready" and line["model"] == name)
        with server.client() as client:
            one, two = (item.embedding for item in client.embeddings.create(model=name, input=texts[:2]).data)
            assert len(one) == len(two) == 32
            assert one != two
            with pytest.raises(openai.BadRequestError, match="no language model: use it for embeddings"):
                client.chat.completions.create(model=name, messages=ask("Hi"))
    finally:
        assert stop(server) == 0


async def test_many_clients_at_once(server: Server) -> None:
    async with openai.AsyncOpenAI(base_url=server.url, api_key="none", max_retries=0, timeout=LIMIT) as client:

        async def one(number: int) -> str:
            messages = ask(f"Count from {number} upwards.")
            if number % 2:
                answer = await client.chat.completions.create(model=MODEL, messages=messages, max_tokens=6)
                return answer.choices[0].message.content or ""
            stream = await client.chat.completions.create(model=MODEL, messages=messages, max_tokens=6, stream=True)
            return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])

        texts = await asyncio.gather(*(one(number) for number in range(100)))
    assert all(texts)


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_leaves_cancels_its_run(server: Server, stream: bool) -> None:
    body = json.dumps({"model": "agent:slow", "messages": ask("Go on."), "stream": stream}).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=LIMIT) as connection:
        connection.sendall(head.encode() + body)
        if stream:
            assert connection.recv(100).startswith(b"HTTP/1.1 200")
        else:
            while not any(run.name == "slow" and run.status == "running" for run in server.runs()):
                pass
    line = server.until(lambda line: line.get("model") == "agent:slow")
    while (run := next(run for run in server.runs() if run.id == line["run"])).status == "running":
        pass
    assert run.status == "cancelled"


def test_leaving_a_local_model_stops_its_generation(server: Server, client: openai.OpenAI) -> None:
    stream = client.chat.completions.create(model=MODEL, messages=ask("Write a very long story."), max_tokens=8000, stream=True)
    next(iter(stream))
    stream.close()
    server.until(lambda line: line.get("model") == MODEL and line.get("stream"))
    wait_for(lambda: all(run.status != "running" for run in server.runs()))


@pytest.mark.parametrize(
    ("body", "status", "code", "param"),
    [
        (b"{", 400, "invalid_json", None),
        (b"\xff\xfe", 400, "invalid_json", None),
        (b"[]", 400, None, None),
        (b"{}", 400, None, "model"),
        (b'{"model": "x", "messages": []}', 400, None, "messages"),
        (b'{"model": "x", "messages": [{"role": "king", "content": ""}]}', 400, None, "messages.0.role"),
        (b'{"model": "x", "messages": [{"role": "user", "content": 5}]}', 400, None, "messages.0.content"),
        (b'{"model": "x", "messages": [{"role": "user"}]}', 400, None, "messages.0.content"),
        (b'{"model": "x", "messages": [{"role": "user", "content": [{"type": "image_url"}]}]}', 400, "unsupported_content", None),
        (b'{"model": "x", "messages": [{"role": "user", "content": "Hi"}]}', 404, "model_not_found", None),
        (b'{"model": "../../etc/passwd", "messages": [{"role": "user", "content": "Hi"}]}', 404, "model_not_found", None),
        (b'{"model": "openai:gpt-5", "messages": [{"role": "user", "content": "Hi"}]}', 404, "model_not_found", None),
        (b'{"model": "smollm2-135m", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": -1}', 400, None, "max_tokens"),
        (b'{"model": "smollm2-135m", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 1e30}', 400, None, "max_tokens"),
        (b'{"model": "smollm2-135m", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": "many"}', 400, None, "max_tokens"),
        (b'{"model": "smollm2-135m", "messages": [{"role": "user", "content": "Hi"}], "temperature": 99}', 400, None, "temperature"),
        (
            b'{"model": "smollm2-135m", "messages": [{"role": "assistant", "function_call": {"name": "f", "arguments": "{}"}}]}',
            400,
            "unsupported_parameter",
            "messages.0.function_call",
        ),
        (b'{"model": "smollm2-135m", "messages": [{"role": "user", "content": ""}]}', 403, "empty", None),
        (b'{"model": "smollm2-135m", "messages": [{"role": "assistant", "content": "Hi"}]}', 400, None, "messages.0"),
        (
            b'{"model": "smollm2-135m", "messages": [{"role": "user", "content": "Hi"}], "tool_choice": "required"}',
            400,
            None,
            "tool_choice",
        ),
    ],
)
def test_bad_requests_are_told_what_is_wrong(server: Server, body: bytes, status: int, code: str | None, param: str | None) -> None:
    found, answer = post(server, body)
    assert found == status, answer
    error = answer["error"]
    assert error["message"]
    assert error["code"] == code
    if param:
        assert error["param"] == param


@pytest.mark.parametrize(
    ("name", "value", "mend"),
    [
        ("functions", [{"name": "f"}], "use tools"),
        ("function_call", "auto", "use tool_choice"),
        ("logit_bias", {"50256": -100}, "leave it out"),
        ("logprobs", True, "leave it out"),
        ("top_logprobs", 3, "leave it out"),
        ("n", 3, "as often as you want answers"),
        ("modalities", ["text", "audio"], "only text"),
        ("audio", {"voice": "alloy", "format": "wav"}, "only text"),
        ("moderation", {"model": "omni-moderation-latest"}, "policy"),
        ("web_search_options", {}, "give a tool"),
        ("top_k", 40, "no field of this protocol"),
    ],
)
def test_what_isnt_honoured_is_refused_by_name(client: openai.OpenAI, name: str, value: Any, mend: str) -> None:
    with pytest.raises(openai.BadRequestError, match=mend) as caught:
        client.chat.completions.create(model=MODEL, messages=ask("Hi"), extra_body={name: value})
    assert (caught.value.param, caught.value.type) == (name, "invalid_request_error")
    if name == "top_k":
        with pytest.raises(openai.BadRequestError, match=mend):
            client.embeddings.create(model="minilm", input="a", extra_body={name: value})


def test_what_no_answer_depends_on_may_be_sent(client: openai.OpenAI) -> None:
    asked: Any = {
        **dict.fromkeys(fields.HARMLESS, "x"),
        **{name: accepted for name, (accepted, _) in fields.REFUSED.items() if accepted is not None},
        "metadata": {"a": "b"},
        "store": True,
    }
    answer = client.chat.completions.create(model=MODEL, messages=ask("Hi"), max_tokens=2, extra_body=asked)
    assert answer.choices[0].message.content
    assert client.embeddings.create(model="minilm", input="a", user="me").data


def test_every_field_of_the_official_client_is_decided_on() -> None:
    for call, request in ((chat.Completions.create, ChatRequest), (openai.resources.Embeddings.create, EmbeddingsRequest)):
        sent = set(inspect.signature(call).parameters) - {"self", "extra_headers", "extra_query", "extra_body", "timeout"}
        assert sent - request.model_fields.keys() - fields.HARMLESS - fields.REFUSED.keys() == set()
        assert not request.model_fields.keys() & (fields.HARMLESS | fields.REFUSED.keys())


@pytest.mark.parametrize("penalty", ["frequency_penalty", "presence_penalty"])
def test_penalties_are_honoured(client: openai.OpenAI, penalty: str) -> None:
    asked: Any = {"model": MODEL, "messages": ask("Repeat after me: ha ha ha ha ha ha ha ha"), "max_tokens": 40}
    plain, penal = (client.chat.completions.create(**asked, **more).choices[0].message.content or "" for more in ({}, {penalty: 2.0}))
    assert plain != penal
    assert client.chat.completions.create(**asked, **{penalty: 0.0}).choices[0].message.content == plain


def of_object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


@pytest.mark.parametrize(
    ("schema", "told"),
    [
        (of_object(a={"$ref": "#/$defs/none"}), "#?/\\$defs/none"),
        (of_object(a={"$ref": "file:///etc/hostname"}), "file:///etc/hostname.*nothing but its own parts"),
        (of_object(a={"$ref": "http://127.0.0.1:9/x.json"}), "http://127.0.0.1:9/x.json.*nothing but its own parts"),
        (of_object(a={"type": "banana"}), "properties.a.type.*banana"),
        (of_object(a={"type": "string", "pattern": "("}), "properties.a.pattern"),
        ({"type": "object", "required": "a"}, "required"),
        ({"type": "array", "items": {"type": "string"}}, "of an object"),
        (of_object(a={"enum": [f"choice {number}" for number in range(20_000)]}), "characters"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_schemas_that_nothing_can_be_held_to_are_refused(client: openai.OpenAI, schema: dict[str, Any], told: str, stream: bool) -> None:
    asked: Any = {"model": MODEL, "messages": ask("Ann is 31 years old."), "max_tokens": 40, "stream": stream}
    form = {"type": "json_schema", "json_schema": {"name": "person", "schema": schema}}
    tool = {"type": "function", "function": {"name": "save", "description": "Save a person.", "parameters": schema}}
    with pytest.raises(openai.BadRequestError, match=told):
        client.chat.completions.create(**asked, response_format=form)
    with pytest.raises(openai.BadRequestError, match=told):
        client.chat.completions.create(**asked, tools=[tool], tool_choice="required")


def test_a_schema_may_name_itself(client: openai.OpenAI) -> None:
    schema = of_object(value={"type": "integer"}, next={"anyOf": [{"$ref": "#"}, {"type": "null"}]})
    form: Any = {"type": "json_schema", "json_schema": {"name": "list", "schema": schema}}
    answer = client.chat.completions.create(model=MODEL, messages=ask("Count to 3."), response_format=form)
    assert set(json.loads(answer.choices[0].message.content or "")) == {"value", "next"}


def test_prompts_beyond_the_context_are_refused(client: openai.OpenAI) -> None:
    for stream in (False, True):
        with pytest.raises(openai.BadRequestError) as caught:
            client.chat.completions.create(model=MODEL, messages=ask("word " * 2_000_000), stream=stream)
        assert caught.value.code == "context_length_exceeded"
    assert client.chat.completions.create(model=MODEL, messages=ask("Hi"), max_tokens=3).choices[0].message.content


def test_a_body_beyond_all_bounds_ends_the_connection(server: Server, client: openai.OpenAI) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=LIMIT)
    connection.putrequest("POST", "/v1/chat/completions")
    connection.putheader("Content-Type", "application/json")
    connection.putheader("Content-Length", str(10**12))
    connection.endheaders()
    assert connection.getresponse().status == 400
    connection.close()
    assert client.models.list().data


def test_a_provider_that_fails_is_a_server_error(client: openai.OpenAI) -> None:
    with pytest.raises(openai.InternalServerError, match="the provider is down"):
        client.chat.completions.create(model="agent:broken", messages=ask("Hi"))


def test_other_names_pages_and_kinds_are_turned_away(server: Server) -> None:
    body = json.dumps({"model": MODEL, "messages": ask("Hi"), "max_tokens": 1}).encode()
    assert post(server, body, Host="attacker.example")[0] == 421
    assert post(server, body, Host="[::1")[0] == 400
    assert post(server, body, Origin="https://attacker.example")[0] == 403
    assert post(server, body, Content_Type="text/plain")[0] == 415
    assert post(server, body, Host="localhost:1")[0] == 200


def test_a_key_is_asked_for(tmp_path: Path, local_model: str) -> None:
    server = start(tmp_path / "store", "--host", "0.0.0.0", AGENTNB_SERVE_KEY="s3cret")
    try:
        server.url = server.url.replace("0.0.0.0", "127.0.0.1")
        with server.client(api_key="wrong") as client, pytest.raises(openai.AuthenticationError):
            client.models.list()
        with server.client(api_key="s3cret") as client:
            assert client.models.list().data
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=LIMIT)
        connection.request("GET", "/health")
        assert json.loads(connection.getresponse().read())["status"] == "ok"
        connection.close()
    finally:
        assert stop(server) == 0


def test_without_a_key_only_this_machine_is_served(tmp_path: Path) -> None:
    done = subprocess.run([*COMMAND, "--host", "0.0.0.0"], capture_output=True, text=True, check=False, timeout=LIMIT)
    assert done.returncode == 2
    assert "AGENTNB_SERVE_KEY" in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--model", "nope:x"), "nope"),
        (("--model", "openvino:nobody"), "nobody"),
        (("--allow-origin", "app.example.org"), "write https://host"),
        (("--allow-origin", "https://app.example.org/"), "nothing behind it"),
    ],
)
def test_what_cant_be_served_is_said_at_the_start(words: tuple[str, ...], told: str) -> None:
    done = subprocess.run([*COMMAND, *words], capture_output=True, text=True, check=False, timeout=LIMIT)
    assert done.returncode == 2
    assert told in done.stdout + done.stderr


def test_a_person_reads_where_it_is_and_what_to_do(tmp_path: Path, local_model: str) -> None:
    command = [word for word in COMMAND if word != "--json"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={**os.environ, "AGENTNB_STORE": str(tmp_path / "store")})
    assert process.stderr is not None
    with process.stderr as log:
        said = "".join(iter(log.readline, "  stop    Ctrl+C\n"))
        assert re.search(r"serving at http://127.0.0.1:\d+/v1$", said, re.MULTILINE)
        assert "  models  openvino:smollm2-135m, openvino:minilm\n" in said
        example: dict[str, Any] = {}
        exec(textwrap.dedent("          " + said.partition("  call    ")[2].partition("  stop")[0]).partition("client.chat")[0], example)
        with example["client"] as client:
            assert [model.id for model in client.models.list()] == ["openvino:smollm2-135m", "openvino:minilm"]
        process.send_signal(signal.SIGINT)
        assert log.read().rstrip().endswith("stopped")
    assert process.wait(LIMIT) == 0


def test_what_never_became_a_run_is_logged_as_none(server: Server) -> None:
    for body in ({"model": "nobody"}, {"model": "agent:helper", "tools": [{"type": "function", "function": {"name": "lookup"}}]}):
        assert post(server, json.dumps({**body, "messages": ask("Hi")}).encode())[0] in (400, 404)
        assert "run" not in server.until(lambda line, body=body: line.get("model") == body["model"] and line["status"] != 200)


@pytest.mark.parametrize(("stream", "words"), [(False, 2_500_000), (True, 100)])
def test_a_stopped_server_lets_answers_come_to_their_end(tmp_path: Path, stream: bool, words: int) -> None:
    (tmp_path / "late.jsonl").write_text(json.dumps({"text": "late " * words, "delay": 1}))
    model = f"scripted:{tmp_path}/late.jsonl"
    server = start(tmp_path / "store", "--model", model)

    def terminate() -> None:
        wait_for(lambda: bool(server.runs()))
        server.process.send_signal(signal.SIGTERM)

    stopping = threading.Thread(target=terminate)
    stopping.start()
    with server.client() as client:
        answer: Any = client.chat.completions.create(model=model, messages=ask("Go on."), stream=stream)
        if stream:
            chunks = [chunk.choices[0] for chunk in answer]
            text, reason = "".join(chunk.delta.content or "" for chunk in chunks), chunks[-1].finish_reason
        else:
            text, reason = answer.choices[0].message.content, answer.choices[0].finish_reason
    stopping.join()
    assert server.process.wait(LIMIT) == 0
    server.reader.join()
    assert reason == "stop"
    assert text == "late " * words


async def test_a_client_that_reads_nothing_is_let_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The server runs here, so that a client need not stall for half a minute."""
    monkeypatch.setattr(handlers, "STALL_SECONDS", 0.3)
    caplog.set_level("INFO", "agentnb.serve")
    (tmp_path / "long.jsonl").write_text(json.dumps({"text": "word" * 10_000_000}))
    model = f"scripted:{tmp_path}/long.jsonl"
    address: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    runtime = Runtime(load(store=tmp_path / "store"))
    serving = asyncio.create_task(app.serve(Offer(runtime, (model,)), app.Listen(port=0, warm=False), address.set_result))
    host, _, port = (await address).removeprefix("http://").partition(":")
    body = json.dumps({"model": model, "messages": ask("Go on."), "stream": True})
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    with socket.create_connection((host, int(port)), timeout=LIMIT) as connection:
        connection.sendall(head.encode() + body.encode())
        async with asyncio.timeout(LIMIT):
            while not any(line.getMessage() == "request" for line in caplog.records):
                await asyncio.sleep(0.02)
        size = 0
        while piece := await asyncio.to_thread(connection.recv, 2**20):
            size += len(piece)
    assert 0 < size < 40_000_000
    assert caplog.records[-1].__dict__["facts"]["error"] == "client_left"
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await serving
    runtime.close()


def test_a_stopped_server_ends_what_is_under_way(tmp_path: Path) -> None:
    (tmp_path / "slow.jsonl").write_text(json.dumps(SCRIPTS["slow"][1]))
    server = start(tmp_path / "store", "--model", f"scripted:{tmp_path}/slow.jsonl", "--grace", "0.1")
    with server.client() as client:
        stream = client.chat.completions.create(model=f"scripted:{tmp_path}/slow.jsonl", messages=ask("Go on."), stream=True)
        next(iter(stream))
        assert stop(server) == 0
    assert [run.status for run in server.runs()] == ["cancelled"]
