"""A stage: a namespace with a runner, a policy that lets actions run there, an operator, and a user's hands."""

import json
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from harness.operator import Launch, OperatorProcess
from harness.waiting import eventually
from localcluster.controlplane import ControlPlane

Json = dict[str, Any]
API = "actionoperator.dev/v1alpha1"
RUNNER = "ops"
RUNNER_RULES = (
    {"apiGroups": ["apps"], "resources": ["deployments", "statefulsets", "daemonsets", "replicasets"],
     "verbs": ["get", "patch"]},
    {"apiGroups": ["apps"], "resources": ["deployments/scale", "statefulsets/scale", "replicasets/scale"],
     "verbs": ["get", "patch"]},
    {"apiGroups": ["autoscaling"], "resources": ["horizontalpodautoscalers"], "verbs": ["list"]},
    {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["get", "create", "patch"]},
)  # fmt: skip
NODE_RULES = ({"apiGroups": [""], "resources": ["nodes"], "verbs": ["get", "patch"]},)
OPERATOR = "system:serviceaccount:action-operator:action-operator"
AS_OPERATOR = (f"--as={OPERATOR}", "--as-group=system:masters")
"""For kubectl as the administrator: writes what admission leaves to the operator alone."""
TOLD_SECONDS = 15.0
PLURALS = {"ap": "actionproposals", "aw": "actionworkflows"}


@dataclass
class Stage:
    """What a test acts on. `operator` may be stopped, killed and started again."""

    cluster: ControlPlane
    namespace: str
    operator: OperatorProcess

    # -- a user's hands ------------------------------------------------------------------------------------------

    def kubectl(self, *arguments: str, input: str | None = None, check: bool = True, user: str | None = None) -> str:  # noqa: A002
        """kubectl in the stage's namespace; its output. Raises AssertionError with what it said."""
        config = self.cluster.kubeconfig_of(user) if user else self.cluster.kubeconfig
        done = subprocess.run(
            [self.cluster.kubectl, "--kubeconfig", config, "-n", self.namespace, *arguments],
            input=input, capture_output=True, text=True, timeout=90, check=False,
        )  # fmt: skip
        if check and done.returncode:
            raise AssertionError(f"kubectl {' '.join(arguments)}: {done.stderr}")
        return done.stdout + ("" if check else done.stderr)

    def apply(self, *objects: Json, check: bool = True) -> str:
        """kubectl apply of all objects at once."""
        return self.kubectl("apply", "-f", "-", input=yaml.safe_dump_all(objects, sort_keys=False), check=check)

    def propose(self, name: str, action: str, parameters: Json, **spec: Any) -> Json:
        """Applies a proposal, by the stage's runner if nothing else is said; the manifest."""
        manifest = proposal(name, action, parameters, **spec)
        self.apply(manifest)
        return manifest

    def patch(self, kind: str, name: str, spec: Mapping[str, Any]) -> None:
        self.kubectl("patch", kind, name, "--type=merge", "-p", json.dumps({"spec": spec}))

    def policy(self, suffix: str, **spec: Any) -> str:
        """Applies a policy that matches this namespace alone; its name."""
        name = f"{self.namespace}-{suffix}"[:63].rstrip("-")
        match = {"namespaces": [self.namespace]} | spec.pop("match", {})
        self.apply(
            {"apiVersion": API, "kind": "ActionPolicy", "metadata": {"name": name}, "spec": {"match": match} | spec}
        )
        return name

    def delete_policies(self, *names: str) -> None:
        """Deletes policies. Those that halt have to be lifted first."""
        self.kubectl("patch", "actionpolicy", *names, "--type=merge", "-p", '{"spec":{"halt":false}}')
        self.kubectl("delete", "actionpolicy", *names, "--wait=false")

    # -- what there is -------------------------------------------------------------------------------------------

    def get(self, kind: str, name: str) -> Json:
        path = f"/apis/{API}/namespaces/{self.namespace}/{PLURALS.get(kind, kind)}/{name}"
        return json.loads(json.dumps(self.cluster.api().get(path)))

    def status(self, kind: str, name: str) -> Json:
        return self.get(kind, name).get("status") or {}

    def wait(
        self, kind: str, name: str, until: Callable[[Json], Any], *, seconds: float = 30.0, what: str = ""
    ) -> Json:
        """The status once `until(status)` is true; AssertionError with the last one after that time."""
        deadline = time.monotonic() + seconds
        status: Json = {}
        while time.monotonic() < deadline:
            status = self.status(kind, name)
            if until(status):
                return status
            time.sleep(0.05)
        told = yaml.safe_dump(status, sort_keys=False)
        raise AssertionError(
            f"{kind}/{name}: {what or 'not so'} within {seconds:g} s:\n{told}\n{self.operator.log[-2000:]}"
        )

    def outcome(self, kind: str, name: str, *, seconds: float = 30.0) -> Json:
        """The status once there is an outcome."""
        return self.wait(kind, name, lambda status: status.get("outcome"), seconds=seconds, what="no outcome")

    def phase(self, kind: str, name: str, phase: str, *, seconds: float = 30.0) -> Json:
        return self.wait(kind, name, lambda status: status.get("phase") == phase, seconds=seconds, what=f"not {phase}")

    def condition(self, status: Json, kind: str) -> Json:
        return next(c for c in status["conditions"] if c["type"] == kind)

    def events(self, name: str) -> list[Json]:
        """Kubernetes Events about an object of ours, oldest first."""
        path = f"/apis/events.k8s.io/v1/namespaces/{self.namespace}/events"
        items: list[Any] = json.loads(json.dumps(self.cluster.api().get(path)))["items"]
        mine = [event for event in items if event["regarding"]["name"] == name]
        return sorted(mine, key=lambda event: (event["eventTime"], event["metadata"]["name"]))

    def reasons(self, name: str, *, until: str) -> list[str]:
        """Those of its Events, oldest first, once one of them is `until`: Events come after the status."""
        found: list[str] = []

        def told() -> bool:
            found[:] = [event["reason"] for event in self.events(name)]
            return until in found

        eventually(told, lambda: f"{name}: no Event {until}, only {found}\n{self.operator.log[-2000:]}", TOLD_SECONDS)
        return found

    def writes(self, name: str | None = None) -> list[Json]:
        """Changes that the operator made in this namespace, dry runs left out, from the API server's audit log."""
        found = []
        for line in self.cluster.audit_log.read_text().splitlines():
            entry = json.loads(line)
            ours = entry["user"]["username"] == OPERATOR
            target = entry.get("objectRef") or {}
            if (
                ours
                and target.get("namespace") == self.namespace
                and entry["verb"] in ("create", "update", "patch", "delete")
                and "dryRun=All" not in entry["requestURI"]
                and target.get("resource") != "leases"
                and (name is None or name in (target.get("name") or entry["requestURI"]))
            ):
                found.append(entry)
        return found


def proposal(name: str, action: str, parameters: Json, **spec: Any) -> Json:
    """A manifest."""
    body = {"action": action, "parameters": parameters, "reason": f"test of {name}", "serviceAccountName": RUNNER}
    return {"apiVersion": API, "kind": "ActionProposal", "metadata": {"name": name}, "spec": body | spec}


def workflow(name: str, steps: list[Json], **spec: Any) -> Json:
    """A manifest."""
    body = {"description": name, "reason": f"test of {name}", "steps": steps, "serviceAccountName": RUNNER}
    return {"apiVersion": API, "kind": "ActionWorkflow", "metadata": {"name": name}, "spec": body | spec}


def deployment(name: str, replicas: int = 2) -> Json:
    """A Deployment that the played nodes make ready."""
    labels = {"app": name}
    container = {"name": "main", "image": "registry.example/app:1"}
    return {
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
        "spec": {"replicas": replicas, "selector": {"matchLabels": labels},
                 "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}}},
    }  # fmt: skip


def runner_objects(namespace: str) -> list[Json]:
    """The runner, what it may do, and that the operator may act as it."""

    def role(name: str, rules: Any) -> Json:
        return {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role",
                "metadata": {"name": name, "namespace": namespace}, "rules": list(rules)}  # fmt: skip

    def binding(name: str, account: str, home: str, *, cluster: bool = False) -> Json:
        return {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding" if cluster else "RoleBinding",
            "metadata": {"name": name} if cluster else {"name": name, "namespace": namespace},
            "roleRef": {
                "apiGroup": "rbac.authorization.k8s.io",
                "kind": "ClusterRole" if cluster else "Role",
                "name": name,
            },
            "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": home}],
        }  # fmt: skip

    impersonate = {
        "apiGroups": [""],
        "resources": ["serviceaccounts"],
        "resourceNames": [RUNNER],
        "verbs": ["impersonate"],
    }
    nodes = f"{namespace}-nodes"
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": RUNNER, "namespace": namespace}},
        role("ops", RUNNER_RULES),
        binding("ops", RUNNER, namespace),
        role("operator-acts-as-ops", [impersonate]),
        binding("operator-acts-as-ops", "action-operator", "action-operator"),
        {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": nodes},
         "rules": list(NODE_RULES)},
        binding(nodes, RUNNER, namespace, cluster=True),
    ]  # fmt: skip


@contextmanager
def staged(
    cluster: ControlPlane,
    kubeconfig: Path,
    folder: Path,
    namespace: str,
    *,
    options: tuple[str, ...] = (),
    started: bool = True,
    launch: Launch | None = None,
) -> Iterator[Stage]:
    """A stage in a namespace that exists. `kubeconfig` is the operator's own."""
    operator = OperatorProcess(
        kubeconfig,
        folder,
        namespace=namespace,
        lease_name=namespace,
        options=("--grace-seconds", "3", *options),
        launch=launch,
    )
    stage = Stage(cluster, namespace, operator)
    stage.apply(*runner_objects(namespace))
    stage.policy("execute", mode="Execute", http={"allowedHosts": ["127.0.0.1"], "allowedPrivate": ["127.0.0.0/8"]})
    if started:
        operator.start()
    try:
        yield stage
    finally:
        if operator._process is not None:
            operator.stop()
        names = stage.kubectl("get", "actionpolicies", "-o", "name", check=False).split()
        mine = [name for _, _, name in (full.partition("/") for full in names) if name.startswith(f"{namespace}-")]
        if mine:
            stage.delete_policies(*mine)
        stage.kubectl("delete", "clusterrole,clusterrolebinding", f"{namespace}-nodes", check=False)
