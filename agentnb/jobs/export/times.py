"""Cron expressions for others: their fields as sets of numbers, written in the grammar of each target."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby, pairwise
from zoneinfo import ZoneInfo

from cronsim import CronSim

from agentnb.errors import ConfigurationError

_RANGES = {"minutes": (0, 59), "hours": (0, 23), "days": (1, 31), "months": (1, 12), "weekdays": (0, 6)}
_DAYS = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat")


@dataclass(frozen=True)
class Fields:
    """The fields of a cron expression as numbers; weekdays count from Sunday, 0.

    Attributes:
        both: Whether day and weekday must both fit; otherwise one of them is enough.
    """

    seconds: frozenset[int]
    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    both: bool

    def text(self, name: str) -> str:
        """A field as plain cron: ``*``, or a list with ranges."""
        values: frozenset[int] = getattr(self, name)
        low, high = _RANGES[name]
        return "*" if values == frozenset(range(low, high + 1)) else ",".join(_runs(values, "-"))


def fields_of(cron: str, job: str) -> Fields:
    """Read an expression.

    Raises:
        ConfigurationError: It says what only agentnb's own scheduler understands, as the last weekday of a month.
    """
    found = CronSim(cron, datetime.now(UTC))
    sets = {name: getattr(found, name) for name in ("seconds", "minutes", "hours", "days", "months", "weekdays")}
    sets["weekdays"] = {value % 7 if isinstance(value, int) else value for value in sets["weekdays"]}
    if any(not isinstance(value, int) or value < 0 for values in sets.values() for value in values):
        raise ConfigurationError(
            f"{job}: {cron!r} has days that only `agentnb jobs serve` and Kubernetes' images of it understand: write days out"
        )
    return Fields(**{name: frozenset(values) for name, values in sets.items()}, both=found.day_and)


def five(fields: Fields, job: str) -> str:
    """Five fields that every cron reads.

    Raises:
        ConfigurationError: There are seconds in it.
    """
    if fields.seconds != {0}:
        raise ConfigurationError(f"{job}: its schedule has seconds, which this target doesn't know: use systemd, or `agentnb jobs serve`")
    return " ".join(fields.text(name) for name in ("minutes", "hours", "days", "months", "weekdays"))


def in_utc(cron: str, timezone: str, job: str) -> tuple[str, int]:
    """Five fields in UTC; where they are due more often than the job, how many minutes back it must look itself, else 0.

    Where the offset changes in the course of a year, both hours are in it; where the day does, all days are.

    Raises:
        ConfigurationError: It can't be expressed.
    """
    fields = fields_of(cron, job)
    offsets = offsets_of(timezone)
    if offsets == {0}:
        return five(fields, job), 0
    free = fields.text("hours") == "*" and fields.text("days") == "*" and fields.text("weekdays") == "*" and fields.text("months") == "*"
    whole = all(offset % 60 == 0 for offset in offsets)
    if free and whole:
        return five(fields, job), 0
    minutes = {(minute - offset) % 60 for minute in fields.minutes for offset in offsets}
    hours = {(hour * 60 + minute - offset) // 60 % 24 for hour in fields.hours for minute in fields.minutes for offset in offsets}
    moved = Fields(
        fields.seconds,
        frozenset(minutes),
        frozenset(hours),
        frozenset(range(1, 32)),
        frozenset(range(1, 13)),
        frozenset(range(7)),
        both=True,
    )
    return five(moved, job), gap(minutes)


def gap(minutes: Collection[int]) -> int:
    """Minutes between two times of each hour, at least: who looks back further sees one that another line has seen."""
    found = sorted(minutes)
    return min(later - sooner for sooner, later in pairwise([*found, found[0] + 60]))


def calendar(cron: str, timezone: str, job: str) -> list[str]:
    """As systemd's OnCalendar; two of them where either the day or the weekday is enough.

    Raises:
        ConfigurationError: It can't be expressed.
    """
    fields = fields_of(cron, job)
    time = ":".join(_listed(values, 60 if place else 24) for place, values in enumerate((fields.hours, fields.minutes, fields.seconds)))
    months, days = _listed(fields.months, 12), _listed(fields.days, 31)
    names = "" if len(fields.weekdays) == 7 else ",".join(_DAYS[day] for day in sorted(fields.weekdays)) + " "
    if fields.both or not names or days == "*":
        return [f"{names}*-{months}-{days} {time} {timezone}"]
    return [f"*-{months}-{days} {time} {timezone}", f"{names}*-{months}-* {time} {timezone}"]


def _listed(values: Collection[int], size: int) -> str:
    return "*" if len(values) == size else ",".join(_runs(values, "..", lambda value: f"{value:02d}"))


def _runs(values: Collection[int], dash: str, shown: Callable[[int], str] = str) -> list[str]:
    """Numbers with ranges: ``1-5, 8``."""
    found = []
    for _, group in groupby(enumerate(sorted(values)), key=lambda pair: pair[1] - pair[0]):
        run = [value for _, value in group]
        found += [f"{shown(run[0])}{dash}{shown(run[-1])}"] if len(run) > 2 else [shown(value) for value in run]
    return found


def offsets_of(timezone: str = "") -> set[int]:
    """All offsets from UTC of a zone within a year, in minutes; by default of this machine's."""
    start, zone = datetime.now(UTC), ZoneInfo(timezone) if timezone else None
    moments = (start + timedelta(days=7 * week) for week in range(53))
    return {int((moment.astimezone(zone).utcoffset() or timedelta()).total_seconds() // 60) for moment in moments}
