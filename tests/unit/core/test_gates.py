"""Every gate before a claim: what it lets through, what it refuses, and how."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from unit.core.making import (
    CHANCE,
    CREATED,
    EXECUTE,
    HALT,
    LOG,
    NOW,
    OBSERVE,
    POST,
    PROVEN,
    SEEN,
    SHIPPED_TYPES,
    UID,
    VALIDATED,
    WORKFLOW_UID,
    FixedUsage,
    after,
    attempt,
    claimed,
    fault,
    policy,
    type_entry,
    view,
    vote,
    with_status,
    workflow,
)

from controller.api.base import rfc3339
from controller.api.names import Outcome, Phase, Reason, Transition
from controller.api.workflow import ActionWorkflow
from controller.core import gates
from controller.core.decision import Gather
from controller.core.limits import PolicyUsage
from controller.core.proposal import decide
from controller.core.verdicts import Block, Fetch, Finish, Hold, Postpone, Verdict
from controller.core.view import Findings, ProposalView

JUST_NOW = NOW - timedelta(seconds=3)
GRACE_END = JUST_NOW + timedelta(seconds=10)
OWNED: Any = {
    "ownerReferences": [
        {"apiVersion": "x/v1", "kind": "ActionWorkflow", "name": "roll-out", "uid": WORKFLOW_UID, "controller": True}
    ]
}


def parent(*uids: str, **spec: Any) -> ActionWorkflow:
    """A live workflow whose status lists steps with these uids."""
    steps = [{"name": f"s{number}", "proposal": "p", "uid": uid} for number, uid in enumerate(uids)]
    return workflow(spec, {"steps": steps})[0]


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


FAILED = Outcome.FAILED
NOT_VALID = Transition.VALIDATION_FAILED
UNCLEAR = attempt(1, "Unknown")
INTERRUPTED_UNCLEAR = attempt(1, "Interrupted", reason="OutcomeUnknown")
INTERRUPTED_SURE = attempt(1, "Interrupted", reason="Halted")
NOT_DONE = attempt(1, "NotDone")
DONE = attempt(1, "Failed", doneAt=rfc3339(CREATED))

CANCELLED = (Outcome.CANCELLED, Reason.CANCELLED, Transition.CANCELLED)
ENDS_UNKNOWN = (Outcome.UNKNOWN, Reason.OUTCOME_UNKNOWN, Transition.OUTCOME_UNKNOWN)
EFFECT_MADE = (Outcome.CANCELLED, Reason.EFFECT_MADE, Transition.CANCELLED)
ORPHAN = (Outcome.CANCELLED, Reason.NOT_A_STEP, Transition.CANCELLED)
NO_STEP = ("Blocked", Reason.NOT_A_STEP, "workflow", None)
LATE = (Outcome.FAILED, Reason.DEADLINE_EXCEEDED, Transition.FAILED)
EXPIRED = (Outcome.EXPIRED, Reason.DEADLINE_EXCEEDED, Transition.EXPIRED)
NOT_STARTED = (Outcome.EXPIRED, Reason.STARTING_DEADLINE_EXCEEDED, Transition.EXPIRED)
SOON: Any = {"activeDeadlineSeconds": 300}  # from CREATED: over right now
ONE_ONLY = {"type": "object", "maxProperties": 1}
OTHERS = tuple(entry for entry in SHIPPED_TYPES if entry.type.metadata.name != "scale-workload")


@pytest.mark.parametrize(
    ("seen", "verdict"),
    [
        pytest.param(view(), None, id="of nobody"),
        pytest.param(view(metadata=OWNED, parent=parent(UID)), None, id="listed"),
        pytest.param(view(metadata=OWNED, parent=parent("another")), NO_STEP, id="not listed"),
        pytest.param(view(metadata=OWNED), ORPHAN, id="workflow is gone"),
        pytest.param(view(metadata=OWNED, status=claimed(NOT_DONE)), NO_STEP, id="workflow is gone after its claim"),
        pytest.param(view(metadata=OWNED, created=JUST_NOW), ("later", GRACE_END), id="workflow not seen yet"),
        pytest.param(view(metadata={"labels": {"actionoperator.dev/workflow": "roll-out"}}), ORPHAN, id="by label"),
        pytest.param(
            view(metadata=OWNED, parent=parent(), created=JUST_NOW), ("later", GRACE_END), id="not listed yet"
        ),
    ],
)
def test_only_a_listed_step_may_say_that_it_is_one(seen: ProposalView, verdict: Any) -> None:
    assert short(gates.not_a_step(seen, NOW)) == verdict


@pytest.mark.parametrize(
    ("seen", "verdict"),
    [
        pytest.param(view(), None, id="no"),
        pytest.param(view({"cancelled": True}), CANCELLED, id="before anything"),
        pytest.param(view(parent=parent(UID, cancelled=True)), CANCELLED, id="with its workflow"),
        pytest.param(view({"cancelled": True}, claimed(NOT_DONE)), CANCELLED, id="nothing was done"),
        pytest.param(view({"cancelled": True}, claimed(INTERRUPTED_SURE)), CANCELLED, id="interrupted before"),
        pytest.param(view({"cancelled": True}, claimed(UNCLEAR)), ENDS_UNKNOWN, id="an answer is lost"),
        pytest.param(view({"cancelled": True}, claimed(INTERRUPTED_UNCLEAR)), ENDS_UNKNOWN, id="lost in a crash"),
        pytest.param(
            view({"cancelled": True}, claimed(UNCLEAR, attempt(2, "NotDone"))), ENDS_UNKNOWN, id="lost earlier"
        ),
        pytest.param(view({"cancelled": True}, claimed(DONE)), EFFECT_MADE, id="done, not verified"),
        pytest.param(
            view({"cancelled": True}, claimed(UNCLEAR, attempt(2, "Failed", doneAt=rfc3339(NOW)))),
            EFFECT_MADE,
            id="lost, then proven done",
        ),
        pytest.param(
            view({"cancelled": True}, claimed(UNCLEAR, attempt(2, "NotDone", operation="another"))),
            CANCELLED,
            id="lost, but that operation failed since",
        ),
    ],
)
def test_what_is_cancelled_ends_by_what_its_attempts_left_behind(seen: ProposalView, verdict: Any) -> None:
    assert short(gates.cancelled(seen, NOW)) == verdict


@pytest.mark.parametrize(
    ("seen", "verdict"),
    [
        pytest.param(view(), None, id="in time"),
        pytest.param(view({"activeDeadlineSeconds": 301}), None, id="a second left"),
        pytest.param(view(SOON), EXPIRED, id="over, nothing claimed"),
        pytest.param(view(SOON, VALIDATED), EXPIRED, id="over while it waited"),
        pytest.param(view(SOON, claimed(NOT_DONE)), LATE, id="over after an attempt"),
        pytest.param(view(SOON, claimed(UNCLEAR)), ENDS_UNKNOWN, id="over with a lost answer"),
        pytest.param(view(SOON, claimed(DONE)), LATE, id="over before it was verified"),
        pytest.param(view({**SOON, "notBefore": rfc3339(after(-10))}), None, id="counts from notBefore"),
        pytest.param(view({**SOON, "notBefore": rfc3339(after(-300))}), EXPIRED, id="over since notBefore"),
        pytest.param(view({"startingDeadlineSeconds": 301}), None, id="may still start"),
        pytest.param(view({"startingDeadlineSeconds": 300}), NOT_STARTED, id="started too late"),
        pytest.param(view({"startingDeadlineSeconds": 300}, claimed(NOT_DONE)), None, id="started in time, retrying"),
        pytest.param(
            view({"startingDeadlineSeconds": 60, "notBefore": rfc3339(after(-59))}), None, id="starts after notBefore"
        ),
        pytest.param(view(parent=parent(UID, activeDeadlineSeconds=300)), EXPIRED, id="over with its workflow"),
    ],
)
def test_deadlines_expire_what_never_started_and_fail_what_did(seen: ProposalView, verdict: Any) -> None:
    assert short(gates.past_deadline(seen, NOW)) == verdict


@pytest.mark.parametrize(
    ("seen", "verdict", "words"),
    [
        pytest.param(view(), None, "", id="in order"),
        pytest.param(
            view({"colour": "red"}), (FAILED, Reason.UNKNOWN_FIELD, NOT_VALID), "spec.colour", id="unknown field"
        ),
        pytest.param(
            view({"retry": {"maxTries": 3}}),
            (FAILED, Reason.UNKNOWN_FIELD, NOT_VALID),
            "spec.retry.maxTries",
            id="unknown field inside",
        ),
        pytest.param(
            view({"verify": [{"resource": {"apiVersion": "v1", "kind": "Pod", "name": "x"}, "expression": "objct"}]}),
            (FAILED, Reason.INVALID_EXPRESSION, NOT_VALID),
            "spec.verify[0].expression",
            id="bad check",
        ),
        pytest.param(
            view({"action": "scale"}), (FAILED, Reason.UNKNOWN_ACTION, NOT_VALID), "scale-workload", id="unknown type"
        ),
        pytest.param(view({"action": "scale"}, created=JUST_NOW), ("later", GRACE_END), "", id="type may still come"),
        pytest.param(
            view({"action": "scale", "colour": "red"}, created=JUST_NOW),
            (FAILED, Reason.UNKNOWN_FIELD, NOT_VALID),
            "spec.colour",
            id="not everything may still come",
        ),
        pytest.param(
            view(types=[type_entry("scale-workload", executor={"builtIn": {"name": "scale-workload", "version": 9}})]),
            (FAILED, Reason.TYPE_NOT_READY, NOT_VALID),
            "apply the catalogue",
            id="type of another version",
        ),
        pytest.param(
            view({"parameters": {"kind": "Pod", "name": "x", "replicas": -1}}),
            (FAILED, Reason.INVALID_PARAMETERS, NOT_VALID),
            "spec.parameters.kind",
            id="parameters",
        ),
        pytest.param(
            view({"serviceAccountName": None}),
            (FAILED, Reason.RUNNER_MISSING, NOT_VALID),
            "spec.serviceAccountName",
            id="no runner",
        ),
        pytest.param(
            view({"serviceAccountName": None}, policies=[EXECUTE, {"serviceAccountName": "ops"}]),
            None,
            "",
            id="runner from policy",
        ),
        pytest.param(view({**LOG, "serviceAccountName": None}), None, "", id="needs no runner"),
        pytest.param(
            view({"retry": {"minWaitSeconds": 90}}),
            (FAILED, Reason.INVALID_SPEC, NOT_VALID),
            "spec.retry",
            id="retry contradicts the defaults",
        ),
        pytest.param(view({"action": "scale"}, VALIDATED), None, "", id="found in order before"),
    ],
)
def test_what_is_wrong_in_itself_is_named(seen: ProposalView, verdict: Any, words: str) -> None:
    found = gates.invalid(seen, NOW)
    assert short(found) == verdict
    if isinstance(found, Finish):
        assert words in found.message


def test_all_faults_are_told_at_once() -> None:
    found = gates.invalid(view({"colour": "red", "parameters": {"kind": "Pod", "replicas": "many"}}), NOW)
    assert isinstance(found, Finish)
    for path in ("spec.colour", "spec.parameters.kind", "spec.parameters.name", "spec.parameters.replicas"):
        assert path in found.message


def test_policies_that_name_different_runners_block_unless_one_is_named() -> None:
    split = [EXECUTE, {"serviceAccountName": "a"}, {"serviceAccountName": "b"}]
    without = view({"serviceAccountName": None}, policies=split)
    assert short(gates.without_agreed_runner(without, NOW)) == (
        "Blocked", Reason.POLICY_CONFLICT, "serviceAccountName", None,
    )  # fmt: skip
    assert gates.invalid(without, NOW) is None
    assert gates.without_agreed_runner(view(policies=split), NOW) is None
    pinned = view({"serviceAccountName": None}, claimed(NOT_DONE), policies=split)
    assert gates.without_agreed_runner(pinned, NOW) is None


@pytest.mark.parametrize(
    ("seen", "first", "last"),
    [
        pytest.param(view(findings=None), Gather.PREVIEW, Gather.PREVIEW, id="new"),
        pytest.param(view(findings=SEEN), None, None, id="just gathered"),
        pytest.param(view(status=VALIDATED, findings=None), None, Gather.PREVIEW, id="from before: fresh at the claim"),
        pytest.param(view(status=claimed(NOT_DONE), findings=None), None, None, id="pinned by the first claim"),
    ],
)
def test_a_preview_comes_first_and_again_right_before_the_first_claim(
    seen: ProposalView, first: Gather | None, last: Gather | None
) -> None:
    assert short(gates.unseen(seen, NOW)) == first
    assert short(gates.outdated(seen, NOW)) == last


@pytest.mark.parametrize(
    ("seen", "verdict"),
    [
        pytest.param(view(), None, id="nothing wrong"),
        pytest.param(view(findings=None), None, id="nothing gathered"),
        pytest.param(view(findings=fault()), (FAILED, Reason.TARGET_MISSING, NOT_VALID), id="target missing"),
        pytest.param(view(findings=fault(), created=JUST_NOW), ("later", GRACE_END), id="target may still come"),
        pytest.param(
            view(findings=Findings(unavailable="503")),
            ("Blocked", Reason.PREVIEW_UNAVAILABLE, "preview", None),
            id="no answer is no fault of the object",
        ),
        pytest.param(
            view(findings=fault(missing=False, reason="PreviewRefused"), created=JUST_NOW),
            (FAILED, Reason.PREVIEW_REFUSED, NOT_VALID),
            id="refused for good",
        ),
    ],
)
def test_what_the_dry_run_refuses_is_refused(seen: ProposalView, verdict: Any) -> None:
    assert short(gates.refused_by_preview(seen, NOW)) == verdict


DRY = (Outcome.OBSERVED, Reason.DRY_RUN, Transition.OBSERVED)
WATCHED = (Outcome.OBSERVED, Reason.OBSERVE_ONLY, Transition.OBSERVED)


@pytest.mark.parametrize(
    ("seen", "verdict"),
    [
        pytest.param(view(), None, id="may run"),
        pytest.param(view({"mode": "DryRun"}), DRY, id="dry run asked for"),
        pytest.param(view({"mode": "DryRun"}, policies=[OBSERVE]), DRY, id="dry run asked for, no leave either"),
        pytest.param(view(policies=[OBSERVE]), WATCHED, id="a policy observes"),
        pytest.param(view(policies=[EXECUTE, OBSERVE]), WATCHED, id="the stricter wins"),
        pytest.param(view(policies=[]), WATCHED, id="no policy at all"),
        pytest.param(view(policies=[{"http": {}}]), WATCHED, id="no policy with a mode"),
        pytest.param(view(policies=[], created=JUST_NOW), ("later", GRACE_END), id="the policy may still come"),
        pytest.param(view(policies=[OBSERVE], created=JUST_NOW), WATCHED, id="no waiting for what is said"),
        pytest.param(view(status=VALIDATED, policies=[]), None, id="leave lost later never ends it"),
        pytest.param(view(policies=[], parent=parent(UID)), None, id="a step was let through by its workflow"),
    ],
)
def test_without_leave_it_ends_with_its_preview(seen: ProposalView, verdict: Any) -> None:
    assert short(gates.observe_only(seen, NOW)) == verdict


@pytest.mark.parametrize(
    ("seen", "verdict"),
    [
        pytest.param(view(), None, id="now"),
        pytest.param(view({"notBefore": rfc3339(NOW)}), None, id="just due"),
        pytest.param(view({"notBefore": rfc3339(after(60))}), (Phase.SCHEDULED, after(60)), id="scheduled"),
        pytest.param(view(status=claimed(NOT_DONE, nextRetryAt=rfc3339(NOW))), None, id="retry due"),
        pytest.param(
            view(status=claimed(NOT_DONE, nextRetryAt=rfc3339(after(4)))), (Phase.RETRYING, after(4)), id="retry later"
        ),
    ],
)
def test_nothing_starts_before_its_time(seen: ProposalView, verdict: Any) -> None:
    assert short(gates.too_early(seen, NOW)) == verdict


@pytest.mark.parametrize(
    ("gate", "seen", "verdict"),
    [
        pytest.param(gates.suspended, view(), None, id="not suspended"),
        pytest.param(
            gates.suspended, view({"suspend": True}), ("Blocked", Reason.SUSPENDED, "suspend", None), id="suspended"
        ),
        pytest.param(
            gates.suspended,
            view(parent=parent(UID, suspend=True)),
            ("Blocked", Reason.SUSPENDED, "suspend", None),
            id="suspended with its workflow",
        ),
        pytest.param(gates.leave_lost, view(), None, id="leave kept"),
        pytest.param(
            gates.leave_lost,
            view(status=VALIDATED, types=OTHERS),
            ("Blocked", Reason.UNKNOWN_ACTION, "type", None),
            id="type gone",
        ),
        pytest.param(
            gates.leave_lost,
            view(
                status=VALIDATED,
                types=[type_entry("scale-workload", parameters={"type": "object", "maxProperties": 1})],
            ),
            ("Blocked", Reason.INVALID_PARAMETERS, "type", None),
            id="type changed",
        ),
        pytest.param(
            gates.leave_lost,
            view(status=VALIDATED, policies={"a": OBSERVE}),
            ("Blocked", Reason.OBSERVE_ONLY, "mode", "a"),
            id="mode taken back",
        ),
        pytest.param(
            gates.leave_lost,
            view(status=claimed(NOT_DONE), policies=[]),
            ("Blocked", Reason.OBSERVE_ONLY, "mode", None),
            id="policy gone between attempts",
        ),
        pytest.param(
            gates.leave_lost,
            view({"serviceAccountName": None}, VALIDATED),
            ("Blocked", Reason.RUNNER_MISSING, "serviceAccountName", None),
            id="the policy that named the runner is gone",
        ),
        pytest.param(
            gates.leave_lost,
            view(
                {"retry": {"minWaitSeconds": 90}},
                VALIDATED,
                types=[type_entry("scale-workload", defaults={"retry": {"maxWaitSeconds": 30}})],
            ),
            ("Blocked", Reason.INVALID_SPEC, "type", None),
            id="the type's retry defaults contradict now",
        ),
        pytest.param(gates.halted, view(), None, id="not halted"),
        pytest.param(
            gates.halted,
            view(policies={"go": EXECUTE, "stop": HALT}),
            ("Blocked", Reason.HALTED, "halt", "stop"),
            id="halted",
        ),
        pytest.param(
            gates.halted,
            view(policies=[EXECUTE, {**HALT, "match": {"namespaces": ["other"]}}]),
            None,
            id="halted elsewhere",
        ),
        pytest.param(gates.policy_unsupported, view(), None, id="policies carried out"),
        pytest.param(
            gates.policy_unsupported,
            view(policies={"p": {**EXECUTE, "kinds": {"allowed": ["ConfigMap", "Secret"]}}}),
            ("Blocked", Reason.POLICY_NOT_SUPPORTED, "kinds.allowed[1]", "p"),
            id="policy allows what none can",
        ),
        pytest.param(
            gates.policy_unsupported,
            view(policies={"p": {**EXECUTE, "maintenance": True}}),
            ("Blocked", Reason.POLICY_NOT_SUPPORTED, "maintenance", "p"),
            id="policy field unknown",
        ),
    ],
)
def test_what_is_due_but_may_not_start_is_blocked(gate: gates.Gate, seen: ProposalView, verdict: Any) -> None:
    assert short(gate(seen, NOW)) == verdict


ORDER = [
    pytest.param({"spec": {"cancelled": True, **SOON}}, "cancelled", id="cancelled before deadlines"),
    pytest.param({"spec": {"action": "x", **SOON}}, "past_deadline", id="deadlines before faults"),
    pytest.param({"spec": {"action": "x"}, "findings": None}, "invalid", id="faults before the preview"),
    pytest.param({"findings": None, "policies": [OBSERVE]}, "unseen", id="the preview before it ends observed"),
    pytest.param({"findings": fault(), "policies": [OBSERVE]}, "refused_by_preview", id="its faults before observed"),
    pytest.param({"policies": [OBSERVE, HALT]}, "observe_only", id="observed before halted"),
    pytest.param({"spec": {"notBefore": rfc3339(after(9)), "suspend": True}}, "too_early", id="scheduled, not blocked"),
    pytest.param({"spec": {"suspend": True}, "policies": [EXECUTE, HALT]}, "suspended", id="suspended before halted"),
    pytest.param({"policies": [EXECUTE, HALT]}, "halted", id="halted"),
    pytest.param({"status": VALIDATED, "findings": None}, "outdated", id="the fresh preview last"),
    pytest.param(
        {"metadata": OWNED, "spec": {"cancelled": True}}, "cancelled", id="what is no step can still be cancelled"
    ),
    pytest.param({"metadata": OWNED, "spec": SOON}, "past_deadline", id="what is no step still expires"),
    pytest.param({"metadata": OWNED, "spec": {"action": "x"}}, "not_a_step", id="what is no step is not looked at"),
]


PROTECT: Any = {"protect": {"namespaces": ["shop"]}}
FREEZE: Any = {"freezes": [{"start": rfc3339(CREATED), "end": rfc3339(after(60)), "reason": "holidays"}]}
NEVER: Any = {"windows": [{"start": "01:00", "end": "02:00", "timeZone": "UTC"}]}
FULL: Any = {"limits": {"maxConcurrent": 1}}
TAKEN = FixedUsage(PolicyUsage(running=1))
SPLIT = {"policies": [EXECUTE, HALT, {"serviceAccountName": "a"}, {"serviceAccountName": "b"}]}
UNSAFE = {"status": claimed(UNCLEAR), "types": [type_entry("scale-workload", idempotent=False)]}
ORDER += [
    pytest.param(
        {"spec": {"serviceAccountName": None}, **SPLIT}, "without_agreed_runner", id="runners before all else"
    ),
    pytest.param({"status": VALIDATED, "policies": [HALT]}, "leave_lost", id="leave before halts"),
    pytest.param({**UNSAFE, "policies": [EXECUTE, HALT]}, "unsafe_to_repeat", id="unsafe to repeat, halted or not"),
    pytest.param({"policies": [EXECUTE, {"maintenance": True}]}, "policy_unsupported", id="policy not carried out"),
    pytest.param(
        {"policies": [EXECUTE, {"maintenance": True, **PROTECT}]}, "policy_unsupported", id="and before all its rules"
    ),
    pytest.param({"policies": [EXECUTE, {**PROTECT, **FREEZE}]}, "protected", id="refused before put off"),
    pytest.param({"policies": [EXECUTE, {**NEVER, **FREEZE}]}, "outside_window", id="windows before freezes"),
    pytest.param({"policies": [EXECUTE, {**FREEZE, **FULL}], "usage": TAKEN}, "frozen", id="freezes before limits"),
    pytest.param(
        {"policies": [EXECUTE, FULL], "usage": TAKEN, "status": VALIDATED, "findings": None},
        "over_limit",
        id="limits before the fresh preview",
    ),
]


ASKS = {"policies": [{**EXECUTE, "approval": {"required": 1}}], "enforcement": PROVEN}
BY_ALICE = {"requestedBy": {"username": "alice"}}
SHOWN = decide(view(BY_ALICE, **ASKS), NOW, CHANCE).status
assert SHOWN is not None
AGREED = {**ASKS, "spec": BY_ALICE, "status": SHOWN, "votes": [vote("bob", SHOWN.digest or "")]}
REJECTED = {"votes": [vote("eve", decision="Reject")], "enforcement": PROVEN}
ORDER += [
    pytest.param({**REJECTED, "spec": SOON}, "rejected", id="rejected before deadlines"),
    pytest.param({**REJECTED, "spec": {"cancelled": True}}, "cancelled", id="cancelled before rejected"),
    pytest.param({**ASKS, "spec": {"notBefore": rfc3339(after(9))}}, "unapproved", id="approval before its time"),
    pytest.param({**ASKS, "status": VALIDATED}, "changed_since_shown", id="what is shown before approval"),
    pytest.param({**AGREED, "findings": None}, "outdated", id="approved, then looked at anew"),
    pytest.param(
        {
            "status": claimed(NOT_DONE, approval=(SHOWN.approval or SHOWN).wire()),
            "types": [type_entry("scale-workload", description="another")],
        },
        "changed_since_approved",
        id="another type under the old approval",
    ),
    pytest.param(AGREED, "unchecked", id="whether they still may approve, last"),
]


def test_every_gate_is_in_the_chain_and_tried() -> None:
    assert {gate.__name__ for gate in gates.GATES} == {case.values[1] for case in ORDER}


@pytest.mark.parametrize(("circumstances", "gate"), ORDER)
def test_gates_are_asked_in_order(circumstances: Any, gate: str) -> None:
    seen = view(**circumstances)
    first = next(gate for gate in gates.GATES if gate(seen, NOW))
    assert first.__name__ == gate
    assert gates.first_refusal(seen, NOW) == first(seen, NOW)


def test_what_is_in_order_and_due_is_claimed_at_once_with_one_write() -> None:
    decision = decide(view(), NOW, CHANCE)
    assert decision.status is not None
    assert decision.act is not None
    assert decision.status.attempts == (decision.act.attempt,)
    assert [entry.reason for entry in decision.status.history] == ["Proposed", "Validated", "Executing"]


@pytest.mark.parametrize(
    "circumstances",
    [
        pytest.param({"policies": [EXECUTE, HALT]}, id="halted"),
        pytest.param({"spec": {"suspend": True}}, id="suspended"),
        pytest.param({"spec": {"notBefore": rfc3339(after(60))}}, id="scheduled"),
        pytest.param({"status": VALIDATED, "policies": []}, id="leave lost"),
        pytest.param({"metadata": OWNED, "parent": parent("another")}, id="not a step"),
        pytest.param({"status": claimed(NOT_DONE, nextRetryAt=rfc3339(after(9)))}, id="retry later"),
        pytest.param({"created": JUST_NOW, "policies": []}, id="policy may still come"),
    ],
)
def test_what_waits_is_looked_at_again_later_and_written_once(circumstances: Any) -> None:
    seen = view(**circumstances)
    first = decide(seen, NOW, CHANCE)
    assert first.act is None
    assert first.wake_at is not None
    assert first.wake_at > NOW
    stored = with_status(seen, first.status or seen.proposal.status)
    again = decide(stored, NOW, CHANCE)
    assert again.status in (None, stored.proposal.status)
    assert again.wake_at == first.wake_at


@pytest.mark.parametrize("moment", [after(300), after(10_000)])
def test_whatever_blocks_it_nothing_waits_beyond_its_deadline(moment: datetime) -> None:
    for circumstances in (
        {"policies": [EXECUTE, HALT]}, {"spec": {"suspend": True}}, {"metadata": OWNED},
        {"status": VALIDATED, "types": OTHERS}, {"status": VALIDATED, "policies": []},
    ):  # fmt: skip
        spec = {"activeDeadlineSeconds": 600, **circumstances.get("spec", {})}
        decision = decide(view(**{**circumstances, "spec": spec}), moment, CHANCE)  # type: ignore[arg-type]
        assert decision.status is not None
        assert decision.status.outcome is Outcome.EXPIRED


def test_a_lost_answer_is_not_repeated_when_the_type_says_no_longer_that_this_is_safe() -> None:
    seen = view(status=claimed(UNCLEAR), types=[type_entry("scale-workload", idempotent=False)])
    decision = decide(seen, NOW, CHANCE)
    assert decision.act is None
    assert decision.status is not None
    assert decision.status.outcome is Outcome.UNKNOWN


def test_a_claim_records_what_judges_it_later() -> None:
    decision = decide(view(POST), NOW, CHANCE)
    assert decision.act is not None
    made = decision.act.attempt
    assert (made.number, made.owner, made.idempotent) == (1, "operator-1", False)
    assert made.type_digest == type_entry("http-request").digest
    assert made.started_at == NOW


def test_unknown_risks_are_judged_as_any_risk() -> None:
    """A policy for a risk also holds where the type, and so the risk, is not known."""
    seen = view({"action": "gone"}, VALIDATED, policies=[{**HALT, "match": {"risks": ["Critical"]}}, EXECUTE])
    assert short(gates.halted(seen, NOW)) == ("Blocked", Reason.HALTED, "halt", "policy-0")
    assert policy(HALT).spec.halt
