"""The API server with our admission policies in force, and those who come to it: people, agents, the operator.

All of them may read and write all objects of ours in the namespace, status included, as far as RBAC is asked: what
refuses them in these tests is admission. The verbs of leave (propose, use, approve, approve-as-machine) they have only
as far as said here.
"""

import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from api_server import OPERATOR, Answer, ApiServer, Manifest
from schema_manifests import APPROVAL, DIGEST, POLICY, PROPOSAL, TYPE, WORKFLOW, changed, manifest

from localcluster.controlplane import ControlPlane

ADMIN, ALICE, BOB = "admin", "alice", "bob"
AGENT, MACHINE = "agent", "release-bot"
"""ServiceAccounts: both may propose and approve, and only the second as a machine."""
THE_OPERATOR = "the operator"
RUNNER, OTHER_RUNNER = "runner", "other-runner"
"""ServiceAccounts: of these people may use the first one."""
GROUPS = {ADMIN: ["system:masters"], ALICE: ["sre"], BOB: ["developers"]}

DRY_RUN = "?fieldValidation=Strict&dryRun=All"
STORE = "?fieldValidation=Strict"
RBAC = "/apis/rbac.authorization.k8s.io/v1"
READ_WRITE = ["get", "list", "watch", "create", "update", "patch", "delete"]
"""Not `*`, which is also every verb of our own."""


@dataclass
class Guarded:
    """Use `guarded`. What is sent is tried only (a dry run), if not said otherwise."""

    plane: ControlPlane
    namespace: str
    clients: dict[str, ApiServer] = field(default_factory=dict)

    # -- who comes ---------------------------------------------------------------------------------------------------

    @property
    def admin(self) -> ApiServer:
        return self.clients[ADMIN]

    def username(self, who: str) -> str:
        """As the API server names them."""
        if who in (AGENT, MACHINE):
            return f"system:serviceaccount:{self.namespace}:{who}"
        return OPERATOR if who == THE_OPERATOR else who

    def identity(self, who: str) -> Manifest:
        """A person as `requestedBy` and `approver` name them."""
        return {"username": who, "uid": who, "groups": [*GROUPS[who], "system:authenticated"]}

    # -- what they do ------------------------------------------------------------------------------------------------

    def create(self, who: str, body: Manifest, *, dry_run: bool = True) -> Answer:
        return self.clients[who].create(body, dry_run=dry_run)

    def update(self, who: str, stored: Manifest, change: Manifest, *, dry_run: bool = True) -> Answer:
        """Writes the whole object with the change made (PUT)."""
        return self.clients[who].replace(changed(stored, change), dry_run=dry_run)

    def patch(self, who: str, stored: Manifest, patch: Manifest, *, dry_run: bool = True) -> Answer:
        """A merge patch."""
        path = self.admin.path(stored["kind"], stored["metadata"]["name"])
        return self.clients[who].send("PATCH", path + (DRY_RUN if dry_run else STORE), patch)

    def write_status(self, who: str, stored: Manifest, status: Manifest, *, dry_run: bool = True) -> Answer:
        """A merge patch of the status."""
        path = self.admin.path(stored["kind"], stored["metadata"]["name"], "status")
        return self.clients[who].send("PATCH", path + (DRY_RUN if dry_run else STORE), {"status": status})

    def stored(self, who: str, body: Manifest) -> Manifest:
        """The object, created under a name that is free."""
        return self.clients[who].stored(body)

    def policy(self, **spec: Any) -> Manifest:
        """A policy for this namespace alone, stored. Forget it with `forget`."""
        name = f"{self.namespace}-{secrets.token_hex(4)}"
        body = manifest(POLICY, name, {"match": {"namespaces": [self.namespace]}, **spec})
        body["metadata"]["labels"] = {"made-by": self.namespace}
        answer = self.admin.create(body, dry_run=False)
        assert answer.accepted, answer.says
        return answer.body

    def forget(self, policy: Manifest) -> None:
        """Deletes the policy."""
        assert self.admin.delete_policy(policy["metadata"]["name"]).accepted

    def grant(self, name: str, rules: Sequence[Manifest], subjects: Sequence[Manifest]) -> None:
        """A Role in the namespace, bound."""
        root = f"{RBAC}/namespaces/{self.namespace}"
        assert self.admin.send("POST", f"{root}/roles", {"metadata": {"name": name}, "rules": list(rules)}).accepted
        role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name}
        binding = {"metadata": {"name": name}, "roleRef": role, "subjects": list(subjects)}
        assert self.admin.send("POST", f"{root}/rolebindings", binding).accepted

    def wait_until_allowed(self, who: str, verb: str, resource: str, name: str, group: str) -> None:
        """RBAC is told of a new Role some milliseconds after it is stored."""
        attributes = {"namespace": self.namespace, "verb": verb, "group": group, "resource": resource, "name": name}
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": attributes},
        }
        path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
        deadline = time.monotonic() + 10
        while not self.clients[who].send("POST", path, review).body["status"]["allowed"]:
            assert time.monotonic() < deadline, f"{who} may not {verb} {resource}/{name}"
            time.sleep(0.01)


def proposal(**change: Any) -> Manifest:
    """A proposal; `change` by dotted path with `__` for the dots."""
    return _made(manifest(PROPOSAL, "scale", {"action": "scale-workload", "reason": "queue is long"}), change)


def workflow(**change: Any) -> Manifest:
    steps = [{"name": "first", "action": "scale-workload"}]
    return _made(manifest(WORKFLOW, "roll", {"description": "d", "reason": "r", "steps": steps}), change)


def approval(*actions: str, **change: Any) -> Manifest:
    """A vote on some proposal."""
    subject = {"kind": PROPOSAL, "name": "scale", "uid": "00000000-0000-4000-8000-000000000001"}
    spec = {"subject": subject, "digest": DIGEST, "actions": list(actions) or ["scale-workload"], "decision": "Approve"}
    return _made(manifest(APPROVAL, "yes", spec), change)


def _made(body: Manifest, change: Manifest) -> Manifest:
    return changed(body, {path.replace("__", "."): value for path, value in change.items()})


def _people(*names: str) -> list[Manifest]:
    return [{"kind": "User", "name": name, "apiGroup": "rbac.authorization.k8s.io"} for name in names]


def _verbs(
    verbs: Sequence[str], resource: str, names: Sequence[str] = (), group: str = "actionoperator.dev"
) -> Manifest:
    rule: Manifest = {"apiGroups": [group], "resources": [resource], "verbs": list(verbs)}
    return rule | ({"resourceNames": list(names)} if names else {})


@contextmanager
def guarded(plane: ControlPlane, operator_kubeconfig: Path, folder: Path) -> Iterator[Guarded]:
    """A namespace with everyone in it; nothing of it stays."""
    name = f"guarded-{secrets.token_hex(4)}"
    guard = Guarded(plane, name)
    guard.clients[ADMIN] = ApiServer(plane, name)
    labels = {"team": name}
    assert guard.admin.send("POST", "/api/v1/namespaces", {"metadata": {"name": name, "labels": labels}}).accepted
    for account in (AGENT, MACHINE, RUNNER, OTHER_RUNNER):
        path = f"/api/v1/namespaces/{name}/serviceaccounts"
        assert guard.admin.send("POST", path, {"metadata": {"name": account}}).accepted
    for person in (ALICE, BOB):
        guard.clients[person] = ApiServer(plane, name, plane.kubeconfig_of(person))
    for account in (AGENT, MACHINE):
        config = plane.service_account_kubeconfig(name, account, folder / account)
        guard.clients[account] = ApiServer(plane, name, config)
    guard.clients[THE_OPERATOR] = ApiServer(plane, name, operator_kubeconfig)
    _allow(guard)
    try:
        yield guard
    finally:
        guard.admin.send("DELETE", f"{RBAC}/clusterroles/{name}")
        guard.admin.send("DELETE", f"{RBAC}/clusterrolebindings/{name}")
        for kind in (POLICY, TYPE):
            guard.admin.send("DELETE", f"{guard.admin.path(kind)}?labelSelector=made-by%3D{name}")
        guard.admin.send("DELETE", f"/api/v1/namespaces/{name}")
        for client in guard.clients.values():
            client.close()


def _allow(guard: Guarded) -> None:
    machines = [{"kind": "ServiceAccount", "name": each, "namespace": guard.namespace} for each in (AGENT, MACHINE)]
    everyone = [*_people(ALICE, BOB), *machines]
    body: Manifest = {"metadata": {"name": guard.namespace}, "rules": [_verbs(READ_WRITE, "*")]}
    assert guard.admin.send("POST", f"{RBAC}/clusterroles", body).accepted
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": guard.namespace}
    binding = {"metadata": {"name": guard.namespace}, "roleRef": role, "subjects": everyone}
    assert guard.admin.send("POST", f"{RBAC}/clusterrolebindings", binding).accepted
    guard.grant("propose", [_verbs(["propose"], "actiontypes", ["scale-workload"])], [*_people(ALICE), *machines])
    guard.grant("use", [_verbs(["use"], "serviceaccounts", [RUNNER], "")], _people(ALICE))
    granted = ["scale-workload", *(f"granted-{number}" for number in range(1, 21))]
    approve = _verbs(["approve"], "actiontypes", [*granted, "as-people-only"])
    guard.grant("approve", [approve], [*_people(ALICE), *machines])
    machine = [subject for subject in machines if subject["name"] == MACHINE]
    guard.grant("approve-as-machine", [_verbs(["approve-as-machine"], "actiontypes", granted)], machine)
    guard.wait_until_allowed(MACHINE, "approve-as-machine", "actiontypes", "scale-workload", "actionoperator.dev")
    guard.wait_until_allowed(ALICE, "use", "serviceaccounts", RUNNER, "")
    guard.wait_until_allowed(BOB, "patch", "actionproposals", "any", "actionoperator.dev")
