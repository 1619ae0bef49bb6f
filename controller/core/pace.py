"""The gates of time and amount: outside a window, in a freeze, over a limit. They hold back a start, for a while."""

from datetime import datetime

from controller.api.policy import Limits
from controller.core.attempts import effect_made
from controller.core.decision import Gather
from controller.core.limits import REASONS, Limit, Line, TargetUsage, limits_given, room, told
from controller.core.policy import Stated
from controller.core.verdicts import Block, Fetch, Verdict, freeze_block, window_block
from controller.core.view import ProposalView


def paced(view: ProposalView) -> bool:
    """Whether these gates are asked at all; this is the one place where that is decided.

    Not where the effect is made already: a claim that only verifies starts nothing. Not for what mends: it was let
    begin with the steps before it.
    """
    return not view.mends and not effect_made(view.proposal.status.attempts)


def outside_window(view: ProposalView, now: datetime) -> Verdict | None:
    """Refuse to start while a policy has windows and none of them is open."""
    return window_block([view.policy], now) if paced(view) else None


def frozen(view: ProposalView, now: datetime) -> Verdict | None:
    """Refuse to start while a policy freezes actions."""
    return freeze_block([view.policy], now) if paced(view) else None


def over_limit(view: ProposalView, now: datetime) -> Verdict | None:
    """Refuse to start while a limit of any policy leaves no room."""
    if not view.policy.limits or not paced(view):
        return None
    to_gather = False
    for stated in view.policy.limits:
        used = view.usage.of_policy(stated.policy, view.proposal.metadata.uid, now)
        for limit in limits_given(stated.rule, first=not view.claimed, target=view.target):
            target = _target_usage(view, stated.policy) if limit is Limit.COOLDOWN else TargetUsage()
            if target is None:
                to_gather = True
                continue
            left = room(limit, stated.rule, used, target, now)
            if left.count <= 0:
                return _limit_block(view, limit, stated, left.at)
            if limit is Limit.PER_HOUR and used.free_starts <= 0:
                to_gather = True
    return Fetch(Gather.USAGE) if to_gather else None  # only now: a start is reserved for what nothing else holds back


def _target_usage(view: ProposalView, policy: str) -> TargetUsage | None:
    return view.usage.of_target(policy, view.target or "", view.group)


def _limit_block(view: ProposalView, limit: Limit, stated: Stated[Limits], at: datetime | None) -> Block:
    """Thousands may wait for one limit, so what was once written about it stays, also where its time is put off."""
    before = view.proposal.status.blocked
    if before and (before.policy, before.rule) == (stated.policy, limit.value):
        at = before.until
    message = told(limit, stated.policy, stated.rule, view.target)
    line = Line(stated.policy, limit, (view.target or "") if limit is Limit.COOLDOWN else "")
    return Block(REASONS[limit], limit.value, message, stated.policy, until=at, line=line)
