"""Times as people read them: ages, countdowns, durations. Pure: the time is given."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
LATE_SECONDS = 10
_UNITS = {"d": _DAY, "h": _HOUR, "m": _MINUTE, "s": 1}
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?[dhms])+")


def span(seconds: float) -> str:
    """As `kubectl get` shows ages: `42s`, `5m3s`, `90m`, `3h12m`, `2d4h`, `12d`."""
    whole = max(0, int(seconds))
    minutes, hours, days = whole // _MINUTE, whole // _HOUR, whole // _DAY
    if whole < 2 * _MINUTE:
        return f"{whole}s"
    if minutes < 10:
        return _two(minutes, "m", whole % _MINUTE, "s")
    if hours < 3:
        return f"{minutes}m"
    if hours < 8:
        return _two(hours, "h", minutes % 60, "m")
    if hours < 48:
        return f"{hours}h"
    return _two(days, "d", hours % 24, "h") if days < 8 else f"{days}d"


def age(since: datetime | None, now: datetime) -> str:
    return span((now - since).total_seconds()) if since else "-"


def countdown(due: datetime | None, now: datetime) -> str:
    """`in 42s`; `due`; `5m late`, which is a sign that nobody is at work; `-` where nothing is due."""
    if due is None:
        return "-"
    seconds = (due - now).total_seconds()
    if seconds < -LATE_SECONDS:
        return f"{span(-seconds)} late"
    return f"in {span(seconds + 0.5)}" if seconds >= 0.5 else "due"


def took(start: datetime | None, end: datetime | None) -> str:
    """`1.2s`, `42s`; `-` where one of them is missing."""
    if start is None or end is None:
        return "-"
    seconds = (end - start).total_seconds()
    return f"{seconds:.1f}s" if seconds < 10 else span(seconds)


def stamp(moment: datetime) -> str:
    """`2026-11-22 15:04:05 UTC`."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


class Clock:
    """Times of one table: without the date where all are of one day, which its header then names."""

    def __init__(self, moments: Iterable[datetime]) -> None:
        days = {moment.astimezone(UTC).date() for moment in moments}
        self.header = f"UTC {min(days):%Y-%m-%d}" if len(days) == 1 else "UTC"
        self._form = "%H:%M:%S" if len(days) == 1 else "%Y-%m-%d %H:%M:%S"

    def __call__(self, moment: datetime | None) -> str:
        return f"{moment.astimezone(UTC):{self._form}}" if moment else "-"


def duration(text: str) -> timedelta:
    """`90`, `90s`, `5m`, `1h30m`, `2d` as a span. Raises ValueError with what is accepted."""
    plain = text.strip()
    if re.fullmatch(r"\d+(\.\d+)?", plain):
        return timedelta(seconds=float(plain))
    if not _DURATION.fullmatch(plain):
        raise ValueError(f"{text!r} is not a duration; write it like 90s, 5m or 1h30m")
    parts = re.findall(r"(\d+(?:\.\d+)?)([dhms])", plain)
    return timedelta(seconds=sum(float(number) * _UNITS[unit] for number, unit in parts))


def _two(large: int, large_unit: str, small: int, small_unit: str) -> str:
    return f"{large}{large_unit}{small}{small_unit}" if small else f"{large}{large_unit}"
