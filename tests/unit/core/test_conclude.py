"""What follows from an attempt's report: every row of the table in `core.conclude`, stops from outside included."""

from datetime import timedelta
from typing import Any

import pytest
from unit.core.making import (
    CHANCE,
    CREATED,
    NOW,
    POST,
    VALIDATED,
    after,
    attempt,
    attempts,
    claimed,
    report,
    type_entry,
    view,
    with_status,
)

from controller.api.base import rfc3339
from controller.api.names import AttemptResult, Outcome, Phase, Reason
from controller.core.attempt_report import Effect, Report, Stop
from controller.core.conclude import Ending, judge
from controller.core.decision import Work
from controller.core.ports import Done
from controller.core.proposal import decide
from controller.core.view import Chance

SUCCEEDED = AttemptResult.SUCCEEDED, Outcome.SUCCEEDED, True
VERIFY_AGAIN = AttemptResult.FAILED, None, True
AGAIN = AttemptResult.NOT_DONE, None, True
AGAIN_ANEW = AttemptResult.FAILED, None, True
AGAIN_UNCLEAR = AttemptResult.UNKNOWN, None, True
UNKNOWN = AttemptResult.UNKNOWN, Outcome.UNKNOWN, True
FAILED = AttemptResult.FAILED, Outcome.FAILED, True
REFUSED = AttemptResult.NOT_DONE, Outcome.FAILED, True
INTERRUPTED = AttemptResult.INTERRUPTED, None, False
CANCELLED = AttemptResult.NOT_DONE, Outcome.CANCELLED, True
EFFECT_MADE = AttemptResult.FAILED, Outcome.CANCELLED, True

PRECONDITION = {"transient": False, "reason": Reason.PRECONDITION_FAILED}

TABLE = [
    # effect, facts, idempotent, at most once
    ("done, verified", Effect.DONE, {"verified": True}, SUCCEEDED, SUCCEEDED),
    ("done, verified, cancelled", Effect.DONE, {"verified": True, "stop": Stop.CANCELLED}, SUCCEEDED, SUCCEEDED),
    ("done, not verified", Effect.DONE, {}, VERIFY_AGAIN, VERIFY_AGAIN),
    ("done, not verified in time", Effect.DONE, {"stop": Stop.TIMEOUT}, VERIFY_AGAIN, VERIFY_AGAIN),
    ("done, then cancelled", Effect.DONE, {"stop": Stop.CANCELLED}, EFFECT_MADE, EFFECT_MADE),
    ("done, then halted", Effect.DONE, {"stop": Stop.HALTED}, INTERRUPTED, INTERRUPTED),
    ("done, then crashed", Effect.DONE, {"stop": Stop.CRASHED}, INTERRUPTED, INTERRUPTED),
    ("done, cannot be told", Effect.DONE, {"reason": Reason.CANNOT_TELL}, VERIFY_AGAIN, VERIFY_AGAIN),
    ("not done, precondition", Effect.NOT_DONE, PRECONDITION, REFUSED, REFUSED),
    ("not done, crashed", Effect.NOT_DONE, {"stop": Stop.CRASHED}, INTERRUPTED, INTERRUPTED),
    ("not done, transient", Effect.NOT_DONE, {}, AGAIN, AGAIN),
    ("not done, permanent", Effect.NOT_DONE, {"transient": False}, REFUSED, REFUSED),
    ("not done, timeout", Effect.NOT_DONE, {"stop": Stop.TIMEOUT}, AGAIN, AGAIN),
    ("not done, cancelled", Effect.NOT_DONE, {"stop": Stop.CANCELLED}, CANCELLED, CANCELLED),
    ("not done, halted", Effect.NOT_DONE, {"stop": Stop.HALTED}, INTERRUPTED, INTERRUPTED),
    ("failed", Effect.FAILED, {}, AGAIN_ANEW, FAILED),
    ("failed, cancelled", Effect.FAILED, {"stop": Stop.CANCELLED}, FAILED, FAILED),
    ("unclear", Effect.UNCLEAR, {}, AGAIN_UNCLEAR, UNKNOWN),
    ("unclear, timeout", Effect.UNCLEAR, {"stop": Stop.TIMEOUT}, AGAIN_UNCLEAR, UNKNOWN),
    ("unclear, cancelled", Effect.UNCLEAR, {"stop": Stop.CANCELLED}, UNKNOWN, UNKNOWN),
    ("unclear, halted", Effect.UNCLEAR, {"stop": Stop.HALTED}, INTERRUPTED, UNKNOWN),
    ("unclear, crashed", Effect.UNCLEAR, {"stop": Stop.CRASHED}, INTERRUPTED, UNKNOWN),
]  # fmt: skip


def told(ending: Ending) -> Any:
    return ending.result, ending.outcome, ending.counts


@pytest.mark.parametrize(
    ("effect", "facts", "idempotent", "once"), [row[1:] for row in TABLE], ids=[r[0] for r in TABLE]
)
def test_every_row_of_the_table(effect: Effect, facts: dict[str, Any], idempotent: Any, once: Any) -> None:
    (safe,), (unsafe,) = attempts(attempt()), attempts(attempt(of="run-job"))
    assert told(judge(safe, report(effect, **facts))) == idempotent
    assert told(judge(unsafe, report(effect, **facts))) == once


@pytest.mark.parametrize("of", ["scale-workload", "run-job"])
@pytest.mark.parametrize("effect", [Effect.NOT_DONE, Effect.UNCLEAR])
@pytest.mark.parametrize("stop", [None, *Stop])
def test_what_was_known_to_be_done_stays_done(of: str, effect: Effect, stop: Stop | None) -> None:
    """An attempt that only verifies cannot make a known effect unknown, nor undone."""
    (verifying,) = attempts(attempt(2, of=of, doneAt=rfc3339(CREATED)))
    assert told(judge(verifying, report(effect, stop=stop))) == told(judge(verifying, report(Effect.DONE, stop=stop)))


def test_an_unclear_end_says_what_to_look_at() -> None:
    (once,) = attempts(attempt(of="run-job"))
    ending = judge(once, report(Effect.UNCLEAR, message="reset by peer"))
    assert ending.message.startswith("reset by peer; ")
    assert "look at the target" in ending.message


@pytest.mark.parametrize(
    ("status", "reported", "outcome", "reason"),
    [
        pytest.param(
            claimed(attempt()), report(Effect.NOT_DONE, transient=False), Outcome.FAILED, Reason.PERMANENT_FAILURE,
            id="refused",
        ),
        pytest.param(
            claimed(attempt(1, "Unknown"), attempt(2)), report(Effect.NOT_DONE, of="attempt-2", transient=False),
            Outcome.UNKNOWN, Reason.OUTCOME_UNKNOWN, id="refused after a lost answer",
        ),
        pytest.param(
            claimed(attempt(1, "Unknown"), attempt(2)), report(Effect.NOT_DONE, of="attempt-2", stop=Stop.CANCELLED),
            Outcome.UNKNOWN, Reason.OUTCOME_UNKNOWN, id="cancelled after a lost answer",
        ),
        pytest.param(
            claimed(attempt(1, "Unknown"), attempt(2)), report(Effect.DONE, of="attempt-2", stop=Stop.CANCELLED),
            Outcome.CANCELLED, Reason.EFFECT_MADE, id="cancelled after a lost answer, now proven done",
        ),
        pytest.param(
            claimed(attempt(1, "Unknown"), attempt(2)), report(Effect.DONE, of="attempt-2", verified=True),
            Outcome.SUCCEEDED, Reason.SUCCEEDED, id="done after a lost answer",
        ),
        pytest.param(
            claimed(attempt(1, "NotDone"), attempt(2, "NotDone"), attempt(3), retryCount=2),
            report(Effect.NOT_DONE, of="attempt-3"), Outcome.FAILED, Reason.ATTEMPTS_EXHAUSTED, id="exhausted",
        ),
        pytest.param(
            claimed(attempt()), report(Effect.NOT_DONE, **PRECONDITION), Outcome.FAILED, Reason.PRECONDITION_FAILED,
            id="a precondition is false",
        ),
        pytest.param(
            claimed(attempt(1, "Unknown"), attempt(2)), report(Effect.NOT_DONE, of="attempt-2", **PRECONDITION),
            Outcome.UNKNOWN, Reason.OUTCOME_UNKNOWN, id="a precondition is false after a lost answer",
        ),
        pytest.param(
            claimed(attempt(1, "Failed"), attempt(2, "Failed"), attempt(3), retryCount=2),
            report(Effect.DONE, of="attempt-3", reason=Reason.CANNOT_TELL), Outcome.UNKNOWN, Reason.OUTCOME_UNKNOWN,
            id="what it is for cannot be told to the end",
        ),
        pytest.param(
            claimed(attempt(1, "Failed"), attempt(2, "Failed", reason="CannotTell"), attempt(3), retryCount=2),
            report(Effect.DONE, of="attempt-3"), Outcome.FAILED, Reason.ATTEMPTS_EXHAUSTED, id="told at last: no",
        ),
        pytest.param(
            claimed(attempt(1, "Unknown"), attempt(2, "NotDone"), attempt(3), retryCount=2),
            report(Effect.NOT_DONE, of="attempt-3"), Outcome.UNKNOWN, Reason.OUTCOME_UNKNOWN,
            id="exhausted with a lost answer",
        ),
        pytest.param(
            claimed(attempt(1, "Unknown"), attempt(2, "NotDone"), attempt(3), retryCount=2),
            report(Effect.FAILED, of="attempt-3"), Outcome.FAILED, Reason.ATTEMPTS_EXHAUSTED,
            id="lost, but the target says it failed",
        ),
        pytest.param(
            claimed(attempt(1, "Unknown", operation="first"), attempt(2, "Failed", operation="first"),
                    attempt(3, operation="second"), retryCount=2),
            report(Effect.NOT_DONE, of="attempt-3"), Outcome.FAILED, Reason.ATTEMPTS_EXHAUSTED,
            id="lost in an operation that failed since",
        ),
    ],
)  # fmt: skip
def test_outcomes_by_all_attempts_together(status: Any, reported: Any, outcome: Outcome, reason: Reason) -> None:
    decision = decide(view(status=status, report=reported), NOW, CHANCE)
    assert decision.status is not None
    assert decision.status.outcome is outcome
    assert decision.status.next_retry_at is None
    assert decision.status.completed_at == NOW
    succeeded = next(c for c in decision.status.conditions if c.type == "Succeeded")
    assert succeeded.reason is reason


def test_retry_on_never_makes_one_attempt() -> None:
    decision = decide(
        view({"retry": {"retryOn": "Never"}}, claimed(attempt()), report=report(Effect.NOT_DONE)), NOW, CHANCE
    )
    assert decision.status is not None
    assert decision.status.outcome is Outcome.FAILED
    assert "attempt 1 of 1" in (decision.status.message or "")


@pytest.mark.parametrize("reported", [report(Effect.UNCLEAR), report(Effect.DONE), report(Effect.FAILED)])
def test_retry_on_never_repeats_no_failure_of_any_kind(reported: Report) -> None:
    decision = decide(view({"retry": {"retryOn": "Never"}}, claimed(attempt()), report=reported), NOW, CHANCE)
    assert decision.status is not None
    assert decision.status.outcome is (Outcome.UNKNOWN if reported.effect is Effect.UNCLEAR else Outcome.FAILED)


@pytest.mark.parametrize("stop", [Stop.HALTED, Stop.CRASHED])
def test_retry_on_never_goes_on_after_an_interruption_all_the_same(stop: Stop) -> None:
    seen = view({"retry": {"retryOn": "Never"}}, claimed(attempt()), report=report(Effect.UNCLEAR, stop=stop))
    status = decide(seen, NOW, CHANCE).status
    assert status is not None
    assert status.outcome is None
    again = decide(with_status(seen, status, report=None), NOW, CHANCE)
    assert again.act is not None
    assert (again.act.work, again.act.attempt.operation) == (Work.RUN, status.attempts[-1].operation)


@pytest.mark.parametrize(
    ("jitter", "retry_after", "seconds"), [(0.0, None, 1.0), (1.0, None, 1.5), (0.0, 30.0, 30.0), (0.5, 7200.0, 3615.0)]
)
def test_a_repeat_is_written_with_its_time(jitter: float, retry_after: float | None, seconds: float) -> None:
    lost = report(Effect.NOT_DONE, retry_after_seconds=retry_after)
    seen = view(status=claimed(attempt()), report=lost)
    status = decide(seen, NOW, Chance(jitter, CHANCE.entropy)).status
    assert status is not None
    assert (status.phase, status.retry_count) == (Phase.RETRYING, 1)
    assert status.next_retry_at == NOW + timedelta(seconds=seconds)
    before = decide(with_status(seen, status, report=None), after(seconds - 0.01), CHANCE)
    assert before.act is None
    assert before.wake_at == after(seconds)
    due = decide(with_status(seen, status, report=None), after(seconds), CHANCE)
    assert due.act is not None
    assert due.act.attempt.number == 2


@pytest.mark.parametrize("stop", [Stop.HALTED, Stop.CRASHED])
def test_an_interruption_does_not_count_and_waits_for_nothing(stop: Stop) -> None:
    seen = view(status=claimed(attempt(), retryCount=1), report=report(Effect.UNCLEAR, stop=stop))
    status = decide(seen, NOW, CHANCE).status
    assert status is not None
    assert (status.retry_count, status.next_retry_at, status.outcome) == (1, None, None)
    again = decide(with_status(seen, status, report=None), NOW, CHANCE)
    assert again.act is not None
    assert (again.act.work, again.act.attempt.operation) == (Work.RUN, status.attempts[-1].operation)


def test_what_is_done_is_never_done_again_but_verified() -> None:
    seen = view(POST, claimed(attempt(of="http-request", idempotent=False)), report=report(Effect.DONE))
    status = decide(seen, NOW, CHANCE).status
    assert status is not None
    assert status.attempts[-1].done_at == NOW
    due = decide(with_status(seen, status, report=None), status.next_retry_at or NOW, CHANCE)
    assert due.act is not None
    assert due.act.work is Work.VERIFY
    assert due.act.attempt.operation == status.attempts[-1].operation


def test_what_was_done_and_failed_later_is_made_anew() -> None:
    """Done but not verified; then, verifying again, the target says that the effect failed."""
    verifying = attempt(2, doneAt=rfc3339(CREATED))
    seen = view(
        status=claimed(attempt(1, "Failed", doneAt=rfc3339(CREATED)), verifying, retryCount=1),
        report=report(Effect.FAILED, of="attempt-2"),
    )
    status = decide(seen, NOW, CHANCE).status
    assert status is not None
    due = decide(with_status(seen, status, report=None), status.next_retry_at or NOW, CHANCE)
    assert due.act is not None
    assert due.act.work is Work.RUN
    assert due.act.attempt.operation != verifying["operation"]


@pytest.mark.parametrize("types", [(), (type_entry("scale-workload", defaults={"retry": {"maxWaitSeconds": 30}}),)])
def test_a_result_is_recorded_whatever_became_of_the_type(types: Any) -> None:
    """The proposal waits at least 90 s; its type allowed 600 s when it started, and now does not, or is gone."""
    retry = {"retry": {"minWaitSeconds": 90}}
    seen = view(retry, claimed(attempt()), types=types, report=report(Effect.NOT_DONE))
    status = decide(seen, NOW, Chance(0.0, CHANCE.entropy)).status
    assert status is not None
    assert status.next_retry_at == after(90)


def test_a_report_of_another_attempt_is_passed_over() -> None:
    seen = view(status=claimed(attempt()), running=True, report=report(Effect.DONE, of="attempt-0", verified=True))
    assert decide(seen, NOW, CHANCE).status is None


def test_outputs_and_messages_are_kept() -> None:
    done = Done("Scaled.", {"replicas": 6})
    status = decide(
        view(status=claimed(attempt()), report=report(Effect.DONE, verified=True, done=done, message="Scaled.")),
        NOW,
        CHANCE,
    ).status
    assert status is not None
    assert (status.outputs, status.message) == ({"replicas": 6}, "Scaled.")


@pytest.mark.parametrize("nasty", ["\x1b[31mred\x07", "x" * 5000, "two\nlines"])
def test_what_a_target_says_fits_the_schema_and_the_terminal(nasty: str) -> None:
    status = decide(view(status=claimed(attempt()), report=report(Effect.NOT_DONE, message=nasty)), NOW, CHANCE).status
    assert status is not None
    with_status(view(), status)  # raises if a bound is passed
    assert all(c.isprintable() or c == "\n" for c in status.attempts[-1].message or "")


def test_a_takeover_is_written_before_anything_is_looked_at() -> None:
    seen = view(status=claimed(attempt(owner="operator-0")))
    first = decide(seen, NOW, CHANCE)
    assert first.act is None
    assert first.status is not None
    assert first.status.attempts[-1].owner == "operator-1"
    then = decide(with_status(seen, first.status), NOW, CHANCE)
    assert then.status is None
    assert then.act is not None
    assert then.act.work is Work.OBSERVE


@pytest.mark.parametrize(
    ("of", "fields", "outcome", "result"),
    [
        ("scale-workload", {}, None, AttemptResult.INTERRUPTED),
        ("scale-workload", {"doneAt": rfc3339(CREATED)}, None, AttemptResult.INTERRUPTED),
        ("run-job", {}, Outcome.UNKNOWN, AttemptResult.UNKNOWN),
        ("run-job", {"doneAt": rfc3339(CREATED)}, None, AttemptResult.INTERRUPTED),
    ],
)
def test_a_changed_type_says_nothing_about_what_the_old_one_did(
    of: str, fields: Any, outcome: Outcome | None, result: AttemptResult
) -> None:
    job = {"action": "run-job", "parameters": {"image": "x"}} if of == "run-job" else {}
    changed = type_entry(of, description="another")
    status = decide(view(job, claimed(attempt(of=of, **fields)), types=[changed]), NOW, CHANCE).status
    assert status is not None
    assert (status.outcome, status.attempts[-1].result) == (outcome, result)


@pytest.mark.parametrize(
    ("circumstances", "stop"),
    [
        pytest.param({}, None, id="goes on"),
        pytest.param({"spec": {"cancelled": True}}, Stop.CANCELLED, id="cancelled"),
        pytest.param({"policies": [{"mode": "Execute"}, {"halt": True}]}, Stop.HALTED, id="halted"),
        pytest.param({"policies": [{"halt": True}], "spec": {"cancelled": True}}, Stop.CANCELLED, id="both"),
        pytest.param({"spec": {"suspend": True}}, None, id="suspending stops nothing that runs"),
        pytest.param({"policies": []}, None, id="nor does a policy that is gone"),
        pytest.param({"types": []}, None, id="nor a type"),
    ],
)
def test_what_stops_an_attempt_under_way(circumstances: Any, stop: Stop | None) -> None:
    decision = decide(view(**{"status": claimed(attempt()), "running": True, **circumstances}), NOW, CHANCE)
    assert (decision.stop, decision.status, decision.act, decision.gather) == (stop, None, None, None)


LEAVING: Any = {"deletionTimestamp": rfc3339(NOW)}


@pytest.mark.parametrize(
    ("circumstances", "stop"),
    [
        ({}, None),
        ({"status": claimed(attempt()), "running": True}, Stop.CANCELLED),
        ({"status": claimed(attempt())}, None),
    ],
)
def test_nothing_starts_for_what_is_being_deleted(circumstances: Any, stop: Stop | None) -> None:
    decision = decide(view(metadata=LEAVING, **circumstances), NOW, CHANCE)
    assert (decision.stop, decision.status, decision.act, decision.gather) == (stop, None, None, None)


def test_but_what_its_attempt_came_to_is_written() -> None:
    seen = view(metadata=LEAVING, status=claimed(attempt()), report=report(Effect.UNCLEAR, stop=Stop.CANCELLED))
    status = decide(seen, NOW, CHANCE).status
    assert status is not None
    assert status.outcome is Outcome.UNKNOWN


def test_a_claim_whose_answer_was_lost_is_started_when_it_is_found() -> None:
    found = decide(view(status=claimed(attempt()), unstarted=True), NOW, CHANCE)
    assert found.act is not None
    assert (found.act.work, found.status) == (Work.RUN, None)
    verifying = decide(view(status=claimed(attempt(2, doneAt=rfc3339(NOW))), unstarted=True), NOW, CHANCE)
    assert verifying.act is not None
    assert verifying.act.work is Work.VERIFY


FREEZE = {"start": rfc3339(after(-60)), "end": rfc3339(after(60)), "reason": "sale"}
WINDOW = {"start": "02:00", "end": "04:00", "timeZone": "UTC"}
CHECKED: Any = {"preconditions": [{"http": {"url": "https://hooks.example.com/x"}, "expression": "status == 200",
                                   "timeoutSeconds": 600}], "timeoutSeconds": 30}  # fmt: skip
MET = report(Effect.NOT_DONE, met=True)


def test_the_time_of_an_attempt_counts_from_when_its_preconditions_are_met() -> None:
    """Or else what waited long would have its effect cut off."""
    first = decide(view(CHECKED, VALIDATED), NOW, CHANCE)
    assert first.act is not None
    assert first.act.work is Work.CHECK
    assert first.act.attempt.deadline == after(630)
    late = after(590)
    seen = view(CHECKED, claimed(attempt(deadline=rfc3339(after(630)))), report=MET)
    go = decide(seen, late, CHANCE)
    assert go.act is not None
    assert go.act.work is Work.RUN
    assert (go.act.attempt.preconditions_met_at, go.act.attempt.deadline) == (late, after(620))
    assert go.status is not None
    assert go.status.attempts == (go.act.attempt,), "it is written before the effect"


@pytest.mark.parametrize(
    ("changed", "rule"),
    [
        pytest.param({"policies": [{"mode": "Observe"}]}, "mode", id="no leave any more"),
        pytest.param({"policies": [{"mode": "Execute", "freezes": [FREEZE]}]}, "freezes", id="in a freeze by now"),
        pytest.param({"policies": [{"mode": "Execute", "windows": [WINDOW]}]}, "windows", id="window over"),
        pytest.param({"policies": [{"mode": "Execute", "maintenance": True}]}, "maintenance", id="unknown rule"),
        pytest.param({"policies": [{"mode": "Execute", "halt": True}]}, "halt", id="halted"),
        pytest.param({"spec": {**CHECKED, "suspend": True}}, "suspend", id="suspended"),
    ],
)
def test_what_changed_while_preconditions_were_waited_for_keeps_the_effect_back(changed: Any, rule: str) -> None:
    seen = view(**{"spec": CHECKED, "status": claimed(attempt()), "report": MET, **changed})
    kept = decide(seen, NOW, CHANCE)
    assert kept.act is None
    assert kept.status is not None
    assert kept.status.attempts[-1].result is AttemptResult.INTERRUPTED
    assert kept.status.retry_count is None
    then = decide(with_status(seen, kept.status, report=None), NOW, CHANCE)
    assert then.status is not None
    assert next(c for c in then.status.conditions if c.type == "Reconciling").reason is Reason.BLOCKED
    assert then.status.blocked is not None
    assert then.status.blocked.rule == rule


def test_a_deadline_does_not_make_a_failure_of_what_cannot_be_told() -> None:
    dark = attempt(1, "Failed", reason="CannotTell", message="dark", doneAt=rfc3339(NOW))
    for stored, outcome in ((dark, Outcome.UNKNOWN), ({**dark, "reason": "NotVerified"}, Outcome.FAILED)):
        ended = decide(view({"activeDeadlineSeconds": 400}, claimed(stored)), after(200), CHANCE).status
        assert ended is not None
        assert ended.outcome is outcome
