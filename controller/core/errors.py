"""What an answer to a request proves, as typed errors. Classified once, where the answer arrives.

The classes follow docs/spec/attempts.md: *known not done* (permanent or transient), *known failed*, *lost*. Whether an
answer to a mutating request is lost or known is decided in `kube` and `actions`; what follows, in `core.conclude`.
"""


class ActionError(Exception):
    """An attempt did not do what it was for. `str()` is a sentence for people."""


class PermanentFailure(ActionError):
    """Proven not done, and repeating it would not help: refused as wrong or forbidden."""


class NotFound(PermanentFailure):
    """The target does not exist."""


class RightMissing(PermanentFailure):
    """The runner may not do it; the message says which verb on which resource is missing."""


class CallNotAllowed(PermanentFailure):
    """No policy lets the host be called; the message says which rule to change."""


class PreconditionFailed(PermanentFailure):
    """A precondition was false when its time was up, so nothing was done."""


class Repeatable(ActionError):
    """Repeating it may help. `retry_after_seconds` is the target's own lower bound for the wait, if it gave one."""

    def __init__(self, message: str, *, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class TransientFailure(Repeatable):
    """Proven not done, and likely to work later."""


class NotLeading(TransientFailure):
    """This process did not lead when the request was to leave, so it did not."""

    def __init__(self, message: str = "not sent: this process led no more when the request was to leave") -> None:
        super().__init__(message)


class Conflict(TransientFailure):
    """The object changed since it was read (409)."""


class Throttled(TransientFailure):
    """The target asks for patience (429, 503 where it proves that nothing was done)."""


class EffectFailed(ActionError):
    """The target itself reports that the effect was tried and failed (a failed Job)."""


class CannotTell(Repeatable):
    """The effect is made, its time is up, and whether it reached its purpose cannot be told. Looking later may help."""


class LostAnswer(Repeatable):
    """Sent, and no answer proves whether it took effect: 5xx, 408, timeout or reset after sending.

    Only idempotent actions are repeated after it.
    """
