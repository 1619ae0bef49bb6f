"""Actions that were claimed and have ended, and when targets were last left by one, for cooldowns."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from pydantic import ValidationError

from controller.api.names import Outcome
from controller.api.proposal import ProposalStatus
from controller.core.ports import Json
from controller.runtime.clock import Clock
from controller.runtime.usage.counting import Action, Counting, Subject

PRUNE_ENDS = 4096
"""With so many targets, those are forgotten whose cooldown is over."""


@dataclass(frozen=True)
class End:
    """How and when an action ended. `claimed_at`: its newest claim."""

    uid: str
    action: Action
    outcome: Outcome
    claimed_at: datetime
    at: datetime

    @classmethod
    def of(cls, raw: Json, action_of: Callable[[Json], Action]) -> Self | None:
        """That of a finished proposal as stored. None: it was never claimed, or its status cannot be read."""
        try:
            status = ProposalStatus.model_validate(raw.get("status") or {})
        except ValidationError:
            return None
        if not status.attempts or status.outcome is None or status.completed_at is None:
            return None
        claimed_at = status.attempts[-1].started_at
        return cls(raw["metadata"]["uid"], action_of(raw), status.outcome, claimed_at, status.completed_at)


class Ends:
    """The newest end by target, then by subject and group."""

    def __init__(self, counting: Counting, clock: Clock) -> None:
        self._counting = counting
        self._clock = clock
        self._ends: dict[str, dict[tuple[Subject, str], datetime]] = {}

    def add(self, action: Action, at: datetime) -> None:
        """The action has ended."""
        if action.target is None:
            return
        ends = self._ends.setdefault(action.target, {})
        key = action.subject, action.group
        ends[key] = max(at, ends.get(key, at))
        if len(self._ends) > PRUNE_ENDS:
            since = self._since()
            self._ends = {name: ends for name, ends in self._ends.items() if max(ends.values()) > since}

    def take_up(self, earlier: Iterable[End]) -> None:
        """What ended before this process led."""
        since = self._since()
        for end in earlier:
            if end.at > since:
                self.add(end.action, end.at)

    def last(self, policy: str, target: str, group: str) -> datetime | None:
        """When another group last ended an action there that the policy counts."""
        ends = self._ends.get(target, {}).items()
        counted = self._counting.counts
        return max((at for (subject, other), at in ends if other != group and counted(policy, subject)), default=None)

    def clear(self) -> None:
        self._ends.clear()

    def _since(self) -> datetime:
        return self._clock() - self._counting.longest_cooldown()
