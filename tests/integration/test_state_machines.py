"""State machines as users run them: outcomes, events, timers, people; also with no process alive in between."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

import agentnb as anb
from agentnb.errors import ConfigurationError, IllegalTransition, NotWaiting
from agentnb.runtime import sweeping, workflow_runs, workflow_signals
from agentnb.runtime.workflow_runs import WorkflowOptions
from agentnb.workflows.dag import StepError
from agentnb.workflows.machine import FailedState, NoTransition, TooManyTransitions
from agentnb.workflows.trace import StepRecord

REVIEW = """
name: review loop
kind: state_machine
inputs: {topic: {type: string}}
initial: START
states:
  START:      {transitions: [{to: PROCESSING}]}
  PROCESSING: {step: {tool: write, input: {topic: "${inputs.topic}"}}, transitions: [{to: REVIEW}, {to: ERROR, on: error}]}
  REVIEW:
    step: {human: {prompt: "Good? ${steps.PROCESSING.output}"}}
    transitions: [{to: APPROVED, on: approved}, {to: PROCESSING, on: rejected}]
  ERROR:      {transitions: [{to: PROCESSING, when: "attempts < 3"}, {to: FAILED}]}
  APPROVED:   {transitions: [{to: COMPLETE}]}
  COMPLETE:   {final: true}
  FAILED:     {final: true, status: failed}
outputs: {text: "${steps.PROCESSING.output}"}
"""


class Writer:
    """Fails as often as it is told, then writes drafts."""

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.calls = 0

    async def write(self, topic: str) -> str:
        self.calls += 1
        if self.calls <= self.failures:
            raise ValueError("no idea")
        return f"{topic}, draft {self.calls}"


def review(writer: Writer) -> anb.Workflow:
    return anb.Workflow.from_yaml(REVIEW).use(write=writer.write)


class Person:
    """Answers each question at once, by the next of the verdicts."""

    def __init__(self, *verdicts: str) -> None:
        self.verdicts = list(verdicts)
        self.asked: list[str] = []

    def present_question(self, run_id: str, step: StepRecord) -> None:
        assert step.question is not None
        self.asked.append(step.question["prompt"])
        workflow_signals.answer(anb.current(), run_id, step.id, self.verdicts.pop(0), note="so")


def states(run: anb.WorkflowRun) -> list[str]:
    return [visit["state"] for visit in run.history]


async def test_the_example_of_the_mission_with_its_loop_and_its_review() -> None:
    person = Person("reject", "approve")
    run = await review(Writer(failures=2)).run({"topic": "Cats"}, presenter=person)
    loop = ["PROCESSING", "ERROR", "PROCESSING", "ERROR", "PROCESSING", "REVIEW", "PROCESSING", "REVIEW", "APPROVED", "COMPLETE"]
    assert states(run) == ["START", *loop]
    assert (run.status, run.outputs, person.asked) == (
        "completed",
        {"text": "Cats, draft 4"},
        ["Good? Cats, draft 3", "Good? Cats, draft 4"],
    )
    assert run.steps["REVIEW@2"].output == {"approved": True, "data": None, "by": anb.current().settings.user, "note": "so"}
    assert states(workflow_runs.get(anb.current(), run.id)) == states(run)


async def test_the_retries_are_spent() -> None:
    with pytest.raises(FailedState, match="'FAILED', whose status is failed") as caught:
        await review(Writer(failures=9)).run({"topic": "x"})
    run = workflow_runs.get(anb.current(), caught.value.run_id)
    assert (run.status, states(run)[-3:]) == ("failed", ["PROCESSING", "ERROR", "FAILED"])


async def test_a_review_waits_without_a_process_and_goes_on_where_it_was() -> None:
    writer = Writer()
    run = await review(writer).run({"topic": "Cats"})
    assert (run.status, [step.id for step in run.waiting]) == ("waiting", ["REVIEW@1"])
    runtime = anb.Runtime()
    assert runtime.get(run.id).owner == ""
    [(owner, step)] = workflow_signals.pending(runtime, run.id)
    assert (owner, step.question["prompt"]) == (run.id, "Good? Cats, draft 1")  # type: ignore[index]
    with pytest.raises(ConfigurationError, match="must be approve, reject, not 'maybe'"):
        workflow_signals.answer(runtime, run.id, "REVIEW@1", "maybe")
    with pytest.raises(ConfigurationError, match="doesn't wait for 'START'; it waits for: REVIEW@1"):
        workflow_signals.answer(runtime, run.id, "START", "approve")
    assert workflow_signals.answer(runtime, run.id, "REVIEW@1", "approve")
    with pytest.raises(ConfigurationError, match="answered already"):
        workflow_signals.answer(runtime, run.id, "REVIEW@1", "reject")
    ended = await workflow_runs.resume(runtime, run.id, WorkflowOptions())
    assert (ended.status, writer.calls, states(ended)[-1]) == ("completed", 1, "COMPLETE")
    with pytest.raises(IllegalTransition, match="nothing to resume"):
        await workflow_runs.resume(runtime, run.id, WorkflowOptions())


async def test_a_run_takes_an_answer_and_goes_on() -> None:
    run = await review(Writer()).run({"topic": "Cats"})
    with pytest.raises(NotWaiting, match="doesn't wait for 'START'; it waits for: REVIEW@1"):
        await run.answer("START", "approve")
    with pytest.raises(ConfigurationError, match="say what the answer to 'REVIEW@1' is: approve, reject"):
        await run.answer("REVIEW")
    with pytest.raises(ConfigurationError, match="must be approve, reject, not True"):
        await run.answer("REVIEW", True)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="not 'aprove', did you mean approve"):
        await run.answer("REVIEW", "aprove")
    again = await run.answer("REVIEW", "deny", note="longer", by="ann")
    assert (run.status, again.status, [step.id for step in again.waiting]) == ("waiting", "waiting", ["REVIEW@2"])
    assert again.steps["REVIEW@1"].output == {"approved": False, "data": None, "by": "ann", "note": "longer"}
    with pytest.raises(NotWaiting, match="doesn't wait for 'REVIEW@1'; it waits for: REVIEW@2"):
        await again.answer("REVIEW@1", "approve")
    ended = await asyncio.to_thread(again.answer_sync, "REVIEW", "approve")
    assert (ended.status, ended.outputs) == ("completed", {"text": "Cats, draft 1"})
    with pytest.raises(NotWaiting, match="is completed: it waits for nothing any more"):
        await ended.answer("REVIEW", "approve")


async def test_an_answer_that_somebody_gave_already_is_refused() -> None:
    run = await review(Writer()).run({"topic": "Cats"})
    assert workflow_signals.answer(anb.current(), run.id, "REVIEW", "approve")
    with pytest.raises(NotWaiting, match="answered already"):
        await run.answer("REVIEW", "reject")
    assert (await anb.resume(run.id)).status == "completed"


async def test_the_answer_to_a_form_has_to_fit_it() -> None:
    grade = {"type": "object", "properties": {"grade": {"type": "integer", "maximum": 6}}, "required": ["grade"]}
    flow = anb.Workflow("grading", outputs={"grade": "${steps.ask.output.data.grade}"})
    flow.add("ask", human={"prompt": "Which grade?", "form": grade})
    run = await flow.run()
    for data, why in [
        ({"grade": 9}, "grade: 9 is greater"),
        ({"grade": "two"}, "grade"),
        (None, "grade.*required|required.*grade|missing"),
        ([], "object"),
    ]:
        with pytest.raises(ConfigurationError, match=why):
            await run.answer("ask", "approve", data)
    assert (await run.answer("ask", "approve", {"grade": 2})).outputs == {"grade": 2}


async def test_an_answer_to_a_run_that_goes_on_elsewhere_only_tells_it() -> None:
    asked = asyncio.Event()

    class Presenter:
        def present_question(self, run_id: str, step: object) -> None:
            asked.set()

    going = asyncio.create_task(review(Writer()).run({"topic": "Cats"}, presenter=Presenter()))
    await asked.wait()
    waiting = workflow_runs.get(anb.current(), anb.current().runs()[0].id)
    assert (await waiting.answer("REVIEW", "approve")).id == waiting.id
    assert (await going).status == "completed"


async def test_entry_and_exit_actions_run_in_order() -> None:
    done: list[str] = []

    async def note(x: str) -> None:
        done.append(x)

    machine = anb.Workflow("m", kind="state_machine")
    action = {"tool": note}
    machine.state(
        "A",
        entry=[{**action, "input": {"x": "in A"}}],
        step={**action, "input": {"x": "A"}},
        exit=[{**action, "input": {"x": "out of A"}}],
        transitions=[{"to": "B"}],
    )
    machine.state("B", entry=[{**action, "input": {"x": "in B, visit ${string(attempts)}"}}], final=True)
    run = await machine.run()
    assert done == ["in A", "A", "out of A", "in B, visit 1"]
    assert list(run.steps) == ["A@1.entry.0", "A@1", "A@1.exit.0", "B@1.entry.0"]


async def test_events_move_it_and_carry_data() -> None:
    machine = anb.Workflow("order", kind="state_machine", outputs={"paid": "${steps.THANK.output}"})
    machine.state("OPEN", transitions=[{"to": "THANK", "on": "paid", "when": "event.data.amount >= 10"}, {"to": "GONE", "on": "cancelled"}])
    machine.state("THANK", step={"tool": _double, "input": {"n": "${event.data.amount}"}}, transitions=[{"to": "END"}])
    machine.state("END", final=True).state("GONE", final=True, status="failed")
    runtime = anb.current()
    run = await machine.run()
    assert (run.status, states(run)) == ("waiting", ["OPEN"])
    assert workflow_signals.send(runtime, run.id, "paid", {"amount": 3})
    assert (await workflow_runs.resume(runtime, run.id, WorkflowOptions())).status == "waiting"
    assert workflow_signals.send(runtime, run.id, "paid", {"amount": 12})
    run = await workflow_runs.resume(runtime, run.id, WorkflowOptions())
    assert (run.status, run.outputs, states(run)) == ("completed", {"paid": 24}, ["OPEN", "THANK", "END"])
    with pytest.raises(IllegalTransition, match="completed already"):
        workflow_signals.send(runtime, run.id, "paid")


def _double(n: int) -> int:
    return 2 * n


async def test_an_event_interrupts_the_work_of_a_state() -> None:
    stopped = asyncio.Event()

    async def long() -> None:
        try:
            await asyncio.sleep(30)
        finally:
            stopped.set()

    machine = anb.Workflow("m", kind="state_machine").state("WORK", step={"tool": long}, transitions=[{"to": "END", "on": "stop"}])
    machine.state("END", final=True)
    task = asyncio.ensure_future(machine.run(attended=True))
    while not anb.current().runs(status="running"):
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.05)
    workflow_signals.send(anb.current(), anb.current().runs()[0].id, "stop")
    run = await task
    assert stopped.is_set()
    assert (run.status, run.steps["WORK@1"].status) == ("completed", "cancelled")


async def test_timers_fire_also_when_the_process_that_began_is_gone() -> None:
    machine = anb.Workflow("m", kind="state_machine")
    machine.state("WAIT", transitions=[{"to": "NAG", "after": "80ms"}, {"to": "END", "on": "done"}])
    machine.state("NAG", transitions=[{"to": "END", "after": "1h"}]).state("END", final=True)
    run = await machine.run()
    assert (run.status, states(run)) == ("waiting", ["WAIT", "NAG"])
    runtime = anb.Runtime()
    stored = runtime.store.run(run.id)
    assert stored.owner == ""
    assert 3590 < stored.wake_at - time.time() < 3601
    assert await sweeping.sweep(runtime, WorkflowOptions()) == []
    _age(runtime, run.id, 3601)
    assert await sweeping.sweep(runtime, WorkflowOptions()) == [run.id]
    assert workflow_runs.get(runtime, run.id).status == "completed"


def _age(runtime: anb.Runtime, run_id: str, seconds: float) -> None:
    """Let time pass for a run: what it has entered and awaits is that much longer ago."""
    connection = runtime.store._open()  # type: ignore[attr-defined]
    connection.execute("UPDATE runs SET wake_at = wake_at - ? WHERE id = ?", (seconds, run_id))
    for field in ("$.entered_at", "$.question.due", "$.question.escalate_at"):
        connection.execute(
            "UPDATE events SET data = json_set(data, ?2, json_extract(data, ?2) - ?1) WHERE run_id = ?3 AND json_extract(data, ?2) > 0",
            (seconds, field, run_id),
        )


async def test_a_question_has_a_deadline_and_is_escalated() -> None:
    human = {"prompt": "Send?", "timeout": "2h", "on_timeout": "reject", "assignee": "ann", "escalate": [{"after": "1h", "to": "bob"}]}
    workflow = anb.Workflow("w", outputs={"ok": "${steps.ask.output.approved}"}).add("ask", human=human)
    run = await workflow.run()
    runtime = anb.current()
    assert run.waiting[0].question["assignee"] == "ann"  # type: ignore[index]
    _age(runtime, run.id, 3601)
    assert await sweeping.sweep(runtime, WorkflowOptions()) == [run.id]
    assert workflow_runs.get(runtime, run.id).waiting[0].question["assignee"] == "bob"  # type: ignore[index]
    _age(runtime, run.id, 3601)
    await sweeping.sweep(runtime, WorkflowOptions())
    ended = workflow_runs.get(runtime, run.id)
    assert (ended.status, ended.outputs, ended.steps["ask"].outcome) == ("completed", {"ok": False}, "rejected")


async def test_a_form_is_checked() -> None:
    form = {"type": "object", "properties": {"grade": {"type": "integer", "minimum": 1}}, "required": ["grade"]}
    workflow = anb.Workflow("w", outputs={"g": "${steps.ask.output.data.grade}"}).add("ask", human={"prompt": "Grade?", "form": form})
    run = await workflow.run()
    runtime = anb.current()
    with pytest.raises(ConfigurationError, match=r"doesn't fit its form: grade: 0 is less than the minimum of 1"):
        workflow_signals.answer(runtime, run.id, "ask", "approve", data={"grade": 0})
    workflow_signals.answer(runtime, run.id, "ask", "approve", data={"grade": 2}, by="ann")
    ended = await workflow_runs.resume(runtime, run.id, WorkflowOptions())
    assert ended.outputs == {"g": 2}
    answered = next(event for event in runtime.events(run.id) if event.type == "workflow.step_answered")
    assert (answered.data["by"], answered.data["answer"]) == ("ann", {"grade": 2})


async def test_a_question_of_a_sub_workflow_reaches_its_run() -> None:
    inner = anb.Workflow("inner", outputs={"ok": "${steps.ask.output.approved}"}).add("ask", human={"prompt": "?"})
    outer = anb.Workflow("outer", outputs={"ok": "${steps.sub.output.ok}"}).add("sub", workflow=inner)
    run = await outer.run()
    assert run.status == "waiting"
    runtime = anb.Runtime()
    [(owner, _)] = workflow_signals.pending(runtime, run.id)
    assert owner == run.steps["sub"].child
    assert workflow_signals.answer(runtime, run.id, "ask", "approve")
    ended = await workflow_runs.resume(runtime, owner, WorkflowOptions())
    assert (ended.id, ended.status, ended.outputs) == (run.id, "completed", {"ok": True})


async def test_a_tool_that_needs_an_approval_asks(tmp_path: Path) -> None:
    done = tmp_path / "done"

    @anb.tool(approval=True)
    def pay(amount: int) -> str:
        """Pay."""
        with done.open("a") as file:
            file.write(str(amount))
        return "paid"

    workflow = anb.Workflow("w").add("pay", tool=pay, input={"amount": 5})
    run = await workflow.run()
    assert (run.status, done.exists(), run.waiting[0].question["kind"]) == ("waiting", False, "approval")  # type: ignore[index]
    workflow_signals.answer(anb.current(), run.id, "pay", "approve")
    assert (await workflow_runs.resume(anb.current(), run.id, WorkflowOptions())).status == "completed"
    assert done.read_text() == "5"
    run = await workflow.run()
    workflow_signals.answer(anb.current(), run.id, "pay", "reject", note="too much")
    with pytest.raises(StepError, match="rejected the call of pay: too much"):
        await workflow_runs.resume(anb.current(), run.id, WorkflowOptions())
    assert done.read_text() == "5"


async def test_a_machine_that_is_stuck_or_turns_for_ever_ends() -> None:
    machine = anb.Workflow("m", kind="state_machine").state(
        "A", step={"human": {"prompt": "?"}}, transitions=[{"to": "B", "on": "approved"}]
    )
    machine.state("B", final=True)
    with pytest.raises(NoTransition, match="'A' ended with the outcome 'rejected'"):
        await machine.run(presenter=Person("reject"))
    machine = anb.Workflow("m", kind="state_machine", max_transitions=20)
    machine.state("A", transitions=[{"to": "B"}]).state("B", transitions=[{"to": "A", "when": "true"}, {"to": "C"}]).state("C", final=True)
    with pytest.raises(TooManyTransitions, match="after 20 transitions"):
        await machine.run()


async def test_waiting_for_somebody_needs_no_resources() -> None:
    done: list[Any] = []

    async def note(x: int) -> None:
        done.append(x)

    workflow = anb.Workflow("w", resources={"max_parallel": 1}).add("ask", human={"prompt": "?"})
    workflow.add("a", tool=note, input={"x": 1}).add("b", tool=note, input={"x": 2})
    run = await workflow.run()
    assert (run.status, done) == ("waiting", [1, 2])
    assert {name: step.status for name, step in run.steps.items()} == {"ask": "waiting", "a": "completed", "b": "completed"}
