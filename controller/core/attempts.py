"""The attempts in a proposal's status: claiming the next one, and what the earlier ones say together.

The rules are those of docs/spec/attempts.md: an operation is one effect. It is kept by every repeat that may meet the
effect of an earlier try (lost answers, interruptions) or that proves nothing was done, and renewed only where the
target itself reported the earlier effect as failed.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from controller.api.names import AttemptResult, Reason
from controller.api.proposal import Attempt
from controller.core.operation import new_operation
from controller.core.view import Chance

MAX_ATTEMPTS_KEPT = 10


def claim(
    attempts: Sequence[Attempt],
    *,
    owner: str,
    type_digest: str,
    idempotent: bool,
    timeout_seconds: int,
    end: datetime,
    now: datetime,
    chance: Chance,
) -> tuple[Attempt, ...]:
    """The attempts with a new open one. It is given up after `timeout_seconds`, at the latest at `end`."""
    last = attempts[-1] if attempts else None
    attempt = Attempt(
        number=last.number + 1 if last else 1,
        id=str(chance.entropy),
        operation=last.operation if last and not _renews(last) else new_operation(now, chance.entropy),
        owner=owner,
        type_digest=type_digest,
        idempotent=idempotent,
        started_at=now,
        deadline=min(now + timedelta(seconds=timeout_seconds), end),
        done_at=last.done_at if last and not _renews(last) else None,
    )
    return _trimmed((*attempts, attempt))


def _trimmed(attempts: tuple[Attempt, ...]) -> tuple[Attempt, ...]:
    """The newest ones; the only one that says that the effect may have been made is never dropped."""
    if len(attempts) <= MAX_ATTEMPTS_KEPT:
        return attempts
    first, *rest = attempts
    if any_unclear(attempts) and not any_unclear(rest):
        return (first, *rest[1:])
    return tuple(rest)


def replace_last(attempts: Sequence[Attempt], **changes: object) -> tuple[Attempt, ...]:
    """The attempts with the last one changed."""
    return (*attempts[:-1], attempts[-1].model_copy(update=changes))


def unclear(attempt: Attempt) -> bool:
    """Whether it may have taken effect without anyone knowing. A later proof that it is done settles it."""
    if attempt.done_at is not None:
        return False
    return attempt.result is AttemptResult.UNKNOWN or (
        attempt.result is AttemptResult.INTERRUPTED and attempt.reason is Reason.OUTCOME_UNKNOWN
    )


def any_unclear(attempts: Sequence[Attempt]) -> bool:
    """Whether the effect may have been made by any try of the operation that is under way."""
    if not attempts or attempts[-1].done_at is not None or _renews(attempts[-1]):
        return False
    return any(unclear(attempt) for attempt in attempts if attempt.operation == attempts[-1].operation)


def may_have_had_effect(attempts: Sequence[Attempt]) -> bool:
    """Whether any of them changed something, or tried to and nobody knows how far it came."""
    tried = (AttemptResult.SUCCEEDED, AttemptResult.FAILED, AttemptResult.UNKNOWN)
    return any(attempt.done_at is not None or attempt.result in tried for attempt in attempts)


def effect_made(attempts: Sequence[Attempt]) -> bool:
    """Whether the effect of the operation under way is known to be made."""
    return bool(attempts) and attempts[-1].done_at is not None


def _renews(attempt: Attempt) -> bool:
    return attempt.result is AttemptResult.FAILED and attempt.done_at is None
