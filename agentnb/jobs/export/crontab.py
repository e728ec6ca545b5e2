"""A crontab, for the cron of Debian, of Red Hat and others.

Only some crons read a time zone from the crontab. Where that of the machine isn't given, a line is due whenever the job may be, and the
job looks at the clock of its own zone before it runs.
"""

from __future__ import annotations

import shlex

from agentnb.errors import ConfigurationError
from agentnb.jobs.export.plan import HEADER, Plan, Unit
from agentnb.jobs.export.times import fields_of, five, offsets_of


def files(plan: Plan) -> dict[str, str]:
    """One file, for ``crontab FILE`` or to be added by ``crontab -e``."""
    lines = [
        f"# {HEADER}",
        "# The environment variables that jobs need are read from agentnb.env, lines of NAME=value, where it is there.",
        "",
    ]
    for unit in plan.units:
        if not unit.cron:
            raise ConfigurationError(f"{unit.job.name} has no schedule: give it schedule: {{cron: …}}")
        lines += [f"# {unit.job.name}: {unit.cron} {unit.timezone}{_after(unit)}", _line(plan, unit), ""]
    return {"agentnb.crontab": "\n".join(lines)}


def _after(unit: Unit) -> str:
    return f", then {', '.join(job.name for job in unit.after)}" if unit.after else ""


def _line(plan: Plan, unit: Unit) -> str:
    fields = fields_of(unit.cron, unit.job.name)
    direct = plan.options.timezone == unit.timezone
    when = five(fields, unit.job.name) if direct else _whenever(unit)
    place = f"--dir {shlex.quote(str(plan.folder))}"
    agentnb, name = plan.local_command(), unit.job.name
    guard = "" if direct else f"{agentnb} jobs due {name} {place} --within 5m && "
    chain = " --downstream" if unit.after else ""
    command = (
        f"cd {shlex.quote(str(plan.project))} && set -a && if [ -f agentnb.env ]; then . ./agentnb.env; fi && "
        f"{guard}exec {agentnb} jobs run {name} {place}{chain}"
    )
    return f"{when} {command.replace('%', chr(92) + '%')}"


def _whenever(unit: Unit) -> str:
    """Every time at which it may be due in some zone: zones differ by quarters of an hour."""
    fields = fields_of(unit.cron, unit.job.name)
    five(fields, unit.job.name)
    minutes = sorted({(minute + shift) % 60 for minute in fields.minutes for shift in _shifts(unit.timezone)})
    shown = "*" if len(minutes) == 60 else ",".join(map(str, minutes))
    return f"{shown} * * * *"


def _shifts(timezone: str) -> tuple[int, ...]:
    """How the minutes of that zone differ from those of a zone with whole hours."""
    return tuple(sorted({-offset % 60 for offset in offsets_of(timezone)}))
