"""Built-in action types: what each would change, how it is run, found again after a crash, and verified.

One file per type; `registry` names them all, `catalogue` turns them into ActionType objects.
"""

from controller.actions.retry import RetryConfig, calculate_next_retry, wait_backoff

__all__ = ["RetryConfig", "calculate_next_retry", "wait_backoff"]
