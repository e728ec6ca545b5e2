"""How fluid the graph is: frames a second while somebody drags it about, in Chromium, with the widget's own bundle.

    python tests/benchmarks/graph_fps.py [--steps 1000] [--seconds 4]

Needs Chromium on the path, and a machine that does nothing else. Three rounds each of a graph that stands still, and of one that is told
10 times a second that 20 of its steps have changed; the median round counts. The aim is 30 frames a second in both.
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
import time
from typing import TYPE_CHECKING, Any

import agentnb as anb
from agentnb.runtime.graphs.drawing import of_workflow
from agentnb.runtime.runtime import Runtime, use
from agentnb.testing import memory_store
from tests.support.graph_page import open_graph
from tests.support.jupyterlab import chromium

if TYPE_CHECKING:
    from playwright.sync_api import Page

STATUSES = ("queued", "running", "completed", "failed")
ROUNDS = 3

FRAMES = """() => {
  window.frames_ = [];
  let last = performance.now();
  const frame = now => { window.frames_.push(now - last); last = now; window.request_ = requestAnimationFrame(frame) };
  window.request_ = requestAnimationFrame(frame);
}"""

CHANGES = """names => {
  const statuses = ["running", "completed", "failed", "waiting"];
  let turn = 0;
  window.timer_ = setInterval(() => {
    const steps = {};
    for (let i = 0; i < 20; i++) {
      const name = names[(turn * 20 + i) % names.length];
      steps[name] = { status: statuses[(turn + i) % 4], started_at: Date.now() - 1000, duration_ms: 1000 + turn };
    }
    turn++;
    window.tell({ kind: "changes", changes: { steps } });
  }, 100);
}"""


def work() -> None:
    """Nothing."""


def large(count: int) -> dict[str, Any]:
    """A graph of so many steps, each of which needs two of the sixty before it."""
    chosen = random.Random(1)
    flow = anb.Workflow("large")
    for i in range(count):
        needs = {chosen.randrange(max(0, i - 60), i) for _ in range(2)} if i > 20 else ()
        flow.add(f"step_{i}", tool=work, needs=[f"step_{j}" for j in needs])
    return of_workflow(flow)


def state_of(data: dict[str, Any]) -> dict[str, Any]:
    start = round(time.time() * 1000) - 60_000
    run = {
        "id": "workflow_x", "name": "large", "status": "running", "reason": "", "started_at": start, "ended_at": 0, "error": None,
        "parent": "", "usage": {}, "path": [], "seq": 1,
    }  # fmt: skip
    steps = {
        node["id"]: {"status": STATUSES[place % 4], "started_at": start, "duration_ms": 100.0 * place}
        for place, node in enumerate(data["nodes"])
    }
    return {"run": run, "steps": steps, "taken": {}, "current": []}


def dragged(page: Page, seconds: float) -> list[float]:
    """Milliseconds between frames while the graph is dragged left, right, up and down."""
    box = page.get_by_test_id("graph-canvas").bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + 8
    page.mouse.move(x, y)
    page.mouse.down()
    page.evaluate(FRAMES)
    end, turn = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        turn += 1
        page.mouse.move(x + 300 * ((turn % 60) / 30 - 1), y + 100 * ((turn % 40) / 20 - 1))
        page.wait_for_timeout(8)
    frames = page.evaluate("() => { cancelAnimationFrame(window.request_); return window.frames_ }")
    page.mouse.up()
    return sorted(frames[2:])


def report(name: str, rounds: list[list[float]]) -> None:
    rates = sorted(1000 * len(frames) / sum(frames) for frames in rounds)
    slow = statistics.median(frames[int(len(frames) * 0.95)] for frames in rounds)
    print(
        f"{name:28} {rates[len(rates) // 2]:5.1f} frames/s (of {', '.join(f'{rate:.1f}' for rate in rates)}); p95 of a frame {slow:.0f} ms"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=4.0)
    given = parser.parse_args()
    use(Runtime(store=memory_store()))
    started = time.perf_counter()
    data = large(given.steps)
    print(f"{len(data['nodes'])} steps, {len(data['edges'])} lines, laid out in {time.perf_counter() - started:.2f} s")
    names = [node["id"] for node in data["nodes"]]
    with chromium() as browser, tempfile.TemporaryDirectory():
        page = browser.new_context(viewport={"width": 1200, "height": 800}).new_page()
        open_graph(page, data, state_of(data))
        page.get_by_test_id("node:step_0").wait_for()
        shown = page.locator(".agentnb-flow-node").count()
        print(f"{shown} of them on the screen")
        report("dragged", [dragged(page, given.seconds) for _ in range(ROUNDS)])
        page.evaluate(CHANGES, names)
        report("dragged, 200 changes/s", [dragged(page, given.seconds) for _ in range(ROUNDS)])
        page.evaluate("clearInterval(window.timer_)")
        page.get_by_test_id("zoom-fit").click()
        page.wait_for_timeout(300)
        page.get_by_test_id("overview").wait_for()
        page.screenshot(path="/tmp/shot_overview.png")
        report("dragged, all of it in sight", [dragged(page, given.seconds)])


if __name__ == "__main__":
    main()
