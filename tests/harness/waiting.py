"""Waits for what is to come: a condition, a deadline, and words for when it does not."""

import time
from collections.abc import Callable

LOOK_SECONDS = 0.05


def eventually(so: Callable[[], object], what: str | Callable[[], str], seconds: float) -> None:
    """Returns once `so()` is true; AssertionError after that time. `what`: was waited for, in words; as a function, it
    is asked at the end, for what is seen only then.
    """
    deadline = time.monotonic() + seconds
    while not so():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:g} s: {what if isinstance(what, str) else what()}")
        time.sleep(LOOK_SECONDS)
