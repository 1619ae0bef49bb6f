"""Starts within an hour, counted in a policy's status by the minute, so that neither restarts nor deletions reset them.

Starts are reserved before they are made, in blocks of one minute: a start of a block happens in its minute or never.
When a block is reserved, its minute and the sixty before it together hold at most `maxPerHour`. Starts that lie at most
an hour apart fall into at most sixty-one minutes in a row, so no hour whatever sees more. The price: a start counts for
up to a minute longer than an hour.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from controller.api.policy import Bucket

MINUTE = timedelta(minutes=1)
SPAN = timedelta(minutes=60)


def minute(moment: datetime) -> datetime:
    """The begin of its minute."""
    return moment.replace(second=0, microsecond=0)


def counted(buckets: Iterable[Bucket], now: datetime) -> tuple[Bucket, ...]:
    """Those that count now, oldest first."""
    return tuple(sorted((b for b in buckets if b.start >= minute(now) - SPAN), key=lambda b: b.start))


def taken(buckets: Iterable[Bucket], now: datetime) -> int:
    """Starts that count now."""
    return sum(bucket.count for bucket in counted(buckets, now))


def next_block(buckets: Iterable[Bucket], now: datetime) -> datetime:
    """When the next block may be reserved: one in each minute."""
    newest = max((bucket.start for bucket in buckets), default=None)
    return now if newest is None or newest < minute(now) else newest + MINUTE


def frees_at(buckets: Iterable[Bucket], most: int, now: datetime) -> datetime | None:
    """When less than `most` count, if that is only a matter of time."""
    left = counted(buckets, now)
    total = sum(bucket.count for bucket in left)
    for bucket in left:
        if total < most:
            break
        total -= bucket.count
        now = bucket.start + SPAN + MINUTE
    return now if total < most else None


def with_block(buckets: Iterable[Bucket], count: int, now: datetime) -> tuple[Bucket, ...]:
    """The buckets with a block for this minute, and without what counts no more."""
    return (*counted(buckets, now), Bucket(start=minute(now), count=count))


def lowered(buckets: Sequence[Bucket], unused: Iterable[tuple[datetime, int]]) -> tuple[Bucket, ...]:
    """The buckets without the starts that were reserved in a minute and never taken."""
    less = dict(unused)
    left = [(bucket, bucket.count - less.get(bucket.start, 0)) for bucket in buckets]
    return tuple(bucket.model_copy(update={"count": count}) for bucket, count in left if count > 0)


def block_size(most: int, already: int, asking: int) -> int:
    """How many starts to reserve where `asking` are known to be wanted: half of what is left is kept for those to come.

    What is reserved and not taken is given back with the next block, and lost only if the process is killed.
    """
    left = most - already
    spare = max(0, left - asking)
    return min(left, asking + (spare + 1) // 2)
