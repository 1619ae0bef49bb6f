"""An API server in memory, as far as the runtime needs one: objects, versions, compare-and-swap, and faults on order.

Schema, admission and watches are the business of the tests against the real server.
"""

import asyncio
import io
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, cast
from uuid import UUID, uuid4

from unit.core.making import NOW, REGISTRY, SETTINGS, SHIPPED, UNPROVEN

from controller.actions.registry import Registry
from controller.api.base import API_VERSION, rfc3339
from controller.core.enforcement import Enforcement
from controller.core.errors import ActionError, Conflict, NotFound, NotLeading
from controller.core.mergepatch import apply_merge_patch
from controller.core.ports import Json, Resource
from controller.core.record import EventRecord
from controller.core.settings import Settings
from controller.core.view import Chance
from controller.kube.api import Api, Listed
from controller.kube.events import EventWriter
from controller.kube.resources import APPROVALS, NAMESPACES, POLICIES, PROPOSALS, SCHEDULES, TYPES, WORKFLOWS
from controller.runtime.access import AccessReviews
from controller.runtime.attempts import AttemptRunner
from controller.runtime.audit import AuditLog
from controller.runtime.declarations import Declarations
from controller.runtime.declared import DeclaredReconciler
from controller.runtime.enforcing import Enforcing
from controller.runtime.executors import Executors, Reach
from controller.runtime.faults import Faults
from controller.runtime.intake import Intake
from controller.runtime.metrics import Metrics
from controller.runtime.outage import Outage
from controller.runtime.previews import Previews
from controller.runtime.proposals import ProposalReconciler
from controller.runtime.queue import DelayQueue
from controller.runtime.reach import RealReach
from controller.runtime.reaper import Reaper
from controller.runtime.recorder import Recorder
from controller.runtime.schedules import ScheduleReconciler
from controller.runtime.store import Key, Store
from controller.runtime.telling import Teller
from controller.runtime.usage import LiveUsage, Starts
from controller.runtime.views import Views
from controller.runtime.votes import Votes
from controller.runtime.worker import Worker
from controller.runtime.workflows import WorkflowReconciler

KINDS = {resource.plural: resource for resource in (PROPOSALS, WORKFLOWS, TYPES, POLICIES, APPROVALS)}


class FakeApi:
    """Objects by key. `fail(verb, error)` makes the next such request fail."""

    def __init__(self) -> None:
        self.objects: dict[Key, Json] = {}
        self.version = 100
        self.requests: list[str] = []
        self.refused: set[str] = set()
        """Users who may not do what is asked about."""
        self._faults: list[tuple[str, ActionError, bool]] = []
        self._meanwhile: list[tuple[str, Callable[[], None]]] = []
        self.yields = False
        """Whether something else may happen before a request arrives."""

    def fail(self, verb: str, error: ActionError, *, stored: bool = False) -> None:
        """The next request of that verb raises; `stored`: but it is carried out all the same."""
        self._faults.append((verb, error, stored))

    def meanwhile(self, verb: str, happens: Callable[[], None]) -> None:
        """While the next request of that verb is answered, something happens."""
        self._meanwhile.append((verb, happens))

    def as_user(self, username: str, before_change: Callable[[], None] | None = None) -> "FakeApi":
        return self

    def put(self, resource: Resource, raw: Json) -> Json:
        """Stores an object as somebody else would."""
        self.version += 1
        metadata = {"uid": str(uuid4()), "generation": 1, "creationTimestamp": rfc3339(NOW), **raw["metadata"]}
        metadata["resourceVersion"] = str(self.version)
        stored = {"apiVersion": API_VERSION, "kind": resource.kind, **raw, "metadata": metadata}
        self.objects[Key(resource.plural, metadata.get("namespace", ""), metadata["name"])] = stored
        return _copy(stored)

    def edit(self, key: Key, **spec: Any) -> Json:
        """Changes fields of an object's spec as somebody else would."""
        raw = self.objects[key]
        metadata = {**raw["metadata"], "generation": raw["metadata"]["generation"] + 1}
        return self.put(KINDS[key.plural], {**raw, "metadata": metadata, "spec": {**raw["spec"], **spec}})

    async def get(self, resource: Resource, name: str, *, namespace: str | None = None, subresource: str = "") -> Json:
        await self._way()
        self._ask("get", resource)
        return _copy(self._found(Key(resource.plural, namespace or "", name)))

    async def create(self, resource: Resource, body: Json, *, namespace: str | None = None) -> Json:
        key = Key(resource.plural, namespace or "", body["metadata"]["name"])
        if key in self.objects:
            self._ask("create", resource)
            raise Conflict(f"{key} exists")
        return self._ask("create", resource, lambda: self.put(resource, body))

    async def patch(
        self, resource: Resource, name: str, body: Json, *, namespace: str | None = None, subresource: str = ""
    ) -> Json:
        key = Key(resource.plural, namespace or "", name)
        await self._way()

        def patched() -> Json:
            raw = self._found(key)
            if body["metadata"]["resourceVersion"] != raw["metadata"]["resourceVersion"]:
                raise Conflict(f"{key} has changed")
            return self.put(resource, {**raw, "status": apply_merge_patch(raw.get("status") or {}, body["status"])})

        return self._ask("patch", resource, patched)

    async def delete(self, resource: Resource, name: str, *, namespace: str | None = None, uid: str = "") -> None:
        self._ask("delete", resource)
        key = Key(resource.plural, namespace or "", name)
        if self._found(key)["metadata"]["uid"] != uid:
            raise Conflict(f"{key} is another one")
        del self.objects[key]

    async def list(self, resource: Resource, *, field_selector: str = "", **_: Any) -> Listed:
        self._ask("list", resource)
        about = field_selector.removeprefix("spec.subject.uid=")
        found = (raw for key, raw in self.objects.items() if key.plural == resource.plural)
        return Listed(tuple(_copy(raw) for raw in found if raw["spec"].get("subject", {}).get("uid") == about), "")

    async def review(self, resource: Resource, body: Json) -> Json:
        return self._ask("review", resource, lambda: {"status": {"allowed": body["spec"]["user"] not in self.refused}})

    async def pages(self, resource: Resource, **_: Any) -> AsyncIterator[Listed]:
        self._ask("list", resource)
        yield Listed(tuple(_copy(raw) for key, raw in self.objects.items() if key.plural == resource.plural), "")

    async def _way(self) -> None:
        if self.yields:
            await asyncio.sleep(0)

    def _found(self, key: Key) -> Json:
        if key not in self.objects:
            raise NotFound(f"{key} does not exist")
        return self.objects[key]

    def _ask(self, verb: str, resource: Resource, carry_out: Callable[[], Json] = dict) -> Json:
        self.requests.append(f"{verb} {resource.plural}")
        for fault in self._faults:
            if fault[0] == verb:
                self._faults.remove(fault)
                if fault[2]:
                    carry_out()
                raise fault[1]
        answer = carry_out()
        for event in [event for event in self._meanwhile if event[0] == verb]:
            self._meanwhile.remove(event)
            event[1]()
        return answer


def _copy(raw: Json) -> Json:
    return cast("Json", json.loads(json.dumps(raw)))


class FakeEvents:
    """Keeps the Events that would be written."""

    dropped = refused = 0

    def __init__(self) -> None:
        self.records: list[EventRecord] = []

    def write(self, record: EventRecord) -> None:
        self.records.append(record)


class Operator:
    """The runtime around the fake API server, driven by hand: `settle` handles all that is due."""

    def __init__(
        self,
        now: datetime = NOW,
        stored: FakeApi | None = None,
        registry: Registry = REGISTRY,
        number: int = 1,
        *,
        api: FakeApi | None = None,
        settings: Settings | None = None,
        reach: Reach | None = None,
    ) -> None:
        """`stored`: with objects of an earlier process, which had a lower `number`, to take over.

        `api`: one that is shared, with all that is declared there already, and nothing is taken over.
        """
        self.now = now
        self.api, self.events, self.audit = stored or api or FakeApi(), FakeEvents(), io.StringIO()
        shared_api = api is not None
        owned = settings or replace(SETTINGS, owner=f"operator-{number}")
        api, events, clock = cast("Api", self.api), cast("EventWriter", self.events), lambda: self.now
        self.entropy = number * 1_000_000
        self.leads = True
        self.store, self.votes, self.metrics = Store(), Votes(), Metrics()
        self.queue: DelayQueue[Key] = DelayQueue(clock)
        self.declarations = Declarations(registry, owned)
        starts = Starts(
            api, self.declarations, lambda raw: self.intake.observe(POLICIES.plural, "MODIFIED", raw), clock
        )
        self.usage = LiveUsage(
            api=api,
            declarations=self.declarations,
            starts=starts,
            queue=self.queue,
            clock=clock,
            namespace=None,
            shard=owned.shard,
        )
        self.attempts = AttemptRunner(
            clock,
            lambda owner: self.intake.attempt_ended(owner),
            lambda owner, attempt: self.usage.effect_made(owner.uid, attempt),
        )
        self.recorder = recorder = Recorder(
            api, events, AuditLog(self.audit), Teller(self.metrics, lambda name: name in self.declarations.types)
        )
        views = Views(self.store, self.votes, self.declarations, self.usage)
        executors = Executors(registry, reach or RealReach(api), self._demand_lead)
        previews = Previews(api, executors)
        self.enforcement = UNPROVEN
        self.declarations.enforcement = self.enforcement
        enforcing = Enforcing(self._look, self.declarations, lambda: self.intake.enqueue_living())
        self.refresh = enforcing.refresh
        reviews = AccessReviews(api, enforcing)
        self.proposals = proposals = ProposalReconciler(
            api=api, votes=self.votes, reviews=reviews, views=views,
            recorder=recorder, previews=previews, attempts=self.attempts, executors=executors,
            clock=clock, chance=self._chance, leading=lambda: self.leads, usage=self.usage,
        )  # fmt: skip
        workflows = WorkflowReconciler(
            api=api, views=views, store=self.store, queue=self.queue, recorder=recorder, previews=previews,
            reviews=reviews, clock=clock,
        )  # fmt: skip
        schedules = ScheduleReconciler(
            api=api, store=self.store, declarations=self.declarations, recorder=recorder, settings=owned, clock=clock
        )
        declared = DeclaredReconciler(
            api=api, declarations=self.declarations, executors=registry, events=events, audit=AuditLog(self.audit),
            clock=clock, usage=self.usage, shard=owned.shard,
        )  # fmt: skip
        self.reaper = Reaper(api, clock, None, owned.shard)
        self.intake = Intake(
            store=self.store, votes=self.votes, queue=self.queue, declarations=self.declarations, proposals=proposals,
            workflows=workflows, schedules=schedules, reaper=self.reaper, recorder=recorder, leading=lambda: self.leads,
            usage=self.usage, shard=owned.shard,
        )  # fmt: skip
        self.outage = Outage(lambda: self.api.list(POLICIES), self.metrics)
        self.worker = Worker(
            api=api, store=self.store, queue=self.queue, intake=self.intake, declarations=self.declarations,
            reconcilers={PROPOSALS.plural: proposals, WORKFLOWS.plural: workflows, SCHEDULES.plural: schedules},
            declared=declared, faults=Faults(recorder, clock, owned), outage=self.outage, metrics=self.metrics,
            clock=clock,
        )  # fmt: skip
        if stored:
            self.take_over()
            return
        if shared_api:
            return
        for manifest in SHIPPED.values():
            self.declare(TYPES, manifest)
        self.declare(POLICIES, {"metadata": {"name": "go"}, "spec": {"mode": "Execute"}})
        self.intake.observe(NAMESPACES.plural, None, {"metadata": {"name": "shop"}})

    async def _look(self) -> Enforcement:
        return self.enforcement

    def _demand_lead(self) -> None:
        if not self.leads:
            raise NotLeading

    def take_over(self) -> None:
        """Lists everything, as a process does that starts to lead."""
        self.usage.lead()
        self.intake.observe(NAMESPACES.plural, None, {"metadata": {"name": "shop"}})
        for plurals in ((TYPES.plural, POLICIES.plural), (PROPOSALS.plural, WORKFLOWS.plural)):
            for key, raw in [*self.api.objects.items()]:
                if key.plural in plurals and not (raw.get("status") or {}).get("outcome"):
                    self.intake.observe(key.plural, None, _copy(raw))
        self.intake.enqueue_living()

    def _chance(self) -> Chance:
        self.entropy += 1
        return Chance(0.0, UUID(int=self.entropy, version=4))

    def declare(self, resource: Resource, manifest: Json, event: str | None = None) -> None:
        """A type or policy appears or changes; nobody is told its status."""
        raw = self.api.put(resource, manifest)
        self.intake.observe(resource.plural, event, raw)

    def propose(self, name: str = "a", action: str = "log-message", **fields: Any) -> Key:
        """A proposal appears, and the watch tells of it."""
        spec = {"action": action, "parameters": {"message": "hello"}, "reason": "test", **fields}
        raw = self.api.put(PROPOSALS, {"metadata": {"name": name, "namespace": "shop"}, "spec": spec})
        self.intake.observe(PROPOSALS.plural, "ADDED", raw)
        return Key(PROPOSALS.plural, "shop", name)

    def edit(self, key: Key, **spec: Any) -> None:
        """Somebody edits an object, and the watch tells of it."""
        self.intake.observe(key.plural, "MODIFIED", self.api.edit(key, **spec))

    def watch(self) -> None:
        """The watch tells of all proposals and workflows as they are now."""
        for key, raw in [*self.api.objects.items()]:
            if key.plural in (PROPOSALS.plural, WORKFLOWS.plural):
                self.intake.observe(key.plural, "MODIFIED", raw)

    def status(self, key: Key) -> Json:
        return cast("Json", self.api.objects[key].get("status") or {})

    async def settle(self, most: int = 100) -> int:
        """Handles all that is due, attempts included; how often a key was handled."""
        handled = 0
        while len(self.queue) or len(self.attempts) or self._due():
            if not (len(self.queue) or self._due()):
                await _next(lambda: len(self.attempts) == 0)
                continue
            key = await self.queue.take()
            handled += 1
            assert handled <= most, f"{key} is handled again and again"
            await self.worker.handle(key)
            self.queue.done(key)
        return handled

    def _due(self) -> bool:
        self.queue._promote()
        return len(self.queue) > 0

    def sleep(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    @property
    def told(self) -> list[str]:
        """Reasons of the Events so far."""
        return [record.reason for record in self.events.records]


async def _next(condition: Callable[[], bool]) -> None:

    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110  attempts tell nobody here
            await asyncio.sleep(0)
