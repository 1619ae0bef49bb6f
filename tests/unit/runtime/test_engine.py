"""The engine around an API server in memory: how it stops."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any, cast

import pytest
from unit.core.making import NOW, UNPROVEN
from unit.runtime.fake_api import FakeApi, Operator

from controller.core.ports import Json, Resource
from controller.core.shard import EVERYTHING
from controller.kube.api import Api, Listed
from controller.kube.lease import Lease
from controller.kube.resources import NAMESPACES, POLICIES, PROPOSALS
from controller.runtime.enforcing import Enforcing
from controller.runtime.engine import Engine, Parts


class SlowApi(FakeApi):
    """Answers status patches of proposals only when a test lets it."""

    def __init__(self) -> None:
        super().__init__()
        self.patching, self.answers = asyncio.Event(), asyncio.Event()

    async def patch(self, resource: Resource, name: str, body: Json, **options: Any) -> Json:
        stored = await super().patch(resource, name, body, **options)
        if resource is PROPOSALS:
            self.patching.set()
            await self.answers.wait()
        return stored


class BusyApi(FakeApi):
    """While its policies are listed, another appears, and the watch tells of it first."""

    def __init__(self) -> None:
        super().__init__()
        self.appears: list[Callable[[], None]] = []

    async def pages(self, resource: Resource, **options: Any) -> AsyncIterator[Listed]:
        async for page in super().pages(resource, **options):
            if resource is POLICIES and self.appears:
                self.appears.pop()()
            yield page


class Held:
    """A Lease that is held throughout."""

    is_leader = True

    async def wait_for_leadership(self) -> None:
        return

    async def wait_until_lost(self) -> None:
        await asyncio.Event().wait()


class Lapsed(Held):
    """A Lease that is lost once, and held again at once."""

    def __init__(self) -> None:
        self.lapse, self.held = asyncio.Event(), asyncio.Event()
        self.held.set()

    async def wait_for_leadership(self) -> None:
        await self.held.wait()

    async def wait_until_lost(self) -> None:
        await self.lapse.wait()
        self.lapse.clear()


def engine_of(operator: Operator, relisted: asyncio.Event | None = None, lease: Held | None = None) -> Engine:
    async def look() -> Any:
        return UNPROVEN

    return Engine(
        Parts(
            api=cast("Api", operator.api),
            store=operator.store,
            queue=operator.queue,
            intake=operator.intake,
            recorder=operator.recorder,
            worker=operator.worker,
            enforcing=Enforcing(look, operator.declarations, operator.intake.enqueue_living),
            attempts=operator.attempts,
            reaper=operator.reaper,
            metrics=operator.metrics,
            outage=operator.outage,
            usage=operator.usage,
            lease=cast("Lease", lease or Held()),
            relisted=relisted or asyncio.Event(),
            namespace=None,
            shard=EVERYTHING,
            drain_seconds=5.0,
        )
    )


def test_a_policy_that_appears_while_policies_are_listed_is_not_taken_for_gone() -> None:
    """Until the next list, nobody would ask for the approvals that it demands."""

    async def play() -> None:
        api = BusyApi()
        operator = Operator(NOW, api=api)
        api.appears.append(
            lambda: operator.declare(
                POLICIES, {"metadata": {"name": "new"}, "spec": {"approval": {"required": 2}}}, "ADDED"
            )
        )
        running = asyncio.create_task(engine_of(operator).run())
        async with asyncio.timeout(10):
            while len(operator.queue) or api.appears:  # noqa: ASYNC110  the engine tells nobody here
                await asyncio.sleep(0)
        for _ in range(10):
            await asyncio.sleep(0)
        assert list(operator.declarations.policies) == ["new"]
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await operator.outage.close()

    asyncio.run(play())


def test_a_policy_that_was_deleted_before_the_watch_began_is_known_to_be_gone_as_soon_as_it_has() -> None:
    """It gave leave: nobody may act by it until the next list, a minute later."""

    async def play() -> None:
        api, relisted = FakeApi(), asyncio.Event()
        operator = Operator(NOW, api=api)
        api.put(POLICIES, {"metadata": {"name": "gone"}, "spec": {"mode": "Execute"}})
        running = asyncio.create_task(engine_of(operator, relisted).run())
        async with asyncio.timeout(10):
            while "gone" not in operator.declarations.policies:  # noqa: ASYNC110  the engine tells nobody here
                await asyncio.sleep(0)
            for key in [key for key in api.objects if key.name == "gone"]:
                del api.objects[key]
            relisted.set()
            while "gone" in operator.declarations.policies:  # noqa: ASYNC110
                await asyncio.sleep(0)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await operator.outage.close()

    asyncio.run(play())


def test_a_claim_whose_answer_is_under_way_when_the_operator_stops_is_carried_out() -> None:
    """Cut off there, an action that must not be repeated would end Unknown at every roll-out of the operator."""

    async def play() -> None:
        api = SlowApi()
        operator = Operator(NOW, api=api)
        prepared = Operator()
        api.objects |= prepared.api.objects
        api.put(NAMESPACES, {"metadata": {"name": "shop"}})
        spec = {"action": "log-message", "parameters": {"message": "hello"}, "reason": "test"}
        api.put(PROPOSALS, {"metadata": {"name": "a", "namespace": "shop"}, "spec": spec})
        running = asyncio.create_task(engine_of(operator).run())
        async with asyncio.timeout(10):
            await api.patching.wait()
            running.cancel()
            for _ in range(10):
                await asyncio.sleep(0)
            api.answers.set()
            await asyncio.gather(running, return_exceptions=True)
        (proposal,) = [raw for key, raw in api.objects.items() if key.plural == PROPOSALS.plural]
        assert proposal["status"].get("outcome") == "Succeeded", proposal["status"]
        await operator.outage.close()

    asyncio.run(play())


def test_a_claim_that_was_answered_while_nobody_led_is_carried_out_in_the_next_term() -> None:
    """The process that made it leads again at once: it knows that nothing was sent, and no event will come."""

    async def play() -> None:
        operator, lease = Operator(), Lapsed()
        operator.api.put(NAMESPACES, {"metadata": {"name": "shop"}})
        key = operator.propose()

        def lapse() -> None:
            operator.leads = False
            asyncio.get_running_loop().call_later(0.05, regain)

        def regain() -> None:
            assert [one.get("result") for one in operator.status(key)["attempts"]] == [None]
            operator.leads = True
            lease.lapse.set()

        operator.api.meanwhile("patch", lapse)
        running = asyncio.create_task(engine_of(operator, lease=lease).run())
        async with asyncio.timeout(10):
            while not operator.status(key).get("outcome"):  # noqa: ASYNC110  the engine tells nobody here
                await asyncio.sleep(0.01)
        (only,) = operator.status(key)["attempts"]
        assert only["result"] == "Succeeded"
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await operator.outage.close()

    asyncio.run(play())


@pytest.mark.parametrize("leads_again", [False, True])
def test_what_the_last_term_wrote_unheard_is_told_whoever_leads(leads_again: bool) -> None:
    async def play() -> None:
        operator, lease = Operator(api=SlowApi()), Lapsed()
        prepared = Operator()
        operator.api.objects |= prepared.api.objects
        operator.api.put(NAMESPACES, {"metadata": {"name": "shop"}})
        spec = {"action": "log-message", "parameters": {"message": "hello"}, "reason": "test"}
        operator.api.put(PROPOSALS, {"metadata": {"name": "a", "namespace": "shop"}, "spec": spec})
        running = asyncio.create_task(engine_of(operator, lease=lease).run())
        async with asyncio.timeout(10):
            await operator.api.patching.wait()
            lease.is_leader = operator.leads = False
            lease.held.clear()
            operator.api.answers.clear()
            if leads_again:
                lease.held.set()
            lease.lapse.set()
            while "Executing" not in operator.told:  # noqa: ASYNC110  the engine tells nobody here
                await asyncio.sleep(0.01)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await operator.outage.close()

    asyncio.run(play())
