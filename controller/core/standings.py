"""How the rules of time and amount of a policy stand at a moment, in words for people: open, over, used up.

Told by the policy alone, its status included. What only the operator knows (who runs, when a target was left) is not.
"""

from datetime import datetime

from controller.api.policy import ActionPolicy
from controller.core.limits import CLOSED, half_open_at, is_open
from controller.core.starts import frees_at, taken
from controller.core.windows import is_open as any_open
from controller.core.windows import next_change


def standing(policy: ActionPolicy, field: str, now: datetime) -> str:
    """`field` is the path of a rule in spec. Empty for a rule that just holds."""
    match field:
        case "windows":
            return _windows(policy, now)
        case "freezes":
            return _freezes(policy, now)
        case "limits.maxPerHour":
            return _starts(policy, now)
        case "limits.maxConsecutiveFailures":
            return _breaker(policy, now)
    return ""


def _windows(policy: ActionPolicy, now: datetime) -> str:
    windows = policy.spec.windows
    change = next_change(windows, now)
    if any_open(windows, now):
        return f"open now, closes at {_told(change)}" if change else "open now"
    return f"closed now, opens at {_told(change)}" if change else "closed, and never opens"


def _freezes(policy: ActionPolicy, now: datetime) -> str:
    on = [freeze.end for freeze in policy.spec.freezes if freeze.start <= now < freeze.end]
    if on:
        return f"on now, until {_told(max(on))}"
    coming = [freeze.start for freeze in policy.spec.freezes if now < freeze.start]
    return f"not on now, from {_told(min(coming))}" if coming else "over"


def _starts(policy: ActionPolicy, now: datetime) -> str:
    most = policy.spec.limits.max_per_hour if policy.spec.limits else None
    buckets = policy.status.buckets
    told = f"{taken(buckets, now)} counted now"
    free = frees_at(buckets, most, now) if most else None
    return f"{told}, none free until {_told(free)}" if free and free > now else told


def _breaker(policy: ActionPolicy, now: datetime) -> str:
    limits, breaker = policy.spec.limits, policy.status.breaker or CLOSED
    if limits is None or not is_open(breaker, limits):
        return f"closed, {breaker.failures} in a row now"
    trial_at = half_open_at(breaker, limits, now)
    when = "one action at a time is let through to try" if trial_at <= now else f"one may try at {_told(trial_at)}"
    return f"open, {breaker.failures} in a row: {when}"


def _told(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
