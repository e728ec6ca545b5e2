from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser

import pytest

import agentnb as anb
from agentnb import secrets
from agentnb.errors import AgentNBError
from agentnb.runtime import shown, workflow_runs, workflow_signals
from agentnb.runtime.runtime import Runtime
from agentnb.runtime.workflow_results import WorkflowRun
from agentnb.testing import MODEL, scripted_runtime
from agentnb.workflows.spec import adapter
from agentnb.workflows.trace import StepRecord

START = "2026-01-02T10:00:00.000000Z"


@pytest.fixture
def runtime() -> Iterator[Runtime]:
    with scripted_runtime([]) as found:
        yield found


def second(number: float) -> str:
    return f"2026-01-02T10:00:{number:09.6f}Z"


def made(steps: list[StepRecord], document: dict, **fields: object) -> WorkflowRun:
    spec = adapter().validate_python({"name": "made", **document})
    whole = {"duration_ms": 10_000.0, "started_at": START, "ended_at": second(10), **fields}
    return WorkflowRun("workflow_1", "made", "completed", "", {}, {}, {step.id: step for step in steps}, spec, **whole)


def step(name: str, start: float, seconds: float, **fields: object) -> StepRecord:
    record = StepRecord(name, "tool", status="completed", started_at=second(start), duration_ms=seconds * 1000, attempts=1)
    for key, value in fields.items():
        setattr(record, key, value)
    return record


TOOL = {"tool": "t"}


def test_the_critical_path_is_the_chain_that_took_longest_as_it_ran() -> None:
    document = {
        "steps": {
            "off": TOOL,
            "a": {**TOOL, "needs": ["off"]},
            "long": {**TOOL, "needs": ["a"]},
            "b": {**TOOL, "needs": ["a"]},
            "c": {**TOOL, "needs": ["b"]},
            "d": {**TOOL, "needs": ["c", "long"]},
        }
    }
    steps = [step("a", 0, 1), step("long", 1, 6), step("b", 1, 2), step("c", 3, 2), step("d", 7, 2)]
    skipped = StepRecord("off", "tool", status="skipped", reason="when")
    report = made([*steps, skipped], document).report()
    assert report.critical_path == ("a", "long", "d")
    assert (report.critical_ms, report.critical_share, report.parallelism) == (9000, 0.9, pytest.approx(1.3))
    assert report.slowest == ("long", "b", "c", "d", "a")
    assert (report.counts, report.skipped) == ({"completed": 5, "skipped": 1}, {"when": 1})
    assert "critical path: a → long → d (9.0 s, 90% of the time)" in report.to_text().lower().replace("path  ", "path: ")


def test_items_are_folded_into_their_step() -> None:
    document = {"steps": {"each": {**TOOL, "for_each": "${inputs.xs}", "on_error": "continue"}}}
    fan = step("each", 0, 5, started_at="", usage={"items": 4, "failed": 1}, attempts=0, output=[1, None, 3, 4])
    error = {"type": "StepFailed", "message": "no"}
    items = [
        step("each[0]", 1, 1, usage={"input_tokens": 10, "output_tokens": 1, "cost": 0.5}),
        step("each[1]", 1, 4, status="failed", error=error, attempts=3),
        step("each[2]", 2, 2, usage={"input_tokens": 10, "output_tokens": 2, "cost": 0.25}),
        step("each[3]", 0, 0, source="cache", started_at=""),
    ]
    report = made([fan, *items], document).report()
    (found,) = report.steps
    assert found.items is not None
    assert (found.items.count, found.items.failed) == (4, 1)
    assert (found.items.min_ms, found.items.median_ms, found.items.max_ms) == (1000, 2000, 4000)
    assert (found.start_ms, found.attempts) == (1000, 3)
    assert (found.usage["input_tokens"], found.usage["output_tokens"], found.usage["cost"]) == (20, 3, 0.75)
    assert report.usage == found.usage
    assert report.parallelism == pytest.approx(0.7)
    assert report.taken == {"cache": 1}
    assert report.retried == {"each[1]": 3}
    (failure,) = report.failures
    assert (failure.step, failure.handling, failure.handled) == ("each[1]", "continue", True)


def test_a_cost_that_one_step_does_not_know_is_unknown_in_all() -> None:
    spent = {"input_tokens": 5, "output_tokens": 5}
    steps = [step("a", 0, 1, usage={**spent, "cost": 0.5}), step("b", 0, 1, usage={**spent, "cost": None})]
    report = made(steps, {"steps": {"a": TOOL, "b": TOOL}}).report()
    assert [found.usage["cost"] for found in report.steps] == [0.5, None]
    assert report.usage["cost"] is None
    assert "10 in, 10 out · cost unknown" in report.to_text()


def test_what_never_began_and_what_still_runs() -> None:
    document = {"steps": {"a": TOOL, "b": TOOL}}
    report = replace(made([step("a", 4, 0, status="running")], document), status="running").report()
    assert report.not_begun == ("b",)
    assert report.steps[0].duration_ms == 6000


async def test_each_way_of_handling_an_error(runtime: Runtime) -> None:
    flow = anb.Workflow("flow", runtime=runtime)

    def fails() -> None:
        raise ValueError("it broke | `so` <b>badly</b>")

    def works() -> int:
        return 1

    flow.add("on", tool=fails, on_error="continue", retry={"max_attempts": 2, "initial": "1ms"})
    flow.add("detour", tool=works, handler=True)
    flow.add("aside", tool=fails, on_error={"goto": "detour"})
    flow.add("undo", tool=works, handler=True)
    flow.add("booked", tool=fails, on_error={"compensate": "undo"}, needs=["detour", "on"])
    with pytest.raises(AgentNBError) as caught:
        await flow.run()
    report = workflow_runs.get(runtime, caught.value.run_id).report()
    found = {failure.step: (failure.handling, failure.target, failure.target_status, failure.handled) for failure in report.failures}
    assert found == {
        "on": ("continue", "", "", True),
        "aside": ("goto", "detour", "completed", True),
        "booked": ("compensate", "undo", "completed", False),
    }
    assert report.failures[0].attempts == 2
    assert report.retried == {"on": 2}
    assert report.error is not None
    assert "booked" in report.error["message"]
    markdown = report.to_markdown()
    assert "it broke \\| \\`so\\` &lt;b&gt;badly&lt;/b&gt;" in markdown
    assert "<b>badly" not in report._repr_html_()


MACHINE = """
name: review loop
kind: state_machine
initial: WORK
states:
  WORK: {step: {tool: work, input: {x: "${attempts}"}}, transitions: [{to: REVIEW}, {to: AGAIN, on: error}]}
  AGAIN: {transitions: [{to: WORK}]}
  REVIEW: {step: {human: {prompt: "Good?"}}, transitions: [{to: PAY, on: approved}, {to: WORK, on: rejected}]}
  PAY: {transitions: [{to: DONE, on: paid}, {to: LATE, after: 1h}]}
  LATE: {final: true, status: failed}
  DONE: {final: true}
"""


async def test_a_state_machine_says_where_it_was_and_what_it_waits_for(runtime: Runtime) -> None:
    flow = anb.Workflow.from_yaml(MACHINE, runtime=runtime)

    def work(x: int) -> int:
        if x == 1:
            raise ValueError("not yet")
        return x

    run = await flow.use(work=work).run(attended=False)
    report = run.report()
    assert [(visit.state, visit.visit) for visit in report.states] == [("WORK", 1), ("AGAIN", 1), ("WORK", 2), ("REVIEW", 1)]
    assert [(failure.step, failure.handling, failure.target) for failure in report.failures] == [("WORK@1", "transition", "AGAIN")]
    (wait,) = report.waits
    assert (wait.step, wait.kind, wait.prompt) == ("REVIEW@1", "human", "Good?")
    assert wait.command == f"agentnb runs signal {run.id} REVIEW@1 approve|reject"

    workflow_signals.answer(runtime, run.id, "REVIEW@1", "approve")
    report = (await anb.resume(run.id, runtime=runtime, attended=False)).report()
    assert [(wait.kind, wait.step) for wait in report.waits] == [("event", "PAY"), ("timer", "PAY")]
    assert report.waits[0].command == f"agentnb runs signal {run.id} paid --data JSON"
    assert report.waits[1].due

    workflow_signals.send(runtime, run.id, "paid", {"n": 1})
    report = (await anb.resume(run.id, runtime=runtime, attended=False)).report()
    assert (report.status, report.waits) == ("completed", ())
    assert (report.states[-1].state, report.states[-1].event) == ("DONE", "paid")
    assert sum(report.time_in_states.values()) == pytest.approx(report.duration_ms, abs=200)


async def test_what_is_read_from_the_store_says_the_same(runtime: Runtime) -> None:
    flow = anb.Workflow("flow", outputs={"x": "${steps.each.output}"}, runtime=runtime)
    flow.add("ask", agent=anb.Agent("helper", model=MODEL, runtime=runtime), input="hi", on_error="continue")
    flow.add("each", tool=lambda x: x + 1, for_each=[1, 2], input={"x": "${item}"})
    run = await flow.run()
    live, stored = run.report().to_dict(), workflow_runs.get(runtime, run.id).report().to_dict()
    close = {name: pytest.approx(live[name], rel=0.01) for name in ("duration_ms", "critical_ms", "critical_share", "parallelism")}
    assert stored == {**live, **close}
    again = (await flow.run(rerun=run.id)).report()
    assert again.taken == {run.id: 2}
    assert again.rerun_of == run.id


class Well(HTMLParser):
    """Checks that every tag is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_views_shorten_and_mask_what_the_dictionary_has_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_TOKEN", "hush-hush-hush")
    secrets.refresh()
    long = "word " * 10_000
    steps = [step("a", 0, 1, output={"long": long, "secret": "hush-hush-hush", "odd": "\x1b[31m<script>`|"})]
    run = replace(made(steps, {"steps": {"a": TOOL}}), outputs={"long": long, "odd": "\x1b[31m<script>`|"})
    report = run.report()
    assert report.to_dict()["results"]["a"]["long"] == long
    assert "hush-hush" not in json.dumps(report.to_dict())
    views = [report.to_text(), report.to_markdown(), report._repr_html_()]
    for view in views:
        assert len(view) < 40_000
        assert "hush-hush" not in view
        assert "\x1b" not in view
    assert "<script>" not in views[2]
    parser = Well()
    parser.feed(views[2])
    assert parser.open == []


@pytest.mark.parametrize(
    ("value", "lines"),
    [
        ("a\nb", ["a", "b"]),
        ({"a": 1, "b": {"c": "x\ny"}}, ["a: 1", "b:", "  c:", "    x", "    y"]),
        ([{"a": 1, "b": 2}, []], ["- a: 1", "  b: 2", "- []"]),
        ([[1, 2]], ["- - 1", "  - 2"]),
        (None, ["null"]),
        ({}, ["{}"]),
    ],
)
def test_values_are_lines(value: object, lines: list[str]) -> None:
    assert shown.readable(value).splitlines() == lines


def test_a_block_of_markdown_can_not_be_left() -> None:
    block = shown.markdown_block("a\n```\n# b")
    assert re.match(r"^(````+)text\n", block)
    assert shown.markdown_code("a`b") == "`` a`b ``"
