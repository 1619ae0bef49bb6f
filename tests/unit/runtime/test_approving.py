"""Votes, access reviews and the look after the claim, with the runtime around an API server in memory."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest
from unit.core.making import NOW, UNPROVEN
from unit.runtime.fake_api import Operator

from controller.api.base import rfc3339
from controller.core.enforcement import Enforcement
from controller.core.errors import TransientFailure
from controller.core.ports import Json
from controller.kube.resources import APPROVALS, POLICIES, PROPOSALS, WORKFLOWS
from controller.runtime.store import Key

ASKS: Json = {"metadata": {"name": "ask"}, "spec": {"approval": {"required": 1}}}
ALICE: Json = {"username": "alice"}


def played(play: Callable[[Operator], Awaitable[None]]) -> None:
    async def run() -> None:
        operator = Operator()
        operator.enforcement = operator.declarations.enforcement = Enforcement(NOW - timedelta(days=1), None)
        operator.declare(POLICIES, ASKS)
        await operator.settle()
        try:
            await play(operator)
        finally:
            await operator.outage.close()
            await operator.attempts.drain(0)

    asyncio.run(run())


def cast(
    operator: Operator,
    key: Key,
    by: str = "bob",
    *,
    decision: str = "Approve",
    told: bool = True,
    name: str = "",
    namespace: str = "shop",
) -> Json:
    """Somebody votes on what is shown now. `told`: whether the watch tells of it at once."""
    subject = operator.api.objects[key]
    name = name or f"{by}-{decision.lower()}"
    metadata = {"name": name, "namespace": namespace, "creationTimestamp": rfc3339(operator.now)}
    spec = subject["spec"]
    raw = operator.api.put(
        APPROVALS,
        {
            "metadata": metadata,
            "spec": {
                "subject": {"kind": subject["kind"], "name": key.name, "uid": subject["metadata"]["uid"]},
                "digest": subject["status"]["digest"],
                "actions": [spec["action"]] if "action" in spec else [step["action"] for step in spec["steps"]],
                "decision": decision,
                "approver": {"username": by},
            },
        },
    )
    if told:
        operator.intake.observe(APPROVALS.plural, "ADDED", raw)
    return raw


def test_an_approval_starts_it_and_waiting_costs_nothing() -> None:
    async def play(operator: Operator) -> None:
        key = operator.propose(requestedBy=ALICE)
        await operator.settle()
        assert operator.status(key)["phase"] == "AwaitingApproval"
        written = operator.api.requests.count("patch actionproposals")
        operator.watch()
        await operator.settle()
        assert operator.api.requests.count("patch actionproposals") == written
        cast(operator, key)
        await operator.settle()
        status = operator.status(key)
        assert status["outcome"] == "Succeeded"
        assert [vote["username"] for vote in status["approvals"]] == ["bob"]
        assert operator.told == ["Proposed", "Validated", "AwaitingApproval", "Approved", "Executing", "Completed"]

    played(play)


def test_a_rejection_that_no_watch_has_told_of_yet_stops_the_attempt_before_its_effect() -> None:
    async def play(operator: Operator) -> None:
        key = operator.propose(requestedBy=ALICE)
        await operator.settle()
        operator.api.meanwhile("patch", lambda: cast(operator, key, "carol", decision="Reject", told=False))
        cast(operator, key)
        await operator.settle()
        status = operator.status(key)
        assert status["outcome"] == "Rejected"
        assert status["attempts"][-1]["result"] == "NotDone"
        assert status["history"][-1]["actor"] == "carol"

    played(play)


def test_who_lost_the_right_is_found_out_right_before_the_claim() -> None:
    async def play(operator: Operator) -> None:
        key = operator.propose(requestedBy=ALICE)
        await operator.settle()
        operator.api.refused.add("bob")
        cast(operator, key)
        await operator.settle()
        status = operator.status(key)
        assert status["phase"] == "AwaitingApproval"
        assert "attempts" not in status
        cast(operator, key, "carol")
        await operator.settle()
        assert operator.status(key)["outcome"] == "Succeeded"
        assert [vote["username"] for vote in operator.status(key)["approvals"]] == ["carol"]

    played(play)


def test_admission_policies_that_are_gone_when_it_matters_keep_it_from_starting() -> None:
    async def play(operator: Operator) -> None:
        key = operator.propose(requestedBy=ALICE)
        await operator.settle()
        operator.enforcement = UNPROVEN
        cast(operator, key)
        await operator.settle()
        status = operator.status(key)
        assert "attempts" not in status
        (approved,) = (c for c in status["conditions"] if c["type"] == "Approved")
        assert (approved["status"], approved["reason"]) == ("False", "IdentityNotEnforced")

    played(play)


def test_a_vote_that_is_deleted_before_the_claim_counts_no_more() -> None:
    async def play(operator: Operator) -> None:
        key = operator.propose(requestedBy=ALICE, suspend=True)
        await operator.settle()
        raw = cast(operator, key)
        await operator.settle()
        assert operator.status(key)["phase"] == "Blocked"
        operator.intake.observe(APPROVALS.plural, "DELETED", raw)
        await operator.settle()
        operator.edit(key, suspend=False)
        await operator.settle()
        assert operator.status(key)["phase"] == "AwaitingApproval"

    played(play)


@pytest.mark.parametrize("verb", ["review", "list"])
def test_what_cannot_be_asked_is_not_leave(verb: str) -> None:
    async def play(operator: Operator) -> None:
        key = operator.propose(requestedBy=ALICE)
        await operator.settle()
        operator.api.fail(verb, TransientFailure("503"))
        cast(operator, key)
        await operator.settle()
        assert operator.status(key).get("outcome") is None
        operator.sleep(5)
        await operator.settle()
        assert operator.status(key)["outcome"] == "Succeeded"
        assert len(operator.status(key)["attempts"]) == 1

    played(play)


def test_a_late_rejection_stops_what_runs() -> None:
    async def play(operator: Operator) -> None:
        key = operator.propose(action="wait", parameters={"seconds": 3600}, requestedBy=ALICE)
        await operator.settle()
        cast(operator, key)
        while not operator.attempts:
            await operator.worker.handle(await operator.queue.take())
            operator.queue.done(key)
        cast(operator, key, "carol", decision="Reject")
        await operator.settle()
        status = operator.status(key)
        assert status["outcome"] == "Cancelled"
        assert status["history"][-1]["actor"] == "carol"

    played(play)


def test_a_rejection_of_a_workflow_that_no_watch_has_told_of_yet_stops_its_step_before_its_effect() -> None:
    async def play(operator: Operator) -> None:
        step = {"name": "say", "action": "log-message", "parameters": {"message": "hello"}}
        spec = {"description": "d", "reason": "r", "requestedBy": ALICE, "steps": [step]}
        raw = operator.api.put(WORKFLOWS, {"metadata": {"name": "w", "namespace": "shop"}, "spec": spec})
        operator.intake.observe(WORKFLOWS.plural, "ADDED", raw)
        key = Key(WORKFLOWS.plural, "shop", "w")
        await operator.settle()
        assert operator.status(key)["phase"] == "AwaitingApproval"
        cast(operator, key)
        rejected = lambda: cast(operator, key, "carol", decision="Reject", told=False)  # noqa: E731
        operator.api.meanwhile("patch", lambda: operator.api.meanwhile("patch", rejected))  # the step's claim
        await operator.settle()
        (child,) = (raw for key, raw in operator.api.objects.items() if key.plural == PROPOSALS.plural)
        assert child["status"]["outcome"] == "Rejected"
        assert child["status"]["attempts"][-1]["result"] == "NotDone"
        assert operator.status(key)["outcome"] == "Cancelled"

    played(play)


def test_a_vote_of_another_namespace_neither_replaces_nor_removes_one_of_the_same_name() -> None:
    async def play(operator: Operator) -> None:
        key = operator.propose(requestedBy=ALICE, suspend=True)
        await operator.settle()
        cast(operator, key, "bob")
        cast(operator, key, "carol", decision="Reject", name="same")
        other = cast(operator, key, "mallory", name="same", namespace="other")
        operator.intake.observe(APPROVALS.plural, "DELETED", other)
        await operator.settle()
        assert operator.status(key)["outcome"] == "Rejected"

    played(play)


def test_rights_that_a_voter_of_another_namespace_lacks_cost_nobody_here_their_vote() -> None:
    async def play(operator: Operator) -> None:
        key = operator.propose(requestedBy=ALICE)
        await operator.settle()
        operator.api.refused.add("mallory")
        cast(operator, key, "mallory", name="same", namespace="other")
        cast(operator, key, "bob", name="same")
        await operator.settle()
        assert operator.status(key)["outcome"] == "Succeeded"
        assert [vote["username"] for vote in operator.status(key)["approvals"]] == ["bob"]

    played(play)
