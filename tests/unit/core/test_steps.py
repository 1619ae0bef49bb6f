"""A workflow's steps as proposals: their names, what they ask for, and which proposal is really theirs."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.core.making import LOG, NOW, UID, WORKFLOW_UID, workflow

from controller.api.base import rfc3339
from controller.api.names import StepOutcome
from controller.api.proposal import ActionProposal
from controller.api.workflow import ActionWorkflow, StepStatus
from controller.core.ports import Json
from controller.core.steps import is_ours, mirrored, new_step, proposal_name
from controller.core.view import Child

DNS_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")
dns = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", fullmatch=True)
workflow_names = st.from_regex(
    r"[a-z0-9]([-a-z0-9]{0,8}[a-z0-9])?(\.[a-z0-9]([-a-z0-9]{0,8}[a-z0-9])?){0,5}", fullmatch=True
)
HOSTILE = ["a" * 63, "a" + "-" * 61 + "b", "a--b", "x", "0", "a." * 31 + "a"]


def named(name: str, uid: str = WORKFLOW_UID) -> ActionWorkflow:
    return workflow(name=name, uid=uid)[0]


@given(workflow_names.filter(lambda name: len(name) <= 63), dns, st.uuids())
def test_names_of_steps_are_names_of_objects(name: str, step: str, uid: Any) -> None:
    made = proposal_name(named(name, str(uid)), step)
    assert len(made) <= 63
    assert DNS_NAME.fullmatch(made)
    assert ".-" not in made
    assert "-." not in made
    assert made == proposal_name(named(name, str(uid)), step)


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("step", [one for one in HOSTILE if "." not in one])
def test_hostile_names_too(name: str, step: str) -> None:
    made = proposal_name(named(name), step)
    assert len(made) <= 63
    assert DNS_NAME.fullmatch(made)


def test_names_differ_by_step_and_by_workflow() -> None:
    long = "a" * 63
    made = {proposal_name(named(long, uid), step) for uid in ("1", "2") for step in ("b" * 62 + "1", "b" * 62 + "2")}
    assert len(made) == 4


def test_short_names_are_readable() -> None:
    assert re.fullmatch(r"roll-out-drain-[0-9a-f]{8}", proposal_name(named("roll-out"), "drain"))


SPEC: Any = {
    "ticket": "OPS-1",
    "serviceAccountName": "ops",
    "requestedBy": {"username": "ann", "groups": ["sre"]},
    "retry": {"maxAttempts": 5, "minWaitSeconds": 2},
    "activeDeadlineSeconds": 600,
    "ttlSecondsAfterFinished": 60,
    "notBefore": rfc3339(NOW),
}
STEP: Any = {"name": "one", "timeoutSeconds": 30, "retry": {"maxAttempts": 2}}


def body() -> Json:
    made, _ = workflow(SPEC, steps=[STEP])
    return new_step(made, made.spec.steps[0]).body


def test_a_step_asks_for_what_workflow_and_step_say() -> None:
    spec = body()["spec"]
    assert spec["action"] == LOG["action"]
    assert spec["parameters"] == LOG["parameters"]
    assert (spec["reason"], spec["ticket"], spec["serviceAccountName"]) == ("release", "OPS-1", "ops")
    assert spec["requestedBy"] == {"username": "ann", "uid": "", "groups": ["sre"]}
    assert spec["retry"] == {"maxAttempts": 2, "minWaitSeconds": 2.0}
    assert (spec["timeoutSeconds"], spec["activeDeadlineSeconds"]) == (30, 600)
    assert "ttlSecondsAfterFinished" not in spec
    assert "notBefore" not in spec
    assert body() == body()


def test_a_step_belongs_to_its_workflow() -> None:
    metadata = body()["metadata"]
    assert metadata["labels"] == {"actionoperator.dev/workflow": "roll-out", "actionoperator.dev/step": "one"}
    (owner,) = metadata["ownerReferences"]
    assert (owner["uid"], owner["controller"]) == (WORKFLOW_UID, True)


def found(change: Any = None, spec: Any = None) -> bool:
    made, _ = workflow(SPEC, steps=[STEP])
    raw = body()
    raw["metadata"] |= {"uid": UID, **(change or {})}
    raw["spec"] = {**raw["spec"], **(spec or {})}
    return is_ours(made, new_step(made, made.spec.steps[0]), Child(ActionProposal.model_validate(raw), raw["spec"]))


OWNER: Any = {"apiVersion": "actionoperator.dev/v1alpha1", "kind": "ActionWorkflow", "name": "roll-out"}


@pytest.mark.parametrize(
    ("change", "spec", "ours"),
    [
        pytest.param({}, {}, True, id="as made"),
        pytest.param({}, {"suspend": True}, True, id="suspended by a person"),
        pytest.param({}, {"cancelled": True}, True, id="cancelled by a person"),
        pytest.param({}, {"retry": {"maxAttempts": 2, "minWaitSeconds": 2}}, True, id="numbers as stored"),
        pytest.param({"ownerReferences": []}, {}, False, id="no owner"),
        pytest.param({"ownerReferences": [{**OWNER, "uid": "x", "controller": True}]}, {}, False, id="of another"),
        pytest.param({"ownerReferences": [{**OWNER, "uid": WORKFLOW_UID}]}, {}, False, id="not its controller"),
        pytest.param(
            {"ownerReferences": [{**OWNER, "kind": "Deployment", "uid": WORKFLOW_UID, "controller": True}]}, {}, False,
            id="owner of another kind",
        ),
        pytest.param({}, {"parameters": {"message": "other"}}, False, id="other parameters"),
        pytest.param({}, {"action": "wait"}, False, id="another action"),
        pytest.param({}, {"serviceAccountName": "admin"}, False, id="another runner"),
        pytest.param({}, {"requestedBy": {"username": "eve"}}, False, id="another requester"),
        pytest.param({}, {"reason": "mine"}, False, id="another reason"),
        pytest.param({}, {"retry": {"maxAttempts": 100}}, False, id="more attempts"),
        pytest.param({}, {"ttlSecondsAfterFinished": 1}, False, id="a TTL"),
        pytest.param({}, {"notBefore": rfc3339(NOW)}, False, id="another time"),
        pytest.param({}, {"mode": "DryRun"}, False, id="another mode"),
        pytest.param({}, {"extra": 1}, False, id="a field more"),
    ],
)  # fmt: skip
def test_only_what_was_made_for_the_step_is_taken(change: Any, spec: Any, ours: bool) -> None:
    assert found(change, spec) is ours


def test_what_does_not_exist_is_not_ours() -> None:
    made, _ = workflow()
    assert not is_ours(made, new_step(made, made.spec.steps[0]), Child(None, {}))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)


@given(json_values)
def test_parameters_reach_the_proposal_unchanged(value: Any) -> None:
    made, _ = workflow(steps=[{"name": "one", "parameters": {"value": value}}])
    assert new_step(made, made.spec.steps[0]).body["spec"]["parameters"] == {"value": value}


RECORDED = StepStatus(name="one", proposal="p", uid=UID)


def told(status: Any, uid: str = UID) -> StepStatus:
    raw = body()
    raw["metadata"] |= {"uid": uid}
    return mirrored(RECORDED, Child(ActionProposal.model_validate({**raw, "status": status}), raw["spec"]))


def test_running_costs_no_write() -> None:
    assert told({"phase": "Running", "startedAt": rfc3339(NOW), "message": "attempt 1"}) == RECORDED


def test_retries_are_mirrored() -> None:
    seen = told({"phase": "Retrying", "retryCount": 2, "nextRetryAt": rfc3339(NOW), "message": "503"})
    assert (seen.retry_count, seen.next_retry_at, seen.message, seen.outcome) == (2, NOW, "503", None)


@pytest.mark.parametrize("outcome", [one for one in StepOutcome if one is not StepOutcome.SKIPPED])
def test_endings_are_mirrored(outcome: StepOutcome) -> None:
    seen = told({"outcome": outcome.value, "completedAt": rfc3339(NOW), "message": "so"})
    assert (seen.outcome, seen.completed_at, seen.message) == (outcome, NOW, "so")


def test_a_recorded_child_that_is_gone_is_unknown() -> None:
    assert mirrored(RECORDED, Child(None, {})).outcome is StepOutcome.UNKNOWN
    assert told({"outcome": "Succeeded"}, uid="another").outcome is StepOutcome.UNKNOWN


def test_an_ended_step_never_changes() -> None:
    ended = RECORDED.model_copy(update={"outcome": StepOutcome.FAILED})
    assert mirrored(ended, Child(None, {})) == ended
