"""An operator under limits for tests: several workers, and actions that end when and as a test says."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from unit.core.making import NOW, REGISTRY
from unit.runtime.fake_api import FakeApi, Operator

from controller.actions.custom import CustomTypes
from controller.actions.registry import Registry
from controller.actions.restart_rollout import RestartRollout
from controller.actions.rollouts import RolloutParameters
from controller.core.errors import EffectFailed, PermanentFailure
from controller.core.ports import Done, Json, Operation, PreviewResult, Request, Target, Verified
from controller.kube.resources import POLICIES, PROPOSALS
from controller.runtime.store import Key

WORKERS = 6


class Played(RestartRollout):
    """Needs no runner; what it does is to wait until the test says how it ends."""

    needs_runner = False

    def __init__(self) -> None:
        super().__init__(lambda: NOW)
        self.making: dict[str, asyncio.Future[None]] = {}
        """Effects that are being made, by proposal."""
        self.unverified: set[str] = set()
        self.labels: dict[str, str] = {}
        self.began: Callable[[str], None] = lambda _: None

    async def preview(self, request: Request[RolloutParameters]) -> PreviewResult:
        name = request.parameters.name
        return PreviewResult(f"Restart {name}.", target=Target("apps/v1", "Deployment", name, "shop", "", self.labels))

    async def run(self, request: Request[RolloutParameters], operation: Operation) -> Done:
        self.making[request.proposal] = asyncio.get_running_loop().create_future()
        self.began(request.proposal)
        try:
            await self.making[request.proposal]
        finally:
            self.making.pop(request.proposal, None)
        return Done("restarted")

    async def observe(self, request: Request[RolloutParameters], operation: Operation) -> Done | None:
        return None

    async def verify(self, request: Request[RolloutParameters], operation: Operation) -> Verified:
        return Verified(request.proposal not in self.unverified, "not yet")


@dataclass
class Limited:
    """`story(limits)`: then propose, end, restart; `go` lets everything happen that follows at once."""

    operator: Operator
    played: Played
    registry: Registry
    processes: int = 1
    started: list[datetime] = field(default_factory=list)
    """When the effect of each proposal was begun for the first time."""
    _begun: set[str] = field(default_factory=set)

    @classmethod
    def make(cls, limits: Json, **policy: Any) -> "Limited":
        played = Played()
        registry = Registry(
            (*(action for action in REGISTRY if action.name != played.name), played), CustomTypes(lambda: NOW)
        )
        self = cls(Operator(registry=registry), played, registry)
        self.operator.api.yields = True
        played.began = self._began
        self.policy("careful", limits=limits, **policy)
        return self

    def _began(self, name: str) -> None:
        if name not in self._begun:
            self._begun.add(name)
            self.started.append(self.operator.now)

    @property
    def api(self) -> FakeApi:
        return self.operator.api

    @property
    def making(self) -> set[str]:
        return set(self.played.making)

    def policy(self, name: str, **spec: Any) -> None:
        self.operator.declare(POLICIES, {"metadata": {"name": name}, "spec": spec}, "ADDED")

    def propose(self, name: str, target: str = "", **fields: Any) -> Key:
        parameters = {"kind": "Deployment", "name": target or name}
        return self.operator.propose(name, "restart-rollout", parameters=parameters, **fields)

    def status(self, name: str) -> Json:
        return self.operator.status(key(name))

    def blocked(self, name: str) -> tuple[Any, ...]:
        """Policy and rule of what it waits for."""
        status = self.status(name)
        assert status["phase"] == "Blocked", status
        return status["blocked"].get("policy"), status["blocked"]["rule"]

    def breaker(self) -> Json | None:
        found: Json | None = (self.api.objects[Key(POLICIES.plural, "", "careful")].get("status") or {}).get("breaker")
        return found

    def row(self) -> Json:
        """Failures in a row as written, and when they were too many."""
        status = {"failures": 0, **(self.breaker() or {})}
        return {name: value for name, value in status.items() if name != "countedUntil"}

    def buckets(self) -> list[int]:
        status = self.api.objects[Key(POLICIES.plural, "", "careful")].get("status") or {}
        return [bucket["count"] for bucket in status.get("buckets") or ()]

    def writes(self, of: str = "actionproposals") -> int:
        return self.api.requests.count(f"patch {of}")

    async def go(self) -> None:
        """Lets several workers work until there is nothing more to do."""
        workers = [asyncio.create_task(self._work()) for _ in range(WORKERS)]
        quiet = 0
        try:
            async with asyncio.timeout(20):
                while quiet < 25:
                    await asyncio.sleep(0)
                    for worker in workers:
                        if worker.done():
                            worker.result()
                    self.operator.queue._promote()
                    busy = len(self.operator.queue) or self.operator.queue._working
                    quiet = 0 if busy else quiet + 1
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)

    async def _work(self) -> None:
        while True:
            taken = await self.operator.queue.take()
            try:
                await self.operator.worker.handle(taken)
            finally:
                self.operator.queue.done(taken)

    async def end(self, name: str, failed: str = "") -> None:
        """The effect is made; `failed`: it is known to have failed, or refused for good."""
        future = self.played.making[name]
        if failed == "refused":
            future.set_exception(PermanentFailure("refused"))
        elif failed:
            future.set_exception(EffectFailed("failed"))
        else:
            future.set_result(None)
        await self.go()

    async def sleep(self, seconds: float) -> None:
        self.operator.sleep(seconds)
        await self.go()

    async def delete(self, name: str) -> None:
        raw = self.api.objects.pop(key(name))
        if not (raw.get("status") or {}).get("outcome"):
            self.operator.intake.observe(PROPOSALS.plural, "DELETED", raw)
        await self.go()

    async def restart(self, *, clean: bool = False) -> None:
        """Another process takes over; `clean`: this one has ended in good order."""
        if clean:
            await self.operator.usage.wind_up()
        await self.close()
        self.processes += 1
        self.operator = Operator(self.operator.now, self.api, self.registry, self.processes)
        await self.go()

    async def close(self) -> None:
        await self.operator.outage.close()
        await self.operator.attempts.drain(0)


def names(count: int) -> list[str]:
    return [f"p{n:02}" for n in range(count)]


def key(name: str) -> Key:
    return Key(PROPOSALS.plural, "shop", name)


def played(limits: Json, play: Callable[[Limited], Any], **policy: Any) -> None:
    async def run() -> None:
        limited = Limited.make(limits, **policy)
        await limited.go()
        limited.api.requests.clear()
        try:
            await play(limited)
        finally:
            await limited.close()

    asyncio.run(run())
