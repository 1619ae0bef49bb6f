"""Puts the parts of the runtime together. The only place that knows all of them."""

import asyncio
import logging
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TextIO
from uuid import UUID

from controller.actions.plugins import installed, load
from controller.actions.registry import Registry, built_ins
from controller.core.settings import Settings
from controller.core.view import Chance
from controller.kube.admission import AdmissionPolicies
from controller.kube.api import Api
from controller.kube.events import EventWriter
from controller.kube.lease import MOST_SKEW_SECONDS, Lease, Timing
from controller.kube.login import Login
from controller.kube.resources import APPROVALS, DECLARED, POLICIES, PROPOSALS, SCHEDULES, WORKED, WORKFLOWS
from controller.kube.session import Session
from controller.kube.watches import Watches
from controller.runtime.access import AccessReviews
from controller.runtime.attempts import AttemptRunner
from controller.runtime.audit import AuditLog
from controller.runtime.clock import utc_now
from controller.runtime.declarations import Declarations
from controller.runtime.declared import DeclaredReconciler
from controller.runtime.enforcing import Enforcing
from controller.runtime.engine import Engine, Parts
from controller.runtime.executors import Executors
from controller.runtime.faults import Faults
from controller.runtime.heartbeat import Health
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
from controller.runtime.standing import Sources, Standing
from controller.runtime.store import Key, Store
from controller.runtime.telling import Teller
from controller.runtime.usage import LiveUsage, Starts
from controller.runtime.views import Views
from controller.runtime.votes import Votes
from controller.runtime.worker import Worker
from controller.runtime.workflows import WorkflowReconciler

EVENTS_DRAIN_SECONDS = 5.0

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Options:
    """How this process is run. `namespace` None = all namespaces."""

    settings: Settings
    identity: str
    namespace: str | None
    lease_namespace: str
    lease_name: str
    lease_timing: Timing
    drain_seconds: float


@dataclass(frozen=True)
class Running:
    """The runtime while it is open."""

    api: Api
    engine: Engine
    intake: Intake
    metrics: Metrics
    watches: Watches
    health: Health


def _registry() -> Registry:
    """The executors, those of plug-ins included; of a plug-in that is left out the log says why."""
    plugins = load(installed(), {action.name for action in built_ins(utc_now)})
    for line in plugins.broken:
        logger.error("%s", line)
    for action in plugins.actions:
        logger.info("plug-in %s is loaded, version %d", action.name, action.version)
    return built_ins(utc_now, plugins.actions)


@asynccontextmanager
async def assembled(login: Login, options: Options, audit_stream: TextIO) -> AsyncIterator[Running]:
    """The runtime, ready for `engine.run()`. On exit: Lease released, Events written, connections closed."""
    chance, shard = random.SystemRandom(), options.settings.shard
    registry = _registry()
    store, metrics, audit = Store(), Metrics(), AuditLog(audit_stream)
    queue: DelayQueue[Key] = DelayQueue(utc_now)
    declarations = Declarations(registry, options.settings)
    relisted, declared_plurals = asyncio.Event(), {resource.plural for resource in DECLARED}
    watches = Watches(
        (resource.plural for resource in (*WORKED, *DECLARED, APPROVALS)),
        listed=lambda plural: relisted.set() if plural in declared_plurals else None,
    )
    async with Session(login, metrics.api_answered) as session:
        always = Api(session)
        outage = Outage(lambda: always.once().list(POLICIES, metadata_only=True), metrics)
        events = EventWriter(always, outage.over)
        async with (
            events,
            Lease(
                always,
                namespace=options.lease_namespace,
                name=options.lease_name,
                identity=options.identity,
                timing=options.lease_timing,
                may_lead=lambda: abs(session.clock_skew_seconds() or 0.0) <= MOST_SKEW_SECONDS,
            ) as lease,
        ):
            api = always.changing_only_if(lease.demand)
            teller = Teller(metrics, lambda name: name in declarations.types)
            recorder = Recorder(api, events, audit, teller)
            executors = Executors(registry, RealReach(api), lease.demand)
            starts = Starts(api, declarations, lambda raw: intake.observe(POLICIES.plural, "MODIFIED", raw), utc_now)
            usage = LiveUsage(
                api=api,
                declarations=declarations,
                starts=starts,
                queue=queue,
                clock=utc_now,
                namespace=options.namespace,
                shard=shard,
            )
            votes = Votes()
            views = Views(store, votes, declarations, usage)
            enforcing = Enforcing(AdmissionPolicies(api).read, declarations, lambda: intake.enqueue_living())
            reviews = AccessReviews(api, enforcing)
            previews = Previews(api, executors)
            attempts = AttemptRunner(
                utc_now,
                lambda owner: intake.attempt_ended(owner),
                lambda owner, attempt: usage.effect_made(owner.uid, attempt),
                lambda owner: queue.add(owner.key),
            )
            proposals = ProposalReconciler(
                api=api,
                views=views,
                votes=votes,
                reviews=reviews,
                recorder=recorder,
                previews=previews,
                attempts=attempts,
                executors=executors,
                clock=utc_now,
                leading=lambda: lease.is_leader,
                usage=usage,
                chance=lambda: Chance(chance.random(), UUID(int=chance.getrandbits(128), version=4)),
            )
            workflows = WorkflowReconciler(
                api=api,
                views=views,
                store=store,
                queue=queue,
                recorder=recorder,
                previews=previews,
                reviews=reviews,
                clock=utc_now,
            )
            schedules = ScheduleReconciler(
                api=api,
                store=store,
                declarations=declarations,
                recorder=recorder,
                settings=options.settings,
                clock=utc_now,
            )
            declared = DeclaredReconciler(
                api=api,
                declarations=declarations,
                executors=registry,
                events=events,
                audit=audit,
                clock=utc_now,
                usage=usage,
                shard=shard,
            )
            reaper = Reaper(api, utc_now, options.namespace, shard)
            intake = Intake(
                store=store,
                votes=votes,
                queue=queue,
                declarations=declarations,
                proposals=proposals,
                workflows=workflows,
                schedules=schedules,
                reaper=reaper,
                recorder=recorder,
                leading=lambda: lease.is_leader,
                usage=usage,
                shard=shard,
            )
            worker = Worker(
                api=api,
                store=store,
                queue=queue,
                intake=intake,
                declarations=declarations,
                reconcilers={
                    PROPOSALS.plural: proposals,
                    WORKFLOWS.plural: workflows,
                    SCHEDULES.plural: schedules,
                },
                declared=declared,
                faults=Faults(recorder, utc_now, options.settings),
                outage=outage,
                metrics=metrics,
                clock=utc_now,
            )
            engine = Engine(
                Parts(
                    api=api,
                    store=store,
                    queue=queue,
                    intake=intake,
                    recorder=recorder,
                    worker=worker,
                    enforcing=enforcing,
                    attempts=attempts,
                    reaper=reaper,
                    metrics=metrics,
                    outage=outage,
                    usage=usage,
                    lease=lease,
                    relisted=relisted,
                    namespace=options.namespace,
                    shard=shard,
                    drain_seconds=options.drain_seconds,
                )
            )
            standing = Sources(
                store=store,
                queue=queue,
                attempts=attempts,
                declarations=declarations,
                audit=audit,
                events=events,
                lease=options.lease_name,
                leading=lambda: lease.is_leader,
                watch_ages=watches.ages,
                clock_skew_seconds=session.clock_skew_seconds,
                clock=utc_now,
            )
            metrics.registry.register(Standing(standing))
            health = Health(watches, queue, lambda: lease.is_leader)
            try:
                yield Running(api, engine, intake, metrics, watches, health)
            finally:
                await outage.close()
                await events.drain(EVENTS_DRAIN_SECONDS)
