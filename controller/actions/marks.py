"""A mark on a target, stored by the very write that is the effect: of which proposal and operation that was. Pure.

For effects that do not show by themselves whether they were made: what is relative to the state that was found.
"""

from controller.core.operation import operation_time
from controller.core.origin import OPERATION, PROPOSAL_UID
from controller.core.ports import Json, Operation, P, Request


def mark(request: Request[P], operation_id: str) -> dict[str, str]:
    """The annotations to store."""
    return {OPERATION: operation_id, PROPOSAL_UID: request.proposal_uid}


def is_marked_by(found: Json, request: Request[P]) -> bool:
    """Whether the last marked effect on it was made for this proposal, by whichever of its operations."""
    return _annotations(found).get(PROPOSAL_UID) == request.proposal_uid


def is_marked_since(found: Json, operation: Operation) -> bool:
    """Whether another effect was made on it after the operation began."""
    try:
        return operation_time(_annotations(found).get(OPERATION, "")) > operation.time
    except ValueError:
        return False


def _annotations(found: Json) -> dict[str, str]:
    return dict(found["metadata"].get("annotations") or {})
