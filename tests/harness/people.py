"""The people of a stage: bob proposes, alice and carol (both of group sre) approve, and what each of them types."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import yaml

from controller.core.actors import SETTLED_SECONDS
from controller.core.enforcement import Enforcement
from controller.kube.admission import AdmissionPolicies
from controller.kube.api import Api
from controller.kube.login import Login
from controller.kube.session import Session
from harness.stage import API, RUNNER, Json, Stage, proposal
from localcluster.controlplane import ControlPlane

RBAC = "rbac.authorization.k8s.io"
ROLES = (
    ("bob", "action-proposer"), ("bob", "action-approver"), ("bob", "action-canceller"),
    ("alice", "action-approver"), ("carol", "action-approver"),
)  # fmt: skip


def admit_people(stage: Stage) -> None:
    """Grants them what they may do here. Returns once the API server's word for who they are counts."""
    give(stage, *ROLES)
    use = {"apiGroups": [""], "resources": ["serviceaccounts"], "resourceNames": [RUNNER], "verbs": ["use"]}
    stage.apply(
        {"apiVersion": f"{RBAC}/v1", "kind": "Role", "metadata": {"name": "use-ops"}, "rules": [use]},
        binding("use-ops", "bob", "Role", "use-ops"),
    )
    wait_until_proven(stage.cluster)


def give(stage: Stage, *roles: tuple[str, str]) -> None:
    """Users get shipped roles, in the namespace."""
    stage.kubectl("apply", "-f", "config/rbac/roles.yaml")
    stage.apply(*(binding(f"{role}-{user}", user, "ClusterRole", role) for user, role in roles))


def binding(name: str, user: str, kind: str, role: str) -> Json:
    """A RoleBinding of one user."""
    return {
        "apiVersion": f"{RBAC}/v1", "kind": "RoleBinding", "metadata": {"name": name},
        "roleRef": {"apiGroup": RBAC, "kind": kind, "name": role},
        "subjects": [{"kind": "User", "name": user, "apiGroup": RBAC}],
    }  # fmt: skip


def wait_until_proven(cluster: ControlPlane) -> None:
    """What is made or voted sooner after the admission policies were made proves nothing."""

    async def read() -> Enforcement:
        async with Session(Login(str(cluster.kubeconfig))) as session:
            return await AdmissionPolicies(Api(session)).read()

    found = asyncio.run(read())
    assert found.since is not None, found.fault
    left = found.since + timedelta(seconds=SETTLED_SECONDS) - datetime.now(UTC)
    time.sleep(max(0.0, left.total_seconds()))


def ask(stage: Stage, name: str, action: str = "log-message", parameters: Json | None = None, **spec: Any) -> Json:
    """Bob proposes; the status once it waits for approval."""
    manifest = proposal(name, action, parameters or {"message": "x"}, **spec)
    stage.kubectl("create", "-f", "-", input=yaml.safe_dump(manifest), user="bob")
    return stage.phase("ap", name, "AwaitingApproval")


def ballot(about: Json, /, user: str, *, decision: str = "Approve", **changes: Any) -> Json:
    """A vote on what is shown of an object now, as a manifest; `changes` by field of its spec."""
    steps = about["spec"].get("steps")
    name = about["metadata"]["name"]
    spec = {
        "subject": {"kind": about["kind"], "name": name, "uid": about["metadata"]["uid"]},
        "digest": about["status"]["digest"],
        "actions": sorted({step["action"] for step in steps}) if steps else [about["spec"]["action"]],
        "decision": decision,
        **changes,
    }
    metadata = {"generateName": f"{name}-{user}-{decision.lower()}-"}
    return {"apiVersion": API, "kind": "ActionApproval", "metadata": metadata, "spec": spec}


def vote(stage: Stage, user: str, name: str, *, decision: str = "Approve", kind: str = "ap", **changes: Any) -> str:
    """What kubectl says to a vote on what is shown now."""
    manifest = ballot(stage.get(kind, name), user, decision=decision, **changes)
    return stage.kubectl("create", "-f", "-", input=yaml.safe_dump(manifest), user=user, check=False)


def approved(status: Json) -> tuple[str, str]:
    """Status and reason of the condition Approved."""
    (condition,) = (c for c in status["conditions"] if c["type"] == "Approved")
    return condition["status"], condition["reason"]
