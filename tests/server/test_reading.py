"""What can be read: health, agents, workflows, runs, events."""

from __future__ import annotations

from typing import Any

import httpx2

from tests.server.runs import Runs


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
    assert [(node["id"], node["phase"], node["state"]["status"]) for node in dag["nodes"]] == [
        ("write", 0, "completed"),
        ("review", 1, "waiting"),
        ("send", 2, "queued"),
    ]
    assert machine["current"] == "REST"
    assert [edge["taken"] for edge in machine["edges"]] == [1, 1, 0]


def test_an_unknown_run_is_a_problem_with_its_mend(api: httpx2.Client) -> None:
    response = api.get("/runs/nope")
    assert (response.status_code, response.headers["content-type"]) == (404, "application/problem+json")
    problem = response.json()
    assert problem["type"] == "urn:agentnb:RunNotFound"
    assert "agentnb runs list" in problem["detail"]
