"""DAGs as users run them: order, conditions, fan-out, failures, resources, caching, sub-workflows, agents, running again."""

from __future__ import annotations

import asyncio
import gc
import inspect
import time
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import pytest

import agentnb as anb
from agentnb.adapters.scripted import ScriptedModel
from agentnb.errors import ConfigurationError, ExecutionCancelled, ExecutionTimeout, PolicyDenied
from agentnb.runtime import workflow_runs
from agentnb.runtime.workflow_runs import WorkflowOptions
from agentnb.workflows.dag import StepError
from agentnb.workflows.documents import WorkflowSpecError
from agentnb.workflows.spec import WorkflowError

_seen: ContextVar[str] = ContextVar("seen", default="nothing")


class Log:
    """What was done, in order."""

    def __init__(self) -> None:
        self.done: list[Any] = []
        self.running = self.most = 0

    async def note(self, x: Any = None) -> Any:
        self.done.append(x)
        return x

    async def slow(self, x: Any = None) -> Any:
        self.running += 1
        self.most = max(self.most, self.running)
        await asyncio.sleep(0.02)
        self.running -= 1
        self.done.append(x)
        return x


@pytest.fixture
def log() -> Log:
    return Log()


def broken(x: Any = None) -> Any:
    raise ValueError(f"no {x}")


async def test_the_example_of_the_mission(log: Log) -> None:
    workflow = anb.Workflow("example", outputs={"all": "${[steps.C.output, steps.D.output]}"})
    workflow.add("A", tool=log.note, input={"x": "a"})
    workflow.add("B", tool=log.note, input={"x": "${steps.A.output}b"})
    workflow.add("C", tool=log.note, input={"x": "${steps.B.output}c"})
    workflow.add("D", tool=log.note, input={"x": "${steps.A.output + steps.B.output}d"})
    assert {step.tool for step in workflow.spec.steps.values()} == {"note"}  # one method is one tool, however often it is named
    assert workflow.plan().to_dict()["phases"] == [["A"], ["B"], ["C", "D"]]
    run = await workflow.run()
    assert (run.status, run.outputs) == ("completed", {"all": ["abc", "aabd"]})
    assert log.done[:2] == ["a", "ab"]
    assert [step.status for step in run.steps.values()] == ["completed"] * 4
    assert workflow_runs.get(anb.current(), run.id).outputs == run.outputs
    with pytest.raises(AttributeError, match=r"WorkflowRun has no attribute 'output'; did you mean outputs\?"):
        _ = run.output  # type: ignore[attr-defined]
    kinds = [event.type for event in anb.current().events(run.id)]
    assert kinds[0] == "workflow.started"
    assert kinds[-1] == "workflow.completed"
    completed = next(event.data for event in anb.current().events(run.id) if event.type == "workflow.step_completed")
    assert {"event_type", "timestamp", "workflow_id", "workflow_name", "step_id", "step_name", "step_type"} <= completed.keys()
    assert completed["next_steps"] == ["B", "D"]


async def test_phases_are_no_barriers(log: Log) -> None:
    workflow = anb.Workflow("w")
    gate = asyncio.Event()

    async def slow() -> None:
        await asyncio.wait_for(gate.wait(), 5)

    async def opens() -> None:
        gate.set()

    workflow.add("slow", tool=slow)
    workflow.add("quick", tool=log.note)
    workflow.add("after_quick", tool=opens, needs=["quick"])
    assert (await workflow.run()).status == "completed"


async def test_inputs_are_checked_and_have_defaults(log: Log) -> None:
    workflow = anb.Workflow("w", inputs={"n": int, "word": (str, "hey")}, outputs={"n": "${inputs.n}", "w": "${inputs.word}"})
    workflow.add("a", tool=log.note)
    assert (await workflow.run({"n": 3})).outputs == {"n": 3, "w": "hey"}
    with pytest.raises(WorkflowError, match=r'n: "x" is not of type "integer"'):
        await workflow.run({"n": "x"})
    with pytest.raises(WorkflowError, match=r"m: unknown; there are: n, word; n: missing"):
        await workflow.run({"m": 1})


async def test_a_condition_skips_a_step_but_not_what_follows(log: Log) -> None:
    workflow = anb.Workflow("w", inputs={"score": float}, outputs={"b": "${steps.b.output}", "s": "${steps.b.status}"})
    workflow.add("a", tool=log.note, input={"x": "${inputs.score}"})
    workflow.add("b", tool=log.note, input={"x": "low"}, when="steps.a.output < 0.5")
    workflow.add("c", tool=log.note, input={"x": "end"}, needs=["b"])
    run = await workflow.run({"score": 0.9})
    assert (run.outputs, run.steps["b"].reason, log.done) == ({"b": None, "s": "skipped"}, "when", [0.9, "end"])
    assert (await workflow.run({"score": 0.1})).outputs["b"] == "low"


async def test_fan_out_keeps_the_order_and_the_limit(log: Log) -> None:
    workflow = anb.Workflow("w", inputs={"people": list}, outputs={"all": "${steps.each.output}"})
    workflow.add("each", tool=log.slow, for_each="${inputs.people}", input={"x": "${string(index)}-${item}"}, max_concurrency=3)
    run = await workflow.run({"people": ["a", "b", "c", "d", "e"]})
    assert run.outputs == {"all": ["0-a", "1-b", "2-c", "3-d", "4-e"]}
    assert log.most == 3
    assert run.steps["each[4]"].output == "4-e"
    assert (await workflow.run({"people": []})).outputs == {"all": []}
    with pytest.raises(StepError, match="gave an int, not a list"):
        await anb.Workflow("v").add("e", tool=log.note, for_each="${1 + 1}").run()


async def test_a_poison_item_among_a_thousand(log: Log) -> None:
    async def work(n: int) -> int:
        if n == 500:
            raise ValueError("poison")
        return n

    workflow = anb.Workflow("w", outputs={"all": "${steps.each.output}"})
    workflow.add("each", tool=work, for_each=list(range(1000)), input={"n": "${item}"}, on_error="continue")
    run = await workflow.run()
    assert run.outputs["all"] == [n if n != 500 else None for n in range(1000)]
    assert run.steps["each"].usage == {"items": 1000, "failed": 1}
    assert run.steps["each[500]"].error == {"type": "StepFailed", "message": "work raised ValueError: poison"}
    strict = anb.Workflow("s").add("each", tool=work, for_each=list(range(1000)), input={"n": "${item}"}, max_concurrency=10)
    with pytest.raises(StepError, match=r"'each\[500\]' failed.*poison"):
        await strict.run()


async def test_a_failure_ends_the_run_and_cancels_the_others(log: Log) -> None:
    async def long() -> None:
        try:
            await asyncio.sleep(30)
        finally:
            log.done.append("stopped")

    workflow = anb.Workflow("w").add("long", tool=long).add("bad", tool=broken, input={"x": 1}).add("after", tool=log.note, needs=["bad"])
    with pytest.raises(StepError, match="step 'bad' failed: StepFailed: broken raised ValueError: no 1") as caught:
        await workflow.run()
    run = workflow_runs.get(anb.current(), caught.value.run_id)
    assert (run.status, run.reason, log.done) == ("failed", "error", ["stopped"])
    assert {name: step.status for name, step in run.steps.items()} == {"long": "cancelled", "bad": "failed"}


async def test_on_error_continue_compensate_and_goto(log: Log) -> None:
    workflow = anb.Workflow("c", outputs={"e": "${steps.bad.error.message}"})
    workflow.add("bad", tool=broken, on_error="continue").add("after", tool=log.note, input={"x": "${steps.bad.output}"}, needs=["bad"])
    assert (await workflow.run()).outputs == {"e": "broken raised ValueError: no None"}
    workflow = anb.Workflow("k")
    workflow.add("bad", tool=broken, on_error={"compensate": "undo"}).add("next", tool=log.note, input={"x": "never"}, needs=["bad"])
    workflow.add("undo", tool=log.note, input={"x": "undone after ${steps.bad.error.message}"}, handler=True)
    with pytest.raises(StepError, match="step 'bad' failed"):
        await workflow.run()
    assert log.done[-1] == "undone after broken raised ValueError: no None"
    assert "never" not in log.done
    workflow = anb.Workflow("g", inputs={"fail": bool}, outputs={"end": "${steps.end.output}", "next": "${steps.next.status}"})

    async def maybe(fail: bool) -> str:
        return broken() if fail else "fine"

    workflow.add("try_it", tool=maybe, input={"fail": "${inputs.fail}"}, on_error={"goto": "plan_b"})
    workflow.add("next", tool=log.note, needs=["try_it"])
    workflow.add("plan_b", tool=log.note, input={"x": "b"}, handler=True)
    workflow.add("end", tool=log.note, input={"x": "${string(steps.plan_b.output)}"}, needs=["next"])
    assert (await workflow.run({"fail": True})).outputs == {"end": "b", "next": "skipped"}
    assert (await workflow.run({"fail": False})).outputs == {"end": "null", "next": "completed"}


async def test_retries_with_back_off_and_time_outs(log: Log) -> None:
    tries: list[float] = []

    async def flaky() -> str:
        tries.append(time.perf_counter())
        if len(tries) < 3:
            raise ConnectionError("down")
        return "up"

    workflow = anb.Workflow("w", outputs={"s": "${steps.flaky.output}"})
    workflow.add("flaky", tool=flaky, retry={"max_attempts": 3, "initial": "40ms", "jitter": False})
    run = await workflow.run()
    assert (run.outputs, run.steps["flaky"].attempts) == ({"s": "up"}, 3)
    assert tries[1] - tries[0] >= 0.04
    assert tries[2] - tries[1] >= 0.08
    assert sum(event.type == "workflow.step_retrying" for event in anb.current().events(run.id)) == 2

    async def hangs() -> None:
        await asyncio.sleep(30)

    workflow = anb.Workflow("t").add("hangs", tool=hangs, timeout="30ms", retry={"max_attempts": 2, "initial": "1ms"})
    with pytest.raises(StepError, match=r"'hangs' timed out after 0.03 s") as caught:
        await workflow.run()
    run = workflow_runs.get(anb.current(), caught.value.run_id)
    assert (run.reason, run.steps["hangs"].attempts) == ("timed_out", 2)
    workflow = anb.Workflow("t2").add(
        "hangs", tool=hangs, timeout={"attempt": "10s", "step": "50ms"}, retry={"max_attempts": 50, "initial": "1ms"}
    )
    with pytest.raises(StepError, match=r"timed out after 0.05 s"):
        await workflow.run()
    with pytest.raises(ExecutionTimeout, match=r"the workflow 't3' timed out"):
        await anb.Workflow("t3", timeout="30ms").add("hangs", tool=hangs).run()


async def test_resources_are_shared(log: Log) -> None:
    workflow = anb.Workflow("w", resources={"max_parallel": 4, "pools": {"gpu": 2}})
    for number in range(6):
        workflow.add(f"s{number}", tool=log.slow, resources={"gpu": 1})
    await workflow.run()
    assert log.most == 2
    log.most = 0
    workflow = anb.Workflow("v", resources={"max_parallel": 4})
    for number in range(9):
        workflow.add(f"s{number}", tool=log.slow)
    await workflow.run()
    assert log.most == 4
    with pytest.raises(WorkflowSpecError, match=r"gpu"):
        await anb.Workflow("u", resources={"pools": {"gpu": 1}}).add("a", tool=log.note, resources={"gpu": 2}).run()


async def test_a_result_is_kept_by_its_input(log: Log) -> None:
    workflow = anb.Workflow("w", inputs={"x": int}, outputs={"x": "${steps.a.output}"})
    workflow.add("a", tool=log.note, input={"x": "${inputs.x}"}, cache={"ttl": "1h"})
    assert [(await workflow.run({"x": x})).outputs["x"] for x in (1, 1, 2, 1)] == [1, 1, 2, 1]
    assert log.done == [1, 2]
    run = await workflow.run({"x": 2})
    assert run.steps["a"].source == "cache"
    other = anb.Workflow("v").add("a", tool=log.note, input={"x": 1}, cache={"ttl": "1h"}, timeout="9s")
    await other.run()
    assert log.done == [1, 2, 1]


async def test_what_is_cached_is_done_once_also_side_by_side(log: Log) -> None:
    workflow = anb.Workflow("w", outputs={"all": "${steps.each.output}"})
    workflow.add("each", tool=log.slow, for_each=[1, 2, 1, 1, 3, 3, 2], input={"x": "${item}"}, cache=True, max_concurrency=2)
    slow = log.slow
    workflow.add("left", tool=slow, input={"x": 9}, cache=True).add("right", tool=slow, input={"x": 9}, cache=True)
    run = await workflow.run()
    assert run.outputs["all"] == [1, 2, 1, 1, 3, 3, 2]
    assert sorted(log.done) == [1, 2, 3, 9]
    assert sum(step.source == "cache" for step in run.steps.values()) == 5


async def test_what_is_cached_is_done_once_also_in_sub_workflows_side_by_side(log: Log) -> None:
    slow, given = log.slow, {"x": 9}
    inner = anb.Workflow("inner", outputs={"y": "${steps.a.output}"}).add("a", tool=slow, input=given, cache=True)
    workflow = anb.Workflow("w", outputs={"all": "${steps.each.output}"})
    workflow.add("each", workflow=inner, for_each=[1, 2, 3]).add("own", tool=slow, input=given, cache=True)
    run = await workflow.run()
    assert run.outputs["all"] == [{"y": 9}] * 3
    assert log.done == [9]


async def test_a_step_without_room_claims_no_result_that_the_sub_workflow_in_its_room_waits_for(log: Log) -> None:
    given: dict[str, Any] = {"tool": log.slow, "input": {"x": 9}, "cache": True}
    inner = anb.Workflow("inner", outputs={"y": "${steps.a.output}"}).add("a", **given)
    workflow = anb.Workflow("w", resources={"max_parallel": 1}, outputs={"y": "${steps.own.output}"})
    workflow.add("sub", workflow=inner).add("own", **given)
    async with asyncio.timeout(10):
        run = await workflow.run()
    assert (run.outputs["y"], run.steps["own"].source, log.done) == (9, "cache", [9])


async def test_a_sub_workflow_that_is_cut_short_leaves_its_result_to_the_others(log: Log) -> None:
    tried: list[str] = []

    async def slow(x: int) -> int:
        tried.append("")
        await asyncio.sleep(0.2)
        return x

    given: dict[str, Any] = {"tool": slow, "input": {"x": 7}, "cache": True}
    hasty = anb.Workflow("hasty", timeout="50ms").add("a", **given)
    patient = anb.Workflow("patient", outputs={"y": "${steps.a.output}"}).add("a", **given)
    workflow = anb.Workflow("w", outputs={"y": "${steps.waits.output.y}"})
    workflow.add("first", workflow=hasty, on_error="continue").add("waits", workflow=patient)
    run = await workflow.run()
    assert (run.outputs["y"], run.steps["first"].status, len(tried)) == (7, "failed", 2)


async def test_where_the_first_fails_the_next_with_its_key_tries_itself() -> None:
    tried: list[int] = []

    async def flaky(x: int) -> int:
        tried.append(x)
        await asyncio.sleep(0.01)
        if len(tried) < 3:
            raise ValueError("not yet")
        return x

    async def mend() -> str:
        return "mended"

    given: dict[str, Any] = {"tool": flaky, "for_each": [7, 7, 7, 7], "input": {"x": "${item}"}, "cache": True}
    run = await anb.Workflow("w", outputs={"all": "${steps.each.output}"}).add("each", **given, on_error="continue").run()
    assert run.outputs["all"] == [None, None, 7, 7]
    assert tried == [7, 7, 7]
    tried.clear()
    run = await anb.Workflow("v").add("each", **given, timeout="9s", on_error={"goto": "h"}).add("h", tool=mend, handler=True).run()
    assert tried == [7]
    assert {name: step.status for name, step in run.steps.items()} == {"each": "failed", "each[0]": "failed", "h": "completed"}


async def test_sub_workflows(log: Log, tmp_path: Path) -> None:
    (tmp_path / "inner.workflow.yaml").write_text(
        "name: inner\ninputs: {x: {type: integer}}\nsteps:\n  a: {tool: 'python:helpers_of_sub.double', input: {x: '${inputs.x}'}}\n"
        "outputs: {y: '${steps.a.output}'}\n"
    )
    (tmp_path / "helpers_of_sub.py").write_text("def double(x):\n    return 2 * x\n")
    (tmp_path / "outer.yaml").write_text(
        "name: outer\nsteps:\n  one: {workflow: inner.workflow.yaml, input: {x: 4}}\n"
        "  many: {workflow: {file: inner.workflow.yaml}, for_each: [1, 2], input: {x: '${item}'}}\n"
        "outputs: {y: '${steps.one.output.y}', all: '${steps.many.output}'}\n"
    )
    run = await anb.run(tmp_path / "outer.yaml")
    assert run.outputs == {"y": 8, "all": [{"y": 2}, {"y": 4}]}
    child = workflow_runs.get(anb.current(), run.steps["one"].child)
    assert (child.parent, child.outputs) == (run.id, {"y": 8})
    inner = anb.Workflow("in", outputs={"z": 1}).add("bad", tool=broken)
    with pytest.raises(StepError, match="step 'sub' failed: StepError: step 'bad' failed"):
        await anb.Workflow("out").add("sub", workflow=inner).run()
    (tmp_path / "self.yaml").write_text("name: self\nsteps: {a: {workflow: self.yaml}}\n")
    with pytest.raises(WorkflowError, match="contain"):
        await anb.run(tmp_path / "self.yaml")


async def test_agents_as_steps(log: Log) -> None:
    model = ScriptedModel([{"text": '{"score": 3}'}, {"text": "A reply"}])
    runtime = anb.Runtime(models={"scripted:x": model})
    anb.use(runtime)
    text = """
name: support
inputs: {ticket: {type: string}}
agents:
  analyst: {model: "scripted:x", output: {type: object, properties: {score: {type: integer}}, required: [score]}}
  writer: {model: "scripted:x", instructions: Be kind.}
steps:
  analyze: {agent: analyst, input: {text: "${inputs.ticket}"}}
  reply: {agent: writer, input: "Score ${steps.analyze.output.data.score}: ${inputs.ticket}", when: "steps.analyze.output.data.score > 2"}
outputs: {reply: "${steps.reply.output.text}", score: "${steps.analyze.output.data.score}"}
"""
    run = await anb.Workflow.from_yaml(text).run({"ticket": "Help"})
    assert run.outputs == {"reply": "A reply", "score": 3}
    assert model.requests[1].messages[-1].content == "Score 3: Help"
    assert run.usage["model_calls"] == 2
    child = runtime.get(run.steps["reply"].child)
    assert (child.kind, child.parent, child.status) == ("agent", run.id, "completed")


async def test_running_again_takes_what_is_the_same(log: Log) -> None:
    def flow(last: str) -> anb.Workflow:
        workflow = anb.Workflow("w", inputs={"x": int, "y": (int, 0)}, outputs={"c": "${steps.c.output}"})
        workflow.add("a", tool=log.note, input={"x": "${inputs.x}"})
        workflow.add("b", tool=log.note, input={"x": "${inputs.y}"})
        return workflow.add("c", tool=log.note, input={"x": f"${{steps.a.output}}{last}"}, needs=["b"])

    first = await flow("!").run({"x": 1})
    log.done.clear()
    again = await flow("!").run(rerun=first.id)
    assert (again.outputs, log.done, again.usage["replayed"], again.rerun_of) == ({"c": "1!"}, [], 3, first.id)
    assert flow("?").stale(first.id) == ["c"]
    assert (await flow("!").run(rerun=first)).rerun_of == first.id
    assert flow("!").stale(first) == []
    edited = await flow("?").run(rerun=first.id)
    assert (edited.outputs, log.done) == ({"c": "1?"}, ["1?"])
    changed = await flow("!").run({"y": 5}, rerun=first.id)
    assert (changed.outputs, log.done) == ({"c": "1!"}, ["1?", 5])
    log.done.clear()
    await flow("!").run(rerun=first.id, start=["b"])
    assert log.done == [0, "1!"]
    with pytest.raises(WorkflowError, match="no step 'zz'"):
        await workflow_runs.rerun(anb.current(), first.id, WorkflowOptions(), start=["zz"])


async def test_an_edited_function_makes_its_step_stale() -> None:
    def version_one() -> int:
        return 1

    def version_two() -> int:
        return 2

    one = anb.Workflow("w").use(f=version_one).add("a", tool="f")
    two = anb.Workflow("w").use(f=version_two).add("a", tool="f")
    run = await one.run()
    assert one.stale(run.id) == []
    assert two.stale(run.id) == ["a"]


async def test_what_cannot_be_kept_is_said(log: Log) -> None:
    def odd() -> object:
        return object()

    with pytest.raises(StepError, match="'a' returned an object, which can't be kept.*return text, numbers"):
        await anb.Workflow("w").add("a", tool=odd).run()

    def nan() -> list[float]:
        return [float("nan"), 1.5]

    run = await anb.Workflow("w", outputs={"x": "${steps.a.output}"}).add("a", tool=nan).run()
    assert run.outputs == {"x": [None, 1.5]}


async def test_a_step_that_misbehaves_harms_only_itself(log: Log) -> None:
    def leaves() -> None:
        raise SystemExit(3)

    async def cancels() -> None:
        raise asyncio.CancelledError

    workflow = (
        anb.Workflow("w").add("a", tool=leaves, on_error="continue").add("b", tool=cancels, on_error="continue").add("c", tool=log.note)
    )
    run = await workflow.run()
    assert [run.steps[name].status for name in "abc"] == ["failed", "failed", "completed"]
    assert "SystemExit" in run.steps["a"].error["message"]  # type: ignore[index]


async def test_cancelling_reaches_running_steps(log: Log) -> None:
    async def long() -> None:
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            log.done.append("cancelled")
            raise

    runtime = anb.current()
    workflow = anb.Workflow("w").add("long", tool=long)
    task = asyncio.ensure_future(workflow.run())
    while not runtime.runs(status="running"):
        await asyncio.sleep(0.01)
    [run] = runtime.runs(status="running")
    await asyncio.sleep(0.05)
    runtime.cancel(run.id)
    with pytest.raises(ExecutionCancelled):
        await task
    assert (runtime.get(run.id).status, log.done) == ("cancelled", ["cancelled"])
    task = asyncio.ensure_future(workflow.run())
    await asyncio.sleep(0.1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert runtime.runs()[0].status == "cancelled"


async def test_the_policy_stands_before_tools(tmp_path: Path, log: Log) -> None:
    (tmp_path / "agentnb.toml").write_text('[policy]\ndenied_tools = ["note"]\nmax_output_size = 1000\n')
    anb.use(anb.Runtime())
    with pytest.raises(StepError, match="policy.denied_tools names 'note'") as caught:
        await anb.Workflow("w").add("a", tool=log.note, retry={"max_attempts": 5}).run()
    assert log.done == []
    assert anb.current().get(caught.value.run_id).reason == "policy"

    def large() -> str:
        return "x" * 2000

    with pytest.raises(StepError, match="tool's result has 2,000 bytes"):
        await anb.Workflow("w").add("a", tool=large).run()
    with pytest.raises(PolicyDenied, match="the output"):
        await (
            anb.Workflow("w", outputs={"x": "${inputs.x + inputs.x}"}, inputs={"x": str})
            .add("a", tool=len, input={"obj": 1}, when="false")
            .run({"x": "y" * 900})
        )


async def test_sync_steps_run_side_by_side_and_see_their_context() -> None:
    def wait(context: anb.Context[Any]) -> str:
        time.sleep(0.1)
        return context.idempotency_key

    workflow = anb.Workflow("w")
    for number in range(8):
        workflow.add(f"s{number}", tool=wait)
    started = time.perf_counter()
    run = await workflow.run()
    assert time.perf_counter() - started < 0.7
    assert run.steps["s3"].output == f"{run.id}:s3"


async def test_the_dsl_binds_by_name(log: Log) -> None:
    workflow = anb.Workflow("w", inputs={"x": int}, outputs={"r": "${steps.total.output}"})

    @workflow.step
    def double(x: int) -> int:
        return 2 * x

    @workflow.step(retry={"max_attempts": 2}, idempotent=True)
    async def total(double: int, x: int, extra: int = 1) -> int:
        return double + x + extra

    assert (await workflow.run({"x": 3})).outputs == {"r": 10}
    assert double(4) == 8
    same = anb.Workflow.from_yaml(workflow.to_yaml()).use(double=double, total=total)
    assert same.spec == workflow.spec
    assert (await same.run({"x": 3})).outputs == {"r": 10}
    with pytest.raises(ConfigurationError, match="'unknown' of 'lost' is no input"):

        @workflow.step
        def lost(unknown: int) -> int:
            return unknown


async def test_steps_of_workflows_are_in_the_sql_table(log: Log) -> None:
    from agentnb.adapters.analytics import query

    run = await anb.Workflow("w").add("a", tool=log.note).add("b", tool=broken, on_error="continue").run()
    _, rows = query(anb.current().settings.store, f"SELECT kind, name, status FROM steps WHERE run_id = '{run.id}' ORDER BY name")
    assert rows == [("tool", "a", "completed"), ("tool", "b", "failed")]


async def test_a_step_that_changes_its_input_changes_nobody_elses(log: Log) -> None:
    async def make() -> dict[str, list[int]]:
        return {"numbers": [1]}

    async def spoil(x: dict[str, list[int]]) -> int:
        x["numbers"].append(2)
        return len(x["numbers"])

    workflow = anb.Workflow(
        "w", outputs={"made": "${steps.make.output}", "seen": "${steps.note.output}", "spoilt": "${steps.spoil.output}"}
    )
    workflow.add("make", tool=make).add("spoil", tool=spoil, input={"x": "${steps.make.output}"})
    workflow.add("note", tool=log.note, input={"x": "${steps.make.output}"}, needs=["spoil"])
    run = await workflow.run()
    assert run.outputs == {"made": {"numbers": [1]}, "seen": {"numbers": [1]}, "spoilt": 2}


async def test_a_run_that_is_cancelled_as_it_begins_leaves_nothing_unawaited(log: Log) -> None:
    def cancel(event: Any) -> None:
        if event.type == "workflow.started":
            run.cancel()

    run = asyncio.ensure_future(anb.Workflow("w").add("a", tool=log.note).run(listener=cancel))
    with pytest.raises(asyncio.CancelledError):
        await run
    made = [one for one in gc.get_objects() if inspect.iscoroutine(one)]
    assert [one.__qualname__ for one in made if inspect.getcoroutinestate(one) == inspect.CORO_CREATED] == []
    assert log.done == []


async def test_a_listener_that_fails_harms_no_run(log: Log, caplog: pytest.LogCaptureFixture) -> None:
    def listen(event: object) -> None:
        raise ValueError("broken screen")

    run = await anb.Workflow("w").add("a", tool=log.note).run(listener=listen)
    assert run.status == "completed"
    assert "a listener failed at workflow.step_completed" in caplog.text


async def test_each_step_has_a_task_and_a_context_of_its_own() -> None:
    found: list[tuple[str, str]] = []

    async def look(x: Any = None) -> Any:
        task = asyncio.current_task()
        found.append((task.get_name() if task else "", _seen.get()))
        _seen.set("another step's")
        async with asyncio.timeout(5):
            await asyncio.sleep(0)
        return x

    workflow = anb.Workflow("contexts")
    workflow.add("a", tool=look)
    workflow.add("b", tool=look, needs=["a"])
    workflow.add("c", tool=look, input={"x": "${item}"}, for_each=[1, 2], needs=["b"])
    _seen.set("outside")
    assert (await workflow.run()).status == "completed"
    assert found == [("a", "outside"), ("b", "outside"), ("c[0]", "outside"), ("c[1]", "outside")]
