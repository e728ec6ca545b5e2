"""What a hostile review of workflows found: each test fails without its mend."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

import agentnb as anb
from agentnb.cli.execution import waits
from agentnb.errors import ConfigurationError, ExecutionCancelled, IllegalTransition, StoreError
from agentnb.ports.store import FINAL, Event, Signal
from agentnb.runtime import sweeping, workflow_runs, workflow_signals
from agentnb.runtime.watch import ActiveRun
from agentnb.runtime.workflow_runs import WorkflowOptions
from agentnb.workflows.dag import StepError

OPTIONS = WorkflowOptions()


async def note(x: Any = None) -> Any:
    return x


async def bad() -> None:
    raise ValueError("bad")


async def long() -> None:
    await asyncio.sleep(30)


def machine(name: str = "m", **fields: Any) -> anb.Workflow:
    return anb.Workflow(name, kind="state_machine", **fields)


def action(x: str) -> dict[str, Any]:
    return {"tool": note, "idempotent": True, "input": {"x": x}}


def states(run: anb.WorkflowRun) -> list[str]:
    return [visit["state"] for visit in run.history]


async def killed(workflow: anb.Workflow, at: Callable[[Event], bool], send: str = "", **arguments: Any) -> str:
    """Run it in a process that dies once such an event is in the journal: nothing is written after it; gives the run's ID."""
    runtime = anb.current()
    write, dead = runtime.store.write, False

    def mortal(*records: Any, **fields: Any) -> None:
        nonlocal dead
        if dead:
            raise StoreError("the process is dead")
        write(*records, **fields)
        dead = any(isinstance(record, Event) and at(record) for record in records)

    runtime.store.write = mortal  # type: ignore[method-assign]
    try:
        task = asyncio.ensure_future(workflow.run(**arguments))
        if send:
            while not any(event.type == "workflow.step_started" for event in runtime.events()):
                await asyncio.sleep(0.005)
            workflow_signals.send(runtime, runtime.runs()[0].id, send)
        with suppress(StoreError):
            await task
    finally:
        runtime.store.write = write  # type: ignore[method-assign]
    assert dead
    return runtime.runs()[0].id


def let_time_pass(seconds: float) -> None:
    connection = anb.current().store._open()  # type: ignore[attr-defined]
    connection.execute("UPDATE runs SET wake_at = wake_at - ? WHERE wake_at > 0", (seconds,))
    for field in ("$.entered_at", "$.question.due"):
        connection.execute(
            "UPDATE events SET data = json_set(data, ?2, json_extract(data, ?2) - ?1) WHERE json_extract(data, ?2) > 0", (seconds, field)
        )


async def test_an_entry_action_that_failed_is_not_forgotten_by_a_crash() -> None:
    flow = machine().state("A", entry=[{"tool": bad}], step=action("work"), transitions=[{"to": "E", "on": "error"}, {"to": "OK"}])
    flow.state("E", final=True).state("OK", final=True)
    run_id = await killed(flow, lambda event: event.type == "workflow.step_failed")
    assert states(await workflow_runs.resume(anb.current(), run_id, OPTIONS)) == ["A", "E"]


async def test_the_output_of_a_state_is_not_that_of_its_actions_after_a_crash() -> None:
    flow = machine(outputs={"a": "${steps.A.output}"})
    flow.state("A", entry=[action("entry")], step=action("work"), exit=[action("exit")], transitions=[{"to": "B"}])
    flow.state("B", step=action("b"), transitions=[{"to": "OK"}]).state("OK", final=True)
    run_id = await killed(flow, lambda event: event.data.get("state") == "B")
    assert (await workflow_runs.resume(anb.current(), run_id, OPTIONS)).outputs == {"a": "work"}


async def test_the_event_that_interrupts_a_state_still_counts_after_a_crash_in_its_exit() -> None:
    flow = machine().state("A", step={"tool": long}, exit=[action("exit")], transitions=[{"to": "OK"}, {"to": "STOP", "on": "stop"}])
    flow.state("OK", final=True).state("STOP", final=True)
    run_id = await killed(
        flow, lambda event: event.step_id == "A@1.exit.0" and event.type == "workflow.step_completed", "stop", attended=True
    )
    assert states(await workflow_runs.resume(anb.current(), run_id, OPTIONS)) == ["A", "STOP"]


async def test_an_event_is_taken_once() -> None:
    flow = machine().state("OPEN", transitions=[{"to": "PAID", "on": "paid", "when": "event.data.n >= 10"}])
    flow.state("PAID", transitions=[{"to": "TWICE", "on": "paid"}]).state("TWICE", final=True)
    runtime = anb.current()
    run = await flow.run()
    for amount in (3, 12):
        workflow_signals.send(runtime, run.id, "paid", {"n": amount})
        run = await workflow_runs.resume(runtime, run.id, OPTIONS)
    assert states(run) == ["OPEN", "PAID"]
    run = await workflow_runs.resume(runtime, run.id, OPTIONS)
    assert (run.status, states(run)) == ("waiting", ["OPEN", "PAID"])
    workflow_signals.send(runtime, run.id, "paid", {"n": 1})
    assert (await workflow_runs.resume(runtime, run.id, OPTIONS)).status == "completed"


async def test_a_states_step_is_cached() -> None:
    calls = []

    async def count() -> int:
        calls.append(1)
        return len(calls)

    flow = machine(outputs={"n": "${steps.A.output}"}).state("A", step={"tool": count, "cache": True}, transitions=[{"to": "B"}])
    flow.state("B", final=True)
    assert [(await flow.run()).outputs for _ in range(2)] == [{"n": 1}] * 2


@pytest.mark.parametrize("kind", ["dag", "state_machine"])
def test_a_function_that_raises_keyboard_interrupt_ends_the_run_and_not_the_loop(kind: str) -> None:
    def stops() -> None:
        raise KeyboardInterrupt

    flow = anb.Workflow("w", kind=kind)
    if kind == "dag":
        flow.add("a", tool=stops, retry={"max_attempts": 3})
    else:
        flow.state("A", step={"tool": stops}, transitions=[{"to": "B"}]).state("B", final=True)
    with pytest.raises(ExecutionCancelled, match="was interrupted"):
        flow.run_sync()
    assert anb.current().runs()[0].status == "cancelled"


async def test_a_person_who_does_not_answer_is_a_time_out() -> None:
    flow = machine().state(
        "A", step={"human": {"prompt": "?", "timeout": "10ms"}}, transitions=[{"to": "T", "on": "timed_out"}, {"to": "O"}]
    )
    flow.state("T", final=True).state("O", final=True)
    assert states(await flow.run()) == ["A", "T"]
    with pytest.raises(StepError) as caught:
        await anb.Workflow("w").add("a", human={"prompt": "?", "timeout": "10ms"}).run()
    assert anb.current().get(caught.value.run_id).reason == "timed_out"


async def test_a_sub_workflow_waits_for_one_timer_after_the_other() -> None:
    inner = machine("inner").state("A", transitions=[{"to": "B", "after": "1h"}]).state("B", transitions=[{"to": "C", "after": "2h"}])
    run = await anb.Workflow("outer").add("sub", workflow=inner.state("C", final=True)).run()
    runtime = anb.current()
    for status in ("waiting", "completed"):
        let_time_pass(7300)
        assert await asyncio.wait_for(sweeping.sweep(runtime, OPTIONS), 10) == [run.id]
        assert runtime.get(run.id).status == status
        assert len(runtime.events(run.id)) < 20


@pytest.mark.parametrize("heard", [False, True], ids=["unheard", "heard"])
async def test_what_a_run_is_told_while_it_is_let_go_of_is_not_lost(heard: bool) -> None:
    """The answer of another process comes between the decision to let go and the suspension, whether or not the watch still hears it."""
    runtime = anb.current()
    write = runtime.store.write

    def answered(*records: Any, **fields: Any) -> None:
        if any(isinstance(record, Event) and record.type == "workflow.suspended" for record in records):
            runtime.store.write = write  # type: ignore[method-assign]
            other = anb.Runtime()
            asking = other.runs(name="inner")[0].id
            workflow_signals.answer(other, asking, "ask", "approve")
            other.close()
            if heard:
                assert runtime.watch.deliver(asking)
        write(*records, **fields)

    inner = anb.Workflow("inner", outputs={"ok": "${steps.ask.output.approved}"}).add("ask", human={"prompt": "?"})
    runtime.store.write = answered  # type: ignore[method-assign]
    assert (await inner.run()).outputs == {"ok": True}
    runtime.store.write = answered  # type: ignore[method-assign]
    run = await anb.Workflow("outer", outputs={"ok": "${steps.sub.output.ok}"}).add("sub", workflow=inner).run()
    assert (run.status, run.outputs) == ("completed", {"ok": True})


async def test_two_threads_that_hand_over_one_event_do_so_once() -> None:
    """The watch, and whoever sends in the same process, read the store at the same time."""
    runtime = anb.current()
    read, both, active = runtime.store.signals, threading.Barrier(2), ActiveRun("run")

    def together(*arguments: Any) -> Any:
        found = read(*arguments)
        with suppress(threading.BrokenBarrierError):
            both.wait(0.5)
        return found

    runtime.store.write(Signal("run", "event:go", None))
    runtime.store.signals = together  # type: ignore[method-assign]
    runtime.watch.add(active)
    await asyncio.gather(*(asyncio.to_thread(runtime.watch.deliver, "run") for _ in range(2)))
    runtime.watch.remove("run")
    await asyncio.sleep(0)
    assert active.answers("event:go").qsize() == 1


async def test_an_answer_is_for_one_of_several_sub_workflows_that_ask_the_same() -> None:
    inner = anb.Workflow("inner", inputs={"n": int}, outputs={"by": "${steps.ask.output.by}"}).add(
        "ask", human={"prompt": "pay ${inputs.n}?"}
    )
    outer = anb.Workflow("outer", outputs={"by": "${steps.each.output}"})
    outer.add("each", workflow=inner, for_each=[1, 2], input={"n": "${item}"})
    runtime = anb.current()
    run = await outer.run()
    first, second = (owner for owner, _ in workflow_signals.pending(runtime, run.id))
    with pytest.raises(ConfigurationError, match=f"name the one that is meant: {first}, {second}"):
        workflow_signals.answer(runtime, run.id, "ask", "approve")
    assert [wait["command"].split()[3] for wait in waits(runtime, run)] == [first, second]
    workflow_signals.answer(runtime, second, "ask", "approve", by="Eve")
    run = await workflow_runs.resume(runtime, run.id, OPTIONS)
    workflow_signals.answer(runtime, run.id, "ask", "approve", by="Ada")
    run = await workflow_runs.resume(runtime, run.id, OPTIONS)
    assert run.outputs == {"by": [{"by": "Ada"}, {"by": "Eve"}]}
    assert run.steps["each"].duration_ms >= run.steps["each[1]"].duration_ms


async def test_an_answer_whose_giver_dies_is_acted_on_by_a_sweep() -> None:
    inner = anb.Workflow("inner").add("ask", human={"prompt": "?"})
    runtime = anb.current()
    run = await anb.Workflow("outer").add("sub", workflow=inner).run()
    assert workflow_signals.answer(runtime, run.id, "ask", "approve")
    assert await sweeping.sweep(runtime, OPTIONS) == []
    let_time_pass(6)
    assert await sweeping.sweep(runtime, OPTIONS) == [run.id]
    assert runtime.get(run.id).status == "completed"


async def test_sub_workflows_that_wait_end_with_their_run() -> None:
    async def fails_later() -> None:
        await asyncio.sleep(0.1)
        raise ValueError("no")

    runtime = anb.current()
    inner = anb.Workflow("inner").add("ask", human={"prompt": "?"})
    with pytest.raises(StepError):
        await anb.Workflow("outer").add("sub", workflow=inner).add("bad", tool=fails_later).run()
    assert [run.status for run in runtime.runs(name="inner")] == ["cancelled"]
    flow = machine("moves on").state("A", step={"workflow": inner}, transitions=[{"to": "B", "after": "100ms"}, {"to": "C"}])
    await flow.state("B", final=True).state("C", final=True).run()
    assert [run.status for run in runtime.runs(name="inner")] == ["cancelled"] * 2


async def test_a_fan_out_ends_with_its_run() -> None:
    async def one(x: int) -> None:
        if x == 1:
            raise ValueError("no")
        await asyncio.sleep(30)

    flow = anb.Workflow("w").add("each", tool=one, for_each=[0, 1, 2], input={"x": "${item}"})
    with pytest.raises(StepError) as caught:
        await flow.run()
    steps = workflow_runs.get(anb.current(), caught.value.run_id).steps
    assert [step.status for step in steps.values()] == ["failed", "cancelled", "failed", "cancelled"]
    task = asyncio.ensure_future(anb.Workflow("v").add("each", tool=long, for_each=[0]).run())
    while not anb.current().runs(status="running"):
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    steps = workflow_runs.get(anb.current(), anb.current().runs()[0].id).steps
    assert [step.status for step in steps.values()] == ["cancelled", "cancelled"]


async def test_a_rerun_from_a_step_does_so_also_after_a_crash() -> None:
    flow = anb.Workflow("w")
    for name, needs in (("a", []), ("b", ["a"]), ("c", ["b"])):
        flow.add(name, tool=note, input={"x": name}, needs=needs, idempotent=True)
    first = await flow.run()
    run_id = await killed(flow, lambda event: event.step_id == "a" and event.type == "workflow.step_completed", rerun=first.id, start=["b"])
    ended = await workflow_runs.resume(anb.current(), run_id, OPTIONS)
    assert {name: step.source for name, step in ended.steps.items()} == {"a": first.id, "b": "", "c": ""}


async def test_a_thousand_known_fan_outs_in_a_row() -> None:
    flow = anb.Workflow("w")
    for number in range(1100):
        flow.add(f"s{number}", tool=note, needs=[f"s{number - 1}"] if number else [], for_each=[1], idempotent=True)
    first = await flow.run()
    assert (await flow.run(rerun=first.id)).usage["replayed"] == 1100


async def test_a_cache_key_that_cannot_be_evaluated_fails_its_step_only() -> None:
    flow = anb.Workflow("w").add("a", tool=note, input={"x": {}})
    flow.add("b", tool=note, cache={"key": "${steps.a.output.missing.part}"}, on_error="continue")
    assert (await flow.run()).steps["b"].status == "failed"


async def test_a_functions_own_time_out_keeps_its_message() -> None:
    async def slow_database() -> None:
        raise TimeoutError("the database didn't answer")

    with pytest.raises(StepError, match="TimeoutError: the database didn't answer") as caught:
        await anb.Workflow("w").add("a", tool=slow_database, timeout="9s").run()
    assert caught.value.reason == "timed_out"


async def test_both_time_outs_stand_still_while_somebody_is_asked() -> None:
    @anb.tool(approval=True)
    async def pay() -> str:
        """Pay."""
        return "paid"

    class Slow:
        def present_question(self, run_id: str, step: Any) -> None:
            asyncio.get_running_loop().call_later(0.2, workflow_signals.answer, anb.current(), run_id, step.id, "approve")

    flow = anb.Workflow("w", outputs={"x": "${steps.pay.output}"}).add("pay", tool=pay, timeout={"attempt": "100ms", "step": "100ms"})
    assert (await flow.run(presenter=Slow())).outputs == {"x": "paid"}


async def test_a_run_that_cannot_be_loaded_harms_no_other() -> None:
    runtime = anb.current()
    runs = [
        await anb.Workflow(name).add("a", human={"prompt": name, "timeout": "1h", "on_timeout": "reject"}).run() for name in ("one", "two")
    ]
    connection = runtime.store._open()  # type: ignore[attr-defined]
    connection.execute("UPDATE definitions SET spec = replace(spec, '\"prompt\"', '\"was\"') WHERE name = 'one'")
    let_time_pass(3700)
    assert await sweeping.sweep(runtime, OPTIONS) == [runs[1].id]
    assert runtime.get(runs[1].id).status == "completed"


async def test_a_dead_process_whose_run_asked_somebody_is_noticed(tmp_path: Path) -> None:
    """It waited for a person and for a timer; the timer goes on after the lease has run out."""
    program = """
import os, agentnb as anb
flow = anb.Workflow("m", kind="state_machine").state("A", step={"human": {"prompt": "?"}}, transitions=[{"to": "B", "after": "1h"}])
flow.state("B", final=True).run_sync(attended=True, listener=lambda event: event.type == "workflow.step_waiting" and os._exit(9))
"""
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 9
    runtime = anb.current()
    [run] = runtime.runs()
    connection = runtime.store._open()  # type: ignore[attr-defined]
    connection.execute("UPDATE runs SET lease_until = lease_until - 60")
    let_time_pass(3700)
    assert await sweeping.sweep(runtime, OPTIONS) == [run.id]
    assert runtime.get(run.id).status == "completed"


async def test_a_sub_workflow_wants_a_mapping() -> None:
    inner = anb.Workflow("inner", inputs={"x": int}).add("a", tool=note)
    with pytest.raises(StepError, match="the inputs of 'inner' are a str, not a mapping"):
        await anb.Workflow("outer").add("sub", workflow=inner, input="text").run()


async def test_items_that_failed_are_stale() -> None:
    async def odd(x: int) -> None:
        if x == 1:
            raise ValueError("no")

    flow = anb.Workflow("w").add("each", tool=odd, for_each=[1, 2], input={"x": "${item}"}, on_error="continue")
    run = await flow.run()
    assert flow.stale(run.id) == ["each"]


async def test_functions_of_one_text_that_hold_other_values_are_not_the_same() -> None:
    def closure(value: int) -> Any:
        async def give() -> int:
            return value

        return give

    def default(value: int) -> Any:
        async def give(n: int = value) -> int:
            return n

        return give

    for make in (closure, default):
        flows = [anb.Workflow("w", outputs={"x": "${steps.a.output}"}).use(f=make(n)).add("a", tool="f", cache=True) for n in (1, 2)]
        assert [(await flow.run()).outputs["x"] for flow in flows] == [1, 2]


async def test_coroutines_are_awaited_and_generators_refused() -> None:
    def endless() -> Any:
        while True:
            yield 1

    flow = anb.Workflow("w", outputs={"x": "${steps.a.output}"}).use(f=lambda x: note(x)).add("a", tool="f", input={"x": 1})
    assert (await flow.run()).outputs == {"x": 1}
    with pytest.raises(StepError, match="returned a generator: return the values themselves"):
        await anb.Workflow("w").add("a", tool=endless).run()


async def test_a_context_stays_in_its_process() -> None:
    def told(context: anb.Context[Any]) -> str:
        return context.run_id

    with pytest.raises(StepError, match="told takes a context, which stays in this process"):
        await anb.Workflow("w").add("a", tool=told, executor="process").run()


def everything() -> anb.Workflow:
    broken = {"tool": bad, "idempotent": True, "retry": {"max_attempts": 2, "initial": "1ms"}}
    flow = machine(outputs={"r": "${steps.R.output.approved}"})
    flow.state("A", entry=[action("in 1"), action("in 2")], step=action("a"), exit=[action("out")], transitions=[{"to": "B"}])
    flow.state(
        "B", step=broken, exit=[action("out")], transitions=[{"to": "B", "on": "error", "when": "attempts < 2"}, {"to": "R", "on": "error"}]
    )
    flow.state("R", step={"human": {"prompt": "?"}}, exit=[action("out")], transitions=[{"to": "E", "on": "approved"}])
    flow.state("E", entry=[action("in")], transitions=[{"to": "T", "on": "go"}]).state("T", transitions=[{"to": "F", "after": "2ms"}])
    return flow.state("F", entry=[action("in")], final=True)


async def lived_through(deaths: int) -> tuple[Any, int]:
    """A run whose process dies after that many writes, and what it came to; with how often it wrote."""
    runtime = anb.current()
    write, writes, dead, run_id = runtime.store.write, 0, False, ""

    def mortal(*records: Any, **fields: Any) -> None:
        nonlocal writes, dead
        if dead:
            raise StoreError("the process is dead")
        write(*records, **fields)
        writes += 1
        dead = writes == deaths

    runtime.store.write = mortal  # type: ignore[method-assign]
    try:
        while not run_id or runtime.store.run(run_id).status not in FINAL:
            dead = False
            with suppress(StoreError):
                await (workflow_runs.resume(runtime, run_id, OPTIONS) if run_id else everything().run())
            run_id = run_id or runtime.runs()[0].id
            with suppress(StoreError, ConfigurationError, IllegalTransition):
                for owner, step in workflow_signals.pending(runtime, run_id):
                    workflow_signals.answer(runtime, owner, step.id, "approve")
                if not dead and not any(signal.name == "event:go" for signal in runtime.store.signals(run_id)):
                    workflow_signals.send(runtime, run_id, "go")
    finally:
        runtime.store.write = write  # type: ignore[method-assign]
    run = workflow_runs.get(runtime, run_id)
    completed = [event.step_id for event in runtime.events(run_id) if event.type == "workflow.step_completed"]
    assert len(completed) == len(set(completed))
    return (run.status, run.outputs, states(run), {name: (step.status, step.output) for name, step in run.steps.items()}), writes


async def test_a_state_machine_comes_to_the_same_wherever_it_is_killed() -> None:
    wanted, writes = await lived_through(0)
    assert wanted[:3] == ("completed", {"r": True}, ["A", "B", "B", "R", "E", "T", "F"])
    for death in range(1, writes + 1):
        assert (await lived_through(death))[0] == wanted, death


async def test_a_run_counts_steps_that_have_not_begun() -> None:
    run = await anb.Workflow("w").add("ask", human={"prompt": "?"}).add("next", tool=note, needs=["ask"]).run()
    assert "0 of 2 steps" in repr(run)
    assert "2 of 2 steps" in repr(await run.answer("ask", "approve"))
