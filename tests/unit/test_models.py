"""What wraps any model: retries, circuit breaker, prices."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import pytest

from agentnb.adapters.scripted import ScriptedModel
from agentnb.config import load
from agentnb.errors import CassetteMiss, ConfigurationError, ProviderError, RateLimited, UnknownModel
from agentnb.models import resilience
from agentnb.models.cassette import Cassette
from agentnb.models.prices import priced
from agentnb.models.resilience import ResilientModel
from agentnb.ports.model import Emit, Message, ModelRequest, ModelResponse, Usage
from agentnb.runtime.models import Models

ASK = ModelRequest("m", (Message("user", "hi"),))


class Failing:
    """Fails so many times, after a piece of text, then answers."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.calls = 0

    async def generate(self, request: ModelRequest, emit: Emit | None = None) -> ModelResponse:
        self.calls += 1
        if emit is not None:
            emit(f"piece {self.calls}")
        if self.errors:
            raise self.errors.pop(0)
        return ModelResponse("answer")


def down(**facts: Any) -> ProviderError:
    return ProviderError("down", retryable=True, **facts)


async def test_retryable_failures_are_tried_again_and_their_text_withdrawn() -> None:
    model, pieces = Failing(down(), down()), []
    answer = await ResilientModel(model, "m", first_wait=0.01).generate(ASK, pieces.append)
    assert (answer.text, model.calls) == ("answer", 3)
    assert pieces == ["piece 1", None, "piece 2", None, "piece 3"]


async def test_it_gives_up_after_its_retries() -> None:
    model = Failing(*[down()] * 9)
    with pytest.raises(ProviderError, match="^down$"):
        await ResilientModel(model, "m", retries=2, first_wait=0.01).generate(ASK)
    assert model.calls == 3


async def test_what_cannot_be_helped_is_not_tried_again() -> None:
    for error in (ProviderError("wrong"), ConfigurationError("wrong"), ValueError("wrong")):
        model = Failing(error)
        with pytest.raises(type(error)):
            await ResilientModel(model, "m", first_wait=0.01).generate(ASK)
        assert model.calls == 1


async def test_it_waits_as_long_as_the_provider_asks() -> None:
    started = time.perf_counter()
    await ResilientModel(Failing(RateLimited("slow down", retryable=True, retry_after=0.3)), "m", first_wait=0.001).generate(ASK)
    assert time.perf_counter() - started >= 0.3


async def test_a_provider_that_is_down_is_left_alone_and_tried_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resilience, "OPEN_SECONDS", 1)
    model = Failing(*[down()] * resilience.OPEN_AFTER)
    resilient = ResilientModel(model, "openai:x", retries=0)
    for _ in range(resilience.OPEN_AFTER):
        with pytest.raises(ProviderError, match="^down$"):
            await resilient.generate(ASK)
    with pytest.raises(ProviderError, match="openai:x failed 5 times in a row and is left alone for 1 s; its last failure: down") as caught:
        await resilient.generate(ASK)
    assert not caught.value.retryable
    assert model.calls == resilience.OPEN_AFTER
    await asyncio.sleep(1.1)
    assert (await resilient.generate(ASK)).text == "answer"


def test_prices() -> None:
    usage = Usage(input_tokens=1_000_000, output_tokens=1_000_000)
    cost = priced("openai:gpt-4o-mini", usage).cost
    assert cost == pytest.approx(0.75)
    assert priced("openai:no-such-model", usage).cost is None
    assert priced("openai:gpt-4o-mini", Usage(1, 1, 0, 0.0)).cost == 0.0
    cheaper = priced("openai:gpt-4o-mini", Usage(1_000_000, 0, 1_000_000)).cost
    assert cheaper is not None
    assert cheaper < 0.15


def test_models_by_name() -> None:
    given = ScriptedModel(["a"])
    models = Models(load(), {"scripted:x": given})
    assert models.open("scripted:x") is given
    with pytest.raises(UnknownModel, match="write provider:model"):
        models.open("gpt")
    with pytest.raises(ConfigurationError, match="offers no embeddings"):
        models.embedder("scripted:x")


def test_settings_of_a_provider_reach_it(tmp_path: Any) -> None:
    (tmp_path / "agentnb.toml").write_text('[models.openai]\nbase_url = "http://localhost:9/v1"\nretries = 0\nnonsense = 1\n')
    with pytest.raises(ConfigurationError, match="no setting 'nonsense'"):
        Models(load(tmp_path)).open("openai:x")


async def test_the_newest_recording_counts_and_a_miss_says_why(tmp_path: Any) -> None:
    file = tmp_path / "c.jsonl"

    def line(recording: str, text: str) -> str:
        data = {"key": ASK.sha256(), "recording": recording, "request": ASK.as_dict(), "response": ModelResponse(text).as_dict()}
        return json.dumps(data) + "\n"

    file.write_text(line("one", "old") + line("two", "new 1") + line("two", "new 2"))
    cassette = Cassette(file)
    assert [cassette.answer(ASK).text for _ in range(3)] == ["new 1", "new 2", "new 2"]
    with pytest.raises(CassetteMiss, match="it is recorded, but with another conversation"):
        cassette.answer(ModelRequest("m", (Message("user", "before"), *ASK.messages)))
    with pytest.raises(ConfigurationError, match="Record one with --record"):
        Cassette(tmp_path / "none.jsonl")
