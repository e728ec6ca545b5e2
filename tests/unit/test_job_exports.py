"""Exports: each target's files are checked by what that target itself, or its schema, says of them."""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import kubernetes_validate
import pytest
import yaml
from crontab import CronTab

from agentnb.errors import ConfigurationError
from agentnb.jobs import schedule
from agentnb.jobs.catalog import Catalog
from agentnb.jobs.export import TARGETS, export, write
from agentnb.jobs.export.times import calendar, in_utc
from tests.support.notebooks import write_notebook

ODD = 'Reports: "100 %" of\nit, $HOME and `x`'


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    folder = tmp_path / "a project 100%" / "papermill_jobs"
    folder.mkdir(parents=True)
    write_notebook(folder / "n.ipynb", "1")
    jobs: list[dict[str, Any]] = [
        {
            "name": "daily",
            "description": ODD,
            "schedule": {"cron": "0 6 * * 1-5", "timezone": "Europe/Berlin"},
            "timeout": "30m",
            "secrets": ["OPENAI_API_KEY"],
            "resources": {"memory": "4GB", "cpu": 2, "gpu": 1},
        },
        {"name": "after.it", "depends_on": ["daily"]},
        {"name": "Quarter_1", "schedule": {"cron": "*/15 * * * *", "overlap": "parallel", "misfire": "run_all"}},
        {"name": "by-hand"},
        {"name": "heard", "on_event": "external.orders"},
    ]
    for job in jobs:
        (folder / f"{job['name']}.json").write_text(json.dumps({**job, "notebook": "n.ipynb"}))
    return Catalog.of(folder)


def test_crontab(catalog: Catalog) -> None:
    found = CronTab(tab=export(catalog, "crontab")["agentnb.crontab"])
    assert [str(job.slices) for job in found] == ["0,15,30,45 * * * *", "@hourly"]
    assert all(job.is_valid() for job in found)
    assert "due daily" in found[1].command
    assert found[1].command.endswith("--downstream")
    [direct] = CronTab(tab=export(catalog, "crontab", ["daily"], {"timezone": "Europe/Berlin"})["agentnb.crontab"])
    assert str(direct.slices) == "0 6 * * 1-5"
    subprocess.run(["sh", "-n", "-c", direct.command.replace("\\%", "%")], check=True)
    text = export(catalog, "crontab")["agentnb.crontab"]
    assert "%" not in text.replace("\\%", "")


def test_a_crontab_keeps_to_the_clock_of_its_machine(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    """Six o'clock in Berlin is half past in India; and who looks back as far as the line before would run twice."""
    try:
        monkeypatch.setenv("TZ", "Asia/Kolkata")
        time.tzset()
        found = CronTab(tab=export(catalog, "crontab")["agentnb.crontab"])
    finally:
        monkeypatch.undo()
        time.tzset()
    assert str(found[1].slices) == "30 * * * *"
    (catalog.folder / "often.json").write_text('{"name": "often", "notebook": "n.ipynb", "schedule": {"cron": "*/2 9-17 * * *"}}')
    [often] = CronTab(tab=export(Catalog.of(catalog.folder), "crontab", ["often"])["agentnb.crontab"])
    assert "--within 2m" in often.command


@pytest.mark.parametrize(("code", "due", "ends"), [(0, True, 0), (1, False, 0), (2, False, 1), (127, False, 1)])
def test_a_ci_that_cannot_tell_whether_a_job_is_due_fails(catalog: Catalog, tmp_path: Path, code: int, due: bool, ends: int) -> None:
    workflow = yaml.safe_load(export(catalog, "github-actions")[".github/workflows/agentnb-daily.yml"])
    [look] = [step["run"] for step in workflow["jobs"]["daily"]["steps"] if step.get("id") == "look"]
    assert "--within 50m" in look
    (tmp_path / "agentnb").write_text(f"#!/bin/sh\nexit {code}\n")
    (tmp_path / "agentnb").chmod(0o755)
    said = tmp_path / "said"
    env = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "GITHUB_EVENT_NAME": "schedule", "GITHUB_OUTPUT": str(said)}
    assert subprocess.run(["bash", "-e", "-c", look], env=env, check=False).returncode == ends
    assert said.exists() == due


def test_outputs_are_kept_wherever_they_are(catalog: Catalog) -> None:
    for name, output in (("here", "../out/${run.date}/${name}.ipynb"), ("cloud", "s3://outputs/${run.id}.ipynb")):
        job = {"name": name, "notebook": "n.ipynb", "schedule": {"cron": "0 6 * * *"}, "output": output}
        (catalog.folder / f"{name}.json").write_text(json.dumps(job))
    names = ["daily", "here", "cloud"]
    pipeline = yaml.safe_load(export(Catalog.of(catalog.folder), "gitlab-ci", names)[".gitlab-ci.yml"])
    kept = {name: pipeline[name].get("artifacts", {}).get("paths") for name in names}
    assert kept == {"daily": ["papermill_jobs/runs/daily/*.ipynb"], "here": ["out/*/here.ipynb"], "cloud": None}
    for name, text in export(Catalog.of(catalog.folder), "github-actions", names).items():
        assert ("upload-artifact" in text) == ("cloud" not in name)


def test_what_notifications_need_is_exported_too(catalog: Catalog) -> None:
    hook = {"url": "https://example.org/${env.TEAM}", "headers": {"Authorization": "Bearer secret:HOOK_TOKEN"}}
    job = {"name": "told", "notebook": "n.ipynb", "schedule": {"cron": "0 6 * * *"}, "secrets": ["A_KEY"]}
    (catalog.folder / "told.json").write_text(json.dumps({**job, "on_failure": [{"webhook": hook}, {"email": "ops@example.org"}]}))
    text = export(Catalog.of(catalog.folder), "kubernetes", ["told"])["agentnb-jobs.yaml"]
    [pod] = [document["spec"] for document in yaml.safe_load_all(text) if document["kind"] == "CronJob"]
    [container] = pod["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    assert [variable["name"] for variable in container["env"]] == ["A_KEY", "TEAM", "HOOK_TOKEN", "AGENTNB_SMTP"]


def test_what_the_crontab_calls_works(catalog: Catalog, tmp_path: Path) -> None:
    """The line of a job that is not due ends there; one that is calls the job, which only says what it would do."""
    write_notebook(catalog.folder / "n.ipynb", ("x = 1", "parameters"))
    (catalog.folder / "often.json").write_text(json.dumps({"name": "often", "notebook": "n.ipynb", "schedule": {"cron": "* * * * *"}}))
    (catalog.folder / "never.json").write_text(json.dumps({"name": "never", "notebook": "n.ipynb", "schedule": {"cron": "0 0 29 2 *"}}))
    (catalog.folder.parent / "agentnb.env").write_text("FROM_FILE=yes\n")
    found = CronTab(tab=export(Catalog.of(catalog.folder), "crontab", ["often", "never"])["agentnb.crontab"])
    for job, code in zip(found, (0, 1), strict=True):
        line = f"{job.command} --dry-run".replace("\\%", "%")
        done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=False)
        assert done.returncode == code, done.stderr
        assert ("nothing was run" in done.stdout) == (code == 0)


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not here")
def test_systemd(catalog: Catalog, tmp_path: Path) -> None:
    files = write(export(catalog, "systemd"), tmp_path / "units")
    units = [str(path) for path in files if path.suffix in (".service", ".timer")]
    assert len(units) == 4
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", *units], capture_output=True, text=True, check=False)
    assert not [line for line in done.stderr.splitlines() if "agentnb-" in line]
    for line in ("0 6 * * 1-5", "*/15 8-18 1,15 * *", "0 0 1 * 1", "30 5 2 3 4 *"):
        for text in calendar(line, "Europe/Berlin", "j"):
            done = subprocess.run(["systemd-analyze", "calendar", text], capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr


def test_github_actions(catalog: Catalog, tmp_path: Path) -> None:
    files = write(export(catalog, "github-actions"), tmp_path)
    assert sorted(path.name for path in files) == ["agentnb-Quarter_1.yml", "agentnb-daily.yml"]
    _check_schema("vendor.github-workflows", files)
    workflow = yaml.safe_load((tmp_path / ".github/workflows/agentnb-daily.yml").read_text())
    assert workflow[True]["schedule"] == [{"cron": "0 4,5 * * *"}]
    assert workflow["jobs"]["after_it"]["needs"] == ["daily"]
    assert any(step.get("env", {}).get("OPENAI_API_KEY") == "${{ secrets.OPENAI_API_KEY }}" for step in workflow["jobs"]["daily"]["steps"])


def test_gitlab(catalog: Catalog, tmp_path: Path) -> None:
    files = write(export(catalog, "gitlab-ci"), tmp_path)
    _check_schema("vendor.gitlab-ci", [path for path in files if path.suffix == ".yml"])
    [script] = [path for path in files if path.suffix == ".sh"]
    subprocess.run(["sh", "-n", str(script)], check=True)
    assert "--cron '0 6 * * 1-5' --cronTimeZone Europe/Berlin" in script.read_text()


def _check_schema(schema: str, files: list[Path]) -> None:
    line = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, *map(str, files)]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("bucket", ["", "s3://bucket/outputs"])
def test_kubernetes(catalog: Catalog, bucket: str) -> None:
    files = export(catalog, "kubernetes", (), {"bucket": bucket, "namespace": "jobs"})
    documents = list(yaml.safe_load_all(files["agentnb-jobs.yaml"]))
    for document in documents:
        kubernetes_validate.validate(document, "1.33", strict=True)
    jobs = {document["metadata"]["name"]: document["spec"] for document in documents if document["kind"] == "CronJob"}
    daily = jobs["agentnb-daily"]
    assert (daily["schedule"], daily["timeZone"], daily["concurrencyPolicy"]) == ("0 6 * * 1-5", "Europe/Berlin", "Forbid")
    pod = daily["jobTemplate"]["spec"]["template"]["spec"]
    [container] = pod["containers"]
    assert container["env"] == [
        {"name": "OPENAI_API_KEY", "valueFrom": {"secretKeyRef": {"name": "agentnb-secrets", "key": "OPENAI_API_KEY"}}}
    ]
    assert container["resources"]["requests"] == {"cpu": "2000m", "memory": "4000M"}
    assert container["resources"]["limits"]["nvidia.com/gpu"] == 1
    claims = [document for document in documents if document["kind"] == "PersistentVolumeClaim"]
    assert (len(claims), f"{bucket}/" in container["args"]) == ((0, True) if bucket else (1, False))
    assert ("boto3" in files["Containerfile"]) == bool(bucket)
    assert jobs["agentnb-quarter-1"]["concurrencyPolicy"] == "Allow"
    assert "FROM python:3.11-slim\n" in files["Containerfile"]


def test_airflow(catalog: Catalog) -> None:
    files = export(catalog, "airflow")
    assert sorted(files) == ["agentnb_Quarter_1.py", "agentnb_daily.py"]
    for name, text in files.items():
        tree = ast.parse(text)
        compile(tree, name, "exec")
        calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]
        [dag] = [call for call in calls if call.func.id == "DAG"]  # type: ignore[attr-defined]
        given = {word.arg: word.value for word in dag.keywords}
        assert ast.literal_eval(given["catchup"]) == (name == "agentnb_Quarter_1.py")
        operators = [call for call in calls if call.func.id == "BashOperator"]  # type: ignore[attr-defined]
        for operator in operators:
            command = ast.literal_eval(next(word.value for word in operator.keywords if word.arg == "bash_command"))
            subprocess.run(["sh", "-n", "-c", command], check=True)
        assert len(operators) == (1 if name == "agentnb_Quarter_1.py" else 2)


def test_what_cannot_be_exported(catalog: Catalog) -> None:
    with pytest.raises(ConfigurationError, match="started by events of the journal"):
        export(catalog, "crontab", ["heard"])
    with pytest.raises(ConfigurationError, match="by-hand has no schedule"):
        export(catalog, "kubernetes", ["by-hand"])
    with pytest.raises(ConfigurationError, match="by-hand has no schedule"):
        export(catalog, "crontab", ["by-hand"])
    with pytest.raises(ConfigurationError, match="no target 'cron'"):
        export(catalog, "cron")
    with pytest.raises(ConfigurationError, match="--set imgae: Did you mean image"):
        export(catalog, "kubernetes", (), {"imgae": "x"})
    (catalog.folder / "s.json").write_text('{"name": "s", "notebook": "n.ipynb", "schedule": {"cron": "*/5 * * * * *"}}')
    for target in TARGETS.keys() - {"systemd"}:
        with pytest.raises(ConfigurationError, match="has seconds"):
            export(Catalog.of(catalog.folder), target, ["s"])


@pytest.mark.parametrize("target", ["airflow", "kubernetes"])
def test_jobs_that_would_take_each_others_place_are_refused(catalog: Catalog, target: str) -> None:
    for name in ("a-b", "a_b"):
        (catalog.folder / f"{name}.json").write_text(json.dumps({"name": name, "notebook": "n.ipynb", "schedule": {"cron": "0 0 * * *"}}))
    with pytest.raises(ConfigurationError, match="a-b and a_b would both be called"):
        export(Catalog.of(catalog.folder), target, ["a-b", "a_b"])


def test_the_installer_of_a_job_without_a_timer_works(catalog: Catalog, tmp_path: Path) -> None:
    """With a systemctl that does nothing, since there is no systemd of a user here."""
    write(export(catalog, "systemd", ["by-hand"]), tmp_path / "units")
    (tmp_path / "systemctl").write_text("#!/bin/sh\n")
    (tmp_path / "systemctl").chmod(0o755)
    environment = {"HOME": str(tmp_path), "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    subprocess.run([str(tmp_path / "units" / "install.sh")], env=environment, check=True)
    assert [path.name for path in (tmp_path / ".config/systemd/user").iterdir()] == ["agentnb-by-hand.service"]


@pytest.mark.parametrize("target", ["github-actions", "gitlab-ci"])
def test_a_folder_with_blanks_is_one_word(catalog: Catalog, target: str) -> None:
    blank = catalog.folder.rename(catalog.folder.with_name("my jobs"))
    text = "".join(export(Catalog.of(blank), target, ["daily"]).values())
    assert text.count("--dir 'my jobs'") == text.count("--dir ") > 0


def test_secrets_stay_out_of_an_image_whoever_builds_it(catalog: Catalog) -> None:
    """A name that podman and docker both read, and beside the file wherever that lies."""
    assert "agentnb.env" in export(catalog, "kubernetes")["Containerfile.dockerignore"].splitlines()


@pytest.mark.parametrize("zone", ["Europe/Berlin", "Asia/Kolkata", "Australia/Lord_Howe", "America/New_York"])
@pytest.mark.parametrize("cron", ["0 6 * * 1-5", "30 23 1 * *", "*/20 * * * *"])
def test_utc_times_cover_every_time_of_the_zone(zone: str, cron: str) -> None:
    text, looks = in_utc(cron, zone, "j")
    start = datetime(2026, 1, 1, tzinfo=ZoneInfo("UTC")).timestamp()
    own = _times(cron, zone, start)
    covered = set(_times(text, "UTC", start))
    assert set(own) <= covered
    assert looks or set(own) == covered


def _times(cron: str, zone: str, start: float) -> list[float]:
    found = []
    for moment in schedule.times(cron, zone, start):
        if moment > start + 366 * 86_400:
            return found
        found.append(moment)
    return found
