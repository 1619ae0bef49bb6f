"""Whether a finished proposal can be undone, and by which request. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from controller.api.common import Undo
from controller.api.proposal import ActionProposal, ProposalSpec
from controller.client.errors import NothingToUndo
from controller.client.requests import MAX_NAME, manifest
from controller.client.standing import phase_of
from controller.core.attempts import may_have_had_effect
from controller.core.ports import Json
from controller.core.shard import shard_of

_TAIL = "-undo"


@dataclass(frozen=True)
class UndoRequest:
    """The proposal that would put things back."""

    name: str
    namespace: str
    undo: Undo
    reason: str
    ticket: str | None
    service_account_name: str | None
    labels: Mapping[str, str] = field(default_factory=dict)

    def manifest(self) -> Json:
        """The request as an object to apply."""
        spec = ProposalSpec(
            action=self.undo.action,
            parameters=self.undo.parameters,
            reason=self.reason,
            ticket=self.ticket,
            service_account_name=self.service_account_name,
        )
        return manifest(ActionProposal.INFO, self.name, self.namespace, spec, self.labels)


def undo_request(proposal: ActionProposal, *, name: str | None = None, reason: str | None = None) -> UndoRequest:
    """The request that takes the proposal back. Raises NothingToUndo with why there is none.

    Without a name it gets one that follows from the proposal's, so that asking twice does not undo twice.
    """
    done, status = proposal.metadata.name, proposal.status
    if status.outcome is None:
        raise NothingToUndo(f"{done} is not finished ({phase_of(proposal)}); wait for its outcome or cancel it first")
    if not may_have_had_effect(status.attempts):
        raise NothingToUndo(f"{done} changed nothing (outcome {status.outcome}), so there is nothing to undo")
    if status.undo is None:
        raise NothingToUndo(
            f"{done} cannot be undone: {proposal.spec.action} recorded nothing that would put things back"
        )
    return UndoRequest(
        name=name or undo_name(done),
        namespace=proposal.metadata.namespace or "",
        undo=status.undo,
        reason=reason or f"undo of {done}",
        ticket=proposal.spec.ticket,
        service_account_name=proposal.spec.service_account_name,
        labels=shard_of(proposal.metadata.labels),
    )


def can_undo(proposal: ActionProposal) -> bool:
    try:
        undo_request(proposal)
    except NothingToUndo:
        return False
    return True


def undo_name(name: str) -> str:
    """`scale-checkout-undo`, cut to the longest name allowed."""
    return name[: MAX_NAME - len(_TAIL)].rstrip("-.") + _TAIL
