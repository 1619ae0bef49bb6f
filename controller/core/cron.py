"""The times that a cron expression names, in the clocks of a zone. Pure.

Where clocks are set, it is as in Debian's cron, which cronsim follows: a time of day that the clock skips runs right
after the gap, one that it shows twice runs the first time; what runs every so many minutes goes by elapsed time.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from functools import lru_cache
from itertools import takewhile
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from controller.core.windows import zone_names, zone_of

LOOKS_BACK = tuple(timedelta(hours=hours) for hours in (1, 25, 24 * 32, 24 * 367, 24 * 367 * 50))
"""How far back the latest time is searched for: a little first, so that long pauses of frequent times cost nothing."""
_FIELDS = 5
_PLACES = {
    "minute": "0-59",
    "hour": "0-23",
    "day-of-month": "1-31, L or LW",
    "month": "1-12 or JAN-DEC",
    "day-of-week": "0-7 or SUN-SAT",
}
"""The five fields, and what may stand there beside `*`, lists, ranges and steps."""
_ANY_DAY = datetime(2026, 1, 1, tzinfo=UTC)


class CronFault(ValueError):
    """What is wrong, and what to do; `field`: schedule or timeZone."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True)
class Cron:
    """A cron expression in a zone. Make it with `cron`."""

    expression: str
    zone: ZoneInfo

    def after(self, moment: datetime) -> Iterator[datetime]:
        """All times later than that, in UTC, each once."""
        last = moment
        for found in CronSim(self.expression, moment.astimezone(self.zone)):
            at = found.astimezone(UTC)
            if at > last:  # an hour that the clock shows twice is looked at twice
                last = at
                yield at

    def next(self, moment: datetime) -> datetime | None:
        """The first time later than that."""
        return next(self.after(moment), None)

    def latest(self, after: datetime, until: datetime) -> datetime | None:
        """The last time later than `after` and not later than `until`."""
        for far in LOOKS_BACK:
            found = takewhile(lambda at: at <= until, self.after(max(after, until - far)))
            latest = max(found, default=None)
            if latest is not None or until - far <= after:
                return latest
        return None


@lru_cache(maxsize=1024)
def cron(expression: str, time_zone: str) -> Cron:
    """Raises CronFault."""
    zone = zone_of(time_zone)
    if zone is None:
        near = get_close_matches(time_zone, zone_names(), 1, 0.7)
        hint = f"did you mean {near[0]}?" if near else "use an IANA name such as Europe/Berlin or UTC"
        raise CronFault("timeZone", f"{time_zone} is no known time zone; {hint}")
    fields = expression.split()
    if len(fields) != _FIELDS:
        form = "minute, hour, day of the month, month, day of the week, like 0 2 * * MON-FRI"
        raise CronFault("schedule", f"must have five fields (got {len(fields)}): {form}")
    try:
        CronSim(expression, _ANY_DAY)
    except CronSimError as error:
        raise CronFault("schedule", _words(str(error).lower(), expression)) from None
    return Cron(expression, zone)


def _words(error: str, expression: str) -> str:
    """What is wrong with it. `error`: what the library says, `bad minute`."""
    minute, hour, day, month, weekday = expression.split()
    place = error.removeprefix("bad ")
    if place == "day-of-month" and _readable(f"{minute} {hour} {day} * {weekday}"):
        return f"would never run: there is no day {day} in month {month} (got {expression!r})"
    hint = f"; it takes {_PLACES[place]}" if place in _PLACES else ""
    return f"cannot be read: {error} in {expression!r}{hint}"


def _readable(expression: str) -> bool:
    try:
        CronSim(expression, _ANY_DAY)
    except CronSimError:
        return False
    return True
