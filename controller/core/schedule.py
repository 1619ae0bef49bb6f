"""The decision about a schedule: which run is due, whether it is made, left out, or waits for the one before. Pure.

Each run has one name, made of its time, so that making it is repeatable: it is created first and noted afterwards.
After a time when nobody looked only the last run that was missed is made up for.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from controller.api.base import API_VERSION
from controller.api.names import ConditionType, Outcome, Reason, Transition
from controller.api.schedule import ActionSchedule, ConcurrencyPolicy, ScheduleStatus, SkippedRun
from controller.core.actors import proven
from controller.core.cron import Cron, CronFault, cron
from controller.core.decision import NewStep
from controller.core.enforcement import Enforcement
from controller.core.ports import Json
from controller.core.shard import shard_of
from controller.core.status import bounded, note, with_conditions
from controller.core.validation import field_faults

SCHEDULE_KIND = "ActionSchedule"
SCHEDULE_LABEL = "actionoperator.dev/schedule"
SUSPENDED = "suspended"


@dataclass(frozen=True)
class ScheduleView:
    """A schedule and what bears on it."""

    schedule: ActionSchedule
    raw_spec: Json
    live: Sequence[str]
    """Names of its runs that are not finished."""
    enforcement: Enforcement
    actor: str
    """What the operator is called in histories."""
    made: Mapping[str, bool] = field(default_factory=dict)
    """By name, what there is now of the runs that this decision asked for: whether it is a run of this schedule."""


@dataclass(frozen=True)
class Turn:
    """The status to write, if any; a run to create first, after which it is decided again; when to look again."""

    status: ScheduleStatus | None = None
    create: NewStep | None = None
    wake_at: datetime | None = None


def decide(view: ScheduleView, now: datetime) -> Turn:
    """What to do about the schedule now. Deciding twice at one instant gives the same."""
    spec, about = view.schedule.spec, view.schedule.metadata
    if about.deletion_timestamp is not None:
        return Turn()
    if fault := _fault(view):
        reason, message = fault
        status = view.schedule.status.model_copy(update={"next_run_at": None, "replacing_at": None})
        return Turn(_settled(view, status, "False", reason, message, now))
    times = cron(spec.schedule, spec.time_zone)
    status = _in_force(view, now)
    if spec.suspend:
        status = status.model_copy(update={"next_run_at": None, "replacing_at": None})
        return Turn(_settled(view, status, "True", Reason.SUSPENDED, "suspended: nothing is run", now))
    due = times.latest(_settled_until(status), now)
    if due is None:
        return _waiting(view, times, status.model_copy(update={"replacing_at": None}), now)
    return _due(view, times, status, due, now)


def minute_of(run: str) -> datetime | None:
    """The time that the name of a run stands for."""
    number = run.rpartition("-")[2]
    return datetime.fromtimestamp(int(number) * 60, UTC) if number.isdecimal() and len(number) < 10 else None


def run_name(schedule: str, at: datetime) -> str:
    """`nightly-29404920`: of the schedule, and the minute since 1970."""
    return f"{schedule}-{int(at.timestamp()) // 60}"


def replacement(schedule: ActionSchedule, run: str) -> str | None:
    """The run for which this one is to be cancelled, if its schedule says so."""
    at, own = schedule.status.replacing_at, minute_of(run)
    return run_name(schedule.metadata.name, at) if at is not None and own is not None and own < at else None


def surplus(schedule: ActionSchedule, runs: Iterable[Json]) -> list[str]:
    """Names of the finished runs beyond what is kept, the oldest first."""
    spec = schedule.spec
    finished = [(raw["metadata"]["name"], raw["status"]["outcome"]) for raw in runs if _outcome(raw)]
    finished.sort(key=lambda run: str(minute_of(run[0]) or ""))
    good = [name for name, outcome in finished if outcome == Outcome.SUCCEEDED]
    other = [name for name, outcome in finished if outcome != Outcome.SUCCEEDED]
    return [*good[: -spec.successful_history_limit or None], *other[: -spec.failed_history_limit or None]]


def _outcome(raw: Json) -> str | None:
    return (raw.get("status") or {}).get("outcome")


def _fault(view: ScheduleView) -> tuple[Reason, str] | None:
    """Why nothing can be run."""
    spec, about = view.schedule.spec, view.schedule.metadata
    for unknown in field_faults(spec):
        return unknown.reason, unknown.message
    try:
        cron(spec.schedule, spec.time_zone)
    except CronFault as error:
        return Reason.INVALID_SCHEDULE, f"spec.{error.field}: {error}"
    enforced = view.enforcement.since is not None
    if enforced and (spec.requested_by is None or not proven(about, view.enforcement)):
        # Its runs are made by the operator: nobody would ask whether whoever is named here may ask for them.
        return Reason.IDENTITY_NOT_ENFORCED, (
            "nothing is run, because nothing proves whose schedule this is: it was made before the admission policies "
            "that prove who asks were in force; make it again (kubectl replace --force)"
        )
    return None


def _in_force(view: ScheduleView, now: datetime) -> ScheduleStatus:
    """The status with the rule as it is now. A rule that is new counts from now on; the first, from the beginning."""
    spec, status = view.schedule.spec, view.schedule.status
    rule = SUSPENDED if spec.suspend else f"{spec.schedule} {spec.time_zone}"
    if status.rule == rule:
        return status
    created = view.schedule.metadata.creation_timestamp or now
    return status.model_copy(update={"rule": rule, "counts_from": now if status.rule else created})


def _settled_until(status: ScheduleStatus) -> datetime:
    """All times up to then were seen to, or are from before this rule."""
    assert status.counts_from is not None  # noqa: S101  every rule in force has it
    skipped = status.skipped.at if status.skipped else status.counts_from
    return max(status.counts_from, status.last_run_at or status.counts_from, skipped)


def _waiting(view: ScheduleView, times: Cron, status: ScheduleStatus, now: datetime) -> Turn:
    following = times.next(now)
    status = status.model_copy(update={"next_run_at": following})
    message = "runs by itself" if following else "there is no further time that it names"
    return Turn(_settled(view, status, "True", Reason.VALID, message, now), wake_at=following)


def _due(view: ScheduleView, times: Cron, status: ScheduleStatus, due: datetime, now: datetime) -> Turn:
    spec = view.schedule.spec
    name = run_name(view.schedule.metadata.name, due)
    ends = due + timedelta(seconds=spec.starting_deadline_seconds) if spec.starting_deadline_seconds else None
    if name in view.made:
        status = status.model_copy(update={"replacing_at": None})
        if not view.made[name]:
            message = f"a workflow named {name} is there that was not made for this; delete or rename it"
            return _left_out(view, times, status, due, Reason.NAME_TAKEN, message, now)
        status = note(status, Transition.RUN_CREATED, f"run {name}", actor=view.actor, at=now)
        update = {"last_run_at": due, "last_run": name}
        return _waiting(view, times, status.model_copy(update=update), now)
    if ends is not None and now > ends:
        message = f"not made within startingDeadlineSeconds ({spec.starting_deadline_seconds} s)"
        if status.replacing_at:
            message += ": the run before had not ended by then"
        return _left_out(view, times, status, due, Reason.RUN_MISSED, message, now)
    before = [run for run in view.live if run != name]
    if before and spec.concurrency_policy is ConcurrencyPolicy.FORBID:
        return _left_out(view, times, status, due, Reason.RUN_FORBIDDEN, f"{before[0]} is not finished", now)
    if before and spec.concurrency_policy is ConcurrencyPolicy.REPLACE:
        status = status.model_copy(update={"replacing_at": due})
        message = f"cancels {', '.join(before[:3])} and then runs {name}"
        following = times.next(now)
        status = _settled(
            view, status.model_copy(update={"next_run_at": following}), "True", Reason.VALID, message, now
        )
        late = ends + timedelta(seconds=1) if ends else None
        return Turn(status, wake_at=min(filter(None, (following, late)), default=None))
    return Turn(create=NewStep(name, _body(view, name)))


def _left_out(
    view: ScheduleView, times: Cron, status: ScheduleStatus, due: datetime, reason: Reason, message: str, now: datetime
) -> Turn:
    told = f"no run for {due:%Y-%m-%d %H:%M} UTC: {message}"
    status = note(status, Transition.RUN_SKIPPED, told, actor=view.actor, at=now)
    skipped = SkippedRun(at=due, reason=reason, message=bounded(message))
    return _waiting(view, times, status.model_copy(update={"skipped": skipped, "replacing_at": None}), now)


def _settled(
    view: ScheduleView, status: ScheduleStatus, ready: str, reason: Reason, message: str, now: datetime
) -> ScheduleStatus:
    generation = view.schedule.metadata.generation
    status = status.model_copy(update={"observed_generation": generation, "message": bounded(message)})
    stalled = None if ready == "True" else "True"  # to kstatus, not Ready alone would mean that it is on its way
    wanted = [(ConditionType.READY, ready, reason, message), (ConditionType.STALLED, stalled, reason, message)]
    return with_conditions(status, wanted, generation=generation, now=now)


def _body(view: ScheduleView, name: str) -> Json:
    """The run, made only of what the schedule says, so that every try makes the same."""
    about = view.schedule.metadata
    spec = dict(view.raw_spec["workflow"])
    if "requestedBy" in view.raw_spec:
        spec["requestedBy"] = view.raw_spec["requestedBy"]
    owner = {"apiVersion": API_VERSION, "kind": SCHEDULE_KIND, "name": about.name, "uid": about.uid,
             "controller": True, "blockOwnerDeletion": False}  # fmt: skip
    return {
        "apiVersion": API_VERSION,
        "kind": "ActionWorkflow",
        "metadata": {
            "name": name,
            "namespace": about.namespace,
            "labels": {SCHEDULE_LABEL: about.name, **shard_of(about.labels)},
            "ownerReferences": [owner],
        },
        "spec": spec,
    }
