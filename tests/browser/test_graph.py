"""The graph of a workflow in JupyterLab: live under its cell, answered in place, looked at by mouse and by keyboard, in both themes."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.support.jupyterlab import TOKEN, Lab, Notebook, open_lab
from tests.support.pictures import picture

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

pytestmark = pytest.mark.browser

TOOLS = """import asyncio, os
async def lookup(ticket: str) -> dict:
    await asyncio.sleep(0.2)
    return {"ticket": ticket, "matches": [{"id": 1, "score": 0.9}, {"id": 2, "score": 0.4}]}
async def until(file: str, value: str = "done") -> str:
    while not os.path.exists(file):
        await asyncio.sleep(0.05)
    return value
def broken(x: str) -> str:
    if not os.path.exists("mended"):
        raise ValueError("the disk is full")
    return x
"""

INNER = """%%workflow part
inputs: {text: {type: string}}
steps:
  fetch: {tool: lookup, input: {ticket: "${inputs.text}"}}
  parse: {tool: lookup, input: {ticket: "${steps.fetch.output.ticket}"}}
outputs: {text: "${steps.parse.output.ticket}"}
"""

SUPPORT = """%%workflow support --run -o r
name: support
steps:
  classify: {title: Classify the ticket, tool: lookup, input: {ticket: Where is my parcel?}}
  enrich: {workflow: part, input: {text: "${steps.classify.output.ticket}"}}
  search: {tool: until, input: {file: "${item}"}, for_each: [searched, searched, searched], needs: [classify]}
  review:
    human:
      prompt: Send this to the customer?
      assignee: ann
      form: {type: object, required: [tone, stars], properties: {tone: {enum: [warm, plain]}, stars: {type: integer, maximum: 5}}}
    input: {draft: "${steps.classify.output.ticket}"}
    needs: [enrich, search]
  archive: {tool: lookup, input: {ticket: "${steps.review.output.data.tone}"}}
outputs: {tone: "${steps.review.output.data.tone}"}
"""

LOOP = """%%workflow loop --run
kind: state_machine
initial: WORK
states:
  WORK: {step: {tool: lookup, input: {ticket: x}}, transitions: [{to: WORK, when: "attempts < 3"}, {to: REVIEW}]}
  REVIEW: {step: {human: {prompt: Good enough?}}, transitions: [{to: WORK, on: rejected}, {to: DONE, on: approved}]}
  DONE: {final: true}
"""


@pytest.fixture(scope="module")
def page(browser: Browser, lab: Lab) -> Page:
    page = open_lab(browser, lab)
    page.set_default_timeout(float(os.environ.get("AGENTNB_PATIENCE", "60000")))
    page.keyboard.press("Control+B")
    return page


@pytest.fixture(scope="module")
def notebook(page: Page) -> Iterator[Notebook]:
    made = Notebook.create(page)
    made.run_to_end("%load_ext agentnb")
    made.run_to_end(TOOLS)
    yield made
    made.close()


def node(graph: Locator, path: str, status: str = "") -> Locator:
    found = graph.get_by_test_id(f"node:{path}")
    return found.and_(graph.page.locator(f'[data-status="{status}"]')) if status else found


def run_status(graph: Locator, status: str) -> None:
    graph.page.locator(f'[data-testid="run"][data-status="{status}"]').and_(graph.get_by_test_id("run")).wait_for()


def test_a_run_is_live_and_answered_in_place(lab: Lab, notebook: Notebook) -> None:
    notebook.run_to_end(INNER)
    cell = notebook.run(SUPPORT)
    graph = cell.get_by_test_id("graph")
    graph.wait_for()
    node(graph, "classify", "completed").wait_for()
    node(graph, "search", "running").wait_for()
    assert "0/3" in node(graph, "search").inner_text()
    node(graph, "archive", "queued").wait_for()
    (lab.folder / "searched").touch()
    node(graph, "review", "waiting").wait_for()
    assert graph.get_by_test_id("asked").inner_text().strip() == "review waits for an answer"

    question = graph.get_by_test_id("question")  # whoever is asked need not look for it
    question.wait_for()
    assert "Where is my parcel?" in question.inner_text()
    graph.page.wait_for_timeout(300)
    picture(graph, "workflow")
    question.get_by_label("tone").select_option(label="warm")
    question.get_by_label("stars").fill("9")
    question.get_by_test_id("approve").click()
    question.locator('[aria-invalid="true"]').wait_for()
    assert "9 is greater than the maximum of 5" in question.inner_text()
    question.get_by_label("stars").fill("4")
    question.get_by_test_id("approve").click()
    notebook.ended(cell)
    run_status(graph, "completed")
    node(graph, "archive", "completed").wait_for()
    cell.locator(".agentnb-json", has_text="warm").wait_for()
    assert graph.get_by_test_id("asked").count() == 0


def test_what_a_step_was_given_and_gave(notebook: Notebook) -> None:
    cell = notebook.cells.nth(notebook.cells.count() - 2)
    graph = cell.get_by_test_id("graph")
    graph.get_by_test_id("close-sheet").click()
    graph.get_by_test_id("zoom-fit").click()
    node(graph, "classify").click()
    sheet = graph.get_by_test_id("sheet")
    sheet.get_by_test_id("tab:output").wait_for()
    body = sheet.get_by_test_id("sheet-body")
    body.locator("td", has_text="0.9").wait_for()
    sheet.get_by_test_id("tab:input").click()
    body.get_by_text("Where is my parcel?").wait_for()
    sheet.get_by_test_id("tab:attempts").click()
    body.get_by_text("completed").wait_for()
    sheet.get_by_test_id("tab:events").click()
    body.get_by_text("workflow.step_completed").wait_for()
    node(graph, "search").click()
    sheet.get_by_test_id("part:search[1]").click()
    body.get_by_text("done").wait_for()
    sheet.get_by_test_id("close-sheet").click()
    assert sheet.count() == 0


def test_folding_searching_timeline_and_table(notebook: Notebook) -> None:
    cell = notebook.cells.nth(notebook.cells.count() - 2)
    graph = cell.get_by_test_id("graph")
    assert node(graph, "enrich/fetch").count() == 0
    graph.get_by_test_id("fold:enrich").click()
    node(graph, "enrich/fetch", "completed").wait_for()
    outer, inner = node(graph, "enrich").bounding_box(), node(graph, "enrich/fetch").bounding_box()
    assert outer is not None
    assert inner is not None
    assert outer["x"] < inner["x"]
    assert inner["x"] + inner["width"] < outer["x"] + outer["width"]

    graph.get_by_test_id("search").fill("parse")
    assert graph.get_by_test_id("matches").inner_text() == "1"
    graph.get_by_test_id("search").press("Enter")
    sheet = graph.get_by_test_id("sheet")
    sheet.get_by_role("heading", name="parse").wait_for()
    sheet.get_by_test_id("tab:output").wait_for()
    graph.get_by_test_id("search").fill("")
    graph.get_by_test_id("close-sheet").click()

    graph.get_by_test_id("mode:timeline").click()
    bars = graph.get_by_test_id("timeline")
    assert bars.get_by_role("listitem").count() == 7
    assert bars.locator(".agentnb-flow-bar").count() == 7
    graph.get_by_test_id("mode:table").click()
    table = graph.get_by_test_id("table")
    assert table.locator("tbody tr").count() == 7
    table.get_by_role("button", name="Duration").click()
    table.locator('th[aria-sort="ascending"]').wait_for()
    table.get_by_test_id("row:review").click()
    graph.get_by_test_id("sheet").get_by_role("heading", name="review").wait_for()
    graph.get_by_test_id("close-sheet").click()
    graph.get_by_test_id("mode:graph").click()
    node(graph, "enrich/fetch").wait_for()  # what was unfolded is unfolded still


def test_by_keyboard_dragging_and_zooming(notebook: Notebook) -> None:
    cell = notebook.cells.nth(notebook.cells.count() - 2)
    graph, page = cell.get_by_test_id("graph"), notebook.page
    graph.get_by_test_id("fold:enrich").click()
    canvas = graph.get_by_test_id("graph-canvas")
    canvas.focus()
    before = notebook.cells.count()
    page.keyboard.press("ArrowRight")
    chosen = graph.locator('[role="option"][aria-selected="true"]')
    chosen.wait_for()
    assert chosen.get_attribute("data-testid") == "node:classify"
    assert "completed" in (chosen.get_attribute("aria-label") or "")
    assert canvas.get_attribute("aria-activedescendant") == chosen.get_attribute("id")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    graph.locator('[data-testid="node:review"][aria-selected="true"]').wait_for()
    graph.get_by_test_id("tab:output").wait_for()
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.getAttribute('role')") == "tab"
    page.keyboard.press("Escape")
    assert graph.get_by_test_id("sheet").count() == 0
    assert page.evaluate("document.activeElement.dataset.testid") == "graph-canvas"
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.dataset.testid") == "search"
    page.keyboard.press("Escape")
    canvas.focus()
    page.keyboard.press("d")
    page.keyboard.press("d")
    page.keyboard.press("Control+Shift+C")
    page.locator(".lm-CommandPalette-input").wait_for()
    page.keyboard.press("Escape")
    assert notebook.cells.count() == before, "the notebook's own keys stay out of it"

    viewport = graph.locator(".react-flow__viewport")
    still = viewport.get_attribute("style")
    canvas.focus()
    page.keyboard.press("+")
    assert viewport.get_attribute("style") != still
    box = canvas.bounding_box()
    assert box is not None
    still = viewport.get_attribute("style")
    page.mouse.move(box["x"] + 20, box["y"] + 12)
    page.mouse.down()
    page.mouse.move(box["x"] + 120, box["y"] + 42, steps=4)
    page.mouse.up()
    assert viewport.get_attribute("style") != still
    page.keyboard.press("0")
    node(graph, "archive").wait_for()


def test_the_dark_theme(notebook: Notebook) -> None:
    cell, page = notebook.cells.nth(notebook.cells.count() - 2), notebook.page
    graph = cell.get_by_test_id("graph")
    theme(page, "JupyterLab Dark", light="false")
    try:
        colours = node(graph, "archive").evaluate("node => [getComputedStyle(node).color, getComputedStyle(node).backgroundColor]")
        ink, face = (brightness(colour) for colour in colours)
        assert ink > 0.7, colours
        assert face < 0.35, colours
        node(graph, "classify").click()
        graph.get_by_test_id("close-sheet").click()
    finally:
        theme(page, "JupyterLab Light", light="true")


def test_a_state_machine_goes_round(notebook: Notebook) -> None:
    cell = notebook.run(LOOP)
    graph = cell.get_by_test_id("graph")
    question = graph.get_by_test_id("question")
    question.wait_for()
    assert graph.get_by_test_id("edge:WORK→WORK").get_attribute("data-taken") == "1 2"
    assert "agentnb-flow-current" in (node(graph, "REVIEW").get_attribute("class") or "")
    question.get_by_test_id("reject").click()
    graph.locator('[data-testid="edge:REVIEW→WORK"][data-taken="4"]').wait_for(state="attached")
    graph.get_by_test_id("question").locator('xpath=self::*[@data-state="waiting"]').wait_for()
    graph.get_by_test_id("approve").click()
    notebook.ended(cell)
    run_status(graph, "completed")
    node(graph, "WORK").click()
    sheet = graph.get_by_test_id("sheet")
    sheet.get_by_test_id("tab:parts").click()
    assert sheet.locator(".agentnb-flow-list li").count() == 4


def test_a_failure_is_retried(lab: Lab, notebook: Notebook) -> None:
    source = 'steps:\n  good: {tool: lookup, input: {ticket: x}}\n  bad: {tool: broken, input: {x: "${steps.good.output.ticket}"}}'
    cell = notebook.run_to_end(f"%%workflow fails --run\n{source}")
    graph = cell.get_by_test_id("graph")
    node(graph, "bad", "failed").wait_for()
    assert "the disk is full" in graph.get_by_test_id("run-error").inner_text()
    (lab.folder / "mended").touch()
    graph.get_by_test_id("retry").click()
    node(graph, "good", "replayed").wait_for()
    node(graph, "bad", "completed").wait_for()
    run_status(graph, "completed")
    assert graph.get_by_test_id("run-error").count() == 0


def test_a_question_survives_the_kernel_and_a_run_is_cancelled(notebook: Notebook) -> None:
    ask = "%%workflow ask --run\nsteps: {review: {human: {prompt: Really?}}}"
    cell = notebook.run(ask)
    graph = cell.get_by_test_id("graph")
    graph.get_by_test_id("question").wait_for()
    notebook.restart()
    notice = graph.get_by_test_id("notice")
    notice.wait_for()
    command = re.search(r"%agentnb graph \S+", notice.inner_text())
    assert command is not None
    assert graph.get_by_test_id("cancel").count() == 0
    notebook.run_to_end("%load_ext agentnb")
    shown = notebook.run_to_end(command[0])
    again = shown.get_by_test_id("graph")
    again.get_by_test_id("approve").click()
    run_status(again, "completed")

    cell = notebook.run(ask)
    graph = cell.get_by_test_id("graph")
    graph.get_by_test_id("question").wait_for()
    graph.get_by_test_id("cancel").click()
    run_status(graph, "cancelled")
    notebook.ended(cell)


def test_a_saved_notebook_shows_the_picture(lab: Lab, notebook: Notebook) -> None:
    page = notebook.page
    notebook.restart()
    notebook.menu("File", "Save Notebook")
    rename = page.locator(".jp-Dialog .jp-mod-accept")
    page.locator(".jp-Dialog .jp-mod-accept, body:not(:has(.lm-TabBar-tab.jp-mod-dirty))").first.wait_for(state="attached")
    if rename.count():
        rename.click()
    page.locator(".lm-TabBar-tab.jp-mod-dirty").wait_for(state="detached")
    (saved,) = lab.folder.glob("*.ipynb")
    assert saved.stat().st_size < 400_000, "the widget's module isn't in it"
    page.goto(f"{lab.url}lab/tree/{saved.name}?token={TOKEN}&reset")
    cell = notebook.panel.locator(".jp-CodeCell", has_text="Classify the ticket").first
    cell.scroll_into_view_if_needed()
    picture_there = cell.locator("svg.agentnb-graph")
    picture_there.wait_for()
    assert "5 completed" in (picture_there.locator("desc").text_content() or "")


def theme(page: Page, name: str, *, light: str) -> None:
    page.get_by_role("menuitem", name="Settings").first.click()
    page.locator(".lm-Menu-item", has_text="Theme").first.hover()
    page.locator(".lm-Menu-itemLabel").get_by_text(name, exact=True).click()
    page.locator(f'body[data-jp-theme-light="{light}"]').wait_for(state="attached")


def brightness(colour: str) -> float:
    """Of ``rgb(…)`` or ``color(srgb …)``, from 0 to 1."""
    numbers = [float(number) for number in re.findall(r"[\d.]+", colour)][:3]
    return sum(numbers) / (3 if colour.startswith("color") else 3 * 255)
