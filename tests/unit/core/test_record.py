"""Which transitions become Events: an action that just works has two, one that waits says why."""

from typing import Any

import pytest
from unit.core.making import (
    CHANCE,
    EXECUTE,
    HALT,
    NOW,
    OBSERVE,
    POST,
    VALIDATED,
    after,
    attempt,
    claimed,
    report,
    view,
    workflow_view,
)

from controller.api.base import rfc3339
from controller.api.names import Transition
from controller.core.attempt_report import Effect, Stop
from controller.core.proposal import decide
from controller.core.record import NORMAL_EVENTS, WARNING_EVENTS, announced
from controller.core.status import entries_after, last_entry
from controller.core.workflow import decide as decide_workflow

ONCE = attempt(of="http-request", idempotent=False)
EXHAUSTED = claimed(attempt(1, "NotDone"), attempt(2, "NotDone"), attempt(3), retryCount=2)


def events(seen: Any) -> list[str]:
    status = decide(seen, NOW, CHANCE).status
    assert status is not None
    return [entry.reason.value for entry in announced(entries_after(last_entry(seen.proposal.status), status))]


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        pytest.param(view(), ["Executing"], id="starts at once"),
        pytest.param(
            view(status=claimed(attempt()), report=report(Effect.DONE, verified=True)), ["Completed"], id="works"
        ),
        pytest.param(
            view(status=claimed(attempt()), report=report(Effect.NOT_DONE)), ["RetryScheduled"], id="is tried again"
        ),
        pytest.param(view(status=claimed(attempt(1, "NotDone"))), [], id="second try starts"),
        pytest.param(
            view(status=EXHAUSTED, report=report(Effect.NOT_DONE, of="attempt-3")), ["RetryExhausted"], id="exhausted"
        ),
        pytest.param(
            view(status=claimed(attempt()), report=report(Effect.NOT_DONE, transient=False)), ["Failed"], id="refused"
        ),
        pytest.param(view(POST, claimed(ONCE), report=report(Effect.UNCLEAR)), ["OutcomeUnknown"], id="unknown"),
        pytest.param(
            view(status=claimed(attempt()), report=report(Effect.NOT_DONE, stop=Stop.HALTED)), [], id="interrupted"
        ),
        pytest.param(
            view(status=claimed(attempt()), report=report(Effect.NOT_DONE, stop=Stop.CANCELLED)),
            ["Cancelled"],
            id="stopped",
        ),
        pytest.param(view({"action": "x"}), ["ValidationFailed"], id="not valid"),
        pytest.param(view(policies=[OBSERVE]), ["Observed"], id="observed"),
        pytest.param(view({"mode": "DryRun"}), ["Observed"], id="dry run"),
        pytest.param(view({"cancelled": True}), ["Cancelled"], id="cancelled at once"),
        pytest.param(view({"activeDeadlineSeconds": 1}), ["Expired"], id="expired at once"),
        pytest.param(
            view({"notBefore": rfc3339(after(60))}), ["Proposed", "Validated"], id="waits for its time: says who asked"
        ),
        pytest.param(view(policies=[EXECUTE, HALT]), ["Proposed", "Validated", "Blocked"], id="blocked at once"),
        pytest.param(view(status=VALIDATED, policies=[EXECUTE, HALT]), ["Blocked"], id="blocked later"),
        pytest.param(view(status=claimed(attempt(owner="another"))), [], id="taken over"),
    ],
)
def test_events_of_one_write(seen: Any, expected: list[str]) -> None:
    assert events(seen) == expected


def test_the_first_event_names_who_asked_without_vouching_for_it() -> None:
    seen = view({"suspend": True, "requestedBy": {"username": "eve"}})
    status = decide(seen, NOW, CHANCE).status
    assert status is not None
    assert (status.history[0].actor, status.history[0].message) == ("unverified:eve", "queue depth")


def test_a_workflow_says_once_that_it_was_created() -> None:
    seen = workflow_view(policies=[EXECUTE, HALT])
    status = decide_workflow(seen, NOW).status
    assert status is not None
    told = [entry.reason.value for entry in announced(entries_after(last_entry(seen.workflow.status), status))]
    assert told == ["Proposed", "Validated", "Blocked"]


def test_normal_and_warning_are_apart_and_failures_warn() -> None:
    assert not NORMAL_EVENTS & WARNING_EVENTS
    assert {Transition.FAILED, Transition.RETRY_SCHEDULED, Transition.RETRY_EXHAUSTED, Transition.OUTCOME_UNKNOWN,
            Transition.VALIDATION_FAILED, Transition.KILL_SWITCH} <= WARNING_EVENTS  # fmt: skip
    assert {Transition.EXECUTING, Transition.COMPLETED} <= NORMAL_EVENTS
