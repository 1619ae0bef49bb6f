"""An API server in memory that admits as config/admission does and tells the judge, and operator processes on it."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from harness.cast import OTHER, SHOP
from harness.judge import Judge
from unit.core.making import SETTINGS
from unit.runtime.approval_outside import Call, Found, Log, Outside, Reach, Scale
from unit.runtime.fake_api import FakeApi, Operator

from controller.actions.custom import CustomTypes
from controller.actions.registry import Registry
from controller.api.base import rfc3339
from controller.core.enforcement import Enforcement
from controller.core.errors import RightMissing
from controller.core.ports import Json, Resource
from controller.core.view import Chance
from controller.kube.resources import APPROVALS, NAMESPACES, POLICIES, PROPOSALS, TYPES, WORKFLOWS
from controller.runtime.store import Key

BEGIN = timedelta(seconds=1)
"""So long after they are stored admission policies come into force."""
MOST_TURNS = 400


class Killed(BaseException):
    """kill -9."""


class GuardedApi(FakeApi):
    """Sets the time as an API server does, refuses claims while stopped, answers access reviews, tells the judge."""

    def __init__(self, judge: Judge) -> None:
        super().__init__()
        self.judge = judge
        self.writer = ""
        self.kill_after_claim = False

    def put(self, resource: Resource, raw: Json) -> Json:
        metadata = {"creationTimestamp": rfc3339(self.judge.now), **raw["metadata"]}
        key = Key(resource.plural, metadata.get("namespace", ""), metadata["name"])
        old = self.objects.get(key) or {}
        same = old.get("metadata", {}).get("uid") == metadata.get("uid")
        written = same and (old.get("status") or {}) != (raw.get("status") or {})
        living = resource.plural in (PROPOSALS.plural, WORKFLOWS.plural)
        claims = written and living and _newest(raw) > _newest(old)
        if claims and (why := self._stopped(raw["spec"]["action"])):
            self.judge.count("claims refused while stopped")
            raise RightMissing(why)
        stored = super().put(resource, {**raw, "metadata": metadata})
        if written and living:
            self.judge.wrote(old, stored, [*self.all(WORKFLOWS)], self.writer)
        if claims and self.kill_after_claim:
            self.kill_after_claim = False
            raise Killed
        return stored

    def all(self, resource: Resource) -> Iterator[Json]:
        return (raw for key, raw in self.objects.items() if key.plural == resource.plural)

    async def review(self, resource: Resource, body: Json) -> Json:
        asked = body["spec"]["resourceAttributes"]
        right = body["spec"]["user"], asked["namespace"], asked["name"]
        allowed = asked["verb"] in ("propose", "use") or right in self.judge.rights
        if not allowed:
            self.judge.count("voters without the right")
        return self._ask("review", resource, lambda: {"status": {"allowed": allowed}})

    async def list(self, resource: Resource, *, field_selector: str = "", **more: Any) -> Any:
        found = await super().list(resource, field_selector=field_selector, **more)
        namespace = more.get("namespace")
        items = [raw for raw in found.items if namespace in (None, raw["metadata"].get("namespace"))]
        return type(found)(tuple(items), found.resource_version)

    def in_force(self) -> bool:
        since = self.judge.since
        return since is not None and self.judge.now - since >= BEGIN

    def _stopped(self, action: str) -> str | None:
        for name, spec in self.judge.stored_policies.items():
            matches = action in (spec.get("match") or {}).get("actions", [action])
            if self.in_force() and matches and (spec.get("halt") or spec.get("mode") == "Observe"):
                return f"ActionPolicy {name} has halted actions here"
        return None


class Process(Operator):
    """An operator process: it knows what it listed when it started and what the watches have told since."""

    def __init__(self, api: "GuardedApi", outside: Outside, number: int) -> None:
        self.judge, self.outside, self.number, self.name = api.judge, outside, number, f"operator-{number}"
        registry = Registry(
            (Scale(), Call(lambda: self.judge.now), Log(), Found()), CustomTypes(lambda: self.judge.now)
        )
        for executor in registry:
            executor.outside, executor.operator = outside, number
        settings = replace(SETTINGS, owner=self.name)
        super().__init__(api=api, registry=registry, settings=settings, reach=Reach())
        self.late: list[tuple[str, str, Json]] = []
        """What the watches have not told yet."""
        self.heard = self.judge.told_policies[self.name] = {}
        self.observe, self.intake.observe = self.intake.observe, self.hear  # it also reads by itself, after conflicts
        self._list()

    @property
    def now(self) -> datetime:
        return self.judge.now

    @now.setter
    def now(self, moment: datetime) -> None:
        """There is one clock for all."""

    def _chance(self) -> Chance:
        self.entropy += 1
        return Chance(0.0, UUID(int=self.number << 32 | self.entropy, version=4))

    async def _look(self) -> Enforcement:
        since = self.judge.since
        self.judge.looked[self.name] = since
        return Enforcement(since, None if since else "ValidatingAdmissionPolicy x is missing")

    def hear(self, plural: str, event: str | None, raw: Json) -> None:
        if plural == POLICIES.plural:
            name = raw["metadata"]["name"]
            if event == "DELETED":
                self.heard.pop(name, None)
            else:
                self.heard[name] = raw["spec"]
        self.observe(plural, event, raw)

    def catch_up(self) -> None:
        late, self.late = self.late, []
        for news in late:
            self.hear(*news)

    def _list(self) -> None:
        for name in (SHOP, OTHER):
            self.hear(NAMESPACES.plural, None, {"metadata": {"name": name}})
        for resource in (TYPES, POLICIES, APPROVALS, WORKFLOWS, PROPOSALS):
            for raw in self.api.all(resource):
                self.hear(resource.plural, None, raw)

    async def work(self) -> None:
        """Does all that is due, until nothing follows but what hangs."""
        self.api.writer = self.name
        for _ in range(MOST_TURNS):
            if self._due():
                key = await self.queue.take()
                await self.worker.handle(key)
                self.queue.done(key)
                continue
            for _ in range(8):
                await asyncio.sleep(0)
            if not self._due() and len(self.attempts) <= [*self.outside.hanging.values()].count(self.number):
                return
        raise AssertionError("it never comes to rest")

    async def end(self) -> None:
        """kill -9."""
        await self.outage.close()
        await self.attempts.drain(0)


def _newest(raw: Json) -> int:
    attempts = (raw.get("status") or {}).get("attempts") or ()
    return attempts[-1]["number"] if attempts else 0
