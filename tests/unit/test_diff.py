from __future__ import annotations

from collections.abc import Iterator

import pytest

import agentnb as anb
from agentnb.errors import AgentNBError, ConfigurationError, RunNotFound
from agentnb.runtime.diff import diff
from agentnb.runtime.runtime import Runtime
from agentnb.testing import MODEL, scripted_runtime


def plus(x: int) -> int:
    return x + 1


def times(x: int) -> int:
    return x * 2


def flow(runtime: Runtime, *, second: str = "${steps.a.output}", function: object = plus, **fields: object) -> anb.Workflow:
    made = anb.Workflow("flow", inputs={"n": int}, outputs={"x": "${steps.c.output}"}, runtime=runtime, **fields)
    made.use(f=function)
    made.add("a", tool="f", input={"x": "${inputs.n}"})
    made.add("b", tool=plus, input={"x": second})
    made.add("c", tool=plus, input={"x": "${steps.b.output}"})
    made.add("free", tool=plus, input={"x": 5})
    return made


@pytest.fixture
def runtime() -> Iterator[Runtime]:
    with scripted_runtime(["a quiet\nanswer", "another\nanswer", "third"]) as found:
        yield found


async def test_an_edited_step_is_where_two_runs_first_differ(runtime: Runtime) -> None:
    one = await flow(runtime).run({"n": 1})
    other = await flow(runtime, second="${steps.a.output + 10}", description="New.").run({"n": 1})
    found = diff(runtime, one.id, other.id)
    assert {step.id: step.changed for step in found.steps if step.status == "changed"} == {
        "b": ("input", "output", "definition"),
        "c": ("input", "output"),
    }
    assert found.diverged == "b"
    assert found.counts == {"same": 2, "changed": 2}
    assert not found.definition.same
    assert list(found.definition.fields) == ["description"]
    assert list(found.definition.edited) == ["b"]
    assert (found.a.output, found.b.output) == ({"x": 4}, {"x": 14})
    lines = found.to_text().splitlines()
    assert lines[0].startswith(f"--- a  {one.id}")
    assert lines[1].startswith(f"+++ b  {other.id}")
    assert "-  x: ${steps.a.output}" in lines
    assert "+  x: ${steps.a.output + 10}" in lines
    assert lines[-3:] == ["@@ output of the run @@", "-x: 4", "+x: 14"]
    data = found.to_dict()
    by_id = {step["id"]: step for step in data["steps"]}
    assert by_id["b"]["a"]["output"] == 3
    assert "output" not in by_id["a"]["a"]


async def test_another_function_behind_the_same_text(runtime: Runtime) -> None:
    one, other = await flow(runtime).run({"n": 1}), await flow(runtime, function=times).run({"n": 1})
    found = diff(runtime, one.id, other.id)
    assert (found.definition.edited, found.definition.behind) == ({}, ("a",))
    assert {step.id: step.changed for step in found.steps if step.changed} == {"a": ("definition",)}
    assert found.diverged == ""
    assert found.same


async def test_a_run_again_is_the_same_and_says_where_results_come_from(runtime: Runtime) -> None:
    made = flow(runtime)
    one = await made.run({"n": 1})
    other = await made.run(rerun=one.id)
    found = diff(runtime, one.id[:-1], other.id)
    assert found.same
    assert found.counts == {"same": 4}
    assert found.definition.same
    assert {step.b.source for step in found.steps if step.b} == {one.id}
    assert "in no step" in found.to_text()


async def test_a_failure_and_what_it_left_undone(runtime: Runtime) -> None:
    def picky(x: int) -> int:
        if x > 1:
            raise ValueError("too much")
        return x

    made = flow(runtime, function=picky)
    one = await made.run({"n": 1})
    with pytest.raises(AgentNBError) as caught:
        await made.run({"n": 2})
    found = diff(runtime, one.id, caught.value.run_id)
    steps = {step.id: step for step in found.steps}
    assert steps["a"].changed == ("status", "input", "output", "error")
    assert steps["c"].status == "only in a"
    assert found.diverged == "a"
    assert not found.same
    lines = found.to_text().splitlines()
    assert "-completed" in lines
    assert "+failed (error)" in lines
    assert any(line.startswith("+") and "too much" in line for line in lines)


async def test_the_item_that_differs_is_named_rather_than_its_fan_out(runtime: Runtime) -> None:
    made = anb.Workflow("fan", inputs={"xs": list[int]}, runtime=runtime)
    made.add("each", tool=plus, for_each="${inputs.xs}", input={"x": "${item}"})
    runs = [await made.run({"xs": xs}) for xs in ([1, 2, 3], [1, 5, 3], [1, 2, 3, 4])]
    assert diff(runtime, runs[0].id, runs[1].id).diverged == "each[1]"
    longer = diff(runtime, runs[0].id, runs[2].id)
    assert longer.diverged == "each"
    assert [step.id for step in longer.steps if step.status == "only in b"] == ["each[3]"]
    assert [step.id for step in longer.steps] == ["each", "each[0]", "each[1]", "each[2]", "each[3]"]


async def test_agent_steps_lead_to_the_runs_of_their_agents(runtime: Runtime) -> None:
    made = anb.Workflow("ask", runtime=runtime)
    made.add("ask", agent=anb.Agent("helper", model=MODEL, runtime=runtime), input="hi")
    one, other = await made.run(), await made.run()
    (step,) = diff(runtime, one.id, other.id).steps
    assert step.changed == ("output",)
    assert all(step.children)
    found = diff(runtime, *step.children)
    assert (found.kind, found.diverged) == ("agent", "m1")
    lines = found.to_text().splitlines()
    assert "-  a quiet" in lines
    assert "+  another" in lines
    assert "   answer" in lines
    html = found._repr_html_()
    assert html.count("<td") == html.count("</td>")


async def test_ids_of_tool_calls_are_no_difference() -> None:
    def call(name: str) -> dict:
        return {"tool_calls": [{"id": name, "name": "plus", "arguments": {"x": 1}}]}

    with scripted_runtime([call("c1"), "2", call("c9"), "3"]) as runtime:
        agent = anb.Agent("adder", model=MODEL, tools=[anb.tool(plus)], runtime=runtime)
        one, other = await agent.execute("1 + 1"), await agent.execute("1 + 1")
        found = diff(runtime, one.id, other.id)
    assert [(step.id, step.status) for step in found.steps] == [("m1", "same"), ("m1.t1", "same"), ("m2", "changed")]
    assert (found.a.input, found.a.output, found.b.output) == ("1 + 1", "2", "3")


async def test_another_definition_of_an_agent(runtime: Runtime) -> None:
    runs = [await anb.Agent("helper", model=MODEL, instructions=text, runtime=runtime).execute("hi") for text in ("Be kind.", "Be short.")]
    found = diff(runtime, runs[0].id, runs[1].id)
    assert found.definition.fields == {"instructions": ("Be kind.", "Be short.")}
    assert "-Be kind." in found.to_text().splitlines()


async def test_runs_of_two_kinds_can_not_be_compared(runtime: Runtime) -> None:
    agent = await anb.Agent("helper", model=MODEL, runtime=runtime).execute("hi")
    workflow = await flow(runtime).run({"n": 1})
    with pytest.raises(ConfigurationError, match="compare two runs of one kind"):
        diff(runtime, agent.id, workflow.id)
    with pytest.raises(RunNotFound):
        diff(runtime, "nothing", workflow.id)


async def test_texts_in_html_are_escaped(runtime: Runtime) -> None:
    made = anb.Workflow("text", inputs={"t": str}, runtime=runtime)
    made.add("echo", tool=lambda t: t, input={"t": "${inputs.t}"})
    one, other = await made.run({"t": "<script>1</script>"}), await made.run({"t": "<script>2</script>\x1b[31m"})
    found = diff(runtime, one.id, other.id)
    assert "<script>" not in found._repr_html_()
    assert "\x1b" not in found.to_text()
