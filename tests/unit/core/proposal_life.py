"""A proposal's life for tests, without clock or server: decisions are carried out, the world does what a test says.

It keeps beside the status what really became of each operation, and checks the promises at every step.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from unit.core.making import NOW, SCALE, SEEN, SETTINGS, SHIPPED_TYPES, UID, view, workflow

from controller.api.names import Outcome, Phase, StepOutcome
from controller.api.proposal import Attempt, ProposalStatus
from controller.api.workflow import ActionWorkflow
from controller.core.attempt_report import Effect, Report, Stop
from controller.core.backoff import MAX_RETRY_AFTER_SECONDS, backoff_seconds
from controller.core.decision import Decision, Gather, Work
from controller.core.ports import Done, Json
from controller.core.proposal import decide, recheck
from controller.core.view import Chance, Findings, ProposalView
from controller.core.world import TypeEntry

MOST_ROUNDS = 12


@dataclass
class Running:
    """The attempt that this process runs."""

    attempt: Attempt
    work: Work
    stop: Stop | None = None


@dataclass
class Life:
    """`go()` is what a worker does with the key: decide, write, act, until nothing follows at once."""

    spec: Json = field(default_factory=lambda: dict(SCALE))
    policies: Sequence[Json] = ({"mode": "Execute"},)
    types: Sequence[TypeEntry] = SHIPPED_TYPES
    findings: Findings = SEEN
    of_workflow: bool = False
    parent_spec: Json = field(default_factory=dict)
    now: datetime = NOW
    created: datetime = NOW
    jitter: float = 0.5
    status: ProposalStatus = field(default_factory=ProposalStatus)
    running: Running | None = None
    report: Report | None = None
    unstarted: str | None = None
    processes: int = 1
    claims: int = 0
    last: Decision[ProposalStatus] = field(default_factory=Decision)
    unsettled: set[str] = field(default_factory=set)
    """Operations that may have taken effect, and nobody knows."""
    known_done: set[str] = field(default_factory=set)
    failed: set[str] = field(default_factory=set)

    @property
    def open(self) -> Attempt | None:
        last = self.status.attempts[-1] if self.status.attempts else None
        return last if last and last.result is None else None

    def view(self, findings: Findings | None = None) -> ProposalView:
        return view(
            self.spec,
            self.status,
            policies=self.policies,
            types=self.types,
            settings=replace(SETTINGS, owner=f"operator-{self.processes}"),
            created=self.created,
            metadata={"ownerReferences": [OWNER]} if self.of_workflow else {},
            parent=self._parent(),
            findings=findings,
            running=self.running is not None and self.open is not None and self.running.attempt.id == self.open.id,
            unstarted=self.open is not None and self.open.id == self.unstarted,
            report=self.report,
        )

    def _parent(self) -> ActionWorkflow | None:
        if not self.of_workflow:
            return None
        return workflow(self.parent_spec, {"steps": [{"name": "one", "proposal": "p", "uid": UID}]})[0]

    def decided(self) -> Decision[ProposalStatus]:
        """The decision with whatever it asks to be gathered."""
        chance = Chance(self.jitter, UUID(int=self.claims + 1, version=4))
        findings: Findings | None = None
        for _ in range(3):
            seen = self.view(findings)
            decision = decide(seen, self.now, chance)
            assert decision == decide(seen, self.now, chance), "deciding is not pure"
            if decision.gather is None:
                return decision
            assert decision.gather is Gather.PREVIEW
            assert findings is None, "it asks for the same again"
            findings = self.findings
        raise AssertionError("it asks for more and more")

    def go(self, fate: str = "stored") -> None:
        """`fate` of the first write: stored, lost (stored, but the answer is not seen) or refused (a conflict)."""
        for _ in range(MOST_ROUNDS):
            self.last = decision = self.decided()
            if decision.stop and self.running and self.running.stop is None:
                self.running.stop = decision.stop
            changed = decision.status is not None and decision.status.wire() != self.status.wire()
            if changed and fate == "refused":
                fate = "stored"
                continue
            if decision.status is not None and changed:
                self._store(decision.status)
                if fate == "lost":
                    self.unstarted = decision.act.attempt.id if decision.act else self.unstarted
                    fate = "stored"
                    continue
            if self.report and (self.open is None or self.open.id != self.report.attempt_id):
                self.report = None
            if decision.act:
                self.report = None  # of preconditions that are met
                self._act(decision)
            elif not changed:
                self._at_rest()
                return
        raise AssertionError("it never comes to rest")

    def _store(self, new: ProposalStatus) -> None:
        old, stored = self.status, ProposalStatus.model_validate(new.wire())
        assert old.outcome is None, "a final status was written again"
        numbers = [entry.n for entry in stored.history]
        assert numbers == [*range(numbers[0], numbers[-1] + 1)]
        assert stored.history[-1].n >= (old.history[-1].n if old.history else 0)
        assert (stored.retry_count or 0) - (old.retry_count or 0) in (0, 1)
        if old.digest and old.attempts:
            assert (stored.digest, stored.runner) == (old.digest, old.runner), "what was claimed under is pinned"
        if stored.next_retry_at and not old.next_retry_at:
            self._check_wait(stored)
        self.claims += len(stored.attempts) > 0 and (not old.attempts or stored.attempts[-1].id != old.attempts[-1].id)
        self.status = stored

    def _check_wait(self, stored: ProposalStatus) -> None:
        retry, count = self.view().retry_under_way, stored.retry_count or 0
        assert count <= retry.max_attempts
        least = backoff_seconds(retry, count - 1, 0)
        if self.report and self.report.retry_after_seconds is not None:
            most_asked = max(retry.max_wait_seconds, MAX_RETRY_AFTER_SECONDS)
            least = max(least, min(self.report.retry_after_seconds, most_asked))
        assert stored.next_retry_at is not None
        seconds = (stored.next_retry_at - self.now).total_seconds()
        spread = retry.jitter_fraction * min(least, retry.max_wait_seconds)
        assert least - 0.002 <= seconds <= least + spread + 0.002

    def _act(self, decision: Decision[ProposalStatus]) -> None:
        assert decision.act is not None
        attempt, work = decision.act.attempt, decision.act.work
        assert self.open == Attempt.model_validate(attempt.wire()), "it acts without its claim in status"
        assert attempt.owner == f"operator-{self.processes}"
        assert self.running is None, "two at once"
        self.unstarted = None
        stop = recheck(self.view(), attempt, self.now) if work.starts_effect else None
        if stop is not None:
            effect = Effect.DONE if attempt.done_at else Effect.NOT_DONE
            self.report = Report(attempt.id, effect, self.now, message="not started", stop=stop)
            return
        if work is Work.RUN:
            self._check_run(attempt)
        elif work is not Work.CHECK:
            assert work is not Work.VERIFY or attempt.operation in self.known_done
        self.running = Running(attempt, work)

    def _check_run(self, attempt: Attempt) -> None:
        assert attempt.operation not in self.known_done, "what is known to be done is done again"
        assert attempt.operation not in self.failed, "what is known to have failed is repeated under its old token"
        assert self.unsettled <= {attempt.operation}, "a lost answer is repeated under a new token"
        assert not self.known_done, "the action is done twice"
        assert attempt.idempotent or not self.unsettled, "what may be done at most once is done again"
        assert not any(policy.get("halt") for policy in self.policies)
        assert not self.spec.get("cancelled")
        assert not self.spec.get("suspend")
        assert self.now < attempt.deadline
        met = attempt.preconditions_met_at is not None
        assert met is bool(self.spec.get("preconditions")), "it starts without its preconditions"

    def _at_rest(self) -> None:
        if self.status.outcome is not None:
            self._check_end()
            return
        wake = self.last.wake_at
        if self.open is not None:
            assert self.running or self.report, "an attempt is open and nobody looks after it"
            assert wake is None
        elif self.status.conditions or wake:
            assert wake is not None, "it waits for nothing"
            assert wake > self.now, "it asks to be asked at once, again and again"
            assert self.status.phase is not Phase.RUNNING
        kinds = {condition.type for condition in self.status.conditions}
        assert not {"Reconciling", "Stalled"} <= kinds

    def _check_end(self) -> None:
        outcome = self.status.outcome
        assert outcome is not None
        assert StepOutcome(outcome.value)
        assert self.status.next_retry_at is None
        assert self.status.blocked is None
        assert (outcome is Outcome.UNKNOWN) is bool(self.unsettled), "Unknown if and only if nobody knows"
        if outcome in (Outcome.EXPIRED, Outcome.OBSERVED, Outcome.REJECTED):
            assert not self.status.attempts
        if outcome is Outcome.SUCCEEDED:
            assert self.status.attempts[-1].operation in self.known_done

    # What the world does.

    def answer(self, effect: Effect, **facts: Any) -> None:
        """The attempt under way has come to this."""
        assert self.running is not None
        attempt, operation = self.running.attempt, self.running.attempt.operation
        if attempt.done_at is not None and effect in (Effect.UNCLEAR, Effect.NOT_DONE):
            effect = Effect.DONE
        if effect is Effect.UNCLEAR:
            self.unsettled.add(operation)
        elif effect is Effect.DONE:
            self.known_done.add(operation)
            self.unsettled.discard(operation)
        elif effect is Effect.FAILED:
            self.failed.add(operation)
            self.known_done.discard(operation)
            self.unsettled.discard(operation)
        if facts.get("verified"):
            facts["done"] = Done("done")
        assert self.running.work is not Work.CHECK or effect is Effect.NOT_DONE, "looking changes nothing"
        self.report = Report(attempt.id, effect, self.now, message="so", **facts)
        self.running = None

    def change(self, **circumstances: Any) -> None:
        """People, policies, types and targets change; a cancelled object or workflow stays so."""
        for name, value in circumstances.items():
            if name == "parent_spec":
                cancelled = {"cancelled": True} if self.parent_spec.get("cancelled") else {}
                self.parent_spec = {**value, **cancelled}
            elif name in ("suspend", "cancelled"):
                self.spec[name] = value
            else:
                setattr(self, name, value)

    def crash(self) -> None:
        """The process is gone; another one takes over."""
        open_attempt = self.open
        waits = bool(self.spec.get("preconditions")) and open_attempt and open_attempt.preconditions_met_at is None
        if open_attempt and open_attempt.done_at is None and not waits:
            self.unsettled.add(open_attempt.operation)
            self.known_done.discard(open_attempt.operation)  # what nobody has written down, nobody knows
            self.failed.discard(open_attempt.operation)
        self.running, self.report, self.unstarted = None, None, None
        self.processes += 1

    def sleep(self, seconds: float) -> None:
        self.now += timedelta(milliseconds=round(seconds * 1000))


OWNER: Json = {
    "apiVersion": "actionoperator.dev/v1alpha1", "kind": "ActionWorkflow", "name": "roll-out", "controller": True,
    "uid": "0b1f3c9e-0000-4000-8000-0000000000ff",
}  # fmt: skip
