"""What a program is told before anything is created, or when waiting was in vain.

What the API server itself refuses comes as the errors of `core.errors`: NotFound, Conflict, RightMissing and so on.
"""

from collections.abc import Sequence
from typing import Generic, TypeVar

from controller.api.proposal import ActionProposal
from controller.api.workflow import ActionWorkflow

T = TypeVar("T", bound=ActionProposal | ActionWorkflow)


class ObserveOnlyError(RuntimeError):
    """Policy only lets the action be previewed: propose it with `mode="DryRun"`, or have a policy say Execute."""


class ValidationError(ValueError):
    """Something in the request is wrong. `faults` names all of it, one line each, with the path of the field."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = tuple(faults)


class NothingToUndo(ValueError):
    """There is nothing that could be put back; the text says why."""


class NothingToRetry(ValueError):
    """There is nothing that could be tried again; the text says why."""


class NothingToApprove(ValueError):
    """There is nothing to approve or reject; the text says why."""


class DigestChanged(ValueError):
    """What would run is not what the voter was shown."""


class NotFinished(TimeoutError, Generic[T]):
    """Time was up first. `latest` is the object as last read; the text says where it stands."""

    def __init__(self, message: str, latest: T) -> None:
        super().__init__(message)
        self.latest = latest
