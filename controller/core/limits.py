"""How much may go on at once, and how fast: what a policy's limits leave room for, as things stand.

Each limit is about all that its own policy matches. What is going on is told by a `Usage`; nothing here keeps count.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple, Protocol

from controller.api.names import Outcome, Reason
from controller.api.policy import Breaker, Bucket, Limits
from controller.core.starts import frees_at, next_block, taken

BREAKER_RESET_SECONDS = 3600
NO_END = 2**31
CLOSED = Breaker()


class Limit(StrEnum):
    """The limits, by their paths in a policy's spec, in the order in which they are asked."""

    BREAKER = "limits.maxConsecutiveFailures"
    COOLDOWN = "limits.perTargetCooldownSeconds"
    CONCURRENT = "limits.maxConcurrent"
    PER_HOUR = "limits.maxPerHour"


REASONS = {
    Limit.BREAKER: Reason.BREAKER_OPEN,
    Limit.COOLDOWN: Reason.COOLDOWN,
    Limit.CONCURRENT: Reason.LIMIT_REACHED,
    Limit.PER_HOUR: Reason.LIMIT_REACHED,
}


class Line(NamedTuple):
    """Names a row of objects that wait for the same thing. `target`: only with the cooldown."""

    policy: str
    limit: Limit
    target: str = ""


@dataclass(frozen=True)
class PolicyUsage:
    """What goes on of all that one policy matches, as one object sees it: what it does itself is left out."""

    running: int = 0
    """Actions whose effect is being made."""
    free_starts: int = 0
    """Starts that are reserved and may be taken now."""
    buckets: tuple[Bucket, ...] = ()
    """Starts reserved in each minute, those left out that were never taken."""
    breaker: Breaker | None = CLOSED
    """None = earlier ends are not counted yet."""
    newest_claim: datetime | None = None
    """The newest claim of an action that has not ended."""


@dataclass(frozen=True)
class TargetUsage:
    """What other actions, and those of other workflows, do with one target."""

    busy: bool = False
    last_end: datetime | None = None


class Usage(Protocol):
    """Knows what goes on. Asked only by gates; answering changes nothing."""

    def of_policy(self, policy: str, uid: str, now: datetime) -> PolicyUsage:
        """`uid`: of the proposal that asks."""
        ...

    def of_target(self, policy: str, target: str, group: str) -> TargetUsage | None:
        """`group`: uid of the workflow whose step asks, else of the proposal. None = earlier ends are not read yet."""
        ...


class Unused:
    """A usage where nothing goes on."""

    def of_policy(self, policy: str, uid: str, now: datetime) -> PolicyUsage:
        return PolicyUsage()

    def of_target(self, policy: str, target: str, group: str) -> TargetUsage | None:
        return TargetUsage()


@dataclass(frozen=True)
class Room:
    """How many may start; if none, when time alone makes room."""

    count: int
    at: datetime | None = None


def limits_given(limits: Limits, *, first: bool, target: str | None) -> Iterator[Limit]:
    """Those that hold back a claim. Of an action under way (not its `first` claim) only what is about running."""
    if limits.max_consecutive_failures:
        yield Limit.BREAKER
    if limits.per_target_cooldown_seconds and first and target:
        yield Limit.COOLDOWN
    if limits.max_concurrent:
        yield Limit.CONCURRENT
    if limits.max_per_hour and first:
        yield Limit.PER_HOUR


def counted_by_one(limits: Limits) -> Iterator[Limit]:
    """Those that a process counts by what it sees itself; only starts in an hour are counted across shards."""
    return (limit for limit in limits_given(limits, first=True, target="any") if limit is not Limit.PER_HOUR)


def room(limit: Limit, limits: Limits, used: PolicyUsage, target: TargetUsage, now: datetime) -> Room:
    """What the limit leaves room for. For PER_HOUR also starts that are yet to be reserved."""
    match limit:
        case Limit.BREAKER:
            return _breaker_room(limits, used, now)
        case Limit.COOLDOWN:
            return _cooldown_room(limits, target, now)
        case Limit.CONCURRENT:
            return Room((limits.max_concurrent or NO_END) - used.running)
        case Limit.PER_HOUR:
            return _hour_room(limits.max_per_hour or NO_END, used, now)


def _cooldown_room(limits: Limits, target: TargetUsage, now: datetime) -> Room:
    if target.busy:
        return Room(0)
    if target.last_end is None:
        return Room(1)
    over = target.last_end + timedelta(seconds=limits.per_target_cooldown_seconds or 0)
    return Room(1) if now >= over else Room(0, over)


def _hour_room(most: int, used: PolicyUsage, now: datetime) -> Room:
    if used.free_starts > 0:
        return Room(used.free_starts)
    left = most - taken(used.buckets, now)
    if left <= 0:
        return Room(0, frees_at(used.buckets, most, now))
    at = next_block(used.buckets, now)
    return Room(0, at) if at > now else Room(left)


def has_breaker(limits: Limits | None) -> bool:
    """Whether failures in a row are counted."""
    return limits is not None and limits.max_consecutive_failures is not None


def asks_for_ends(limits: Limits) -> bool:
    """Whether it depends on how and when earlier actions ended."""
    return has_breaker(limits) or bool(limits.per_target_cooldown_seconds)


def _breaker_room(limits: Limits, used: PolicyUsage, now: datetime) -> Room:
    if used.breaker is None or not is_open(used.breaker, limits):
        return Room(NO_END)
    trial_at = half_open_at(used.breaker, limits, now)
    if now < trial_at:
        return Room(0, trial_at)
    trying = used.newest_claim is not None and used.newest_claim >= trial_at
    return Room(0 if trying else 1)


def is_open(breaker: Breaker, limits: Limits) -> bool:
    """Whether so many failed in a row that nothing, or only one to try, is let through."""
    most = limits.max_consecutive_failures
    return most is not None and breaker.failures >= most


def half_open_at(breaker: Breaker, limits: Limits, now: datetime) -> datetime:
    """From when on one action is let through; at once where the limit was lowered after the failures."""
    if breaker.opened_at is None:
        return now
    return breaker.opened_at + timedelta(seconds=limits.breaker_reset_seconds or BREAKER_RESET_SECONDS)


def after_end(breaker: Breaker, limits: Limits, outcome: Outcome, claimed_at: datetime, now: datetime) -> Breaker:
    """The breaker after an action ended whose newest claim was then. Only a success or a failure says something.

    While it is open, only what was let through to try counts: a success closes it, a failure opens it again.
    """
    failed = outcome in (Outcome.FAILED, Outcome.UNKNOWN)
    if not failed and outcome is not Outcome.SUCCEEDED:
        return breaker
    if is_open(breaker, limits) and claimed_at < half_open_at(breaker, limits, claimed_at):
        return breaker
    if not failed:
        return CLOSED
    counted = Breaker(failures=breaker.failures + 1)
    return counted.model_copy(update={"opened_at": now}) if is_open(counted, limits) else counted


def told(limit: Limit, policy: str, limits: Limits, target: str | None) -> str:
    """What to say of a limit that is reached: the same for as long as it is, so that it is written once."""
    match limit:
        case Limit.BREAKER:
            seconds = limits.breaker_reset_seconds or BREAKER_RESET_SECONDS
            row = _counted(limits.max_consecutive_failures, "failure")
            return (
                f"policy {policy} stopped after {row} in a row; "
                f"{seconds} s after the last one an action is let through to try"
            )
        case Limit.COOLDOWN:
            return f"policy {policy} demands {limits.per_target_cooldown_seconds} s between two actions on {target}"
        case Limit.CONCURRENT:
            at_once = _counted(limits.max_concurrent, "action")
            return f"policy {policy} lets {at_once} run at a time; this one has its turn when one ends"
        case Limit.PER_HOUR:
            starts = _counted(limits.max_per_hour, "start")
            return f"policy {policy} gives {starts} within an hour, and none is free now"


def _counted(number: int | None, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
