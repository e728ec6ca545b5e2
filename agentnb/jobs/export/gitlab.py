"""A pipeline of GitLab. Its schedules, which know time zones, are made by a script: GitLab keeps them outside of the file."""

from __future__ import annotations

import shlex
from typing import Any

from agentnb.jobs.documents import Job
from agentnb.jobs.export.plan import HEADER, Plan, Unit, needed_by
from agentnb.jobs.export.times import fields_of, five
from agentnb.workflows.documents.editing import dump

VARIABLE = "AGENTNB_SCHEDULED"


def files(plan: Plan) -> dict[str, str]:
    """``.gitlab-ci.yml``, and a script that makes the schedules with GitLab's command line."""
    pipeline: dict[str, Any] = {
        "default": {"image": f"python:{plan.options.python}-slim"},
        ".agentnb": {
            "before_script": [plan.options.install],
            "variables": {"AGENTNB_STORE": "$CI_PROJECT_DIR/.agentnb"},
        },
    }
    for unit in plan.units:
        pipeline |= {job.name: _job(plan, unit, job) for job in unit.all}
    found = {".gitlab-ci.yml": f"# {HEADER}\n{dump(pipeline)}"}
    scheduled = [unit for unit in plan.units if unit.cron]
    if scheduled:
        found["agentnb-schedules.sh"] = "\n".join(["#!/bin/sh", f"# {HEADER}", "set -eu", *map(_schedule, scheduled), ""])
    return found


def _job(plan: Plan, unit: Unit, job: Job) -> dict[str, Any]:
    needs = unit.needs(job)
    secrets = f"It needs the CI/CD variables {', '.join(names)}." if (names := needed_by(job)) else ""
    limit = {"timeout": f"{max(int(job.spec.job_timeout // 60) + 10, 11)} minutes"} if job.spec.job_timeout else {}
    overlap = {} if unit.spec.overlap == "parallel" else {"resource_group": f"agentnb-{job.name}"}
    return {
        "extends": ".agentnb",
        **({"needs": needs} if needs else {}),
        "rules": [
            {"if": f'$CI_PIPELINE_SOURCE == "schedule" && ${VARIABLE} == "{unit.job.name}"'},
            *([] if needs else [{"if": '$CI_PIPELINE_SOURCE == "web"', "when": "manual"}]),
        ],
        **limit,
        **overlap,
        **({"artifacts": {"when": "always", "paths": [kept], "expire_in": "30 days"}} if (kept := plan.artifacts(job)) else {}),
        "script": [
            *([f"echo {shlex.quote(secrets)}"] if secrets else []),
            f"{plan.command()} jobs run {job.name} --dir {shlex.quote(plan.place)}",
        ],
    }


def _schedule(unit: Unit) -> str:
    cron = five(fields_of(unit.cron, unit.job.name), unit.job.name)
    words = [
        "glab", "schedule", "create", "--cron", cron, "--cronTimeZone", unit.timezone, "--description", f"agentnb {unit.job.name}",
        "--ref", "main", "--variable", f"{VARIABLE}:{unit.job.name}",
    ]  # fmt: skip
    return shlex.join(words)
