"""What goes on now: actions that were claimed and have no outcome, their places, the targets they are at."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from controller.runtime.usage.counting import Action, Counting, Subject


@dataclass(frozen=True)
class Going:
    """An action that was claimed and has no outcome."""

    action: Action
    attempt: str
    """Id of its newest attempt."""
    claimed_at: datetime
    in_place: bool
    """Whether its effect is being made, as opposed to made, or waited for."""


class UnderWay:
    """All that go on, by the uid of their proposals. `on_leave` is told of whoever gives up its place, or all."""

    def __init__(self, counting: Counting, on_leave: Callable[[Action], None]) -> None:
        self._counting = counting
        self._on_leave = on_leave
        self._going: dict[str, Going] = {}
        self._places: Counter[Subject] = Counter()
        self._at: dict[str, set[str]] = {}
        """Uids by target."""

    def get(self, uid: str) -> Going | None:
        return self._going.get(uid)

    def put(self, uid: str, one: Going | None) -> None:
        """What is known of an action from now on; None = it does not go on any more."""
        before = self._going.pop(uid, None)
        if before and before.in_place:
            self._places[before.action.subject] -= 1
            if not self._places[before.action.subject]:
                del self._places[before.action.subject]
        if before and before.action.target:
            self._at[before.action.target].discard(uid)
            if not self._at[before.action.target]:
                del self._at[before.action.target]
        if one:
            self._going[uid] = one
            self._places[one.action.subject] += one.in_place
            if one.action.target:
                self._at.setdefault(one.action.target, set()).add(uid)
        if before and (one is None or before.in_place > one.in_place):
            self._on_leave(before.action)

    def running(self, policy: str, besides: str) -> int:
        """How many that the policy counts are in their places, that uid left out."""
        count = sum(places for subject, places in self._places.items() if self._counting.counts(policy, subject))
        own = self._going.get(besides)
        return count - 1 if own and own.in_place and self._counting.counts(policy, own.action.subject) else count

    def newest_claim(self, policy: str, besides: str) -> datetime | None:
        """When the newest of those that the policy counts was claimed, that uid left out."""
        others = (one for uid, one in self._going.items() if uid != besides)
        return max(
            (one.claimed_at for one in others if self._counting.counts(policy, one.action.subject)), default=None
        )

    def is_busy(self, policy: str, target: str, group: str) -> bool:
        """Whether another group is at the target with an action that the policy counts."""
        others = (self._going[uid].action for uid in self._at.get(target, ()))
        return any(other.group != group and self._counting.counts(policy, other.subject) for other in others)
