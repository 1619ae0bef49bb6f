"""Policies that match an action together: the strictest wins, and nothing that is not understood is passed over."""

from ipaddress import ip_network
from itertools import permutations
from typing import Any

import pytest
from unit.core.making import EXECUTE, HALT, OBSERVE, named, policy

from controller.api.names import Mode, Risk
from controller.core.matching import PolicySubject, matches
from controller.core.policy import EffectivePolicy, SpecFault, Stated, effective, spec_faults, unsupported_fields

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
        ({"approval": {"required": 1}}, "spec.approval"),
        ({"limits": {}}, "spec.limits"),
        ({"kinds": {"allowed": ["apps/Deployment"]}}, "spec.kinds"),
        ({"protect": {"namespaces": ["kube-system"]}}, "spec.protect"),
        ({"windows": [{"start": "02:00", "end": "04:00", "timeZone": "UTC"}]}, "spec.windows"),
        (
            {"freezes": [{"start": "2026-12-24T00:00:00Z", "end": "2026-12-27T00:00:00Z", "reason": "x"}]},
            "spec.freezes",
        ),
        ({"dynamicTargets": "Allow"}, "spec.dynamicTargets"),
        ({"match": {"requesters": ["eve"]}}, "spec.match.requesters"),
        ({"maintenance": True}, "spec.maintenance"),
        ({"match": {"clusters": ["a"]}}, "spec.match.clusters"),
        ({"http": {"allowedPorts": [80]}}, "spec.http.allowedPorts"),
    ],
)
def test_what_is_not_carried_out_is_named(spec: Any, path: str) -> None:
    assert [*unsupported_fields(policy(spec).spec)] == [path]
    assert effective(named({"p": spec, "go": EXECUTE}), SUBJECT).unsupported == ("p", path)


def test_what_is_carried_out_is_not_named() -> None:
    spec = {**EXECUTE, **HALT, "serviceAccountName": "a", "dynamicTargets": "Deny", **http(allowedHosts=["a"]),
            "match": {"namespaces": ["shop"], "actions": ["wait"], "namespaceLabels": {}}}  # fmt: skip
    assert [*unsupported_fields(policy(spec).spec)] == []
