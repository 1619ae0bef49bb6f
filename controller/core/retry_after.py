"""The Retry-After header (RFC 9110, 10.2.3), for API server and HTTP targets alike."""

from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime

LONGEST_SECONDS = 1e9
"""What is longer counts as this, some 32 years, which can still be added to a date. Callers wait far less anyway."""


def retry_after_seconds(value: str | None, now: datetime) -> float | None:
    """Seconds from `now`, 0 to LONGEST_SECONDS, for a number of seconds or an HTTP date; None for what is neither."""
    value = (value or "").strip()
    if value.isascii() and value.isdecimal():
        return min(float(value), LONGEST_SECONDS)
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, OverflowError):  # the latter: a year or zone of twenty digits
        return None
    if moment.tzinfo is None:  # "-0000": of no known zone
        return None
    return min(max(0.0, (moment - now) / timedelta(seconds=1)), LONGEST_SECONDS)
