"""The backoff of the operator as a tenacity wait strategy, for whoever repeats a call inside one process."""

import random
from collections.abc import Callable

from tenacity import RetryCallState
from tenacity.wait import wait_base

from controller.api.common import RetryConfig
from controller.core.backoff import backoff_seconds, calculate_next_retry

__all__ = ["RetryConfig", "calculate_next_retry", "wait_backoff"]


class wait_backoff(wait_base):  # noqa: N801 - named like tenacity's own strategies, beside which it is used
    """Waits as `core.backoff` says. `jitter` gives a number from 0 to 1 for each wait.

    Beside it belongs `stop=stop_after_attempt(config.max_attempts)`.
    """

    def __init__(self, config: RetryConfig, jitter: Callable[[], float] = random.random) -> None:
        self._config = config
        self._jitter = jitter

    def __call__(self, retry_state: RetryCallState) -> float:
        # tenacity counts tries from 1, the formula counts retries from 0.
        return backoff_seconds(self._config, retry_state.attempt_number - 1, self._jitter())
