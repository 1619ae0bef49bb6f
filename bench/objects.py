"""The objects that the figures act on, as manifests."""

from typing import Any

Json = dict[str, Any]

API = "actionoperator.dev/v1alpha1"
PROPOSALS = "actionproposals"
WORKFLOWS = "actionworkflows"
APPROVALS = "actionapprovals"
RUNNER = "ops"
OPERATOR = "action-operator"

BEFORE, AFTER = 2, 3
"""Replicas of each Deployment before and after its action."""

_RBAC = "rbac.authorization.k8s.io/v1"


def path(namespace: str, plural: str, name: str = "", subresource: str = "") -> str:
    """The path of an object of ours, or of all."""
    return "/".join(part for part in (f"/apis/{API}/namespaces/{namespace}/{plural}", name, subresource) if part)


def deployments(namespace: str, name: str = "", subresource: str = "") -> str:
    return "/".join(part for part in (f"/apis/apps/v1/namespaces/{namespace}/deployments", name, subresource) if part)


def deployment(name: str) -> Json:
    labels = {"app": name}
    return {
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
        "spec": {"replicas": BEFORE, "selector": {"matchLabels": labels},
                 "template": {"metadata": {"labels": labels},
                              "spec": {"containers": [{"name": "main", "image": "registry.example/app:1"}]}}},
    }  # fmt: skip


def already_ready() -> Json:
    """The status with which verification holds at once: no controller runs, so nobody else would write it."""
    counts = dict.fromkeys(("replicas", "readyReplicas", "availableReplicas", "updatedReplicas"), AFTER)
    return {"status": {"observedGeneration": 1_000_000} | counts}


def scale(name: str, **spec: Any) -> Json:
    """A proposal to scale the Deployment of the same name."""
    parameters = {"kind": "Deployment", "name": name, "replicas": AFTER}
    return proposal(name, "scale-workload", parameters, **spec)


def proposal(name: str, action: str, parameters: Json, **spec: Any) -> Json:
    body = {"action": action, "parameters": parameters, "reason": "benchmark", "serviceAccountName": RUNNER}
    return {"apiVersion": API, "kind": "ActionProposal", "metadata": {"name": name}, "spec": body | spec}


def workflow(name: str, targets: list[str]) -> Json:
    """A workflow with one scale-workload step for each target."""
    steps = [
        {"name": target, "action": "scale-workload",
         "parameters": {"kind": "Deployment", "name": target, "replicas": AFTER}}
        for target in targets
    ]  # fmt: skip
    return {"apiVersion": API, "kind": "ActionWorkflow", "metadata": {"name": name},
            "spec": {"description": "benchmark", "reason": "benchmark", "serviceAccountName": RUNNER,
                     "steps": steps}}  # fmt: skip


def event(about: str, suffix: str) -> Json:
    """An Event as large as the operator's."""
    return {
        "apiVersion": "events.k8s.io/v1", "kind": "Event", "metadata": {"name": f"{about}.{suffix}"},
        "eventTime": "2026-01-01T00:00:00.000000Z", "type": "Normal", "reason": "Executing", "action": "scale-workload",
        "note": f"attempt 1: Scale Deployment raw/{about} from 2 to 3 replicas.",
        "reportingController": "actionoperator.dev/operator", "reportingInstance": "bench",
        "regarding": {"apiVersion": API, "kind": "ActionProposal", "namespace": "raw", "name": about},
        "related": {"apiVersion": "apps/v1", "kind": "Deployment", "namespace": "raw", "name": about},
    }  # fmt: skip


def policy() -> Json:
    """Lets everything run, and HTTP actions reach loopback."""
    http = {"allowedHosts": ["127.0.0.1"], "allowedPrivate": ["127.0.0.0/8"]}
    return {"apiVersion": API, "kind": "ActionPolicy", "metadata": {"name": "execute"},
            "spec": {"match": {}, "mode": "Execute", "http": http}}  # fmt: skip


def asks_for_approval() -> Json:
    """Everything waits for one approval, and the requester's own will do: the loader is one user."""
    return {"apiVersion": API, "kind": "ActionPolicy", "metadata": {"name": "ask"},
            "spec": {"approval": {"required": 1, "allowSelf": True}}}  # fmt: skip


def approval(subject: Json) -> Json:
    """A vote for a proposal as it is shown now."""
    about, spec = subject["metadata"], subject["spec"]
    return {
        "apiVersion": API, "kind": "ActionApproval", "metadata": {"name": f"{about['name']}-yes"},
        "spec": {"subject": {"kind": subject["kind"], "name": about["name"], "uid": about["uid"]},
                 "digest": subject["status"]["digest"], "actions": [spec["action"]], "decision": "Approve"},
    }  # fmt: skip


def runner(namespace: str) -> list[tuple[str, Json]]:
    """Path and object of all that lets the operator act in the namespace as the runner."""
    rbac = f"/apis/{_RBAC}/namespaces/{namespace}"

    def role(name: str, rules: list[Json]) -> tuple[str, Json]:
        return f"{rbac}/roles", {"apiVersion": _RBAC, "kind": "Role", "metadata": {"name": name}, "rules": rules}

    def binding(name: str, account: str, home: str) -> tuple[str, Json]:
        return f"{rbac}/rolebindings", {
            "apiVersion": _RBAC, "kind": "RoleBinding", "metadata": {"name": name},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name},
            "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": home}],
        }  # fmt: skip

    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": RUNNER}}
    return [
        (f"/api/v1/namespaces/{namespace}/serviceaccounts", account),
        role("ops", [
            {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get"]},
            {"apiGroups": ["apps"], "resources": ["deployments/scale"], "verbs": ["get", "patch"]},
            {"apiGroups": ["autoscaling"], "resources": ["horizontalpodautoscalers"], "verbs": ["list"]},
        ]),
        binding("ops", RUNNER, namespace),
        role("operator-acts-as-ops", [
            {"apiGroups": [""], "resources": ["serviceaccounts"], "resourceNames": [RUNNER], "verbs": ["impersonate"]},
        ]),
        binding("operator-acts-as-ops", OPERATOR, OPERATOR),
    ]  # fmt: skip


def administrator(account: str, namespace: str) -> list[tuple[str, Json]]:
    """Path and object of a ServiceAccount with all rights, for the baseline."""
    return [
        (f"/api/v1/namespaces/{namespace}/serviceaccounts",
         {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": account}}),
        (f"/apis/{_RBAC}/clusterrolebindings", {
            "apiVersion": _RBAC, "kind": "ClusterRoleBinding", "metadata": {"name": account},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
            "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": namespace}],
        }),
    ]  # fmt: skip
