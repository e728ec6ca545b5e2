"""An agent on the OpenAI adapter over real HTTP, with all that lies between: retries, withdrawn text, policy, journal, cassette."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import agentnb as anb
from agentnb.errors import ProviderError
from tests.support.openai_server import ANSWER, OpenAIServer, Reply

KEY = "sk-test-abcdefghijklmnopqrstuvwx"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[OpenAIServer]:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    (tmp_path / "agentnb.toml").write_text("[models.openai]\nfirst_wait = 0.01\n")
    with OpenAIServer().running() as running:
        monkeypatch.setenv("OPENAI_BASE_URL", running.base_url)
        yield running


@anb.tool(effects="none")
def weather(city: str) -> str:
    """Weather of a city."""
    return f"sunny in {city}"


async def test_a_tool_call_and_its_answer(server: OpenAIServer, own_store: Path) -> None:
    result = await anb.Agent("a", model="openai:gpt-test", tools=[weather]).execute("weather?")
    assert (result.text, result.usage["tool_calls"], result.usage["cost"]) == (ANSWER, 1, None)
    assert result.usage["input_tokens"] > 0
    assert KEY.encode() not in (own_store / "journal.db").read_bytes()


async def test_faults_are_ridden_out(server: OpenAIServer) -> None:
    server.plan(Reply(status=429, headers={"retry-after": "0.05"}), Reply(status=500), Reply(body="garbage"))
    assert (await anb.Agent("a", model="openai:gpt-test").execute("hi")).text == ANSWER
    assert len(server.requests) == 4


async def test_too_many_faults_fail_the_run(server: OpenAIServer) -> None:
    server.plan(*[Reply(status=500)] * 4)
    with pytest.raises(ProviderError) as caught:
        await anb.Agent("a", model="openai:gpt-test").execute("hi")
    run = anb.current().get(caught.value.run_id)
    assert (run.status, run.reason) == ("failed", "error")
    assert KEY not in str(run.error)


async def test_a_cut_stream_is_withdrawn_and_told_anew(server: OpenAIServer) -> None:
    server.plan(Reply(cut=2))
    events = [event async for event in anb.Agent("a", model="openai:gpt-test").stream("hi")]
    kinds = [event.type for event in events]
    assert "text_reset" in kinds
    after = events[kinds.index("text_reset") + 1 :]
    assert "".join(event.text for event in after) == ANSWER


async def test_a_server_that_is_not_there_names_the_address(monkeypatch: pytest.MonkeyPatch, server: OpenAIServer) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    with pytest.raises(ProviderError, match="127.0.0.1:9"):
        await anb.Agent("a", model="openai:gpt-test").execute("hi")


async def test_a_recorded_run_needs_neither_server_nor_key(server: OpenAIServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    agent = anb.Agent("a", model="openai:gpt-test", tools=[weather])
    await agent.execute("weather?", record=tmp_path / "c.jsonl")
    monkeypatch.delenv("OPENAI_API_KEY")
    monkeypatch.delenv("OPENAI_BASE_URL")
    count = len(server.requests)
    anb.use(None)
    fresh = anb.Agent("a", model="openai:gpt-test", tools=[weather])
    assert (await fresh.execute("weather?", replay=tmp_path / "c.jsonl")).text == ANSWER
    assert len(server.requests) == count
    assert KEY not in (tmp_path / "c.jsonl").read_text()
