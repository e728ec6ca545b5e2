"""The panels of JupyterLab, as the browser tests open them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentnb.runtime.workflow import Workflow

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

    from tests.support.jupyterlab import Lab

TRIAGE = """
name: Ticket triage
steps:
  fetch: {shell: {command: "echo 7"}}
  flaky: {shell: {command: "exit 3"}, needs: [fetch], retry: {max_attempts: 2, backoff: constant, initial: 10ms}, on_error: continue}
  review:
    human: {prompt: "Send this?", form: {type: object, properties: {why: {type: string}}, required: [why]}}
    needs: [fetch]
outputs: {why: "${steps.review.output.data.why}"}
"""


def close_all(page: Page) -> None:
    """Leave nothing open but the launcher."""
    page.keyboard.press("Escape")
    tabs = page.locator("#jp-main-dock-panel .lm-TabBar-tab.lm-mod-closable .lm-TabBar-tabCloseIcon")
    while tabs.count():  # a launcher that is alone can't be closed
        tabs.first.click()
    page.locator(".jp-Launcher:visible").wait_for()


def open_panel(page: Page, name: str) -> Locator:
    """Open a panel from the launcher, by the name of its card."""
    page.locator('.jp-LauncherCard[data-category="Agents"]', has_text=name).locator("visible=true").click()
    return page.get_by_test_id(f"agentnb-{name.split()[-1].lower()}")


def tool_steps(place: Locator) -> Locator:
    """The steps of traces that are calls of tools."""
    return place.locator(".agentnb-step", has=place.page.locator(".agentnb-kind", has_text="tool"))


def rows(page: Page, **data: str) -> Locator:
    selector = "".join(f'[data-{name}="{value}"]' for name, value in data.items())
    return page.locator(f'[data-testid="agentnb-run-row"]{selector}')


def open_run(page: Page, run_id: str) -> Locator:
    if not page.get_by_test_id("agentnb-runs").count():
        open_panel(page, "Runs")
    rows(page, run=run_id).click()
    view = page.get_by_test_id("agentnb-run").locator("visible=true")
    view.wait_for()
    return view


def triage(lab: Lab) -> str:
    """A run of a workflow that waits for a person."""
    (lab.folder / "triage.workflow.yaml").write_text(TRIAGE)
    run = Workflow.load("triage.workflow.yaml").run_sync({})
    assert run.status == "waiting"
    return run.id
