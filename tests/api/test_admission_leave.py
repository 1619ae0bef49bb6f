"""Leave by RBAC verbs (propose, use, approve, approve-as-machine), status, the marks of steps: who is refused what."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from api_server import Answer
from attacks import Attack, accepted, attacks, refused
from guarded import (
    ADMIN,
    AGENT,
    ALICE,
    BOB,
    MACHINE,
    OTHER_RUNNER,
    RUNNER,
    THE_OPERATOR,
    Guarded,
    Manifest,
    approval,
    proposal,
    workflow,
)
from schema_manifests import MINIMAL, POLICY, PROPOSAL, TYPE, WORKFLOW, changed

CHECKED = 8
"""So many action types of a vote admission asks about."""


def granted(count: int, but: int | None = None) -> list[str]:
    """Action types that may be approved, one of them replaced by one that may not (counted from 1)."""
    return ["not-granted" if number == but else f"granted-{number}" for number in range(1, count + 1)]


# -- propose and use ---------------------------------------------------------------------------------------------------


@attacks(
    ("propose without the verb", lambda g: g.create(BOB, proposal()),
     "bob may not propose scale-workload in namespace NAMESPACE; grant it with a Role there: "),
    ("the rule that would help", lambda g: g.create(BOB, proposal()),
     "{apiGroups: [actionoperator.dev], resources: [actiontypes], resourceNames: [scale-workload], verbs: [propose]}"),
    ("propose another action than the one granted", lambda g: g.create(ALICE, proposal(spec__action="drain-node")),
     "alice may not propose drain-node"),
    ("an agent proposes another action", lambda g: g.create(AGENT, proposal(spec__action="drain-node")),
     "system:serviceaccount:NAMESPACE:agent may not propose drain-node"),
    ("use a runner that is not granted",
     lambda g: g.create(ALICE, proposal(spec__serviceAccountName=OTHER_RUNNER)),
     "spec.serviceAccountName: alice may not use other-runner as runner in namespace NAMESPACE; grant it with a Role"),
    ("the rule that would help with it",
     lambda g: g.create(ALICE, proposal(spec__serviceAccountName=OTHER_RUNNER)),
     '{apiGroups: [""], resources: [serviceaccounts], resourceNames: [other-runner], verbs: [use]}'),
    ("an agent uses the runner of people", lambda g: g.create(AGENT, proposal(spec__serviceAccountName=RUNNER)),
     "agent may not use runner as runner"),
    ("an agent uses itself as runner", lambda g: g.create(AGENT, proposal(spec__serviceAccountName=AGENT)),
     "agent may not use agent as runner"),
)  # fmt: skip
def test_who_has_no_leave_cannot_propose(attack: Attack, guard: Guarded) -> None:
    refused(attack, guard)


def test_who_has_leave_can_propose(guard: Guarded) -> None:
    for who in (ALICE, AGENT, MACHINE, ADMIN):
        accepted(guard.create(who, proposal()))
    accepted(guard.create(ALICE, proposal(spec__serviceAccountName=RUNNER)))
    accepted(guard.create(ADMIN, proposal(spec__action="drain-node", spec__serviceAccountName=OTHER_RUNNER)))


def test_for_a_workflow_it_is_the_operator_who_asks(guard: Guarded) -> None:
    """Its steps may be many, so leave for them is not asked here; and its steps are made by the operator."""
    accepted(guard.create(BOB, workflow(spec__serviceAccountName=OTHER_RUNNER)))
    step = proposal(spec__serviceAccountName=OTHER_RUNNER, spec__action="drain-node")
    accepted(guard.create(THE_OPERATOR, step))


# -- approve -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("who", [ALICE, MACHINE])
@pytest.mark.parametrize("count", [1, 2, 3, CHECKED, 20])
def test_a_vote_on_what_one_may_approve_is_taken(guard: Guarded, who: str, count: int) -> None:
    accepted(guard.create(who, approval(*granted(count))))


@pytest.mark.parametrize(
    ("count", "missing"),
    [(count, missing) for count in (1, 2, 3, CHECKED, 20) for missing in range(1, min(count, CHECKED) + 1)],
)
@pytest.mark.parametrize("who", [ALICE, MACHINE])
def test_a_vote_on_what_one_may_not_approve_is_refused(guard: Guarded, who: str, count: int, missing: int) -> None:
    for decision in ("Approve", "Reject"):
        answer = guard.create(who, approval(*granted(count, missing), spec__decision=decision))
        assert answer.status == 403, answer.says
        where = f"in namespace {guard.namespace}; grant it with a Role there"
        assert f"{guard.username(who)} may not approve or reject not-granted {where}" in answer.says
        assert "resources: [actiontypes], resourceNames: [not-granted], verbs: [approve]}" in answer.says


def test_from_the_ninth_type_on_it_is_the_operator_who_asks(guard: Guarded) -> None:
    accepted(guard.create(ALICE, approval(*granted(20, but=9))))
    accepted(guard.create(MACHINE, approval(*granted(20, but=20))))


@pytest.mark.parametrize("count", [1, 2, 3, CHECKED, 20])
def test_a_machine_needs_a_verb_more(guard: Guarded, count: int) -> None:
    answer = guard.create(AGENT, approval(*granted(count)))
    assert answer.status == 403
    assert "agent may not approve or reject granted-1 as a machine" in answer.says
    assert "verbs: [approve-as-machine]" in answer.says


@pytest.mark.parametrize("missing", range(1, CHECKED + 1))
def test_a_machine_needs_it_for_every_type(guard: Guarded, missing: int) -> None:
    actions = ["as-people-only" if number == missing else f"granted-{number}" for number in range(1, CHECKED + 1)]
    answer = guard.create(MACHINE, approval(*actions))
    assert answer.status == 403
    assert "may not approve or reject as-people-only as a machine" in answer.says


@attacks(
    ("approve without the verb", lambda g: g.create(BOB, approval()), "bob may not approve or reject scale-workload"),
    ("reject without the verb", lambda g: g.create(BOB, approval(spec__decision="Reject")),
     "bob may not approve or reject scale-workload"),
    ("propose is not approve", lambda g: g.create(AGENT, approval()), "as a machine"),
    ("the operator votes", lambda g: g.create(THE_OPERATOR, approval()), ""),
)  # fmt: skip
def test_who_has_no_leave_cannot_vote(attack: Attack, guard: Guarded) -> None:
    refused(attack, guard)


def test_a_vote_cannot_be_changed(guard: Guarded) -> None:
    subject = guard.stored(ALICE, proposal())["metadata"]
    about = {"kind": PROPOSAL, "name": subject["name"], "uid": subject["uid"]}
    vote = guard.stored(ALICE, approval(spec__decision="Reject", spec__subject=about))
    for change in ({"spec.decision": "Approve"}, {"spec.approver": guard.identity(BOB)}):
        answer = guard.update(ADMIN, vote, change)
        assert answer.status == 422
        assert "an approval cannot change" in answer.says


# -- status ------------------------------------------------------------------------------------------------------------

STATUS: dict[str, Manifest] = {
    PROPOSAL: {"outcome": "Succeeded"},
    WORKFLOW: {"outcome": "Succeeded"},
    POLICY: {"buckets": []},
    TYPE: {"digest": "sha256:" + "0" * 64},
}


@pytest.fixture(scope="module")
def objects(guard: Guarded) -> dict[str, Manifest]:
    return {
        PROPOSAL: guard.stored(ALICE, proposal()),
        WORKFLOW: guard.stored(ALICE, workflow()),
        POLICY: guard.policy(),
        TYPE: guard.stored(ADMIN, changed(MINIMAL[TYPE], {"metadata.labels": {"made-by": guard.namespace}})),
    }


@pytest.mark.parametrize("kind", STATUS)
@pytest.mark.parametrize("who", [ALICE, AGENT, ADMIN])
@pytest.mark.parametrize("how", ["patch", "replace", "apply"])
def test_nobody_but_the_operator_writes_status(
    guard: Guarded, objects: dict[str, Manifest], kind: str, who: str, how: str
) -> None:
    stored = objects[kind]
    path = guard.admin.path(kind, stored["metadata"]["name"], "status") + "?dryRun=All"
    name = {"metadata": {"name": stored["metadata"]["name"]}}
    body = {"apiVersion": stored["apiVersion"], "kind": kind, **name, "status": STATUS[kind]}
    match how:
        case "patch":
            answer = guard.write_status(who, stored, STATUS[kind])
        case "replace":
            answer = guard.clients[who].send("PUT", path, stored | {"status": STATUS[kind]})
        case _:
            header = {"Content-Type": "application/apply-patch+yaml"}
            answer = guard.clients[who].send("PATCH", path + "&fieldManager=x&force=true", body, header)
    assert answer.status == 403, answer.says
    assert f"{guard.username(who)} may not write the status of " in answer.says


@pytest.mark.parametrize("kind", STATUS)
def test_the_operator_writes_status(guard: Guarded, objects: dict[str, Manifest], kind: str) -> None:
    accepted(guard.write_status(THE_OPERATOR, objects[kind], STATUS[kind]))


VOTE = {"name": "x", "username": "bob", "decision": "Approve", "at": "2026-11-22T15:04:05Z"}
STATUS_ATTACKS: list[tuple[str, Manifest]] = [
    ("approve oneself", {"approvals": [VOTE]}),
    (
        "less approval than noted",
        {"approval": {"required": 0, "have": 0, "requestedAt": "2026-01-01T00:00:00Z", "validSeconds": 1,
                      "requestTimeoutSeconds": 1}},
    ),
    ("success", {"outcome": "Succeeded"}),
    ("another digest", {"digest": "sha256:" + "0" * 64}),
    ("a risk that no policy matches", {"risk": "Low"}),
    ("forget the attempts", {"attempts": None}),
    ("an undo of one's own", {"undo": {"action": "drain-node", "parameters": {}}}),
    ("a runner of one's own", {"runner": "other-runner"}),
]  # fmt: skip


@pytest.mark.parametrize("who", [ALICE, ADMIN])
@pytest.mark.parametrize("status", [row[1] for row in STATUS_ATTACKS], ids=[row[0] for row in STATUS_ATTACKS])
def test_a_forged_status_is_refused(guard: Guarded, objects: dict[str, Manifest], who: str, status: Manifest) -> None:
    answer = guard.write_status(who, objects[PROPOSAL], status)
    assert answer.status == 403, answer.says
    assert "only the operator does" in answer.says


@pytest.mark.parametrize("who", [ALICE, ADMIN])
def test_steps_cannot_be_forged(guard: Guarded, objects: dict[str, Manifest], who: str) -> None:
    """Whoever could write them could pass a proposal off as a step that was approved with its workflow."""
    mine = guard.stored(ALICE, proposal())["metadata"]
    listed = {"name": "first", "proposal": mine["name"], "uid": mine["uid"]}
    answer = guard.write_status(who, objects[WORKFLOW], {"steps": [listed]})
    assert answer.status == 403, answer.says
    assert "only the operator does" in answer.says


@pytest.mark.parametrize("kind", [PROPOSAL, WORKFLOW])
def test_what_is_finished_is_not_done_again(guard: Guarded, kind: str) -> None:
    """Neither by who forgets how it ended, nor by the operator itself."""
    stored = guard.stored(ALICE, proposal() if kind == PROPOSAL else workflow())
    ended = guard.write_status(THE_OPERATOR, stored, {"outcome": "Failed"}, dry_run=False)
    accepted(ended)
    for again in ({"outcome": None}, {"outcome": "Succeeded"}, {"outcome": None, "phase": "Pending"}):
        for who in (ALICE, ADMIN, THE_OPERATOR):
            answer = guard.write_status(who, ended.body, again)
            assert answer.status == 422
            assert "the outcome is final" in answer.says


def test_a_status_that_comes_with_the_object_is_dropped(guard: Guarded) -> None:
    made = guard.create(ALICE, proposal(status={"outcome": "Succeeded"}))
    assert made.body["status"] == {"observedGeneration": -1}


# -- steps of workflows ------------------------------------------------------------------------------------------------

LABEL, STEP_LABEL = "actionoperator.dev/workflow", "actionoperator.dev/step"
PART_LABEL = "actionoperator.dev/part"


def owner(uid: str = "1-2", **fields: Any) -> Manifest:
    reference = {"apiVersion": "actionoperator.dev/v1alpha1", "kind": WORKFLOW, "name": "roll", "uid": uid}
    return reference | {"controller": True} | fields


def step(guard: Guarded) -> Manifest:
    """A step as the operator makes it, of a workflow that there is: the garbage collector takes others away."""
    parent = guard.stored(ALICE, workflow())["metadata"]
    labels = {LABEL: parent["name"], STEP_LABEL: "first", "note": "kept"}
    owners = [owner(parent["uid"], name=parent["name"])]
    return guard.stored(THE_OPERATOR, proposal(metadata__labels=labels, metadata__ownerReferences=owners))


def relabels(guard: Guarded, who: str, change: Manifest) -> Answer:
    """Somebody's update of a step's labels, one by one."""
    return guard.update(who, step(guard), {"metadata.labels": change})


def owns(guard: Guarded, who: str, change: Callable[[Manifest], list[Manifest]]) -> Answer:
    """Somebody's update of a step's owner references, made from the one it has."""
    stored = step(guard)
    return guard.update(who, stored, {"metadata.ownerReferences": change(stored["metadata"]["ownerReferences"][0])})


def changes_own(guard: Guarded, change: Manifest) -> Answer:
    """Alice's update of her own proposal."""
    return guard.update(ALICE, guard.stored(ALICE, proposal()), change)


def copies(guard: Guarded) -> Answer:
    """A proposal with the marks of a step that runs."""
    about = step(guard)["metadata"]
    marks = {"metadata__labels": about["labels"], "metadata__ownerReferences": about["ownerReferences"]}
    return guard.create(ALICE, proposal(**marks))


SET_LABEL = "may not set, change or remove the labels actionoperator.dev/workflow"
SET_OWNER = "may not set, change or remove owner references of kind ActionWorkflow"


@attacks(
    ("create with the label", lambda g: g.create(ALICE, proposal(metadata__labels={LABEL: "roll"})), SET_LABEL),
    ("create with an empty label", lambda g: g.create(ALICE, proposal(metadata__labels={LABEL: ""})), SET_LABEL),
    ("create with a step's label", lambda g: g.create(ALICE, proposal(metadata__labels={STEP_LABEL: "a"})), SET_LABEL),
    ("create as an undo", lambda g: g.create(ALICE, proposal(metadata__labels={PART_LABEL: "undo"})), SET_LABEL),
    ("make a step an undo",
     lambda g: relabels(g, BOB, {LABEL: "roll", STEP_LABEL: "first", "note": "kept", PART_LABEL: "undo"}), SET_LABEL),
    ("create with the owner", lambda g: g.create(ALICE, proposal(metadata__ownerReferences=[owner()])), SET_OWNER),
    ("create with a plain owner",
     lambda g: g.create(ALICE, proposal(metadata__ownerReferences=[owner(controller=False)])), SET_OWNER),
    ("create with an owner of another group",
     lambda g: g.create(ALICE, proposal(metadata__ownerReferences=[owner(apiVersion="x.dev/v1")])), SET_OWNER),
    ("an administrator with the owner",
     lambda g: g.create(ADMIN, proposal(metadata__ownerReferences=[owner()])), SET_OWNER),
    ("label afterwards", lambda g: changes_own(g, {"metadata.labels": {LABEL: "roll"}}), SET_LABEL),
    ("owner afterwards", lambda g: changes_own(g, {"metadata.ownerReferences": [owner()]}), SET_OWNER),
    ("copy of a step", copies, SET_LABEL),
    ("change a step's label", lambda g: relabels(g, BOB, {LABEL: "other", STEP_LABEL: "first"}), SET_LABEL),
    ("remove a step's labels", lambda g: relabels(g, BOB, {}), SET_LABEL),
    ("remove a step's owner", lambda g: owns(g, BOB, lambda own: []), SET_OWNER),
    ("change a step's owner", lambda g: owns(g, BOB, lambda own: [own | {"uid": "3-4"}]), SET_OWNER),
    ("add an owner to a step", lambda g: owns(g, BOB, lambda own: [own, owner(controller=False)]), SET_OWNER),
    ("make a step's owner no controller", lambda g: owns(g, BOB, lambda own: [own | {"controller": False}]), SET_OWNER),
    ("an administrator removes a step's owner", lambda g: owns(g, ADMIN, lambda own: []), SET_OWNER),
)  # fmt: skip
def test_the_marks_of_a_step_are_the_operators(attack: Attack, guard: Guarded) -> None:
    refused(attack, guard)


COLLECTORS = ("system:serviceaccount:kube-system:generic-garbage-collector", "system:kube-controller-manager")


@pytest.mark.parametrize("collector", COLLECTORS)
def test_the_garbage_collector_may_orphan_a_step_and_no_more(guard: Guarded, collector: str) -> None:
    """`kubectl delete --cascade=orphan` would wait for ever otherwise."""
    stored = step(guard)
    path = guard.admin.path(PROPOSAL, stored["metadata"]["name"]) + "?dryRun=All"
    it = {"Impersonate-User": collector, "Impersonate-Group": "system:masters"}

    def patched(references: Sequence[Manifest]) -> Answer:
        return guard.admin.send("PATCH", path, {"metadata": {"ownerReferences": list(references)}}, it)

    accepted(patched([]))
    assert SET_OWNER in patched([owner("3-4")]).says


def test_other_marks_are_anyones(guard: Guarded) -> None:
    config_map = {"apiVersion": "v1", "kind": "ConfigMap", "name": "a", "uid": "1-2"}
    accepted(guard.create(ALICE, proposal(metadata__labels={"team": "a"}, metadata__ownerReferences=[config_map])))
    stored = step(guard)
    (own,) = stored["metadata"]["ownerReferences"]
    both = {"metadata.labels.note": "new", "metadata.ownerReferences": [config_map, own]}
    accepted(guard.update(BOB, stored, both))
    accepted(guard.patch(BOB, stored, {"spec": {"cancelled": True}}))
