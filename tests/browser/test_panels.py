"""The panels of agents and runs in JupyterLab: real runs of the same store, as somebody sees them in the page."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from agentnb.ports.store import Run
from agentnb.runtime.runtime import current
from tests.support.jupyterlab import TOKEN, Lab, Notebook, tool_call
from tests.support.notebooks import write_notebook
from tests.support.panels import close_all, open_panel, open_run, rows, tool_steps, triage
from tests.support.pictures import picture

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("lab_store")]

AGENTS = """
import agentnb as anb

@anb.tool(effects="none")
def lookup(city: str) -> str:
    "Weather."
    return f"sunny in {city}"

@anb.tool(approval=True)
def send(to: str) -> str:
    "Send mail."
    return f"sent to {to}"

secretary = anb.Agent("secretary", model="scripted:chat.jsonl", instructions="You write.", tools=[lookup, send], capabilities=["MAIL"])
secretary.initialize()
for day in ("Monday", "Tuesday"):
    anb.Agent("weather", model=f"scripted:{day}.jsonl", tools=[lookup]).execute_sync(f"How is {day}?")
"""


@pytest.fixture
def page(page: Page) -> Page:
    close_all(page)
    return page


@pytest.fixture(scope="module")
def agents(lab: Lab) -> None:
    """Agents as a script defines them, and two runs."""
    tokens = {"usage": {"input_tokens": 1000, "output_tokens": 234}}
    for day, sky in (("Monday", "sunny"), ("Tuesday", "cloudy")):
        lab.script(tool_call("lookup", city=day), {"text": f"It is **{sky}**.", **tokens}, name=f"{day}.jsonl")
    words = {"text": "I have **written**. ![a picture](http://127.0.0.1:9/told.png) " + "So it goes. " * 20, "chunk_delay": 0.05}
    lab.script(tool_call("lookup", city="Rome"), tool_call("send", to="ann"), words, name="chat.jsonl")
    (lab.folder / "agents.py").write_text(AGENTS)
    subprocess.run([sys.executable, "agents.py"], cwd=lab.folder, env={**os.environ, "AGENTNB_STORE": str(lab.store)}, check=True)


def panel_picture(page: Page, name: str) -> None:
    """All that is below the tabs."""
    page.mouse.move(0, 0)
    picture(page.locator("#jp-main-dock-panel > .agentnb-panel").locator("visible=true"), name)


def test_an_empty_store_teaches(page: Page) -> None:
    expect(open_panel(page, "Runs").get_by_test_id("agentnb-empty")).to_contain_text("%%agent")
    page.keyboard.press("Control+Shift+C")
    page.locator(".lm-CommandPalette-input").fill("Agents: ")
    page.locator(".lm-CommandPalette-input").fill("Agents")
    page.locator('.lm-CommandPalette-item[data-command="agentnb:open-panel"]', has_text="Agents").first.click()
    expect(page.get_by_test_id("agentnb-agents").get_by_test_id("agentnb-empty")).to_contain_text("agentnb.Agent(")


@pytest.mark.usefixtures("agents")
def test_runs_appear_are_filtered_and_compared(lab: Lab, page: Page) -> None:
    panel = open_panel(page, "Runs")
    expect(rows(page)).to_have_count(2)

    lab.script({"text": "Fine."}, name="fine.jsonl")
    import agentnb as anb

    helper = anb.Agent("helper", model="scripted:fine.jsonl")
    live = helper.execute_sync("How are you?")
    expect(rows(page, run=live.execution_id, status="completed")).to_be_visible()
    with pytest.raises(Exception, match="all are used"):
        helper.execute_sync("And now?")
    expect(rows(page, status="failed")).to_contain_text("all are used")

    field = panel.get_by_test_id("agentnb-runs-filter")
    field.fill("status:failed agent:helper today")
    expect(rows(page)).to_have_count(1)
    field.fill("colour:red")
    expect(panel.locator(".agentnb-filter-problem")).to_contain_text("there is no colour:")
    field.fill("agent:weather")
    expect(rows(page)).to_have_count(2)

    compare = panel.get_by_test_id("agentnb-compare-button")
    for row in rows(page).all():
        row.locator("input").check()
    compare.click()
    view = page.get_by_test_id("agentnb-compare")
    expect(view.get_by_test_id("agentnb-compare-summary")).to_contain_text("differ from m1 on")
    view.get_by_test_id("agentnb-compare-step").first.locator("summary").click()
    expect(view.locator('td[data-mark="−"]', has_text="Monday").first).to_be_visible()
    expect(view.locator('td[data-mark="+"]', has_text="Tuesday").first).to_be_visible()


def test_a_filter_finds_what_is_far_back(page: Page) -> None:
    old = [
        Run(f"exec_{place:03}", "agent", "needle" if place == 0 else "hay", "completed", created_at=at, ended_at=at)
        for place in range(250)
        for at in [f"2020-01-01T{place // 60:02}:{place % 60:02}:00.000000Z"]
    ]
    current().store.write(*old)
    panel = open_panel(page, "Runs")
    panel.get_by_test_id("agentnb-runs-filter").fill("needle")
    expect(rows(page, run="exec_000")).to_be_visible()
    expect(panel.get_by_test_id("agentnb-runs-count")).to_have_text("1 run")
    for run in old:
        current().delete(run.id)


def test_a_run_asks_and_is_answered(lab: Lab, page: Page) -> None:
    run_id = triage(lab)
    view = open_run(page, run_id)
    expect(page.get_by_test_id("agentnb-statusbar")).to_contain_text("1 waiting")
    row = view.locator('[data-testid="agentnb-timeline-row"][data-step="flaky"]')
    expect(row.locator(".agentnb-bar-span")).to_have_count(2)
    row.click()
    sheet = view.get_by_test_id("agentnb-step-sheet")
    expect(sheet.locator('.agentnb-card[data-kind="error"]')).to_contain_text("code 3")
    sheet.get_by_test_id("agentnb-tab-attempts").click()
    expect(sheet.locator("tbody tr")).to_have_count(2)
    panel_picture(page, "run")
    view.get_by_test_id("agentnb-timeline").press("Escape")
    expect(view.get_by_test_id("agentnb-run-sheet")).to_be_visible()

    question = view.get_by_test_id("question")
    question.locator('input[type="text"]').first.fill("because")
    question.get_by_test_id("approve").click()
    expect(page.locator('[data-testid="agentnb-run"][data-status="completed"]')).to_be_visible()
    expect(view.get_by_test_id("agentnb-run-sheet")).to_contain_text("because")
    view.get_by_test_id("agentnb-tab-events").click()
    expect(view.get_by_test_id("agentnb-event-row").filter(has_text="workflow.completed")).to_be_visible()
    view.get_by_test_id("agentnb-tab-report").click()
    expect(view.get_by_test_id("agentnb-report")).to_contain_text("critical path")
    view.get_by_test_id("agentnb-tab-graph").click()
    expect(view.get_by_test_id("agentnb-graph").locator(".react-flow__node")).to_have_count(3)


def test_a_run_is_cancelled_and_deleted(lab: Lab, page: Page) -> None:
    run_id = triage(lab)
    view = open_run(page, run_id)
    view.get_by_test_id("agentnb-cancel").click()
    expect(page.locator('[data-testid="agentnb-run"][data-status="cancelled"]')).to_be_visible()
    expect(view.get_by_test_id("question")).to_have_count(0)
    view.get_by_test_id("agentnb-delete").click()
    page.locator(".jp-Dialog .jp-mod-warn").click()
    expect(page.get_by_test_id("agentnb-gone")).to_contain_text("This run is gone")

    other = triage(lab)
    page.locator("#jp-main-dock-panel .lm-TabBar-tab", has_text="Runs").click()
    open_run(page, other)
    current().cancel(other)
    expect(page.locator('[data-testid="agentnb-run"][data-status="cancelled"]')).to_be_visible()
    current().delete(other)
    expect(page.get_by_test_id("agentnb-gone").locator("visible=true")).to_contain_text(other)


@pytest.mark.usefixtures("agents")
def test_a_chat_streams_asks_and_shows_its_tools(page: Page) -> None:
    panel = open_panel(page, "Agents")
    panel.get_by_test_id("agentnb-agents-filter").fill("mail")
    card = panel.get_by_test_id("agentnb-agent-card")
    expect(card).to_have_count(1)
    card.get_by_test_id("agentnb-start-chat").click()
    chat = page.get_by_test_id("agentnb-chat")
    field = chat.get_by_test_id("agentnb-chat-input")
    expect(field).to_be_focused()
    page.keyboard.type("Write to Ann.")
    expect(field).to_have_value("Write to Ann.")
    expect(chat.get_by_role("button", name="Send")).to_be_enabled()  # the agent is read by now
    field.press("Enter")

    question = chat.get_by_test_id("agentnb-question")
    expect(question).to_contain_text("ann")
    question.get_by_role("button", name="Edit").click()
    question.locator("textarea").fill('{"to": "bob"}')
    answer = chat.get_by_test_id("agentnb-answer")
    question.get_by_test_id("agentnb-approve").click()
    answer.wait_for()
    assert chat.get_by_test_id("agentnb-turn").get_attribute("data-status") == "running"  # it is shown while it is written
    expect(chat.locator('[data-testid="agentnb-turn"][data-status="completed"]')).to_be_visible()
    expect(answer.locator("strong")).to_have_text("written")
    expect(answer).to_contain_text("a picture")
    assert answer.locator("img").count() == 0  # its address could carry away what was said
    expect(question).to_have_count(0)

    summary = chat.get_by_test_id("agentnb-summary")
    expect(summary).to_have_text(re.compile(r"chat\.jsonl · 3 calls · 2 tools"))
    summary.click()
    tool = tool_steps(chat).nth(1)
    tool.locator("summary").first.click()
    expect(tool).to_contain_text("sent to bob")


def test_a_job_is_run_now_and_its_history_opened(lab: Lab, page: Page) -> None:
    expect(open_panel(page, "Agent jobs").get_by_test_id("agentnb-empty")).to_contain_text("papermill_jobs/report.yaml")
    folder = lab.folder / "papermill_jobs"
    folder.mkdir()
    write_notebook(folder / "report.ipynb", ("n: int = 1", "parameters"), "print('the answer is', n * 2)\nassert n != 13")
    (folder / "report.yaml").write_text(
        'name: report\ndescription: Doubles a number\nnotebook: report.ipynb\nschedule: {cron: "0 6 * * 1-5", timezone: Europe/Berlin}\n'
    )
    (folder / "broken.yaml").write_text("name: broken\nnotebook: report.ipynb\ntimeout: yesterday\n")
    panel = page.get_by_test_id("agentnb-jobs")
    panel.get_by_role("button", name="Reload").click()
    expect(panel.locator('[data-job="broken"]')).to_contain_text("line 3")
    row = panel.locator('[data-job="report"]')
    expect(row).to_contain_text("Monday to Friday at 06:00, Europe/Berlin")
    row.get_by_test_id("agentnb-job-run").click()
    expect(panel.locator('[data-job="report"][data-status="completed"]')).to_be_visible()
    expect(row.locator(".agentnb-sparkline rect")).to_have_count(1)

    row.get_by_role("button", name="report", exact=True).click()
    job = page.get_by_test_id("agentnb-job")
    expect(job.get_by_test_id("agentnb-job-next").locator("span")).to_have_count(5)
    job.get_by_test_id("agentnb-tab-parameters").click()
    job.get_by_label("n", exact=True).fill("13")
    job.get_by_role("button", name="Run with 1 changed").click()
    job.get_by_test_id("agentnb-tab-history").click()
    failed = job.locator('[data-testid="agentnb-job-run-row"][data-status="failed"]')
    expect(failed).to_contain_text("AssertionError")
    page.locator("#jp-main-dock-panel .lm-TabBar-tab", has_text="Agent jobs").click()
    expect(row.locator(".agentnb-sparkline rect")).to_have_count(2)
    page.locator("#jp-main-dock-panel .lm-TabBar-tab", has_text="report").click()

    failed.get_by_role("button", name="Log").click()
    expect(page.get_by_test_id("agentnb-log")).to_contain_text("AssertionError")
    page.get_by_test_id("agentnb-tab-timeline").locator("visible=true").click()
    expect(page.locator('[data-testid="agentnb-timeline-row"][data-step="cell 2"]')).to_be_visible()
    page.locator("#jp-main-dock-panel .lm-TabBar-tab", has_text="report").first.click()
    job.locator('[data-status="completed"]').get_by_role("button", name="Output").click()
    expect(page.locator(".jp-NotebookPanel")).to_contain_text("the answer is 2")
    notebook = Notebook(page)
    notebook.wait_idle()
    notebook.close()


def test_the_steps_of_a_job_are_a_live_graph(lab: Lab, page: Page) -> None:
    folder = lab.folder / "papermill_jobs"
    folder.mkdir(exist_ok=True)
    wait = "import os, time\nwhile not os.path.exists('go-on'):\n    time.sleep(0.05)\nleft = 1\nleft"
    write_notebook(folder / "steps.ipynb", (wait, "step:left"), ("right = 2\nright", "step:right"), ("left + right", "step:both"))
    (folder / "side_by_side.yaml").write_text("name: side_by_side\nnotebook: steps.ipynb\nsteps: true\n")
    row = open_panel(page, "Agent jobs").locator('[data-job="side_by_side"]')
    row.get_by_test_id("agentnb-job-run").click()
    row.get_by_role("button", name="running").click()
    view = page.get_by_test_id("agentnb-run").locator("visible=true")

    def node(name: str, status: str) -> Locator:
        return view.locator(f'[data-testid="node:{name}"][data-status="{status}"]')

    expect(node("right", "completed")).to_be_visible()
    expect(node("left", "running")).to_be_visible()
    expect(node("both", "queued")).to_be_visible()
    expect(page.get_by_test_id("agentnb-statusbar")).to_contain_text("1 running")  # the job: its workflow is a part of it
    (folder / "go-on").touch()
    expect(node("both", "completed")).to_be_visible()
    expect(page.locator('[data-testid="agentnb-run"][data-status="completed"]')).to_be_visible()
    node("both", "completed").click()
    expect(view.get_by_test_id("sheet-body")).to_contain_text("3")
    view.get_by_test_id("agentnb-begun").click()
    expect(page.get_by_test_id("agentnb-run").locator("visible=true")).to_contain_text("of the job’s run")


@pytest.mark.usefixtures("agents")
def test_the_layout_comes_back_after_a_reload(lab: Lab, page: Page) -> None:
    open_panel(page, "Runs").get_by_test_id("agentnb-runs-filter").fill("agent:weather")
    expect(rows(page)).to_have_count(2)
    run_id = rows(page).first.get_attribute("data-run") or ""
    open_run(page, run_id).get_by_test_id("agentnb-tab-events").click()
    with page.expect_response(lambda response: "/api/workspaces/" in response.url and response.request.method == "PUT"):
        page.locator("#jp-main-dock-panel .lm-TabBar-tab", has_text="Runs").click()
    page.goto(f"{lab.url}lab?token={TOKEN}")
    expect(page.locator("#jp-main-dock-panel .lm-TabBar-tab", has_text="weather")).to_be_visible()
    page.locator("#jp-main-dock-panel .lm-TabBar-tab", has_text="weather").click()
    expect(page.get_by_test_id("agentnb-event-row").filter(has_text="agent.executed")).to_be_visible()
    page.locator("#jp-main-dock-panel .lm-TabBar-tab", has_text="Runs").click()
    expect(page.get_by_test_id("agentnb-runs-filter")).to_have_value("agent:weather")
    expect(rows(page)).to_have_count(2)


@pytest.mark.usefixtures("agents")
def test_a_user_without_permission_is_told(page: Page, forbid: Callable[..., None]) -> None:
    forbid(("read", "agentnb.runs"), ("read", "agentnb.agents"))
    open_panel(page, "Runs")
    expect(page.get_by_test_id("agentnb-forbidden").locator("visible=true").first).to_contain_text("You may not see this")
    page.keyboard.press("Control+Shift+L")
    open_panel(page, "Agents")
    expect(page.get_by_test_id("agentnb-forbidden").locator("visible=true").first).to_contain_text("You may not see this")


@pytest.mark.usefixtures("agents")
def test_a_restart_of_the_server_is_survived(lab: Lab, page: Page) -> None:
    panel = open_panel(page, "Runs")
    expect(rows(page).first).to_be_visible()
    lab.stop()
    expect(page.get_by_test_id("agentnb-connection")).to_contain_text("The server does not answer")
    with page.expect_event("requestfailed", lambda request: "api/v1/runs?" in request.url):
        panel.get_by_test_id("agentnb-runs-filter").fill("status:waiting")
    page.evaluate("() => new Promise(requestAnimationFrame)")
    expect(page.get_by_test_id("agentnb-trouble")).to_have_count(0)  # one line says it, not two
    waiting = triage(lab)
    lab.start()
    expect(rows(page, run=waiting, status="waiting")).to_be_visible()
    expect(page.locator('[data-testid="agentnb-connection"][data-state="lost"]')).to_have_count(0)
    after = triage(lab)
    expect(rows(page, run=after)).to_be_visible()
