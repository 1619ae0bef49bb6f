"""Takes objects in from watches, lists and our own writes, and says which keys are due because of them.

A watch's DELETED is only a doubt: the object may have finished (it left the selector) or be gone. Who takes the key
reads it again before anything is decided.
"""

from collections.abc import Callable
from contextlib import suppress

from pydantic import ValidationError

from controller.core.ports import Json
from controller.core.shard import Shard
from controller.core.steps import recorded
from controller.kube.resources import (
    APPROVALS,
    DECLARED,
    NAMESPACES,
    POLICIES,
    PROPOSALS,
    RUNBOOKS,
    SCHEDULES,
    TYPES,
    WORKED,
    WORKFLOWS,
)
from controller.runtime.attempts import Owner
from controller.runtime.declarations import Declarations, Place, place_of
from controller.runtime.proposals import ProposalReconciler
from controller.runtime.queue import DelayQueue
from controller.runtime.reaper import Reaper
from controller.runtime.recorder import Recorder
from controller.runtime.schedules import ScheduleReconciler, live_runs, schedule_key
from controller.runtime.store import Key, Store
from controller.runtime.usage import LiveUsage
from controller.runtime.views import owner_key
from controller.runtime.votes import Votes
from controller.runtime.workflows import WorkflowReconciler

_WORKED = frozenset(resource.plural for resource in WORKED)
_DECLARED_KINDS = {resource.plural: resource.kind for resource in DECLARED}


class Intake:
    """The one way by which objects come to be known, change, finish and vanish."""

    def __init__(
        self,
        *,
        store: Store,
        votes: Votes,
        queue: DelayQueue[Key],
        declarations: Declarations,
        proposals: ProposalReconciler,
        workflows: WorkflowReconciler,
        schedules: ScheduleReconciler,
        reaper: Reaper,
        recorder: Recorder,
        leading: Callable[[], bool],
        usage: LiveUsage,
        shard: Shard,
    ) -> None:
        self._store = store
        self._votes = votes
        self._queue = queue
        self._declarations = declarations
        self._proposals = proposals
        self._workflows = workflows
        self._schedules = schedules
        self._reaper = reaper
        self._recorder = recorder
        self._leading = leading
        self._usage = usage
        self._shard = shard
        self._doubted: set[Key] = set()

    def observe(self, plural: str, event: str | None, raw: Json) -> None:
        """What a watch delivers; `event` is its type, None for what an initial list found."""
        if plural == APPROVALS.plural:
            subject = self._votes.remove(raw) if event == "DELETED" else self._votes.put(raw)
            if subject is not None and self._store.version(subject):
                self._queue.add(subject)
                self._enqueue_steps(subject)
        elif plural not in _WORKED:
            if self._declare(plural, event == "DELETED", raw):
                self._enqueue_bearers(plural, place_of(raw))
        elif event != "DELETED":
            self.take_in(plural, raw)
        elif (known := self._store.version(key := key_of(plural, raw))) and known[0] == raw["metadata"]["uid"]:
            if self._leading():
                self.doubt(key)
            else:
                self._left_to_another(key, known[0])

    def approvals_listed(self) -> None:
        """All votes that are stored have been told, so those about what is finished can be let go."""
        self._votes.sweep(self._store.uids())

    def declared(self, plural: str) -> set[Place]:
        """Where the known objects of a declared kind are."""
        return self._declarations.places(_DECLARED_KINDS[plural])

    def vanished(self, plural: str, places: set[Place]) -> None:
        """A whole list of a declared kind has these no more: they are gone, though no watch said so."""
        for place in places:
            self.observe(plural, "DELETED", {"metadata": place._asdict()})

    def take_in(self, plural: str, raw: Json) -> None:
        """Keeps a live object and queues what it bears on; lets go of a finished one, and of one of another shard."""
        key = key_of(plural, raw)
        if not self._shard.fits(raw["metadata"].get("labels")):
            self.gone(key)
            return
        known = self._store.version(key)
        if known and known[0] != raw["metadata"]["uid"]:
            if known[1] > int(raw["metadata"]["resourceVersion"]):
                return
            self.gone(key)
        self._recorder.catch_up(raw)
        if (raw.get("status") or {}).get("outcome"):
            self._finished(key, raw)
        elif self._store.put(plural, raw):
            self._count(plural, raw)
            self._queue.add(key)
            self._enqueue_related(key, raw)

    def written(self, key: Key, raw: Json) -> None:
        """Keeps what our own write answered; the key itself is not due because of it."""
        if (raw.get("status") or {}).get("outcome"):
            self._finished(key, raw)
        else:
            if self._store.put(key.plural, raw):
                self._count(key.plural, raw)
            self._enqueue_related(key, raw)

    def attempt_ended(self, owner: Owner) -> None:
        """An attempt has a report: its proposal is due, unless that is gone."""
        if self._proposals.told_late(owner):
            self._usage.gone(owner.key, owner.uid)
        else:
            self._queue.add(owner.key)

    def doubt(self, key: Key) -> None:
        """The object may be finished, changed or gone: to be read before anything is decided about it."""
        self._doubted.add(key)
        self._queue.add(key)

    def still_doubted(self, key: Key) -> None:
        """The object could not be read: the doubt stays, and when to try again is for who tried to say."""
        self._doubted.add(key)

    def doubted(self, key: Key) -> bool:
        return key in self._doubted

    def settled(self, key: Key) -> None:
        """The object was read again."""
        self._doubted.discard(key)

    def gone(self, key: Key) -> None:
        """The object does not exist any more."""
        self._doubted.discard(key)
        last = self._store.remove(key)
        self._queue.forget(key)
        if last is None:
            return
        if key.plural == SCHEDULES.plural:
            self._schedules.gone(key)
            return
        if key.plural == WORKFLOWS.plural:
            self._votes.forget(last["metadata"]["uid"])
            self._workflows.finished(key)
            self._run_ended(last)
            return
        gone = Owner(key, last["metadata"]["uid"])
        with suppress(ValidationError):
            self._proposals.gone(gone, last)
        if not self._proposals.is_running(gone):
            self._usage.gone(key, gone.uid)
        owner = owner_key(last)
        if owner:
            self._queue.add(owner)

    def enqueue_living(self, namespace: str | None = None) -> None:
        """All live objects, or those of a namespace, are due."""
        for plural in _WORKED:
            for key in self._store.keys(plural):
                if namespace is None or key.namespace == namespace:
                    self._queue.add(key)

    def _enqueue_bearers(self, plural: str, place: Place) -> None:
        """What a changed declaration bears on is due."""
        if plural == RUNBOOKS.plural:
            self._enqueue_runs(place)
            return
        self.enqueue_living(place.name if plural == NAMESPACES.plural else None)
        if plural in (TYPES.plural, POLICIES.plural):
            for runbook in self._declarations.runbooks:
                self._queue.add(Key(RUNBOOKS.plural, *runbook))

    def _enqueue_runs(self, runbook: Place) -> None:
        """The workflows that name the runbook and have not pinned it yet are due."""
        for key in self._store.keys(WORKFLOWS.plural):
            raw = self._store.get(key) if key.namespace == runbook.namespace else None
            named = (raw or {}).get("spec", {}).get("runbookRef") or {}
            if raw and named.get("name") == runbook.name and not (raw.get("status") or {}).get("runbook"):
                self._queue.add(key)

    def _finished(self, key: Key, raw: Json) -> None:
        self._store.finish(key, raw)
        self._queue.forget(key)
        if key.plural == PROPOSALS.plural:
            self._proposals.finished(Owner(key, raw["metadata"]["uid"]))
            self._usage.finished(key, raw)
        else:
            self._votes.forget(raw["metadata"]["uid"])
            self._workflows.finished(key)
            self._run_ended(raw)
        self._reaper.finished(key.plural, raw)
        owner = owner_key(raw) if key.plural == PROPOSALS.plural else None
        if owner and self._store.version(owner):
            self._workflows.step_ended(owner, raw)
            self._queue.add(owner)

    def _run_ended(self, workflow: Json) -> None:
        """The schedule whose run it was is due: another may have waited for its end."""
        schedule = schedule_key(workflow)
        if schedule and self._store.version(schedule):
            self._schedules.run_ended(schedule)
            self._queue.add(schedule)

    def _left_to_another(self, key: Key, uid: str) -> None:
        """It has ended or is gone, and another process leads: whoever takes over lists everything again."""
        last = self._store.remove(key)
        self._doubted.discard(key)
        self._queue.drop(key)
        self._usage.gone(key, uid)
        if key.plural == PROPOSALS.plural:
            self._proposals.finished(Owner(key, uid))
        elif key.plural == SCHEDULES.plural:
            self._schedules.gone(key)
        elif last is not None:
            self._votes.forget(uid)
            self._workflows.finished(key)
            self._run_ended(last)

    def _count(self, plural: str, raw: Json) -> None:
        if plural == PROPOSALS.plural:
            self._usage.seen(raw)

    def _declare(self, plural: str, deleted: bool, raw: Json) -> bool:
        declarations, place = self._declarations, place_of(raw)
        name = place.name
        if plural == NAMESPACES.plural:
            return declarations.remove_namespace(name) if deleted else declarations.put_namespace(raw)
        self._queue.add(Key(plural, *place))
        if plural == RUNBOOKS.plural:
            return declarations.remove_runbook(place) if deleted else declarations.put_runbook(raw)
        if plural == TYPES.plural:
            return declarations.remove_type(name) if deleted else declarations.put_type(raw)
        return declarations.remove_policy(name) if deleted else declarations.put_policy(raw)

    def _enqueue_related(self, key: Key, raw: Json) -> None:
        """A workflow bears on its steps; a step that retries, on its workflow; a schedule on its runs."""
        status = raw.get("status") or {}
        if key.plural == SCHEDULES.plural:
            for run in live_runs(self._store, key, raw["metadata"]["uid"]):
                self._queue.add(run)
            return
        if key.plural == WORKFLOWS.plural:
            self._enqueue_steps(key)
        elif status.get("retryCount") and (owner := owner_key(raw)):
            self._queue.add(owner)

    def _enqueue_steps(self, key: Key) -> None:
        """The proposals of a workflow's steps that have not ended are due."""
        raw = self._store.get(key) if key.plural == WORKFLOWS.plural else None
        for name, ended in recorded((raw or {}).get("status") or {}):
            step = Key(PROPOSALS.plural, key.namespace, name)
            if not ended and self._store.version(step):
                self._queue.add(step)


def key_of(plural: str, raw: Json) -> Key:
    metadata = raw["metadata"]
    return Key(plural, metadata.get("namespace") or "", metadata["name"])
