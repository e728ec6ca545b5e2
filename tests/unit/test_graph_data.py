"""What front ends draw a graph from: places of everything, what a run has come to, and what changed since."""

from __future__ import annotations

import json
from typing import Any

import pytest

import agentnb as anb
from agentnb.errors import AgentNBError
from agentnb.runtime import workflow_runs, workflow_signals
from agentnb.runtime.graphs.details import details
from agentnb.runtime.graphs.drawing import of_definition, of_workflow
from agentnb.runtime.graphs.following import Following

SECRET = "sk-abcdefghijklmnopqrstuvwxyz123456"


async def note(x: Any = None) -> Any:
    return x


async def bad(x: Any = None) -> None:
    raise ValueError(f"no {x}")


def inner() -> anb.Workflow:
    flow = anb.Workflow("inner", inputs={"x": str})
    flow.add("first", tool=note, input={"x": "${inputs.x}"})
    return flow.add("ask", human={"prompt": "Is ${steps.first.output} right?", "form": FORM}, needs=["first"])


FORM = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


def outer() -> anb.Workflow:
    flow = anb.Workflow("outer", inputs={"x": (str, "it")})
    flow.add("each", tool=note, for_each=[1, 2, 3], input={"x": "${item}"})
    return flow.add("sub", workflow=inner(), input={"x": "${inputs.x}"}, needs=["each"], title="The inner one")


def loop() -> anb.Workflow:
    flow = anb.Workflow("loop", kind="state_machine")
    flow.state("A", step={"tool": note, "input": {"x": 1}}, transitions=[{"to": "A", "when": "attempts < 3"}, {"to": "B"}])
    flow.state("B", step={"human": {"prompt": "Good?"}}, transitions=[{"to": "A", "on": "rejected"}, {"to": "C", "on": "approved"}])
    return flow.state("C", final=True)


def test_a_definition_is_drawn_with_its_sub_workflows() -> None:
    flow = outer()
    found = of_workflow(flow)
    json.dumps(found, allow_nan=False)
    assert (found["name"], found["kind"], found["left_out"]) == ("outer", "dag", 0)
    each, sub = found["nodes"]
    assert (each["id"], each["kind"], each["fan"]) == ("each", "tool", True)
    assert sub["title"] == "The inner one"
    assert [node["id"] for node in sub["graph"]["nodes"]] == ["first", "ask"]
    assert each["x"] + each["width"] < sub["x"]
    (edge,) = found["edges"]
    assert (edge["id"], edge["source"], edge["target"]) == ("each→sub", "each", "sub")
    assert edge["points"][0][0] == each["x"] + each["width"]
    assert edge["points"][-1][0] == sub["x"]


async def test_a_run_is_drawn_from_what_it_pinned_and_followed_into_its_sub_workflow() -> None:
    flow = outer()
    run = await flow.run()
    assert run.status == "waiting"
    store = flow.runtime.store
    assert of_definition(store, store.definition(store.run(run.id).definition)) == of_workflow(flow)

    following = Following(flow.runtime, run.id)
    state = following.state()
    json.dumps(state, allow_nan=False)
    assert state["run"]["status"] == "waiting"
    assert {path: step["status"] for path, step in state["steps"].items()} == {
        "each": "completed", "sub": "waiting", "sub/first": "completed", "sub/ask": "waiting",
    }  # fmt: skip
    assert state["steps"]["each"]["items"] == {"total": 3, "done": 3, "failed": 0}
    assert "asks" not in state["steps"]["sub"]
    assert state["steps"]["sub/ask"]["asks"] == "somebody"
    assert [path for path, _ in following.waiting()] == ["sub/ask"]
    assert state["run"]["path"] == ["each", "sub"]
    assert following.changes() == {}

    found = details(flow.runtime, following, "sub/ask")
    assert found["question"]["form"] == FORM
    assert found["question"]["prompt"] == "Is it right?"
    assert found["run"] == state["steps"]["sub"]["child"]
    workflow_signals.answer(flow.runtime, found["run"], found["step"], "approve", data={"city": "Rome"})
    await workflow_runs.resume(flow.runtime, run.id, workflow_runs.WorkflowOptions())
    changes = following.changes()
    assert changes["run"]["status"] == "completed"
    assert {path: step["status"] for path, step in changes["steps"].items()} == {"sub": "completed", "sub/ask": "completed"}
    assert following.finished
    assert following.changes() == {}


async def test_a_sheet_shows_items_attempts_and_errors() -> None:
    flow = anb.Workflow("fails").add(
        "x", tool=bad, for_each=["a", SECRET], retry={"max_attempts": 2, "initial": "1ms"}, input={"x": "${item}"}
    )
    with pytest.raises(AgentNBError) as caught:
        await flow.run()
    following = Following(flow.runtime, caught.value.run_id)
    state = following.state()
    assert state["steps"]["x"]["status"] == "failed"
    assert state["run"]["error"]["message"]
    whole = details(flow.runtime, following, "x")
    assert [part["id"] for part in whole["parts"]] == ["x[0]", "x[1]"]
    item = details(flow.runtime, following, "x", "x[0]")
    assert item["input"] == {"json": {"x": "a"}}
    assert item["output"] is None
    assert "no a" in item["error"]["message"]
    assert [attempt["status"] for attempt in item["attempts"]] == ["failed", "failed"]
    assert all(attempt["ended_at"] >= attempt["started_at"] > 0 for attempt in item["attempts"])
    assert [event["type"] for event in item["events"]][-1] == "workflow.step_failed"
    assert SECRET not in json.dumps([state, whole, item, details(flow.runtime, following, "x", "x[1]")])


async def test_a_state_machines_way() -> None:
    flow = loop()
    run = await flow.run()
    following = Following(flow.runtime, run.id)
    state = following.state()
    assert state["taken"] == {"A→A": [1, 2], "A→B": [3]}
    assert state["current"] == ["B"]
    assert state["steps"]["A"]["visits"] == 3
    assert state["steps"]["B"]["status"] == "waiting"
    assert [part["id"] for part in details(flow.runtime, following, "A")["parts"]] == ["A@1", "A@2", "A@3"]
    assert details(flow.runtime, following, "A")["step"] == "A@3"
    assert details(flow.runtime, following, "C") == {"path": "C", "part": "", "run": run.id, "parts": [], "count": 0, "status": "queued"}
    workflow_signals.answer(flow.runtime, run.id, "B@1", "approve")
    await workflow_runs.resume(flow.runtime, run.id, workflow_runs.WorkflowOptions())
    changes = following.changes()
    assert changes["current"] == []
    assert changes["taken"] == {"B→C": [4]}
    assert (changes["steps"]["C"]["status"], changes["steps"]["C"]["visits"]) == ("completed", 1)
    spans = [span for step in following.state()["steps"].values() for span in step["spans"]]
    assert len(spans) == 5
    assert all(0 < start <= end for start, end in spans)


def test_a_sheet_of_a_sub_workflow_that_has_not_begun() -> None:
    flow = outer()
    run = flow.run_sync()
    following = Following(flow.runtime, run.id)
    following.state()
    assert details(flow.runtime, following, "each/nowhere")["status"] == "queued"


def test_large_values_come_as_the_beginning_of_their_text() -> None:
    flow = anb.Workflow("large").add("x", tool=note, input={"x": "y" * 100_000})
    run = flow.run_sync()
    following = Following(flow.runtime, run.id)
    following.state()
    found = details(flow.runtime, following, "x")["output"]
    assert set(found) == {"text"}
    assert len(found["text"]) < 30_000
    assert "characters in all" in found["text"]


@pytest.mark.parametrize(("count", "reach"), [(1000, 3), (300, 40)])
def test_a_thousand_steps_are_drawn_in_full(count: int, reach: int) -> None:
    flow = anb.Workflow("large")
    for i in range(count):
        flow.add(f"s{i}", tool=note, needs=[f"s{j}" for j in range(max(i - reach, 0), i)])
    found = of_workflow(flow)
    assert len(found["nodes"]) == count
    assert len(found["edges"]) + found["left_out"] == sum(min(i, reach) for i in range(count))
    assert len(found["edges"]) <= 4_000
