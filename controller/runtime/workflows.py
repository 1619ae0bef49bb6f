"""Carries out decisions about workflows: gather, create the steps' proposals, write."""

from collections import defaultdict

from controller.api.workflow import ActionWorkflow, WorkflowStatus
from controller.core.decision import Decision, Gather, NewStep
from controller.core.errors import Conflict, NotFound
from controller.core.ports import Json
from controller.core.steps import recorded
from controller.core.view import Access, Child, Earlier, Findings, WorkflowView
from controller.core.workflow import decide
from controller.kube.api import Api
from controller.kube.resources import PROPOSALS, WORKFLOWS
from controller.runtime.access import AccessReviews
from controller.runtime.clock import Clock
from controller.runtime.outcome import Handled
from controller.runtime.previews import Previews
from controller.runtime.queue import DelayQueue
from controller.runtime.recorder import Recorder
from controller.runtime.store import Key, Store
from controller.runtime.views import Views, child

MAX_ROUNDS = 30


class WorkflowReconciler:
    """One workflow at a time: from its stored form to the next thing that happens to it."""

    def __init__(
        self,
        *,
        api: Api,
        views: Views,
        store: Store,
        queue: DelayQueue[Key],
        recorder: Recorder,
        previews: Previews,
        reviews: AccessReviews,
        clock: Clock,
    ) -> None:
        self._api = api
        self._views = views
        self._store = store
        self._queue = queue
        self._recorder = recorder
        self._previews = previews
        self._reviews = reviews
        self._clock = clock
        self._ended: defaultdict[Key, dict[str, Json]] = defaultdict(dict)
        """Finished steps' proposals by workflow and name, kept until it has noted their end."""

    def step_ended(self, workflow: Key, raw: Json) -> None:
        """A step's proposal finished: it left the store, but its workflow still needs to see how it ended."""
        self._ended[workflow][raw["metadata"]["name"]] = raw

    def finished(self, key: Key) -> None:
        """The workflow has its outcome, or was deleted: nothing more will be asked about its steps."""
        self._ended.pop(key, None)

    async def reconcile(self, key: Key, raw: Json) -> Handled:
        """Decides and carries it out. Raises the errors of our own writes."""
        view, decision = await self._decide(key, raw)
        if decision.status is None:
            return Handled(raw, decision.wake_at)
        stored = await self._recorder.write(WORKFLOWS, raw, view.workflow.status, decision.status)
        for name, ended in recorded(stored["status"]):
            if ended:
                self._ended.get(key, {}).pop(name, None)
        return Handled(stored, decision.wake_at)

    async def _decide(self, key: Key, raw: Json) -> tuple[WorkflowView, Decision[WorkflowStatus]]:
        ended = self._ended.get(key, {})
        read: dict[str, Child] = {
            name: child(ended[name]) for name, _ in recorded(raw.get("status") or {}) if name in ended
        }
        findings: dict[str, Findings] | None = None
        access: Access | None = None
        earlier: Earlier | None = None
        runbook = self._views.runbook(raw)  # one for all rounds: what was gathered is about this one
        for _ in range(MAX_ROUNDS):
            view = self._views.workflow(
                raw, read=read, findings=findings, access=access, earlier=earlier, runbook=runbook
            )
            decision = decide(view, self._clock())
            if decision.gather is Gather.PREVIEW:
                findings = await self._previews.of_workflow(view)
            elif decision.gather is Gather.ACCESS:
                access = await self._reviews.of_workflow(view)
            elif decision.gather is Gather.EARLIER:
                earlier = await self._earlier(view)
            elif decision.read:
                read |= {name: await self._read(key.namespace, name) for name in sorted(decision.read)}
            elif decision.create:
                read |= {step.name: await self._create(key.namespace, step) for step in decision.create}
            else:
                return view, decision
        raise RuntimeError(f"the decision about {key} asks for the same again and again")

    async def _earlier(self, view: WorkflowView) -> Earlier:
        retry_of = view.workflow.spec.retry_of
        if retry_of is None:
            return Earlier(None)
        try:
            raw = await self._api.get(WORKFLOWS, retry_of.name, namespace=view.workflow.metadata.namespace)
        except NotFound:
            return Earlier(None)
        return Earlier(ActionWorkflow.model_validate(raw))

    async def _create(self, namespace: str, step: NewStep) -> Child:
        """Creates the step's proposal, or finds the one that has its name."""
        try:
            stored = await self._api.create(PROPOSALS, step.body, namespace=namespace)
        except Conflict:
            return await self._read(namespace, step.name)
        key = self._store.put(PROPOSALS.plural, stored)
        if key:
            self._queue.add(key)  # what the watch tells of it is no news any more, also where no status ever names it
        return child(stored)

    async def _read(self, namespace: str, name: str) -> Child:
        try:
            return child(await self._api.get(PROPOSALS, name, namespace=namespace))
        except NotFound:
            return Child(None, {})
