"""The README's pictures, taken from the running software: ``AGENTNB_PICTURES=1 pytest tests/browser/test_pictures.py``.

The first one shows the local model, which must be fetched. Without the variable a script is the model and the pictures are
forgotten: so every run of the tests makes them, and the working tree stays as it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.jupyterlab import Lab, Notebook, open_lab
from tests.support.panels import tool_steps
from tests.support.pictures import WANTED, picture

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

pytestmark = pytest.mark.browser

TOOLS = '''import agentnb as anb

@anb.tool(effects="none")
def population(city: str) -> str:
    """How many people live in a city."""
    return {"Paris": "2.1 million", "Rome": "2.7 million"}.get(city, "unknown")'''

MAIL = '''import agentnb as anb

@anb.tool(approval=True)
def send_mail(to: str, subject: str) -> str:
    """Send an e-mail."""
    return f"sent to {to}"'''


@pytest.fixture(scope="module")
def page(browser: Browser, lab: Lab) -> Page:
    page = open_lab(browser, lab, scale=2)
    page.keyboard.press("Control+B")  # more room for the notebook
    page.set_viewport_size({"width": 1040, "height": 1000})
    return page


def test_first_agent(lab: Lab, notebook: Notebook) -> None:
    answer = {"text": "**2.1 million** people live in Paris.", "usage": {"input_tokens": 98, "output_tokens": 12}}
    ask = {"tool_calls": [{"name": "population", "arguments": {"city": "Paris"}}], "usage": {"input_tokens": 71, "output_tokens": 9}}
    model = "" if WANTED else f" -m {lab.script(ask, answer, name='first.jsonl')}"
    notebook.run_to_end(TOOLS)
    cell = notebook.run_to_end(f"%%agent -t population{model}\nHow many people live in Paris?")
    cell.locator(".agentnb-summary").click()
    tool_steps(cell).locator(".agentnb-row").click()
    cell.locator(".agentnb-step[open] .agentnb-json").last.wait_for()
    cells_picture(notebook, "first_agent", notebook.cells.first, cell)


def test_approval(lab: Lab, notebook: Notebook) -> None:
    arguments = {"to": "ann@example.org", "subject": "The report is ready"}
    model = lab.script({"tool_calls": [{"name": "send_mail", "arguments": arguments}]}, {"text": "Sent."}, name="mail.jsonl")
    notebook.run_to_end(MAIL)
    cell = notebook.run(f"%%agent secretary -t send_mail -m {model}\nTell Ann that the report is ready.")
    cell.get_by_test_id("approval").wait_for()
    cell.locator('.agentnb-status[data-status="waiting"]').wait_for()
    cells_picture(notebook, "approval", cell, cell)
    cell.get_by_test_id("deny").click()
    notebook.ended(cell)


def cells_picture(notebook: Notebook, name: str, first: Locator, last: Locator) -> None:
    """The notebook from one cell to another."""
    notebook.cells.last.locator(".cm-content").click()  # so that no cell in the picture is the active one
    notebook.page.mouse.move(0, 0)
    start, end = first.bounding_box(), last.bounding_box()
    assert start is not None
    assert end is not None
    clip = {"x": start["x"], "y": start["y"], "width": start["width"], "height": end["y"] + end["height"] - start["y"]}
    picture(notebook.page, name, clip=clip)
