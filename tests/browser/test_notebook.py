"""Agents in JupyterLab, by keyboard and mouse: what somebody sees in the page, told by its DOM."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.support.jupyterlab import Lab, Notebook, tool_call
from tests.support.panels import tool_steps

if TYPE_CHECKING:
    from playwright.sync_api import Locator

pytestmark = pytest.mark.browser

TOOLS = """import agentnb as anb

@anb.tool(effects="none")
def lookup(city: str) -> str:
    "Weather."
    return f"sunny in {city}"

@anb.tool(approval=True)
def send(to: str) -> str:
    "Send mail."
    return f"sent to {to}"
"""

WATCH = """cell => {
  window.seen = [];
  const look = () => {
    const status = cell.querySelector('.agentnb-status');
    const answer = cell.querySelector('.agentnb-answer');
    const state = [status ? status.dataset.status : '', answer ? answer.textContent.length : 0];
    const last = window.seen.at(-1);
    if (!last || last[0] !== state[0] || last[1] !== state[1]) window.seen.push(state);
  };
  new MutationObserver(look).observe(cell, { childList: true, subtree: true, characterData: true });
}"""


def status(cell: Locator, name: str) -> Locator:
    return cell.locator(f'.agentnb-summary .agentnb-status[data-status="{name}"]')


def test_a_cell_streams_and_unfolds(lab: Lab, notebook: Notebook) -> None:
    text = "It is **sunny**, as " + "so " * 20 + "often."
    model = lab.script(tool_call("lookup", city="Rome"), {"text": text, "chunk_delay": 0.04}, name="streams.jsonl")
    notebook.run_to_end(TOOLS)

    cell = notebook.write(f"%%agent weather -m {model} -t lookup\nWhat is the weather in *Rome*?", keys=True)
    cell.locator('.cm-content[data-language="markdown"]').wait_for()
    cell.evaluate(WATCH)
    notebook.page.keyboard.press("Shift+Enter")
    status(cell, "completed").wait_for()

    seen = notebook.page.evaluate("window.seen")
    lengths = [length for state, length in seen if state == "running" and length]
    assert len(lengths) >= 3, seen
    assert lengths == sorted(lengths)
    assert cell.locator(".agentnb-answer strong").inner_text() == "sunny"
    summary = cell.locator(".agentnb-summary")
    assert "streams.jsonl · 2 calls · 1 tool · " in summary.inner_text()

    rows = cell.locator(".agentnb-row")
    assert not rows.first.is_visible()
    summary.click()
    rows.first.wait_for()
    assert [row.locator(".agentnb-kind").inner_text() for row in rows.all()] == ["model", "tool", "model"]
    tool = tool_steps(cell)
    assert not tool.locator(".agentnb-json").first.is_visible()
    tool.locator(".agentnb-row").click()
    tool.locator(".agentnb-json").first.wait_for()
    given, told = (part.inner_text() for part in tool.locator(".agentnb-json").all())
    assert re.search(r"Input.*city: Rome", given, re.S)
    assert re.search(r"Output.*sunny in Rome", told, re.S)


def test_stopping(lab: Lab, notebook: Notebook) -> None:
    slow = {"text": "word " * 200, "chunk_delay": 0.1}
    model = lab.script(slow, slow, {"text": "Fine again."}, name="stops.jsonl")
    for button in (lambda cell: notebook.toolbar("interrupt"), lambda cell: cell.locator("button[data-agentnb-stop]")):
        cell = notebook.run(f"%%agent -m {model} --fresh\nTell me a story.")
        cell.locator(".agentnb-answer", has_text="word word").wait_for()
        status(cell, "running").wait_for()
        button(cell).click()
        status(cell, "cancelled").wait_for(timeout=2_000)
        notebook.ended(cell)
        assert "word word" in cell.locator(".agentnb-answer").inner_text()
        assert "KeyboardInterrupt" not in cell.locator(".jp-OutputArea").inner_text()
        assert cell.locator("button[data-agentnb-stop]").count() == 0
    after = notebook.run_to_end(f"%%agent -m {model} --fresh\nAre you there?")
    status(after, "completed").wait_for()
    assert after.locator(".agentnb-answer").inner_text() == "Fine again."


def test_approving_by_keyboard_editing_and_denying(lab: Lab, notebook: Notebook) -> None:
    model = lab.script(*[part for _ in range(3) for part in (tool_call("send", to="ann"), {"text": "Done."})], name="asks.jsonl")
    notebook.run_to_end(TOOLS)
    line = f"%%agent -m {model} -t send --fresh -o"

    cell, card = ask(notebook, f"{line} approved\nWrite to Ann.")
    assert card.get_attribute("data-state") == "waiting"
    assert "ann" in card.inner_text()
    assert cell.locator(".jp-InputPrompt").inner_text() == "[*]:"
    keyboard = notebook.page.keyboard
    keyboard.press("Escape")
    keyboard.press("ArrowUp")
    approve = card.get_by_test_id("approve")
    for _ in range(12):
        keyboard.press("Tab")
        if approve.evaluate("button => button === document.activeElement"):
            break
    keyboard.press("Enter")
    status(cell, "completed").wait_for()
    assert card.get_attribute("data-state") == "approved"
    assert approve.is_disabled()

    cell, card = ask(notebook, f"{line} edited\nWrite to Ann.")
    card.get_by_test_id("edit").click()
    card.get_by_label("Arguments as JSON").fill('{"to": "bob"}')
    card.get_by_test_id("approve").click()
    status(cell, "completed").wait_for()

    cell, card = ask(notebook, f"{line} denied\nWrite to Ann.")
    card.get_by_test_id("deny").click()
    status(cell, "completed").wait_for()
    assert card.get_attribute("data-state") == "denied"

    told = notebook.run_to_end("for r in approved, edited, denied: print([s.output for s in r.trace if s.id == 'm1.t1'])")
    lines = told.locator(".jp-OutputArea-output").inner_text().splitlines()
    assert "sent to ann" in lines[0]
    assert "sent to bob" in lines[1]
    assert "denied the call" in lines[2]


def test_an_approval_survives_the_kernel(lab: Lab, notebook: Notebook) -> None:
    model = lab.script(tool_call("send", to="ann"), name="survives.jsonl")
    notebook.run_to_end(TOOLS)
    ask(notebook, f"%%agent mailer -m {model} -t send\nWrite to Ann.")
    lab.script({"text": "Done after the restart."}, name="survives.jsonl")
    notebook.restart()
    shown = notebook.run_to_end("%agentnb show")
    card = shown.get_by_test_id("approval")
    card.wait_for()
    assert "ann" in card.inner_text()
    card.get_by_test_id("approve").click()
    status(shown, "completed").wait_for()
    assert shown.locator(".agentnb-answer").inner_text() == "Done after the restart."
    assert card.count() == 1
    assert card.get_attribute("data-state") == "approved"
    looked = notebook.run_to_end("%agentnb show")
    status(looked, "completed").wait_for()
    assert looked.locator(".agentnb-answer").inner_text() == "Done after the restart."


def test_errors_are_cards(lab: Lab, notebook: Notebook) -> None:
    cell = notebook.run_to_end("%%agent -m scripted:nowhere.jsonl\nAnybody?")
    card = cell.locator('.agentnb-card[data-kind="error"]')
    card.wait_for()
    assert "UnknownModel" in card.locator(".agentnb-card-title").inner_text()
    assert "scripted:nowhere.jsonl can't be read" in card.inner_text()
    status(cell, "failed").wait_for()
    fold = card.locator("details pre")
    assert not fold.is_visible()
    card.locator("summary").click()
    fold.wait_for()
    assert "Traceback" in fold.inner_text()


def test_copying_an_answer_and_making_it_a_cell(lab: Lab, notebook: Notebook) -> None:
    model = lab.script({"text": "The **answer**."}, name="copies.jsonl")
    prompt = f"%%agent -m {model}\nThe question?"
    cell = notebook.run_to_end(prompt)
    status(cell, "completed").wait_for()
    cell.locator(".agentnb-summary").click()
    copy = cell.locator(".agentnb-actions button[data-agentnb-copy]")
    copy.click()
    cell.locator(".agentnb-actions button[data-agentnb-copy][data-agentnb-done]").wait_for()
    assert notebook.page.evaluate("navigator.clipboard.readText()") == "The **answer**."
    before = notebook.cells.count()
    cell.locator("button[data-agentnb-cell]").click()
    made = notebook.cells.nth(1)
    made.locator('.cm-content[data-language="markdown"]', has_text="The question?").wait_for()
    assert notebook.cells.count() == before + 1
    assert made.locator(".cm-line").all_inner_texts() == prompt.splitlines()


def ask(notebook: Notebook, text: str) -> tuple[Locator, Locator]:
    """Run a cell up to its approval; the answer is the cell and the card."""
    cell = notebook.run(text)
    card = cell.get_by_test_id("approval")
    card.wait_for()
    status(cell, "waiting").wait_for()
    return cell, card
