"""What reviewers broke, so that it stays mended."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

import agentnb as anb
from agentnb import secrets
from agentnb.agents.execution import Answer
from agentnb.agents.tools import ToolError
from agentnb.config import load
from agentnb.errors import ConfigurationError, IllegalTransition, PolicyDenied
from agentnb.notebook import html
from agentnb.notebook.view import NotebookView, printable
from agentnb.policy import Check, Decision, PolicyEngine, Stage
from agentnb.ports.store import Turn
from agentnb.runtime import agent_runs
from agentnb.runtime.bridge import run_sync
from agentnb.runtime.runtime import use
from agentnb.testing import MODEL, ScriptedModel, scripted_runtime
from tests.integration.test_durability import Place, call, kill, run_resume

__all__ = ["Place"]


@pytest.fixture
def place(tmp_path: Path, own_store: Path) -> Place:
    return Place(tmp_path, own_store)


def waiting(place: Place) -> str:
    (place.folder / "agentnb.toml").write_text('[policy]\nwithout_user = "wait"\napproval_timeout = 3\n')
    place.script(call("risky"))
    process = place.start()
    run_id = place.wait_for_status("waiting")
    kill(process)
    return run_id


def test_an_answer_counts_for_its_own_question_only(place: Place) -> None:
    run_id = waiting(place)
    runtime = anb.current()
    with pytest.raises(ConfigurationError, match="answered with Runtime.answer"):
        runtime.signal(run_id, "answer:m1.t1.a", {"verdict": "approve"})
    runtime.answer(run_id, "m1.t1.a", Answer("approve"))
    with pytest.raises(ConfigurationError, match="was answered already"):
        runtime.answer(run_id, "m1.t1.a", Answer("deny"))
    runtime.store._open().execute("UPDATE signals SET payload = json_set(payload, '$.input_hash', 'another')")  # type: ignore[attr-defined]
    place.script({"text": "nobody approved"})
    result = run_resume(run_id)
    assert "nobody answered" in result.trace[-2].error
    assert not (place.folder / "log.txt").exists()


def test_an_answer_reaches_a_run_that_is_resumed_in_a_busy_process(place: Place) -> None:
    run_id = waiting(place)
    with scripted_runtime(["warm"]):
        anb.Agent("other").execute_sync("x")
    runtime = anb.current()
    runtime.answer(run_id, "m1.t1.a", Answer("approve"))
    place.script({"text": "end"})
    started = time.perf_counter()
    assert run_resume(run_id).text == "end"
    assert time.perf_counter() - started < 2
    assert place.log == "risky 1\n"


def test_resuming_where_nobody_can_answer_leaves_the_run_waiting(place: Place) -> None:
    run_id = waiting(place)
    (place.folder / "agentnb.toml").unlink()
    anb.use(None)
    place.script({"text": "end"})
    with pytest.raises(PolicyDenied, match="nobody is here"):
        run_resume(run_id)
    runtime = anb.current()
    assert runtime.get(run_id).status == "waiting"
    [asked] = runtime.pending(run_id)
    runtime.answer(run_id, asked.step_id, Answer("approve"))
    assert run_resume(run_id).text == "end"


def test_a_resumed_run_sees_the_conversation_as_it_was(place: Place) -> None:
    place.script(call("effect"), {"text": "slow", "delay": 60})
    process = place.start()
    place.wait_for("effect 1")
    run_id = place.wait_for_status("running")
    place.wait_for_tool_result(run_id)
    kill(process)
    messages = [{"role": "user", "content": "meanwhile"}, {"role": "assistant", "content": "yes"}]
    anb.current().store.write(Turn("talk", "another", "exec_x", messages))
    place.script({"text": "end"})
    assert run_resume(run_id).text == "end"
    assert place.log == "effect 1\n"


def test_a_denied_tool_is_not_run_on_resume(place: Place) -> None:
    (place.folder / "hang").touch()
    place.script(call("effect"))
    process = place.start()
    place.wait_for("effect 1")
    kill(process)
    (place.folder / "hang").unlink()
    (place.folder / "agentnb.toml").write_text('[policy]\ndenied_tools = ["effect"]\n')
    anb.use(None)
    with pytest.raises(PolicyDenied, match="denied_tools"):
        run_resume(anb.current().runs()[0].id)
    assert place.log == "effect 1\n"


def test_a_live_replay_asks_again() -> None:
    sent: list[str] = []

    @anb.tool(approval=True)
    def send(to: str) -> str:
        """Send."""
        sent.append(to)
        raise RuntimeError("after the effect")

    asked = {"tool_calls": [{"name": "send", "arguments": {"to": "ann"}}]}
    with scripted_runtime([asked, "done", asked, "again"], policy={"without_user": "wait"}) as runtime:
        agent = anb.Agent("a", tools=[send])
        threading.Timer(0.3, lambda: runtime.answer(runtime.runs()[0].id, "m1.t1.a", Answer("approve"))).start()
        run_id = agent.execute_sync("go").execution_id
        replayed = run_sync(agent_runs.replay(runtime, run_id, live=True))
        assert (replayed.text, sent) == ("done", ["ann"])


def test_a_run_that_goes_on_is_not_replayed(place: Place) -> None:
    run_id = waiting(place)
    with pytest.raises(IllegalTransition, match="has not ended"):
        run_sync(agent_runs.replay(anb.current(), run_id))


@pytest.mark.parametrize(
    "raised", ["SystemExit(2)", "KeyboardInterrupt()", "StopIteration()", "asyncio.CancelledError()", "TimeoutError('t')"]
)
@pytest.mark.parametrize("kind", ["def", "async def"])
def test_what_a_tool_raises_is_told_to_the_model(raised: str, kind: str) -> None:
    if kind == "async def" and "StopIteration" in raised:
        raised = "ValueError()"
    space: dict[str, Any] = {"asyncio": asyncio}
    exec(f"{kind} bad() -> str:\n    raise {raised}", space)
    with scripted_runtime([{"tool_calls": [{"name": "bad", "arguments": {}}]}, "I see."]):
        result = anb.Agent("a", tools=[space["bad"]], timeout=5).execute_sync("go")
    assert result.text == "I see."
    assert result.trace[1].status == "failed"


def test_agents_inside_tools_inside_agents() -> None:
    asked = {"tool_calls": [{"name": "deeper", "arguments": {}}]}

    @anb.tool
    async def deeper() -> str:
        """Ask another."""
        return anb.Agent("inner", tools=[deepest], timeout=5).execute_sync("go").text

    @anb.tool(name="deepest")
    async def deepest() -> str:
        """Ask a third."""
        return anb.Agent("innermost", timeout=5).execute_sync("go").text

    script = [asked, {"tool_calls": [{"name": "deepest", "arguments": {}}]}, "third", "second", "first"]
    before = threading.active_count()
    with scripted_runtime(script):
        assert anb.Agent("outer", tools=[deeper], timeout=10).execute_sync("go").text == "first"
    time.sleep(0.3)
    assert threading.active_count() <= before + 2


def test_many_synchronous_tools_that_ask_agents() -> None:
    @anb.tool
    def ask(n: int) -> str:
        """Ask."""
        return anb.Agent(f"inner{n}", timeout=20).execute_sync("go").text

    calls = {"tool_calls": [{"name": "ask", "arguments": {"n": number}} for number in range(16)]}
    with scripted_runtime([calls, *["inner"] * 16, "outer"]):
        result = anb.Agent("outer", tools=[ask], timeout=30).execute_sync("go")
    assert [step.output for step in result.trace if step.kind == "tool"] == ["inner"] * 16


def test_a_hanging_tool_does_not_keep_the_process(tmp_path: Path) -> None:
    program = """
import time
import agentnb as anb
from agentnb.testing import scripted_runtime
@anb.tool(timeout=0.3)
def hang() -> str:
    time.sleep(30)
    return ""
with scripted_runtime([{"tool_calls": [{"name": "hang", "arguments": {}}]}, "on we go"]):
    print(anb.Agent("a", tools=[hang]).execute_sync("go").text)
"""
    started = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "on we go\n"
    assert time.perf_counter() - started < 15


@pytest.mark.parametrize("verdict", [Decision("ask", "x"), Decision("DENY", "x"), "allow", True])  # type: ignore[arg-type]
@pytest.mark.parametrize("stage", ["input", "tool_result", "output", "memory_write"])
def test_only_a_clear_permission_permits(verdict: Any, stage: Stage) -> None:
    class Odd:
        stages: frozenset[Stage] = frozenset({stage})

        def check(self, check: Check) -> Any:
            return verdict

    with pytest.raises(PolicyDenied):
        PolicyEngine([Odd()]).enforce(Check(stage, "x"))


def test_what_a_tool_raises_is_within_the_limits() -> None:
    @anb.tool
    def loud() -> str:
        """Be loud."""
        raise ValueError("E" * 100_000)

    with scripted_runtime([{"tool_calls": [{"name": "loud", "arguments": {}}]}, "ok"], policy={"max_output_size": 1000}):
        result = anb.Agent("a", tools=[loud]).execute_sync("go")
    assert len(str(result.trace[1].output)) < 500
    assert "withheld by policy" in str(result.trace[1].output)


def test_a_refused_answer_is_not_shown() -> None:
    shown: list[dict[str, str]] = []
    with scripted_runtime(["a long answer that nobody may read"], policy={"max_output_size": 10}):
        view = NotebookView(shown.append)
        view.begin("a", "")
        with pytest.raises(PolicyDenied) as caught:
            anb.Agent("a").execute_sync(
                "go", listener=lambda update: None if update.text else view._add(update.step) if update.step else None
            )
        view.fail(caught.value)
    assert "nobody may read" not in shown[-1]["text/html"]


def test_secrets_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_API_KEY", 'quote"and<angle>')
    secrets.refresh()
    shown: list[dict[str, str]] = []
    view = NotebookView(shown.append)
    view.begin("a", "")
    view.fail(ValueError('it is quote"and<angle>'))
    assert "angle" not in shown[-1]["text/html"]
    assert printable('say quote"and<angle>') == "say [secret]"

    key = os.environ["MY_API_KEY"]

    @anb.tool
    def leaky() -> str:
        """Use a key."""
        return key

    definition = anb.Agent("a", model="scripted:x", tools=[leaky]).spec.definition()
    assert definition.code == b""
    assert "context.secret" in definition.spec["not_portable"]


def test_a_key_that_is_set_late_is_masked() -> None:
    with scripted_runtime(["ok"]) as runtime:
        os.environ["LATE_API_KEY"] = "set-after-the-import"
        try:
            anb.Agent("a").execute_sync("my key is set-after-the-import")
        finally:
            del os.environ["LATE_API_KEY"]
        assert "set-after-the-import" not in str(runtime.events()) + str(runtime.runs())


@pytest.mark.parametrize(
    "text", ["<img src=x onerror=alert(1)>", "![x](https://example.org/?q=1)", "[x](javascript:alert(1))", '"><script>alert(1)</script>']
)
def test_what_a_model_writes_is_harmless(text: str) -> None:
    for shown in (html.answer(text), html.status(text), html.tree({text: text}), html.card(text and "error", text, text, text)):
        assert "<img" not in shown
        assert "<script" not in shown
        assert 'href="javascript' not in shown
    assert printable("\x1b]52;c;x\x07 \x1b[2Jtext\n") == "]52;c;x [2Jtext\n"


def test_deep_and_endless_values() -> None:
    import itertools

    deep = "[" * 400 + "]" * 400
    assert html.tree(deep)

    @anb.tool
    def nest(x: Any) -> str:
        """Nest."""
        return "ok"

    with pytest.raises(ToolError, match="not JSON"):
        nest.parse('{"x": ' + "[" * 100_000 + "]" * 100_000 + "}")
    with pytest.raises(ToolError, match="NaN is no JSON number"):
        nest.parse('{"x": NaN}')

    @anb.tool
    def endless() -> Any:
        """Count."""
        return (number for number in itertools.count())

    with scripted_runtime([{"tool_calls": [{"name": "endless", "arguments": {}}]}, "ok"]):
        assert "returned a generator" in str(anb.Agent("a", tools=[endless], timeout=5).execute_sync("go").trace[1].output)


def test_too_many_tool_calls_at_once_are_refused() -> None:
    made: list[int] = []

    @anb.tool
    def count(n: int) -> str:
        """Count."""
        made.append(n)
        return "ok"

    calls = {"tool_calls": [{"name": "count", "arguments": {"n": number}} for number in range(500)]}
    with scripted_runtime([calls, "ok"]):
        anb.Agent("a", tools=[count]).execute_sync("go")
    assert made == []


def test_a_run_whose_end_could_not_be_written_is_not_immortal() -> None:
    runtime = anb.Runtime(load(model=MODEL), models={MODEL: ScriptedModel([{"text": "a", "delay": 0.1}])})
    use(runtime)
    connection = runtime.store._open()  # type: ignore[attr-defined]
    agent = anb.Agent("a")
    agent.initialize()
    threading.Timer(0.05, lambda: connection.execute("PRAGMA query_only = 1")).start()
    with pytest.raises(anb_store_error()):
        agent.execute_sync("go")
    connection.execute("PRAGMA query_only = 0")
    [run] = runtime.runs()
    assert (run.status, run.reason) == ("failed", "lost")
    assert runtime.cancel(run.id).status == "cancelled"


def anb_store_error() -> type[Exception]:
    from agentnb.errors import StoreError

    return StoreError


def test_one_agent_used_by_many_threads_is_registered_once() -> None:
    with scripted_runtime(["x"] * 12) as runtime:
        agent = anb.Agent("a")
        threads = [threading.Thread(target=lambda: asyncio.run(agent.execute("go"))) for _ in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(runtime.store.agents(current=False)) == 1
        assert [run.status for run in runtime.runs()] == ["completed"] * 12


def test_a_suspended_process_that_was_taken_over_stops(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.script({"text": "late", "delay": 2})
    process = place.start()
    run_id = place.wait_for_status("running")
    time.sleep(0.3)
    os.kill(process.pid, signal.SIGSTOP)
    runtime = anb.current()
    record = runtime.store.run(run_id)
    runtime.store._open().execute("UPDATE runs SET lease_until = 0")  # type: ignore[attr-defined]
    place.script({"text": "taken over"})
    assert run_resume(run_id).text == "taken over"
    os.kill(process.pid, signal.SIGCONT)
    _, errors = process.communicate(timeout=30)
    assert "LeaseLost" in errors
    assert runtime.get(run_id).attempt == record.attempt + 1
    assert runtime.result(run_id).text == "taken over"


def test_a_cassette_with_odd_line_ends_and_one_that_grows(tmp_path: Path) -> None:
    file = tmp_path / "c.jsonl"
    with scripted_runtime(["one\u2028two\u0085three", "more"]):
        agent = anb.Agent("a")
        agent.execute_sync("1", record=file)
        assert agent.execute_sync("1", replay=file).text == "one\u2028two\u0085three"
        agent.execute_sync("2", record=file)
        assert agent.execute_sync("2", replay=file).text == "more"
        assert len([json.loads(line) for line in file.read_text().split("\n") if line]) == 2


@pytest.mark.parametrize("name", ["there", "file/c.jsonl"])
def test_a_cassette_that_cant_be_written_is_said_before_the_model_is_called(tmp_path: Path, name: str) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "file").touch()
    with scripted_runtime(["one", "two"]) as runtime:
        model = runtime.open_model(MODEL)
        with pytest.raises(ConfigurationError, match="can't be written: .*Name another file"):
            anb.Agent("a").execute_sync("1", record=tmp_path / name)
        before: list[int] = []
        flow = anb.Workflow("flow").add("first", tool=before.append, input={"object": 1}).add("ask", agent=anb.Agent("a"), input="hi")
        with pytest.raises(ConfigurationError, match="can't be written"):
            flow.run_sync(record=tmp_path / name)
        assert (model.requests, before) == ([], [])  # type: ignore[attr-defined]
