"""What can be read: health, agents, workflows, runs, events."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.server.runs import Runs
from tests.support.jupyter_server import API


def got(api: httpx2.Client, path: str, **params: Any) -> Any:
    response = api.get(path, params=params)
    assert response.status_code == 200, response.text
    return response.json()


def test_health(api: httpx2.Client) -> None:
    assert got(api, "/health/live")["status"] == "ok"
    ready = got(api, "/health/ready")
    assert ready["status"] == "ok"
    assert {check["name"] for check in ready["checks"]} >= {"store", "events"}


def test_an_agent_is_found_by_name_and_capability(api: httpx2.Client, runs: Runs) -> None:
    (agent,) = got(api, "/agents", capability="TEXT_PROCESSING", name="geographer")["agents"]
    assert (agent["instructions"], agent["tools"], agent["last_runs"][0]["id"]) == ("Answer.", ["population"], runs.agent)
    assert got(api, "/agents", capability="WORKFLOW_CONTROL")["agents"] == []
    assert got(api, f"/agents/{agent['id']}")["spec"]["instructions"] == "Answer.\nBriefly."
    assert [run["id"] for run in got(api, "/agents/geographer/runs")["runs"]] == [runs.agent]


def test_runs_of_agents_and_of_workflows_have_the_same_shape(api: httpx2.Client, runs: Runs) -> None:
    agent, workflow = got(api, f"/runs/{runs.agent}"), got(api, f"/runs/{runs.waiting}")
    assert [step["kind"] for step in agent["steps"]] == ["model", "tool", "model"]
    assert [(step["id"], step["status"]) for step in workflow["steps"]] == [("write", "completed"), ("review", "waiting")]
    (question,) = workflow["questions"]
    assert (question["step_id"], question["prompt"], question["verdicts"]) == ("review", "Send Dear Ada?", ["approve", "reject"])
    assert (agent["resumable"], workflow["resumable"], workflow["alive"]) == (False, True, False)


def test_graphs_say_what_came_of_each_step(api: httpx2.Client, runs: Runs) -> None:
    dag, machine = got(api, f"/runs/{runs.waiting}/graph"), got(api, f"/runs/{runs.machine}/graph")
    assert [node["id"] for node in dag["data"]["nodes"]] == ["write", "review", "send"]
    assert {name: step["status"] for name, step in dag["state"]["steps"].items()} == {"write": "completed", "review": "waiting"}
    assert machine["state"]["current"] == ["REST"]
    assert sorted(number for numbers in machine["state"]["taken"].values() for number in numbers) == [1, 2]


def test_the_sheet_of_a_step(api: httpx2.Client, runs: Runs) -> None:
    sheet = got(api, f"/runs/{runs.waiting}/graph/details", node="write")["details"]
    assert (sheet["run"], sheet["step"], sheet["status"], len(sheet["attempts"])) == (runs.waiting, "write", "completed", 1)
    assert got(api, f"/runs/{runs.waiting}/graph/details", node="nowhere")["details"]["status"] == "queued"


def test_an_unknown_run_is_a_problem_with_its_mend(api: httpx2.Client) -> None:
    response = api.get("/runs/nope")
    assert (response.status_code, response.headers["content-type"]) == (404, "application/problem+json")
    problem = response.json()
    assert problem["type"] == "urn:agentnb:RunNotFound"
    assert "agentnb runs list" in problem["detail"]


def test_pages_follow_one_another(api: httpx2.Client, runs: Runs) -> None:
    every = [run["id"] for run in got(api, "/runs", limit=500)["runs"]]
    assert {runs.agent, runs.waiting, runs.failed, runs.machine} <= set(every)
    paged, cursor = [], ""
    while True:
        page = got(api, "/runs", limit=2, cursor=cursor)
        paged += [run["id"] for run in page["runs"]]
        cursor = page["next"]
        if not cursor:
            break
    assert paged == every
    assert api.get("/runs", params={"cursor": "nonsense"}).status_code == 400
    names = [agent["name"] for agent in got(api, "/agents")["agents"]]
    first = got(api, "/agents", limit=1)
    assert [first["agents"][0]["name"], *(agent["name"] for agent in got(api, "/agents", cursor=first["next"])["agents"])] == names


def test_runs_are_filtered(api: httpx2.Client, runs: Runs) -> None:
    assert [run["id"] for run in got(api, "/runs", name="broken", status="failed")["runs"]][-1] == runs.failed
    assert got(api, "/runs", kind="job", name="broken")["runs"] == []
    whole = got(api, f"/runs/{runs.agent}")
    later = got(api, "/runs", since=whole["started_at"])["runs"]
    assert runs.agent in [run["id"] for run in later]
    assert runs.agent not in [run["id"] for run in got(api, "/runs", until=whole["started_at"])["runs"]]
    assert api.get("/runs", params={"status": "lost"}).status_code == 422
    assert api.get("/runs", params={"stauts": "failed"}).json()["fields"][0]["field"] == "stauts"


def test_what_lab_adds_against_caches_is_no_parameter(api: httpx2.Client) -> None:
    assert api.get("/runs?1795623347549").status_code == 200
    assert api.get("/health/live?1795623347549").status_code == 200


def test_a_version_is_sent_once(api: httpx2.Client) -> None:
    first = api.get("/workflows/letter to all")
    version, tag = first.json()["version"], first.headers["etag"]
    assert tag == f'"{version}"'
    for path in ("/workflows/letter to all", f"/workflows/letter to all/versions/{version}"):
        again = api.get(path, headers={"If-None-Match": tag})
        assert (again.status_code, again.content) == (304, b"")
        assert api.get(path, headers={"If-None-Match": '"other"'}).status_code == 200
    assert got(api, f"/workflows/letter to all/versions/{version}/plan")["phases"] == [["write"], ["review"], ["send"]]
    assert api.get(f"/workflows/broken/versions/{version}").status_code == 404
    assert api.get("/workflows/nothing/versions").status_code == 404


def test_a_text_is_checked_with_places_and_mends(api: httpx2.Client) -> None:
    text = "name: x\nsteps:\n  a: {shell: {command: 'true'}}\n  b: {shell: {command: 'true'}, needs: [c]}\n"
    found = api.post("/documents/validate", json={"text": text, "file": "x.yaml"}).json()
    assert found["ok"] is False
    finding = found["findings"][0]
    assert (finding["line"], finding["file"], finding["severity"]) == (4, "x.yaml", "error")
    assert finding["mend"]
    planned = api.post("/documents/plan", json={"text": text.replace("[c]", "[a]")}).json()
    assert (planned["phases"], planned["critical_path"]) == ([["a"], ["b"]], ["a", "b"])
    assert [(edge["source"], edge["target"]) for edge in planned["graph"]["edges"]] == [("a", "b")]


NAMED = """\
name: x
steps:
  fine: {tool: "python:helpers.write", input: {who: Ada}}
  misspelt: {tool: "python:helpers.wrote"}
  missing: {tool: "python:nowhere.write"}
  plain: {tool: search}
  ours: {agent: geographer, input: hi}
  nobody: {agent: nobody, input: hi}
  inner: {workflow: letter.workflow.yaml, input: {whom: Ada}}
  absent: {workflow: absent.workflow.yaml}
  outside: {workflow: ../../outside.workflow.yaml}
"""


def test_names_are_looked_for_as_on_the_command_line(api: httpx2.Client, place: Path, store: Path) -> None:
    (place / "named.workflow.yaml").write_text(NAMED)
    command = [sys.executable, "-m", "agentnb", "workflow", "validate", "named.workflow.yaml", "--json"]
    told = subprocess.run(command, cwd=place, env={**os.environ, "AGENTNB_STORE": str(store)}, capture_output=True, text=True, check=False)
    found = api.post("/documents/validate", json={"text": NAMED, "file": "named.workflow.yaml"}).json()["findings"]
    assert [finding["line"] for finding in found] == [4, 5, 6, 8, 9, 9, 10]
    assert "has no 'wrote'" in found[0]["message"]
    elsewhere = [finding for finding in json.loads(told.stdout)["findings"] if finding["line"] < 11]  # files outside aren't read for others
    assert [(one["line"], one["severity"]) for one in found] == [(one["line"], one["severity"]) for one in elsewhere]


def test_pipes_and_links_are_not_read(api: httpx2.Client, place: Path, tmp_path: Path) -> None:
    os.mkfifo(place / "pipe.yaml")
    (tmp_path / "outside.yaml").write_text("name: outside\nsteps: {a: {shell: {command: 'true'}}}\n")
    (place / "link.yaml").symlink_to(tmp_path / "outside.yaml")
    for name, reason in (("pipe.yaml", "a pipe"), ("link.yaml", "not in the server's folder")):
        response = api.post("/runs", json={"file": name})
        assert response.status_code == 400
        assert reason in response.json()["detail"]
        text = f"name: x\nsteps:\n  a: {{workflow: {name}, input: {{none: 1}}}}\n"
        assert api.post("/documents/validate", json={"text": text, "file": "x.yaml"}).json() == {"ok": True, "findings": []}


def test_checking_imports_nothing(api: httpx2.Client, place: Path) -> None:
    (place / "loud.py").write_text("open('imported', 'w').close()\ndef f(): ...\n")
    text = 'name: x\nsteps:\n  a: {tool: "python:loud.f"}\n  b: {tool: "python:loud.g"}\n'
    found = api.post("/documents/validate", json={"text": text, "file": "x.yaml"}).json()["findings"]
    assert [finding["line"] for finding in found] == [4]
    assert not (place / "imported").exists()


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"\x00\xff", b"[]", b'{"text": "\\ud800"}', json.dumps({"text": "\0"}).encode(), b'{"text": ' + b'"x' * 5 + b'"}'],
)
def test_bodies_that_are_none_are_problems(api: httpx2.Client, body: bytes) -> None:
    response = api.post("/documents/plan", content=body)
    assert (response.status_code, response.headers["content-type"]) == (422, "application/problem+json")


@pytest.mark.parametrize(("method", "path"), [("GET", "/nothing"), ("POST", "/runs/"), ("DELETE", "/a/b/c"), ("GET", "/")])
def test_what_is_no_route_is_a_problem(api: httpx2.Client, method: str, path: str) -> None:
    response = api.request(method, path)
    assert (response.status_code, response.headers["content-type"]) == (404, "application/problem+json")
    assert response.json()["detail"] == f"there is no such route: GET {API}/openapi.json lists them"
    assert httpx2.request(method, f"{str(api.base_url).rstrip('/')}{path}", trust_env=False).status_code == 403


def test_a_method_that_a_route_has_not_is_a_problem(api: httpx2.Client) -> None:
    response = api.put("/runs", json={})
    assert (response.status_code, response.headers["content-type"]) == (405, "application/problem+json")


def test_a_text_that_is_too_large_is_refused(api: httpx2.Client) -> None:
    assert api.post("/documents/validate", json={"text": "x" * 10_000_001}).status_code == 422
    assert api.post("/documents/validate", json={"text": "ä" * 6_000_000}).json()["ok"] is False


def test_metrics_are_in_jupyters_own_registry(api: httpx2.Client) -> None:
    for address in ("/metrics", str(api.base_url).replace("agentnb/api/v1/", "metrics")):
        text = api.get(address).text
        assert 'agentnb_runs{kind="agent",status="completed"}' in text
        assert "agentnb_request_duration_seconds_bucket" in text


def test_a_report_is_written_in_each_format(api: httpx2.Client, runs: Runs) -> None:
    assert got(api, f"/runs/{runs.failed}/report")["report"]["status"] == "failed"
    for form in ("text", "markdown", "html"):
        assert "no paper" in got(api, f"/runs/{runs.failed}/report", format=form)["text"]
    refused = api.get(f"/runs/{runs.agent}/report")
    assert (refused.status_code, refused.json()["type"]) == (400, "urn:agentnb:ConfigurationError")


def test_two_runs_are_compared(api: httpx2.Client, runs: Runs) -> None:
    found = got(api, f"/runs/{runs.failed}/diff/{runs.failed}")
    assert (found["same"], found["counts"]) == (True, {"same": 2})
    assert api.get(f"/runs/{runs.failed}/diff/{runs.agent}").status_code == 400


def test_everything_else_that_can_be_read_is_there(api: httpx2.Client, runs: Runs) -> None:
    assert {template["name"] for template in got(api, "/templates")["templates"]} >= {"support", "research"}
    assert "support.workflow.yaml" in got(api, "/templates/support")["documents"]
    assert got(api, "/documents/schema")["schema"]["$schema"]
    assert [step["id"] for step in got(api, f"/runs/{runs.waiting}/steps")["steps"]] == ["write", "review"]
    assert got(api, f"/runs/{runs.waiting}/questions")["questions"][0]["step_id"] == "review"
    assert got(api, f"/executions/{runs.agent}")["text"] == "2.1 million."
    assert runs.agent in [run["id"] for run in got(api, "/executions", limit=500)["runs"]]
    assert got(api, "/summary")["runs"]["workflow"]["waiting"] >= 1
    events = got(api, f"/runs/{runs.agent}/events", limit=2)
    assert [event["type"] for event in events["events"]] == ["agent.executing", "agent.model_called"]
    assert got(api, "/events", after=events["next"], limit=1)["events"][0]["seq"] > events["next"]
    assert "openai:gpt-5" in {model["name"] for model in got(api, "/models")["models"]}
    assert got(api, "/workflows", name="machine")["workflows"][0]["kind"] == "state_machine"
