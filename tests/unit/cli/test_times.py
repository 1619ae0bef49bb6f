"""Times as people read them."""

from datetime import UTC, datetime, timedelta

import pytest
from cli_samples import NOW

from controller.cli.times import Clock, age, countdown, duration, span, took


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(-5, "0s"), (0, "0s"), (59.9, "59s"), (119, "119s"), (120, "2m"), (303, "5m3s"), (5400, "90m"),
     (11_520, "3h12m"), (40_000, "11h"), (187_200, "2d4h"), (1_000_000, "11d")],
)  # fmt: skip
def test_spans_are_those_of_kubectl(seconds: float, shown: str) -> None:
    assert span(seconds) == shown


@pytest.mark.parametrize(
    ("after", "shown"),
    [(42, "in 42s"), (0.6, "in 1s"), (0.2, "due"), (0, "due"), (-9, "due"), (-300, "5m late")],
)
def test_a_countdown_says_when_nobody_is_at_work(after: float, shown: str) -> None:
    assert countdown(NOW + timedelta(seconds=after), NOW) == shown


def test_absent_times_are_a_dash() -> None:
    assert (countdown(None, NOW), age(None, NOW), took(NOW, None), Clock([NOW])(None)) == ("-", "-", "-", "-")


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("90s", 90), ("5m", 300), ("1h30m", 5400), ("2d", 172_800), ("0.5s", 0.5)]
)
def test_durations(text: str, seconds: float) -> None:
    assert duration(text).total_seconds() == seconds


@pytest.mark.parametrize("text", ["", "5x", "m5", "5 m", "-5s", "1h-3m"])
def test_what_is_no_duration_is_told_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="write it like 90s, 5m or 1h30m"):
        duration(text)


def test_a_table_of_one_day_names_it_once() -> None:
    clock = Clock([NOW, NOW + timedelta(minutes=1)])
    assert (clock.header, clock(NOW)) == ("UTC 2026-11-22", "15:10:00")
    clock = Clock([NOW, datetime(2026, 11, 23, tzinfo=UTC)])
    assert (clock.header, clock(NOW)) == ("UTC", "2026-11-22 15:10:00")
