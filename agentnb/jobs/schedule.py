"""When jobs are due: pure, with the time as an argument, so that a clock that jumps is only another number.

Cron expressions are read by cronsim, which follows Debian's cron through daylight saving time in both directions.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from itertools import islice, takewhile
from typing import Literal
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

MOST = 1_000
"""How many missed times are run for in one go; the rest of them in the next."""

_COUNTED = 50_000
"""How many times are gone through; where a clock has jumped by years, those before the last day aren't counted."""

_DAY = 86_400.0

Misfire = Literal["run_once", "run_all", "skip"]


class NotASchedule(ValueError):
    """A cron expression or a time zone can't be read."""


@dataclass(frozen=True, slots=True)
class Due:
    """What a job's schedule asks for now.

    Attributes:
        fire: Times to run for, in order, as seconds since the epoch.
        missed: Times that are passed over.
    """

    fire: tuple[float, ...] = ()
    missed: tuple[float, ...] = ()

    @property
    def any(self) -> bool:
        return bool(self.fire or self.missed)


def check(cron: str, timezone: str) -> None:
    """Whether a schedule can be read, and is ever due.

    Raises:
        NotASchedule: It can't, or never is.
    """
    if next(times(cron, timezone, time.time()), None) is None:
        raise NotASchedule(f"{cron!r} is never due")


def times(cron: str, timezone: str, after: float) -> Iterator[float]:
    """When it is due, in order, strictly after that moment.

    Raises:
        NotASchedule: It can't be read.
    """
    try:
        found = CronSim(cron, datetime.fromtimestamp(after, UTC).astimezone(_zone(timezone)))
    except CronSimError as error:
        raise NotASchedule(f"{cron!r} is no cron expression: {error}") from None
    for moment in found:
        yield moment.timestamp()


def following(cron: str, timezone: str, after: float) -> float:
    """The next time that it is due; infinity where it is due no more."""
    return next(times(cron, timezone, after), float("inf"))


def was_due(cron: str, timezone: str, now: float, window: float) -> float | None:
    """The time at which it was due last, if that is no longer ago than ``window`` seconds."""
    found = list(_until(cron, timezone, now - window, now))
    return found[-1] if found else None


def due(cron: str, timezone: str, after: float, now: float, *, misfire: Misfire, grace: float) -> Due:
    """What is to be done about the times after the last one that was dealt with, up to now.

    Where the clock was set back, that is nothing until it has caught up: no time is fired twice.

    Args:
        cron: The expression.
        timezone: In which it is read.
        after: The last time that was dealt with.
        now: The moment.
        misfire: What becomes of those that are older than ``grace`` seconds.
        grace: See above.
    """
    found = list(islice(_until(cron, timezone, after, now), MOST if misfire == "run_all" else _COUNTED))
    if len(found) == _COUNTED:
        found = [found[0], *_until(cron, timezone, now - _DAY, now)]
    late = [moment for moment in found if now - moment > grace]
    if not late or misfire == "run_all":
        return Due(tuple(found))
    on_time = found[len(late) :]
    if misfire == "skip" or on_time:
        return Due(tuple(on_time), tuple(late))
    return Due((late[-1],), tuple(late[:-1]))


def _until(cron: str, timezone: str, after: float, now: float) -> Iterator[float]:
    return takewhile(lambda moment: moment <= now, times(cron, timezone, after))


@lru_cache(200)
def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise NotASchedule(f"there is no time zone {name!r}: write an IANA name such as Europe/Berlin") from None
