"""A halt is ended by a change, which has a name: a policy that halts cannot be deleted."""

import pytest
from api_server import Answer
from attacks import accepted
from guarded import ADMIN, ALICE, Guarded, Manifest
from schema_manifests import POLICY

CHANGED_BY = "actionoperator.dev/changed-by"


def deletes(guard: Guarded, who: str, policy: Manifest) -> Answer:
    """What somebody is told who deletes it; nothing is deleted."""
    path = guard.admin.path(POLICY, policy["metadata"]["name"])
    return guard.clients[who].send("DELETE", f"{path}?dryRun=All")


@pytest.mark.parametrize("who", [ALICE, ADMIN])
def test_a_policy_that_halts_cannot_be_deleted_until_somebody_lifts_it(guard: Guarded, who: str) -> None:
    policy = guard.policy(halt=True)
    name = policy["metadata"]["name"]
    try:
        answer = deletes(guard, who, policy)
        assert answer.status == 403
        assert f"ActionPolicy {name} halts actions" in answer.says
        assert f"run `kubectl actions resume apol/{name}`" in answer.says
        assert "set spec.halt to false, then delete it" in answer.says
        lifted = guard.patch(ALICE, policy, {"spec": {"halt": False}}, dry_run=False)
        assert lifted.body["metadata"]["annotations"][CHANGED_BY] == ALICE
        accepted(deletes(guard, who, policy))
    finally:
        guard.forget(policy)


def test_a_policy_that_does_not_halt_can_be_deleted(guard: Guarded) -> None:
    for spec in ({}, {"mode": "Observe"}, {"halt": False}):
        policy = guard.policy(**spec)
        accepted(deletes(guard, ALICE, policy))
        guard.forget(policy)


def test_nor_can_it_be_deleted_among_others(guard: Guarded) -> None:
    """As a GitOps tool prunes, or `kubectl delete --all` does it, in one request for all."""
    policy = guard.policy(halt=True)
    mine = f"{guard.admin.path(POLICY)}?labelSelector=made-by%3D{guard.namespace}"
    try:
        answer = guard.admin.send("DELETE", mine)
        assert answer.status == 403
        assert "halts actions" in answer.says
        assert guard.admin.send("GET", guard.admin.path(POLICY, policy["metadata"]["name"])).accepted
    finally:
        guard.forget(policy)
