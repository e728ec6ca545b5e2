"""Units of systemd: a service and a timer for each job. Time zones, missed times and limits are systemd's own."""

from __future__ import annotations

import shlex
from pathlib import Path

from agentnb.jobs.export.plan import HEADER, Plan, Unit
from agentnb.jobs.export.times import calendar


def files(plan: Plan) -> dict[str, str]:
    """Units for ``~/.config/systemd/user`` or ``/etc/systemd/system``, and a script that installs them for this user."""
    found: dict[str, str] = {}
    for unit in plan.units:
        found[f"agentnb-{unit.job.name}.service"] = _service(plan, unit)
        if unit.cron:
            found[f"agentnb-{unit.job.name}.timer"] = _timer(unit)
    units = " ".join(found)
    timers = " ".join(name for name in found if name.endswith(".timer"))
    start = f"systemctl --user enable --now {timers}\n" if timers else ""
    found["install.sh"] = (
        f'#!/bin/sh\n# {HEADER}\nset -eu\ncd "$(dirname "$0")"\nmkdir -p ~/.config/systemd/user\n'
        f"cp {units} ~/.config/systemd/user/\nsystemctl --user daemon-reload\n{start}"
    )
    return found


def _service(plan: Plan, unit: Unit) -> str:
    spec = unit.spec
    chain = " --downstream" if unit.after else ""
    limits = [f"MemoryMax={spec.resources.memory}"] if spec.resources.memory else []
    limits += [f"CPUQuota={spec.resources.cpu * 100:.0f}%"] if spec.resources.cpu else []
    lines = [
        f"# {HEADER}",
        "[Unit]",
        f"Description=agentnb job {unit.job.name}{f': {_line(spec.description)}' if spec.description else ''}",
        "",
        "[Service]",
        "Type=oneshot",
        f"WorkingDirectory={_escaped(plan.project)}",
        f"EnvironmentFile=-{_escaped(plan.project / 'agentnb.env')}",
        f"ExecStart={_command(plan)} jobs run {unit.job.name} --dir {_quoted(str(plan.folder))}{chain}",
        "KillMode=mixed",
        "TimeoutStopSec=60",
        *limits,
        "",
    ]
    return "\n".join(lines)


def _timer(unit: Unit) -> str:
    times = [f"OnCalendar={line}" for line in calendar(unit.cron, unit.timezone, unit.job.name)]
    persistent = "false" if unit.spec.schedule and unit.spec.schedule.misfire == "skip" else "true"
    lines = [
        f"# {HEADER}",
        "[Unit]",
        f"Description=agentnb job {unit.job.name}: {unit.cron} {unit.timezone}",
        "",
        "[Timer]",
        *times,
        f"Persistent={persistent}",
        "AccuracySec=1s",
        "",
        "[Install]",
        "WantedBy=timers.target",
        "",
    ]
    return "\n".join(lines)


def _command(plan: Plan) -> str:
    return " ".join(_quoted(word) for word in shlex.split(plan.local_command()))


def _quoted(word: str) -> str:
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"' if any(letter in word for letter in " \t\"'\\") else escaped


def _escaped(path: Path) -> str:
    return str(path).replace("%", "%%")


def _line(text: str) -> str:
    return " ".join(text.split()).replace("%", "%%")
