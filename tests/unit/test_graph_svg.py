"""The picture of a workflow: well-formed, escaped, legible in size, with what the run has come to."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from typing import Any

import pytest

import agentnb as anb
from agentnb.notebook.graph_svg import workflow_svg
from agentnb.runtime.graphs.layout import Edge, Node, arrange, layers_of, reduced
from agentnb.workflows.trace import StepRecord

SVG = "{http://www.w3.org/2000/svg}"


def work(**_: Any) -> None: ...


def texts(svg: str) -> str:
    return " ".join(text.strip() for text in ElementTree.fromstring(svg).itertext() if text.strip())


def groups(svg: str) -> dict[str, str]:
    """Status of each box by the first words of its hint."""
    found = {}
    for group in ElementTree.fromstring(svg).iter(f"{SVG}g"):
        title = group.find(f"{SVG}title")
        if title is not None and title.text:
            found[title.text.partition(";")[0]] = group.get("data-status", "")
    return found


def test_one_step_is_one_step() -> None:
    workflow = anb.Workflow("one")
    workflow.add("a", tool=work)
    assert "<desc>1 step. " in workflow_svg(workflow.spec)


def flow() -> anb.Workflow:
    workflow = anb.Workflow("support <flow>")
    workflow.add("a", tool=work, on_error={"goto": "mend"})
    workflow.add("each", tool=work, for_each="${steps.a.output}", title="<b>Each</b> & all")
    workflow.add("ask", human={"prompt": "ok?"}, needs=["a"], when="steps.a.status == 'completed'")
    workflow.add("mend", tool=work, handler=True)
    return workflow.add("z", tool=work, needs=["each", "ask", "mend"])


def loop() -> anb.Workflow:
    machine = anb.Workflow("review loop", kind="state_machine")
    machine.state("START", transitions=[{"to": "REVIEW"}])
    machine.state("REVIEW", step={"human": {"prompt": "?"}}, transitions=[
        {"to": "DONE", "on": "approved"}, {"to": "START", "on": "rejected"}, {"to": "REVIEW", "after": "2h"},
    ])  # fmt: skip
    return machine.state("DONE", final=True)


def test_the_plan_alone() -> None:
    svg = workflow_svg(flow().spec)
    root = ElementTree.fromstring(svg)
    assert root.get("role") == "img"
    assert (root.findtext(f"{SVG}title"), root.findtext(f"{SVG}desc", "")[:8]) == ("support <flow>", "5 steps.")
    assert "<b>" not in svg
    assert set(groups(svg).values()) == {""}
    assert svg.count('class="e x"') == 1
    assert "prefers-color-scheme:dark" in svg
    assert "var(--jp-" in svg
    assert not re.search(r"(href|src)=|url\(", svg)


def test_what_a_run_has_come_to() -> None:
    steps = {
        "a": StepRecord("a", "tool", status="completed", duration_ms=1234, attempts=2),
        "each": StepRecord("each", "tool", status="running", input={"items": 10}),
        **{f"each[{i}]": StepRecord(f"each[{i}]", "tool", status="failed" if i else "completed") for i in range(3)},
        "ask": StepRecord("ask", "human", status="waiting", started_at="2026-01-01T00:00:00+00:00"),
        "mend": StepRecord("mend", "tool", status="completed", source="workflow_1"),
    }
    svg = workflow_svg(flow().spec, steps, now=1767225604.0)
    assert groups(svg) == {"a": "completed", "<b>Each</b> & all": "running", "ask": "waiting", "mend": "replayed", "z": "queued"}
    assert "2× · 1.2 s" in texts(svg)
    assert "3/10 · 2 failed" in texts(svg)
    assert "waiting · 4.0 s" in texts(svg)
    assert groups(workflow_svg(flow().spec, steps, stale={"ask", "z"}))["z"] == "stale"


def test_a_state_machine_shows_its_way() -> None:
    plan = texts(workflow_svg(loop().spec))
    assert "approved" in plan
    assert "after 2h" in plan
    history = [{"state": name} for name in ("START", "REVIEW", "START", "REVIEW", "REVIEW")]
    svg = workflow_svg(loop().spec, {"REVIEW@3": StepRecord("REVIEW@3", "human", status="waiting")}, history=history)
    assert groups(svg) == {"START": "completed", "REVIEW": "waiting", "DONE": ""}
    assert "now in REVIEW" in svg
    assert svg.count('class="now"') == 1
    for said in ("1, 3", "2 · rejected", "4 · after 2h", "waiting 3×"):
        assert said in texts(svg)


def chain(count: int) -> dict[str, list[str]]:
    return {f"s{i}": [f"s{i - 1}"] if i else [] for i in range(count)}


LARGE = {
    "chain": chain(300),
    "wide": {**{f"s{i}": [] for i in range(500)}, "end": [f"s{i}" for i in range(500)]},
    "dense": {f"s{i}": [f"s{j}" for j in range(max(i - 30, 0), i)] for i in range(200)},
    "layers": {f"d{i}_{j}": [f"d{i - 1}_{k}" for k in range(8)] if i else [] for i in range(7) for j in range(8)},
}


@pytest.mark.parametrize("name", LARGE)
def test_a_large_one_is_folded(name: str) -> None:
    workflow = anb.Workflow(name)
    for step, needs in LARGE[name].items():
        workflow.add(step, tool=work, needs=needs)
    svg = workflow_svg(workflow.spec, {step: StepRecord(step, "tool", status="completed", duration_ms=9) for step in LARGE[name]})
    assert len(svg) < 100_000
    more = sum(int(count) for count in re.findall(r"\+ (\d+) more", svg))
    shown = [box for box in groups(svg) if re.fullmatch(r"s\d+|d\d_\d|end", box)]
    assert len(shown) + more == len(LARGE[name])
    assert len(shown) <= 70


def test_boxes_of_a_layer_do_not_overlap_and_lines_avoid_boxes() -> None:
    names = "abcdefgh"
    edges = [Edge("a", "b"), Edge("b", "h"), Edge("a", "h"), Edge("a", "c"), Edge("c", "d"), Edge("d", "h"), Edge("e", "h"), Edge("f", "g")]
    layers, found = layers_of(names, edges)
    layout = arrange({name: Node(name, 100, 40) for name in names}, layers, found, 50)
    for one in names:
        for other in names:
            first, second = layout.boxes[one], layout.boxes[other]
            if one < other and first.x == second.x:
                assert abs(first.y - second.y) >= 40
    for line in layout.lines:
        for (x1, y1), (x2, y2) in zip(line.points[1::2], line.points[2::2], strict=False):
            assert not any(box.x <= x1 and x2 <= box.x + box.width and box.y < max(y1, y2) and min(y1, y2) < box.y + box.height
                           for box in layout.boxes.values())  # fmt: skip


def test_circles_and_implied_lines() -> None:
    layers, edges = layers_of("abc", [Edge("a", "b"), Edge("b", "c"), Edge("c", "a"), Edge("b", "b")])
    assert layers == [["a"], ["b"], ["c"]]
    assert [(edge.source, edge.target, edge.backward) for edge in edges] == [("a", "b", False), ("b", "c", False), ("c", "a", True)]
    assert [edge.target for edge in reduced([Edge("a", "b"), Edge("b", "c"), Edge("a", "c")])] == ["b", "c"]
