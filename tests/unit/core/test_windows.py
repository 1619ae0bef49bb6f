"""Windows of local time: what a clock in the zone shows decides, also in the two odd nights of a year."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.core.making import EXECUTE, named, view

from controller.api.names import Reason
from controller.api.policy import Window
from controller.core.pace import outside_window
from controller.core.verdicts import Block
from controller.core.windows import DAYS, is_open, next_change, next_opening, zone_faults

BERLIN = "Europe/Berlin"
MINUTE = timedelta(minutes=1)


def window(hours: str, days: str = "", zone: str = BERLIN) -> Window:
    """`window("22:00-04:00", "Mon Tue")`."""
    start, end = hours.split("-")
    return Window.model_validate({"days": days.split(), "start": start, "end": end, "timeZone": zone})


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


WEEKDAYS = window("08:00-17:30", "Mon Tue Wed Thu Fri")
NIGHT = window("22:00-04:00", "Fri")
ALL_DAY = window("00:00-00:00", "Sun")
SKIPPED, TWICE = "2026-03-29", "2026-10-25"
"""The days on which clocks in Berlin show no 02:30, and 02:30 twice."""


@pytest.mark.parametrize(
    ("windows", "moment", "opened"),
    [
        pytest.param([WEEKDAYS], "2026-11-23 07:00", True, id="opens with its first minute"),
        pytest.param([WEEKDAYS], "2026-11-23 06:59:59", False, id="before it"),
        pytest.param([WEEKDAYS], "2026-11-23 16:29:59", True, id="its last second"),
        pytest.param([WEEKDAYS], "2026-11-23 16:30", False, id="closed with its end"),
        pytest.param([WEEKDAYS], "2026-11-22 12:00", False, id="another day"),
        pytest.param([WEEKDAYS], "2026-07-20 06:00", True, id="summer: an hour earlier in UTC"),
        pytest.param([NIGHT], "2026-11-20 21:00", True, id="across midnight: on its day"),
        pytest.param([NIGHT], "2026-11-21 02:59", True, id="across midnight: the day after"),
        pytest.param([NIGHT], "2026-11-21 03:00", False, id="across midnight: over"),
        pytest.param([NIGHT], "2026-11-20 02:00", False, id="across midnight: not the night before"),
        pytest.param([NIGHT], "2026-11-21 21:30", False, id="across midnight: not the night after"),
        pytest.param([ALL_DAY], "2026-11-21 23:00", True, id="all day: from local midnight"),
        pytest.param([ALL_DAY], "2026-11-22 22:59", True, id="all day: to local midnight"),
        pytest.param([ALL_DAY], "2026-11-22 23:00", False, id="all day: not the next"),
        pytest.param([NIGHT, WEEKDAYS], "2026-11-23 12:00", True, id="one of several is enough"),
        pytest.param([window("12:00-13:00")], "2026-11-22 11:30", True, id="no days: every day"),
        pytest.param([window("02:00-03:00")], f"{SKIPPED} 00:30", False, id="skipped hour: before it"),
        pytest.param([window("02:00-03:00")], f"{SKIPPED} 01:00", False, id="skipped hour: never"),
        pytest.param([window("02:30-04:00")], f"{SKIPPED} 01:00", True, id="begins in the skipped hour: from its end"),
        pytest.param([window("01:00-02:30")], f"{SKIPPED} 00:59", True, id="ends in the skipped hour: to its begin"),
        pytest.param([window("01:00-02:30")], f"{SKIPPED} 01:00", False, id="ends in the skipped hour: over"),
        pytest.param([window("02:15-02:45")], f"{TWICE} 00:15", True, id="hour shown twice: the first time"),
        pytest.param([window("02:15-02:45")], f"{TWICE} 00:50", False, id="hour shown twice: in between"),
        pytest.param([window("02:15-02:45")], f"{TWICE} 01:15", True, id="hour shown twice: the second time"),
        pytest.param([window("12:00-13:00", zone="Nowhere/Land")], "2026-11-22 12:30", False, id="unknown: never"),
        pytest.param([], "2026-11-22 12:30", False, id="none"),
    ],
)  # fmt: skip
def test_a_window_is_open_while_the_clock_shows_a_time_in_it(windows: Any, moment: str, opened: bool) -> None:
    assert is_open(windows, utc(moment)) is opened


@pytest.mark.parametrize(
    ("windows", "moment", "change"),
    [
        ([WEEKDAYS], "2026-11-23 10:00", "2026-11-23 16:30"),
        ([WEEKDAYS], "2026-11-20 17:00", "2026-11-23 07:00"),
        ([NIGHT], "2026-11-22 10:00", "2026-11-27 21:00"),
        ([window("08:00-12:00"), window("12:00-14:00")], "2026-11-23 08:00", "2026-11-23 13:00"),
        ([window("02:00-03:00")], f"{SKIPPED} 00:00", "2026-03-30 00:00"),
        ([window("02:00-03:00", "Sun")], f"{SKIPPED} 00:00", "2026-04-05 00:00"),
        ([window("02:30-04:00")], f"{SKIPPED} 00:00", f"{SKIPPED} 01:00"),
        ([window("02:15-02:45")], f"{TWICE} 00:30", f"{TWICE} 00:45"),
        ([window("02:15-02:45")], f"{TWICE} 00:45", f"{TWICE} 01:15"),
        ([window("00:00-00:00")], "2026-11-23 08:00", None),
        ([window("12:00-13:00", zone="Nowhere/Land")], "2026-11-23 08:00", None),
    ],
)
def test_the_next_change_is_told_to_the_minute(windows: Any, moment: str, change: str | None) -> None:
    assert next_change(windows, utc(moment)) == (utc(change) if change else None)


@pytest.mark.parametrize("zone", ["Europe/Berln", "CEST", "localtime", "../etc/passwd", "europe/berlin", "+01:00"])
def test_a_zone_that_is_not_known_is_told(zone: str) -> None:
    ((index, message),) = zone_faults([WEEKDAYS, window("01:00-02:00", zone=zone)])
    assert index == 1
    assert zone in message
    assert "Europe/Berlin" in message


def test_windows_of_several_policies_must_all_be_open() -> None:
    rules = [("day", (WEEKDAYS,)), ("noon", (window("12:00-13:00", "Tue Sat"),))]
    opening = next_opening(rules, utc("2026-11-20 18:00:30"))
    assert opening is not None
    assert (opening.at, opening.policy) == (utc("2026-11-24 11:00"), "noon")


@pytest.mark.parametrize(
    ("rules", "says"),
    [
        ({"day": (WEEKDAYS,), "night": (window("19:00-23:00"),)}, "policies day, night have no time in common"),
        ({"day": (WEEKDAYS,), "none": (window("19:00-23:00", zone="X"),)}, "policies day, none have no time in common"),
    ],
)
def test_windows_with_no_time_in_common_are_told_and_looked_at_again_rarely(rules: Any, says: str) -> None:
    policies = {name: {**EXECUTE, "windows": [w.wire() for w in windows]} for name, windows in rules.items()}
    now = utc("2026-11-23 11:00")
    block = outside_window(view(policies=policies), now)
    assert isinstance(block, Block)
    assert says in block.message
    assert block.until is None
    assert block.again_at == now + timedelta(days=1)


def test_who_waits_for_a_window_is_told_the_same_all_the_time() -> None:
    """It is written once, though the policy that is closed changes meanwhile."""
    policies = {
        "day": {**EXECUTE, "windows": [WEEKDAYS.wire()]},
        "late": {"windows": [window("16:00-23:00", "Mon").wire()]},
    }
    seen = view(policies=policies)
    moments = [utc("2026-11-22 20:00") + timedelta(minutes=13 * n) for n in range(80)]
    blocks = {outside_window(seen, moment) for moment in moments if moment < utc("2026-11-23 15:00")}
    assert len(blocks) == 1
    (block,) = blocks
    assert isinstance(block, Block)
    assert (block.reason, block.policy, block.until) == (Reason.OUTSIDE_WINDOW, "late", utc("2026-11-23 15:00"))
    assert outside_window(seen, utc("2026-11-23 15:00")) is None


def test_windows_are_merged_from_all_policies_that_have_some() -> None:
    policies = named([EXECUTE, {"windows": [WEEKDAYS.wire()]}, {"windows": [NIGHT.wire(), ALL_DAY.wire()]}])
    assert [len(policy.spec.windows) for policy in policies] == [0, 1, 2]
    rules = view(policies=[policy.spec.wire() for policy in policies]).policy.windows
    assert [(stated.policy, stated.rule) for stated in rules] == [
        ("policy-1", (WEEKDAYS,)),
        ("policy-2", (NIGHT, ALL_DAY)),
    ]


# Laws, for any zone. Transitions are looked for where they are: in spring and autumn of the zone's own year.

ZONES = sorted(available_timezones() - {"localtime"})
clocks = st.builds("{:02}:{:02}".format, st.integers(0, 23), st.sampled_from([0, 1, 15, 30, 45, 59]))
any_windows = st.lists(
    st.builds(
        lambda days, start, end, zone: Window(days=tuple(days), start=start, end=end, time_zone=zone),
        st.lists(st.sampled_from(DAYS), unique=True, max_size=4),
        clocks,
        clocks,
        st.sampled_from(ZONES),
    ),
    min_size=1,
    max_size=3,
)


def changes_of(zone: str, year: int) -> list[datetime]:
    """The ends of the days in which clocks in the zone are set within that year."""
    days = [datetime(year, 1, 1, tzinfo=UTC) + timedelta(days=n) for n in range(367)]
    offsets = [(day, day.astimezone(ZoneInfo(zone)).utcoffset()) for day in days]
    return [after for (_, before), (after, offset) in pairwise(offsets) if before != offset]


@st.composite
def near_a_change(draw: Any) -> tuple[Sequence[Window], datetime]:
    """Windows, and a moment that is likely to be in a night in which clocks of their zone are set."""
    windows = draw(any_windows)
    year = draw(st.integers(2020, 2043))
    around = changes_of(windows[0].time_zone, year) or [datetime(year, 6, 1, tzinfo=UTC)]
    back = draw(st.integers(-180, 48 * 60))
    return windows, draw(st.sampled_from(around)) - back * MINUTE + timedelta(seconds=draw(st.integers(0, 59)))


def shows(window: Window, now: datetime) -> bool:
    """Whether the zone's clock shows a time in the window: the definition, in minutes of the week."""
    local = now.astimezone(ZoneInfo(window.time_zone))
    week = 7 * 24 * 60
    at = (local.weekday() * 24 + local.hour) * 60 + local.minute
    hours = [int(part) for text in (window.start, window.end) for part in text.split(":")]
    start, end = hours[0] * 60 + hours[1], hours[2] * 60 + hours[3]
    length = (end - start) % (24 * 60) or 24 * 60
    days = [DAYS.index(day) for day in window.days] or range(7)
    return any((at - day * 24 * 60 - start) % week < length for day in days)


@settings(max_examples=30, deadline=None, print_blob=True)
@given(near_a_change())
def test_laws_of_windows_in_nights_when_clocks_are_set(case: tuple[Sequence[Window], datetime]) -> None:
    windows, now = case
    opened = is_open(windows, now)
    assert opened is any(shows(window, now) for window in windows)
    change = next_change(windows, now)
    minutes = [now.replace(second=0) + n * MINUTE for n in range(1, 26 * 60)]
    for moment in minutes:
        if change is not None and moment >= change:
            break
        assert is_open(windows, moment) is opened, f"it changes at {moment}, told was {change}"
    if change is not None:
        assert change > now
        assert is_open(windows, change) is not opened
        assert is_open(windows, change - timedelta(microseconds=1)) is opened
        assert (change.second, change.microsecond) == (0, 0)


@settings(max_examples=20, deadline=None, print_blob=True)
@given(near_a_change(), any_windows)
def test_law_of_the_next_opening(case: tuple[Sequence[Window], datetime], others: list[Window]) -> None:
    windows, now = case
    rules = [("one", tuple(windows)), ("two", tuple(others))]
    if all(is_open(rule, now) for _, rule in rules):
        return
    opening = next_opening(rules, now)
    if opening is None:
        return
    assert opening.at > now
    assert all(is_open(rule, opening.at) for _, rule in rules)
    named_rule = dict(rules)[opening.policy]
    assert not is_open(named_rule, opening.at - MINUTE), "the policy that is named opens just then"
    length = min(int((opening.at - now) / MINUTE), 26 * 60)
    for moment in (opening.at - n * MINUTE for n in range(1, length)):
        assert not all(is_open(rule, moment) for _, rule in rules), f"{moment} would have been earlier"
        if moment.minute % 10 == 0:
            assert next_opening(rules, moment) == opening, "who waits is told the same all the time"
