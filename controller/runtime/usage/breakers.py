"""How the breakers of policies stand: what their status says, and where it is behind what has happened since.

`countedUntil` in a policy's status is the moment up to which ends are counted. So no failure is forgotten when a
process ends between the end of a proposal and the write to the policy: the next one counts what ended after it.
"""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from controller.api.policy import ActionPolicy, Breaker
from controller.core.limits import CLOSED, after_end, has_breaker
from controller.runtime.clock import Clock
from controller.runtime.declarations import Declarations
from controller.runtime.usage.counting import Counting
from controller.runtime.usage.ends import End

TICK = timedelta(milliseconds=1)
"""What times are written to."""


class Breakers:
    """`on_change(policy)` is called when its status should be written soon."""

    def __init__(
        self, declarations: Declarations, counting: Counting, clock: Clock, on_change: Callable[[str], None]
    ) -> None:
        self._declarations = declarations
        self._counting = counting
        self._clock = clock
        self._on_change = on_change
        self._ahead: dict[str, Breaker] = {}
        """Where they are ahead of policy status; when they were counted until is said only as they are written."""
        self._ending: dict[str, datetime] = {}
        """Ends that are decided and not known to be stored, by uid."""
        self._newest: datetime | None = None
        """The newest end that was counted."""
        self._early: dict[str, End] | None = {}
        """Ends that a breaker counts, heard of before the earlier ones were read; None = those are read."""

    def of(self, policy: str) -> Breaker | None:
        """None = what ended before this process led is not counted yet."""
        return None if self._early is not None else self._now(policy)

    def ending(self, uid: str, at: datetime) -> None:
        """It is decided that an action ends. Nothing says that it is counted until it is known to be stored."""
        self._ending[uid] = at

    def not_ending(self, uid: str) -> None:
        """It is decided anew about the action, or it is gone."""
        self._ending.pop(uid, None)

    def ended(self, end: End) -> None:
        """An action has ended."""
        self.not_ending(end.uid)
        policies = [*self._counting.policies(end.action.subject)]
        if self._early is None:
            for policy in policies:
                self._count(policy, end)
        elif any(has_breaker(self._counting.limits(policy)) for policy in policies):
            self._early[end.uid] = end  # without one nothing may ever ask to read the earlier ones

    def take_up(self, earlier: Iterable[End]) -> None:
        """What ended before this process led: all that is still stored, in any order."""
        if self._early is None:
            return
        ends = {end.uid: end for end in earlier} | self._early
        self._early = None
        now = self._clock()
        counted_until = {name: self._written(name).counted_until or now for name in self._declarations.policies}
        for end in sorted(ends.values(), key=lambda end: end.at):
            for policy in self._counting.policies(end.action.subject):
                if end.at > counted_until[policy]:
                    self._count(policy, end)

    def to_write(self, policy: ActionPolicy) -> Breaker | None:
        """What the policy's status should say."""
        name, known = policy.metadata.name, policy.status.breaker
        if not has_breaker(policy.spec.limits):
            self._ahead.pop(name, None)
            return None
        ahead = self._ahead.get(name)
        if known and known.counted_until and (ahead is None or ahead == _as_counted(known)):
            self._ahead.pop(name, None)
            return known
        return (ahead or known or CLOSED).model_copy(update={"counted_until": self._counted_until(known or CLOSED)})

    def clear(self) -> None:
        """What is in status holds, and what ended since is to be taken up."""
        self._ahead.clear()
        self._ending.clear()
        self._newest = None
        self._early = {}

    def _count(self, policy: str, end: End) -> None:
        """A failure that is not written soon would be shown late; a success is written when there is time."""
        limits, before = self._counting.limits(policy), self._now(policy)
        if not has_breaker(limits):
            return
        self._newest = max(end.at, self._newest or end.at)
        after = after_end(before, limits, end.outcome, end.claimed_at, end.at)
        if after == before:
            return
        self._ahead[policy] = after
        known = self._written(policy)
        if after.failures > known.failures or after.opened_at != known.opened_at:
            self._on_change(policy)

    def _counted_until(self, known: Breaker) -> datetime:
        """Never before what is written, nor past an end that may be stored already and was not heard of."""
        counted = self._newest or known.counted_until or self._clock()
        heard = min((at - TICK for at in self._ending.values()), default=counted)
        return max(min(counted, heard), known.counted_until or heard)

    def _now(self, policy: str) -> Breaker:
        return self._ahead.get(policy) or _as_counted(self._written(policy))

    def _written(self, policy: str) -> Breaker:
        declared = self._declarations.policies.get(policy)
        return (declared.status.breaker if declared else None) or CLOSED


def _as_counted(breaker: Breaker) -> Breaker:
    return breaker.model_copy(update={"counted_until": None})
