"""Questions: what answers one, who may, and that nothing starts or goes on without a fitting answer."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from unit.core.making import (
    CHANCE,
    EXECUTE,
    NOW,
    PROVEN,
    REGISTRY,
    UID,
    UNPROVEN,
    on_digest,
    type_entry,
    view,
    vote,
    with_status,
    workflow,
)

from controller.actions.base import ParameterFaultsError
from controller.api.approval import ActionApproval
from controller.api.names import Outcome, Phase
from controller.api.proposal import ProposalStatus
from controller.core.answers import answer_given, question_of
from controller.core.decision import Decision, Gather
from controller.core.enforcement import Enforcement
from controller.core.ports import Answer, Json, PreviewResult
from controller.core.proposal import decide
from controller.core.view import Access, Findings, ProposalView

ALICE: Json = {"requestedBy": {"username": "alice"}}
ASK: Json = {**ALICE, "action": "ask", "parameters": {"question": "Where to?", "options": ["eu", "us"]}}
ASKED = Findings(preview=PreviewResult("Ask: Where to?"))


def waiting(*policies: Json, spec: Json = ASK, parent: Any = None, enforcement: Enforcement = PROVEN) -> ProposalView:
    """A question that was seen once and waits."""
    fresh = view(spec, policies=policies or (EXECUTE,), enforcement=enforcement, findings=ASKED, parent=parent)
    first = decide(fresh, NOW - timedelta(minutes=2), CHANCE)
    assert first.status is not None
    assert first.act is None
    return with_status(fresh, first.status, findings=None)


def says(by: str, answer: Any, **more: Any) -> ActionApproval:
    cast = vote(by, actions=["ask"], **more)
    return cast.model_copy(update={"spec": cast.spec.model_copy(update={"answer": answer})})


def voted(seen: ProposalView, *votes: ActionApproval) -> ProposalView:
    return replace(seen, votes=[on_digest(cast, seen.proposal.status.digest) for cast in votes])


def decided(seen: ProposalView) -> Decision[ProposalStatus]:
    for _ in range(4):
        decision = decide(seen, NOW, CHANCE)
        match decision.gather:
            case Gather.PREVIEW:
                seen = replace(seen, findings=ASKED)
            case Gather.ACCESS:
                seen = replace(seen, access=seen.access or Access())
            case _:
                return decision
    raise AssertionError("asks again and again")


def told(seen: ProposalView) -> str:
    """What status says after the decision, which starts nothing."""
    decision = decided(seen)
    assert decision.act is None
    status = decision.status or seen.proposal.status
    assert status.phase is Phase.AWAITING_APPROVAL
    return status.message or ""


def test_a_question_waits_though_no_policy_asks_for_an_approval() -> None:
    seen = waiting()
    assert seen.proposal.status.phase is Phase.AWAITING_APPROVAL
    assert seen.proposal.status.message == "waits for an answer (the question itself)"
    assert not seen.proposal.status.attempts, "what waits has no claim, so no place in limits and no worker"


def test_a_fitting_answer_starts_it_and_stands_in_status() -> None:
    decision = decided(voted(waiting(), says("bob", "eu", comment="it is closer")))
    assert decision.act is not None
    assert decision.status is not None
    assert [(counted.username, counted.answer) for counted in decision.status.approvals] == [("bob", "eu")]
    assert answer_given(decision.status.approvals) == Answer("eu", "bob")


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (None, "it has no answer"),
        ("mars", "spec.answer: must be one of eu, us (got mars)"),
        (7, "spec.answer: must be of type string (got 7)"),
    ],
)
def test_a_vote_without_a_fitting_answer_does_not_count_and_status_says_why(answer: Any, why: str) -> None:
    seen = voted(waiting(), says("bob", answer))
    assert f"bob-approve does not count: {why}" in told(seen)
    assert decided(voted(waiting(), says("bob", answer), says("carol", "us"))).act is not None


def test_the_requester_may_not_answer_unless_policy_says_so() -> None:
    assert "it is the requester's own" in told(voted(waiting(), says("alice", "eu")))
    allowed = {**EXECUTE, "approval": {"allowSelf": True}}
    assert decided(voted(waiting(allowed), says("alice", "eu"))).act is not None


def test_where_several_are_asked_they_must_agree() -> None:
    two = {**EXECUTE, "approval": {"required": 2}}
    split = voted(waiting(two), says("bob", "eu", at=NOW - timedelta(minutes=2)), says("carol", "us"))
    assert "waits for 1 of 2 answers (policy policy-0); carol-approve does not count: it answers otherwise" in told(
        voted(waiting(two), *split.votes)
    )
    assert decided(voted(waiting(two), says("bob", "eu"), says("carol", "eu"))).act is not None


def test_a_rejection_ends_it() -> None:
    decision = decided(voted(waiting(), vote("bob", decision="Reject", actions=["ask"])))
    assert decision.status is not None
    assert decision.status.outcome is Outcome.REJECTED


def test_the_approval_of_a_workflow_answers_no_question() -> None:
    asks = {**EXECUTE, "approval": {"required": 1}}
    parent, _ = workflow(ALICE, {"steps": [{"name": "one", "proposal": "scale-checkout", "uid": UID}]})
    for policy in (EXECUTE, asks):
        seen = waiting(policy, parent=parent)
        assert "waits for an answer" in told(seen)
        assert decided(voted(seen, says("bob", "eu"))).act is not None
        assert "requester's own" in told(voted(seen, says("alice", "eu")))


def test_a_question_of_a_workflow_that_nothing_proves_counts_no_answer() -> None:
    """Else the requester of the workflow could answer under the name of nobody."""
    parent, _ = workflow(
        {**ALICE, "activeDeadlineSeconds": 31_536_000},
        {"steps": [{"name": "one", "proposal": "scale-checkout", "uid": UID}]},
        created=NOW - timedelta(days=90),
    )
    assert "may be the requester's own" in told(voted(waiting(parent=parent), says("alice", "eu")))


def test_without_proof_of_who_votes_no_answer_counts() -> None:
    seen = waiting(enforcement=UNPROVEN)
    assert "does not prove who casts it" in told(voted(seen, says("bob", "eu")))


def test_an_answer_where_nothing_is_asked_does_not_count() -> None:
    scale = {**ALICE, "parameters": {"kind": "Deployment", "name": "checkout", "replicas": 6}}
    asks = {**EXECUTE, "approval": {"required": 1}}
    fresh = view(scale, policies=(asks,), enforcement=PROVEN)
    first = decide(fresh, NOW - timedelta(minutes=2), CHANCE)
    assert first.status is not None
    cast = vote("bob")
    cast = cast.model_copy(update={"spec": cast.spec.model_copy(update={"answer": "eu"})})
    assert decided(voted(with_status(fresh, first.status, findings=None), cast)).act is None


SCHEMA: Json = {
    "type": "object",
    "required": ["region"],
    "properties": {"region": {"type": "string", "maxLength": 9}, "replicas": {"type": "integer", "maximum": 5}},
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    ("parameters", "answer", "why"),
    [
        ({}, "any text", None),
        ({}, "", "spec.answer: must have at least 1 characters"),
        ({}, "x" * 1025, "spec.answer: must have at most 1024 characters"),
        ({}, 3, "spec.answer: must be of type string"),
        ({"schema": {"type": "boolean"}}, False, None),
        ({"schema": {"type": "integer", "maximum": 9}}, 12, "spec.answer: must be at most 9 (got 12)"),
        ({"schema": SCHEMA}, {"region": "eu", "replicas": 3}, None),
        (
            {"schema": SCHEMA},
            {"replicas": 9},
            "spec.answer.region: is required; spec.answer.replicas: must be at most 5",
        ),
        ({"schema": SCHEMA}, {"region": "eu", "x": 1}, "spec.answer.x: is not a parameter"),
        ({"schema": {"type": "array"}}, ["x" * 100] * 30, "spec.answer: must be at most 2048 bytes"),
    ],
)
def test_an_answer_fits_its_schema(parameters: Json, answer: Any, why: str | None) -> None:
    found = question_of({"question": "?", **parameters}).fault(answer)
    assert (found is None) if why is None else (found is not None and why in found)


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"schema": {"type": "string"}, "options": ["a"]}, "parameters.options: give either schema or options"),
        ({"options": ["a", "a"]}, "parameters.options: the same text is given twice"),
        ({"schema": {"type": "what"}}, "parameters.schema.type: 'what' is not valid"),
        (
            {"schema": {"properties": {"a": {"type": "object", "secret": True}}}},
            "schema.properties.a.secret: an answer is",
        ),
        ({"schema": {"$ref": "https://a"}}, "parameters.schema.$ref: references are not followed"),
        ({"schema": {"x-kubernetes-validations": []}}, "schema.x-kubernetes-validations: is not carried out"),
        ({"options": ["a"] * 33}, "parameters.options"),
        ({"question": ""}, "parameters.question"),
    ],
)
def test_what_cannot_be_asked_is_refused_with_its_place(parameters: Json, words: str) -> None:
    with pytest.raises(ParameterFaultsError) as raised:
        REGISTRY.traits(type_entry("ask"), {"question": "?", **parameters})
    assert words in str(raised.value)
