"""Runs of workflows outlive their processes: kill -9 at any moment, two processes at once, a full disk, days without a process."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

import agentnb as anb
from agentnb.errors import LeaseLost, StoreError
from agentnb.runtime import sweeping, workflow_runs, workflow_signals
from agentnb.runtime.workflow_runs import WorkflowOptions
from agentnb.workflows.trace import StepRecord, steps_of

STEPS = """
import asyncio, os

async def work(name, run, seconds=0.002):
    with open("log.txt", "a") as log:
        log.write(f"{run} {name}\\n")
    await asyncio.sleep(seconds)
    return name
"""

FLOW = """
name: mixed
steps:
  a: {tool: "python:crash_steps.work", input: {name: a, run: "${run.id}"}, idempotent: true}
  b: {tool: "python:crash_steps.work", input: {name: b, run: "${run.id}"}, needs: [a]}
  c: {tool: "python:crash_steps.work", input: {name: "c${steps.b.output}", run: "${run.id}"}, idempotent: true}
  d: {tool: "python:crash_steps.work", input: {name: "d${steps.b.output}", run: "${run.id}"}}
  e: {tool: "python:crash_steps.work", input: {name: e, run: "${run.id}"}, needs: [b], idempotent: true}
  f: {tool: "python:crash_steps.work", input: {name: "f${steps.c.output}${steps.d.output}", run: "${run.id}"}, needs: [e]}
  each:
    tool: python:crash_steps.work
    for_each: [0, 1, 2, 3, 4]
    max_concurrency: 2
    input: {name: "each${string(item)}${steps.f.output}", run: "${run.id}"}
  g: {tool: "python:crash_steps.work", input: {name: "g${string(size(steps.each.output))}", run: "${run.id}"}, idempotent: true}
outputs: {g: "${steps.g.output}", each: "${steps.each.output}"}
"""

CRASHES = """
import os, random, signal, sys, time
import agentnb as anb

open("log.txt", "w").close()
ready = anb.Workflow.load("flow.yaml").ready()
ready.definition
anb.use(None)
for number in range(int(sys.argv[1])):
    child = os.fork()
    if child == 0:
        anb.Workflow.load("flow.yaml").run_sync()
        os._exit(0)
    before = os.path.getsize("log.txt")
    while os.path.getsize("log.txt") == before:
        time.sleep(0.001)
    time.sleep(random.uniform(0, 0.05))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "crash_steps.py").write_text(STEPS)
    (tmp_path / "flow.yaml").write_text(FLOW)
    monkeypatch.syspath_prepend(str(tmp_path))
    sys.modules.pop("crash_steps", None)
    return tmp_path


class Decider:
    """Says what becomes of steps that were in flight."""

    def __init__(self, verdict: str = "retry") -> None:
        self.verdict = verdict
        self.asked: Counter[tuple[str, str]] = Counter()

    def present_question(self, run_id: str, step: StepRecord) -> None:
        assert step.question is not None
        assert step.question["kind"] == "interrupted"
        self.asked[run_id, step.id] += 1
        workflow_signals.answer(anb.current(), run_id, step.id, self.verdict)


def log_of(place: Path) -> Counter[tuple[str, str]]:
    lines = (place / "log.txt").read_text().splitlines()
    return Counter((line.split()[0], line.split()[1]) for line in lines)


async def test_a_hundred_runs_killed_at_random_moments(place: Path) -> None:
    """Every run ends completed; no committed step is repeated, no result lost; what isn't idempotent runs again only by decision."""
    subprocess.run([sys.executable, "-c", CRASHES, "100"], cwd=place, check=True)
    runtime = anb.current()
    runs = runtime.store.runs(limit=200)
    lost = [run for run in runs if run.status == "running"]
    assert len(lost) >= 20, "most were killed before they began or after they ended: change the waits"
    before = {run.id: steps_of(runtime.events(run.id)) for run in lost}
    done = log_of(place)
    decider = Decider()
    taken = await sweeping.sweep(runtime, WorkflowOptions(presenter=decider))
    assert sorted(taken) == sorted(run.id for run in lost)
    after = log_of(place)
    for run in lost:
        ended = workflow_runs.get(runtime, run.id)
        assert ended.status == "completed", ended.error
        name = "fcbdb"
        assert ended.outputs == {"g": "g5", "each": [f"each{n}{name}" for n in range(5)]}
        for step in before[run.id].values():
            if step.status == "completed" and step.id != "each":
                assert after[run.id, str(step.output)] == done[run.id, str(step.output)], f"{step.id} was repeated"
        for step_id in ("b", "d", "f", *(f"each[{n}]" for n in range(5))):
            times = after[run.id, str(ended.steps[step_id].output)]
            assert times <= 1 + decider.asked[run.id, step_id], f"{step_id} ran {times} times"
    assert decider.asked, "no step was in flight: change the waits"


async def test_a_step_in_flight_waits_for_a_decision(place: Path) -> None:
    (place / "flow.yaml").write_text(
        'name: one\nsteps: {s: {tool: "python:crash_steps.work", input: {name: s, run: r, seconds: 60}}}\n'
        'outputs: {s: "${steps.s.status}"}\n'
    )
    process = subprocess.Popen([sys.executable, "-c", "import agentnb as a; a.Workflow.load('flow.yaml').run_sync()"], cwd=place)
    runtime = anb.current()
    while not (place / "log.txt").exists():
        await asyncio.sleep(0.02)
    [run] = runtime.runs()
    with pytest.raises(LeaseLost, match="being executed by"):
        await workflow_runs.resume(runtime, run.id, WorkflowOptions())
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert (runtime.get(run.id).status, runtime.get(run.id).reason) == ("failed", "lost")
    waiting = await workflow_runs.resume(runtime, run.id, WorkflowOptions())
    assert (waiting.status, waiting.waiting[0].question["kind"]) == ("waiting", "interrupted")  # type: ignore[index]
    assert workflow_signals.answer(runtime, run.id, "s", "skip")
    ended = await workflow_runs.resume(runtime, run.id, WorkflowOptions())
    assert (ended.status, ended.outputs, log_of(place)["r", "s"]) == ("completed", {"s": "skipped"}, 1)


async def test_two_processes_resume_one_run(place: Path) -> None:
    (place / "flow.yaml").write_text(
        'name: one\nsteps: {q: {human: {prompt: "?"}}, s: {tool: "python:crash_steps.work", input: {name: s, run: r}, needs: [q]}}\n'
    )
    run = await anb.Workflow.load(place / "flow.yaml").run()
    workflow_signals.answer(anb.current(), run.id, "q", "approve")
    program = f"import asyncio, agentnb as a; print(asyncio.run(a.resume({run.id!r})).status)"
    processes = [
        subprocess.Popen([sys.executable, "-c", program], cwd=place, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    results = [process.communicate(timeout=60) for process in processes]
    assert sum(output == "completed\n" for output, _ in results) == 1, results
    assert all("LeaseLost" in errors or "IllegalTransition" in errors for output, errors in results if not output)
    assert log_of(place)["r", "s"] == 1


async def test_a_cancel_reaches_a_run_of_another_process(place: Path) -> None:
    (place / "flow.yaml").write_text('name: one\nsteps: {s: {tool: "python:crash_steps.work", input: {name: s, run: r, seconds: 60}}}\n')
    process = subprocess.Popen(
        [sys.executable, "-c", "import agentnb as a; a.Workflow.load('flow.yaml').run_sync()"], cwd=place, stderr=subprocess.PIPE, text=True
    )
    while not (place / "log.txt").exists():
        await asyncio.sleep(0.02)
    runtime = anb.current()
    runtime.cancel(runtime.runs()[0].id)
    _, errors = process.communicate(timeout=20)
    assert "ExecutionCancelled" in errors
    assert runtime.runs()[0].status == "cancelled"


async def test_a_waiting_run_can_be_cancelled_without_a_process(place: Path) -> None:
    inner = anb.Workflow("inner").add("ask", human={"prompt": "?"})
    run = await anb.Workflow("outer").add("sub", workflow=inner).run()
    runtime = anb.current()
    assert runtime.cancel(run.id).status == "cancelled"
    assert runtime.get(run.steps["sub"].child).status == "cancelled"
    assert workflow_signals.pending(runtime, run.id) == []


async def test_a_full_disk_loses_nothing(place: Path) -> None:
    large = anb.Workflow("w", inputs={"n": int}, outputs={"n": "${steps.b.output}"})
    large.add("a", tool=len, input={"obj": 1}, when="false")

    async def text(n: int) -> str:
        return "x" * n

    async def count(x: str) -> int:
        return len(x)

    large.add("make", tool=text, input={"n": "${inputs.n}"}, idempotent=True).add("b", tool=count, input={"x": "${steps.make.output}"})
    runtime = anb.current()
    assert (await large.run({"n": 10})).outputs == {"n": 10}
    connection = runtime.store._open()  # type: ignore[attr-defined]
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages + 20}")
    with pytest.raises(StoreError, match="disk is full: free some space"):
        await large.run({"n": 2_000_000})
    connection.execute("PRAGMA max_page_count = 1000000000")
    assert [run.status for run in runtime.runs()] == ["failed", "completed"]
    assert (await large.run({"n": 2_000_000})).outputs == {"n": 2_000_000}


async def test_an_agent_step_goes_on_inside(place: Path) -> None:
    """The agent's finished calls aren't made again: its own run is resumed, not started anew."""
    (place / "script.jsonl").write_text(
        "\n".join(json.dumps(line) for line in ({"tool_calls": [{"name": "note", "arguments": {"x": "1"}}]}, {"text": "slow", "delay": 60}))
    )
    (place / "agent_tools.py").write_text(
        "import agentnb as anb\n\n@anb.tool\ndef note(x: str) -> str:\n"
        '    "Note."\n    with open("log.txt", "a") as log:\n        log.write(f"r {x}\\n")\n    return x\n'
    )
    (place / "flow.yaml").write_text(
        "name: w\nagents: {helper: {model: 'scripted:script.jsonl', tools: ['python:agent_tools.note']}}\n"
        "steps: {ask: {agent: helper, input: Go}}\noutputs: {t: '${steps.ask.output.text}'}\n"
    )
    process = subprocess.Popen([sys.executable, "-c", "import agentnb as a; a.Workflow.load('flow.yaml').run_sync()"], cwd=place)
    runtime = anb.current()
    while not any(event.type == "agent.tool_called" for run in runtime.runs(kind="agent") for event in runtime.events(run.id)):
        await asyncio.sleep(0.02)
    process.kill()
    process.wait()
    (place / "script.jsonl").write_text(json.dumps({"text": "the end"}))
    run = next(run for run in runtime.runs(kind="workflow"))
    ended = await workflow_runs.resume(runtime, run.id, WorkflowOptions())
    assert ended.outputs == {"t": "the end"}
    assert log_of(place)["r", "1"] == 1
    child = runtime.result(ended.steps["ask"].child)
    assert [(step.id, step.replayed) for step in child.trace] == [("m1", True), ("m1.t1", True), ("m2", False)]
