"""A DAG of Airflow for each job: its tasks run agentnb, which keeps to the job's own retries and limits."""

from __future__ import annotations

import shlex

from agentnb.jobs.documents import Job
from agentnb.jobs.export.plan import HEADER, Plan, Unit, distinct
from agentnb.jobs.export.times import fields_of, five

_START = '''"""{header}."""

from datetime import datetime, timedelta, timezone

from airflow import DAG

try:
    from airflow.providers.standard.operators.bash import BashOperator
except ImportError:
    from airflow.operators.bash import BashOperator

try:
    from airflow.sdk.timetables import CronTriggerTimetable
except ImportError:
    from airflow.timetables.trigger import CronTriggerTimetable

with DAG(
    dag_id={dag!r},
    description={description!r},
    schedule={schedule},
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup={catchup!r},
    max_active_runs={active},
    default_args={{"retries": 0}},
    tags=["agentnb"],
) as dag:
    tasks = {{}}
'''


def files(plan: Plan) -> dict[str, str]:
    """A file for the folder of DAGs for each job, with those that run after it as tasks behind it."""
    distinct(plan.jobs(), _id)
    return {f"agentnb_{_id(unit.job.name)}.py": _dag(plan, unit) for unit in plan.units}


def _dag(plan: Plan, unit: Unit) -> str:
    spec = unit.spec
    schedule = "None"
    if unit.cron:
        cron = five(fields_of(unit.cron, unit.job.name), unit.job.name)
        schedule = f"CronTriggerTimetable({cron!r}, timezone={unit.timezone!r})"
    text = _START.format(
        header=HEADER.replace('"', "'"),
        dag=f"agentnb_{_id(unit.job.name)}",
        description=spec.description or f"agentnb job {unit.job.name}",
        schedule=schedule,
        catchup=bool(spec.schedule and spec.schedule.misfire == "run_all"),
        active=16 if spec.overlap == "parallel" else 1,
    )
    text += "".join(_task(plan, job) for job in unit.all)
    edges = [(before, job.name) for job in unit.all for before in unit.needs(job)]
    return text + "".join(f"    tasks[{before!r}] >> tasks[{after!r}]\n" for before, after in edges)


def _task(plan: Plan, job: Job) -> str:
    command = (
        f"cd {shlex.quote(str(plan.project))} && exec {plan.local_command()} jobs run {job.name} --dir {shlex.quote(str(plan.folder))}"
    )
    limit = f", execution_timeout=timedelta(seconds={int(job.spec.job_timeout) + 120})" if job.spec.job_timeout else ""
    return f"    tasks[{job.name!r}] = BashOperator(task_id={_id(job.name)!r}, bash_command={command + ' '!r}, append_env=True{limit})\n"


def _id(name: str) -> str:
    return "".join(letter if letter.isalnum() else "_" for letter in name)
