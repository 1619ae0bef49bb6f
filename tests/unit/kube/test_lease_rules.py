"""When a candidate may take the Lease, and who counts as leader, with a clock and an API server made of a few lines."""

import asyncio
import copy
from typing import Any

import pytest

from controller.core.errors import ActionError, Conflict, LostAnswer, NotFound, TransientFailure
from controller.core.ports import Json, Resource
from controller.kube.api import Api
from controller.kube.lease import Lease, Seen, Timing


def seen(holder: str, at: float = 100.0, version: str = "1", duration: float = 15.0) -> Seen:
    return Seen(version, holder, duration, 0, at)


@pytest.mark.parametrize(
    ("record", "now", "free"),
    [
        (seen(""), 100.0, True),
        (seen("me"), 100.0, True),
        (seen("other"), 100.0, False),
        (seen("other"), 114.9, False),
        (seen("other"), 115.0, True),
        (seen("other", duration=60), 150.0, False),
        (seen("other", duration=1), 101.0, True),
    ],
)
def test_who_may_take_it_when(record: Seen, now: float, free: bool) -> None:
    assert record.free_for("me", now) is free


def test_silence_counts_from_the_first_sight_of_a_version() -> None:
    first, again, renewed = seen("other", 100), seen("other", 110), seen("other", 112, version="2")
    assert again.after(first).at == 100
    assert renewed.after(again.after(first)).at == 112
    assert first.after(None).at == 100


def test_times_in_the_record_are_not_looked_at() -> None:
    stored = {
        "metadata": {"resourceVersion": "7"},
        "spec": {"holderIdentity": "other", "leaseDurationSeconds": 15, "renewTime": "1999-01-01T00:00:00.000000Z"},
    }
    assert not Seen.of(stored, 100.0, 15.0).free_for("me", 110.0)


@pytest.mark.parametrize("numbers", [(10, 10, 2), (15, 2, 2), (15, 10, 0), (15, 16, 2)])
def test_timing_must_leave_a_margin(numbers: tuple[float, float, float]) -> None:
    with pytest.raises(ValueError, match="0 < retry < renew deadline < duration"):
        Timing(*numbers)


class Store:
    """One Lease with compare-and-swap, which can be told to fail; stands in for `Api`."""

    def __init__(self) -> None:
        self.stored: Json | None = None
        self.failures: list[ActionError] = []
        self.lands = False
        """Whether a failing write takes effect all the same."""
        self.writes = 0

    def within(self, _: float) -> "Store":
        return self

    async def get(self, _: Resource, name: str, **__: Any) -> Json:
        if self.stored is None:
            raise NotFound(name)
        return copy.deepcopy(self.stored)

    async def create(self, _: Resource, body: Json, **__: Any) -> Json:
        if self.stored is not None:
            raise Conflict("exists")
        return self._write(body)

    async def patch(self, _: Resource, __: str, body: Json, **___: Any) -> Json:
        assert self.stored is not None
        if body["metadata"]["resourceVersion"] != self.stored["metadata"]["resourceVersion"]:
            raise Conflict("changed")
        return self._write(body)

    def _write(self, body: Json) -> Json:
        failure = self.failures.pop(0) if self.failures else None
        if failure is None or self.lands:
            self.writes += 1
            before = self.stored["spec"] if self.stored else {}
            self.stored = {"metadata": {"resourceVersion": str(self.writes)}, "spec": before | body["spec"]}
        if failure is not None:
            raise failure
        return copy.deepcopy(self.stored or {})

    @property
    def spec(self) -> Json:
        return (self.stored or {})["spec"]


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def candidate(store: Store, identity: str, clock: Clock, **options: Any) -> Lease:
    api: Api = store  # type: ignore[assignment]
    return Lease(api, namespace="n", name="l", identity=identity, monotonic=clock, **options)


def test_one_leads_the_other_takes_over_after_the_duration() -> None:
    async def run() -> None:
        store, clock = Store(), Clock()
        first, second = candidate(store, "first", clock), candidate(store, "second", clock)
        await first._try()
        await second._try()
        assert (first.is_leader, second.is_leader) == (True, False)
        clock.now += 9.9
        assert first.is_leader
        clock.now += 0.2  # the renew deadline: the first one stops before the second one may start
        assert not first.is_leader
        await second._try()
        assert not second.is_leader
        clock.now += 5
        await second._try()
        assert second.is_leader
        assert (store.spec["holderIdentity"], store.spec["leaseTransitions"]) == ("second", 1)
        await first._try()
        assert not first.is_leader

    asyncio.run(run())


def test_never_two_leaders_at_any_instant() -> None:
    async def run() -> None:
        store, clock = Store(), Clock()
        one, two = candidate(store, "one", clock), candidate(store, "two", clock)
        for second in range(200):
            clock.now += 1
            if (second // 40) % 2 == 0:  # the first one is frozen for 40 s now and then
                await one._try()
            await two._try()
            assert not (one.is_leader and two.is_leader)

    asyncio.run(run())


def test_a_restart_under_the_same_identity_leads_at_once() -> None:
    async def run() -> None:
        store, clock = Store(), Clock()
        await candidate(store, "pod-1", clock)._try()
        again = candidate(store, "pod-1", clock)
        await again._try()
        assert again.is_leader
        assert store.spec["leaseTransitions"] == 0

    asyncio.run(run())


def test_release_lets_another_lead_at_once() -> None:
    async def run() -> None:
        store, clock = Store(), Clock()
        first, second = candidate(store, "first", clock), candidate(store, "second", clock)
        await first._try()
        await first.release()
        assert not first.is_leader
        assert store.spec["holderIdentity"] == ""
        await second._try()
        assert second.is_leader
        await first.release()
        assert store.spec["holderIdentity"] == "second"

    asyncio.run(run())


@pytest.mark.parametrize("lands", [True, False])
def test_a_lost_answer_while_renewing_is_looked_up(lands: bool) -> None:
    async def run() -> None:
        store, clock = Store(), Clock()
        lease = candidate(store, "me", clock)
        await lease._try()
        store.failures, store.lands = [LostAnswer("reset")], lands
        clock.now += 2
        await lease._try()
        assert lease.is_leader
        clock.now += 2
        await lease._try()
        clock.now += 9
        assert lease.is_leader

    asyncio.run(run())


def test_an_api_server_that_stays_away_ends_leadership_and_tells_so() -> None:
    async def run() -> None:
        store, clock = Store(), Clock()
        lease = candidate(store, "me", clock)
        await lease._try()
        told = asyncio.create_task(lease.wait_until_lost())
        store.failures = [TransientFailure("away")] * 10
        for _ in range(4):
            clock.now += 2
            await lease._try()
            assert lease.is_leader
            assert not told.done()
        clock.now += 2
        await lease._try()
        assert not lease.is_leader
        await asyncio.wait_for(told, 5)
        store.failures = []
        await lease._try()
        assert lease.is_leader

    asyncio.run(run())


@pytest.mark.parametrize(("sent_after", "answered_after"), [(9, 2), (2, 11)])
def test_a_renewal_that_is_answered_too_late_begins_a_new_term(sent_after: float, answered_after: float) -> None:
    """In between nobody leads, and what was asked of this process then is undone: whoever works must begin anew."""

    class Slow(Store):
        async def patch(self, resource: Resource, name: str, body: Json, **options: Any) -> Json:
            clock.now += answered_after
            assert not lease.is_leader
            return await super().patch(resource, name, body, **options)

    store, clock = Slow(), Clock()
    lease = candidate(store, "me", clock)

    async def run() -> None:
        await lease._try()
        told = asyncio.create_task(lease.wait_until_lost())
        await asyncio.sleep(0)
        clock.now += sent_after
        await lease._try()
        await asyncio.wait_for(told, 5)
        gained = asyncio.create_task(lease.wait_for_leadership())
        await asyncio.sleep(0)
        assert lease.is_leader is (answered_after < 10), "an answer gives nothing that ended before it came"
        assert gained.done() is lease.is_leader
        gained.cancel()

    asyncio.run(run())


def test_who_may_not_lead_gives_up_and_stays_away() -> None:
    async def run() -> None:
        store, clock, sane = Store(), Clock(), True
        lease = candidate(store, "me", clock, timing=Timing(3, 2, 0.01), may_lead=lambda: sane)
        async with lease:
            await asyncio.wait_for(lease.wait_for_leadership(), 5)
            sane = False
            await asyncio.wait_for(lease.wait_until_lost(), 5)
        assert store.spec["holderIdentity"] == ""
        writes = store.writes
        async with lease:
            await asyncio.sleep(0.05)
            assert not lease.is_leader
        assert store.writes == writes

    asyncio.run(run())


def test_leaving_gives_the_lease_up() -> None:
    async def run() -> None:
        store = Store()
        async with candidate(store, "me", Clock(), timing=Timing(3, 2, 0.01)) as lease:
            await asyncio.wait_for(lease.wait_for_leadership(), 5)
        assert not lease.is_leader
        assert store.spec["holderIdentity"] == ""

    asyncio.run(run())
