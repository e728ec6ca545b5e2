"""Agents in JupyterLab, by keyboard and mouse: what somebody sees in the page, told by its DOM."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.jupyterlab import Lab, MissingPart, Notebook, chromium, jupyterlab, open_lab

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

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


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    try:
        with jupyterlab(tmp_path_factory.mktemp("lab")) as running:
            yield running
    except MissingPart as error:
        pytest.fail(str(error))


@pytest.fixture(scope="module")
def page(lab: Lab) -> Iterator[Page]:
    try:
        with chromium() as browser:
            yield open_lab(browser, lab)
    except MissingPart as error:
        pytest.fail(str(error))


@pytest.fixture
def notebook(page: Page) -> Iterator[Notebook]:
    made = Notebook.create(page)
    yield made
    made.close()


def call(name: str, **arguments: Any) -> dict[str, Any]:
    return {"tool_calls": [{"name": name, "arguments": arguments}]}


def status(cell: Locator, name: str) -> Locator:
    return cell.locator(f'.agentnb-summary .agentnb-status[data-status="{name}"]')


def test_a_cell_streams_and_unfolds(lab: Lab, notebook: Notebook) -> None:
    text = "It is **sunny**, as " + "so " * 20 + "often."
    model = lab.script(call("lookup", city="Rome"), {"text": text, "chunk_delay": 0.04}, name="streams.jsonl")
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
    tool = cell.locator(".agentnb-step", has=cell.page.locator(".agentnb-name", has_text="lookup"))
    assert not tool.locator(".agentnb-json").first.is_visible()
    tool.locator(".agentnb-row").click()
    tool.locator(".agentnb-json").first.wait_for()
    given, told = (part.inner_text() for part in tool.locator(".agentnb-json").all())
    assert re.search(r"Input.*city: Rome", given, re.S)
    assert re.search(r"Output.*sunny in Rome", told, re.S)
