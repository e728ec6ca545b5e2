"""A crontab, for the cron of Debian, of Red Hat and others.

Only some crons read a time zone from the crontab. Where that of the machine isn't given, a line is due whenever the job may be, and the
job looks at the clock of its own zone before it runs.
"""

from __future__ import annotations

import shlex
from collections.abc import Collection
from dataclasses import replace

from agentnb.errors import ConfigurationError
from agentnb.jobs.export.plan import HEADER, Plan, Unit
from agentnb.jobs.export.times import fields_of, five, gap, offsets_of

LATE = 5
"""How many minutes late a cron may start a job that looks at the clock itself."""


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
    when = five(fields, unit.job.name)
    direct = plan.options.timezone == unit.timezone
    if not direct:
        fields = replace(fields, minutes=_whenever(fields.minutes, unit.timezone))
        when = f"{fields.text('minutes')} * * * *"
    place = f"--dir {shlex.quote(str(plan.folder))}"
    agentnb, name = plan.local_command(), unit.job.name
    guard = "" if direct else f"{agentnb} jobs due {name} {place} --within {min(gap(fields.minutes), LATE)}m && "
    chain = " --downstream" if unit.after else ""
    command = (
        f"cd {shlex.quote(str(plan.project))} && set -a && if [ -f agentnb.env ]; then . ./agentnb.env; fi && "
        f"{guard}exec {agentnb} jobs run {name} {place}{chain}"
    )
    return f"{when} {command.replace('%', chr(92) + '%')}"


def _whenever(minutes: Collection[int], timezone: str) -> frozenset[int]:
    """The minutes at which it may be due by this machine's clock: zones differ by quarters of an hour."""
    shifts = {local - offset for local in offsets_of() for offset in offsets_of(timezone)}
    return frozenset((minute + shift) % 60 for minute in minutes for shift in shifts)
