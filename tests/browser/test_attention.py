"""What a run asks of people in JupyterLab: its buttons, notifications that lead to it, and the settings of both."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from agentnb.runtime.runtime import current
from tests.support.jupyter_server import until
from tests.support.jupyterlab import Lab, Notebook, tool_call
from tests.support.notebooks import write_notebook
from tests.support.panels import close_all, open_panel, open_run, rows, triage

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("lab_store")]

SLOW = """
import agentnb as anb

anb.Agent("slow", model="scripted:slow.jsonl").execute_sync("Take your time.")
"""
SEND = """
import agentnb as anb

@anb.tool(approval=True)
def send(to: str) -> str:
    "Send a letter."
    return f"sent to {to}"
"""
PATIENCE = 10
"""Seconds after which a question is told of."""


@pytest.fixture
def page(page: Page) -> Page:
    close_all(page)
    return page


def toasts(page: Page, text: str = "") -> Locator:
    return page.locator(".Toastify__toast", has_text=text)


def run_view(page: Page, status: str) -> Locator:
    view = page.locator(f'[data-testid="agentnb-run"][data-status="{status}"]').locator("visible=true")
    view.wait_for()
    return view


def test_a_run_of_another_process_is_cancelled_and_run_again(lab: Lab, page: Page) -> None:
    (lab.folder / "slow.workflow.yaml").write_text("name: sleeper\nsteps:\n  wait: {shell: {command: 'test -e awake || sleep 600'}}\n")
    command = [sys.executable, "-m", "agentnb", "workflow", "run", "slow.workflow.yaml", "--json"]
    with subprocess.Popen(command, cwd=lab.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        (run,) = until(lambda: current().runs(name="sleeper", status="running"))
        view = open_run(page, run.id)
        view.get_by_test_id("agentnb-cancel").click()
        view = run_view(page, "cancelled")
        assert process.wait(30) != 0
    expect(view.get_by_test_id("agentnb-cancel")).to_have_count(0)
    (lab.folder / "awake").touch()
    view.get_by_test_id("agentnb-rerun").click()
    again = run_view(page, "completed")
    again.get_by_role("button", name="runs").click()
    expect(page.get_by_test_id("agentnb-compare-summary")).to_be_visible()


def test_a_run_whose_process_died_is_resumed(lab: Lab, page: Page) -> None:
    lab.script({"text": "So it goes.", "delay": 3}, name="slow.jsonl")
    (lab.folder / "slow.py").write_text(SLOW)
    with subprocess.Popen([sys.executable, "slow.py"], cwd=lab.folder, env=os.environ | {"AGENTNB_STORE": str(lab.store)}) as process:
        (run,) = until(lambda: current().runs(name="slow", status="running"))
        process.send_signal(signal.SIGKILL)
    view = open_run(page, run.id)
    expect(view).to_contain_text("failed (lost)")
    view.get_by_test_id("agentnb-resume").click()
    view = run_view(page, "completed")
    expect(view.get_by_test_id("agentnb-run-sheet")).to_contain_text("So it goes.")
    expect(view.get_by_test_id("agentnb-resume")).to_have_count(0)


def test_a_job_that_failed_is_told_of_and_resumed(lab: Lab, page: Page) -> None:
    folder = lab.folder / "papermill_jobs"
    folder.mkdir()
    write_notebook(folder / "report.ipynb", "import os\nassert os.path.exists('mended'), 'not yet'")
    (folder / "report.yaml").write_text("name: report\nnotebook: report.ipynb\n")
    panel = open_panel(page, "Agent jobs")
    panel.get_by_test_id("agentnb-job-run").click()
    toast = toasts(page, "report failed")
    expect(toast).to_contain_text("not yet")
    toast.get_by_role("button", name="Open").click()
    view = run_view(page, "failed")
    (folder / "mended").touch()
    view.get_by_test_id("agentnb-resume").click()
    run_view(page, "completed")
    expect(toasts(page, "report failed")).to_have_count(0)


def test_a_question_that_nobody_answers_is_told_of(lab: Lab, page: Page) -> None:
    unseen, seen = triage(lab), triage(lab)
    open_run(page, seen)  # who looks at it isn't told of it
    toast = toasts(page, "Ticket triage waits for an answer")
    toast.wait_for()
    page.wait_for_timeout(2000)
    expect(toast).to_have_count(1)
    toast.get_by_role("button", name="Open").click()
    expect(page.get_by_test_id("agentnb-run").locator("visible=true")).to_contain_text(unseen)
    for run in (seen, unseen):
        current().cancel(run)


def test_a_question_that_is_seen_in_a_cell_is_not_told_of(lab: Lab, notebook: Notebook) -> None:
    model = lab.script(tool_call("send", to="ann"), {"text": "Done."}, name="seen.jsonl")
    notebook.run_to_end(SEND)
    cell = notebook.run(f"%%agent seen -m {model} -t send\nWrite to Ann.")
    cell.get_by_test_id("approval").wait_for()
    (seen,) = until(lambda: current().runs(name="seen", status="waiting"))
    unseen = triage(lab)
    toasts(notebook.page, "Ticket triage waits for an answer").wait_for()  # it asked later, so that this one's time is over too
    expect(toasts(notebook.page, "seen waits")).to_have_count(0)
    for run in (seen.id, unseen):
        current().cancel(run)


def test_each_setting_does_what_it_says(lab: Lab, page: Page) -> None:
    bar = page.get_by_test_id("agentnb-statusbar")
    expect(bar).to_be_visible()
    page.keyboard.press("Control+,")
    editor = page.locator("#setting-editor, .jp-SettingsPanel").first
    editor.wait_for()
    page.locator(".jp-PluginList").get_by_text("Agents and runs").first.click()

    def field(name: str) -> Locator:
        return page.locator(f'[id="jp-SettingsEditor-@agentnb/labextension:panels_{name}"]')

    for name in ("notify", "notifyFailed", "statusBar"):
        field(name).uncheck()
    field("runsFilter").fill("workflow:triage")
    expect(bar).to_have_count(0)
    saved = lab.folder.parent / "settings" / "@agentnb" / "labextension" / "panels.jupyterlab-settings"
    until(lambda: saved.exists() and "workflow:triage" in saved.read_text())

    close_all(page)
    expect(open_panel(page, "Runs").get_by_test_id("agentnb-runs-filter")).to_have_value("workflow:triage")
    waiting = triage(lab)
    asked = time.monotonic()
    expect(rows(page, run=waiting, status="waiting")).to_be_visible()
    page.get_by_test_id("agentnb-runs-filter").fill("")
    (lab.folder / "papermill_jobs" / "wrong.yaml").write_text("name: wrong\nnotebook: report.ipynb\n")
    (lab.folder / "papermill_jobs" / "mended").unlink(missing_ok=True)
    subprocess.run([sys.executable, "-m", "agentnb", "jobs", "run", "wrong"], cwd=lab.folder, capture_output=True, check=False)
    expect(rows(page, status="failed").filter(has_text="wrong")).to_be_visible()
    page.wait_for_timeout(max(0.0, PATIENCE + 1 - (time.monotonic() - asked)) * 1000)
    expect(toasts(page)).to_have_count(0)
    current().cancel(waiting)
