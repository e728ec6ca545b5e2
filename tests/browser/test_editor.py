"""The editor of workflows in JupyterLab: canvas, forms, text and findings of one document, as somebody sees and uses them."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from agentnb.workflows import templates
from tests.support.jupyterlab import TOKEN, Lab, open_lab
from tests.support.pictures import picture

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

pytestmark = pytest.mark.browser

RUN = """# Asks in between
name: small
inputs: {who: {type: string, default: you}}
steps:
  first:   # it greets
    shell: {command: [echo, hello]}
  ask:
    human: {prompt: "Go on with ${inputs.who}?"}
    needs: [first]
"""

THREE = """name: three
steps:
  a: {shell: {command: "true"}}
  b: {shell: {command: "true"}, needs: [a]}
  c: {shell: {command: "true"}, needs: [b]}
"""


class Editor:
    """The editor in front.

    Attributes:
        root: Its canvas, with what stands around it.
    """

    def __init__(self, page: Page, lab: Lab, name: str, text: str | None = None) -> None:
        """Open a file, one of the templates where no text is given."""
        self.page, self.lab, self.file = page, lab, lab.folder / name
        if text is None:
            shutil.copy(Path(next(iter(templates.__path__)), name), self.file)
        else:
            self.file.write_bytes(text.encode())
        page.goto(f"{lab.url}lab/tree/{name}?token={TOKEN}&reset")
        self.root = page.get_by_test_id("editor")
        self.root.wait_for(timeout=60_000)
        self.pane = page.get_by_test_id("text-pane")

    def get(self, test_id: str) -> Locator:
        return self.root.get_by_test_id(test_id)

    def node(self, name: str) -> Locator:
        return self.get(f"node:{name}")

    @property
    def canvas(self) -> Locator:
        return self.get("graph-canvas")

    def text(self) -> str:
        """All of the text, also what isn't on the screen."""
        found: str = self.pane.locator(".cm-content").evaluate("node => (node.cmTile ?? node.cmView).view.state.doc.toString()")
        return found

    def has_text(self, wanted: str) -> None:
        """Wait until the text holds something."""
        self.page.wait_for_function(
            """wanted => {
                const node = document.querySelector('[data-testid=text-pane] .cm-content');
                return (node.cmTile ?? node.cmView).view.state.doc.toString().includes(wanted);
            }""",
            arg=wanted,
            timeout=60_000,
        )

    def add(self, typed: str) -> None:
        self.canvas.focus()
        self.page.keyboard.press("/")
        self.get("add-search").fill(typed)
        self.page.keyboard.press("Enter")

    def connect(self, source: str, target: str) -> None:
        """Draw a line from the handle of one step to that of another."""
        self.node(source).hover()
        start, end = self.node(source).bounding_box(), self.node(target).bounding_box()
        assert start
        assert end
        self.page.mouse.move(start["x"] + start["width"], start["y"] + start["height"] / 2)
        self.page.mouse.down()
        self.page.mouse.move(end["x"] - 30, end["y"], steps=4)
        self.page.mouse.move(end["x"], end["y"] + end["height"] / 2, steps=4)
        self.page.mouse.up()

    def choose_edge(self, source: str, target: str) -> None:
        self.get(f"edge:{source}→{target}").locator(".agentnb-flow-hit").dispatch_event("click")

    def save(self) -> None:
        self.page.keyboard.press("Control+s")
        self.page.locator(".lm-TabBar-tab.lm-mod-current.jp-mod-dirty").wait_for(state="detached")


@pytest.fixture(scope="module")
def page(browser: Browser, lab: Lab) -> Page:
    return open_lab(browser, lab, height=860)


def test_steps_are_added_connected_and_edited_and_the_text_keeps_all_else(page: Page, lab: Lab) -> None:
    editor = Editor(page, lab, "support.workflow.yaml")
    editor.node("draft").click()
    expect(editor.get("form")).to_have_attribute("data-step", "draft")
    expect(editor.pane.locator(".agentnb-editor-chosen").first).to_contain_text("draft:")
    expect(editor.get("problems-summary")).to_contain_text("No findings")
    picture(page, "editor")
    before = editor.text()

    editor.add("shell")
    expect(editor.node("shell")).to_be_visible()
    editor.has_text("  shell:\n    shell: {command: [echo, hello]}\n    needs: [draft]\n")

    editor.page.keyboard.press("Escape")
    editor.get("zoom-fit").click()
    editor.connect("notes", "shell")
    editor.has_text("needs: [draft, notes]")
    expect(editor.get("edge:notes→shell")).to_be_visible()

    editor.node("shell").click()
    editor.get("step-name").fill("look_up")
    editor.page.keyboard.press("Enter")
    expect(editor.node("look_up")).to_be_visible()
    editor.get("add:timeout").click()
    editor.get("input:timeout").fill("30s")
    editor.has_text("    timeout: 30s\n")

    assert [line for line in before.splitlines() if line not in editor.text().splitlines()] == []
    editor.canvas.focus()
    while editor.get("undo").is_enabled():
        editor.get("undo").click()
    assert editor.text() == before
    editor.get("redo").click()
    expect(editor.node("shell")).to_be_visible()
    editor.get("undo").click()


def test_a_line_says_what_it_stands_for_and_takes_a_step(page: Page, lab: Lab) -> None:
    editor = Editor(page, lab, "support.workflow.yaml")
    editor.choose_edge("notes", "draft")
    expect(editor.get("edge-says")).to_have_text("read by an expression")
    expect(editor.get("edge-remove")).to_be_disabled()
    editor.choose_edge("analyse", "draft")
    editor.get("edge-insert").click()
    editor.get("add-search").fill("human")
    editor.page.keyboard.press("Enter")
    expect(editor.get("edge:human→draft")).to_be_attached()
    expect(editor.get("edge:analyse→draft")).to_have_count(0)
    page.keyboard.press("Escape")
    editor.get("zoom-fit").click()
    editor.get("rail:webhook").drag_to(editor.node("send"))
    expect(editor.get("edge:send→webhook")).to_be_attached()
    editor.node("webhook").click()
    editor.canvas.focus()
    editor.page.keyboard.press("Delete")
    expect(editor.node("webhook")).to_have_count(0)


def test_lines_by_keyboard(page: Page, lab: Lab) -> None:
    editor = Editor(page, lab, "three.workflow.yaml", THREE)
    editor.node("b").click()
    editor.canvas.focus()
    page.keyboard.press("l")
    chosen = editor.root.locator('.agentnb-flow-edge[aria-selected="true"]')
    expect(chosen).to_have_attribute("aria-label", "Line from b to c")
    assert editor.canvas.get_attribute("aria-activedescendant") == chosen.get_attribute("id")
    page.keyboard.press("ArrowDown")
    expect(chosen).to_have_attribute("aria-label", "Line from a to b")
    page.keyboard.press("Enter")
    expect(editor.get("edge-insert")).to_be_focused()
    page.keyboard.press("Enter")
    editor.get("add-search").fill("human")
    page.keyboard.press("Enter")
    expect(editor.get("edge:human→b")).to_be_attached()

    editor.canvas.focus()
    page.keyboard.press("l")
    page.keyboard.press("ArrowRight")
    expect(editor.get("form")).to_have_attribute("data-step", "b")
    editor.canvas.focus()
    page.keyboard.press("l")
    expect(chosen).to_have_count(1)
    page.keyboard.press("Delete")
    expect(editor.get("edge:b→c")).to_have_count(0)


def test_an_edit_of_the_text_is_on_the_canvas_and_one_of_the_form_in_the_text(page: Page, lab: Lab) -> None:
    editor = Editor(page, lab, "support.workflow.yaml")
    before = editor.text()
    line = editor.pane.locator(".cm-line", has_text="title: Look at the reply")
    editor.node("review").click()
    line.click()
    expect(editor.get("form")).to_have_attribute("data-step", "review")
    editor.page.keyboard.press("End")
    editor.page.keyboard.type(" twice")
    expect(editor.node("review")).to_contain_text("Look at the reply twice")
    editor.get("input:title").fill("Read it")
    editor.has_text("    title: Read it\n")
    expect(editor.node("review")).to_contain_text("Read it")
    editor.canvas.focus()
    for _ in range(40):
        if editor.text() == before:
            break
        editor.page.keyboard.press("Control+z")
    assert editor.text() == before, "undo goes through the edits of both"


def test_findings_are_at_the_node_the_line_and_in_the_list_and_are_mended_by_a_button(page: Page, lab: Lab) -> None:
    editor = Editor(page, lab, "support.workflow.yaml")
    editor.node("send").click()
    when = editor.get("input:when")
    when.fill("")
    when.press_sequentially("steps.rev")
    expect(editor.get("suggestions")).to_contain_text("review")
    page.keyboard.press("Enter")
    when.press_sequentially(".output == steps.nots.output")
    expect(editor.get("mark:send")).to_be_visible()
    expect(editor.pane.locator(".cm-lint-marker-error").first).to_be_visible()
    expect(editor.get("field:when").get_by_role("alert")).to_contain_text("there is no step nots")
    expect(editor.get("run")).to_be_disabled()
    editor.get("problems-summary").click()
    expect(editor.get("finding")).to_have_count(1)
    editor.get("fix").click()
    editor.has_text("steps.review.output == steps.notes.output")
    expect(editor.get("problems-summary")).to_contain_text("No findings")
    expect(editor.get("problems-summary")).to_have_attribute("data-severity", "checked")
    expect(editor.get("mark:send")).to_have_count(0)


def test_names_that_are_nowhere_are_findings(page: Page, lab: Lab) -> None:
    text = "name: x\nsteps:\n  a: {agent: nobody, input: hi}\n  b: {tool: 'python:nowhere.f'}\n"
    editor = Editor(page, lab, "names.workflow.yaml", text)
    expect(editor.get("mark:a")).to_be_visible()
    expect(editor.get("mark:b")).to_be_visible()
    editor.get("problems-summary").click()
    expect(editor.get("finding").first).to_contain_text("no agent 'nobody'")


def test_saving_without_a_change_keeps_every_byte(page: Page, lab: Lab) -> None:
    odd = "\ufeff# windows\r\nname:   odd   # two\r\nsteps: {a: {shell: {command: 'true'}}}   \r\n\r\n\r\n"
    editor = Editor(page, lab, "odd.workflow.yaml", odd)
    editor.node("a").click()
    editor.get("input:title").fill("x")
    editor.has_text("title: x")
    editor.get("undo").click()
    expect(editor.node("a")).to_contain_text("a")
    editor.canvas.focus()
    editor.save()
    assert editor.file.read_bytes() == odd.encode()


def test_a_state_machine(page: Page, lab: Lab) -> None:
    editor = Editor(page, lab, "review.workflow.yaml")
    editor.node("ERROR").click()
    editor.add("state")
    expect(editor.node("STATE")).to_be_visible()
    editor.has_text("      - {to: STATE}\n")
    editor.get("step-name").fill("GIVEN_UP")
    page.keyboard.press("Enter")
    editor.has_text("      - {to: GIVEN_UP}\n")
    editor.choose_edge("ERROR", "GIVEN_UP")
    editor.get("edge-remove").click()
    expect(editor.get("edge:ERROR→GIVEN_UP")).to_have_count(0)


def test_what_cannot_be_read(page: Page, lab: Lab) -> None:
    editor = Editor(page, lab, "broken.workflow.yaml", "name: x\nsteps:\n  a: {shell: {command: 'true'}}\n")
    expect(editor.node("a")).to_be_visible()
    editor.pane.locator(".cm-line", has_text="name: x").click()
    page.keyboard.press("End")
    page.keyboard.type(": [")
    expect(editor.get("stale")).to_contain_text("can't be read")
    expect(editor.node("a")).to_be_visible()
    expect(editor.get("add")).to_be_disabled()
    for _ in range(3):
        page.keyboard.press("Backspace")
    expect(editor.get("stale")).to_have_count(0)

    large = "name: large\nsteps:\n" + "".join(f"  s{n}: {{shell: {{command: 'true'}}}}  # {'x' * 90}\n" for n in range(10_000))
    editor = Editor(page, lab, "large.workflow.yaml", large)
    expect(editor.get("stale")).to_contain_text("too large")
    expect(editor.get("problems-summary")).to_contain_text("No findings")

    (lab.folder / "binary.workflow.yaml").write_bytes(bytes(range(256)) * 8)
    page.goto(f"{lab.url}lab/tree/binary.workflow.yaml?token={TOKEN}&reset")
    dialog = page.locator(".jp-Dialog")
    expect(dialog).to_contain_text("not UTF-8")
    dialog.locator("button").last.click()


def test_a_run_is_watched_and_answered_on_the_canvas(page: Page, lab: Lab) -> None:
    editor = Editor(page, lab, "small.workflow.yaml", RUN)
    expect(editor.get("problems-summary")).to_contain_text("No findings")
    editor.get("run").click()
    page.locator(".jp-Dialog input").fill("her")
    page.locator(".jp-Dialog .jp-mod-accept").click()
    expect(editor.node("first")).to_have_attribute("data-status", "completed")
    expect(editor.node("ask")).to_have_attribute("data-status", "waiting")
    editor.node("ask").click()
    sheet = editor.root.locator(".agentnb-flow-sheet")
    expect(sheet).to_contain_text("Go on with her?")
    sheet.get_by_role("button", name=re.compile("approve", re.IGNORECASE)).click()
    expect(editor.get("run-status")).to_have_attribute("data-status", "completed")
    expect(editor.node("ask")).to_have_attribute("data-status", "completed")
    editor.get("leave-run").click()
    expect(editor.node("ask")).to_have_attribute("data-status", "")
    assert editor.file.read_text() == RUN


def test_a_file_that_is_changed_elsewhere_and_a_server_that_comes_back(page: Page, lab: Lab) -> None:
    editor = Editor(page, lab, "small.workflow.yaml", RUN)
    expect(editor.node("first")).to_be_visible()
    lab.stop()
    expect(page.get_by_test_id("agentnb-connection").first).to_contain_text("does not answer")
    editor.node("first").click()
    editor.get("input:title").fill("Away")
    editor.has_text("title: Away")
    lab.start()
    expect(page.get_by_test_id("agentnb-connection").first).to_contain_text("Connected again")
    dialog = page.locator(".jp-Dialog")
    if dialog.count():
        dialog.locator("button").first.click()
    expect(editor.get("problems-summary")).to_contain_text("No findings")
    editor.canvas.focus()
    editor.save()
    assert "title: Away" in editor.file.read_text()

    editor.file.write_text(RUN.replace("hello", "changed"))
    os.utime(editor.file, (editor.file.stat().st_mtime + 60,) * 2)
    editor.get("input:title").fill("Mine")
    editor.canvas.focus()
    page.keyboard.press("Control+s")
    expect(page.locator(".jp-Dialog")).to_contain_text("has changed on disk")
    page.locator(".jp-Dialog button", has_text="Revert").click()
    editor.has_text("[echo, changed]")


def test_somebody_without_permission_is_told_so(page: Page, lab: Lab, forbid: Callable[..., None]) -> None:
    forbid(("read", "agentnb.workflows"), ("execute", "agentnb.runs"))
    editor = Editor(page, lab, "small.workflow.yaml", RUN)
    expect(editor.get("forbidden")).to_contain_text("You may not")
    expect(editor.get("run")).to_be_disabled()
    expect(editor.node("first")).to_be_visible()
