"""Over a change of the clocks no tick of a schedule is lost and none comes twice."""

import asyncio
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from prefect.server.schemas.schedules import CronSchedule, IntervalSchedule

from selfsame.core.graph_file import read_yaml
from tests.conftest import ROOT

SPRING, AUTUMN = datetime(2026, 3, 28, 12, tzinfo=UTC), datetime(2026, 10, 24, 12, tzinfo=UTC)
SCHEDULES = [
    schedule
    for deployment in read_yaml(ROOT / "prefect.yaml")["deployments"]
    for schedule in deployment["schedules"]
    if "cron" in schedule
]
DAYS = {schedule["cron"] for schedule in SCHEDULES if schedule["cron"].split()[1] != "*"}
(ZONE,) = {schedule["timezone"] for schedule in SCHEDULES}


def ticks(
    schedule: CronSchedule | IntervalSchedule, start: datetime, count: int, end: datetime | None = None
) -> list[datetime]:
    """Return the ticks as Prefect's server plans them, in UTC."""
    return [
        datetime.fromtimestamp(date.timestamp(), UTC)
        for date in asyncio.run(schedule.get_dates(count, start=start, end=end))
    ]


@pytest.mark.parametrize("start", [SPRING, AUTUMN], ids=["spring", "autumn"])
@pytest.mark.parametrize("cron", sorted(DAYS | {"30 2 * * *"}))
def test_a_day_has_one_tick(cron: str, start: datetime) -> None:
    """Half past two is the hour that spring leaves out and autumn has twice."""
    period = timedelta(days=7 if cron.endswith("* 0") else 1)
    planned = ticks(CronSchedule(cron=cron, timezone="Europe/Berlin"), start, 4)
    gaps = [after - before for before, after in pairwise(planned)]
    assert all(abs(gap - period) <= timedelta(hours=1) for gap in gaps)
    assert abs(sum(gaps, timedelta()) - 3 * period) <= timedelta(hours=1)


@pytest.mark.parametrize("start", [SPRING, AUTUMN], ids=["spring", "autumn"])
@pytest.mark.parametrize("zone", [ZONE, "Europe/Berlin"])
@pytest.mark.parametrize(("cron", "minutes"), [("*/15 * * * *", 15), ("30 * * * *", 60)])
def test_minutes_and_hours_go_on_through_the_night_in_the_zone_that_is_shipped(
    cron: str, minutes: int, zone: str, start: datetime
) -> None:
    """Where clocks change the doubled hour of autumn has no ticks: docs/operator.md warns of it."""
    period = timedelta(minutes=minutes)
    for schedule in (
        CronSchedule(cron=cron, timezone=zone),
        IntervalSchedule(interval=period, anchor_date=start, timezone=zone),
    ):
        planned = ticks(schedule, start, 24 * 60 // minutes)
        longest = max(after - before for before, after in pairwise(planned))
        lost = start == AUTUMN and zone != ZONE
        assert longest == period + timedelta(hours=lost) and len(planned) == len(set(planned))


@pytest.mark.parametrize("zone", [ZONE, "Europe/Berlin", "America/New_York"])
@pytest.mark.parametrize("cron", [schedule["cron"] for schedule in SCHEDULES])
def test_over_a_year_every_local_tick_comes_once(cron: str, zone: str) -> None:
    """Asked from ever other moments, as the server asks again and again while it plans.

    What must come is worked out by counting local minutes; those that a change of the clocks leaves out don't
    exist, and those that it repeats come once.
    """
    minute, hour, _, _, weekday = cron.split()
    first, last = datetime(2026, 1, 1), datetime(2027, 1, 1)
    hours = (first + timedelta(hours=number) for number in range(365 * 24))
    due = [
        (one + timedelta(minutes=int(minute))).replace(tzinfo=ZoneInfo(zone))
        for one in hours
        if hour in ("*", str(one.hour)) and (weekday == "*" or one.weekday() == 6)
    ]
    due = [one for one in due if one.astimezone(UTC).astimezone(ZoneInfo(zone)) == one]
    schedule = CronSchedule(cron=cron, timezone=zone)
    planned: set[datetime] = set()
    start = first.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC) - timedelta(minutes=1)
    while start.replace(tzinfo=None) < last:
        planned |= set(ticks(schedule, start, 100, start + timedelta(days=4)))
        start += timedelta(hours=71, minutes=13)
    walls = [one.astimezone(ZoneInfo(zone)).replace(tzinfo=None) for one in sorted(planned)]
    assert [wall for wall in walls if wall < last] == [one.replace(tzinfo=None) for one in due]
