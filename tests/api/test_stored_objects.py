"""What the API server stores is what was sent, and what the models read is what the API server stores."""

from datetime import UTC, datetime
from typing import Any

import pytest
from api_server import ApiServer
from schema_manifests import DIGEST, FULL, IDENTITY, MINIMAL, PROPOSAL, WORKFLOW, Manifest, changed

from controller.api.base import unknown_fields
from controller.api.common import (
    ApprovalProgress,
    Blocked,
    Change,
    Condition,
    HistoryEntry,
    LifecycleStatus,
    Preview,
    Quorum,
    Undo,
    Vote,
)
from controller.api.kinds import KINDS
from controller.api.names import (
    AttemptResult,
    ConditionType,
    Mode,
    Outcome,
    Phase,
    Reason,
    Risk,
    StepOutcome,
    Transition,
)
from controller.api.proposal import Attempt, ProposalStatus
from controller.api.workflow import StepRollback, StepStatus, WorkflowStatus

MODEL = {kind.INFO.kind: kind for kind in KINDS}
every_kind = pytest.mark.parametrize("kind", MODEL)
with_status = pytest.mark.parametrize("kind", [kind for kind in MODEL if "status" in MODEL[kind].model_fields])

NOW = datetime(2026, 11, 22, 15, 4, 5, 123_000, tzinfo=UTC)
SHARED: dict[str, Any] = {
    "observed_generation": 1, "phase": Phase.FAILED, "outcome": Outcome.FAILED, "message": "no", "digest": DIGEST,
    "request_digest": DIGEST, "retry_count": 1, "next_retry_at": NOW, "started_at": NOW, "completed_at": NOW,
    "risk": Risk.HIGH, "mode": Mode.OBSERVE,
    "approval": ApprovalProgress(
        required=2, have=1, groups=("sre",), expires_at=NOW, requested_at=NOW, allow_self=False, valid_seconds=3600,
        request_timeout_seconds=7200, on_drift="Proceed",
        quorums=(Quorum(policy="prod", required=2, groups=("sre", "dba")), Quorum(required=1)),
    ),
    "approvals": (Vote(name="yes", username="alice", decision="Approve", comment="ok", at=NOW),),
    "blocked": Blocked(policy="default", rule="halt", until=NOW),
    "preview": Preview(
        summary="one field",
        changes=(
            Change(target="Deployment shop/checkout", path="spec.replicas", before=4, after=6, managed_by="hpa"),
            Change(target="ConfigMap shop/x", path="data", before={"a": [1, None]}, after="text"),
        ),
        warnings=("careful",),
        computed_at=NOW,
    ),
    "history": (HistoryEntry(n=1, at=NOW, reason=Transition.PROPOSED, actor="unverified:alice", message="m"),),
    "conditions": (
        Condition(
            type=ConditionType.READY, status="False", reason=Reason.SCHEDULED, message="late", last_transition_time=NOW,
            observed_generation=1,
        ),
    ),
}  # fmt: skip
STATUS: dict[str, LifecycleStatus] = {
    PROPOSAL: ProposalStatus(
        **SHARED,
        runner="checkout-ops",
        attempts=(
            Attempt(
                number=1, id="i", operation="o", owner="w", type_digest=DIGEST, idempotent=True, started_at=NOW,
                deadline=NOW, done_at=NOW, finished_at=NOW, result=AttemptResult.FAILED, reason=Reason.EFFECT_FAILED,
                message="m",
            ),
        ),
        outputs={"evicted": 3, "names": ["a"], "deep": {"x": [None]}},
        undo=Undo(action="scale-workload", parameters={"replicas": 4}),
    ),
    WORKFLOW: WorkflowStatus(
        **SHARED,
        progress="1/2",
        steps=(
            StepStatus(
                name="drain", proposal="p", uid="u", outcome=StepOutcome.FAILED, retry_count=1, next_retry_at=NOW,
                message="m", started_at=NOW, completed_at=NOW,
                rollback=StepRollback(proposal="p", uid="u", outcome=Outcome.SUCCEEDED),
            ),
        ),
    ),
}  # fmt: skip


@every_kind
def test_every_field_of_a_spec_is_stored_as_sent(kind: str, server: ApiServer) -> None:
    assert server.stored(FULL[kind])["spec"] == FULL[kind]["spec"]


@every_kind
@pytest.mark.parametrize("manifests", [MINIMAL, FULL], ids=["minimal", "full"])
def test_the_server_fills_in_what_the_model_does(kind: str, manifests: dict[str, Manifest], server: ApiServer) -> None:
    stored = server.stored(manifests[kind])
    read = MODEL[kind].model_validate(stored)
    assert list(unknown_fields(read, kind)) == []
    sent = MODEL[kind].model_validate(manifests[kind])
    assert read.model_dump(include={"spec"}) == sent.model_dump(include={"spec"})


@with_status
def test_a_new_object_has_the_generation_that_was_never_observed(kind: str, server: ApiServer) -> None:
    given = changed(MINIMAL[kind], {"status": {"observedGeneration": 1}})
    assert server.stored(given)["status"] == {"observedGeneration": -1}


def test_a_vote_has_no_status(server: ApiServer) -> None:
    vote = server.stored(MINIMAL["ActionApproval"])
    assert "status" not in vote
    assert server.patch_status(vote, {}).status == 404


def test_a_user_cannot_bring_a_status(server: ApiServer) -> None:
    given = changed(MINIMAL[PROPOSAL], {"status": {"observedGeneration": 1, "outcome": "Succeeded"}})
    stored = server.stored(given)
    assert stored["status"] == {"observedGeneration": -1}
    replaced = server.replace(changed(stored, {"status.outcome": "Succeeded", "spec.suspend": True}))
    assert replaced.body["status"] == {"observedGeneration": -1}


@pytest.mark.parametrize("kind", STATUS)
def test_every_field_of_a_status_is_stored_as_sent(kind: str, server: ApiServer) -> None:
    status = STATUS[kind]
    answer = server.patch_status(server.stored(MINIMAL[kind]), status.wire(), dry_run=False)
    assert answer.accepted, answer.says
    assert answer.body["status"] == status.wire()
    assert MODEL[kind].model_validate(answer.body).model_dump()["status"] == status.model_dump()


def test_a_merge_patch_drops_nulls_wherever_they_stand(server: ApiServer) -> None:
    """So a preview of a field that becomes null has no `after`, and nulls in outputs are lost but in lists."""
    change = {"target": "ConfigMap shop/x", "path": "data", "before": {"a": "b", "c": None}, "after": None}
    preview = {"summary": "s", "changes": [change], "computedAt": "2026-11-22T15:04:05.123Z"}
    answer = server.patch_status(server.stored(MINIMAL[PROPOSAL]), {"preview": preview, "outputs": {"a": {"b": None}}})
    assert answer.accepted, answer.says
    (stored,) = answer.body["status"]["preview"]["changes"]
    assert (stored["before"], "after" in stored) == ({"a": "b"}, False)
    assert answer.body["status"]["outputs"] == {"a": {}}


def test_a_status_write_is_no_new_generation(server: ApiServer) -> None:
    stored = server.stored(MINIMAL[PROPOSAL])
    written = server.patch_status(stored, {"message": "seen"}, dry_run=False)
    assert written.body["metadata"]["generation"] == stored["metadata"]["generation"] == 1


def test_a_requester_may_have_many_groups(server: ApiServer) -> None:
    """An object with the longest identity still fits into the store."""
    identity = IDENTITY | {"groups": [f"group-{n:04}-{'x' * 500}" for n in range(1000)]}
    assert server.stored(changed(FULL[PROPOSAL], {"spec.requestedBy": identity}))["metadata"]["uid"]
