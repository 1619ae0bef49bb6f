"""Who asks, who votes, who changed it: what the API server writes down itself, and the names that it refuses."""

from collections.abc import Callable
from typing import Any

import pytest
from api_server import Answer
from attacks import Attack, attacks, refused
from guarded import (
    ADMIN,
    AGENT,
    ALICE,
    BOB,
    MACHINE,
    THE_OPERATOR,
    Guarded,
    Manifest,
    approval,
    proposal,
    runbook,
    schedule,
    workflow,
)
from schema_manifests import ABSENT, APPROVAL, FULL, MINIMAL, POLICY, PROPOSAL, RUNBOOK, SCHEDULE, TYPE, WORKFLOW

CANCELLED_BY = "actionoperator.dev/cancelled-by"
SUSPENDED_BY = "actionoperator.dev/suspended-by"
CHANGED_BY = "actionoperator.dev/changed-by"


# -- requestedBy and approver ------------------------------------------------------------------------------------------

MAKE: dict[str, tuple[Callable[..., Manifest], str]] = {
    PROPOSAL: (proposal, "requestedBy"),
    WORKFLOW: (workflow, "requestedBy"),
    APPROVAL: (approval, "approver"),
    RUNBOOK: (runbook, "editedBy"),
    SCHEDULE: (schedule, "requestedBy"),
}
every_kind = pytest.mark.parametrize("kind", MAKE)


def asked(kind: str, identity: Manifest | None) -> Manifest:
    make, field = MAKE[kind]
    return make(**({f"spec__{field}": identity} if identity is not None else {}))


@every_kind
@pytest.mark.parametrize("who", [ALICE, ADMIN])
def test_who_sends_it_is_written_down_where_it_is_left_out(guard: Guarded, kind: str, who: str) -> None:
    answer = guard.create(who, asked(kind, None))
    assert answer.accepted, answer.says
    assert answer.body["spec"][MAKE[kind][1]] == guard.identity(who)


@every_kind
def test_a_machine_is_written_down_with_uid_and_groups(guard: Guarded, kind: str) -> None:
    answer = guard.create(MACHINE, asked(kind, None))
    assert answer.accepted, answer.says
    stamped = answer.body["spec"][MAKE[kind][1]]
    assert stamped["username"] == guard.username(MACHINE)
    assert len(stamped["uid"]) == 36
    assert f"system:serviceaccounts:{guard.namespace}" in stamped["groups"]


@every_kind
def test_naming_oneself_is_accepted(guard: Guarded, kind: str) -> None:
    mine = guard.identity(ALICE)
    for identity in (mine, mine | {"groups": mine["groups"][::-1]}):
        answer = guard.create(ALICE, asked(kind, identity))
        assert answer.accepted, answer.says
        assert answer.body["spec"][MAKE[kind][1]] == identity


FORGED = [
    ("another's name", {"username": BOB}, "username: is bob, but this request comes from alice: name yourself"),
    ("another's identity", {"username": BOB, "uid": BOB, "groups": ["developers", "system:authenticated"]},
     "username: is bob, but this request comes from alice"),
    ("the operator's name", {"username": "system:serviceaccount:action-operator:action-operator"},
     "but this request comes from alice"),
    ("another uid", {"uid": "0"}, "uid: is not that of alice: give your own, or leave"),
    ("no uid", {"uid": ABSENT}, "uid: is not that of alice"),
    ("one group more", {"groups": ["sre", "system:authenticated", "admins"]}, "groups: are not those of alice"),
    ("another group", {"groups": ["admins", "system:authenticated"]}, "groups: are not those of alice"),
    ("one group twice for another", {"groups": ["sre", "sre", "admins"]}, "groups: are not those of alice"),
    ("one group less", {"groups": ["sre"]}, "groups: are not those of alice"),
    ("no groups", {"groups": ABSENT}, "groups: are not those of alice"),
]  # fmt: skip


@every_kind
@pytest.mark.parametrize(("change", "told"), [row[1:] for row in FORGED], ids=[row[0] for row in FORGED])
def test_a_forged_identity_is_refused(guard: Guarded, kind: str, change: Manifest, told: str) -> None:
    identity = {name: value for name, value in (guard.identity(ALICE) | change).items() if value is not ABSENT}
    answer = guard.create(ALICE, asked(kind, identity))
    assert answer.status == 403, answer.says
    assert f"spec.{MAKE[kind][1]}.{told}" in answer.says or told in answer.says


@every_kind
def test_an_administrator_cannot_name_another_either(guard: Guarded, kind: str) -> None:
    answer = guard.create(ADMIN, asked(kind, guard.identity(ALICE)))
    assert answer.status == 403
    assert "is alice, but this request comes from admin" in answer.says


def test_the_operator_makes_a_step_for_whoever_asked_for_the_workflow(guard: Guarded) -> None:
    for identity in (guard.identity(ALICE), None):
        answer = guard.create(THE_OPERATOR, asked(PROPOSAL, identity))
        assert answer.accepted, answer.says
        assert answer.body["spec"].get("requestedBy") == identity


def test_nobody_changes_who_asked(guard: Guarded) -> None:
    stored = guard.stored(ALICE, proposal())
    for change in ({"spec.requestedBy": guard.identity(BOB)}, {"spec.requestedBy": ABSENT}):
        for who in (BOB, ADMIN):
            answer = guard.update(who, stored, change)
            assert answer.status == 422
            assert "requestedBy cannot change after creation" in answer.says


EDITS: list[tuple[str, Any]] = [
    ("description", "another"), ("parameters", {"properties": {"a": {"type": "string"}}}), ("order", "Graph"),
    ("steps", [{"name": "second", "action": "wait"}]), ("finally", [{"name": "last", "action": "wait"}]),
    ("onFailure", "Continue"), ("maxParallel", 3), ("retry", {"maxAttempts": 2}),
]  # fmt: skip


TEMPLATE = {"description": "d", "reason": "r", "runbookRef": {"name": "restart"}}
RULE_EDITS: list[tuple[str, Any]] = [
    ("schedule", "0 3 * * *"), ("timeZone", "Europe/Berlin"), ("concurrencyPolicy", "Forbid"),
    ("startingDeadlineSeconds", 60), ("successfulHistoryLimit", 1), ("failedHistoryLimit", 1), ("workflow", TEMPLATE),
]  # fmt: skip
KEPT: list[tuple[str, str, Any]] = [
    *((RUNBOOK, field, value) for field, value in EDITS),
    *((SCHEDULE, field, value) for field, value in RULE_EDITS),
]
edited = pytest.mark.parametrize("kind", [RUNBOOK, SCHEDULE])


def test_every_field_of_what_people_edit_is_looked_at() -> None:
    for kind, others in ((RUNBOOK, {"editedBy"}), (SCHEDULE, {"requestedBy", "suspend"})):
        looked_at = {field for of, field, _ in KEPT if of == kind}
        assert looked_at == set(FULL[kind]["spec"]) - others


@pytest.mark.parametrize(("kind", "field", "value"), KEPT, ids=[f"{kind} {field}" for kind, field, _ in KEPT])
def test_who_edits_is_written_down(guard: Guarded, kind: str, field: str, value: Any) -> None:
    make, who = MAKE[kind]
    stored = guard.stored(ALICE, make())
    assert stored["spec"][who] == guard.identity(ALICE)
    for also in ({}, {f"spec.{who}": ABSENT}, {f"spec.{who}": guard.identity(BOB)}):
        answer = guard.update(BOB, stored, {f"spec.{field}": value, **also})
        assert answer.accepted, answer.says
        assert answer.body["spec"][who] == guard.identity(BOB)
    forged = guard.update(BOB, stored, {f"spec.{field}": value, f"spec.{who}": guard.identity(ADMIN)})
    assert forged.status == 403
    assert f"{who}.username: is admin, but this request comes from bob" in forged.says


@edited
def test_who_edited_stays_while_nothing_changes(guard: Guarded, kind: str) -> None:
    make, field = MAKE[kind]
    stored = guard.stored(ALICE, make())
    changes: list[Manifest] = [{"metadata.labels.team": "x"}, {f"spec.{field}": ABSENT}]
    if kind == SCHEDULE:
        changes.append({"spec.suspend": True})
    for change in changes:
        answer = guard.update(BOB, stored, change)
        assert answer.accepted, answer.says
        assert answer.body["spec"][field] == guard.identity(ALICE)
    for who in (BOB, ADMIN):
        answer = guard.update(who, stored, {f"spec.{field}": guard.identity(who)})
        assert answer.status == 403
        assert "leave it as it is, for this request changes nothing else" in answer.says


RUN_OWNER = {"apiVersion": "actionoperator.dev/v1alpha1", "kind": SCHEDULE, "name": "nightly", "uid": "1-2"}


def test_the_operator_makes_a_run_in_the_name_of_whose_schedule_it_is(guard: Guarded) -> None:
    marks = {"metadata__labels": {"actionoperator.dev/schedule": "nightly"}, "metadata__ownerReferences": [RUN_OWNER]}
    answer = guard.create(THE_OPERATOR, workflow(spec__requestedBy=guard.identity(ALICE), **marks))
    assert answer.accepted, answer.says
    assert answer.body["spec"]["requestedBy"] == guard.identity(ALICE)


@pytest.mark.parametrize("who", [ALICE, ADMIN])
def test_the_marks_of_a_run_are_the_operators(guard: Guarded, who: str) -> None:
    for change in (
        {"metadata__labels": {"actionoperator.dev/schedule": "nightly"}},
        {"metadata__ownerReferences": [RUN_OWNER]},
        {"metadata__ownerReferences": [RUN_OWNER | {"controller": True}]},
    ):
        answer = guard.create(who, workflow(**change))
        assert answer.status == 403
        assert "mark" in answer.says
    stored = guard.stored(who, workflow())
    answer = guard.update(who, stored, {"metadata.ownerReferences": [RUN_OWNER]})
    assert answer.status == 403


def test_what_is_not_formed_as_it_should_be_is_refused_in_the_words_of_its_schema(guard: Guarded) -> None:
    malformed = [make(spec=spec) for make in (proposal, workflow, approval) for spec in (ABSENT, "text", [], {}, 7)]
    malformed += [
        proposal(spec__cancelled="yes"),
        proposal(spec__suspend=1),
        workflow(spec__requestedBy="alice"),
        approval(spec__approver=1),
        approval(spec__subject="x"),
        approval(spec__subject={"kind": 7, "name": [], "uid": {}}),
        approval(spec__subject={}),
    ]
    for body in malformed:
        answer = guard.create(ALICE, body)
        assert answer.status == 422, f"{body}: {answer.says}"
        assert "AdmissionPolicy" not in answer.says


# -- approvals belong to what they are about ---------------------------------------------------------------------------


def test_a_vote_is_owned_by_its_subject_if_by_nobody_else(guard: Guarded) -> None:
    vote = approval()
    subject = vote["spec"]["subject"]
    own = {"apiVersion": "actionoperator.dev/v1alpha1", **subject}
    assert guard.create(ALICE, vote).body["metadata"]["ownerReferences"] == [own]
    empty = approval(metadata__ownerReferences=[])
    assert guard.create(ALICE, empty).body["metadata"]["ownerReferences"] == [own]
    another = [{"apiVersion": "v1", "kind": "ConfigMap", "name": "a", "uid": "1-2"}]
    given = approval(metadata__ownerReferences=another)
    assert guard.create(ALICE, given).body["metadata"]["ownerReferences"] == another


# -- who cancelled, suspended, changed ---------------------------------------------------------------------------------

lifecycle = pytest.mark.parametrize("make", [proposal, workflow], ids=[PROPOSAL, WORKFLOW])


def annotations(answer: Answer) -> dict[str, str]:
    assert answer.accepted, answer.says
    found: dict[str, str] = answer.body["metadata"].get("annotations", {})
    return found


@lifecycle
@pytest.mark.parametrize("others", [{}, {"note": "kept"}], ids=["alone", "beside others"])
def test_who_cancels_is_written_down(guard: Guarded, make: Callable[..., Manifest], others: dict[str, str]) -> None:
    stored = guard.stored(ALICE, make(metadata__annotations=others))
    answer = guard.patch(BOB, stored, {"spec": {"cancelled": True}}, dry_run=False)
    assert annotations(answer) == others | {CANCELLED_BY: BOB}
    later = guard.patch(ALICE, answer.body, {"metadata": {"annotations": {"note": "later"}}})
    assert annotations(later) == {CANCELLED_BY: BOB, "note": "later"}


@lifecycle
def test_who_suspends_and_who_resumes_is_written_down(guard: Guarded, make: Callable[..., Manifest]) -> None:
    stored = guard.stored(ALICE, make(spec__suspend=True))
    assert stored["metadata"]["annotations"] == {SUSPENDED_BY: ALICE}
    resumed = guard.patch(BOB, stored, {"spec": {"suspend": False}}, dry_run=False)
    assert annotations(resumed) == {SUSPENDED_BY: BOB}
    again = guard.update(ALICE, resumed.body, {"spec.suspend": True, "metadata.annotations": ABSENT})
    assert annotations(again) == {SUSPENDED_BY: ALICE}


@lifecycle
def test_both_at_once_are_written_down(guard: Guarded, make: Callable[..., Manifest]) -> None:
    stored = guard.stored(ALICE, make())
    assert "annotations" not in stored["metadata"]
    answer = guard.patch(BOB, stored, {"spec": {"cancelled": True, "suspend": True}})
    assert annotations(answer) == {CANCELLED_BY: BOB, SUSPENDED_BY: BOB}
    assert annotations(guard.create(ALICE, make(spec__cancelled=True))) == {CANCELLED_BY: ALICE}


@lifecycle
def test_an_update_that_leaves_the_names_out_keeps_them(guard: Guarded, make: Callable[..., Manifest]) -> None:
    stored = guard.stored(ALICE, make(spec__suspend=True, spec__cancelled=True))
    names = {CANCELLED_BY: ALICE, SUSPENDED_BY: ALICE}
    for change in (ABSENT, {}, {"note": "new"}, {CANCELLED_BY: ""}):
        kept = annotations(guard.update(BOB, stored, {"metadata.annotations": change}))
        assert {name: kept[name] for name in names} == names


@lifecycle
def test_naming_oneself_as_who_cancels_is_accepted(guard: Guarded, make: Callable[..., Manifest]) -> None:
    stored = guard.stored(ALICE, make())
    change = {"spec": {"cancelled": True}, "metadata": {"annotations": {CANCELLED_BY: BOB}}}
    assert annotations(guard.patch(BOB, stored, change)) == {CANCELLED_BY: BOB}


def names(guard: Guarded, who: str, given: dict[str, str], spec: dict[str, bool] | None = None, **made: Any) -> Answer:
    """Bob's (or somebody's) patch of a proposal of alice's."""
    stored = guard.stored(ALICE, proposal(**made))
    return guard.patch(who, stored, {"metadata": {"annotations": given}, "spec": spec or {}})


@attacks(
    ("cancel in another's name", lambda g: names(g, BOB, {CANCELLED_BY: ALICE}, {"cancelled": True}),
     "this request comes from bob: take the annotation out, or name yourself"),
    ("suspend in another's name", lambda g: names(g, BOB, {SUSPENDED_BY: ALICE}, {"suspend": True}),
     "this request comes from bob: take the annotation out, or name yourself"),
    ("create cancelled in another's name",
     lambda g: g.create(ALICE, proposal(spec__cancelled=True, metadata__annotations={CANCELLED_BY: BOB})),
     "this request comes from alice"),
    ("a canceller without cancelling", lambda g: names(g, BOB, {CANCELLED_BY: ALICE}), "this request cancels nothing"),
    ("oneself as canceller without cancelling", lambda g: names(g, BOB, {CANCELLED_BY: BOB}),
     "this request cancels nothing"),
    ("a canceller from the start", lambda g: g.create(ALICE, proposal(metadata__annotations={CANCELLED_BY: BOB})),
     "this request cancels nothing"),
    ("another canceller afterwards", lambda g: names(g, BOB, {CANCELLED_BY: BOB}, spec__cancelled=True),
     "this request cancels nothing"),
    ("another suspender afterwards", lambda g: names(g, BOB, {SUSPENDED_BY: BOB}, spec__suspend=True),
     "this request does not change spec.suspend"),
    ("a canceller with a suspension", lambda g: names(g, BOB, {CANCELLED_BY: BOB}, {"suspend": True}),
     "this request cancels nothing"),
    ("an administrator in another's name", lambda g: names(g, ADMIN, {CANCELLED_BY: ALICE}, {"cancelled": True}),
     "this request comes from admin"),
    ("the operator in another's name", lambda g: g.create(
        THE_OPERATOR, proposal(spec__cancelled=True, metadata__annotations={CANCELLED_BY: ALICE})),
     "this request comes from system:serviceaccount:action-operator:action-operator"),
)  # fmt: skip
def test_a_forged_actor_is_refused(attack: Attack, guard: Guarded) -> None:
    refused(attack, guard)


def declared(guard: Guarded, kind: str, given: dict[str, str] | None = None, **spec: Any) -> Manifest:
    """A policy or an action type."""
    of_kind = {"match": {"namespaces": [guard.namespace]}} if kind == POLICY else MINIMAL[TYPE]["spec"]
    metadata = {"name": f"{guard.namespace}-x", "labels": {"made-by": guard.namespace}, "annotations": given or {}}
    return {
        "apiVersion": "actionoperator.dev/v1alpha1", "kind": kind, "metadata": metadata, "spec": of_kind | spec,
    }  # fmt: skip


CHANGE = {POLICY: {"halt": True}, TYPE: {"description": "Wait long."}}
each_declared = pytest.mark.parametrize("kind", CHANGE)


@each_declared
def test_who_changes_what_is_declared_is_written_down(guard: Guarded, kind: str) -> None:
    stored = guard.stored(ALICE, declared(guard, kind, {"note": "kept"}))
    try:
        assert stored["metadata"]["annotations"] == {"note": "kept", CHANGED_BY: ALICE}
        other = guard.patch(BOB, stored, {"metadata": {"annotations": {"note": "new"}, "labels": {"a": "b"}}})
        assert annotations(other)[CHANGED_BY] == ALICE
        changed_spec = guard.patch(BOB, stored, {"spec": CHANGE[kind]})
        assert annotations(changed_spec)[CHANGED_BY] == BOB
        left_out = guard.update(BOB, stored, {"metadata.annotations": ABSENT})
        assert annotations(left_out)[CHANGED_BY] == ALICE
        for change, told in (
            ({"metadata": {"annotations": {CHANGED_BY: BOB}}}, "this request does not change the spec"),
            ({"metadata": {"annotations": {CHANGED_BY: ADMIN}}, "spec": CHANGE[kind]}, "this request comes from bob"),
        ):
            answer = guard.patch(BOB, stored, change)
            assert answer.status == 403, answer.says
            assert told in answer.says
    finally:
        guard.admin.send("DELETE", guard.admin.path(kind, stored["metadata"]["name"]))


@each_declared
def test_nothing_is_declared_in_anothers_name(guard: Guarded, kind: str) -> None:
    answer = guard.create(BOB, declared(guard, kind, {CHANGED_BY: ALICE}))
    assert answer.status == 403
    assert "this request comes from bob" in answer.says


def test_applying_the_same_again_changes_nothing(guard: Guarded) -> None:
    """What is filled in stays, whether applied by kubectl or by the server, and is no change to a GitOps tool."""
    for kind in CHANGE:
        body = declared(guard, kind)
        path = guard.admin.path(kind, body["metadata"]["name"])
        versions = []
        for _ in range(3):
            header = {"Content-Type": "application/apply-patch+yaml"}
            answer = guard.clients[ALICE].send("PATCH", f"{path}?fieldManager=gitops&force=true", body, header)
            assert answer.accepted, answer.says
            assert answer.body["metadata"]["annotations"] == {CHANGED_BY: ALICE}
            versions.append((answer.body["metadata"]["generation"], answer.body["metadata"]["resourceVersion"]))
        guard.admin.send("DELETE", path)
        assert versions[1] == versions[2]
        assert versions[2][0] == 1


def test_the_agent_is_who_it_is(guard: Guarded) -> None:
    """A ServiceAccount of another name, of the same namespace, is another."""
    other = guard.create(MACHINE, proposal()).body["spec"]["requestedBy"]
    answer = guard.create(AGENT, proposal(spec__requestedBy=other))
    assert answer.status == 403
    assert f"but this request comes from {guard.username(AGENT)}" in answer.says
