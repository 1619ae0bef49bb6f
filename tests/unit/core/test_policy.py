"""Policies that match an action together: the strictest wins, and nothing that is not understood is passed over."""

from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_network
from itertools import permutations
from typing import Any

import pytest
from unit.core.making import EXECUTE, HALT, NOW, OBSERVE, after, named, policy, view, workflow, world

from controller.api.names import Mode, Risk
from controller.core.actors import proven_at
from controller.core.enforcement import Enforcement
from controller.core.matching import UNPROVEN, Fit, PolicySubject, Requester, fit, matches
from controller.core.policy import EffectivePolicy, SpecFault, Stated, effective, spec_faults, unsupported_fields

WINDOW = {"start": "02:00", "end": "04:00", "timeZone": "UTC"}
FREEZE = {"start": "2026-12-24T00:00:00Z", "end": "2026-12-27T00:00:00Z", "reason": "x"}
SUBJECT = PolicySubject("shop", {"team": "web", "stage": "prod"}, "scale-workload", Risk.MEDIUM)


def merged(*specs: Any, subject: PolicySubject = SUBJECT) -> EffectivePolicy:
    return effective(named(specs), subject)


def http(**rule: Any) -> Any:
    return {"http": rule}


def test_without_policies_there_is_no_opinion() -> None:
    assert merged() == EffectivePolicy()


@pytest.mark.parametrize(
    ("specs", "mode"),
    [
        ([EXECUTE], Mode.EXECUTE),
        ([EXECUTE, OBSERVE], Mode.OBSERVE),
        ([OBSERVE, OBSERVE], Mode.OBSERVE),
        ([{}], None),
        ([{}, EXECUTE], Mode.EXECUTE),
        ([{**EXECUTE, "match": {"namespaces": ["other"]}}], None),
    ],
)
def test_the_stricter_mode_wins(specs: Any, mode: Mode | None) -> None:
    for row in permutations(specs):
        assert merged(*row).mode is mode


def test_the_policy_that_observes_is_named() -> None:
    assert effective(named({"go": EXECUTE, "look": OBSERVE}), SUBJECT).mode_from == "look"


@pytest.mark.parametrize(
    ("specs", "halted"),
    [([HALT, EXECUTE], True), ([EXECUTE, HALT], True), ([{"halt": False}], False), ([EXECUTE], False)],
)
def test_one_kill_switch_is_enough(specs: Any, halted: bool) -> None:
    assert (merged(*specs).halted_by is not None) is halted


@pytest.mark.parametrize(
    ("specs", "runner", "conflict"),
    [
        ([EXECUTE], None, False),
        ([{"serviceAccountName": "a"}, EXECUTE], "a", False),
        ([{"serviceAccountName": "a"}, {"serviceAccountName": "a"}], "a", False),
        ([{"serviceAccountName": "a"}, {"serviceAccountName": "b"}], None, True),
    ],
)
def test_runners_must_agree(specs: Any, runner: str | None, conflict: bool) -> None:
    for row in permutations(specs):
        result = merged(*row)
        assert result.runner == runner
        assert (result.conflict is not None) is conflict


def test_a_conflict_names_both_policies_and_both_runners() -> None:
    found = effective(named({"p": {"serviceAccountName": "a"}, "q": {"serviceAccountName": "b"}}), SUBJECT).conflict
    assert found is not None
    for word in ("p", "q", "a", "b", "spec.serviceAccountName"):
        assert word in found


@pytest.mark.parametrize(
    ("specs", "hosts", "private"),
    [
        pytest.param([EXECUTE], None, [], id="none named: nowhere"),
        pytest.param([http(allowedHosts=["a", "b"])], {"a", "b"}, [], id="one"),
        pytest.param([http(allowedHosts=["a", "b"]), http(allowedHosts=["b", "c"])], {"b"}, [], id="both"),
        pytest.param([http(allowedHosts=["a"]), http(allowedHosts=["b"])], set(), [], id="nothing in common"),
        pytest.param([http(allowedHosts=["a"]), http(allowedPrivate=["10.0.0.0/8"])], {"a"}, ["10.0.0.0/8"], id="two"),
        pytest.param(
            [http(allowedPrivate=["10.0.0.0/8", "fd00::/8"]), http(allowedPrivate=["fd00::/8"])], None, ["fd00::/8"],
            id="private intersection",
        ),
        pytest.param([http(allowedPrivate=["nonsense"])], None, [], id="what is no network allows nothing"),
        pytest.param([http(allowedHosts=[])], set(), [], id="an empty list allows nothing"),
    ],
)  # fmt: skip
def test_http_rules_intersect(specs: Any, hosts: set[str] | None, private: list[str]) -> None:
    for row in permutations(specs):
        egress = merged(*row).egress
        assert egress.hosts == hosts
        assert egress.private == tuple(ip_network(text) for text in private)


@pytest.mark.parametrize(
    ("match", "fits"),
    [
        ({}, True),
        ({"namespaces": ["shop", "other"]}, True),
        ({"namespaces": ["other"]}, False),
        ({"namespaces": []}, False),
        ({"actions": ["scale-workload"]}, True),
        ({"actions": ["wait"]}, False),
        ({"risks": ["Medium", "High"]}, True),
        ({"risks": ["High"]}, False),
        ({"namespaceLabels": {"team": "web"}}, True),
        ({"namespaceLabels": {"team": "web", "stage": "prod"}}, True),
        ({"namespaceLabels": {"team": "web", "stage": "test"}}, False),
        ({"namespaceLabels": {"owner": "me"}}, False),
        ({"namespaces": ["shop"], "actions": ["wait"]}, False),
    ],
)
def test_every_given_field_must_fit(match: Any, fits: bool) -> None:
    assert matches(policy({"match": match}), SUBJECT) is fits


def test_an_unknown_risk_fits_all() -> None:
    assert matches(policy({"match": {"risks": ["Critical"]}}), PolicySubject("shop", {}, "gone", None))


@pytest.mark.parametrize(
    ("spec", "path"),
    [
        ({"kinds": {"denied": ["apps/Deployment"]}}, "spec.kinds.denied"),
        ({"maintenance": True}, "spec.maintenance"),
        ({"match": {"clusters": ["a"]}}, "spec.match.clusters"),
        ({"http": {"allowedPorts": [80]}}, "spec.http.allowedPorts"),
    ],
)
def test_what_is_not_carried_out_is_named(spec: Any, path: str) -> None:
    assert [*unsupported_fields(policy(spec).spec)] == [path]
    stated = effective(named({"p": spec, "go": EXECUTE}), SUBJECT).fault
    assert stated is not None
    assert (stated.policy, stated.rule.path) == ("p", path)


def test_what_is_carried_out_is_not_named() -> None:
    spec = {**EXECUTE, **HALT, "serviceAccountName": "a", "dynamicTargets": "Deny", **http(allowedHosts=["a"]),
            "match": {"namespaces": ["shop"], "actions": ["wait"], "namespaceLabels": {}, "requesters": ["eve"]},
            "kinds": {"allowed": ["apps/Deployment"]},
            "limits": {"maxConcurrent": 1}, "protect": {"namespaces": ["a"]}, "windows": [WINDOW],
            "freezes": [FREEZE]}  # fmt: skip
    assert [*unsupported_fields(policy(spec).spec)] == []
    assert [*spec_faults(policy(spec).spec)] == []


def test_a_zone_that_is_not_known_is_a_fault_of_the_policy() -> None:
    spec = {"windows": [WINDOW, {**WINDOW, "timeZone": "Mars/Base"}]}
    fault = merged(EXECUTE, spec).fault
    assert fault is not None
    assert fault == Stated("policy-1", SpecFault("spec.windows[1].timeZone", fault.rule.message))
    assert "Mars/Base" in fault.rule.message


def test_rules_of_time_and_amount_are_kept_with_the_policy_that_states_them() -> None:
    found = effective(
        named(
            {
                "a": {**EXECUTE, "windows": [WINDOW], "freezes": [FREEZE], "limits": {"maxConcurrent": 2}},
                "b": {"windows": [WINDOW], "freezes": [FREEZE, FREEZE], "limits": {"breakerResetSeconds": 9}},
                "c": {"limits": {"maxPerHour": 3}, "protect": {"labels": {"a": "b"}}},
                "elsewhere": {"match": {"actions": ["wait"]}, "windows": [WINDOW], "limits": {"maxPerHour": 1}},
            }
        ),
        SUBJECT,
    )
    assert [stated.policy for stated in found.windows] == ["a", "b"]
    assert [stated.policy for stated in found.freezes] == ["a", "b", "b"]
    assert [stated.policy for stated in found.limits] == ["a", "c"], "how long a breaker stays open limits nothing"
    assert [stated.policy for stated in found.protect] == ["c"]


ALICE, EVE = Requester("alice", proven=True), Requester("eve", proven=True)
CLAIMS_ALICE = Requester("alice", proven=False)
FOR_ALICE: Any = {"match": {"requesters": ["alice", "bob"]}}


@pytest.mark.parametrize(
    ("requester", "fits"),
    [
        pytest.param(ALICE, Fit.YES, id="named and proven"),
        pytest.param(EVE, Fit.NO, id="proven to be another"),
        pytest.param(CLAIMS_ALICE, Fit.MAYBE, id="says so"),
        pytest.param(Requester("eve", proven=False), Fit.MAYBE, id="says to be another"),
        pytest.param(UNPROVEN, Fit.MAYBE, id="nobody says"),
        pytest.param(Requester("", proven=True), Fit.NO, id="somebody whom no policy names"),
    ],
)
def test_requesters_fit_by_name_where_that_is_proven(requester: Requester, fits: Fit) -> None:
    subject = replace(SUBJECT, requester=requester)
    assert fit(policy(FOR_ALICE), subject) is fits
    assert fit(policy({}), subject) is Fit.YES, "a policy that names none does not care"
    assert fit(policy({"match": {"requesters": ["alice"], "namespaces": ["other"]}}), subject) is Fit.NO


GIVES: Any = {
    **FOR_ALICE,
    **EXECUTE,
    "serviceAccountName": "a",
    **http(allowedHosts=["x"], allowedPrivate=["10.0.0.0/8"]),
}


def test_who_is_not_proven_gets_no_leave_by_name() -> None:
    proven = merged(GIVES, subject=replace(SUBJECT, requester=ALICE))
    assert (proven.mode, proven.runner, proven.egress.hosts) == (Mode.EXECUTE, "a", {"x"})
    assert proven.egress.private
    assert merged(GIVES, subject=replace(SUBJECT, requester=CLAIMS_ALICE)) == EffectivePolicy()
    assert merged(GIVES, subject=replace(SUBJECT, requester=EVE)) == EffectivePolicy()


def test_who_is_not_proven_is_restricted_by_every_name() -> None:
    rules = {"windows": [WINDOW], "freezes": [FREEZE], "limits": {"maxPerHour": 1}, "protect": {"labels": {"a": "b"}}}
    strict = {**FOR_ALICE, **OBSERVE, **HALT, **rules, "kinds": {"allowed": ["A"]}, **http(allowedHosts=["x"])}
    loose = {**EXECUTE, **http(allowedHosts=["x", "y"]), "kinds": {"allowed": ["A", "B"]}}
    free = merged(loose, strict, subject=replace(SUBJECT, requester=EVE))
    assert free == merged(loose)
    for requester in (ALICE, CLAIMS_ALICE, UNPROVEN):
        held = merged(loose, strict, subject=replace(SUBJECT, requester=requester))
        assert (held.mode, held.halted_by, held.egress.hosts) == (Mode.OBSERVE, "policy-1", {"x"})
        assert held.kinds == {"A"}
        assert all((held.windows, held.freezes, held.limits, held.protect))


def test_a_runner_that_contradicts_is_a_conflict_also_where_nobody_is_proven() -> None:
    other = {"serviceAccountName": "b"}
    held = merged({**GIVES, "serviceAccountName": "a"}, other, subject=replace(SUBJECT, requester=CLAIMS_ALICE))
    assert held.runner is None
    assert held.conflict is not None
    same = merged(GIVES, {"serviceAccountName": "a"}, subject=replace(SUBJECT, requester=CLAIMS_ALICE))
    assert (same.runner, same.conflict) == ("a", None)


ENFORCED = Enforcement(NOW, None)


@pytest.mark.parametrize(
    ("enforcement", "created", "told"),
    [
        pytest.param(Enforcement(None, "missing"), [after(99)], False, id="not enforced"),
        pytest.param(ENFORCED, [after(4.999)], False, id="too early to be sure"),
        pytest.param(ENFORCED, [after(5)], True, id="proven"),
        pytest.param(ENFORCED, [after(99), after(4)], False, id="a step of a workflow that is not proven"),
        pytest.param(ENFORCED, [None], False, id="nobody knows when"),
    ],
)
def test_a_name_is_proven_once_admission_writes_it(enforcement: Enforcement, created: Any, told: bool) -> None:
    assert proven_at(enforcement, *created) is told


def test_the_world_tells_requesters_apart_only_as_far_as_policies_do() -> None:
    """What it has worked out it keeps, and user names are endless."""
    seen = replace(world(policies=[EXECUTE, {**FOR_ALICE, **HALT}]), enforcement=ENFORCED)
    for name in ("alice", "bob", *(f"user-{n}" for n in range(100))):
        policy = seen.policy_for("shop", "wait", Requester(name, proven=True))
        assert (policy.halted_by is not None) is (name in ("alice", "bob"))
    assert seen.policy_for("shop", "wait", CLAIMS_ALICE).halted_by is not None
    assert len(seen._merged) == 4
    indifferent = world()
    for n in range(10):
        indifferent.policy_for("shop", "wait", Requester(f"user-{n}", proven=True))
    assert len(indifferent._merged) == 1


def test_the_requester_of_a_step_is_as_proven_as_its_workflow() -> None:
    spec = {"requestedBy": {"username": "alice"}}
    old = workflow(created=NOW - timedelta(hours=1))[0]
    new = workflow(created=after(10))[0]
    for parent, told in ((None, True), (new, True), (old, False)):
        seen = view(spec, created=after(20), parent=parent)
        seen = replace(seen, world=replace(seen.world, enforcement=ENFORCED))
        assert seen.requester == Requester("alice", told)
