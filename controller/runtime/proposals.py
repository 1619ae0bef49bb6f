"""Carries out decisions about proposals: gather, write, act."""

from collections.abc import Callable

from controller.api.common import HistoryEntry
from controller.api.names import Transition
from controller.api.proposal import ActionProposal, Attempt, ProposalStatus
from controller.api.workflow import ActionWorkflow
from controller.core.answers import answer_given
from controller.core.attempt_report import Effect, Stop
from controller.core.checks import named
from controller.core.decision import Act, Decision, Gather
from controller.core.errors import PermanentFailure
from controller.core.lifecycle import UNKNOWN_ACTOR
from controller.core.limits import Line
from controller.core.operation import operation_time
from controller.core.ports import Json, Operation, Target
from controller.core.proposal import claim_refused, decide, recheck
from controller.core.view import Access, Chance, Findings, ProposalView
from controller.kube.api import Api
from controller.kube.resources import APPROVALS, PROPOSALS
from controller.runtime.access import AccessReviews
from controller.runtime.attempt_run import Assignment
from controller.runtime.attempts import AttemptRunner, Owner
from controller.runtime.clock import Clock
from controller.runtime.executors import Executors
from controller.runtime.outcome import Handled
from controller.runtime.previews import Previews
from controller.runtime.recorder import Recorder
from controller.runtime.store import Key
from controller.runtime.usage import LiveUsage
from controller.runtime.views import Views
from controller.runtime.votes import Votes

MAX_ROUNDS = 6


class ProposalReconciler:
    """One proposal at a time: from its stored form to the next thing that happens to it."""

    def __init__(
        self,
        *,
        api: Api,
        views: Views,
        votes: Votes,
        reviews: AccessReviews,
        recorder: Recorder,
        previews: Previews,
        attempts: AttemptRunner,
        executors: Executors,
        clock: Clock,
        chance: Callable[[], Chance],
        leading: Callable[[], bool],
        usage: LiveUsage,
    ) -> None:
        self._api = api
        self._views = views
        self._votes = votes
        self._reviews = reviews
        self._recorder = recorder
        self._previews = previews
        self._attempts = attempts
        self._executors = executors
        self._clock = clock
        self._chance = chance
        self._leading = leading
        self._usage = usage
        self._targets: dict[Owner, Target] = {}
        self._unstarted: dict[Owner, set[str]] = {}
        """Attempts that this process claimed, or may have claimed, and did not start yet."""
        self._deleted: dict[Owner, Json] = {}

    async def reconcile(self, key: Key, raw: Json) -> Handled:
        """Decides and carries it out. Raises the errors of our own status writes."""
        owner = Owner(key, raw["metadata"]["uid"])
        self._drop_stale_report(owner, raw)
        line: Line | None = None
        under_way = bool((raw.get("status") or {}).get("attempts"))
        try:
            view, decision = await self._decide(owner, raw)
            # Nothing may be awaited between the decision and this: whoever decides next must see the place taken.
            if decision.act and decision.status:
                self._usage.claiming(view, decision.act.attempt)
            else:
                self._usage.unsure(owner.uid)
            if decision.status and decision.status.completed_at:
                self._usage.ending(owner.uid, decision.status.completed_at)
            line = decision.line
        finally:
            self._usage.decided(key, line, under_way=under_way)
        if decision.stop:
            self._attempts.stop(owner, decision.stop)
        try:
            stored = await self._write(owner, raw, view, decision)
        except _ClaimRefusedError as error:
            return await self._refused(raw, view, str(error))
        if decision.act:
            await self._act(owner, stored, decision.act)
        return Handled(stored, decision.wake_at, again=self._attempts.report(owner) is not None)

    def finished(self, owner: Owner) -> None:
        """The object has its outcome: nothing more will be asked about it."""
        self._targets.pop(owner, None)
        self._unstarted.pop(owner, None)
        self._attempts.forget(owner)
        self._votes.forget(owner.uid)

    def is_running(self, owner: Owner) -> bool:
        """Whether an attempt of it runs here."""
        return self._attempts.is_running(owner)

    def gone(self, owner: Owner, last: Json) -> None:
        """The object was deleted: its attempt is asked to stop, and audit log and Events keep what is known."""
        self._targets.pop(owner, None)
        self._unstarted.pop(owner, None)
        if self._attempts.is_running(owner):
            self._deleted[owner] = last
            self._attempts.stop(owner, Stop.CANCELLED)
            message = "deleted while an attempt was running; the attempt is asked to stop"
            self._tell_last(last, Transition.CANCELLED, message)
            return
        self._tell_last(last, Transition.DELETED, "deleted")
        if self._attempts.report(owner):
            self._deleted[owner] = last
            self.told_late(owner)

    def told_late(self, owner: Owner) -> bool:
        """If the proposal was deleted during its attempt: tells what the attempt came to."""
        last = self._deleted.pop(owner, None)
        report = self._attempts.report(owner)
        if last is None or report is None:
            return False
        self._attempts.forget(owner)
        unclear = report.effect is Effect.UNCLEAR
        reason = Transition.OUTCOME_UNKNOWN if unclear else Transition.INTERRUPTED
        message = f"after the proposal was deleted, its attempt ended; effect: {report.effect.value}; {report.message}"
        self._tell_last(last, reason, message, ahead=2)
        return True

    def _tell_last(self, last: Json, reason: Transition, message: str, ahead: int = 1) -> None:
        history = ActionProposal.model_validate(last).status.history
        n = (history[-1].n if history else 0) + ahead
        entry = HistoryEntry(n=n, at=self._clock(), reason=reason, actor=UNKNOWN_ACTOR, message=message)
        self._recorder.tell_only(last, entry, last.get("status") or {})

    def _view(
        self, owner: Owner, raw: Json, findings: Findings | None = None, access: Access | None = None
    ) -> ProposalView:
        attempts = (raw.get("status") or {}).get("attempts") or ()
        newest = attempts[-1]["id"] if attempts else None
        return self._views.proposal(
            raw,
            findings=findings,
            access=access,
            running=self._attempts.running(owner, newest),
            unstarted=newest in self._unstarted.get(owner, ()),
            report=self._attempts.report(owner),
            progress=self._attempts.progress(owner),
        )

    async def _decide(self, owner: Owner, raw: Json) -> tuple[ProposalView, Decision[ProposalStatus]]:
        findings: Findings | None = None
        access: Access | None = None
        chance = self._chance()
        for _ in range(MAX_ROUNDS):
            view = self._view(owner, raw, findings, access)
            decision = decide(view, self._clock(), chance)
            match decision.gather:
                case Gather.USAGE:
                    await self._usage.gather(view)
                case Gather.PREVIEW:
                    findings = await self._previews.of_proposal(view)
                    if findings.preview and findings.preview.target:
                        self._targets[owner] = findings.preview.target
                case Gather.ACCESS:
                    access = await self._reviews.of_proposal(view)
                case _:
                    return view, decision
        raise RuntimeError(f"the decision about {owner.key} asks for the same again and again")

    def _drop_stale_report(self, owner: Owner, raw: Json) -> None:
        """A report of an attempt that is not open any more was recorded, though we never heard so."""
        report = self._attempts.report(owner)
        attempts = (raw.get("status") or {}).get("attempts")
        newest = attempts[-1] if attempts else {}
        if report and (newest.get("result") or newest.get("id") != report.attempt_id):
            self._attempts.forget(owner)

    async def _write(self, owner: Owner, raw: Json, view: ProposalView, decision: Decision[ProposalStatus]) -> Json:
        """The object as stored. Raises _ClaimRefusedError, and the errors of our own status writes."""
        old = view.proposal.status
        if decision.status is None:
            return raw
        claimed = decision.act.attempt.id if decision.act else None
        if claimed is not None:
            self._unstarted.setdefault(owner, set()).add(claimed)  # also if the answer is lost and it lands later
        try:
            stored = await self._recorder.write(PROPOSALS, raw, old, decision.status, self._targets.get(owner))
        except PermanentFailure as error:
            if claimed is None:
                raise
            self._usage.not_claimed(owner.uid)
            self._unstarted.pop(owner, None)
            raise _ClaimRefusedError(str(error)) from error
        if view.report is not None and view.open_attempt and view.report.attempt_id == view.open_attempt.id:
            self._attempts.forget(owner)
        return stored

    async def _refused(self, raw: Json, view: ProposalView, message: str) -> Handled:
        blocked = claim_refused(view, message, self._clock())
        if blocked.status is None:
            return Handled(raw, blocked.wake_at)
        stored = await self._recorder.write(PROPOSALS, raw, view.proposal.status, blocked.status)
        return Handled(stored, blocked.wake_at)

    async def _act(self, owner: Owner, raw: Json, act: Act) -> None:
        """Starts the attempt, if the object in the claim's answer still allows it (step 2 of the attempt protocol)."""
        if act.work.starts_effect:
            await self._read_votes(owner, raw)
        if not self._leading():
            return  # the next leader, perhaps this process again, finds the claim
        self._unstarted.pop(owner, None)
        view = self._view(owner, raw)
        if act.work.starts_effect:
            stop = recheck(view, act.attempt, self._clock())
            if stop is not None:
                self._attempts.not_started(owner, act.attempt, stop)
                return
        self._attempts.start(owner, self._assignment(view, act))

    async def _read_votes(self, owner: Owner, raw: Json) -> None:
        """All votes as they are now, not as a watch has told: a rejection must not be overtaken by the effect.

        For what needed approval, by itself or with its workflow.
        """
        view = self._view(owner, raw)
        subjects: list[ActionProposal | ActionWorkflow] = [view.proposal, *([view.parent] if view.parent else [])]
        for subject in subjects:
            if subject.status.approval:
                uid = subject.metadata.uid
                about = f"spec.subject.uid={uid}"
                found = await self._api.list(APPROVALS, namespace=owner.key.namespace, field_selector=about)
                self._votes.replace(uid, found.items)

    def _assignment(self, view: ProposalView, act: Act) -> Assignment:
        if view.type is None:
            raise RuntimeError("an attempt is to start whose action type is gone")
        attempt: Attempt = act.attempt
        ready = self._executors.ready(
            view.type,
            view.proposal.spec.parameters,
            about=view.proposal.metadata,
            runner=view.runner,
            policy=view.policy,
            answer=answer_given(view.proposal.status.approvals),
        )
        return Assignment(
            work=act.work,
            attempt=attempt,
            operation=Operation(attempt.operation, operation_time(attempt.operation), attempt.deadline),
            executor=ready.executor,
            request=ready.request,
            journal=ready.journal,
            preconditions=named("preconditions", view.proposal.spec.preconditions),
            verify=named("verify", view.proposal.spec.verify),
        )


class _ClaimRefusedError(Exception):
    """Admission refused the claim."""
