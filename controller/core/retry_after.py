"""The Retry-After header (RFC 9110, 10.2.3), for API server and HTTP targets alike."""

from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime

_MOST_DIGITS = 9


def retry_after_seconds(value: str | None, now: datetime) -> float | None:
    """Seconds from `now`, at least 0, for a number of seconds or an HTTP date; None for what is neither."""
    value = (value or "").strip()
    if value.isascii() and value.isdecimal():
        return float(value) if len(value) <= _MOST_DIGITS else None
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    if moment.tzinfo is None:  # "-0000": of no known zone
        return None
    return max(0.0, (moment - now) / timedelta(seconds=1))
