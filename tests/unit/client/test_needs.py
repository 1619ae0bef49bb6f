"""The rights that `doctor` asks about are those that the files of config/rbac grant: neither more nor less."""

from pathlib import Path
from typing import Any

import yaml

from controller.client.needs import Need, operator_needs, roles

RBAC = Path(__file__).parents[3] / "config" / "rbac"


def granted(file: str, names: set[str]) -> set[Need]:
    """What the roles of a file grant, each right once."""
    found: set[Need] = set()
    for document in yaml.safe_load_all((RBAC / file).read_text()):
        if document and document["kind"] in ("Role", "ClusterRole") and document["metadata"]["name"] in names:
            found |= set(_needs(document))
    return found


def _needs(role: dict[str, Any]) -> list[Need]:
    namespace = role["metadata"].get("namespace", "")
    return [
        Need(verb, group, resource, namespace, name)
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
        for name in rule.get("resourceNames", [""])
    ]


def test_what_the_operator_needs_is_what_its_roles_grant() -> None:
    asked = operator_needs("action-operator", ["action-operator"])
    assert len(asked) == len(set(asked))
    assert set(asked) == granted("operator.yaml", {"action-operator", "action-operator-leader"})


def test_what_a_role_is_said_to_give_it_grants() -> None:
    for role in roles("shop"):
        grants = {(need.verb, need.group, need.resource) for need in granted("roles.yaml", {role.cluster_role})}
        assert grants >= {(need.verb, need.group, need.resource) for need in role.needs}, role.cluster_role


def test_a_right_is_told_as_kubectl_would_have_it() -> None:
    assert str(Need("patch", "actionoperator.dev", "actionproposals/status")) == (
        "patch actionproposals.actionoperator.dev/status"
    )
    assert str(Need("get", "", "leases", "ops", "one")) == "get leases one in namespace ops"
