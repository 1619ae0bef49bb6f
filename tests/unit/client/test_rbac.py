"""Who may approve, by bindings and roles."""

from typing import Any

import pytest

from controller.client.rbac import Approver, Holder, HolderKind, Rbac, approvers, unknown_roles

GROUP = "actionoperator.dev"
APPROVE = {"apiGroups": [GROUP], "resources": ["actiontypes"], "verbs": ["approve"]}
CREATE = {"apiGroups": [GROUP], "resources": ["actionapprovals"], "verbs": ["create"]}
AS_MACHINE = {"apiGroups": [GROUP], "resources": ["actiontypes"], "verbs": ["approve-as-machine"]}
ALICE = {"kind": "User", "name": "alice"}
SRE = {"kind": "Group", "name": "sre"}
AGENT = {"kind": "ServiceAccount", "name": "agent", "namespace": "ci"}
USER, TEAM, MACHINE = HolderKind.USER, HolderKind.GROUP, HolderKind.MACHINE


def role(*rules: dict[str, Any], name: str = "r") -> dict[str, Any]:
    return {"metadata": {"name": name}, "rules": list(rules)}


def binding(*subjects: dict[str, Any], name: str = "b", role: str = "r", kind: str = "ClusterRole") -> dict[str, Any]:
    return {"metadata": {"name": name}, "subjects": list(subjects), "roleRef": {"kind": kind, "name": role}}


def found(*rules: dict[str, Any], subjects: Any = (ALICE,), actions: Any = ("wait",)) -> dict[str, Approver]:
    """Who may approve, by one role bound in the namespace."""
    rbac = Rbac(role_bindings=[binding(*subjects)], cluster_roles=[role(*rules)])
    return {str(one.holder.name): one for one in approvers(rbac, actions)}


@pytest.mark.parametrize(
    ("rule", "may"),
    [
        pytest.param({}, True, id="as written"),
        pytest.param({"verbs": ["get", "approve"]}, True, id="one of the verbs"),
        pytest.param({"verbs": ["*"]}, True, id="every verb"),
        pytest.param({"verbs": ["get"]}, False, id="another verb"),
        pytest.param({"apiGroups": ["*"]}, True, id="every API group"),
        pytest.param({"apiGroups": ["", "apps"]}, False, id="another API group"),
        pytest.param({"resources": ["*"]}, True, id="every resource"),
        pytest.param({"resources": ["actiontypes/status"]}, False, id="a subresource"),
        pytest.param({"resources": ["actionpolicies"]}, False, id="another resource"),
        pytest.param({"resourceNames": ["wait", "x"]}, True, id="this name"),
        pytest.param({"resourceNames": ["x"]}, False, id="another name"),
        pytest.param({"resourceNames": []}, True, id="no names: every name"),
        pytest.param({"resources": None, "nonResourceURLs": ["*"]}, False, id="of paths"),
    ],
)
def test_a_rule_is_read_as_the_api_server_reads_it(rule: dict[str, Any], may: bool) -> None:
    assert bool(found({**APPROVE, **rule})) is may


@pytest.mark.parametrize(
    ("rbac", "through"),
    [
        pytest.param(
            Rbac(role_bindings=[binding(ALICE, kind="Role")], roles=[role(APPROVE)]),
            "RoleBinding b (Role r)", id="a role",
        ),
        pytest.param(
            Rbac(role_bindings=[binding(ALICE)], cluster_roles=[role(APPROVE)]),
            "RoleBinding b (ClusterRole r)", id="a cluster role in the namespace",
        ),
        pytest.param(
            Rbac(cluster_role_bindings=[binding(ALICE)], cluster_roles=[role(APPROVE)]),
            "ClusterRoleBinding b (ClusterRole r)", id="everywhere",
        ),
        pytest.param(Rbac(role_bindings=[binding(ALICE)], roles=[role(APPROVE)]), None, id="a role of the other kind"),
        pytest.param(Rbac(role_bindings=[binding(ALICE, role="q")], cluster_roles=[role(APPROVE)]), None, id="no role"),
        pytest.param(Rbac(role_bindings=[binding()], cluster_roles=[role(APPROVE)]), None, id="nobody"),
    ],
)  # fmt: skip
def test_what_gives_the_right_is_told(rbac: Rbac, through: str | None) -> None:
    assert [one.through for one in approvers(rbac, ["wait"])] == ([(through,)] if through else [])


def test_those_who_may_approve_only_some_of_it_come_last_with_what_they_may_not() -> None:
    rbac = Rbac(
        role_bindings=[binding(ALICE, role="one"), binding(SRE, role="all"), binding(ALICE, role="more", name="c")],
        cluster_roles=[
            role({**APPROVE, "resourceNames": ["a"]}, name="one"),
            role({**APPROVE, "resourceNames": ["b"]}, name="more"),
            role(APPROVE, name="all"),
        ],
    )
    sre, alice = approvers(rbac, ["a", "b", "c"])
    assert (sre.holder, sre.full) == (Holder(TEAM, "sre"), True)
    assert (alice.holder, alice.actions, alice.missing) == (Holder(USER, "alice"), ("a", "b"), ("c",))
    assert alice.through == ("RoleBinding b (ClusterRole one)", "RoleBinding c (ClusterRole more)")


@pytest.mark.parametrize(
    ("subject", "name"),
    [
        pytest.param(AGENT, "ci/agent", id="service account"),
        pytest.param({"kind": "User", "name": "system:serviceaccount:ci:agent"}, "ci/agent", id="by its user name"),
        pytest.param({"kind": "Group", "name": "system:serviceaccounts"}, "system:serviceaccounts", id="all of them"),
        pytest.param({"kind": "Group", "name": "system:serviceaccounts:ci"}, "system:serviceaccounts:ci", id="some"),
    ],
)
def test_machines_need_a_right_more(subject: dict[str, Any], name: str) -> None:
    assert found(APPROVE, subjects=[subject]) == {}
    assert found(APPROVE, AS_MACHINE, subjects=[subject])[name].full
    assert found({**APPROVE, "verbs": ["*"]}, subjects=[subject])[name].full


def test_machines_have_what_their_groups_have() -> None:
    everywhere = {"kind": "Group", "name": "system:serviceaccounts:ci"}
    rbac = Rbac(
        role_bindings=[binding(AGENT, role="own"), binding(everywhere, role="groups", name="g")],
        cluster_roles=[role(APPROVE, name="own"), role(AS_MACHINE, CREATE, name="groups")],
    )
    (agent,) = approvers(rbac, ["wait"])
    assert agent.holder == Holder(MACHINE, "ci/agent")
    assert (agent.full, agent.may_create) == (True, True)
    assert agent.through == ("RoleBinding b (ClusterRole own)", "RoleBinding g (ClusterRole groups)")


def test_users_have_what_every_authenticated_user_has_and_are_in_no_group_that_we_know_of() -> None:
    everybody = {"kind": "Group", "name": "system:authenticated"}
    rbac = Rbac(
        role_bindings=[binding(ALICE, role="own"), binding(everybody, role="all", name="g"), binding(SRE, role="own")],
        cluster_roles=[role({**APPROVE, "resourceNames": ["a"]}, name="own"), role(CREATE, name="all")],
    )
    by_name = {one.holder.name: one for one in approvers(rbac, ["a"])}
    assert (by_name["alice"].may_create, by_name["sre"].may_create) == (True, False)


def test_a_right_to_create_approvals_alone_approves_nothing() -> None:
    assert found(CREATE) == {}
    assert not found(APPROVE)["alice"].may_create
    assert found(APPROVE, CREATE)["alice"].may_create
    assert not found(APPROVE, {**CREATE, "resourceNames": ["x"]})["alice"].may_create


def test_a_role_that_is_not_there_is_named() -> None:
    rbac = Rbac(
        role_bindings=[binding(ALICE, role="gone", kind="Role")],
        cluster_role_bindings=[binding(ALICE, role="r")],
        cluster_roles=[role(APPROVE)],
    )
    assert unknown_roles(rbac) == ["Role gone"]
