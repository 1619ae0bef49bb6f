"""Metrics of how things stand, worked out when Prometheus asks: nothing is kept up to date for nobody."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Protocol

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from controller.api.base import OPERATOR
from controller.kube.resources import APPROVALS, DECLARED, WORKED
from controller.runtime.attempts import AttemptRunner
from controller.runtime.audit import AuditLog
from controller.runtime.clock import Clock
from controller.runtime.declarations import Declarations
from controller.runtime.metrics import PREFIX, Family
from controller.runtime.queue import DelayQueue
from controller.runtime.store import Key, Store

KINDS = {resource.plural: resource.kind for resource in (*WORKED, *DECLARED, APPROVALS)}
"""Kind by plural."""
MODES = ("Execute", "Observe", "none")
Values = Mapping[tuple[str, ...], float]


OBJECTS = Family("objects", "live objects by phase; `phase` is empty for schedules, which have none", ("kind", "phase"))
RESTING = Family(
    "objects_oldest_transition_age_seconds",
    "time since the last transition of the object that has rested longest in a phase; 0 if none is in it",
    ("kind", "phase"),
)
DEPTH = Family("queue_depth", "objects that are due and not taken yet; 0 while this process does not lead")
AGE = Family("queue_age_seconds", "for how long the object has been due that waits longest to be taken; as above")
BUSY = Family("longest_decision_seconds", "for how long the object has been handled that is at it longest; as above")
RUNNING = Family("running_attempts", "attempts that run now")
OVERDUE = Family("attempt_overdue_seconds", "how long the deadline is past of the attempt that should have ended first")
LEADER = Family("is_leader", "1 while this process holds the Lease; each shard has its own", ("lease",))
POLICIES = Family("policies", "policies by the mode they set; `none` are those without an opinion", ("mode",))
HALTED = Family("halted", "policies whose kill switch is on; 0 is none")
PROVEN = Family(
    "identity_enforced", "1 while the API server proves who asks and votes, else no vote counts; of the leader"
)
WATCHES = Family("watch_age_seconds", "time since anything was heard of a watched kind; bookmarks come every minute",
                 ("kind",))  # fmt: skip
SKEW = Family("clock_skew_seconds", "how far the clock is ahead of the API server's; who is 5 s off does not lead")
RECORDS_LOST = Family(
    "audit_records_lost_total", "audit records that could not be written to standard output", type="counter"
)
EVENTS = Family("events_written_total", "Kubernetes Events that were written", type="counter")
EVENTS_LOST = Family(
    "events_lost_total",
    "Kubernetes Events that were not: `refused` by the API server, or `dropped` because it was away or too slow",
    ("why",),
    "counter",
)
BUILD = Family("build_info", "1; the version of the operator", ("version",))

FAMILIES = (OBJECTS, RESTING, DEPTH, AGE, BUSY, RUNNING, OVERDUE, LEADER, POLICIES, HALTED, PROVEN, WATCHES, SKEW,
            RECORDS_LOST, EVENTS, EVENTS_LOST, BUILD)  # fmt: skip


class EventCounts(Protocol):
    """What became of Events."""

    written: int
    refused: int
    dropped: int


@dataclass(frozen=True)
class Sources:
    """Whom to ask. `watch_ages`: seconds by plural; `clock_skew_seconds`: None before the first answer."""

    store: Store
    queue: DelayQueue[Key]
    attempts: AttemptRunner
    declarations: Declarations
    audit: AuditLog
    events: EventCounts
    lease: str
    leading: Callable[[], bool]
    watch_ages: Callable[[], Mapping[str, float]]
    clock_skew_seconds: Callable[[], float | None]
    clock: Clock


class Standing(Collector):
    """Collects from the sources; to be scraped in the event loop that they live in."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    def describe(self) -> Iterable[Metric]:
        return [_metric(family, {}) for family in FAMILIES]

    def collect(self) -> Iterator[Metric]:
        sources = self._sources
        yield from self._objects()
        yield from self._work(leading=sources.leading())
        yield from self._rules()
        yield _metric(WATCHES, {(KINDS[plural],): age for plural, age in sources.watch_ages().items()})
        skew = sources.clock_skew_seconds()
        yield _metric(SKEW, {} if skew is None else {(): skew})
        events = sources.events
        yield _metric(RECORDS_LOST, {(): sources.audit.lost})
        yield _metric(EVENTS, {(): events.written})
        yield _metric(EVENTS_LOST, {("refused",): events.refused, ("dropped",): events.dropped})
        yield _metric(BUILD, {(version(OPERATOR),): 1})

    def _objects(self) -> Iterator[Metric]:
        now = self._sources.clock().timestamp()
        counted = list(self._sources.store.census.counted())
        yield _metric(OBJECTS, {(KINDS[found.plural], found.phase): found.objects for found in counted})
        yield _metric(RESTING, {(KINDS[found.plural], found.phase): max(0.0, now - found.oldest) for found in counted})

    def _work(self, *, leading: bool) -> Iterator[Metric]:
        queue, attempts = self._sources.queue, self._sources.attempts
        yield _metric(DEPTH, {(): len(queue) if leading else 0})
        yield _metric(AGE, {(): queue.age_seconds() if leading else 0.0})
        yield _metric(BUSY, {(): queue.busy_seconds() if leading else 0.0})
        yield _metric(RUNNING, {(): len(attempts)})
        yield _metric(OVERDUE, {(): attempts.overdue_seconds(self._sources.clock())})
        yield _metric(LEADER, {(self._sources.lease,): int(leading)})

    def _rules(self) -> Iterator[Metric]:
        specs = [policy.spec for policy in self._sources.declarations.policies.values()]
        modes = dict.fromkeys(MODES, 0)
        for spec in specs:
            modes[spec.mode.value if spec.mode else "none"] += 1
        yield _metric(POLICIES, {(mode,): count for mode, count in modes.items()})
        yield _metric(HALTED, {(): sum(1 for spec in specs if spec.halt)})
        proven = self._sources.declarations.enforcement.since is not None
        yield _metric(PROVEN, {(): int(proven)} if self._sources.leading() else {})


def _metric(family: Family, values: Values) -> Metric:
    """With values by their labels."""
    made = CounterMetricFamily if family.type == "counter" else GaugeMetricFamily
    metric = made(PREFIX + family.name, family.meaning, labels=family.labels)
    for labels, value in values.items():
        metric.add_metric(labels, value)
    return metric
