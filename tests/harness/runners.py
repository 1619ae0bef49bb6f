"""Runners with exactly the rights that the page of an action type names."""

from collections.abc import Iterable
from typing import Any

from controller.actions.about import Right

Json = dict[str, Any]
RBAC = "rbac.authorization.k8s.io"


def runner_of(name: str, namespace: str, rights: Iterable[Right]) -> list[Json]:
    """A ServiceAccount, lent to the operator, and the Role and ClusterRole that give it these rights."""
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}}
    return [account, *lent(name, namespace), *granted(name, namespace, rights, account=name)]


def lent(name: str, namespace: str) -> list[Json]:
    """Lets the operator act as the ServiceAccount."""
    impersonate = {
        "apiGroups": [""], "resources": ["serviceaccounts"], "resourceNames": [name], "verbs": ["impersonate"],
    }  # fmt: skip
    operator = {"kind": "ServiceAccount", "name": "action-operator", "namespace": "action-operator"}
    return _role(f"{name}-lent", [impersonate], operator, cluster=False)


def granted(name: str, namespace: str, rights: Iterable[Right], *, account: str) -> list[Json]:
    """A Role and a ClusterRole for that ServiceAccount, as far as the rights need them."""
    rights = list(rights)
    subject = {"kind": "ServiceAccount", "name": account, "namespace": namespace}
    made = []
    for cluster in (False, True):
        if rules := [right.rule() for right in rights if right.cluster is cluster]:
            made += _role(f"{namespace}-{name}" if cluster else f"{name}-may", rules, subject, cluster=cluster)
    return made


def _role(name: str, rules: list[Json], subject: Json, *, cluster: bool) -> list[Json]:
    kind = "ClusterRole" if cluster else "Role"
    return [
        {"apiVersion": f"{RBAC}/v1", "kind": kind, "metadata": {"name": name}, "rules": rules},
        {
            "apiVersion": f"{RBAC}/v1", "kind": f"{kind}Binding", "metadata": {"name": name}, "subjects": [subject],
            "roleRef": {"apiGroup": RBAC, "kind": kind, "name": name},
        },
    ]  # fmt: skip
