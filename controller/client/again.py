"""What follows a finished workflow: the one that takes it back, or tries its failed part again. Pure."""

import re
from collections.abc import Iterator, Sequence

from controller.api.names import Outcome, StepOutcome
from controller.api.proposal import ActionProposal
from controller.api.workflow import ActionWorkflow, OnFailure, Order, RetryOf, Step, StepStatus, UndoSpec, WorkflowSpec
from controller.client.errors import NothingToRetry, NothingToUndo
from controller.client.requests import MAX_NAME, manifest
from controller.client.standing import phase_of
from controller.client.undo import can_undo, undo_name
from controller.core.attempts import may_have_had_effect
from controller.core.definition import plan_of
from controller.core.ports import Json
from controller.core.shard import shard_of

_RETRY = re.compile(r"(?P<name>.+?)-retry(-(?P<number>\d+))?")
# Of the spec that is tried again: what was about that one time.
_ONCE = frozenset({"requestedBy", "notBefore", "startingDeadlineSeconds", "suspend", "cancelled", "retryOf", "reason"})


def undo_workflow(
    workflow: ActionWorkflow,
    proposals: Sequence[ActionProposal],
    *,
    name: str | None = None,
    reason: str | None = None,
) -> Json:
    """The workflow that takes back what the steps did, the newest first; one that fails keeps no other from it.

    `proposals`: those of its steps. Raises NothingToUndo.
    """
    done = workflow.metadata.name
    if workflow.status.outcome is None:
        raise NothingToUndo(f"{done} is not finished ({phase_of(workflow)}); wait for its outcome or cancel it first")
    steps = list(_inverses(workflow, proposals))
    if not steps:
        why = "; ".join(f"{status.name}: {_why_not(status, proposals)}" for status in workflow.status.steps)
        raise NothingToUndo(f"none of the steps of {done} can be undone: {why or 'none was started'}")
    spec = WorkflowSpec(
        description=f"Undo {done}, the newest step first",
        reason=reason or f"undo of {done}",
        ticket=workflow.spec.ticket,
        service_account_name=workflow.spec.service_account_name,
        order=Order.SEQUENCE,
        on_failure=OnFailure.CONTINUE,
        steps=tuple(steps),
    )
    return _manifest(workflow, name or undo_name(done), spec)


def _inverses(workflow: ActionWorkflow, proposals: Sequence[ActionProposal]) -> Iterator[Step]:
    by_uid = {proposal.metadata.uid: proposal for proposal in proposals}
    own = {step.name: step.undo for step in plan_of(workflow).all_steps}
    left = [status for status in workflow.status.steps if status.uid in by_uid and not _taken_back(status)]
    for status in sorted(left, key=lambda status: str(status.completed_at or ""), reverse=True):
        proposal = by_uid[status.uid or ""]
        undo = own.get(status.name) if status.outcome is StepOutcome.SUCCEEDED else None
        if undo is None and can_undo(proposal) and proposal.status.undo:
            undo = UndoSpec(action=proposal.status.undo.action, parameters=proposal.status.undo.parameters)
        if undo is not None:
            yield Step(name=status.name, action=undo.action, parameters=undo.parameters)


def _why_not(status: StepStatus, proposals: Sequence[ActionProposal]) -> str:
    """Why nothing takes the step back, where nothing does."""
    proposal = next((one for one in proposals if one.metadata.uid == status.uid), None)
    if _taken_back(status):
        return "was taken back already"
    if status.uid is None:
        return "was not started"
    if proposal is None:
        return "its proposal is gone, and with it what it changed"
    if not may_have_had_effect(proposal.status.attempts):
        return "changed nothing"
    return f"nothing takes {proposal.spec.action} back"


def _taken_back(status: StepStatus) -> bool:
    return status.rollback is not None and status.rollback.outcome is StepOutcome.SUCCEEDED


def retry_workflow(
    workflow: ActionWorkflow,
    raw_spec: Json,
    *,
    name: str | None = None,
    reason: str | None = None,
    unknown_too: bool = False,
) -> Json:
    """The workflow that runs what did not succeed, and takes over what did. `raw_spec`: as stored.

    `unknown_too`: also steps whose result is not known, which may then take effect twice. Raises NothingToRetry.
    """
    done, status = workflow.metadata.name, workflow.status
    if status.outcome is None:
        raise NothingToRetry(f"{done} is not finished ({phase_of(workflow)}); wait for its outcome or cancel it first")
    if status.outcome in (Outcome.SUCCEEDED, Outcome.OBSERVED):
        raise NothingToRetry(f"{done} ended {status.outcome}; propose it anew under another name")
    unknown = [step.name for step in status.steps if step.outcome is StepOutcome.UNKNOWN]
    if unknown and not unknown_too:
        raise NothingToRetry(
            f"it is not known whether {', '.join(unknown)} of {done} took effect: look at the target first; "
            "--unknown-too runs them again all the same"
        )
    kept = {field: value for field, value in raw_spec.items() if field not in _ONCE}
    again = {
        **kept,
        "reason": reason or f"retry of {done}: {workflow.spec.reason}"[:1024],
        "retryOf": RetryOf(name=done, uid=workflow.metadata.uid).wire(),
    }
    spec = WorkflowSpec.model_validate(again)
    return _manifest(workflow, name or retry_name(done), spec)


def retry_name(name: str) -> str:
    """`roll-retry`, then `roll-retry-2`, ...; cut to the longest name allowed."""
    found = _RETRY.fullmatch(name)
    tail = f"-retry-{int(found['number'] or 1) + 1}" if found else "-retry"
    return (found["name"] if found else name)[: MAX_NAME - len(tail)].rstrip("-.") + tail


def _manifest(before: ActionWorkflow, name: str, spec: WorkflowSpec) -> Json:
    """A workflow beside the one before, in the same shard."""
    about = before.metadata
    return manifest(ActionWorkflow.INFO, name, about.namespace or "", spec, shard_of(about.labels))
