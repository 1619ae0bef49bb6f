"""What goes on, as limits see it: which actions are under way, how earlier ones ended, who waits for room.

Fed by the intake with every proposal as stored, so that it is complete right after a restart, and by claims at the
moment they are decided, so that two decisions in a row never take the same place.
"""

import asyncio
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import NamedTuple

from pydantic import ValidationError

from controller.api.names import Outcome
from controller.api.policy import ActionPolicy, Breaker, Limits
from controller.api.proposal import Attempt
from controller.core.limits import CLOSED, NO_END, Limit, Line, PolicyUsage, Room, TargetUsage, after_end, room
from controller.core.matching import Requester
from controller.core.ports import Json
from controller.core.targets import target_of
from controller.core.view import ProposalView
from controller.kube.api import Api
from controller.kube.resources import FINISHED, POLICIES, PROPOSALS
from controller.runtime.clock import Clock
from controller.runtime.declarations import Declarations
from controller.runtime.lines import Lines
from controller.runtime.queue import DelayQueue
from controller.runtime.starts import Starts
from controller.runtime.store import Key
from controller.runtime.views import owner_of

PRUNE_ENDS = 4096
"""With so many targets, those are forgotten whose cooldown is over."""


class _Subject(NamedTuple):
    """What decides which policies an action is counted by."""

    namespace: str
    action: str
    requester: Requester


@dataclass(frozen=True)
class _UnderWay:
    """An action that was claimed and has no outcome. `group` as in `ProposalView.group`."""

    subject: _Subject
    target: str | None
    group: str
    attempt: str
    claimed_at: datetime
    in_place: bool
    """Whether its effect is being made, as opposed to made, or waited for."""


@dataclass(frozen=True)
class _Claim:
    """A claim that is decided and not yet seen as stored. `before`: what was known of the action until then."""

    attempt: Attempt
    before: _UnderWay | None
    starts_of: tuple[str, ...]
    """The policies of which it took a start."""


class LiveUsage:
    """Answers the gates (`core.limits.Usage`), keeps count, and calls who waits. Proposals go by uid."""

    def __init__(
        self,
        *,
        api: Api,
        declarations: Declarations,
        starts: Starts,
        queue: DelayQueue[Key],
        clock: Clock,
        namespace: str | None,
    ) -> None:
        """`namespace`: whose finished proposals are read, None = of all."""
        self._api = api
        self._declarations = declarations
        self._starts = starts
        self._queue = queue
        self._clock = clock
        self._namespace = namespace
        self._lines = Lines(queue.add)
        self._under_way: dict[str, _UnderWay] = {}
        self._claims: dict[str, _Claim] = {}
        self._places: Counter[_Subject] = Counter()
        self._busy: dict[str, set[str]] = {}
        """Who is under way, by target."""
        self._ends: dict[str, dict[tuple[_Subject, str], datetime]] = {}
        """The newest end by target, then by subject and group."""
        self._ends_read = False
        self._reading = asyncio.Lock()
        self._breakers: dict[str, Breaker] = {}
        """Where they are ahead of policy status."""
        self._wake_at: dict[str, datetime] = {}
        """When each policy is looked at again for those who wait."""

    # -- what gates ask ------------------------------------------------------------------------------------------

    def of_policy(self, policy: str, uid: str, now: datetime) -> PolicyUsage:
        running = sum(count for subject, count in self._places.items() if self._counts(policy, subject))
        own = self._under_way.get(uid)
        if own and own.in_place and self._counts(policy, own.subject):
            running -= 1
        breaker = self._breaker(policy)
        return PolicyUsage(
            running=running,
            free_starts=self._starts.free(policy, now),
            buckets=self._starts.buckets(policy, now),
            breaker=breaker,
            newest_claim=self._newest_claim(policy, uid) if breaker.failures else None,
        )

    def of_target(self, policy: str, target: str, group: str) -> TargetUsage | None:
        if not self._ends_read:
            return None
        others = (self._under_way[uid] for uid in self._busy.get(target, ()))
        ends = self._ends.get(target, {}).items()
        return TargetUsage(
            busy=any(other.group != group and self._counts(policy, other.subject) for other in others),
            last_end=max(
                (at for (subject, other), at in ends if other != group and self._counts(policy, subject)), default=None
            ),
        )

    # -- what decisions do ---------------------------------------------------------------------------------------

    async def gather(self, view: ProposalView) -> None:
        """Gets what the gates ask for. Raises the errors of our own reads and writes."""
        if not self._ends_read and any(stated.rule.per_target_cooldown_seconds for stated in view.policy.limits):
            await self._read_ends()
            return  # only what is held back by no cooldown needs a start
        for stated in view.policy.limits:
            if stated.rule.max_per_hour:
                asking = max(1, self._lines.waiting(Line(stated.policy, Limit.PER_HOUR))) + len(self._queue)
                await self._starts.reserve(stated.policy, asking)

    def claiming(self, view: ProposalView, attempt: Attempt) -> None:
        """A claim is decided: from now on it counts. To be called before anything else can be decided."""
        uid = view.proposal.metadata.uid
        self.unsure(uid)
        starts_of: tuple[str, ...] = ()
        if not view.claimed:
            starts_of = tuple(stated.policy for stated in view.policy.limits if stated.rule.max_per_hour)
        for policy in starts_of:
            self._starts.take(policy, attempt.started_at)
        self._claims[uid] = _Claim(attempt, self._under_way.get(uid), starts_of)
        metadata = view.proposal.metadata
        subject = _Subject(metadata.namespace or "", view.proposal.spec.action, view.requester)
        in_place = attempt.done_at is None
        self._put(uid, _UnderWay(subject, view.target, view.group, attempt.id, attempt.started_at, in_place))

    def not_claimed(self, uid: str) -> None:
        """The claim was not stored, and never will be. What only may be so shows when the proposal is read again."""
        claim = self._claims.pop(uid, None)
        if claim:
            for policy in claim.starts_of:
                self._starts.give_back(policy, claim.attempt.started_at)
            self._put(uid, claim.before)

    def unsure(self, uid: str) -> None:
        """It is decided anew about a proposal. An earlier claim that may have been stored has taken its starts."""
        claim = self._claims.pop(uid, None)
        if claim:
            self._put(uid, claim.before)

    def decided(self, key: Key, line: Line | None, *, under_way: bool = False) -> None:
        """The proposal now waits there; None = nowhere, so that the next one has its turn."""
        before = self._lines.stands(key, line, under_way=under_way)
        for one in {before, line} - {None}:
            if one is not None:
                self._tend(one)

    # -- what happens --------------------------------------------------------------------------------------------

    def seen(self, raw: Json) -> None:
        """A live proposal as stored, newer than what was known of it."""
        uid, attempts = raw["metadata"]["uid"], (raw.get("status") or {}).get("attempts")
        try:
            newest = Attempt.model_validate(attempts[-1]) if attempts else None
        except ValidationError:
            return  # nothing is done about what cannot be read, so it takes no room
        claim = self._claims.get(uid)
        if claim and (newest is None or newest.id != claim.attempt.id):
            self.not_claimed(uid)  # it was decided on an older version
        self._claims.pop(uid, None)
        before = self._under_way.get(uid)
        if newest is None:
            if before:
                self._put(uid, None)
            return
        made = before is not None and before.attempt == newest.id and not before.in_place
        in_place = not made and newest.result is None and newest.done_at is None
        if before:
            self._put(uid, replace(before, attempt=newest.id, claimed_at=newest.started_at, in_place=in_place))
        else:
            subject, target, group = self._about(raw)
            self._put(uid, _UnderWay(subject, target, group, newest.id, newest.started_at, in_place))

    def effect_made(self, uid: str, attempt: str) -> None:
        """The effect of that attempt is made: what is left is to see it, and that needs no place."""
        one = self._under_way.get(uid)
        if one and one.attempt == attempt:
            self._put(uid, replace(one, in_place=False))

    def finished(self, key: Key, raw: Json) -> None:
        """A proposal has its outcome."""
        uid, status = raw["metadata"]["uid"], raw["status"]
        self._claims.pop(uid, None)
        one = self._under_way.get(uid)
        if one:
            at = datetime.fromisoformat(status["completedAt"])
            self._ended(one.target, one.subject, one.group, at)
            self._judge(one, Outcome(status["outcome"]), at)
            self._put(uid, None)
        self.decided(key, None)

    def gone(self, key: Key, uid: str) -> None:
        """A proposal does not exist any more, nor does anything run for it."""
        self._claims.pop(uid, None)
        one = self._under_way.get(uid)
        if one:
            self._ended(one.target, one.subject, one.group, self._clock())
            self._put(uid, None)
        self.decided(key, None)

    def lead(self) -> None:
        """This process starts to lead: what only a leader is told of may have changed."""
        self._lines.clear()
        self._wake_at.clear()
        self._breakers.clear()
        self._ends.clear()
        self._ends_read = False

    async def wind_up(self) -> None:
        """This process stops to lead, in good order."""
        await self._starts.give_all_back()

    # -- policies ------------------------------------------------------------------------------------------------

    def breaker_to_write(self, policy: ActionPolicy) -> Breaker | None:
        """What the policy's status should say of its breaker."""
        name, known = policy.metadata.name, policy.status.breaker
        if policy.spec.limits is None or policy.spec.limits.max_consecutive_failures is None:
            self._breakers.pop(name, None)
            return None
        ahead = self._breakers.get(name)
        if ahead is None or ahead == (known or CLOSED):
            self._breakers.pop(name, None)
            return known
        return None if ahead == CLOSED else ahead

    def tend(self, policy: str) -> None:
        """Calls who may go by now, in all lines of the policy."""
        self._wake_at.pop(policy, None)
        for line in self._lines.of_policy(policy):
            self._tend(line)

    # -- inside --------------------------------------------------------------------------------------------------

    def _counts(self, policy: str, subject: _Subject) -> bool:
        """Whether the policy limits it."""
        return policy in self._limiting(subject)

    def _limiting(self, subject: _Subject) -> Iterator[str]:
        world = self._declarations.world(subject.namespace)
        limits = world.policy_for(subject.namespace, subject.action, subject.requester).limits
        return (stated.policy for stated in limits)

    def _limits(self, policy: str) -> Limits:
        declared = self._declarations.policies.get(policy)
        return (declared.spec.limits if declared else None) or Limits()

    def _breaker(self, policy: str) -> Breaker:
        declared = self._declarations.policies.get(policy)
        return self._breakers.get(policy) or (declared.status.breaker if declared else None) or CLOSED

    def _newest_claim(self, policy: str, uid: str) -> datetime | None:
        others = (one for other, one in self._under_way.items() if other != uid)
        return max((one.claimed_at for one in others if self._counts(policy, one.subject)), default=None)

    def _about(self, raw: Json) -> tuple[_Subject, str | None, str]:
        """Subject, target and group of a stored proposal."""
        metadata, spec = raw["metadata"], raw["spec"]
        world = self._declarations.world(metadata["namespace"])
        created = datetime.fromisoformat(metadata["creationTimestamp"])
        requester = world.requester((spec.get("requestedBy") or {}).get("username"), created)
        entry = world.catalogue.types.get(spec["action"])
        target = target_of(entry.fixed, metadata["namespace"], spec.get("parameters") or {}) if entry else None
        owner = owner_of(raw)
        return (
            _Subject(metadata["namespace"], spec["action"], requester),
            target,
            owner["uid"] if owner else metadata["uid"],
        )

    def _put(self, uid: str, one: _UnderWay | None) -> None:
        """What is known of an action from now on; calls those who wait for what it leaves."""
        before = self._under_way.pop(uid, None)
        if before and before.in_place:
            self._places[before.subject] -= 1
            if not self._places[before.subject]:
                del self._places[before.subject]
        if before and before.target:
            self._busy[before.target].discard(uid)
            if not self._busy[before.target]:
                del self._busy[before.target]
        if one:
            self._under_way[uid] = one
            self._places[one.subject] += one.in_place
            if one.target:
                self._busy.setdefault(one.target, set()).add(uid)
        if before and (one is None or before.in_place > one.in_place):
            self._call_after(before)

    def _call_after(self, one: _UnderWay) -> None:
        for policy in self._limiting(one.subject):
            for limit in Limit:
                self._tend(Line(policy, limit, (one.target or "") if limit is Limit.COOLDOWN else ""))

    def _tend(self, line: Line) -> None:
        """Calls as many as there is room for, and sees to it that time is noticed when it makes room."""
        if not self._lines.waiting(line):
            return
        now = self._clock()
        left = self._room(line, now)
        self._lines.call(line, left.count)
        if left.at and not (now < self._wake_at.get(line.policy, now) <= left.at):
            self._wake_at[line.policy] = left.at
            self._queue.wake(Key(POLICIES.plural, "", line.policy), left.at)

    def _room(self, line: Line, now: datetime) -> Room:
        if line.policy not in self._declarations.policies:
            return Room(NO_END)
        used = self.of_policy(line.policy, "", now)
        target = self.of_target(line.policy, line.target, "") or TargetUsage()
        return room(line.limit, self._limits(line.policy), used, target, now)

    def _judge(self, one: _UnderWay, outcome: Outcome, at: datetime) -> None:
        """What the end says to the breakers of the policies that count it."""
        for policy in self._limiting(one.subject):
            limits, before = self._limits(policy), self._breaker(policy)
            if limits.max_consecutive_failures is None:
                continue
            after = after_end(before, limits, outcome, one.claimed_at, at)
            if after == before:
                continue
            self._breakers[policy] = after
            known = self._declarations.policies[policy].status.breaker or CLOSED
            if after.failures > known.failures or after.opened_at != known.opened_at:
                # A failure that is forgotten would let more through; a success is written when there is time.
                self._queue.add(Key(POLICIES.plural, "", policy))

    def _ended(self, target: str | None, subject: _Subject, group: str, at: datetime) -> None:
        if target is None:
            return
        ends = self._ends.setdefault(target, {})
        ends[subject, group] = max(at, ends.get((subject, group), at))
        if len(self._ends) > PRUNE_ENDS:
            since = self._since()
            self._ends = {name: ends for name, ends in self._ends.items() if max(ends.values()) > since}

    def _since(self) -> datetime:
        """Ends before that bear on no cooldown."""
        cooldowns = [self._limits(name).per_target_cooldown_seconds or 0 for name in self._declarations.policies]
        return self._clock() - timedelta(seconds=max(cooldowns, default=0))

    async def _read_ends(self) -> None:
        """Reads from finished proposals when actions ended; once, and only where a cooldown asks for it."""
        async with self._reading:
            if self._ends_read:
                return
            since = self._since()
            pages = self._api.pages(PROPOSALS, namespace=self._namespace, field_selector=FINISHED)
            async for page in pages:
                for raw in page.items:
                    status = raw.get("status") or {}
                    if not (status.get("startedAt") and status.get("completedAt")):
                        continue
                    at = datetime.fromisoformat(status["completedAt"])
                    if at > since:
                        subject, target, group = self._about(raw)
                        self._ended(target, subject, group, at)
            self._ends_read = True
