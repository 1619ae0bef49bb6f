"""When actions may start by the clock: windows of local time and freezes.

A window is open while a clock in its zone shows a time in it. So it needs no rule of its own for the two odd nights of
a year: an hour that the clock skips opens nothing, an hour that it shows twice opens it twice.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

from controller.api.policy import Window

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
LOOK_AHEAD = timedelta(days=35)
"""For how long windows of several policies are searched for a common time. Alone, each opens within two weeks."""


@dataclass(frozen=True)
class Opening:
    """When windows of all policies are open together; `policy`: the one that opens last."""

    at: datetime
    policy: str


def zone_faults(windows: Iterable[Window]) -> Iterator[tuple[int, str]]:
    """Index of each window whose zone is not known, and what to do about it."""
    for index, window in enumerate(windows):
        if window.time_zone not in zone_names():
            yield index, f"names no known time zone ({window.time_zone}); use an IANA name such as Europe/Berlin or UTC"


def is_open(windows: Iterable[Window], now: datetime) -> bool:
    """Whether at least one of them is. One of an unknown zone never is."""
    return any(_is_open(window, now) for window in windows)


def next_change(windows: Sequence[Window], now: datetime) -> datetime | None:
    """The next moment at which they open (all were closed) or close (none is open any more). None = never."""
    before = is_open(windows, now)
    return next((moment for moment in _moments(windows, now) if is_open(windows, moment) is not before), None)


def next_opening(rules: Sequence[tuple[str, tuple[Window, ...]]], now: datetime) -> Opening | None:
    """When each policy has a window open, for windows by policy name that are not all open now.

    None = not within 35 days.
    """
    return _next_opening(tuple(rules), now.replace(second=0, microsecond=0))


@lru_cache(maxsize=256)
def _next_opening(rules: tuple[tuple[str, tuple[Window, ...]], ...], now: datetime) -> Opening | None:
    """Many objects wait for the same windows: they ask once a minute. Zones change on whole minutes."""
    moment = now
    while closed := [windows for _, windows in rules if not is_open(windows, moment)]:
        opens = [at for windows in closed if (at := next_change(windows, moment))]
        if len(opens) < len(closed) or max(opens) > now + LOOK_AHEAD:
            return None
        moment = max(opens)
    return Opening(moment, min(name for name, windows in rules if not is_open(windows, moment - MINUTE)))


def _is_open(window: Window, now: datetime) -> bool:
    zone = zone_of(window.time_zone)
    if zone is None:
        return False
    local = now.astimezone(zone)
    start, end, clock = _clock(window.start), _clock(window.end), local.time()
    if start < end:
        return start <= clock < end and _begins(window, local.date())
    today, yesterday = _begins(window, local.date()), _begins(window, local.date() - DAY)
    return (clock >= start and today) or (clock < end and yesterday)


def _begins(window: Window, day: date) -> bool:
    return not window.days or DAYS[day.weekday()] in window.days


def _moments(windows: Iterable[Window], now: datetime) -> list[datetime]:
    """Every moment of the next two weeks at which one of them may open or close, in order."""
    found: set[datetime] = set()
    for window in windows:
        zone = zone_of(window.time_zone)
        if zone is None:
            continue
        today = now.astimezone(zone).date()
        for ahead in range(-1, 16):
            day = today + ahead * DAY
            for clock in (_clock(window.start), _clock(window.end)):
                local = datetime.combine(day, clock, zone)
                found |= {local.astimezone(UTC), local.replace(fold=1).astimezone(UTC)}
            if change := _zone_change(zone, datetime.combine(day, time(), UTC)):
                found.add(change)
    return sorted(moment for moment in found if moment > now)


def _zone_change(zone: ZoneInfo, begin: datetime) -> datetime | None:
    """The moment within a day from `begin` at which the zone's clocks are set."""
    before, after = begin, begin + DAY
    offset = before.astimezone(zone).utcoffset()
    if after.astimezone(zone).utcoffset() == offset:
        return None
    while after - before > timedelta(seconds=1):
        middle = before + (after - before) // 2
        middle = middle.replace(microsecond=0)
        if middle.astimezone(zone).utcoffset() == offset:
            before = middle
        else:
            after = middle
    return after


@lru_cache(maxsize=4096)
def _clock(text: str) -> time:
    return time.fromisoformat(text)


def zone_of(name: str) -> ZoneInfo | None:
    """The zone of an IANA name, None if there is none."""
    return ZoneInfo(name) if name in zone_names() else None


@lru_cache(maxsize=1)
def zone_names() -> frozenset[str]:
    """The IANA names; `localtime` is whatever the machine is set to."""
    return frozenset(available_timezones() - {"localtime"})
