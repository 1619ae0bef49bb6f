"""Carries out decisions about schedules: create the run, write, delete finished runs beyond what is kept."""

from collections.abc import Iterable

from controller.api.schedule import ActionSchedule
from controller.core.decision import NewStep
from controller.core.errors import Conflict, NotFound
from controller.core.ports import Json
from controller.core.schedule import SCHEDULE_KIND, SCHEDULE_LABEL, ScheduleView, decide, surplus
from controller.core.settings import Settings
from controller.kube.api import Api
from controller.kube.resources import SCHEDULES, WORKFLOWS
from controller.runtime.clock import Clock
from controller.runtime.declarations import Declarations
from controller.runtime.outcome import Handled
from controller.runtime.reaper import tracked
from controller.runtime.recorder import Recorder
from controller.runtime.store import Key, Store

MAX_ROUNDS = 3


class ScheduleReconciler:
    """One schedule at a time: from its stored form to the next run."""

    def __init__(
        self,
        *,
        api: Api,
        store: Store,
        declarations: Declarations,
        recorder: Recorder,
        settings: Settings,
        clock: Clock,
    ) -> None:
        self._api = api
        self._store = store
        self._declarations = declarations
        self._recorder = recorder
        self._settings = settings
        self._clock = clock
        self._tidy: set[Key] = set()
        """Schedules of which no run has ended since their finished runs were last looked through."""

    def run_ended(self, key: Key) -> None:
        """A run of the schedule is finished, so there may be more than are kept."""
        self._tidy.discard(key)

    def gone(self, key: Key) -> None:
        """The schedule was deleted; Kubernetes deletes its runs."""
        self._tidy.discard(key)

    async def reconcile(self, key: Key, raw: Json) -> Handled:
        """Decides and carries it out. Raises the errors of our own writes."""
        schedule = ActionSchedule.model_validate(raw)
        made: dict[str, bool] = {}
        for _ in range(MAX_ROUNDS):
            view = ScheduleView(
                schedule=schedule,
                raw_spec=raw["spec"],
                live=[run.name for run in live_runs(self._store, key, schedule.metadata.uid)],
                enforcement=self._declarations.enforcement,
                actor=self._settings.actor,
                made=made,
            )
            turn = decide(view, self._clock())
            if turn.create is None:
                break
            made[turn.create.name] = await self._create(key, schedule.metadata.uid, turn.create)
        else:
            raise RuntimeError(f"the decision about {key} asks for the same again and again")
        stored = raw
        if turn.status is not None:
            stored = await self._recorder.write(SCHEDULES, raw, schedule.status, turn.status)
        if key not in self._tidy:
            await self._delete_surplus(key, schedule)
            self._tidy.add(key)
        return Handled(stored, turn.wake_at)

    async def _create(self, key: Key, uid: str, run: NewStep) -> bool:
        """Creates the run; whether what has its name now is a run of this schedule."""
        try:
            stored = await self._api.create(WORKFLOWS, run.body, namespace=key.namespace)
        except Conflict:
            try:
                stored = await self._api.get(WORKFLOWS, run.name, namespace=key.namespace)
            except NotFound:
                return False
        if not owned_by(stored, uid):
            return False
        if not (stored.get("status") or {}).get("outcome"):
            self._store.put(WORKFLOWS.plural, stored)
        return True

    async def _delete_surplus(self, key: Key, schedule: ActionSchedule) -> None:
        selector = f"{SCHEDULE_LABEL}={key.name}"
        runs: dict[str, Json] = {}
        async for page in self._api.pages(WORKFLOWS, namespace=key.namespace, label_selector=selector):
            runs |= {raw["metadata"]["name"]: raw for raw in page.items if owned_by(raw, schedule.metadata.uid)}
        for name in surplus(schedule, runs.values()):
            if tracked(runs[name]["metadata"]):
                continue
            try:
                await self._api.delete(WORKFLOWS, name, namespace=key.namespace, uid=runs[name]["metadata"]["uid"])
            except NotFound:
                continue


def owned_by(raw: Json, uid: str) -> bool:
    """Whether a workflow is a run of the schedule of that uid."""
    return any(
        owner.get("kind") == SCHEDULE_KIND and owner.get("controller") and owner.get("uid") == uid
        for owner in raw["metadata"].get("ownerReferences") or ()
    )


def live_runs(store: Store, schedule: Key, uid: str) -> Iterable[Key]:
    """The runs of a schedule that are not finished, as far as is known."""
    for key in store.keys(WORKFLOWS.plural):
        if key.namespace == schedule.namespace and key.name.startswith(f"{schedule.name}-"):
            raw = store.get(key)
            if raw is not None and owned_by(raw, uid):
                yield key


def schedule_key(raw: Json) -> Key | None:
    """The schedule whose run a workflow says it is."""
    for owner in raw["metadata"].get("ownerReferences") or ():
        if owner.get("kind") == SCHEDULE_KIND and owner.get("controller"):
            return Key(SCHEDULES.plural, raw["metadata"].get("namespace") or "", owner["name"])
    return None
