"""Every gate before a workflow's first step: what it lets through, what it refuses, and how."""

from datetime import timedelta
from typing import Any

import pytest
from unit.core.making import (
    EXECUTE,
    HALT,
    NOW,
    OBSERVE,
    POST,
    SCALE,
    SEEN,
    SHIPPED_TYPES,
    VALIDATED,
    after,
    fault,
    workflow_view,
)

from controller.api.base import rfc3339
from controller.api.names import Outcome, Phase, Reason, Transition
from controller.core import workflow_gates as gates
from controller.core.decision import Gather
from controller.core.verdicts import Block, Fetch, Finish, Hold, Postpone, Verdict
from controller.core.view import Fault, Findings, WorkflowView

view = workflow_view
JUST_NOW = NOW - timedelta(seconds=3)
GRACE_END = JUST_NOW + timedelta(seconds=10)
SOON: Any = {"activeDeadlineSeconds": 300}  # from creation: over right now
KNOWN: Any = {name: VALIDATED[name] for name in ("digest", "requestDigest", "history", "conditions")}
SCALES: Any = [{"name": "one", **SCALE}]


def short(verdict: Verdict | None) -> Any:
    """What a verdict decides, without its words."""
    match verdict:
        case None:
            return None
        case Finish(outcome, reason, _, transition):
            return outcome, reason, transition
        case Block(reason, rule, _, name):
            return "Blocked", reason, rule, name
        case Hold(phase, _, _, until):
            return phase, until
        case Postpone(until):
            return "later", until
        case Fetch(what):
            return what


def refused(reason: Reason) -> Any:
    return Outcome.FAILED, reason, Transition.VALIDATION_FAILED


WATCHED = (Outcome.OBSERVED, Reason.OBSERVE_ONLY, Transition.OBSERVED)
EXPIRED = (Outcome.EXPIRED, Reason.DEADLINE_EXCEEDED, Transition.EXPIRED)
NOT_STARTED = (Outcome.EXPIRED, Reason.STARTING_DEADLINE_EXCEEDED, Transition.EXPIRED)
LATER: Any = {"notBefore": rfc3339(after(60))}
RUNNERS = [EXECUTE, {"serviceAccountName": "a"}, {"serviceAccountName": "b"}]


@pytest.mark.parametrize(
    ("gate", "seen", "verdict"),
    [
        pytest.param(gates.cancelled, view(), None, id="not cancelled"),
        pytest.param(
            gates.cancelled, view({"cancelled": True}), (Outcome.CANCELLED, Reason.CANCELLED, Transition.CANCELLED),
            id="cancelled",
        ),
        pytest.param(gates.past_deadline, view(), None, id="in time"),
        pytest.param(gates.past_deadline, view(SOON), EXPIRED, id="over"),
        pytest.param(gates.past_deadline, view({**SOON, **LATER}), None, id="counts from notBefore"),
        pytest.param(gates.past_deadline, view({"startingDeadlineSeconds": 300}), NOT_STARTED, id="started too late"),
        pytest.param(gates.past_deadline, view({"startingDeadlineSeconds": 301}), None, id="may still start"),
        pytest.param(gates.invalid, view(), None, id="in order"),
        pytest.param(gates.invalid, view({"x": 1}), refused(Reason.UNKNOWN_FIELD), id="unknown field"),
        pytest.param(
            gates.invalid, view(steps=[{"name": "one", "x": 1}]), refused(Reason.UNKNOWN_FIELD), id="in a step"
        ),
        pytest.param(gates.invalid, view({"x": 1}, KNOWN), None, id="found in order before"),
        pytest.param(
            gates.invalid, view(steps=[{"name": "one", "when": "truth"}]), refused(Reason.INVALID_EXPRESSION), id="when"
        ),
        pytest.param(
            gates.invalid, view({"order": "Graph"}, steps=[{"name": "one", "dependsOn": ["x"]}]),
            refused(Reason.INVALID_GRAPH), id="graph",
        ),
        pytest.param(
            gates.invalid, view(steps=[{"name": "one", "action": "x"}]), refused(Reason.UNKNOWN_ACTION), id="type"
        ),
        pytest.param(
            gates.invalid, view(steps=[{"name": "one", "action": "x"}], created=JUST_NOW), ("later", GRACE_END),
            id="type may still come",
        ),
        pytest.param(gates.invalid, view(steps=SCALES), refused(Reason.RUNNER_MISSING), id="no runner"),
        pytest.param(gates.invalid, view({"serviceAccountName": "ops"}, steps=SCALES), None, id="runner of its own"),
        pytest.param(
            gates.invalid, view(steps=SCALES, policies=[EXECUTE, {"serviceAccountName": "a"}]), None,
            id="runner from policy",
        ),
        pytest.param(
            gates.invalid, view(steps=SCALES, policies=RUNNERS), refused(Reason.RUNNER_MISSING), id="runners differ"
        ),
        pytest.param(
            gates.invalid, view({"retry": {"minWaitSeconds": 90}}), refused(Reason.INVALID_SPEC), id="retry"
        ),
        pytest.param(
            gates.invalid,
            view({"retry": {"minWaitSeconds": 90}}, steps=[{"name": "one", "retry": {"maxWaitSeconds": 90}}]), None,
            id="mended by the step",
        ),
        pytest.param(gates.unseen, view(findings=None), Gather.PREVIEW, id="no preview yet"),
        pytest.param(gates.unseen, view(), None, id="just gathered"),
        pytest.param(gates.unseen, view(status=KNOWN, findings=None), None, id="seen before"),
        pytest.param(gates.refused_by_preview, view(), None, id="nothing refused"),
        pytest.param(
            gates.refused_by_preview, view(findings={"one": SEEN, "two": fault(reason="RightMissing")}),
            refused(Reason.RIGHT_MISSING), id="a right is missing",
        ),
        pytest.param(
            gates.refused_by_preview, view(findings={"one": fault(reason="RightMissing")}, created=JUST_NOW),
            ("later", GRACE_END), id="the right may still come",
        ),
        pytest.param(
            gates.refused_by_preview, view(findings={"two": fault(reason="TargetMissing")}), None,
            id="an earlier step may make the target",
        ),
        pytest.param(
            gates.refused_by_preview,
            view(findings={"two": Findings(fault=Fault(Reason.PREVIEW_REFUSED, "no policy allows it", lasting=True))}),
            refused(Reason.PREVIEW_REFUSED), id="no step before mends it",
        ),
        pytest.param(
            gates.refused_by_preview, view(findings={"one": SEEN, "two": Findings(unavailable="503")}),
            ("Blocked", Reason.PREVIEW_UNAVAILABLE, "preview", None), id="no answer is no fault of the object",
        ),
        pytest.param(gates.observe_only, view(), None, id="may run"),
        pytest.param(
            gates.observe_only, view({"mode": "DryRun"}), (Outcome.OBSERVED, Reason.DRY_RUN, Transition.OBSERVED),
            id="dry run",
        ),
        pytest.param(gates.observe_only, view(policies=[OBSERVE, EXECUTE]), WATCHED, id="observed"),
        pytest.param(gates.observe_only, view(policies=[]), WATCHED, id="no policy"),
        pytest.param(gates.observe_only, view(policies=[], created=JUST_NOW), ("later", GRACE_END), id="may come"),
        pytest.param(
            gates.observe_only,
            view(steps=[{"name": "one"}, {"name": "two", **POST}],
                 policies=[{**EXECUTE, "match": {"actions": ["log-message"]}}]),
            WATCHED, id="one step has no leave",
        ),
        pytest.param(gates.observe_only, view(status=KNOWN, policies=[]), None, id="leave lost later"),
        pytest.param(gates.too_early, view(), None, id="due"),
        pytest.param(gates.too_early, view(LATER), (Phase.SCHEDULED, after(60)), id="scheduled"),
        pytest.param(gates.leave_lost, view(status=KNOWN), None, id="leave kept"),
        pytest.param(
            gates.leave_lost, view(status=KNOWN, policies={"look": OBSERVE}),
            ("Blocked", Reason.OBSERVE_ONLY, "mode", "look"), id="leave lost",
        ),
        pytest.param(
            gates.leave_lost, view(status=KNOWN, types=SHIPPED_TYPES[2:]),
            ("Blocked", Reason.UNKNOWN_ACTION, "type", None), id="type gone",
        ),
        pytest.param(gates.suspended, view(), None, id="not suspended"),
        pytest.param(
            gates.suspended, view({"suspend": True}), ("Blocked", Reason.SUSPENDED, "suspend", None), id="suspended"
        ),
        pytest.param(gates.halted, view(), None, id="not halted"),
        pytest.param(
            gates.halted,
            view(steps=[{"name": "one"}, {"name": "two", **POST}],
                 policies={"go": EXECUTE, "stop": {**HALT, "match": {"actions": ["http-request"]}}}),
            ("Blocked", Reason.HALTED, "halt", "stop"), id="one of its actions is halted",
        ),
        pytest.param(
            gates.policy_unsupported, view(policies={"p": {**EXECUTE, "maintenance": True}}),
            ("Blocked", Reason.POLICY_NOT_SUPPORTED, "maintenance", "p"), id="policy not carried out",
        ),
    ],
)  # fmt: skip
def test_every_gate(gate: gates.Gate, seen: WorkflowView, verdict: Any) -> None:
    assert short(gate(seen, NOW)) == verdict


@pytest.mark.parametrize(
    ("circumstances", "gate"),
    [
        ({"spec": {"cancelled": True, **SOON}}, "cancelled"),
        ({"spec": {"x": 1, **SOON}}, "past_deadline"),
        ({"spec": {"x": 1}, "findings": None}, "invalid"),
        ({"policies": [OBSERVE], "findings": None}, "unseen"),
        ({"policies": [OBSERVE, HALT]}, "observe_only"),
        ({"spec": {**LATER, "suspend": True}}, "too_early"),
        ({"spec": {"suspend": True}, "policies": [EXECUTE, HALT]}, "suspended"),
        ({"status": KNOWN, "policies": [HALT]}, "leave_lost"),
        ({"policies": [EXECUTE, HALT]}, "halted"),
        ({"findings": {"one": fault(reason="RightMissing")}, "policies": [OBSERVE]}, "refused_by_preview"),
        ({"spec": LATER, "policies": [EXECUTE, HALT]}, "too_early"),
        ({"policies": [EXECUTE, {"maintenance": True}]}, "policy_unsupported"),
    ],
)
def test_gates_are_asked_in_order(circumstances: Any, gate: str) -> None:
    seen = view(**circumstances)
    assert next(one for one in gates.GATES if one(seen, NOW)).__name__ == gate


def test_all_faults_of_all_steps_are_told_at_once() -> None:
    seen = view(
        {"order": "Graph", "x": 1},
        steps=[
            {"name": "one", "action": "scale"},
            {"name": "two", "parameters": {"level": "Loud"}, "dependsOn": ["three"]},
        ],
    )
    found = gates.invalid(seen, NOW)
    assert isinstance(found, Finish)
    for words in (
        "spec.x", "[two].dependsOn: there is no step three", "[one].action: there is no ActionType",
        "[two].parameters.level", "[two].parameters.message: is required",
    ):  # fmt: skip
        assert words in found.message
