"""The random life finds every hole: with one decision of the real code changed, the judge has something to say.

Each mutant changes one decision, where the code has it. One that lives shows a rule that is missing in
harness/leave_machine.py or approval_machine.py, not a mutant to strike out.
"""

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from harness.lives import live
from hypothesis import settings
from unit.runtime.approval_machine import Machine
from unit.runtime.approval_server import GuardedApi

from controller.api.names import Reason
from controller.core import approval_state, approvals, gates, proposal, view, workflow_gates
from controller.core.approvals import ApprovalRule
from controller.core.enforcement import Enforcement
from controller.core.verdicts import Renew
from controller.runtime import proposals
from controller.runtime.proposals import ProposalReconciler
from controller.runtime.votes import Votes

Patch = pytest.MonkeyPatch
Mutant = Callable[[Patch], None]

STEPS, LENGTH = 10_000, 50
FOUND = "|".join(
    (
        "an effect of .* although",
        "Succeeded without an effect",
        "took effect twice",
        "went down|was dropped|came to count|was prolonged",
    )
)
"""What the judge says; that an operator stumbles over itself is not enough."""
LONG_AGO = Enforcement(datetime(2000, 1, 1, tzinfo=UTC), None)


def around(owner: Any, name: str, make: Callable[[Any], Any]) -> Mutant:
    """What `make` makes of it instead."""
    return lambda patch: patch.setattr(owner, name, make(getattr(owner, name)))


def all_of(*mutants: Mutant) -> Mutant:
    """Several places of one decision."""

    def mutate(patch: Patch) -> None:
        for mutant in mutants:
            mutant(patch)

    return mutate


def counts_with(**changes: Callable[[Any, Any], Any]) -> Mutant:
    """A true vote is judged by a request or a rule that differs: `request`, `rule` from it and the vote."""

    def make(uncounted: Any) -> Any:
        def mutated(request: Any, vote: Any, who: Any, rule: Any, *rest: Any) -> Any:
            request = changes.get("request", lambda kept, _: kept)(request, vote)
            rule = changes.get("rule", lambda kept, _: kept)(rule, vote)
            return uncounted(request, vote, who, rule, *rest)

        return mutated

    return around(approvals, "_uncounted", make)


def fits(**fields: Callable[[Any], Any]) -> Mutant:
    """A vote is taken for one on the object, whatever it says in these fields."""

    def make(flaw: Any) -> Any:
        def mutated(request: Any, vote: Any, *rest: Any) -> Any:
            return flaw(replace(request, **{name: of(vote) for name, of in fields.items()}), vote, *rest)

        return mutated

    return around(approvals, "_flaw", make)


def counting(change: Callable[..., Any]) -> Mutant:
    """`change` gets the true count and its arguments; all who count call that."""
    return around(approval_state, "count", lambda count: lambda *given: change(count, *given))


def without(*names: str) -> Mutant:
    """Gates that let everything through, before a claim, after it, and for workflows."""

    def mutate(patch: Patch) -> None:
        for module, row in ((gates, "GATES"), (workflow_gates, "GATES"), (workflow_gates, "STEP_GATES")):
            patch.setattr(module, row, tuple(gate for gate in getattr(module, row) if gate.__name__ not in names))
        for name in names:
            if hasattr(proposal, name):
                patch.setattr(proposal, name, lambda view, now: None)

    return mutate


def not_renewed(reason: Reason) -> Mutant:
    """What differs from what was shown is not noticed, as far as that goes."""

    def blind(gate: Any) -> Any:
        def mutated(view: Any, now: Any) -> Any:
            verdict = gate(view, now)
            return None if isinstance(verdict, Renew) and verdict.reason is reason else verdict

        return mutated

    def mutate(patch: Patch) -> None:
        for module in (gates, workflow_gates):
            changed = tuple(blind(gate) if gate.__name__ == "changed_since_shown" else gate for gate in module.GATES)
            patch.setattr(module, "GATES", changed)

    return mutate


async def nothing_read(*_: Any) -> None:
    return


def by_todays_type(recover: Any) -> Any:
    def mutated(view: Any, attempt: Any, *rest: Any) -> Any:
        return recover(view, attempt.model_copy(update={"type_digest": view.type.digest}), *rest)

    return mutated


def each_its_own_voter(count: Any, request: Any, votes: Any, *rest: Any) -> Any:
    def renamed(vote: Any) -> Any:
        if vote.spec.approver is None:
            return vote
        who = vote.spec.approver.model_copy(update={"username": vote.metadata.name})
        return vote.model_copy(update={"spec": vote.spec.model_copy(update={"approver": who})})

    return count(request, [renamed(vote) for vote in votes], *rest)


def every_vote(votes: Votes, uid: str) -> Any:
    return tuple(vote for about in list(votes._by_subject) for vote in THE_VOTES(votes, about))


THE_VOTES = Votes.of

UNFENCED = around(GuardedApi, "_stopped", lambda _: lambda *given: None)
"""Alone it is found by a halt that no watch has told of; with a gate of the operator's, by any halt."""

VOTES_UNPROVEN = counting(lambda count, request, votes, rule, _, *rest: count(request, votes, rule, LONG_AGO, *rest))
"""Alone it is found only where an operator has not looked at admission since: who asked is not proven either then."""
WHO_ASKED_UNPROVEN = all_of(
    around(view, "who_asked", lambda _: lambda named, *rest: named),
    around(approval_state, "who_asked", lambda _: lambda named, *rest: named),
)

MUTANTS: dict[str, Mutant] = {
    "a vote on another digest counts": counts_with(request=lambda r, vote: replace(r, digest=vote.spec.digest)),
    "a vote on another object counts": all_of(
        lambda patch: patch.setattr(Votes, "of", every_vote),
        fits(name=lambda v: v.spec.subject.name, uid=lambda v: v.spec.subject.uid),
        counts_with(request=lambda r, vote: replace(r, digest=vote.spec.digest)),
    ),
    "a vote of another namespace counts": fits(namespace=lambda vote: vote.metadata.namespace),
    "a vote on some of the actions counts": counts_with(request=lambda r, _: replace(r, actions=frozenset())),
    "the requester's own vote counts": counts_with(rule=lambda rule, _: replace(rule, allow_self=True)),
    "two votes of one count twice": counting(each_its_own_voter),
    "a vote counts for ever": counts_with(rule=lambda rule, _: replace(rule, valid_seconds=10**8)),
    "a vote counts that was cast before identities were proven": around(
        approvals, "proven", lambda _: lambda *given: True
    ),
    "votes count while identities are not proven": VOTES_UNPROVEN,
    "whoever is named has asked": WHO_ASKED_UNPROVEN,
    "no identity needs to be proven": all_of(VOTES_UNPROVEN, WHO_ASKED_UNPROVEN),
    "a revoked right does not matter": counting(lambda count, *given: count(*given[:5])),
    "nobody asks about rights before the claim": without("unchecked"),
    "a rejection does not count": counting(lambda count, *given: replace(count(*given), rejection=None)),
    "all votes are not read again after the claim": around(ProposalReconciler, "_read_votes", lambda _: nothing_read),
    "nothing is checked again after the claim": around(proposals, "recheck", lambda _: lambda *given: None),
    "groups do not matter": around(approvals, "have", lambda _: lambda quorum, tally: len(tally.approvals)),
    "one approval is enough": around(
        approval_state, "unmet", lambda _: lambda rule, tally: () if tally.approvals else rule.quorums
    ),
    "machines need no more than people": around(approvals, "is_machine", lambda _: lambda who: False),
    "a policy that is loosened loosens what waits": around(approval_state, "noted", lambda _: lambda _: ApprovalRule()),
    "nobody asks for an approval": around(approvals, "asked_by", lambda _: lambda *given, **more: ApprovalRule()),
    "drift is not noticed": not_renewed(Reason.DRIFTED),
    "nothing is looked at again before the claim": without("outdated"),
    "another type is not noticed before the claim": not_renewed(Reason.DIGEST_CHANGED),
    "another type is not noticed after the claim": without("changed_since_approved"),
    "another type is not noticed when an attempt is taken over": around(proposal, "_recover", by_todays_type),
    "a halt does not hold back": all_of(UNFENCED, without("halted")),
    "the API server takes claims while halted": UNFENCED,
    "Observe and lost leave do not hold back": all_of(UNFENCED, without("leave_lost", "observe_only")),
    "suspended things start": without("suspended"),
    "cancelled things start": without("cancelled"),
    "things start before their time": without("too_early"),
    "what claims to be a step is one": without("not_a_step"),
    "what may not be repeated is": around(proposal, "idempotent", lambda _: lambda view: True),
}


QUICK = (
    "a vote on another digest counts",
    "a vote on another object counts",
    "the requester's own vote counts",
    "a vote counts for ever",
    "no identity needs to be proven",
    "a revoked right does not matter",
    "a rejection does not count",
    "all votes are not read again after the claim",
    "drift is not noticed",
    "another type is not noticed when an attempt is taken over",
    "a halt does not hold back",
    "a policy that is loosened loosens what waits",
)
"""Those of every run; the others with --hypothesis-profile=long (`make test-long`)."""


@pytest.mark.parametrize("name", MUTANTS)
def test_what_a_mutant_changes_is_there(name: str, monkeypatch: Patch) -> None:
    MUTANTS[name](monkeypatch)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", MUTANTS)
def test_a_hole_is_found(name: str, monkeypatch: Patch, caplog: pytest.LogCaptureFixture) -> None:
    if name not in QUICK and settings.get_current_profile_name() != "long":
        pytest.skip("only with --hypothesis-profile=long")
    caplog.set_level(logging.CRITICAL)
    MUTANTS[name](monkeypatch)
    with pytest.raises(AssertionError, match=FOUND):
        live(Machine, steps=STEPS, length=LENGTH, shrink=False)
    print(f"found within {Machine.counts['steps']} steps")
