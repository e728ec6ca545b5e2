"""Executions, by the scripted model: every outcome that the design names, with the real journal and the real policy."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import BaseModel

import agentnb as anb
from agentnb.adapters.scripted import ScriptedModel
from agentnb.agents.execution import Answer, Approval
from agentnb.config import load
from agentnb.errors import (
    ConfigurationError,
    ExecutionCancelled,
    ExecutionTimeout,
    IllegalTransition,
    OutputInvalid,
    PolicyDenied,
    ProviderError,
    RunNotFound,
    StepLimitExceeded,
    UnknownModel,
    UnknownName,
)
from agentnb.runtime import agent_runs
from agentnb.runtime.journal import Diverged


def call(name: str, **arguments: Any) -> dict[str, Any]:
    return {"tool_calls": [{"name": name, "arguments": arguments}]}


def calls(*pairs: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    return {"tool_calls": [{"name": name, "arguments": arguments} for name, arguments in pairs]}


@anb.tool(effects="none")
def lookup(city: str) -> str:
    """Weather of a city."""
    return f"sunny in {city}"


@anb.tool
def broken(x: int) -> str:
    """Raise."""
    raise RuntimeError(f"no luck with {x}")


Make = Callable[..., anb.Agent]


@pytest.fixture
def make() -> Make:
    """An agent on a script."""

    def made(script: list[Any], *tools: Any, policy: dict[str, Any] | None = None, **settings: Any) -> anb.Agent:
        model = ScriptedModel(script)
        runtime = anb.Runtime(load(policy=policy), models={"scripted:test": model})
        anb.use(runtime)
        agent = anb.Agent("helper", model="scripted:test", tools=tools, **settings)
        agent.script = model  # type: ignore[attr-defined]
        return agent

    return made


def types(agent: anb.Agent, run_id: str) -> list[str]:
    return [event.type for event in agent.runtime.events(run_id)]


async def test_a_plain_answer(make: Make) -> None:
    agent = make(["Hello there."], instructions="Be kind.")
    result = await agent.execute("Hi")
    assert (result.output, result.text, result.status, str(result)) == ("Hello there.", "Hello there.", "completed", "Hello there.")
    assert result.agent_id == agent.agent_id
    assert result.execution_time_ms > 0
    assert [message.role for message in agent.script.requests[0].messages] == ["system", "user"]  # type: ignore[attr-defined]
    assert types(agent, result.execution_id) == ["agent.executing", "agent.model_called", "agent.executed"]
    run = agent.runtime.get(result.execution_id)
    assert (run.status, run.owner, run.output["text"], run.usage["model_calls"]) == ("completed", "", "Hello there.", 1)


async def test_events_have_the_fields_of_the_design(make: Make) -> None:
    agent = make([call("lookup", city="Rome"), "Sunny."], lookup)
    result = await agent.execute("weather?", session="s")
    wanted = {
        "event_type",
        "timestamp",
        "agent_id",
        "execution_id",
        "user_id",
        "session_id",
        "input_data",
        "output_data",
        "execution_time_ms",
        "status",
        "metadata",
    }
    for event in agent.runtime.events():
        assert event.data.keys() == wanted
        assert event.data["event_type"] == event.type
        assert event.data["metadata"].keys() >= {"workflow_id", "step_id"}
        assert event.topic == "agent.events"
    executed = agent.runtime.events(result.execution_id)[-1].data
    assert (executed["status"], executed["session_id"], executed["output_data"]) == ("completed", "s", "Sunny.")


async def test_lifecycle_is_in_the_journal(make: Make) -> None:
    agent = make(["a", "b"])
    assert agent.state == "CREATED"
    await agent.execute("x")
    await agent.execute("x")
    lifecycle = [event.type for event in agent.runtime.events() if not event.run_id]
    assert lifecycle == ["agent.created", "agent.initializing", "agent.validating", "agent.validated", "agent.ready"]
    assert agent.state == "READY"
    agent.terminate()
    assert agent.state == "TERMINATED"
    with pytest.raises(IllegalTransition, match="TERMINATED and can't execute"):
        await agent.execute("x")
    with pytest.raises(IllegalTransition, match="can't become TERMINATED"):
        agent.terminate()


async def test_an_agent_that_lacks_something_is_failed_and_can_be_mended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    agent = anb.Agent("a", model="openai:gpt-x")
    with pytest.raises(ConfigurationError, match="OPENAI_API_KEY"):
        await agent.execute("x")
    assert [record.state for record in agent.runtime.agents.all()] == ["FAILED"]
    monkeypatch.setenv("OPENAI_API_KEY", "test-key-123456")
    assert agent.initialize().state == "READY"


async def test_tools_and_their_trace(make: Make) -> None:
    agent = make([call("lookup", city="Rome"), "Sunny in Rome."], lookup)
    result = await agent.execute("weather?")
    assert [(step.id, step.kind, step.name, step.status) for step in result.trace] == [
        ("m1", "model", "scripted:test", "completed"),
        ("m1.t1", "tool", "lookup", "completed"),
        ("m2", "model", "scripted:test", "completed"),
    ]
    assert (result.trace[1].input, result.trace[1].output) == ({"city": "Rome"}, "sunny in Rome")
    last = agent.script.requests[1].messages[-1]  # type: ignore[attr-defined]
    assert (last.role, last.content) == ("tool", "sunny in Rome")
    again = agent.runtime.result(result.execution_id)
    assert [step.id for step in again.trace] == ["m1", "m1.t1", "m2"]
    assert again.text == "Sunny in Rome."


async def test_parallel_tool_calls_run_in_parallel(make: Make) -> None:
    together = threading.Barrier(3, timeout=5)

    @anb.tool
    def meet(name: str) -> str:
        together.wait()
        return name

    agent = make([calls(("meet", {"name": "a"}), ("meet", {"name": "b"}), ("meet", {"name": "c"})), "done"], meet)
    result = await agent.execute("go")
    assert [message.content for message in agent.script.requests[1].messages[-3:]] == ["a", "b", "c"]  # type: ignore[attr-defined]
    assert result.usage["tool_calls"] == 3


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        (call("broken", x=3), "Error: broken raised RuntimeError: no luck with 3"),
        (call("broken", x="many"), "Error: bad arguments for broken: x: Input should be a valid integer"),
        (call("broken"), "Error: bad arguments for broken: x: Field required"),
        (call("nothing"), "Error: there is no tool 'nothing'; there are: broken, lookup"),
        ({"tool_calls": [{"name": "lookup", "arguments": "{oops"}]}, "Error: the arguments of lookup are not JSON"),
    ],
)
async def test_a_failed_tool_call_is_told_to_the_model(make: Make, wanted: dict[str, Any], told: str) -> None:
    agent = make([wanted, "I could not."], broken, lookup)
    result = await agent.execute("go")
    assert result.text == "I could not."
    assert agent.script.requests[1].messages[-1].content.startswith(told)  # type: ignore[attr-defined]
    assert result.trace[1].status == "failed"


async def test_an_endless_loop_ends(make: Make) -> None:
    agent = make([call("lookup", city=str(number)) for number in range(9)], lookup, max_steps=3)
    with pytest.raises(StepLimitExceeded, match="after 3 model calls") as caught:
        await agent.execute("go")
    run = agent.runtime.get(caught.value.run_id)
    assert (run.status, run.reason, run.error and run.error["type"]) == ("failed", "error", "StepLimitExceeded")


async def test_a_time_out(make: Make) -> None:
    agent = make([{"text": "late", "delay": 5}], timeout=0.1)
    with pytest.raises(ExecutionTimeout, match=r"'helper' timed out after 0.1 s") as caught:
        await agent.execute("go")
    run = agent.runtime.get(caught.value.run_id)
    assert (run.status, run.reason) == ("failed", "timed_out")
    assert types(agent, run.id)[-1] == "agent.failed"


async def test_cancelling_the_task(make: Make) -> None:
    agent = make([{"text": "late", "delay": 5}, "again"])
    task = asyncio.ensure_future(agent.execute("go"))
    await asyncio.sleep(0.1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    run = agent.runtime.runs()[0]
    assert (run.status, run.reason, run.owner) == ("cancelled", "cancelled", "")
    assert (await agent.execute("go")).text == "again"


async def test_cancelling_by_the_run(make: Make) -> None:
    agent = make([{"text": "late", "delay": 5}])
    task = asyncio.ensure_future(agent.execute("go"))
    await asyncio.sleep(0.1)
    agent.runtime.cancel(agent.runtime.runs()[0].id)
    with pytest.raises(ExecutionCancelled):
        await task
    assert agent.runtime.runs()[0].status == "cancelled"
    with pytest.raises(IllegalTransition, match="cancelled already"):
        agent.runtime.cancel(agent.runtime.runs()[0].id)


async def test_cancelling_reaches_a_tool_thread(make: Make) -> None:
    stopped = threading.Event()

    @anb.tool
    def slow(*, context: anb.Context[None]) -> str:
        for _ in range(500):
            if context.cancelled:
                stopped.set()
                return "stopped"
            time.sleep(0.01)
        return "late"

    agent = make([call("slow")], slow)
    task = asyncio.ensure_future(agent.execute("go"))
    await asyncio.sleep(0.1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert stopped.wait(2)


async def test_a_provider_failure(make: Make) -> None:
    agent = make([{"error": "it is down"}])
    with pytest.raises(ProviderError, match="it is down") as caught:
        await agent.execute("go")
    assert agent.runtime.get(caught.value.run_id).reason == "error"


class City(BaseModel):
    name: str
    people: int


async def test_structured_output(make: Make) -> None:
    agent = make(['{"name": "Rome", "people": 3}'], output=City)
    result = await agent.execute("go")
    assert result.output == City(name="Rome", people=3)
    assert agent.script.requests[0].output_schema["title"] == "City"  # type: ignore[attr-defined]
    assert agent.runtime.result(result.execution_id).output == {"name": "Rome", "people": 3}


async def test_structured_output_is_repaired(make: Make) -> None:
    agent = make(["no JSON", '{"name": "Rome"}', '{"name": "Rome", "people": 3}'], output=City)
    assert (await agent.execute("go")).output.people == 3
    assert "people: Field required" in agent.script.requests[2].messages[-1].content  # type: ignore[attr-defined]


async def test_structured_output_that_stays_wrong(make: Make) -> None:
    agent = make(["no JSON"] * 5, output=City)
    with pytest.raises(OutputInvalid, match="after 3 attempts.*use a stronger model"):
        await agent.execute("go")


async def test_sessions_go_on_and_turns_are_replaced(make: Make) -> None:
    agent = make(["one", "two", "new one", "three"])

    def texts() -> list[str]:
        return [message.content for message in agent.script.requests[-1].messages]  # type: ignore[attr-defined]

    await agent.execute("1", session="s", turn="c1")
    await agent.execute("2", session="s", turn="c2")
    assert texts() == ["1", "one", "2"]
    await agent.execute("1 again", session="s", turn="c1")
    assert texts() == ["1 again"]
    await agent.execute("3", session="s", turn="c3")
    assert texts() == ["1 again", "new one", "2", "two", "3"]


async def test_a_failed_turn_leaves_the_conversation_alone(make: Make) -> None:
    agent = make(["one", {"error": "down"}, "three"])
    await agent.execute("1", session="s")
    with pytest.raises(ProviderError):
        await agent.execute("2", session="s")
    await agent.execute("3", session="s")
    assert [message.content for message in agent.script.requests[-1].messages] == ["1", "one", "3"]  # type: ignore[attr-defined]


async def test_policy_at_the_input(make: Make) -> None:
    agent = make(["never"], policy={"max_input_size": 10})
    with pytest.raises(PolicyDenied, match="policy.max_input_size") as caught:
        await agent.execute("x" * 11)
    assert agent.script.requests == []  # type: ignore[attr-defined]
    run = agent.runtime.get(caught.value.run_id)
    assert (run.status, run.reason) == ("failed", "policy")
    assert types(agent, run.id) == ["agent.executing", "agent.policy_denied", "agent.failed"]
    with pytest.raises(PolicyDenied, match="empty"):
        await agent.execute("  ")


async def test_a_ten_megabyte_prompt_is_refused(make: Make) -> None:
    with pytest.raises(PolicyDenied, match="11,000,000 bytes"):
        await make(["never"]).execute("x" * 11_000_000)


async def test_policy_at_the_tool_call(make: Make) -> None:
    agent = make([call("lookup", city="x")], lookup, policy={"denied_tools": ["lookup"]})
    with pytest.raises(PolicyDenied, match="denied_tools"):
        await agent.execute("go")


async def test_policy_at_the_result_and_the_output(make: Make) -> None:
    @anb.tool
    def flood() -> str:
        return "x" * 2000

    agent = make([call("flood"), "ok", "y" * 2000], flood, policy={"max_output_size": 1000})
    await agent.execute("go")
    assert "withheld by policy (too_large)" in agent.script.requests[1].messages[-1].content  # type: ignore[attr-defined]
    with pytest.raises(PolicyDenied, match="output"):
        await agent.execute("go", session="s")
    assert agent.runtime.store.turns("s") == []


class Person:
    """Answers approvals like somebody in front of the screen."""

    def __init__(self, runtime: anb.Runtime, *answers: Answer) -> None:
        self.runtime = runtime
        self.answers = list(answers)
        self.asked: list[Approval] = []

    def present(self, approval: Approval, seconds: float) -> None:
        self.asked.append(approval)
        if self.answers:
            answer = self.answers.pop(0)
            threading.Timer(0.05, lambda: self.runtime.answer(approval.run_id, approval.step_id, answer)).start()


def sending(sent: list[str]) -> anb.Tool:
    @anb.tool(approval=True)
    def send(to: str) -> str:
        """Send mail."""
        sent.append(to)
        return f"sent to {to}"

    return send


async def test_an_approval(make: Make) -> None:
    sent: list[str] = []
    agent = make([call("send", to="ann"), "Sent."], sending(sent))
    person = Person(agent.runtime, Answer("approve", by="me"))
    result = await agent.execute("go", presenter=person)
    assert sent == ["ann"]
    assert [(step.id, step.kind, step.status) for step in result.trace] == [
        ("m1", "model", "completed"),
        ("m1.t1.a", "approval", "completed"),
        ("m1.t1", "tool", "completed"),
        ("m2", "model", "completed"),
    ]
    assert (person.asked[0].tool, person.asked[0].arguments, person.asked[0].effects) == ("send", {"to": "ann"}, "write")
    assert "agent.approval_requested" in types(agent, result.execution_id)


async def test_an_edited_approval(make: Make) -> None:
    sent: list[str] = []
    agent = make([call("send", to="ann"), "Sent."], sending(sent))
    await agent.execute("go", presenter=Person(agent.runtime, Answer("approve", {"to": "bob"})))
    assert sent == ["bob"]


async def test_a_wrongly_edited_approval(make: Make) -> None:
    sent: list[str] = []
    agent = make([call("send", to="ann"), "Hm."], sending(sent))
    await agent.execute("go", presenter=Person(agent.runtime, Answer("approve", {"too": "bob"})))
    assert sent == []
    assert "to: Field required" in agent.script.requests[1].messages[-1].content  # type: ignore[attr-defined]


async def test_a_denial_is_told_to_the_model(make: Make) -> None:
    sent: list[str] = []
    agent = make([call("send", to="ann"), "I was not allowed to."], sending(sent))
    result = await agent.execute("go", presenter=Person(agent.runtime, Answer("deny", by="ann", note="not now")))
    assert sent == []
    assert agent.script.requests[1].messages[-1].content == "Error: ann denied the call of send: not now"  # type: ignore[attr-defined]
    assert result.text == "I was not allowed to."


async def test_nobody_there_denies_by_default(make: Make) -> None:
    sent: list[str] = []
    agent = make([call("send", to="ann"), "never"], sending(sent))
    with pytest.raises(PolicyDenied, match="policy.without_user") as caught:
        await agent.execute("go")
    assert sent == []
    assert agent.runtime.get(caught.value.run_id).reason == "policy"


async def test_nobody_there_may_be_configured_to_approve(make: Make) -> None:
    sent: list[str] = []
    agent = make([call("send", to="ann"), "Sent."], sending(sent), policy={"without_user": "approve"})
    await agent.execute("go")
    assert sent == ["ann"]


async def test_nobody_there_may_wait_until_a_deadline(make: Make) -> None:
    sent: list[str] = []
    agent = make([call("send", to="ann"), "Nobody came."], sending(sent), policy={"without_user": "wait", "approval_timeout": 0.2})
    await agent.execute("go")
    assert sent == []
    assert "nobody answered within 0.2 s" in agent.script.requests[1].messages[-1].content  # type: ignore[attr-defined]


async def test_waiting_for_a_person_does_not_use_up_the_time(make: Make) -> None:
    sent: list[str] = []
    agent = make([call("send", to="ann"), "Sent."], sending(sent), timeout=0.5, policy={"without_user": "wait"})
    task = asyncio.ensure_future(agent.execute("go"))
    await asyncio.sleep(1)
    run = agent.runtime.runs()[0]
    assert run.status == "waiting"
    assert [event.step_id for event in agent.runtime.pending(run.id)] == ["m1.t1.a"]
    agent.runtime.answer(run.id, "m1.t1.a", Answer("approve"))
    assert (await task).text == "Sent."
    with pytest.raises(ConfigurationError, match="waits for no approval"):
        agent.runtime.answer(run.id, "m1.t1.a", Answer("approve"))


async def test_two_approvals_at_once(make: Make) -> None:
    sent: list[str] = []
    agent = make([calls(("send", {"to": "a"}), ("send", {"to": "b"})), "done"], sending(sent))
    await agent.execute("go", presenter=Person(agent.runtime, Answer("approve"), Answer("deny")))
    assert len(sent) == 1


async def test_record_and_replay(make: Make, tmp_path: Any) -> None:
    file = tmp_path / "c.jsonl"
    key = "sk-abcdefghijklmnopqrstuv"
    agent = make([call("lookup", city="Rome"), "Sunny."], lookup)
    first = await agent.execute(f"weather? {key}", record=file)
    assert key not in file.read_text()
    assert len(file.read_text().splitlines()) == 2
    fresh = anb.Agent("helper", model="scripted:test", tools=[lookup])
    agent.script.requests.clear()  # type: ignore[attr-defined]
    again = await fresh.execute(f"weather? {key}", replay=file)
    assert again.text == first.text
    with pytest.raises(anb_error("CassetteMiss"), match="record it again with --record"):
        await fresh.execute("something else", replay=file)
    assert agent.script.requests == []  # type: ignore[attr-defined]


def anb_error(name: str) -> type[Exception]:
    from agentnb import errors

    return getattr(errors, name)  # type: ignore[no-any-return]


@pytest.mark.parametrize("text", ["{", '{"key": "x"}', "[]"])
async def test_a_broken_cassette_names_the_line(make: Make, tmp_path: Any, text: str) -> None:
    (tmp_path / "c.jsonl").write_text(f"\n{text}\n")
    with pytest.raises(ConfigurationError, match=r"c.jsonl:2"):
        await make([]).execute("x", replay=tmp_path / "c.jsonl")


async def test_replaying_a_run_calls_nothing(make: Make) -> None:
    count: list[str] = []

    @anb.tool
    def effect(x: str) -> str:
        count.append(x)
        return x

    agent = make([call("effect", x="1"), "done"], effect)
    first = await agent.execute("go")
    again = await agent_runs.replay(agent.runtime, first.execution_id)
    assert (again.text, again.usage["replayed"], count) == ("done", 3, ["1"])
    assert agent.runtime.get(again.execution_id).parent == first.execution_id


async def test_a_replay_that_diverges(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    agent = make([call("lookup", city="Rome"), "old", "new"], lookup)
    first = await agent.execute("go")
    record = agent.runtime.store.run(first.execution_id)
    from dataclasses import replace

    changed = replace(agent.spec, instructions="changed").definition()
    agent.runtime.store.write(changed)
    monkeypatch.setattr(agent.runtime.store, "run", lambda _: replace(record, definition=changed.hash))
    with pytest.raises(Diverged, match=f"replay of {first.execution_id} diverges at step m1.*--live"):
        await agent_runs.replay(agent.runtime, first.execution_id)
    live = await agent_runs.replay(agent.runtime, first.execution_id, live=True)
    assert live.text == "new"


async def test_streaming(make: Make) -> None:
    agent = make([call("lookup", city="Rome"), "It is sunny in Rome."], lookup)
    events = [event async for event in agent.stream("go")]
    assert "".join(event.text for event in events) == "It is sunny in Rome."
    assert [event.type for event in events][-1] == "result"
    assert events[-1].result is not None
    assert ("m1.t1", "running") in [(event.step.id, event.step.status) for event in events if event.step]


async def test_a_stream_that_is_left_is_cancelled(make: Make) -> None:
    agent = make([{"text": "a b c d", "chunk_delay": 0.2}])
    stream = agent.stream("go")
    async for event in stream:
        if event.type == "text":
            break
    await stream.aclose()  # type: ignore[attr-defined]
    assert agent.runtime.runs()[0].status == "cancelled"


def test_synchronous_execution(make: Make) -> None:
    assert make(["yes"]).execute_sync("go").text == "yes"


async def test_synchronous_execution_under_a_running_loop(make: Make) -> None:
    assert make(["yes"]).execute_sync("go").text == "yes"


async def test_tools_get_a_typed_context(make: Make) -> None:
    seen = []

    @anb.tool
    def who(*, context: anb.Context[dict[str, int]]) -> str:
        seen.append(context)
        return "ok"

    agent = make([call("who"), "done"], who, deps={"answer": 42})
    result = await agent.execute("go", session="s")
    assert (seen[0].deps["answer"], seen[0].run_id, seen[0].step_id, seen[0].session) == (42, result.execution_id, "m1.t1", "s")
    assert seen[0].idempotency_key == f"{result.execution_id}:m1.t1"


async def test_agents_are_found_and_deleted(make: Make) -> None:
    agent = make([], capabilities=["TEXT_PROCESSING"])
    first = agent.agent_id
    agents = agent.runtime.agents
    assert agents.all("TEXT_PROCESSING")[0].id == agents.find("helper").id == agents.find(first).id
    assert agents.all("API_INTEGRATION") == []
    agents.delete("helper")
    with pytest.raises(UnknownName, match="agents list"):
        agents.find("helper")
    with pytest.raises(IllegalTransition, match="was deleted: define it again"):
        await agent.execute("x")
    assert agent.runtime.events()[-1].type == "agent.deleted"


async def test_two_agents_of_one_name(make: Make) -> None:
    agent = make(["a"])
    same = anb.Agent("helper", model="scripted:test")
    assert same.agent_id == agent.agent_id
    newer = anb.Agent("helper", model="scripted:test", instructions="other")
    assert newer.agent_id != agent.agent_id
    assert [record.id for record in agent.runtime.agents.all()] == [newer.agent_id]
    elsewhere = anb.Agent("helper", model="scripted:test", origin="other.ipynb")
    assert elsewhere.agent_id
    assert anb.Agent.load("helper").agent_id == elsewhere.agent_id
    assert [record.id for record in agent.runtime.agents.called("helper")] == [elsewhere.agent_id, newer.agent_id]
    assert anb.Agent.load(newer.agent_id).spec.instructions == "other"
    same_elsewhere = anb.Agent("helper", model="scripted:test", instructions="other", origin="other.ipynb")
    assert same_elsewhere.agent_id != newer.agent_id
    assert anb.Agent.load("helper").agent_id == same_elsewhere.agent_id
    assert (await agent.execute("the older one still works")).text == "a"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": " "}, "needs a name"),
        ({"name": "a", "max_steps": 0}, "max_steps"),
        ({"name": "a", "timeout": "long"}, "timeout"),
        ({"name": "a", "max_tokens": -1}, "max_tokens must be a whole number above 0"),
        ({"name": "a", "temperature": float("nan")}, "temperature must be a number from 0 on, not nan"),
        ({"name": "a", "heat": 3}, "'heat'.*temperature"),
        ({"name": "a", "tools": [lookup, lookup]}, "two tools are called 'lookup'"),
        ({"name": "a", "capabilities": ["x"]}, "capability 'x'"),
    ],
)
def test_wrong_arguments(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        anb.Agent(**arguments)


@pytest.mark.parametrize("model", ["nonsense", "nope:x", "scripted:/no/such/file.jsonl"])
async def test_unknown_models(model: str) -> None:
    with pytest.raises((UnknownModel, ConfigurationError), match=model.partition(":")[2] or "provider:model"):
        await anb.Agent("a", model=model).execute("x")


def test_unknown_runs() -> None:
    with pytest.raises(RunNotFound, match="agentnb runs list"):
        anb.current().get("exec_nope")
