"""A workflow's steps and the proposals made of them: names, bodies, whether a proposal found is ours, what it tells."""

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

from controller.api.base import API_VERSION
from controller.api.common import Undo
from controller.api.names import Mode, Reason, StepOutcome
from controller.api.proposal import ProposalSpec, ProposalStatus
from controller.api.workflow import ActionWorkflow, OnFailure, Step, StepRollback, StepStatus
from controller.core.decision import NewStep
from controller.core.definition import plan_of
from controller.core.digest import canonical
from controller.core.part import PART_LABEL, Part
from controller.core.ports import Json
from controller.core.shard import shard_of
from controller.core.status import bounded
from controller.core.verdicts import WORKFLOW_KIND
from controller.core.view import Child

WORKFLOW_LABEL = "actionoperator.dev/workflow"
STEP_LABEL = "actionoperator.dev/step"
MAX_NAME = 63
GONE = "its proposal is gone; look at the target"
_HASH_LENGTH = 8


def proposal_name(workflow: ActionWorkflow, step: str) -> str:
    """`<workflow>-<step>-<hash of workflow uid and step>`, the first two cut to fit: the same for every try."""
    return _name(workflow, step, step)


def undo_name(workflow: ActionWorkflow, step: str) -> str:
    """The same for what takes the step back. No step can have its hash: the names of steps have no slash."""
    return _name(workflow, f"undo-{step}", f"undo/{step}")


def child_names(workflow: ActionWorkflow) -> Iterator[str]:
    """The names of all proposals that there may be for it now."""
    plan, told = plan_of(workflow), by_name(workflow.status.steps)
    for step in plan.all_steps:
        status = told.get(step.name)
        yield (status and status.proposal) or proposal_name(workflow, step.name)
        if status and status.outcome and plan.on_failure is OnFailure.ROLLBACK:
            yield (status.rollback and status.rollback.proposal) or undo_name(workflow, step.name)


def recorded(status: Json) -> Iterator[tuple[str, bool]]:
    """The name of each proposal that a workflow's stored status records, and whether it records its end."""
    for step in status.get("steps") or ():
        for made in (step, step.get("rollback") or {}):
            if made.get("proposal"):
                yield made["proposal"], bool(made.get("outcome"))


def recorded_uids(workflow: ActionWorkflow) -> frozenset[str]:
    """The proposals that belong to it."""
    made = [(step.uid, step.rollback.uid if step.rollback else None) for step in workflow.status.steps]
    return frozenset(uid for pair in made for uid in pair if uid)


def _name(workflow: ActionWorkflow, shown: str, hashed: str) -> str:
    digest = hashlib.sha256(f"{workflow.metadata.uid}/{hashed}".encode()).hexdigest()[:_HASH_LENGTH]
    room = MAX_NAME - _HASH_LENGTH - 2
    own = shown[: max(room // 2, room - len(workflow.metadata.name))]
    whole = workflow.metadata.name[: room - len(own)]
    return f"{whole.rstrip('-.')}-{own.rstrip('-')}-{digest}"


def new_step(workflow: ActionWorkflow, step: Step, part: Part = Part.STEP) -> NewStep:
    """The step's proposal, made only of what the workflow says, so that every try makes the same."""
    return _made(workflow, proposal_name(workflow, step.name), step.name, part, step_spec(workflow, step))


def new_undo(workflow: ActionWorkflow, step: Step, undo: Undo) -> NewStep:
    """The proposal that takes the step back."""
    return _made(workflow, undo_name(workflow, step.name), step.name, Part.UNDO, undo_spec(workflow, step, undo))


def _made(workflow: ActionWorkflow, name: str, step: str, part: Part, spec: ProposalSpec) -> NewStep:
    return NewStep(
        name,
        {
            "apiVersion": API_VERSION,
            "kind": "ActionProposal",
            "metadata": {
                "name": name,
                "namespace": workflow.metadata.namespace,
                "labels": {
                    WORKFLOW_LABEL: workflow.metadata.name,
                    STEP_LABEL: step,
                    **shard_of(workflow.metadata.labels),
                    **({} if part is Part.STEP else {PART_LABEL: part.value}),
                },
                "ownerReferences": [
                    {
                        "apiVersion": API_VERSION,
                        "kind": WORKFLOW_KIND,
                        "name": workflow.metadata.name,
                        "uid": workflow.metadata.uid,
                        "controller": True,
                        "blockOwnerDeletion": False,
                    }
                ],
            },
            "spec": spec.wire(),
        },
    )


def step_spec(workflow: ActionWorkflow, step: Step) -> ProposalSpec:
    """What the step asks for: the workflow's reason, requester, runner and retry with the step's own on top."""
    return _spec(
        workflow,
        step,
        action=step.action,
        parameters=step.parameters,
        timeoutSeconds=step.timeout_seconds,
        preconditions=step.preconditions,
        verify=step.verify,
    )


def undo_spec(workflow: ActionWorkflow, step: Step, undo: Undo) -> ProposalSpec:
    """What takes the step back."""
    return _spec(workflow, step, action=undo.action, parameters=undo.parameters)


def _spec(workflow: ActionWorkflow, step: Step, **own: Any) -> ProposalSpec:
    spec = workflow.spec
    retry = (spec.retry.wire() if spec.retry else {}) | (step.retry.wire() if step.retry else {})
    shared = {
        "reason": spec.reason,
        "ticket": spec.ticket,
        "serviceAccountName": spec.service_account_name,
        "requestedBy": spec.requested_by,
        "mode": Mode.EXECUTE,
        "retry": retry or None,
        "activeDeadlineSeconds": spec.active_deadline_seconds,
    }
    return ProposalSpec.model_validate({**shared, **own})


def is_ours(workflow: ActionWorkflow, wanted: NewStep, child: Child) -> bool:
    """Whether a proposal found under that name was made for exactly this, for this workflow."""
    if child.proposal is None:
        return False
    owned = any(
        owner.controller and owner.kind == WORKFLOW_KIND and owner.uid == workflow.metadata.uid
        for owner in child.proposal.metadata.owner_references
    )
    same = all(
        child.proposal.metadata.labels.get(label) == wanted.body["metadata"]["labels"].get(label)
        for label in (STEP_LABEL, PART_LABEL)
    )
    return owned and same and _request(child.raw_spec) == _request(wanted.body["spec"])


def _request(spec: Json) -> bytes:
    """What is asked for, in one byte form; what the API server fills in is already in our own."""
    return canonical({key: value for key, value in spec.items() if key not in ("suspend", "cancelled")})


def mirrored(status: StepStatus, child: Child) -> StepStatus:
    """The step's status as its proposal tells it. Only endings and retries are mirrored: running costs no write."""
    if status.outcome is not None:
        return status
    told = _told(child, status.uid)
    if told is None:
        gone = {"outcome": StepOutcome.UNKNOWN, "reason": Reason.PROPOSAL_GONE, "message": GONE}
        return status.model_copy(update=gone)
    if told.outcome is None and not told.retry_count:
        return status
    return status.model_copy(
        update={
            "outcome": StepOutcome(told.outcome.value) if told.outcome else None,
            "retry_count": told.retry_count,
            "next_retry_at": told.next_retry_at,
            "message": bounded(told.message or ""),
            "started_at": told.started_at,
            "completed_at": told.completed_at,
        }
    )


def mirrored_undo(rollback: StepRollback, child: Child) -> StepRollback:
    """The same for what takes a step back."""
    if rollback.outcome is not None:
        return rollback
    told = _told(child, rollback.uid)
    if told is None:
        return rollback.model_copy(update={"outcome": StepOutcome.UNKNOWN, "message": GONE})
    if told.outcome is None:
        return rollback
    return rollback.model_copy(
        update={"outcome": StepOutcome(told.outcome.value), "message": bounded(told.message or "")}
    )


def _told(child: Child, uid: str | None) -> ProposalStatus | None:
    """The status of the recorded proposal, None if it is gone."""
    proposal = child.proposal
    return proposal.status if proposal is not None and proposal.metadata.uid == uid else None


def idle(status: StepStatus) -> bool:
    """Whether it has neither started nor ended."""
    return status.uid is None and status.outcome is None


def running(status: StepStatus) -> bool:
    return status.uid is not None and status.outcome is None


def passed(status: StepStatus) -> bool:
    """Whether what depends on it may go on: it succeeded, or was not needed."""
    return succeeded(status) or (status.outcome is StepOutcome.SKIPPED and status.reason is Reason.WHEN_FALSE)


def succeeded(status: StepStatus) -> bool:
    return status.outcome is StepOutcome.SUCCEEDED


def given_up(status: StepStatus) -> bool:
    """Whether it was to be taken back, and its workflow was stopped before its turn."""
    back = status.rollback
    return back is not None and back.proposal is None and back.outcome is StepOutcome.CANCELLED


def started(status: StepStatus) -> bool:
    return status.uid is not None


def by_name(statuses: tuple[StepStatus, ...]) -> Mapping[str, StepStatus]:
    return {status.name: status for status in statuses}
