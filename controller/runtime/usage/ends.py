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
GROUPS_KEPT = 2
"""Of one subject at one target: whoever asks leaves out its own group, and one of two is another."""


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
    """The newest ends by target and subject, of the last groups only: each proposal alone is a group of its own."""

    def __init__(self, counting: Counting, clock: Clock) -> None:
        self._counting = counting
        self._clock = clock
        self._ends: dict[str, dict[Subject, dict[str, datetime]]] = {}

    def add(self, action: Action, at: datetime) -> None:
        """The action has ended."""
        if action.target is None:
            return
        ends = self._ends.setdefault(action.target, {}).setdefault(action.subject, {})
        ends[action.group] = max(at, ends.get(action.group, at))
        if len(ends) > GROUPS_KEPT:
            del ends[min(ends, key=lambda group: ends[group])]
        if len(self._ends) > PRUNE_ENDS:
            since = self._since()
            self._ends = {
                target: subjects
                for target, subjects in self._ends.items()
                if any(at > since for ends in subjects.values() for at in ends.values())
            }

    def take_up(self, earlier: Iterable[End]) -> None:
        """What ended before this process led."""
        since = self._since()
        for end in earlier:
            if end.at > since:
                self.add(end.action, end.at)

    def last(self, policy: str, target: str, group: str) -> datetime | None:
        """When another group last ended an action there that the policy counts."""
        subjects = self._ends.get(target, {}).items()
        counted = (ends for subject, ends in subjects if self._counting.counts(policy, subject))
        return max((at for ends in counted for other, at in ends.items() if other != group), default=None)

    def clear(self) -> None:
        self._ends.clear()

    def _since(self) -> datetime:
        return self._clock() - self._counting.longest_cooldown()
