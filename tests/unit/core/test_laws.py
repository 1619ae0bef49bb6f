"""The laws of every proposal's life, tried on random ones: a final status never changes, deciding twice changes
nothing, nothing acts without a claim, at most once means once, and nothing hangs.

The laws themselves stand in `proposal_life`, which checks them at every step.
"""

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from unit.core.making import (
    EXECUTE,
    HALT,
    LOG,
    OBSERVE,
    POST,
    SCALE,
    SEEN,
    SHIPPED,
    SHIPPED_TYPES,
    after,
    fault,
    type_entry,
)
from unit.core.proposal_life import Life

from controller.api.base import rfc3339
from controller.api.names import Outcome
from controller.core.attempt_report import Effect, Stop
from controller.core.decision import Work
from controller.core.operation import operation_time
from controller.core.view import Findings

PUT: Any = {"action": "http-request", "parameters": {"method": "PUT", "url": "https://hooks.example.com/x"}}
JOB: Any = {"action": "run-job", "parameters": {"image": "alpine"}}
FEW = settings(max_examples=15, stateful_step_count=40, deadline=None, print_blob=True)

CHECK: Any = {"http": {"url": "https://hooks.example.com/ready"}, "expression": "json.ready"}

retries = st.fixed_dictionaries(
    {},
    optional={
        "maxAttempts": st.integers(1, 14),
        "minWaitSeconds": st.sampled_from([0, 0.5, 2]),
        "maxWaitSeconds": st.sampled_from([2, 30, 5000]),
        "retryOn": st.sampled_from(["Transient"] * 4 + ["Never"]),
    },
)
specs = st.fixed_dictionaries(
    {"retry": retries, "activeDeadlineSeconds": st.sampled_from([60, 86_400, 86_400, 10**7])},
    optional={
        "timeoutSeconds": st.sampled_from([1, 30, 4000]),
        "notBefore": st.sampled_from([rfc3339(after(-60))] * 3 + [rfc3339(after(30))]),
        "startingDeadlineSeconds": st.sampled_from([600, 10**6]),
        "mode": st.sampled_from(["Execute"] * 9 + ["DryRun"]),
        "preconditions": st.sampled_from([[CHECK], [CHECK, {**CHECK, "timeoutSeconds": 40}]]),
    },
)
ACTIONS: Any = {"scale": SCALE, "put": PUT, "post": POST, "job": JOB, "log": LOG}
WELL: Any = {"parent_spec": {}, "types": SHIPPED_TYPES, "findings": SEEN, "policies": [EXECUTE], "suspend": False}
CHANGES: Any = {
    "well": WELL,
    "halted": {"policies": [EXECUTE, HALT]},
    "halted, no leave": {"policies": [HALT]},
    "observed": {"policies": [OBSERVE]},
    "no policy": {"policies": []},
    "policy not carried out": {"policies": [EXECUTE, {"kinds": {}}]},
    "no types": {"types": ()},
    "types changed": {"types": tuple(type_entry(name, description="changed") for name in SHIPPED)},
    "all at most once": {"types": tuple(type_entry(name, idempotent=False) for name in SHIPPED)},
    "other retries": {"types": tuple(type_entry(n, defaults={"retry": {"maxWaitSeconds": 1}}) for n in SHIPPED)},
    "target missing": {"findings": fault()},
    "refused": {"findings": fault(missing=False, reason="PreviewRefused")},
    "no preview to be had": {"findings": Findings(unavailable="503")},
    "suspended": {"suspend": True},
    "workflow suspended": {"parent_spec": {"suspend": True}},
    "cancelled": {"cancelled": True},
    "workflow cancelled": {"parent_spec": {"cancelled": True}},
}
answers = st.sampled_from([Effect.NOT_DONE] * 3 + [Effect.UNCLEAR] * 3 + [Effect.DONE, Effect.FAILED])


class Lives(RuleBasedStateMachine):
    """One proposal, and all that may happen to it."""

    life: Life

    @initialize(
        action=st.sampled_from([*ACTIONS, "scale"]),
        spec=specs,
        step=st.sampled_from([False] * 3 + [True]),
        looked_at=st.sampled_from([True] * 3 + [False]),
    )
    def propose(self, action: str, spec: Any, step: bool, looked_at: bool) -> None:
        self.life = Life({**ACTIONS[action], **spec}, of_workflow=step)
        if looked_at:
            self.life.go()

    @rule()
    def fail_and_come_back(self) -> None:
        """The plainest thing to happen: an attempt fails, its time comes, the next one starts."""
        self.life.go()
        if self.life.running:
            match self.life.running.work:
                case Work.RUN | Work.CHECK:
                    self.life.answer(Effect.NOT_DONE)
                case Work.VERIFY:
                    self.life.answer(Effect.DONE)
                case Work.OBSERVE:
                    self.life.answer(Effect.UNCLEAR, stop=Stop.CRASHED)
            self.life.go()
        if self.life.last.wake_at:
            self.life.now = max(self.life.now, self.life.last.wake_at)
        self.life.go()

    @rule(fate=st.sampled_from(["stored"] * 4 + ["lost", "refused"]), jitter=st.floats(0, 0.999))
    def look(self, fate: str, jitter: float) -> None:
        self.life.jitter = jitter
        self.life.go(fate)

    @rule()
    def look_twice(self) -> None:
        self.life.go()
        before, claims = self.life.status, self.life.claims
        self.life.go()
        assert (self.life.status, self.life.claims) == (before, claims)

    @rule(seconds=st.sampled_from([0.001, 1, 20, 300]))
    def wait(self, seconds: float) -> None:
        self.life.sleep(seconds)

    @precondition(lambda self: self.life.last.wake_at and self.life.last.wake_at > self.life.now)
    @rule()
    def wait_for_the_wake_up(self) -> None:
        assert self.life.last.wake_at is not None
        self.life.now = self.life.last.wake_at
        self.life.go()

    @precondition(lambda self: self.life.running)
    @rule(
        effect=answers,
        verified=st.booleans(),
        transient=st.sampled_from([True] * 4 + [False]),
        retry_after=st.none() | st.sampled_from([0.5, 90, 7200]),
        timeout=st.booleans(),
        look=st.booleans(),
    )
    def end(
        self, effect: Effect, verified: bool, transient: bool, retry_after: float | None, timeout: bool, look: bool
    ) -> None:
        running = self.life.running
        assert running is not None
        facts: dict[str, Any] = {"stop": running.stop}
        if running.work is Work.CHECK:
            facts["met"] = effect is Effect.DONE and running.stop is None
            effect = Effect.NOT_DONE
        if running.stop is not None:
            effect = Effect.UNCLEAR if effect is Effect.FAILED else effect
        elif timeout and effect in (Effect.NOT_DONE, Effect.UNCLEAR):
            facts["stop"] = Stop.TIMEOUT
        if running.work is Work.VERIFY:
            effect = Effect.FAILED if effect is Effect.FAILED else Effect.DONE
        if running.work is Work.OBSERVE and effect in (Effect.NOT_DONE, Effect.UNCLEAR):
            effect, facts["stop"] = Effect.UNCLEAR, running.stop or Stop.CRASHED
        if effect is Effect.DONE and verified:
            facts |= {"verified": True, "stop": None}
        if effect is Effect.NOT_DONE and not facts.get("met"):
            facts |= {"transient": transient, "retry_after_seconds": retry_after}
        self.life.answer(effect, **facts)
        if look:
            self.life.go()

    @rule()
    def crash(self) -> None:
        self.life.crash()

    @rule(change=st.sampled_from([change for change in CHANGES for _ in range(6 if change.startswith("well") else 1)]))
    def change(self, change: str) -> None:
        """Most often all is put in order again, or else the lives would be short."""
        if self.life.status.outcome is None:
            self.life.change(**CHANGES[change])

    @invariant()
    def retries_stay_within_bounds(self) -> None:
        attempts = self.life.status.attempts
        assert len(attempts) <= 10
        numbers = [attempt.number for attempt in attempts]
        assert numbers == sorted(set(numbers))
        assert all(attempt.result for attempt in attempts[:-1]), "only the last attempt may be open"
        for attempt in attempts:
            assert operation_time(attempt.operation) <= attempt.started_at

    def teardown(self) -> None:
        """Whatever happened: once all is well again, it ends."""
        if not hasattr(self, "life"):
            return
        life = self.life
        life.change(**WELL)
        for _ in range(60):
            life.go()
            if life.status.outcome is not None:
                break
            if life.running and life.running.work is Work.CHECK:
                life.answer(Effect.NOT_DONE, met=True)
            elif life.running:
                life.answer(Effect.DONE, verified=True)
            else:
                assert life.last.wake_at is not None
                life.now = life.last.wake_at
        assert life.status.outcome is not None
        end = life.status
        life.sleep(10**8)
        life.change(cancelled=True, policies=[HALT])
        life.go()
        assert life.status == end, "a final status changed"


TestLives = Lives.TestCase
TestLives.settings = settings() if settings.get_current_profile_name() == "long" else FEW


def test_a_life_that_just_works() -> None:
    life = Life()
    life.go()
    assert life.running is not None
    life.answer(Effect.DONE, verified=True)
    life.go()
    assert (life.status.outcome, life.claims) == (Outcome.SUCCEEDED, 1)


def test_a_life_with_everything_lost() -> None:
    """Every answer is lost until none is left: the operation stays, and the end is Unknown."""
    life = Life({**SCALE, "retry": {"maxAttempts": 14, "minWaitSeconds": 0}})
    for _ in range(14):
        life.go()
        life.answer(Effect.UNCLEAR)
    life.go()
    assert (life.status.outcome, life.claims, life.status.retry_count) == (Outcome.UNKNOWN, 14, 14)
    assert len({attempt.operation for attempt in life.status.attempts}) == 1


def test_one_lost_answer_long_ago_is_remembered() -> None:
    life = Life({**SCALE, "retry": {"maxAttempts": 14, "minWaitSeconds": 0}})
    for number in range(14):
        life.go()
        life.answer(Effect.UNCLEAR if number == 0 else Effect.NOT_DONE)
    life.go()
    assert life.status.outcome is Outcome.UNKNOWN


def test_what_may_run_once_is_not_repeated_after_a_crash() -> None:
    life = Life(dict(POST))
    life.go()
    life.crash()
    life.go()
    assert life.running is not None
    assert life.running.work is Work.OBSERVE
    life.answer(Effect.UNCLEAR, stop=Stop.CRASHED)
    life.go()
    assert (life.status.outcome, life.claims) == (Outcome.UNKNOWN, 1)


def test_a_crash_while_preconditions_are_waited_for_proves_that_nothing_was_done() -> None:
    """Also of what may run once: without the record that they were met, nothing was sent."""
    life = Life({**POST, "preconditions": [CHECK]})
    life.go()
    assert life.running is not None
    assert life.running.work is Work.CHECK
    life.crash()
    life.go()
    assert life.running is not None
    assert (life.running.work, life.claims) == (Work.CHECK, 2)
    life.answer(Effect.NOT_DONE, met=True)
    life.go("lost")
    assert life.running is not None
    assert life.running.work is Work.RUN
    life.answer(Effect.DONE, verified=True)
    life.go()
    assert (life.status.outcome, life.claims, life.status.retry_count) == (Outcome.SUCCEEDED, 2, None)


def test_a_halt_after_the_preconditions_were_met_keeps_the_effect_from_starting() -> None:
    life = Life({**POST, "preconditions": [CHECK]})
    life.go()
    life.change(policies=[EXECUTE, HALT])
    life.answer(Effect.NOT_DONE, met=True)
    life.go()
    assert (life.running, life.status.blocked and life.status.blocked.rule) == (None, "halt")
    life.change(**WELL)
    life.go()
    assert life.running is not None
    assert life.running.work is Work.CHECK, "what was true then need not be true now"
