"""The times that a cron expression names: zones, clocks that are set, what cannot be read."""

from datetime import UTC, datetime, timedelta
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.core.cron import CronFault, cron

BERLIN = "Europe/Berlin"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("expression", "zone", "after", "times"),
    [
        pytest.param("*/15 * * * *", "UTC", "2026-11-22T15:04:05", ["2026-11-22T15:15"], id="often"),
        pytest.param("0 2 * * *", "UTC", "2026-11-22T02:00", ["2026-11-23T02:00", "2026-11-24T02:00"], id="later only"),
        pytest.param("0 2 * * *", BERLIN, "2026-11-22T00:00", ["2026-11-22T01:00", "2026-11-23T01:00"], id="winter"),
        pytest.param("0 2 * * *", BERLIN, "2026-07-01T12:00", ["2026-07-02T00:00", "2026-07-03T00:00"], id="summer"),
        pytest.param("0 9 * * MON-FRI", "UTC", "2026-11-20T12:00", ["2026-11-23T09:00", "2026-11-24T09:00"], id="days"),
        pytest.param("0 0 29 2 *", "UTC", "2026-11-22T00:00", ["2028-02-29T00:00", "2032-02-29T00:00"], id="leap"),
        # Berlin 2026: clocks go from 02:00 to 03:00 on 29 March (01:00 UTC), back from 03:00 to 02:00 on 25 October.
        pytest.param("30 2 * * *", BERLIN, "2026-03-28T12:00", ["2026-03-29T01:00", "2026-03-30T00:30"], id="skipped"),
        pytest.param("30 2 * * *", BERLIN, "2026-10-24T12:00", ["2026-10-25T00:30", "2026-10-26T01:30"], id="twice"),
        pytest.param("30 2 * * *", BERLIN, "2026-10-25T01:10", ["2026-10-26T01:30"], id="not the second time"),
        pytest.param(
            "*/30 * * * *", BERLIN, "2026-10-25T00:00",
            ["2026-10-25T00:30", "2026-10-25T01:00", "2026-10-25T01:30", "2026-10-25T02:00"], id="by elapsed time",
        ),
        pytest.param(
            "*/30 * * * *", BERLIN, "2026-03-29T00:30", ["2026-03-29T01:00", "2026-03-29T01:30"], id="over the gap"
        ),
        pytest.param("15 2 * * *", "Australia/Lord_Howe", "2026-10-03T12:00", ["2026-10-03T15:30"], id="half an hour"),
    ],
)  # fmt: skip
def test_the_times_that_it_names(expression: str, zone: str, after: str, times: list[str]) -> None:
    found = list(islice(cron(expression, zone).after(at(after)), len(times)))
    assert found == [at(time) for time in times]


@pytest.mark.parametrize(
    ("expression", "after", "until", "latest"),
    [
        ("0 2 * * *", "2026-11-01T00:00", "2026-11-22T15:00", "2026-11-22T02:00"),
        ("0 2 * * *", "2026-11-22T02:00", "2026-11-22T15:00", None),
        ("0 2 * * *", "2026-11-22T01:59", "2026-11-22T02:00", "2026-11-22T02:00"),
        ("* * * * *", "1990-01-01T00:00", "2026-11-22T15:00:30", "2026-11-22T15:00"),
        ("0 0 29 2 *", "2020-01-01T00:00", "2027-01-01T00:00", "2024-02-29T00:00"),
        ("0 0 1 1 *", "2026-01-01T00:00", "2026-11-01T00:00", None),
    ],
)
def test_the_latest_of_a_pause(expression: str, after: str, until: str, latest: str | None) -> None:
    assert cron(expression, "UTC").latest(at(after), at(until)) == (at(latest) if latest else None)


@pytest.mark.parametrize(
    ("expression", "zone", "told"),
    [
        ("0 2 * * *", "Europe/Berln", "Europe/Berln is no known time zone; did you mean Europe/Berlin?"),
        ("0 2 * * *", "localtime", "localtime is no known time zone"),
        ("0 2 * *", "UTC", "must have five fields (got 4): minute, hour, day of the month, month, day of the week"),
        ("0 0 2 * * *", "UTC", "must have five fields (got 6)"),
        ("@daily", "UTC", "must have five fields (got 1)"),
        ("61 2 * * *", "UTC", "cannot be read: bad minute in '61 2 * * *'; it takes 0-59"),
        ("0 24 * * *", "UTC", "cannot be read: bad hour in '0 24 * * *'; it takes 0-23"),
        ("0 2 30 2 *", "UTC", "would never run: there is no day 30 in month 2 (got '0 2 30 2 *')"),
        ("0 2 32 * *", "UTC", "cannot be read: bad day-of-month in '0 2 32 * *'; it takes 1-31, L or LW"),
        ("0 2 32 2 *", "UTC", "cannot be read: bad day-of-month in '0 2 32 2 *'; it takes 1-31, L or LW"),
        ("0 2 * 13 *", "UTC", "cannot be read: bad month in '0 2 * 13 *'; it takes 1-12 or JAN-DEC"),
        ("0 2 * * FOO", "UTC", "cannot be read: bad day-of-week in '0 2 * * FOO'; it takes 0-7 or SUN-SAT"),
    ],
)
def test_what_cannot_be_read_is_told(expression: str, zone: str, told: str) -> None:
    with pytest.raises(CronFault) as fault:
        cron(expression, zone)
    assert str(fault.value).startswith(told)
    assert fault.value.field == ("schedule" if zone == "UTC" else "timeZone")


MINUTES = st.sampled_from(["*", "*/7", "0", "30", "5,35"])
HOURS = st.sampled_from(["*", "*/2", "2", "1-3", "0"])
ZONES = st.sampled_from(
    ["UTC", BERLIN, "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Africa/Casablanca"]
)
MOMENTS = st.integers(0, 365 * 24 * 60 * 60).map(lambda seconds: at("2026-01-01T00:00") + timedelta(seconds=seconds))


@given(MINUTES, HOURS, ZONES, MOMENTS, st.integers(1, 40))
def test_times_only_grow_and_are_whole_minutes(minute: str, hour: str, zone: str, start: datetime, count: int) -> None:
    times = list(islice(cron(f"{minute} {hour} * * *", zone).after(start), count))
    assert all(earlier < later for earlier, later in zip([start, *times], times, strict=False))
    assert all(time.second == time.microsecond == 0 for time in times)


@given(MINUTES, HOURS, ZONES, MOMENTS, st.lists(st.integers(1, 60 * 60), min_size=1, max_size=30))
def test_looks_at_any_moments_find_every_time_once(
    minute: str, hour: str, zone: str, start: datetime, pauses: list[int]
) -> None:
    times = cron(f"{minute} {hour} * * *", zone)
    seen, last = [], start
    for pause in pauses:
        until = last + timedelta(seconds=pause)
        while (found := times.next(last)) is not None and found <= until:
            seen.append(found)
            last = found
        assert times.latest(last, until) is None
        last = until
    whole = list(islice(times.after(start), len(seen) + 1))
    assert seen == whole[:-1]
