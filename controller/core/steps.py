"""A workflow's steps and the proposals made of them: names, bodies, whether a proposal found is ours, what it tells."""

import hashlib
from collections.abc import Mapping

from controller.api.base import API_VERSION
from controller.api.names import Mode, StepOutcome
from controller.api.proposal import ProposalSpec
from controller.api.workflow import ActionWorkflow, Step, StepStatus
from controller.core.decision import NewStep
from controller.core.digest import canonical
from controller.core.ports import Json
from controller.core.status import bounded
from controller.core.verdicts import WORKFLOW_KIND
from controller.core.view import Child

WORKFLOW_LABEL = "actionoperator.dev/workflow"
STEP_LABEL = "actionoperator.dev/step"
MAX_NAME = 63
_HASH_LENGTH = 8


def proposal_name(workflow: ActionWorkflow, step: str) -> str:
    """`<workflow>-<step>-<hash of workflow uid and step>`, the first two cut to fit: the same for every try."""
    digest = hashlib.sha256(f"{workflow.metadata.uid}/{step}".encode()).hexdigest()[:_HASH_LENGTH]
    room = MAX_NAME - _HASH_LENGTH - 2
    own = step[: max(room // 2, room - len(workflow.metadata.name))]
    whole = workflow.metadata.name[: room - len(own)]
    return f"{whole.rstrip('-.')}-{own.rstrip('-')}-{digest}"


def new_step(workflow: ActionWorkflow, step: Step) -> NewStep:
    """The step's proposal, made only of what the workflow says, so that every try makes the same."""
    name = proposal_name(workflow, step.name)
    return NewStep(
        name,
        {
            "apiVersion": API_VERSION,
            "kind": "ActionProposal",
            "metadata": {
                "name": name,
                "namespace": workflow.metadata.namespace,
                "labels": {WORKFLOW_LABEL: workflow.metadata.name, STEP_LABEL: step.name},
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
            "spec": step_spec(workflow, step).wire(),
        },
    )


def step_spec(workflow: ActionWorkflow, step: Step) -> ProposalSpec:
    """What the step asks for: the workflow's reason, requester, runner and retry with the step's own on top."""
    spec = workflow.spec
    retry = (spec.retry.wire() if spec.retry else {}) | (step.retry.wire() if step.retry else {})
    return ProposalSpec.model_validate(
        {
            "action": step.action,
            "parameters": step.parameters,
            "reason": spec.reason,
            "ticket": spec.ticket,
            "serviceAccountName": spec.service_account_name,
            "requestedBy": spec.requested_by,
            "mode": Mode.EXECUTE,
            "retry": retry or None,
            "timeoutSeconds": step.timeout_seconds,
            "activeDeadlineSeconds": spec.active_deadline_seconds,
        }
    )


def is_ours(workflow: ActionWorkflow, step: Step, child: Child) -> bool:
    """Whether a proposal found under the step's name was made for exactly this step of this workflow."""
    if child.proposal is None:
        return False
    owned = any(
        owner.controller and owner.kind == WORKFLOW_KIND and owner.uid == workflow.metadata.uid
        for owner in child.proposal.metadata.owner_references
    )
    return owned and _request(child.raw_spec) == _request(step_spec(workflow, step).wire())


def _request(spec: Json) -> bytes:
    """What is asked for, in one byte form; what the API server fills in is already in our own."""
    return canonical({key: value for key, value in spec.items() if key not in ("suspend", "cancelled")})


def mirrored(status: StepStatus, child: Child) -> StepStatus:
    """The step's status as its proposal tells it. Only endings and retries are mirrored: running costs no write."""
    if status.outcome is not None:
        return status
    proposal = child.proposal
    if proposal is None or proposal.metadata.uid != status.uid:
        return status.model_copy(
            update={"outcome": StepOutcome.UNKNOWN, "message": "its proposal is gone; look at the target"}
        )
    told = proposal.status
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


def succeeded(status: StepStatus) -> bool:
    return status.outcome is StepOutcome.SUCCEEDED


def started(status: StepStatus) -> bool:
    return status.uid is not None


def by_name(statuses: tuple[StepStatus, ...]) -> Mapping[str, StepStatus]:
    return {status.name: status for status in statuses}
