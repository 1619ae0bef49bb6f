"""Claims that are decided and not yet seen as stored: they count from the moment of the decision on.

So two decisions in a row never take the same place. A claim that was never stored gives back what it took; of one that
may have been, the place shows when the proposal is read again, and the start is taken for good.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from controller.api.proposal import Attempt
from controller.runtime.usage.counting import Action
from controller.runtime.usage.starts import Starts
from controller.runtime.usage.under_way import Going, UnderWay


@dataclass(frozen=True)
class _Claim:
    """`before`: what was known of the action until then."""

    attempt: Attempt
    before: Going | None
    starts_of: Sequence[str]
    """The policies of which it took a start."""


class Claims:
    """By the uid of the proposal."""

    def __init__(self, under_way: UnderWay, starts: Starts) -> None:
        self._under_way = under_way
        self._starts = starts
        self._claims: dict[str, _Claim] = {}

    def decided(self, uid: str, action: Action, attempt: Attempt, starts_of: Sequence[str]) -> None:
        """`starts_of`: the policies of which the claim takes a start."""
        self.unsure(uid)
        for policy in starts_of:
            self._starts.take(policy, attempt.started_at)
        self._claims[uid] = _Claim(attempt, self._under_way.get(uid), starts_of)
        in_place = attempt.done_at is None
        self._under_way.put(uid, Going(action, attempt.id, attempt.started_at, in_place))

    def not_stored(self, uid: str) -> None:
        """The claim was not stored, and never will be."""
        claim = self._claims.pop(uid, None)
        if claim:
            for policy in claim.starts_of:
                self._starts.give_back(policy, claim.attempt.started_at)
            self._under_way.put(uid, claim.before)

    def unsure(self, uid: str) -> None:
        """It is decided anew about a proposal. An earlier claim that may have been stored has taken its starts."""
        claim = self._claims.pop(uid, None)
        if claim:
            self._under_way.put(uid, claim.before)

    def seen(self, uid: str, newest: str | None) -> None:
        """The proposal as stored has this newest attempt. Without the claimed one, an older version was decided on."""
        claim = self._claims.get(uid)
        if claim and newest != claim.attempt.id:
            self.not_stored(uid)
        self._claims.pop(uid, None)

    def drop(self, uid: str) -> None:
        """The proposal has ended or is gone."""
        self._claims.pop(uid, None)
