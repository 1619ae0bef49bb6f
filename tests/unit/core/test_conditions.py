"""What a status says: conditions and phase for every outcome and wait, and what kstatus makes of them."""

from datetime import timedelta
from typing import Any

import pytest
from harness.kstatus import kstatus as by_its_rules
from hypothesis import given
from hypothesis import strategies as st
from unit.core.making import (
    CHANCE,
    EXECUTE,
    HALT,
    NOW,
    OBSERVE,
    VALIDATED,
    after,
    attempt,
    claimed,
    fault,
    report,
    view,
    with_status,
)

from controller.api.base import rfc3339
from controller.api.common import LifecycleStatus
from controller.api.names import ConditionType, Outcome, Phase, Reason, Transition
from controller.api.proposal import ProposalStatus
from controller.core.attempt_report import Effect
from controller.core.lifecycle import Moment, ended
from controller.core.ports import Json
from controller.core.proposal import claim_refused, decide
from controller.core.status import HISTORY_LENGTH, MAX_NOTE, Standing, bounded, note, settle


def kstatus(status: Json, generation: int = 1) -> str:
    """Current, InProgress or Failed."""
    return by_its_rules({"metadata": {"generation": generation}, "status": status})


def by_type(status: LifecycleStatus) -> dict[str, tuple[str, str]]:
    return {condition.type.value: (condition.status, condition.reason.value) for condition in status.conditions}


PENDING = view(status=claimed(attempt()), report=report(Effect.NOT_DONE))
LIVE = [
    pytest.param(view(), Phase.RUNNING, "Progressing", id="running"),
    pytest.param(view({"notBefore": rfc3339(after(60))}), Phase.SCHEDULED, "Scheduled", id="scheduled"),
    pytest.param(view(policies=[EXECUTE, HALT]), Phase.BLOCKED, "Blocked", id="halted"),
    pytest.param(view({"suspend": True}), Phase.BLOCKED, "Blocked", id="suspended"),
    pytest.param(view(status=VALIDATED, policies=[]), Phase.BLOCKED, "Blocked", id="leave lost"),
    pytest.param(PENDING, Phase.RETRYING, "ProgressingWithRetry", id="retrying"),
]


@pytest.mark.parametrize(("seen", "phase", "reason"), LIVE)
def test_a_live_object_is_reconciling(seen: Any, phase: Phase, reason: str) -> None:
    status = decide(seen, NOW, CHANCE).status
    assert status is not None
    assert status.phase is phase
    conditions = by_type(status)
    assert conditions["Reconciling"] == ("True", reason)
    assert conditions["Succeeded"][0] == conditions["Ready"][0] == "Unknown"
    assert "Stalled" not in conditions
    assert conditions["Validated"] == ("True", "Valid")
    assert kstatus(status.wire()) == "InProgress"


FINAL = [
    pytest.param(
        view(status=claimed(attempt()), report=report(Effect.DONE, verified=True)), "Succeeded", "Succeeded", "True",
        "True", "Current", id="succeeded",
    ),
    pytest.param(view({"mode": "DryRun"}), "Observed", "DryRun", "True", "True", "Current", id="dry run"),
    pytest.param(view(policies=[OBSERVE]), "Observed", "ObserveOnly", "False", "True", "Current", id="observed"),
    pytest.param(
        view(status=claimed(attempt()), report=report(Effect.NOT_DONE, transient=False)), "Failed", "PermanentFailure",
        "False", "False", "Failed", id="failed",
    ),
    pytest.param(view({"action": "x"}), "Failed", "UnknownAction", "False", "False", "Failed", id="not valid"),
    pytest.param(view(findings=fault()), "Failed", "TargetMissing", "False", "False", "Failed", id="no target"),
    pytest.param(
        view({"activeDeadlineSeconds": 1}), "Expired", "DeadlineExceeded", "False", "False", "Failed", id="expired"
    ),
    pytest.param(view({"cancelled": True}), "Cancelled", "Cancelled", "False", "False", "Failed", id="cancelled"),
    pytest.param(
        view(status=claimed(attempt(idempotent=False)), report=report(Effect.UNCLEAR)), "Unknown", "OutcomeUnknown",
        "False", "False", "Failed", id="unknown",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("seen", "outcome", "reason", "succeeded", "ready", "verdict"), FINAL)
def test_a_final_object_says_how_it_ended(
    seen: Any, outcome: str, reason: str, succeeded: str, ready: str, verdict: str
) -> None:
    status = decide(seen, NOW, CHANCE).status
    assert status is not None
    assert status.outcome == status.phase == outcome
    conditions = by_type(status)
    assert conditions["Succeeded"] == (succeeded, reason)
    assert conditions["Ready"] == (ready, reason)
    assert "Reconciling" not in conditions
    assert conditions.get("Stalled") == (None if ready == "True" else ("True", reason))
    assert status.completed_at == NOW
    assert status.next_retry_at is None
    assert status.blocked is None
    assert kstatus(status.wire()) == verdict


def test_a_faulty_object_says_so_in_validated() -> None:
    status = decide(view({"action": "x"}), NOW, CHANCE).status
    assert status is not None
    assert by_type(status)["Validated"] == ("False", "UnknownAction")
    assert "Approved" not in by_type(status)


def test_a_new_object_is_not_taken_for_finished() -> None:
    assert kstatus({"observedGeneration": -1}) == "InProgress"
    assert ProposalStatus().wire()["observedGeneration"] == -1


@pytest.mark.parametrize("outcome", Outcome)
def test_every_outcome_is_final_in_the_eyes_of_kstatus(outcome: Outcome) -> None:
    status = ended(ProposalStatus(), outcome, Reason.SUCCEEDED, "", Moment(NOW, 1, "me"))
    good = outcome in (Outcome.SUCCEEDED, Outcome.OBSERVED)
    assert kstatus(status.wire()) == ("Current" if good else "Failed")


standings = st.builds(
    Standing,
    phase=st.sampled_from(Phase),
    reason=st.sampled_from(Reason),
    message=st.text(max_size=2000),
    outcome=st.none() | st.sampled_from(Outcome),
)


@given(st.lists(standings, min_size=1, max_size=6), st.integers(0, 3))
def test_conditions_never_contradict_each_other(row: list[Standing], generation: int) -> None:
    status = ProposalStatus()
    for seconds, standing in enumerate(row):
        before = {condition.type: condition for condition in status.conditions}
        status = settle(status, standing, generation=generation, now=after(seconds))
        kinds = [condition.type for condition in status.conditions]
        assert len(set(kinds)) == len(kinds)
        assert not {ConditionType.RECONCILING, ConditionType.STALLED} <= set(kinds)
        assert (ConditionType.RECONCILING in kinds) is (standing.outcome is None)
        for condition in status.conditions:
            assert condition.observed_generation == status.observed_generation == generation
            old = before.get(condition.type)
            same = old is not None and old.status == condition.status
            assert condition.last_transition_time == (old.last_transition_time if old and same else after(seconds))
        assert settle(status, standing, generation=generation, now=after(seconds)) == status
        assert ProposalStatus.model_validate(status.wire()) == status


def test_conditions_of_an_edited_object_are_about_the_new_generation() -> None:
    seen = view({"suspend": True}, metadata={"generation": 7})
    status = decide(seen, NOW, CHANCE).status
    assert status is not None
    assert status.observed_generation == 7
    assert {condition.observed_generation for condition in status.conditions} == {7}


def test_a_refused_claim_is_shown_as_blocked_and_claims_nothing() -> None:
    decision = claim_refused(view(), "halted by policy", NOW)
    status = decision.status
    assert status is not None
    assert decision.wake_at is not None
    assert decision.act is None
    assert (status.phase, status.attempts) == (Phase.BLOCKED, ())
    assert "halted by policy" in (status.message or "")
    assert by_type(status)["Reconciling"] == ("True", "Blocked")
    again = claim_refused(with_status(view(), status), "halted by policy", NOW + timedelta(seconds=1)).status
    assert again is not None
    assert [entry.reason for entry in again.history] == [entry.reason for entry in status.history]


def test_blocked_tells_by_whom_and_goes_when_it_starts() -> None:
    halted = view(policies={"go": EXECUTE, "stop": HALT})
    status = decide(halted, NOW, CHANCE).status
    assert status is not None
    assert status.blocked is not None
    assert (status.blocked.policy, status.blocked.rule) == ("stop", "halt")
    started = decide(with_status(view(), status), NOW, CHANCE).status
    assert started is not None
    assert (started.blocked, started.phase) == (None, Phase.RUNNING)


def test_history_keeps_the_last_transitions_and_counts_on() -> None:
    status = ProposalStatus()
    for number in range(50):
        status = note(status, Transition.BLOCKED, f"{number}", actor="me", at=NOW)
    assert [entry.n for entry in status.history] == [*range(50 - HISTORY_LENGTH + 1, 51)]


@given(st.text(max_size=3 * MAX_NOTE))
def test_texts_from_outside_are_bounded_and_harmless(text: str) -> None:
    shown = bounded(text)
    assert len(shown) <= MAX_NOTE
    assert all(c.isprintable() or c == "\n" for c in shown)
    if text.isprintable() and len(text) <= MAX_NOTE:
        assert shown == text
