"""Workflows of GitHub Actions. Their cron is UTC: of a zone that changes its clocks both hours are in it, and the job looks itself."""

from __future__ import annotations

import shlex
from typing import Any

from agentnb.jobs.documents import Job
from agentnb.jobs.export.plan import HEADER, Plan, Unit, needed_by
from agentnb.jobs.export.times import in_utc
from agentnb.workflows.documents.editing import dump

WINDOW = 50
"""How many minutes late a CI may start a job that looks at the clock itself."""


def files(plan: Plan) -> dict[str, str]:
    """A file of ``.github/workflows`` for each job, with those that run after it as jobs that need it."""
    return {f".github/workflows/agentnb-{unit.job.name}.yml": f"# {HEADER}\n{dump(_workflow(plan, unit))}" for unit in plan.units}


def _workflow(plan: Plan, unit: Unit) -> dict[str, Any]:
    starts: dict[str, Any] = {"workflow_dispatch": {}}
    window = 0
    if unit.cron:
        cron, window = in_utc(unit.cron, unit.timezone, unit.job.name)
        starts = {"schedule": [{"cron": cron}], **starts}
    overlap = unit.spec.overlap
    concurrency = (
        {"concurrency": {"group": f"agentnb-{unit.job.name}", "cancel-in-progress": overlap == "replace"}} if overlap != "parallel" else {}
    )
    return {
        "name": f"agentnb {unit.job.name}",
        "on": starts,
        "permissions": {"contents": "read"},
        **concurrency,
        "jobs": {_id(job.name): _job(plan, unit, job, min(window, WINDOW)) for job in unit.all},
    }


def _job(plan: Plan, unit: Unit, job: Job, window: int) -> dict[str, Any]:
    needs = {"needs": [_id(name) for name in unit.needs(job)]} if unit.needs(job) else {}
    limit = {"timeout-minutes": max(int(job.spec.job_timeout // 60) + 10, 11)} if job.spec.job_timeout else {}
    secrets = {name: f"${{{{ secrets.{name} }}}}" for name in needed_by(job)}
    place = f"{job.name} --dir {shlex.quote(plan.place)}"
    run = {"name": "Run", "run": f"{plan.command()} jobs run {place}", "env": {"AGENTNB_STORE": "${{ runner.temp }}/agentnb", **secrets}}
    look: list[dict[str, Any]] = []
    if window and job is unit.job:
        due = f'code=0; [ "$GITHUB_EVENT_NAME" != schedule ] || {plan.command()} jobs due {place} --within {window}m || code=$?\n'
        told = 'if [ "$code" = 0 ]; then echo due=true >> "$GITHUB_OUTPUT"; fi; [ "$code" -le 1 ]\n'
        look = [{"name": "Look at the clock", "id": "look", "run": due + told}]
        run = {"if": "steps.look.outputs.due == 'true'", **run}
    return {
        **needs,
        **({"if": f"needs.{_id(unit.job.name)}.outputs.due == 'true'"} if window and unit.job.name in unit.needs(job) else {}),
        "runs-on": "ubuntu-latest",
        **limit,
        **({"outputs": {"due": "${{ steps.look.outputs.due }}"}} if look else {}),
        "steps": [
            {"uses": "actions/checkout@v4"},
            {"uses": "actions/setup-python@v5", "with": {"python-version": plan.options.python}},
            {"name": "Install", "run": plan.options.install},
            *look,
            run,
            *_keeping(plan.artifacts(job), job.name),
        ],
    }


def _keeping(place: str, name: str) -> list[dict[str, Any]]:
    step = {"name": "Keep the output", "if": "always()", "uses": "actions/upload-artifact@v4"}
    return [{**step, "with": {"name": name, "path": place, "if-no-files-found": "ignore"}}] if place else []


def _id(name: str) -> str:
    found = "".join(letter if letter.isalnum() or letter in "_-" else "_" for letter in name)
    return found if found[0].isalpha() or found[0] == "_" else f"_{found}"
