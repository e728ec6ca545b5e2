"""Jobs through the API: what there is, what is wrong with it, a run in a process of its own, firings that were skipped."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx2
import pytest

from agentnb.ports.store import Firing, Offer
from agentnb.runtime import job_runs
from tests.server.runs import Runs
from tests.support.jupyter_server import API, until
from tests.support.notebooks import texts, write_notebook

GOOD = """\
name: good
description: Doubles
notebook: good.ipynb
parameters: {n: 3}
schedule: {cron: "0 6 * * 1-5", timezone: Europe/Berlin}
"""
BAD = """\
name: bad
notebook: nowhere.ipynb
timeout: yesterday
"""


@pytest.fixture(scope="module", autouse=True)
def folder(place: Path, runs: Runs) -> Path:
    made = place / "papermill_jobs"
    made.mkdir()
    write_notebook(made / "good.ipynb", ("n: int = 1", "parameters"), "print(n * 2)\nassert n != 13")
    (made / "good.yaml").write_text(GOOD)
    (made / "bad.yaml").write_text(BAD)
    return made


def got(api: httpx2.Client, path: str, **params: Any) -> Any:
    response = api.get(path, params=params)
    assert response.status_code == 200, response.text
    return response.json()


def ended(api: httpx2.Client, run_id: str) -> dict[str, Any]:
    return dict(until(lambda: (run := got(api, f"/runs/{run_id}"))["status"] in ("completed", "failed", "cancelled") and run))


def test_jobs_are_listed_with_what_is_wrong(api: httpx2.Client) -> None:
    listed = got(api, "/jobs")
    assert (listed["folder"], [job["name"] for job in listed["jobs"]]) == ("papermill_jobs", ["bad", "good"])
    bad, good = listed["jobs"]
    assert (bad["ok"], bad["findings"][0]["line"], bad["findings"][0]["field"]) == (False, 3, "timeout")
    assert (good["ok"], good["file"], good["source"]) == (True, "papermill_jobs/good.yaml", "papermill_jobs/good.ipynb")
    assert (good["starts"], good["trigger"], good["timezone"], len(good["next"])) == ("cron", "0 6 * * 1-5", "Europe/Berlin", 1)
    first = got(api, "/jobs", limit=1)
    assert [job["name"] for job in got(api, "/jobs", cursor=first["next"])["jobs"]] == ["good"]


def test_one_job(api: httpx2.Client) -> None:
    job = got(api, "/jobs/good")
    assert (job["parameters"]["n"]["type"], job["values"], job["document"]["name"]) == ("integer", {"n": 3}, "good")
    assert job["next"] == sorted(job["next"])
    assert len(job["next"]) == 10
    assert got(api, "/jobs/bad")["ok"] is False
    assert api.get("/jobs/none").status_code == 404


def test_a_job_is_run_now_and_leaves_output_and_log(api: httpx2.Client, place: Path) -> None:
    response = api.post("/jobs/good/runs", json={"parameters": {"n": 21}})
    assert response.status_code == 202, response.text
    queued = response.json()
    assert (queued["status"], queued["kind"], response.headers["location"]) == ("queued", "job", f"{API}/runs/{queued['id']}")
    run = ended(api, queued["id"])
    assert (run["status"], run["name"], run["input"]["parameters"]) == ("completed", "good", {"n": 21})
    (row,) = [row for row in got(api, "/jobs/good/runs")["runs"] if row["id"] == run["id"]]
    assert (row["trigger"], row["parameters"], row["has_log"]) == ("manual", {"n": 21}, True)
    assert got(api, "/runs", job=run["id"])["runs"] == []  # it has begun none
    assert "42" in "".join(texts(place / row["output_path"]))
    assert "completed" in until(lambda: "completed" in (log := got(api, f"/runs/{run['id']}/log")["text"]) and log)
    assert got(api, "/jobs/good")["last_runs"][0]["duration_ms"] > 0
    events = [event["type"] for event in got(api, f"/runs/{run['id']}/events")["events"]]
    assert events[:2] == ["job.queued", "job.started"]


def test_what_failed_goes_on_and_is_run_again_as_new_runs(api: httpx2.Client) -> None:
    failed = ended(api, api.post("/jobs/good/runs", json={"parameters": {"n": 13}}).json()["id"])
    assert (failed["status"], failed["error"]["type"]) == ("failed", "CellFailed")
    for how in ("resume", "rerun"):
        response = api.post(f"/runs/{failed['id']}/{how}", json={})
        assert response.status_code == 202, response.text
        new = ended(api, response.json()["id"])
        assert (new["id"] != failed["id"], new["status"], new["input"]["parameters"]) == (True, "failed", {"n": 13})


def test_what_can_not_run_is_refused(api: httpx2.Client) -> None:
    wrong = api.post("/jobs/good/runs", json={"parameters": {"n": "many"}})
    assert (wrong.status_code, "whole number" in wrong.json()["detail"]) == (400, True)
    assert api.post("/jobs/good/runs", json={"parameters": {"m": 1}}).status_code == 400
    assert api.post("/jobs/bad/runs", json={}).status_code == 400
    assert api.post("/jobs/none/runs", json={}).status_code == 404
    assert api.get("/runs/nope/log").status_code == 404


def test_a_key_runs_a_job_once(api: httpx2.Client) -> None:
    answers = [api.post("/jobs/good/runs", json={}, headers={"Idempotency-Key": "once"}).json()["id"] for _ in range(2)]
    assert answers[0] == answers[1]
    assert api.post(f"/runs/{answers[0]}/cancel", json={}).status_code in (200, 409)
    ended(api, answers[0])


def test_firings_say_why_they_did_not_run(api: httpx2.Client, runs: Runs) -> None:
    store = runs.runtime.store
    store.offer([Offer(None, (Firing("good", "cron", 1_800_000_000.0, "watched"),))])
    missed = Firing("good", "cron", 1_800_003_600.0, "missed", note="3 missed, misfire: skip")
    store.offer([Offer(1_800_000_000.0, (missed,))])
    (firing,) = got(api, "/jobs/good/firings")["firings"]
    assert (firing["status"], firing["note"], firing["at"]) == ("missed", "3 missed, misfire: skip", "2027-01-15T09:00:00+00:00")
    assert got(api, "/jobs/good/firings", status="skipped")["firings"] == []
    assert api.get("/jobs/good/firings", params={"status": "odd"}).status_code == 422


def test_a_queued_run_that_was_cancelled_never_begins(runs: Runs, folder: Path, store: Path) -> None:
    run = job_runs.queue(runs.runtime, "good", {"parameters": {}, "trigger": "manual"})
    assert runs.runtime.cancel(run.id).status == "cancelled"
    words = [sys.executable, "-m", "agentnb", "jobs", "run", "good", "--dir", str(folder), "--run-id", run.id]
    done = subprocess.run(words, env={**os.environ, "AGENTNB_STORE": str(store)}, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert [event.type for event in runs.runtime.events(run.id)] == ["job.queued", "job.failed"]
