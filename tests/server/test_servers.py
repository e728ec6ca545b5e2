"""Servers that end, that come back, that are several, and that can't start."""

from __future__ import annotations

import json
import os
from contextlib import closing
from pathlib import Path

import httpx2
import pytest

from agentnb.adapters.sqlite import SQLiteStore
from agentnb.config import load
from agentnb.ports.store import FINAL, RunChange
from agentnb.runtime.runtime import Runtime
from agentnb.runtime.workflow_definitions import draft
from agentnb.runtime.workflow_runs import queue
from agentnb.server.keys import Key
from agentnb.server.routing import Call
from agentnb.server.runs import kept_run
from agentnb.server.service import Service
from agentnb.workflows.spec import adapter
from tests.server.runs import Runs
from tests.support.jupyter_server import jupyter_server, until

WAITS = """\
name: waits
steps:
  a: {shell: {command: "touch begun; while ! test -e go-on; do sleep 0.1; done"}}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "files"
    made.mkdir()
    return made


def test_a_run_outlives_the_server_that_started_it(folder: Path, tmp_path: Path) -> None:
    store = tmp_path / "own"
    with jupyter_server(folder, store) as api:
        run = api.post("/runs", json={"text": WAITS}).json()
        until((folder / "begun").exists)
        seen = int(api.get("/summary").json()["position"])
    (folder / "go-on").touch()
    reading = SQLiteStore(store)
    until(lambda: reading.run(run["id"]).status in FINAL)
    assert (reading.run(run["id"]).status, reading.run(run["id"]).attempt) == ("completed", 1)
    with (
        jupyter_server(folder, store) as api,
        api.stream("GET", f"/runs/{run['id']}/events/stream", headers={"Last-Event-ID": str(seen)}) as stream,
    ):
        assert "event: workflow.completed" in iter_until(stream, "event: workflow.completed")
    reading.close()


def test_a_key_is_kept_with_its_run_though_the_server_dies_before_it_answers(folder: Path, tmp_path: Path) -> None:
    """What kill -9 between the run's row and the answer leaves: the row, and the key that is written with it."""
    spec = adapter().validate_python({"name": "once", "steps": {"a": {"shell": {"command": "true"}}}})
    runtime = Runtime(load(folder, store=tmp_path / "own"))
    with closing(runtime):
        asked = (runtime.store, "ada", "POST /runs", "k1", b"{}")
        key = Key(*asked)
        assert key.begin() is None
        call = Call(Service(folder, "/x"), "ada", lambda action, resource: None, key)  # type: ignore[arg-type, return-value]
        run = queue(runtime, draft(spec, folder), {}, also=lambda run: kept_run(call, run))
        before = Key(*asked).begin()
        assert before is not None
        assert (before.status, before.location, json.loads(before.body)["id"]) == (202, f"/runs/{run.id}", run.id)


def test_two_servers_do_nothing_twice(api: httpx2.Client, runs: Runs, store: Path, folder: Path) -> None:
    runtime = runs.runtime
    spec = adapter().validate_python({"name": "once", "steps": {"a": {"shell": {"command": "echo x >> done.txt"}}}})
    queued = [queue(runtime, draft(spec, folder), {}).id for _ in range(3)]
    with jupyter_server(folder, store) as other:
        for run_id in queued:
            runtime.store.write(RunChange(run_id, {"owner": "", "lease_until": 0.0}))
        for client, run_id in zip((api, other, api), queued, strict=True):
            until(lambda client=client, run_id=run_id: client.get(f"/runs/{run_id}").json()["status"] == "completed")
    assert (folder / "done.txt").read_text() == "x\n" * 3
    for run_id in queued:
        assert [event.type for event in runtime.events(run_id)].count("workflow.started") == 1


def test_wrong_settings_are_told_by_every_route_until_they_are_mended(folder: Path, tmp_path: Path) -> None:
    settings = folder / "agentnb.toml"
    settings.write_text("modle = 'x'\n")
    with jupyter_server(folder, tmp_path / "own", ready=503) as api:
        ready = api.get("/health/ready").json()
        assert ready["status"] == "failing"
        assert "modle" in ready["checks"][0]["reason"]
        assert api.get("/health/live").status_code == 200
        refused = api.get("/runs")
        assert (refused.status_code, refused.json()["type"]) == (400, "urn:agentnb:ConfigurationError")
        settings.write_text("model = 'openai:gpt-5'\n")
        assert api.get("/health/ready").status_code == 200
        assert api.get("/runs").json()["runs"] == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_said(folder: Path, tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o500)
    with jupyter_server(folder, closed / "store", ready=503) as api:
        assert "AGENTNB_STORE" in api.get("/health/ready").json()["checks"][0]["reason"]


def iter_until(stream: httpx2.Response, wanted: str) -> list[str]:
    lines = []
    for line in stream.iter_lines():
        lines.append(line)
        if line == wanted:
            break
    return lines
