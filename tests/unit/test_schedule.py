"""When jobs are due: cron through daylight saving time, missed times, and clocks that jump."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentnb.jobs import schedule
from agentnb.jobs.schedule import Due, NotASchedule, due, times

BERLIN = "Europe/Berlin"


def at(text: str, zone: str = "UTC") -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


def shown(moments: list[float], zone: str) -> list[str]:
    return [datetime.fromtimestamp(moment, UTC).astimezone(ZoneInfo(zone)).isoformat() for moment in moments]


def test_a_daily_job_runs_once_a_day_through_both_changes_of_the_clock() -> None:
    spring = list(islice(times("30 2 * * *", BERLIN, at("2026-03-28T12:00", BERLIN)), 3))
    assert shown(spring, BERLIN) == ["2026-03-29T03:00:00+02:00", "2026-03-30T02:30:00+02:00", "2026-03-31T02:30:00+02:00"]
    autumn = list(islice(times("30 2 * * *", BERLIN, at("2026-10-24T12:00", BERLIN)), 2))
    assert shown(autumn, BERLIN) == ["2026-10-25T02:30:00+02:00", "2026-10-26T02:30:00+01:00"]


def test_an_hourly_job_runs_every_hour_through_both_changes() -> None:
    found = list(islice(times("0 * * * *", BERLIN, at("2026-10-24T23:30", BERLIN)), 5))
    assert [later - sooner for sooner, later in pairwise(found)] == [3600.0] * 4


def test_monday_is_monday() -> None:
    assert shown([schedule.following("0 9 * * 1", "UTC", at("2026-11-25T00:00"))], "UTC") == ["2026-11-30T09:00:00+00:00"]


@pytest.mark.parametrize(
    ("cron", "zone", "said"),
    [
        ("61 * * * *", "UTC", "no cron expression"),
        ("* * *", "UTC", "no cron"),
        ("0 0 30 2 *", "UTC", ""),
        ("0 6 * * *", "Mars/Base", "time zone"),
    ],
)
def test_what_is_no_schedule(cron: str, zone: str, said: str) -> None:
    with pytest.raises(NotASchedule, match=said or "30|never|day"):
        schedule.check(cron, zone)


def test_times_of_what_is_no_schedule() -> None:
    with pytest.raises(NotASchedule, match="Bad minute"):
        next(schedule.times("61 * * * *", "UTC", 0.0))


START = at("2026-01-01T00:00")


@pytest.mark.parametrize(
    ("misfire", "now", "fire", "missed"),
    [
        ("run_once", 60.5, [60], []),
        ("run_once", 59, [], []),
        ("run_once", 630, [600], [60, 120, 180, 240, 300, 360, 420, 480, 540]),
        ("run_once", 3600 * 24 + 30, [86400], 1440),
        ("run_once", 3600 * 24 * 365 + 30, [86400], 1441),
        ("run_all", 200, [60, 120, 180], []),
        ("skip", 200, [180], [60, 120]),
        ("skip", -3600, [], []),
        ("run_once", -3600, [], []),
    ],
)
def test_what_becomes_of_missed_times(misfire: schedule.Misfire, now: float, fire: list[int], missed: list[int] | int) -> None:
    found = due("* * * * *", "UTC", START, START + now, misfire=misfire, grace=60)
    if isinstance(missed, int):
        assert len(found.fire) == 1
        assert len(found.fire) + len(found.missed) == missed
        return
    assert [moment - START for moment in found.fire] == fire
    assert [moment - START for moment in found.missed] == missed


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(-7200, 7200), min_size=1, max_size=30), st.sampled_from(["run_once", "run_all", "skip"]))
def test_no_time_is_dealt_with_twice_however_the_clock_jumps(jumps: list[float], misfire: schedule.Misfire) -> None:
    cursor, moment = START, START
    dealt: list[float] = []
    for jump in jumps:
        moment += jump
        found = due("*/7 * * * *", "UTC", cursor, moment, misfire=misfire, grace=60)
        dealt += [*found.fire, *found.missed]
        cursor = max([cursor, *found.fire, *found.missed])
    assert len(dealt) == len(set(dealt))
    latest = max(moment for moment in [START, *dealt])
    assert sorted(dealt) == [time for time in islice(times("*/7 * * * *", "UTC", START), len(dealt)) if time <= latest]


def test_nothing_is_due_where_nothing_is() -> None:
    assert due("0 0 1 1 *", "UTC", START, START + 1, misfire="run_all", grace=60) == Due()
