"""Judges what an operator does by what people really did: a small model of its own, with none of the operator's code.

It is told of what happens in the world (who really asked, who really voted, what is granted and declared, what was
stored), keeps what is known at each claim, and collects what must not be: `faults` stays empty.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from harness.facts import (
    DAY,
    NO_CLAIM,
    PROPOSAL,
    SETTLED,
    WORKFLOW,
    Asked,
    Cast,
    Claim,
    Json,
    Noted,
    Shown,
    covered,
    matches,
    newest,
    quorums_of,
    running,
)  # fmt: skip

MOMENT = timedelta(seconds=1)
"""Between the look at a target and the claim, and then some."""


@dataclass
class Judge:
    """`types`: version of each declared type. `since`: when the admission policies came into force, None: not there."""

    now: datetime
    namespace: str
    since: datetime | None
    by_state: frozenset[str] = frozenset()
    """Actions whose effect counts as made where the target is as asked, whoever made it so."""
    types: dict[str, int] = field(default_factory=dict)
    targets: dict[str, int] = field(default_factory=dict)
    rights: set[tuple[str, str, str]] = field(default_factory=set)
    """User, namespace, action: who may approve what; machines have the verb more with it."""
    stored_policies: dict[str, Json] = field(default_factory=dict)
    told_policies: dict[str, dict[str, Json]] = field(default_factory=dict)
    """By operator: what a watch has told it."""
    looked: dict[str, datetime | None] = field(default_factory=dict)
    """By operator: since when it believes the admission policies to be in force."""
    asked: dict[str, Asked] = field(default_factory=dict)
    votes: dict[tuple[str, str], Cast] = field(default_factory=dict)
    shown: dict[tuple[str, str], Shown] = field(default_factory=dict)
    noted: dict[str, Noted] = field(default_factory=dict)
    claims: dict[str, list[Claim]] = field(default_factory=dict)
    """By proposal, oldest first."""
    started: dict[str, list[str]] = field(default_factory=dict)
    """By workflow: why its steps must have no effect."""
    first_types: dict[str, int] = field(default_factory=dict)
    """By proposal: the version of its type at its first claim."""
    changed: dict[str, tuple[datetime, int]] = field(default_factory=dict)
    """When an action last changed a target, and what it was before: another that was looked at just then, and claimed
    right after, was looked at before that. Only where operators do several things at the same time."""
    effects: dict[str, int] = field(default_factory=dict)
    """By operation: how often it may have taken effect."""
    counts: dict[str, int] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    # -- what is told ----------------------------------------------------------------------------------------------

    def wrote(self, old: Json, new: Json, of: Sequence[Json], operator: str) -> None:
        """An operator's status write landed. `of`: the workflows that there are, by whose steps children are known."""
        uid, before, after = new["metadata"]["uid"], old.get("status") or {}, new.get("status") or {}
        self._laws(new["metadata"]["name"], before, after)
        self._count_news(before, after)
        if uid not in self.asked:
            self.asked[uid] = self._step(new, of)
        if after.get("digest") and after.get("digest") != before.get("digest"):
            values = tuple(change.get("before") for change in (after.get("preview") or {}).get("changes") or ())
            types = {action: self.types[action] for action in self.asked[uid].actions}
            self.shown[uid, after["digest"]] = Shown(types, values)
        self._note(self.asked[uid], new, before, operator)
        self._earned(new, after)
        if newest(after) > newest(before):
            self._claimed(new, before, after, operator, of)
        if new["kind"] == WORKFLOW and running(after) and not running(before):
            self.count("workflows")
            self.started[uid] = list(self._leave(self.asked[uid], new, operator))

    def effect(self, uid: str, operation: str, *, made: bool, once: bool) -> None:
        """An action reached the outside world; `made`: it may have taken effect. `once`: it must not do so twice."""
        claim = self.claims.get(uid, [NO_CLAIM])[-1]
        self.judge_effect(self.asked[uid].name, claim)
        self.effects[operation] = self.effects.get(operation, 0) + made
        if once and self.effects[operation] > 1:
            self.faults.append(f"operation {operation} of {self.asked[uid].name}, at most once, took effect twice")
        self.count("effects")
        if uid in self.noted or self.asked[uid].parent in self.noted:
            self.count("effects that needed approval")

    def not_made(self, operation: str) -> None:
        """What may have taken effect turns out not to have."""
        self.effects[operation] -= 1

    def judge_effect(self, name: str, claim: Claim) -> None:
        """That claim had an effect."""
        if claim.faults:
            self.faults.append(f"an effect of {name}, attempt {claim.number}, although {'; '.join(claim.faults)}")

    # -- what must hold of every write -----------------------------------------------------------------------------

    def _laws(self, name: str, before: Json, after: Json) -> None:
        def demand(holds: bool, fault: str) -> None:
            if not holds:
                self.faults.append(f"{name}: {fault}: {before} -> {after}")

        demand(not before.get("outcome"), "a final status changed")
        numbers = [entry["n"] for entry in after.get("history") or ()]
        last = (before.get("history") or [{"n": 0}])[-1]["n"]
        demand(numbers == list(range(numbers[0], numbers[0] + len(numbers))) if numbers else not last, "history")
        demand(not numbers or numbers[-1] >= last >= numbers[0] - 1, "history does not count on")
        kept = {entry["n"]: entry for entry in before.get("history") or ()}
        demand(all(kept.get(e["n"], e) == e for e in after.get("history") or ()), "history was rewritten")
        demand(newest(after) - newest(before) in (0, 1), "attempts were lost or skipped")
        if asked := before.get("approval"):
            now = after.get("approval") or {}
            demand(now.get("required", 0) >= asked["required"], "required approvals went down")
            demand(all(covered(q, quorums_of(now)) for q in quorums_of(asked)), "a quorum was dropped")
            demand(asked.get("allowSelf", False) or not now.get("allowSelf", False), "own votes came to count")
            demand(now.get("validSeconds", DAY) <= asked["validSeconds"], "validity was prolonged")

    def _note(self, about: Asked, new: Json, before: Json, operator: str) -> None:
        progress = (new.get("status") or {}).get("approval")
        if not progress:
            return
        noted = self.noted.setdefault(about.uid, Noted())
        noted.quorums |= quorums_of(progress)
        noted.allow_self &= progress.get("allowSelf", False)
        noted.valid = min(noted.valid, progress["validSeconds"])
        noted.proceed &= progress.get("onDrift") == "Proceed"
        if not before.get("approval"):
            # Of a name that is forged an operator knows only when it has looked; an effect is judged by who it is.
            named = (new["spec"].get("requestedBy") or {}).get("username", about.by.name)
            machine = about.by.is_machine and named == about.by.name
            missing = {q for q in self._rule(about, operator, machine=machine).quorums if not covered(q, noted.quorums)}
            if missing:
                self.faults.append(f"{about.name}: not asked for when waiting began: {missing}")

    def _earned(self, new: Json, after: Json) -> None:
        """Succeeded is said only of what was done."""
        claims = self.claims.get(new["metadata"]["uid"], ())
        told = new["kind"] == PROPOSAL and after.get("outcome") == "Succeeded"
        said = told and new["spec"]["action"] not in self.by_state
        if said and not any(self.effects.get(claim.operation) for claim in claims):
            self.faults.append(f"{new['metadata']['name']}: Succeeded without an effect")

    # -- what must hold at a claim ---------------------------------------------------------------------------------

    def _claimed(self, new: Json, before: Json, after: Json, operator: str, of: Sequence[Json]) -> None:
        uid = new["metadata"]["uid"]
        about, attempt = self.asked[uid], after["attempts"][-1]
        faults = [*self._stopped(about, new, operator), *self._rejected(uid, operator)]
        first = not before.get("attempts")
        action = about.actions[0]
        if first:
            self.first_types[uid] = self.types[action]
        if about.parent is not None:
            faults += self.started.get(about.parent, ["its workflow never started"])
            faults += [f"workflow: {fault}" for fault in self._rejected(about.parent, operator)]
            faults += self._unlisted(about, of)
            if about.parent in self.noted:
                faults += self._swapped(about.parent, next(iter(self._digests(about.parent, of)), ""))
        elif first:
            faults += self._leave(about, new, operator)
        needed_approval = uid in self.noted or about.parent in self.noted
        if not first and needed_approval and self.types[action] != self.first_types[uid]:
            faults.append("its type is another than at its first claim")
        self.count("claims")
        claim = Claim(attempt["number"], attempt["id"], attempt["operation"], self.types[action], tuple(faults))
        self.claims.setdefault(uid, []).append(claim)

    def _stopped(self, about: Asked, raw: Json, operator: str) -> Iterator[str]:
        """Halts, Observe and the object's own words."""
        told = [spec for spec in self.told_policies[operator].values() if matches(spec, about.actions[0])]
        stored = [spec for spec in self.stored_policies.values() if matches(spec, about.actions[0])]
        in_force = self.since is not None and self.now - self.since >= SETTLED
        for known, policies in (("told", told), *([("stored", stored)] if in_force else [])):
            if any(spec.get("halt") for spec in policies):
                yield f"halted ({known})"
            if any(spec.get("mode") == "Observe" for spec in policies):
                yield f"Observe ({known})"
        if not any(spec.get("mode") == "Execute" for spec in told):
            yield "no policy says Execute"
        spec = raw["spec"]
        for word in ("cancelled", "suspend"):
            if spec.get(word):
                yield word
        if "notBefore" in spec and datetime.fromisoformat(spec["notBefore"]) > self.now:
            yield "it is too early"

    def _leave(self, about: Asked, raw: Json, operator: str) -> Iterator[str]:
        """Whether there is a live approval set of exactly what would run."""
        now, noted = self._rule(about, operator, machine=about.by.is_machine), self.noted.get(about.uid)
        quorums = now.quorums | (noted.quorums if noted else set())
        if not quorums:
            return
        rules = [rule for rule in (now, noted) if rule is not None and rule.quorums]
        allow_self = all(rule.allow_self for rule in rules)
        valid = min(rule.valid for rule in rules)
        proceed = all(rule.proceed for rule in rules)
        if not allow_self and not self._proven(about.at, self.since):
            yield "nothing proves who asked"
        voters: dict[str, set[str]] = {}
        for vote in self.votes.values():
            if self._counts(vote, about, raw, allow_self=allow_self, valid=valid, proceed=proceed):
                voters.setdefault(vote.by.name, set()).update(vote.groups)
        for policy, needed, groups in quorums:
            have = sum(1 for member in voters.values() if not groups or member & set(groups))
            if have < needed:
                yield f"{policy} asks for {needed} of {groups or 'anybody'} and {have} of {voters} count"

    def _counts(self, vote: Cast, about: Asked, raw: Json, *, allow_self: bool, valid: int, proceed: bool) -> bool:
        shown = self.shown.get((about.uid, vote.digest))
        start = max(vote.at, datetime.fromisoformat(raw["spec"].get("notBefore", "1970-01-01T00:00:00Z")))
        return (
            vote.decision == "Approve"
            and vote.namespace == self.namespace
            and vote.about == (about.kind, about.name, about.uid)
            and self._proven(vote.at, self.since)
            and shown is not None
            and all(self.types[action] == version for action, version in shown.types.items())
            and (proceed or vote.digest == raw["status"]["digest"])
            and (proceed or shown.before in (self._values(raw), self._values(raw, just_before=True)))
            and set(about.actions) <= set(vote.actions)
            and all((vote.by.name, self.namespace, action) in self.rights for action in about.actions)
            and (allow_self or vote.by.name != about.by.name)
            and self.now < start + timedelta(seconds=valid)
        )

    def _rejected(self, uid: str, operator: str) -> Iterator[str]:
        """A rejection that is stored, whether or not a watch has told of it, where all votes are read at the claim."""
        about = self.asked[uid]
        for vote in self.votes.values():
            if (
                vote.decision == "Reject"
                and uid in self.noted
                and vote.namespace == self.namespace
                and vote.about == (about.kind, about.name, uid)
                and self._proven(vote.at, self.since)
                and self._proven(vote.at, self.looked[operator])
                and set(about.actions) & set(vote.actions[:8])
            ):
                yield f"{vote.by.name} had rejected it"

    def _swapped(self, uid: str, digest: str) -> Iterator[str]:
        shown = self.shown.get((uid, digest))
        if shown is None or any(self.types[action] != version for action, version in shown.types.items()):
            yield "a type of its workflow is another than was approved"

    def _unlisted(self, about: Asked, of: Sequence[Json]) -> Iterator[str]:
        steps = [step for raw in of for step in (raw.get("status") or {}).get("steps") or ()]
        if not any(step.get("uid") == about.uid for step in steps):
            yield "no workflow lists it"

    # -- the model's own reading of rules --------------------------------------------------------------------------

    def _rule(self, about: Asked, operator: str, *, machine: bool) -> Noted:
        """What the policies that the operator was told of ask for together; of a `machine`, more."""
        total = Noted()
        for action in about.actions:
            told = {
                n: s["approval"]
                for n, s in self.told_policies[operator].items()
                if matches(s, action) and "approval" in s
            }
            quorums = {
                (name, needed, tuple(rule.get("groups", ())))
                for name, rule in told.items()
                if (needed := max(rule.get("required", 0), rule.get("requiredFromMachines", 0) if machine else 0))
            }
            if not quorums:
                continue
            own = [rule["allowSelf"] for rule in told.values() if "allowSelf" in rule]
            drift = [rule["onDrift"] for rule in told.values() if "onDrift" in rule]
            total.quorums |= quorums
            total.allow_self &= bool(own) and all(own)
            total.valid = min([total.valid, *(rule.get("validSeconds", DAY) for rule in told.values())])
            total.proceed &= bool(drift) and all(rule == "Proceed" for rule in drift)
        return total

    def _proven(self, at: datetime, since: datetime | None) -> bool:
        return since is not None and at - since >= SETTLED

    def _values(self, raw: Json, *, just_before: bool = False) -> tuple[Any, ...]:
        """The values that would be changed, as they are now, or before what was changed in this moment."""
        steps = raw["spec"].get("steps") or [raw["spec"]]
        return tuple(
            value
            for step in steps
            for value in self.before(step["action"], step["parameters"], just_before=just_before)
        )

    def before(self, action: str, parameters: Json, *, just_before: bool = False) -> tuple[Any, ...]:
        """What an action would change, as it is now; nothing where the target is as asked."""
        if action != "scale-workload":
            return (None,) if action == "http-request" else ()
        now = self.targets[parameters["name"]]
        changed = self.changed.get(parameters["name"])
        if just_before and changed and abs(self.now - changed[0]) <= MOMENT:
            now = changed[1]
        return () if now == parameters["replicas"] else (now,)

    def _digests(self, uid: str, of: Sequence[Json]) -> Iterator[str]:
        yield from (raw["status"]["digest"] for raw in of if raw["metadata"]["uid"] == uid)

    def _step(self, raw: Json, of: Sequence[Json]) -> Asked:
        """A step of a workflow, as the operator made it."""
        owner = next((o["uid"] for o in raw["metadata"].get("ownerReferences") or () if o.get("controller")), None)
        parent = self.asked[owner or ""]
        name, uid = raw["metadata"]["name"], raw["metadata"]["uid"]
        return Asked(PROPOSAL, name, uid, parent.by, self.now, (raw["spec"]["action"],), parent.uid)

    def _count_news(self, before: Json, after: Json) -> None:
        """What history and conditions tell of it, so that a run can show what happened in it."""
        known = (before.get("history") or [{"n": 0}])[-1]["n"]
        for entry in after.get("history") or ():
            if entry["n"] > known:
                self.count(entry["reason"])
        old = {condition["reason"] for condition in before.get("conditions") or ()}
        for reason in {condition["reason"] for condition in after.get("conditions") or ()} - old:
            self.count(f"reason {reason}")
        rule = (after.get("blocked") or {}).get("rule")
        if rule and rule != (before.get("blocked") or {}).get("rule"):
            self.count(f"blocked by {rule}")

    def count(self, what: str) -> None:
        self.counts[what] = self.counts.get(what, 0) + 1
