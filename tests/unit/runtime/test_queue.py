"""The delay-queue: one key is with one worker, a key that is added twice runs once, the last wake-up counts."""

import asyncio
from datetime import datetime, timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from unit.core.making import NOW

from controller.runtime.queue import DelayQueue


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now

    def after(self, seconds: float) -> datetime:
        return self.now + timedelta(seconds=seconds)

    def sleep(self, seconds: float) -> None:
        self.now = self.after(seconds)


def made() -> tuple[DelayQueue[str], Clock]:
    clock = Clock()
    return DelayQueue(clock), clock


async def taken(queue: DelayQueue[str]) -> str | None:
    """The next key if one is due now."""
    try:
        async with asyncio.timeout(0.02):
            return await queue.take()
    except TimeoutError:
        return None


async def all_taken(queue: DelayQueue[str]) -> list[str]:
    keys: list[str] = []
    while key := await taken(queue):
        keys.append(key)
    return keys


def test_keys_come_in_the_order_they_were_added_and_once() -> None:
    queue, _ = made()
    for key in ("a", "b", "a", "c", "b"):
        queue.add(key)
    assert len(queue) == 3
    assert asyncio.run(all_taken(queue)) == ["a", "b", "c"]


def test_a_key_is_never_with_two_workers() -> None:
    async def run() -> None:
        queue, _ = made()
        queue.add("a")
        assert await taken(queue) == "a"
        queue.add("a")
        queue.add("a")
        assert await taken(queue) is None
        queue.done("a")
        assert await taken(queue) == "a"
        queue.done("a")
        assert await taken(queue) is None

    asyncio.run(run())


def test_a_wake_up_comes_at_its_time_and_once() -> None:
    async def run() -> None:
        queue, clock = made()
        queue.wake("a", clock.after(10))
        assert await taken(queue) is None
        clock.sleep(10)
        assert await taken(queue) == "a"
        queue.done("a")
        clock.sleep(1000)
        assert await taken(queue) is None

    asyncio.run(run())


@pytest.mark.parametrize(("first", "then", "at"), [(10, 30, 30), (30, 10, 10), (10, None, None)])
def test_the_last_wake_up_replaces_the_one_before(first: float, then: float | None, at: float | None) -> None:
    async def run() -> None:
        queue, clock = made()
        start = clock.now
        queue.wake("a", clock.after(first))
        queue.wake("a", clock.after(then) if then else None)
        due = []
        for _ in range(40):
            clock.sleep(1)
            if await taken(queue):
                due.append((clock.now - start).total_seconds())
                queue.done("a")
        assert due == ([at] if at else [])

    asyncio.run(run())


def test_a_wake_up_that_comes_while_the_key_is_worked_on_is_kept() -> None:
    async def run() -> None:
        queue, clock = made()
        queue.add("a")
        assert await taken(queue) == "a"
        queue.wake("a", clock.after(1))
        clock.sleep(2)
        assert await taken(queue) is None
        queue.done("a")
        assert await taken(queue) == "a"

    asyncio.run(run())


def test_a_key_that_is_added_keeps_its_wake_up() -> None:
    async def run() -> None:
        queue, clock = made()
        queue.wake("a", clock.after(10))
        queue.add("a")
        assert await taken(queue) == "a"
        queue.done("a")
        clock.sleep(10)
        assert await taken(queue) == "a"

    asyncio.run(run())


def test_what_is_forgotten_does_not_wake() -> None:
    async def run() -> None:
        queue, clock = made()
        queue.wake("a", clock.after(1))
        queue.forget("a")
        clock.sleep(2)
        assert await taken(queue) is None

    asyncio.run(run())


def test_the_same_wake_up_set_again_and_again_is_one() -> None:
    async def run() -> None:
        queue, clock = made()
        at = clock.after(5)
        for other in (at, clock.after(3), at, None, at):
            queue.wake("a", other)
        clock.sleep(6)
        assert await all_taken(queue) == ["a"]

    asyncio.run(run())


def test_who_waits_is_woken_by_what_comes() -> None:
    async def run() -> None:
        queue, clock = made()
        queue.wake("late", clock.after(1000))
        waiting = asyncio.create_task(queue.take())
        await asyncio.sleep(0)
        queue.add("now")
        async with asyncio.timeout(1):
            assert await waiting == "now"

    asyncio.run(run())


def test_who_waits_for_a_far_wake_up_is_woken_for_a_near_one() -> None:
    async def run() -> None:
        queue: DelayQueue[str] = DelayQueue(lambda: datetime.now(NOW.tzinfo))
        queue.wake("far", datetime.now(NOW.tzinfo) + timedelta(hours=1))
        waiting = asyncio.create_task(queue.take())
        await asyncio.sleep(0)
        queue.wake("near", datetime.now(NOW.tzinfo) + timedelta(milliseconds=10))
        async with asyncio.timeout(1):
            assert await waiting == "near"

    asyncio.run(run())


def test_many_workers_share_many_keys_each_once() -> None:
    async def run() -> None:
        queue, _ = made()
        seen: list[int] = []
        numbers: DelayQueue[int] = DelayQueue(Clock())

        async def work() -> None:
            while True:
                key = await numbers.take()
                await asyncio.sleep(0)
                seen.append(key)
                numbers.done(key)

        workers = [asyncio.create_task(work()) for _ in range(32)]
        for key in range(2000):
            numbers.add(key)
        async with asyncio.timeout(5):
            while len(seen) < 2000:  # noqa: ASYNC110
                await asyncio.sleep(0)
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
        assert sorted(seen) == [*range(2000)]
        assert len(queue) == len(numbers) == 0

    asyncio.run(run())


@pytest.mark.parametrize("steps", range(4))
def test_a_key_is_not_lost_with_the_worker_that_took_it(steps: int) -> None:
    """A process that loses the Lease ends its workers in the middle of anything; it may lead again later."""

    async def run() -> None:
        queue, _ = made()
        queue.add("a")
        worker = asyncio.create_task(queue.take())
        for _ in range(steps):
            await asyncio.sleep(0)
        worker.cancel()
        (result,) = await asyncio.gather(worker, return_exceptions=True)
        if result == "a":
            queue.done("a")
            queue.add("a")
        assert await taken(queue) == "a"

    asyncio.run(run())


class Queues(RuleBasedStateMachine):
    """The queue beside a plain description of what it should hold."""

    def __init__(self) -> None:
        super().__init__()
        self.queue, self.clock = made()
        self.due: set[str] = set()
        self.again: set[str] = set()
        self.wakes: dict[str, datetime] = {}
        self.working: set[str] = set()

    keys = st.sampled_from("abc")

    def _added(self, key: str) -> None:
        (self.again if key in self.working else self.due).add(key)

    def _woken(self) -> set[str]:
        return {key for key, at in self.wakes.items() if at <= self.clock.now}

    @rule(key=keys)
    def add(self, key: str) -> None:
        self.queue.add(key)
        self._added(key)

    @rule(key=keys, seconds=st.none() | st.integers(-1, 5))
    def wake(self, key: str, seconds: int | None) -> None:
        at = None if seconds is None else self.clock.after(seconds)
        self.queue.wake(key, at)
        self.wakes.pop(key, None)
        if at is not None:
            self.wakes[key] = at

    @rule(key=keys)
    def forget(self, key: str) -> None:
        self.queue.forget(key)
        self.wakes.pop(key, None)

    @rule(seconds=st.integers(1, 5))
    def sleep(self, seconds: int) -> None:
        self.clock.sleep(seconds)

    @rule()
    def take(self) -> None:
        if not (self.due | (self._woken() - self.working)):
            return
        key = asyncio.run(self.queue.take())
        for woken in self._woken():
            del self.wakes[woken]
            self._added(woken)
        assert key in self.due
        assert key not in self.working
        self.due.discard(key)
        self.working.add(key)

    @precondition(lambda self: self.working)
    @rule()
    def done(self) -> None:
        key = min(self.working)
        self.working.discard(key)
        self.queue.done(key)
        if key in self.again:
            self.again.discard(key)
            self.due.add(key)

    @invariant()
    def holds_what_is_due(self) -> None:
        assert len(self.queue) == len(self.due)

    def teardown(self) -> None:
        """Nothing is lost: whatever is due, or becomes due, is taken in the end."""
        while self.working:
            self.done()
        self.clock.sleep(100)
        expected = self.due | self._woken()
        assert {asyncio.run(self.queue.take()) for _ in expected} == expected


TestQueues = Queues.TestCase
TestQueues.settings = settings(max_examples=30, deadline=None, print_blob=True)


def test_the_age_is_that_of_the_key_that_has_been_due_longest() -> None:
    queue, clock = made()

    async def play() -> None:
        assert queue.age_seconds() == 0
        queue.wake("later", clock.after(10))
        queue.add("a")
        clock.sleep(3)
        queue.add("b")
        queue.add("a")
        assert queue.age_seconds() == 3
        assert await taken(queue) == "a"
        assert queue.age_seconds() == 0
        clock.sleep(4)
        assert (queue.age_seconds(), queue.busy_seconds()) == (4, 4)
        queue.done("a")
        assert await taken(queue) == "b"
        queue.done("b")
        assert (queue.age_seconds(), queue.busy_seconds()) == (0, 0)
        clock.sleep(13)
        assert queue.age_seconds() == 10, "its time has come, though nobody has looked"

    asyncio.run(play())


def test_a_wake_up_that_was_replaced_does_not_count_for_the_age() -> None:
    queue, clock = made()
    queue.wake("a", clock.after(1))
    queue.wake("b", clock.after(5))
    queue.wake("a", clock.after(60))
    clock.sleep(20)
    assert queue.age_seconds() == 15
    queue.wake("b", None)
    assert queue.age_seconds() == 0
