"""Whether a finished proposal can be undone, and by which request. Pure."""

from dataclasses import dataclass

from controller.api.common import Undo
from controller.api.names import AttemptResult
from controller.api.proposal import ActionProposal, Attempt
from controller.client.errors import NothingToUndo
from controller.client.requests import MAX_NAME
from controller.client.standing import phase_of

_TAIL = "-undo"


@dataclass(frozen=True)
class UndoRequest:
    """The proposal that would put things back."""

    name: str
    undo: Undo
    reason: str


def undo_request(proposal: ActionProposal) -> UndoRequest:
    """The request that takes the proposal back. Raises NothingToUndo with the reason.

    Its name follows from the proposal's, so that asking twice does not undo twice.
    """
    name, status = proposal.metadata.name, proposal.status
    if status.outcome is None:
        raise NothingToUndo(f"{name} is not finished ({phase_of(proposal)}); wait for its outcome or cancel it first")
    if not any(_may_have_changed(attempt) for attempt in status.attempts):
        raise NothingToUndo(f"{name} changed nothing (outcome {status.outcome}), so there is nothing to undo")
    if status.undo is None:
        raise NothingToUndo(
            f"{name} has no undo: {proposal.spec.action} recorded nothing that would put things back; "
            "see the preview in `describe` for what it changed"
        )
    return UndoRequest(undo_name(name), status.undo, f"undo of {name}")


def undo_name(name: str) -> str:
    """`scale-checkout-undo`, cut to the longest name allowed."""
    return name[: MAX_NAME - len(_TAIL)].rstrip("-.") + _TAIL


def _may_have_changed(attempt: Attempt) -> bool:
    return attempt.done_at is not None or attempt.result in (AttemptResult.SUCCEEDED, AttemptResult.UNKNOWN)
