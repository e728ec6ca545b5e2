"""The local model: real generation on real weights."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
from enum import Enum
from typing import Literal

import pytest
from pydantic import BaseModel, Field

from agentnb.adapters.openvino import OpenVINOModel, OpenVINOProvider
from agentnb.adapters.openvino.calls import Grammar
from agentnb.adapters.openvino.trial import Trial
from agentnb.errors import ConfigurationError, ContextOverflow, ProviderError
from agentnb.ports.model import Message, ModelRequest, ModelResponse, ToolSpec

pytestmark = pytest.mark.model


def text_schema(name: str, kind: str = "string") -> dict[str, object]:
    return {"type": "object", "properties": {name: {"type": kind}}, "required": [name]}


LOOKUP = ToolSpec("lookup", "Look up the current weather of a city.", text_schema("city"))
WORD_COUNT = ToolSpec("word_count", "Count the words of a text.", text_schema("text"))
ADD = ToolSpec(
    "add",
    "Add two numbers.",
    {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}}, "required": ["a", "b"]},
)


@pytest.fixture
def model(local_model: str) -> OpenVINOModel:
    return OpenVINOProvider().model(local_model.partition(":")[2])


def request(text: str, **parts: object) -> ModelRequest:
    return ModelRequest("openvino:smollm2-135m", (Message("user", text),), **parts)  # type: ignore[arg-type]


async def test_pieces_make_up_the_text(model: OpenVINOModel) -> None:
    pieces: list[str | None] = []
    response = await model.generate(request("Tell me about the sea.", options={"max_tokens": 60}), pieces.append)
    assert "".join(piece or "" for piece in pieces) == response.text
    assert len(pieces) > 20
    assert response.finish_reason == "length"
    assert response.usage.output_tokens == 60
    assert response.usage.input_tokens > 10
    assert response.usage.cost == 0.0


async def test_answers_repeat_without_temperature(model: OpenVINOModel) -> None:
    texts = {(await model.generate(request("Name a fruit.", options={"max_tokens": 12}))).text for _ in range(3)}
    assert len(texts) == 1


async def test_a_seed_repeats_what_is_drawn(model: OpenVINOModel) -> None:
    async def draw(seed: int) -> str:
        return (await model.generate(request("Say a word.", options={"max_tokens": 12, "temperature": 1.5, "seed": seed}))).text

    await draw(1)  # from now on the prompt is in the prefix cache; computing it in bf16 rounds otherwise than reading it
    assert await draw(1) == await draw(1)
    assert len({await draw(seed) for seed in range(4)}) > 1


async def test_characters_of_several_bytes_stay_whole(model: OpenVINOModel) -> None:
    pieces: list[str] = []
    prompt = "Repeat exactly: Zürich — 東京 😀 naïve café"
    response = await model.generate(request(prompt, options={"max_tokens": 80}), lambda piece: pieces.append(piece or ""))
    assert "東京" in response.text
    assert "".join(pieces) == response.text
    assert not any("\ufffd" in piece for piece in pieces)


async def test_a_stop_string_ends_the_text_before_it(model: OpenVINOModel) -> None:
    whole = (await model.generate(request("Tell me about the sea.", options={"max_tokens": 40}))).text
    stop = whole[20:26]
    pieces: list[str] = []
    cut = await model.generate(
        request("Tell me about the sea.", options={"max_tokens": 40, "stop": stop}), lambda piece: pieces.append(piece or "")
    )
    assert cut.text == whole[: whole.index(stop)]
    assert "".join(pieces) == cut.text
    assert cut.finish_reason == "stop"


async def test_cancelling_frees_the_pipeline(model: OpenVINOModel) -> None:
    started = asyncio.Event()
    task = asyncio.create_task(model.generate(request("Write a long story.", options={"max_tokens": 4000}), lambda piece: started.set()))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    for _ in range(100):
        if model.active == 0:
            break
        await asyncio.sleep(0.05)
    assert model.active == 0
    assert (await model.generate(request("Hi", options={"max_tokens": 3}))).text


async def test_many_at_once_answer_as_they_would_alone(model: OpenVINOModel) -> None:
    prompts = [f"Count from {n} upwards." for n in range(8)]
    responses = await asyncio.gather(*(model.generate(request(prompt, options={"max_tokens": 24})) for prompt in prompts))
    assert all(response.text for response in responses)
    assert len({response.text for response in responses}) > 1


def test_several_event_loops_share_the_model(model: OpenVINOModel) -> None:
    answers: list[str] = []

    def work() -> None:
        answers.append(asyncio.run(model.generate(request("Name a colour.", options={"max_tokens": 8}))).text)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 3
    assert all(answers)


class Mood(Enum):
    GOOD = "good"
    BAD = 'not "good"'


class Address(BaseModel):
    street: str = Field(max_length=30)
    number: int = Field(ge=1, le=400)


class Person(BaseModel):
    name: str
    age: int = Field(ge=0, le=120)
    score: float = Field(ge=0, le=1)
    tags: list[str] = Field(min_length=1, max_length=3)
    mood: Mood
    kind: Literal["person", "Änderung"]
    married: bool
    nickname: str | None
    addresses: list[Address] = []
    address: Address | None = None


class Branch(BaseModel):
    label: str = Field(max_length=12)
    children: list[Branch] = []


@pytest.mark.parametrize("kind", [Person, Address, Branch])
async def test_answers_fit_their_schema(model: OpenVINOModel, kind: type[BaseModel]) -> None:
    prompts = ["Anna, 31, is a painter in Berlin.", "Fill in the form.", "x", "Schreibe etwas über Züge.", "\n\n\n"]
    requests = [request(prompt, output_schema=kind.model_json_schema()) for prompt in prompts]
    for response in await asyncio.gather(*map(model.generate, requests)):
        assert response.finish_reason == "stop"
        kind.model_validate_json(response.text)


async def test_drawn_answers_fit_their_schema(model: OpenVINOModel) -> None:
    options = [{"temperature": 1.5, "seed": seed} for seed in range(6)]
    requests = [request("Invent a person.", output_schema=Person.model_json_schema(), options=one) for one in options]
    for response in await asyncio.gather(*map(model.generate, requests)):
        Person.model_validate_json(response.text)


@pytest.mark.parametrize(
    ("prompt", "name", "arguments"),
    [
        ("What is the weather in Paris?", "lookup", {"city": "Paris"}),
        ("Is it raining in Berlin?", "lookup", {"city": "Berlin"}),
        ("Count the words of this text: to be or not to be", "word_count", {"text": "to be or not to be"}),
        ("Add 17 and 25.", "add", {"a": 17, "b": 25}),
        ("What's 5 + 7?", "add", {"a": 5, "b": 7}),
    ],
)
async def test_a_request_for_a_tool_calls_it(model: OpenVINOModel, prompt: str, name: str, arguments: dict[str, object]) -> None:
    pieces: list[str | None] = []
    response = await model.generate(request(prompt, tools=(LOOKUP, WORD_COUNT, ADD)), pieces.append)
    assert [(call.name, json.loads(call.arguments)) for call in response.tool_calls] == [(name, arguments)]
    assert response.finish_reason == "tool_calls"
    assert pieces == []


@pytest.mark.parametrize("prompt", ["Hello!", "Tell me a joke.", "Who wrote Romeo and Juliet?", "Write a short poem about the sea."])
async def test_talk_calls_no_tool(model: OpenVINOModel, prompt: str) -> None:
    response = await model.generate(request(prompt, tools=(LOOKUP, ADD), options={"max_tokens": 8}))
    assert response.tool_calls == ()
    assert response.text


async def test_the_same_question_many_times_at_once(model: OpenVINOModel) -> None:
    asked = request("What is the weather in Madrid?", tools=(LOOKUP,))
    responses = await asyncio.gather(*(model.generate(asked) for _ in range(6)))
    again = await OpenVINOProvider().model("smollm2-135m").generate(asked)
    assert {response.tool_calls[0].arguments for response in [*responses, again]} == {'{"city": "Madrid"}'}


async def test_after_the_tool_the_model_answers(model: OpenVINOModel) -> None:
    question = Message("user", "What is the weather in Paris?")
    called = await model.generate(ModelRequest("x", (question,), (LOOKUP,)))
    call = called.tool_calls[0]
    messages = (question, Message("assistant", "", (call,)), Message("tool", "18 degrees and sunny", tool_call_id=call.id))
    response = await model.generate(ModelRequest("x", messages, (LOOKUP,)))
    assert response.tool_calls == ()
    assert "18 degrees" in response.text


@pytest.mark.parametrize("words", [9_000, 2_500_000])
async def test_a_prompt_beyond_the_context(model: OpenVINOModel, words: int) -> None:
    with pytest.raises(ContextOverflow, match=r"has (about|at least) \d+ tokens and the model reads 8192: shorten"):
        await model.generate(request("word " * words))
    assert (await model.generate(request("Hi", options={"max_tokens": 3}))).text


@pytest.mark.parametrize("options", [{"temperature": -1}, {"max_tokens": 0}, {"top_p": "much"}, {"tempersture": 1}])
async def test_wrong_options_are_named(model: OpenVINOModel, options: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(options))):
        await model.generate(request("Hi", options=options))


async def test_a_failing_step_fails_its_calls_and_the_next_call_works(model: OpenVINOModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agentnb.adapters.openvino.provider.constraint", lambda schema, tokens: Grammar("grammar", "root ::= nowhere"))
    monkeypatch.setattr("agentnb.adapters.openvino.trial.Trial.check", lambda trial, grammar: None)
    with pytest.raises(ProviderError, match="OpenVINO failed: .*nowhere"):
        await model.generate(request("Hi", output_schema={"type": "object"}))
    assert (await model.generate(request("Hi", options={"max_tokens": 3}))).text


async def test_others_never_notice_a_grammar_that_cant_be_made(model: OpenVINOModel, monkeypatch: pytest.MonkeyPatch) -> None:
    pieces: list[str | None] = []
    other = asyncio.create_task(model.generate(request("Write a story.", options={"max_tokens": 60}), pieces.append))
    while len(pieces) < 3:
        await asyncio.sleep(0.001)
    schema = {"type": "object", "properties": {"a": {"type": "string", "pattern": "^(?=a)b$"}}, "required": ["a"]}
    with pytest.raises(ConfigurationError, match="can't be held to"):
        await model.generate(request("Hi", output_schema=schema))
    monkeypatch.setattr("agentnb.adapters.openvino.provider.constraint", lambda schema, tokens: Grammar("grammar", "root ::= nowhere"))
    with pytest.raises(ProviderError, match="refused the grammar: .*nowhere"):
        await model.generate(request("Hi", output_schema={"type": "object"}))
    assert not other.done()
    story = await other
    assert (story.usage.output_tokens, story.text) == (60, "".join(piece or "" for piece in pieces))


async def test_a_grammar_that_takes_long_keeps_nobody_else_waiting(model: OpenVINOModel, monkeypatch: pytest.MonkeyPatch) -> None:
    check, begun, release = Trial.check, threading.Event(), threading.Event()

    def slow(trial: Trial, grammar: Grammar) -> None:
        begun.set()
        release.wait(60)
        check(trial, grammar)

    monkeypatch.setattr(Trial, "check", slow)
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"], "additionalProperties": False}
    late = [asyncio.create_task(model.generate(request("Hi", output_schema=schema, options={"max_tokens": 30}))) for _ in range(3)]
    await asyncio.to_thread(begun.wait, 60)
    try:
        async with asyncio.timeout(30):
            assert (await model.generate(request("Hi", options={"max_tokens": 3}))).text
        late[0].cancel()
        assert not any(task.done() for task in late[1:])
    finally:
        release.set()
    assert [json.loads(answer.text).keys() for answer in await asyncio.gather(*late[1:])] == [{"a"}, {"a"}]
    assert late[0].cancelled()
    monkeypatch.setattr(Trial, "check", lambda trial, grammar: pytest.fail("it is known already"))
    assert json.loads((await model.generate(request("Hi", output_schema=schema, options={"max_tokens": 30}))).text).keys() == {"a"}


@pytest.mark.parametrize(
    ("part", "told"),
    [
        ({"type": "string", "pattern": "^(?=a)b$"}, "Lookahead"),
        ({"type": "integer", "minimum": 5, "maximum": 1}, "minimum greater than maximum"),
    ],
)
async def test_a_schema_that_no_grammar_is_made_of_is_named(model: OpenVINOModel, part: dict[str, object], told: str) -> None:
    schema = {"type": "object", "properties": {"a": part}, "required": ["a"]}
    with pytest.raises(ConfigurationError, match=f"^the model can't be held to this JSON Schema: [^/]*{told}.*simplify it$"):
        await model.generate(request("Hi", output_schema=schema))
    assert (await model.generate(request("Hi", options={"max_tokens": 2}))).text


def test_a_process_ends_while_the_model_writes(local_model: str) -> None:
    script = """
import threading, time, asyncio, sys
from agentnb.adapters.openvino import OpenVINOProvider
from agentnb.ports.model import Message, ModelRequest
model = OpenVINOProvider().model("smollm2-135m")
started = threading.Event()
story = ModelRequest("x", (Message("user", "Write a long story."),), options={"max_tokens": 4000})
ask = model.generate(story, lambda piece: started.set())
threading.Thread(target=lambda: asyncio.run(ask), daemon=True).start()
started.wait(60)
telemetry = [name for name in sys.modules if name.startswith("openvino_telemetry") and getattr(sys.modules[name], "__file__", None)]
print("telemetry", telemetry)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "telemetry []\n"


def test_responses_are_what_the_port_says(model: OpenVINOModel) -> None:
    response = asyncio.run(model.generate(request("Hi", options={"max_tokens": 3})))
    assert ModelResponse.from_dict(response.as_dict()) == response
