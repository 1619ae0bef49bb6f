"""The laws of the backoff: the first waits, the cap, the jitter, Retry-After, and tenacity beside it."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt

from controller.actions import RetryConfig, calculate_next_retry, wait_backoff
from controller.core.backoff import backoff_seconds, next_retry_at, should_retry
from controller.core.retry_after import LONGEST_SECONDS

NOW = datetime(2026, 11, 22, 15, 4, 5, tzinfo=UTC)
HOUR = 3600.0


@st.composite
def configs(draw: st.DrawFn) -> RetryConfig:
    low, high = sorted(draw(st.tuples(*[st.floats(0, 86_400)] * 2)))
    return RetryConfig(
        max_attempts=draw(st.integers(1, 100)),
        min_wait_seconds=low,
        max_wait_seconds=high,
        exponential_base=draw(st.floats(1, 10)),
        jitter_fraction=draw(st.floats(0, 1)),
    )


attempts = st.integers(0, 10**6)
jitters = st.floats(0, 1)


@pytest.mark.parametrize(("attempt", "seconds"), [(0, 1), (1, 2), (2, 4), (5, 32), (6, 60), (7, 60), (10**9, 60)])
def test_waits_double_from_the_minimum_to_the_cap(attempt: int, seconds: float) -> None:
    assert backoff_seconds(RetryConfig(), attempt, 0) == seconds


def test_defaults_are_those_of_the_documentation() -> None:
    config = RetryConfig()
    assert (config.max_attempts, config.min_wait_seconds, config.max_wait_seconds) == (3, 1.0, 60.0)
    assert (config.exponential_base, config.jitter_fraction, config.retry_on) == (2.0, 0.5, "Transient")


@given(configs(), attempts, jitters)
def test_wait_lies_between_the_exponential_and_its_jitter(config: RetryConfig, attempt: int, jitter: float) -> None:
    without, with_jitter = backoff_seconds(config, attempt, 0), backoff_seconds(config, attempt, jitter)
    assert config.min_wait_seconds <= without <= config.max_wait_seconds
    assert without <= with_jitter <= without * (1 + config.jitter_fraction) + 1e-9


@given(configs(), attempts, jitters)
def test_waits_never_get_shorter(config: RetryConfig, attempt: int, jitter: float) -> None:
    assert backoff_seconds(config, attempt + 1, jitter) >= backoff_seconds(config, attempt, jitter)


@given(configs())
def test_jitter_stays_at_the_cap(config: RetryConfig) -> None:
    assume(config.exponential_base > 1.1 and config.min_wait_seconds > 0.1)
    assert backoff_seconds(config, 10**6, 0) == config.max_wait_seconds
    spread = backoff_seconds(config, 10**6, 1) - backoff_seconds(config, 10**6, 0)
    assert spread == pytest.approx(config.max_wait_seconds * config.jitter_fraction, abs=1e-9)


def test_no_minimum_means_no_wait_however_often() -> None:
    assert backoff_seconds(RetryConfig(min_wait_seconds=0), 10**9, 1) == 0


@pytest.mark.parametrize(("attempt", "jitter"), [(-1, 0.5), (0, -0.1), (0, 1.1), (0, float("nan"))])
def test_values_out_of_range_are_refused(attempt: int, jitter: float) -> None:
    with pytest.raises(ValueError, match="must be"):
        backoff_seconds(RetryConfig(), attempt, jitter)


@pytest.mark.parametrize(("count", "again"), [(0, True), (2, True), (3, False), (4, False)])
def test_max_attempts_counts_the_first_one(count: int, again: bool) -> None:
    assert should_retry(RetryConfig(max_attempts=3), count) is again


def test_never_means_one_attempt() -> None:
    assert not should_retry(RetryConfig(retry_on="Never"), 0)


@given(configs(), attempts, jitters)
def test_next_retry_is_now_plus_backoff(config: RetryConfig, attempt: int, jitter: float) -> None:
    expected = NOW + timedelta(seconds=backoff_seconds(config, attempt, jitter))
    assert calculate_next_retry(config, attempt, NOW, jitter) == expected
    assert next_retry_at(NOW, config, attempt + 1, jitter) == expected


@pytest.mark.parametrize(
    ("config", "retry_after", "seconds"),
    [
        pytest.param(RetryConfig(), 30, 30, id="more than the backoff"),
        pytest.param(RetryConfig(), 0.1, 1, id="less than the backoff"),
        pytest.param(RetryConfig(), 86_400, HOUR, id="at most an hour"),
        pytest.param(RetryConfig(max_wait_seconds=7200), 86_400, 7200, id="or the longest wait, if that is more"),
        pytest.param(RetryConfig(), LONGEST_SECONDS, HOUR, id="however long it is"),
    ],
)
def test_retry_after_is_a_bounded_lower_bound(config: RetryConfig, retry_after: float, seconds: float) -> None:
    assert next_retry_at(NOW, config, 1, 0, retry_after) == NOW + timedelta(seconds=seconds)


@given(configs(), st.integers(0, 1000), jitters, st.floats(0, 1e7))
def test_those_sent_back_together_are_spread(
    config: RetryConfig, count: int, jitter: float, retry_after: float
) -> None:
    earliest = next_retry_at(NOW, config, count, 0, retry_after)
    spread = (next_retry_at(NOW, config, count, jitter, retry_after) - earliest).total_seconds()
    assert 0 <= spread <= config.max_wait_seconds * config.jitter_fraction + 1e-6
    wait = (earliest - NOW).total_seconds()
    assert wait >= backoff_seconds(config, max(0, count - 1), 0) - 1e-6
    assert wait <= max(config.max_wait_seconds, HOUR) + 1e-6


@given(configs(), st.integers(0, 10_000), jitters)
def test_tenacity_waits_the_same(config: RetryConfig, attempt: int, jitter: float) -> None:
    state = RetryCallState(Retrying(), None, (), {})
    state.attempt_number = attempt + 1
    assert wait_backoff(config, lambda: jitter)(state) == backoff_seconds(config, attempt, jitter)


def test_tenacity_starts_with_the_minimum() -> None:
    slept: list[float] = []

    def fails() -> None:
        raise ConnectionError

    retrying = Retrying(
        wait=wait_backoff(RetryConfig(), lambda: 0.0),
        stop=stop_after_attempt(4),
        retry=retry_if_exception_type(ConnectionError),
        sleep=slept.append,
        reraise=True,
    )
    with pytest.raises(ConnectionError):
        retrying(fails)
    assert slept == [1, 2, 4]
