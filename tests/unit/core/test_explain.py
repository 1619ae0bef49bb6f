"""Why an action is treated as it is: every policy with why it does not match, or what it contributes."""

from dataclasses import replace
from typing import Any

import pytest
from unit.core.making import EXECUTE, HALT, OBSERVE, named, policy

from controller.api.names import Risk
from controller.api.policy import PolicySpec
from controller.core.approvals import asked_by
from controller.core.explain import MERGED, Explanation, RuleInForce, explain
from controller.core.matching import Fit, PolicySubject, Requester
from controller.core.policy import effective

ALICE = Requester("alice", proven=True)
SUBJECT = PolicySubject("shop", {"stage": "prod"}, "scale-workload", Risk.MEDIUM, ALICE)
WINDOW = {"days": ["Mon", "Tue"], "start": "22:00", "end": "04:00", "timeZone": "Europe/Berlin"}
FREEZE = {"start": "2026-12-24T00:00:00Z", "end": "2026-12-27T00:00:00Z", "reason": "holidays"}
FULL: Any = {
    **EXECUTE,
    "halt": False,
    "approval": {
        "required": 2, "requiredFromMachines": 3, "groups": ["sre"], "allowSelf": True, "validSeconds": 60,
        "requestTimeoutSeconds": 90, "onDrift": "Proceed",
    },
    "serviceAccountName": "runner",
    "http": {"allowedHosts": ["a.example", "b.example"], "allowedPrivate": ["10.0.0.0/8"]},
    "kinds": {"allowed": ["apps/Deployment"]},
    "dynamicTargets": "Allow",
    "limits": {
        "maxConcurrent": 5, "maxPerHour": 30, "perTargetCooldownSeconds": 60, "maxConsecutiveFailures": 5,
        "breakerResetSeconds": 600,
    },
    "protect": {"namespaces": ["kube-system"], "labels": {"critical": "true"}},
    "windows": [WINDOW],
    "freezes": [FREEZE],
}  # fmt: skip


def explained(*specs: Any, **names: Any) -> Explanation:
    return explain(named(names or specs), SUBJECT)


def in_force(found: Explanation) -> dict[str, tuple[str, tuple[str, ...]]]:
    return {rule.field: (rule.value, rule.policies) for rule in found.rules}


def test_every_rule_of_a_policy_is_told_as_people_write_it() -> None:
    (only,) = explained(FULL).policies
    assert (only.policy, only.fit) == ("policy-0", Fit.YES)
    assert {one.field: one.value for one in only.contributions} == {
        "mode": "Execute", "halt": "false", "approval.required": "2", "approval.requiredFromMachines": "3",
        "approval.groups": "sre", "approval.allowSelf": "true", "approval.validSeconds": "60",
        "approval.requestTimeoutSeconds": "90", "approval.onDrift": "Proceed", "serviceAccountName": "runner",
        "http.allowedHosts": "a.example, b.example", "http.allowedPrivate": "10.0.0.0/8",
        "kinds.allowed": "apps/Deployment", "dynamicTargets": "Allow", "limits.maxConcurrent": "5",
        "limits.maxPerHour": "30", "limits.perTargetCooldownSeconds": "60", "limits.maxConsecutiveFailures": "5",
        "limits.breakerResetSeconds": "600", "protect.namespaces": "kube-system", "protect.labels": "critical=true",
        "windows": "Mon, Tue 22:00-04:00 Europe/Berlin",
        "freezes": "2026-12-24T00:00:00.000Z to 2026-12-27T00:00:00.000Z: holidays",
    }  # fmt: skip
    assert all(one.in_force for one in only.contributions)
    assert [one.field for one in only.contributions] == [*MERGED], "in the order of the spec"


def test_every_field_of_the_schema_has_its_way_of_merging() -> None:
    """Or `policy explain` would not show it."""
    paths = set()
    for name, field in PolicySpec.model_fields.items():
        inner = next(
            (kind for kind in getattr(field.annotation, "__args__", ()) if hasattr(kind, "model_fields")), None
        )
        if inner is not None and name not in ("match", "windows", "freezes"):
            paths |= {f"{field.alias}.{part.alias}" for part in inner.model_fields.values()}
        elif name != "match":
            paths.add(field.alias)
    assert paths == set(MERGED)


@pytest.mark.parametrize(
    ("match", "says"),
    [
        ({"namespaces": ["other", "third"]}, "match.namespaces: shop is not among other, third"),
        ({"namespaces": []}, "match.namespaces: shop is not among none (the list is empty)"),
        (
            {"namespaceLabels": {"stage": "test"}},
            "match.namespaceLabels: stage of namespace shop is prod, must be test",
        ),
        ({"namespaceLabels": {"team": "a"}}, "match.namespaceLabels: team of namespace shop is missing, must be a"),
        ({"actions": ["wait"]}, "match.actions: scale-workload is not among wait"),
        ({"risks": ["High"]}, "match.risks: Medium is not among High"),
        ({"requesters": ["bob"]}, "match.requesters: alice is not among bob"),
        (
            {"actions": [f"a{n}" for n in range(20)]},
            "match.actions: scale-workload is not among a0, a1, a2, a3, a4, a5, a6, a7 and 12 more",
        ),
    ],
)
def test_why_a_policy_does_not_match_is_told(match: Any, says: str) -> None:
    (only,) = explained({**HALT, "match": match}).policies
    assert (only.fit, only.why_not, only.contributions) == (Fit.NO, (says,), ())


def test_all_reasons_are_told_and_policies_that_match_come_first() -> None:
    found = explained(b=EXECUTE, a={"match": {"actions": ["x"], "namespaces": ["y"]}}, c=HALT)
    assert [one.policy for one in found.policies] == ["b", "c", "a"]
    assert len(found.policies[2].why_not) == 2


@pytest.mark.parametrize(
    ("specs", "field", "value", "policies"),
    [
        pytest.param([EXECUTE, OBSERVE, OBSERVE], "mode", "Observe", ["policy-1", "policy-2"], id="the stricter"),
        pytest.param([{"halt": False}, HALT], "halt", "true", ["policy-1"], id="halt"),
        pytest.param([{"limits": {"maxConcurrent": 5}}], "limits.maxConcurrent", "5", ["policy-0"], id="limit"),
        pytest.param(
            [{"approval": {"required": 1}}, {"approval": {"required": 2}}], "approval.required", "2", ["policy-1"],
            id="the greatest",
        ),
        pytest.param(
            [{"approval": {"validSeconds": 9}}, {"approval": {"validSeconds": 8}}], "approval.validSeconds", "8",
            ["policy-1"], id="the least",
        ),
        pytest.param(
            [{"approval": {"allowSelf": True}}, {"approval": {"allowSelf": False}}], "approval.allowSelf", "false",
            ["policy-1"], id="nobody approves himself",
        ),
        pytest.param(
            [{"http": {"allowedHosts": ["a", "b"]}}, {"http": {"allowedHosts": ["b", "c"]}}], "http.allowedHosts", "b",
            ["policy-0", "policy-1"], id="in common",
        ),
        pytest.param(
            [{"http": {"allowedHosts": ["a"]}}, {"http": {"allowedHosts": ["b"]}}], "http.allowedHosts", "none",
            ["policy-0", "policy-1"], id="nothing in common",
        ),
        pytest.param(
            [{"serviceAccountName": "a"}, {"serviceAccountName": "b"}], "serviceAccountName", "contradicting: a, b", [],
            id="contradicting",
        ),
        pytest.param(
            [{"serviceAccountName": "a"}, {"serviceAccountName": "a"}], "serviceAccountName", "a",
            ["policy-0", "policy-1"], id="agreed",
        ),
    ],
)  # fmt: skip
def test_the_rule_in_force_is_told_with_where_it_comes_from(
    specs: Any, field: str, value: str, policies: list[str]
) -> None:
    found = explained(*specs)
    assert in_force(found)[field] == (value, tuple(policies))
    told = {(one.policy, rule.in_force) for one in found.policies for rule in one.contributions if rule.field == field}
    assert told == {(one.policy, one.policy in policies) for one in found.policies}


def test_limits_windows_and_freezes_of_each_policy_hold_by_themselves() -> None:
    found = explained({"limits": {"maxConcurrent": 5}, "windows": [WINDOW]}, {"limits": {"maxConcurrent": 3}})
    assert found.rules == (
        RuleInForce("limits.maxConcurrent", "5", ("policy-0",)),
        RuleInForce("limits.maxConcurrent", "3", ("policy-1",)),
        RuleInForce("windows", "Mon, Tue 22:00-04:00 Europe/Berlin", ("policy-0",)),
    )
    assert all(rule.in_force for one in found.policies for rule in one.contributions)


def test_what_a_name_that_is_not_proven_contributes_is_told() -> None:
    subject = replace(SUBJECT, requester=Requester("alice", proven=False))
    found = explain(named({"a": {**FULL, "match": {"requesters": ["alice"]}}}), subject)
    (only,) = found.policies
    assert only.fit is Fit.MAYBE
    gives = {"mode", "halt", "approval.allowSelf", "approval.onDrift", "serviceAccountName", "http.allowedHosts",
             "http.allowedPrivate", "kinds.allowed", "dynamicTargets"}  # fmt: skip
    assert {one.field for one in only.contributions if not one.in_force} == gives
    assert gives.isdisjoint(in_force(found))


def test_why_a_policy_cannot_be_carried_out_is_told() -> None:
    spec = {"windows": [{**WINDOW, "timeZone": "X/Y"}], "maintenance": True}
    (only,) = explained(spec).policies
    assert [fault.partition(" ")[0] for fault in only.faults] == ["spec.maintenance:", "spec.windows[0].timeZone:"]


SPECS = (
    EXECUTE, OBSERVE, HALT, {"serviceAccountName": "a"}, {"serviceAccountName": "b"}, FULL,
    {"http": {"allowedHosts": ["b.example"]}}, {"http": {"allowedPrivate": []}}, {"limits": {"maxPerHour": 1}},
    {"approval": {"allowSelf": True, "onDrift": "Proceed", "validSeconds": 10**6, "requestTimeoutSeconds": 9}},
    {"approval": {"allowSelf": False, "onDrift": "Reapprove", "validSeconds": 10**5}},
)  # fmt: skip


@pytest.mark.parametrize("first", range(len(SPECS)))
@pytest.mark.parametrize("proven", [True, False])
@pytest.mark.parametrize("by_name", [True, False])
def test_it_agrees_with_what_decides(first: int, proven: bool, by_name: bool) -> None:
    subject = replace(SUBJECT, requester=Requester("alice", proven))
    for second in SPECS:
        one = {**SPECS[first], "match": {"requesters": ["alice"]}} if by_name else SPECS[first]
        policies = named([one, second])
        merged, told = effective(policies, subject), in_force(explain(policies, subject))
        assert told.get("mode", (None,))[0] == (merged.mode.value if merged.mode else None)
        assert (told.get("halt", ("false",))[0] == "true") is (merged.halted_by is not None)
        runner = told.get("serviceAccountName", (None, ("x",)))
        assert (runner[0] if runner[1] else None) == merged.runner
        assert (not runner[1]) is (merged.conflict is not None)
        hosts = told.get("http.allowedHosts", (None,))[0]
        assert hosts == (", ".join(sorted(merged.egress.hosts)) or "none" if merged.egress.hosts is not None else None)
        private = told.get("http.allowedPrivate", ("none",))[0]
        assert private == (", ".join(map(str, merged.egress.private)) or "none")
        asked = asked_by(merged.approvals, None, always=False)
        assert told.get("approval.allowSelf", ("false",))[0] == str(asked.allow_self).lower()
        assert told.get("approval.onDrift", ("Reapprove",))[0] == asked.on_drift.value
        assert told.get("approval.validSeconds", ("86400",))[0] == str(asked.valid_seconds)
        assert told.get("approval.requestTimeoutSeconds", ("86400",))[0] == str(asked.request_timeout_seconds)


def test_a_policy_without_rules_contributes_nothing() -> None:
    (only,) = explain([policy({})], SUBJECT).policies
    assert (only.fit, only.contributions) == (Fit.YES, ())
