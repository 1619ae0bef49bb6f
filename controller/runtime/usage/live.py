"""What goes on, as limits see it: which actions are under way, how earlier ones ended, who waits for room.

Fed by the intake with every proposal as stored, so that it is complete right after a restart, and by claims at the
moment they are decided. Keeps nothing itself: it hands on what happens to those who do.
"""

from collections.abc import AsyncIterator, Iterable
from dataclasses import replace
from datetime import datetime

from pydantic import ValidationError

from controller.api.policy import ActionPolicy, Breaker
from controller.api.proposal import Attempt
from controller.core.limits import (
    NO_END,
    Limit,
    Line,
    PolicyUsage,
    Room,
    TargetUsage,
    asks_for_ends,
    has_breaker,
    room,
)
from controller.core.pace import starts_of
from controller.core.ports import Json
from controller.core.shard import Shard
from controller.core.view import ProposalView
from controller.kube.api import Api
from controller.kube.resources import FINISHED, POLICIES, PROPOSALS
from controller.runtime.clock import Clock
from controller.runtime.declarations import Declarations
from controller.runtime.queue import DelayQueue
from controller.runtime.store import Key
from controller.runtime.usage.breakers import Breakers
from controller.runtime.usage.claims import Claims
from controller.runtime.usage.counting import Action, Counting
from controller.runtime.usage.earlier import Earlier
from controller.runtime.usage.ends import End, Ends
from controller.runtime.usage.starts import Starts
from controller.runtime.usage.turns import Turns
from controller.runtime.usage.under_way import Going, UnderWay


class LiveUsage:
    """Answers the gates (`core.limits.Usage`), and is told of all that happens. Proposals go by uid."""

    def __init__(
        self,
        *,
        api: Api,
        declarations: Declarations,
        starts: Starts,
        queue: DelayQueue[Key],
        clock: Clock,
        namespace: str | None,
        shard: Shard,
    ) -> None:
        """`namespace` (None = all) and `shard`: whose finished proposals are read."""
        self._api = api
        self._starts = starts
        self._queue = queue
        self._clock = clock
        self._namespace = namespace
        self._shard = shard
        self._counting = Counting(declarations)
        self._under_way = UnderWay(self._counting, self._left)
        self._claims = Claims(self._under_way, starts)
        self._ends = Ends(self._counting, clock)
        self._breakers = Breakers(
            declarations, self._counting, clock, lambda policy: queue.add(Key(POLICIES.plural, "", policy))
        )
        self._earlier = Earlier(self._counting, self._finished, self._take_up)
        self._turns = Turns(queue, clock, self._room)

    # -- what gates ask ------------------------------------------------------------------------------------------

    def of_policy(self, policy: str, uid: str, now: datetime) -> PolicyUsage:
        breaker = self._breakers.of(policy)
        return PolicyUsage(
            running=self._under_way.running(policy, besides=uid),
            free_starts=self._starts.free(policy, now),
            buckets=self._starts.buckets(policy, now),
            breaker=breaker,
            newest_claim=self._under_way.newest_claim(policy, besides=uid) if breaker and breaker.failures else None,
        )

    def of_target(self, policy: str, target: str, group: str) -> TargetUsage | None:
        if not self._earlier.read:
            return None
        busy = self._under_way.is_busy(policy, target, group)
        return TargetUsage(busy, self._ends.last(policy, target, group))

    # -- what decisions do ---------------------------------------------------------------------------------------

    async def gather(self, view: ProposalView) -> None:
        """Gets what the gates ask for. Raises the errors of our own reads and writes."""
        if not self._earlier.read and any(asks_for_ends(stated.rule) for stated in view.policy.limits):
            await self._earlier.ensure_read()
            return  # only what is held back by nothing that ended earlier needs a start
        for stated in view.policy.limits:
            if stated.rule.max_per_hour:
                asking = max(1, self._turns.waiting(Line(stated.policy, Limit.PER_HOUR))) + len(self._queue)
                await self._starts.reserve(stated.policy, asking)

    def claiming(self, view: ProposalView, attempt: Attempt) -> None:
        """A claim is decided: from now on it counts. To be called before anything else can be decided."""
        self._claims.decided(view.proposal.metadata.uid, Action.seen_by(view), attempt, starts_of(view))

    def not_claimed(self, uid: str) -> None:
        """The claim was not stored, and never will be. What only may be so shows when the proposal is read again."""
        self._claims.not_stored(uid)

    def unsure(self, uid: str) -> None:
        """It is decided anew about a proposal, and nothing is claimed."""
        self._claims.unsure(uid)
        self._breakers.not_ending(uid)

    def ending(self, uid: str, at: datetime) -> None:
        """It is decided that the action ends then. To be called before anything else can be decided."""
        self._breakers.ending(uid, at)

    def decided(self, key: Key, line: Line | None, *, under_way: bool = False) -> None:
        """The proposal now waits there; None = nowhere, so that the next one has its turn."""
        self._turns.stands(key, line, under_way=under_way)

    # -- what happens --------------------------------------------------------------------------------------------

    def seen(self, raw: Json) -> None:
        """A live proposal as stored, newer than what was known of it."""
        uid, attempts = raw["metadata"]["uid"], (raw.get("status") or {}).get("attempts")
        try:
            newest = Attempt.model_validate(attempts[-1]) if attempts else None
        except ValidationError:
            return  # nothing is done about what cannot be read, so it takes no room
        self._claims.seen(uid, newest.id if newest else None)
        before = self._under_way.get(uid)
        if newest is None:
            if before:
                self._under_way.put(uid, None)
            return
        made = before is not None and before.attempt == newest.id and not before.in_place
        in_place = not made and newest.result is None and newest.done_at is None
        action = before.action if before else self._counting.action_of(raw)
        self._under_way.put(uid, Going(action, newest.id, newest.started_at, in_place))

    def effect_made(self, uid: str, attempt: str) -> None:
        """The effect of that attempt is made: what is left is to see it, and that needs no place."""
        one = self._under_way.get(uid)
        if one and one.attempt == attempt:
            self._under_way.put(uid, replace(one, in_place=False))

    def finished(self, key: Key, raw: Json) -> None:
        """A proposal has its outcome."""
        uid = raw["metadata"]["uid"]
        self._claims.drop(uid)
        self._breakers.not_ending(uid)
        one = self._under_way.get(uid)
        if one:
            end = End.of(raw, lambda _: one.action)
            if end:
                self._ends.add(end.action, end.at)
                self._breakers.ended(end)
            self._under_way.put(uid, None)
        self.decided(key, None)

    def gone(self, key: Key, uid: str) -> None:
        """A proposal does not exist any more, nor does anything run for it."""
        self._claims.drop(uid)
        self._breakers.not_ending(uid)
        one = self._under_way.get(uid)
        if one:
            self._ends.add(one.action, self._clock())
            self._under_way.put(uid, None)
        self.decided(key, None)

    def lead(self) -> None:
        """This process starts to lead: what only a leader is told of may have changed."""
        self._turns.clear()
        self._breakers.clear()
        self._ends.clear()
        self._earlier.clear()

    async def wind_up(self) -> None:
        """This process stops to lead, in good order."""
        await self._starts.give_all_back()

    # -- policies ------------------------------------------------------------------------------------------------

    async def prepare(self, policy: ActionPolicy) -> None:
        """Takes up what ended before, if the policy's status depends on it. Raises the errors of our own reads."""
        if has_breaker(policy.spec.limits):
            await self._earlier.ensure_read()

    def breaker_to_write(self, policy: ActionPolicy) -> Breaker | None:
        """What the policy's status should say of its breaker."""
        return self._breakers.to_write(policy)

    def tend(self, policy: str) -> None:
        """Calls who may go by now, in all lines of the policy."""
        self._turns.call_policy(policy)

    # -- inside --------------------------------------------------------------------------------------------------

    def _left(self, action: Action) -> None:
        self._turns.call_after(self._counting.policies(action.subject), action.target)

    def _room(self, line: Line, now: datetime) -> Room:
        if not self._counting.exists(line.policy):
            return Room(NO_END)
        used = self.of_policy(line.policy, "", now)
        target = self.of_target(line.policy, line.target, "") or TargetUsage()
        return room(line.limit, self._counting.limits(line.policy), used, target, now)

    def _take_up(self, earlier: Iterable[End]) -> None:
        """Those that this process still takes for live are told of when they are seen to be finished."""
        ends = [end for end in earlier if not self._under_way.get(end.uid)]
        self._ends.take_up(ends)
        self._breakers.take_up(ends)

    async def _finished(self) -> AsyncIterator[Json]:
        pages = self._api.pages(
            PROPOSALS, namespace=self._namespace, field_selector=FINISHED, label_selector=self._shard.selector
        )
        async for page in pages:
            for raw in page.items:
                yield raw
