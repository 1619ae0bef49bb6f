"""What limits leave room for: places, starts within an hour, cooldowns, breakers; and that it is never too much."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.core.making import NOW, after

from controller.api.names import Outcome
from controller.api.policy import Breaker, Bucket, Limits
from controller.core.limits import (
    CLOSED,
    NO_END,
    Limit,
    PolicyUsage,
    Room,
    TargetUsage,
    after_end,
    is_open,
    limits_given,
    room,
    told,
)
from controller.core.starts import (
    MINUTE,
    block_size,
    counted,
    frees_at,
    lowered,
    minute,
    next_block,
    taken,
    with_block,
)

THIS_MINUTE = minute(NOW)


def limits(**given: int) -> Limits:
    return Limits.model_validate(given)


def buckets(*counts: tuple[int, int]) -> tuple[Bucket, ...]:
    """By minutes ago: `buckets((61, 2), (0, 1))`."""
    return tuple(Bucket(start=THIS_MINUTE - ago * MINUTE, count=count) for ago, count in counts)


ALL = limits(maxConcurrent=1, maxPerHour=1, perTargetCooldownSeconds=1, maxConsecutiveFailures=1)


@pytest.mark.parametrize(
    ("given_limits", "first", "target", "asked"),
    [
        pytest.param(ALL, True, "Node a", [*Limit], id="a first claim asks all"),
        pytest.param(ALL, True, None, [Limit.BREAKER, Limit.CONCURRENT, Limit.PER_HOUR], id="no target, no cooldown"),
        pytest.param(ALL, False, "Node a", [Limit.BREAKER, Limit.CONCURRENT], id="a retry is no start"),
        pytest.param(limits(breakerResetSeconds=1), True, "Node a", [], id="a time alone is no limit"),
    ],
)
def test_what_is_asked_of_a_claim(given_limits: Limits, first: bool, target: str | None, asked: list[Limit]) -> None:
    assert [*limits_given(given_limits, first=first, target=target)] == asked


@pytest.mark.parametrize(
    ("used", "left"),
    [
        pytest.param(PolicyUsage(), Room(2), id="nothing runs"),
        pytest.param(PolicyUsage(running=1), Room(1), id="a place is left"),
        pytest.param(PolicyUsage(running=2), Room(0), id="full"),
        pytest.param(PolicyUsage(running=5), Room(-3), id="more than full: the limit was lowered"),
    ],
)
def test_places(used: PolicyUsage, left: Room) -> None:
    assert room(Limit.CONCURRENT, limits(maxConcurrent=2), used, TargetUsage(), NOW) == left


@pytest.mark.parametrize(
    ("target", "left"),
    [
        pytest.param(TargetUsage(), Room(1), id="never touched"),
        pytest.param(TargetUsage(busy=True), Room(0), id="somebody is at it"),
        pytest.param(TargetUsage(last_end=after(-60)), Room(1), id="over"),
        pytest.param(TargetUsage(last_end=after(-59)), Room(0, after(1)), id="not over"),
        pytest.param(TargetUsage(busy=True, last_end=after(-99)), Room(0), id="over, and somebody else was quicker"),
    ],
)
def test_cooldown(target: TargetUsage, left: Room) -> None:
    assert room(Limit.COOLDOWN, limits(perTargetCooldownSeconds=60), PolicyUsage(), target, NOW) == left


@pytest.mark.parametrize(
    ("used", "left"),
    [
        pytest.param(PolicyUsage(), Room(3), id="none yet: may be reserved"),
        pytest.param(PolicyUsage(free_starts=1, buckets=buckets((0, 3))), Room(1), id="reserved"),
        pytest.param(PolicyUsage(buckets=buckets((0, 1))), Room(0, THIS_MINUTE + MINUTE), id="one block a minute"),
        pytest.param(PolicyUsage(buckets=buckets((1, 1))), Room(2), id="the next minute"),
        pytest.param(
            PolicyUsage(buckets=buckets((30, 3))), Room(0, THIS_MINUTE + 31 * MINUTE), id="all taken: in a while"
        ),
        pytest.param(PolicyUsage(buckets=buckets((60, 3))), Room(0, THIS_MINUTE + MINUTE), id="an hour ago counts"),
        pytest.param(PolicyUsage(buckets=buckets((61, 3))), Room(3), id="more than an hour ago"),
        pytest.param(
            PolicyUsage(buckets=buckets((50, 1), (40, 5), (30, 2))), Room(0, THIS_MINUTE + 21 * MINUTE),
            id="the limit was lowered: when less than it are left",
        ),
        pytest.param(
            PolicyUsage(buckets=buckets((-1, 1))), Room(0, THIS_MINUTE + 2 * MINUTE), id="another clock is ahead"
        ),
    ],
)  # fmt: skip
def test_starts_within_an_hour(used: PolicyUsage, left: Room) -> None:
    assert room(Limit.PER_HOUR, limits(maxPerHour=3), used, TargetUsage(), NOW) == left


FIVE = limits(maxConsecutiveFailures=5, breakerResetSeconds=600)


def broken(seconds_ago: float, failures: int = 5) -> Breaker:
    return Breaker(failures=failures, opened_at=after(-seconds_ago))


@pytest.mark.parametrize(
    ("used", "left"),
    [
        pytest.param(PolicyUsage(breaker=Breaker(failures=4)), Room(NO_END), id="closed"),
        pytest.param(PolicyUsage(breaker=broken(10)), Room(0, after(590)), id="open"),
        pytest.param(PolicyUsage(breaker=broken(600)), Room(1), id="half open"),
        pytest.param(
            PolicyUsage(breaker=broken(600), newest_claim=after(-601)), Room(1), id="half open: from before it opened"
        ),
        pytest.param(PolicyUsage(breaker=broken(600), newest_claim=NOW), Room(0), id="half open: one is trying"),
        pytest.param(PolicyUsage(breaker=Breaker(failures=7)), Room(1), id="the limit was lowered: one tries"),
    ],
)
def test_breaker(used: PolicyUsage, left: Room) -> None:
    assert room(Limit.BREAKER, FIVE, used, TargetUsage(), NOW) == left


def test_a_breaker_without_a_reset_time_has_one() -> None:
    used = PolicyUsage(breaker=broken(0))
    assert room(Limit.BREAKER, limits(maxConsecutiveFailures=5), used, TargetUsage(), NOW) == Room(0, after(3600))


BEFORE, TRIAL = after(-700), after(-5)
"""A claim before the breaker opened, and one that was let through to try."""


@pytest.mark.parametrize(
    ("breaker", "outcome", "claimed_at", "becomes"),
    [
        pytest.param(CLOSED, Outcome.FAILED, BEFORE, Breaker(failures=1), id="one failed"),
        pytest.param(CLOSED, Outcome.UNKNOWN, BEFORE, Breaker(failures=1), id="one may have failed"),
        pytest.param(CLOSED, Outcome.SUCCEEDED, BEFORE, CLOSED, id="one succeeded"),
        pytest.param(Breaker(failures=4), Outcome.SUCCEEDED, BEFORE, CLOSED, id="a success ends the row"),
        pytest.param(Breaker(failures=4), Outcome.CANCELLED, BEFORE, Breaker(failures=4), id="cancelled says nothing"),
        pytest.param(Breaker(failures=4), Outcome.FAILED, BEFORE, Breaker(failures=5, opened_at=NOW), id="opens"),
        pytest.param(broken(600), Outcome.FAILED, BEFORE, broken(600), id="open: a late failure says nothing"),
        pytest.param(broken(600), Outcome.SUCCEEDED, BEFORE, broken(600), id="open: a late success says nothing"),
        pytest.param(broken(605), Outcome.SUCCEEDED, TRIAL, CLOSED, id="half open: the trial closes it"),
        pytest.param(
            broken(605), Outcome.FAILED, TRIAL, Breaker(failures=6, opened_at=NOW), id="half open: opens again"
        ),
        pytest.param(broken(605), Outcome.CANCELLED, TRIAL, broken(605), id="half open: the trial was cancelled"),
        pytest.param(
            Breaker(failures=7), Outcome.FAILED, BEFORE, Breaker(failures=8, opened_at=NOW), id="lowered: opens"
        ),
    ],
)
def test_what_an_end_says_to_a_breaker(
    breaker: Breaker, outcome: Outcome, claimed_at: datetime, becomes: Breaker
) -> None:
    assert after_end(breaker, FIVE, outcome, claimed_at, NOW) == becomes


@pytest.mark.parametrize("limit", list(Limit))
def test_what_is_told_of_a_limit_names_policy_and_number(limit: Limit) -> None:
    given_limits = limits(maxConcurrent=41, maxPerHour=42, perTargetCooldownSeconds=43, maxConsecutiveFailures=44)
    text = told(limit, "careful", given_limits, "Node a")
    number = {Limit.CONCURRENT: "41", Limit.PER_HOUR: "42", Limit.COOLDOWN: "43", Limit.BREAKER: "44"}[limit]
    assert "policy careful" in text
    assert number in text
    assert ("Node a" in text) is (limit is Limit.COOLDOWN)


@pytest.mark.parametrize(
    ("most", "already", "asking", "size"),
    [
        pytest.param(30, 0, 1, 16, id="one asks: half of the rest is kept ready"),
        pytest.param(30, 0, 30, 30, id="all are asked for"),
        pytest.param(30, 0, 900, 30, id="more than there are"),
        pytest.param(30, 28, 1, 2, id="few are left"),
        pytest.param(1, 0, 1, 1, id="one"),
        pytest.param(2, 0, 1, 2, id="two"),
        pytest.param(30, 30, 1, 0, id="none is left"),
        pytest.param(30, 35, 1, 0, id="less than none: the limit was lowered"),
    ],
)
def test_how_much_is_reserved(most: int, already: int, asking: int, size: int) -> None:
    assert max(0, block_size(most, already, asking)) == size


def test_starts_that_were_never_made_are_taken_off() -> None:
    known = buckets((5, 4), (3, 2), (0, 1))
    unused = [(THIS_MINUTE - 5 * MINUTE, 1), (THIS_MINUTE - 3 * MINUTE, 2), (THIS_MINUTE - 9 * MINUTE, 7)]
    assert lowered(known, unused) == buckets((5, 3), (0, 1))


def test_buckets_stay_within_what_the_schema_takes() -> None:
    kept: tuple[Bucket, ...] = ()
    for n in range(500):
        kept = with_block(kept, 1, NOW + n * MINUTE)
        assert len(kept) <= 61


# Laws.


def most_within_an_hour(starts: Sequence[datetime]) -> int:
    ordered = sorted(starts)
    return max((sum(first <= one <= first + timedelta(hours=1) for one in ordered) for first in ordered), default=0)


@settings(max_examples=60, deadline=None, print_blob=True)
@given(
    st.integers(1, 12),
    st.lists(
        st.tuples(
            st.sampled_from(["ask"] * 12 + ["restart", "clean restart"]),
            st.one_of(st.integers(0, 90), st.integers(0, 4000)),
            st.integers(1, 8),
        ),
        max_size=120,
    ),
)
def test_law_never_more_starts_than_allowed_within_any_hour(most: int, story: list[tuple[str, int, int]]) -> None:
    """Whoever starts what when, through restarts: what is in status is all that a new process knows."""
    stored: tuple[Bucket, ...] = ()
    unused: dict[datetime, int] = {}
    free, now, starts, written = 0, NOW, list[datetime](), list[datetime]()
    for what, pause, asking in story:
        before, now = now, now + timedelta(seconds=pause)
        if minute(now) != minute(before) and free:
            unused[minute(before)] = free
            free = 0
        if what == "restart":
            free, unused = 0, {}
        elif what == "clean restart":
            stored = lowered(stored, [*unused.items(), (minute(now), free)])
            free, unused = 0, {}
        for n in range(asking if what == "ask" else 0):
            used = PolicyUsage(free_starts=free, buckets=lowered(stored, unused.items()))
            if room(Limit.PER_HOUR, limits(maxPerHour=most), used, TargetUsage(), now).count <= 0:
                break
            if not free:
                free = block_size(most, taken(used.buckets, now), asking - n)
                assert free > 0
                stored, unused = with_block(used.buckets, free, now), {}
                written.append(now)
            free -= 1
            starts.append(now)
        assert taken(stored, now) <= most
    assert most_within_an_hour(starts) <= most
    assert len({minute(moment) for moment in written}) == len(written), "at most one write a minute"


@given(st.lists(st.tuples(st.integers(-1, 70), st.integers(1, 5)), unique_by=lambda one: one[0]), st.integers(1, 12))
def test_law_of_when_starts_become_free(counts: list[tuple[int, int]], most: int) -> None:
    known = buckets(*counts)
    at = frees_at(known, most, NOW)
    assert at is not None
    if taken(known, NOW) < most:
        assert at == NOW
        return
    assert taken(known, at) < most
    assert taken(known, at - timedelta(microseconds=1)) >= most
    assert [bucket.start for bucket in counted(known, NOW)] == sorted(bucket.start for bucket in counted(known, NOW))


@given(st.lists(st.tuples(st.integers(0, 70), st.integers(1, 5)), unique_by=lambda one: one[0]))
def test_law_one_block_a_minute(counts: list[tuple[int, int]]) -> None:
    known = buckets(*counts)
    at = next_block(known, NOW)
    assert at >= NOW
    assert all(bucket.start != minute(at) for bucket in known)


ENDS = st.tuples(
    st.sampled_from([Outcome.SUCCEEDED, Outcome.FAILED, Outcome.UNKNOWN, Outcome.CANCELLED]), st.integers(0, 900)
)


@given(st.lists(ENDS, max_size=60), st.integers(1, 4))
def test_law_of_a_breaker_with_one_action_after_the_other(ends: list[tuple[Outcome, int]], most: int) -> None:
    """It is open exactly while the last so many that said something failed, and then lets one through at a time."""
    given_limits = limits(maxConsecutiveFailures=most, breakerResetSeconds=300)
    breaker, now, row = CLOSED, NOW, 0
    for outcome, pause in ends:
        now += timedelta(seconds=pause)
        left = room(Limit.BREAKER, given_limits, PolicyUsage(breaker=breaker), TargetUsage(), now)
        assert is_open(breaker, given_limits) is (row >= most)
        assert left.count == (NO_END if row < most else int(left.at is None))
        if left.count <= 0:
            assert left.at is not None
            assert now < left.at <= now + timedelta(seconds=300)
            continue
        breaker = after_end(breaker, given_limits, outcome, now, now)
        row = row if outcome is Outcome.CANCELLED else 0 if outcome is Outcome.SUCCEEDED else row + 1
