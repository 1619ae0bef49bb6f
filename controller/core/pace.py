"""The gates of time and amount: too early, outside a window, in a freeze, over a limit. They hold back for a while.

A freeze holds every claim, as the API server does by itself. Windows and limits are about effects: they let a claim go
ahead that only verifies an effect which is made already. None of them holds what mends a workflow half way: it was let
begin with the steps before it.
"""

from datetime import datetime

from controller.api.names import Phase, Reason
from controller.api.policy import Limits
from controller.core.attempts import effect_made
from controller.core.decision import Gather
from controller.core.limits import REASONS, Limit, Line, TargetUsage, limits_given, room, told
from controller.core.policy import Stated
from controller.core.verdicts import Block, Fetch, Hold, Verdict, freeze_block, window_block
from controller.core.view import ProposalView


def too_early(view: ProposalView, now: datetime) -> Verdict | None:
    """Refuse to start before notBefore or before the next retry is due."""
    spec, status = view.proposal.spec, view.proposal.status
    if spec.not_before and now < spec.not_before:
        return Hold(
            Phase.SCHEDULED,
            Reason.SCHEDULED,
            f"starts at {spec.not_before:%Y-%m-%d %H:%M:%S} UTC",
            spec.not_before,
        )
    if status.next_retry_at and now < status.next_retry_at:
        return Hold(Phase.RETRYING, Reason.PROGRESSING_WITH_RETRY, status.message or "", status.next_retry_at)
    return None


def outside_window(view: ProposalView, now: datetime) -> Verdict | None:
    """Refuse to start while a policy has windows and none of them is open."""
    return None if view.mends or _only_verifies(view) else window_block([view.policy], now)


def frozen(view: ProposalView, now: datetime) -> Verdict | None:
    """Refuse every claim while a policy freezes actions."""
    return None if view.mends else freeze_block([view.policy], now)


def over_limit(view: ProposalView, now: datetime) -> Verdict | None:
    """Refuse to start while a limit of any policy leaves no room."""
    if not view.policy.limits or view.mends or _only_verifies(view):
        return None
    to_gather = False
    for stated in view.policy.limits:
        used = view.usage.of_policy(stated.policy, view.proposal.metadata.uid, now)
        for limit in limits_given(stated.rule, first=not view.claimed, target=view.target):
            target = _target_usage(view, stated.policy) if limit is Limit.COOLDOWN else TargetUsage()
            if target is None or (limit is Limit.BREAKER and used.breaker is None):
                to_gather = True
                continue
            left = room(limit, stated.rule, used, target, now)
            if left.count <= 0:
                return _limit_block(view, limit, stated, left.at)
            if limit is Limit.PER_HOUR and used.free_starts <= 0:
                to_gather = True
    return Fetch(Gather.USAGE) if to_gather else None  # only now: a start is reserved for what nothing else holds back


def starts_of(view: ProposalView) -> tuple[str, ...]:
    """The policies of which its next claim takes a start: each that counts starts, if it is the first one and held."""
    if view.claimed or view.mends:
        return ()
    return tuple(stated.policy for stated in view.policy.limits if stated.rule.max_per_hour)


def _only_verifies(view: ProposalView) -> bool:
    """Whether the claim would start nothing, for its effect is made already."""
    return effect_made(view.proposal.status.attempts)


def _target_usage(view: ProposalView, policy: str) -> TargetUsage | None:
    return view.usage.of_target(policy, view.target or "", view.group)


def _limit_block(view: ProposalView, limit: Limit, stated: Stated[Limits], at: datetime | None) -> Block:
    """Thousands may wait for one limit, so what was once written about it stays, also where its time is put off."""
    before = view.proposal.status.blocked
    if before and (before.policy, before.rule) == (stated.policy, limit.value):
        sooner = at is not None and before.until is not None and at < before.until
        at = at if sooner else before.until
    message = told(limit, stated.policy, stated.rule, view.target)
    line = Line(stated.policy, limit, (view.target or "") if limit is Limit.COOLDOWN else "")
    return Block(REASONS[limit], limit.value, message, stated.policy, until=at, line=line)
