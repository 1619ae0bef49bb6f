"""How long to wait before an attempt is repeated: capped exponential backoff whose jitter stays at the cap.

    wait = min(max_wait, min_wait * base ** attempt)        attempt = 0 for the first retry
    seconds = wait + U(0, wait * jitter_fraction)

Equal waits would bring all failed objects back at the same moment, so the jitter is added after the cap.
Randomness is passed in as a number from 0 to 1; the same number gives the same wait.
"""

from datetime import datetime, timedelta

from controller.api.common import RetryConfig

MAX_RETRY_AFTER_SECONDS = 3600.0
"""A target's Retry-After is followed up to this, or up to `max_wait_seconds` if that is more."""


def backoff_seconds(config: RetryConfig, attempt: int, jitter: float) -> float:
    """Seconds before retry number `attempt` (0 for the first); `jitter` is from 0 to 1.

    Raises ValueError for a negative attempt or a jitter outside its range.
    """
    return _with_jitter(config, _exponential_seconds(config, attempt), jitter)


def should_retry(config: RetryConfig, count: int) -> bool:
    """Whether another attempt is left after `count` that failed; `max_attempts` counts the first one too."""
    return config.retry_on != "Never" and count < config.max_attempts


def next_retry_at(
    now: datetime,
    config: RetryConfig,
    retry_count: int,
    jitter: float,
    retry_after_seconds: float | None = None,
) -> datetime:
    """When to try again after the failure that made `retry_count` what it is: 1 after the first that counts.

    `retry_after_seconds` from the target is a lower bound, itself bounded: max(backoff, min(Retry-After,
    max(maxWaitSeconds, 1 h))). The jitter on top of it is at most that of the longest backoff.
    """
    wait = _exponential_seconds(config, max(0, retry_count - 1))
    if retry_after_seconds is not None:
        wait = max(wait, min(retry_after_seconds, max(config.max_wait_seconds, MAX_RETRY_AFTER_SECONDS)))
    return now + timedelta(seconds=_with_jitter(config, wait, jitter))


def calculate_next_retry(config: RetryConfig, attempt: int, now: datetime, jitter: float) -> datetime:
    """When retry number `attempt` (0 for the first) is due: `now` plus its backoff."""
    return now + timedelta(seconds=backoff_seconds(config, attempt, jitter))


def _exponential_seconds(config: RetryConfig, attempt: int) -> float:
    if attempt < 0:
        raise ValueError(f"attempt must be 0 or more (got {attempt})")
    if config.min_wait_seconds == 0:
        return 0.0
    try:
        wait = config.min_wait_seconds * config.exponential_base**attempt
    except OverflowError:
        return config.max_wait_seconds
    return min(config.max_wait_seconds, wait)


def _with_jitter(config: RetryConfig, wait_seconds: float, jitter: float) -> float:
    if not 0 <= jitter <= 1:
        raise ValueError(f"jitter must be from 0 to 1 (got {jitter})")
    return wait_seconds + jitter * config.jitter_fraction * min(wait_seconds, config.max_wait_seconds)
