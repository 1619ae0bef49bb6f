"""The full control plane as a user sees it: nodes, Deployments, Jobs, users, tokens, audit."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from localcluster import kubeconfig
from localcluster.controlplane import ControlPlane
from localcluster.errors import LocalClusterError, RequestFailed

Kubectl = Callable[..., str]
OURS = "localcluster.actionoperator.dev"
CONTAINER = {"name": "main", "image": "example/none"}


@pytest.fixture
def kubectl(cluster: ControlPlane, namespace: str) -> Kubectl:
    def run(*arguments: str, manifest: object = None) -> str:
        command = [cluster.kubectl, "--kubeconfig", cluster.kubeconfig, "--namespace", namespace]
        answer = subprocess.run(
            [*command, *arguments],
            input=None if manifest is None else json.dumps(manifest),
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert answer.returncode == 0, answer.stderr
        return answer.stdout

    return run


def job(name: str, labels: dict[str, str], annotations: dict[str, str] | None = None) -> object:
    metadata = {"labels": labels, "annotations": annotations or {}}
    pod = {"restartPolicy": "Never", "containers": [CONTAINER]}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name},
        "spec": {"backoffLimit": 0, "template": {"metadata": metadata, "spec": pod}},
    }


def deployment(name: str, labels: dict[str, str]) -> object:
    all_labels = {"app": name, **labels}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": all_labels}, "spec": {"containers": [CONTAINER]}},
        },
    }


def test_a_node_becomes_ready(kubectl: Kubectl, namespace: str) -> None:
    name = f"node-{namespace}"
    annotations = {"kwok.x-k8s.io/node": "fake"}
    metadata = {"name": name, "annotations": annotations}
    kubectl("create", "-f-", manifest={"apiVersion": "v1", "kind": "Node", "metadata": metadata})
    try:
        kubectl("wait", f"node/{name}", "--for=condition=Ready", "--timeout=15s")
    finally:
        kubectl("delete", "node", name, "--wait=false")


def test_a_deployment_becomes_ready_and_rolls(kubectl: Kubectl) -> None:
    kubectl("create", "-f-", manifest=deployment("web", {}))
    kubectl("rollout", "status", "deployment/web", "--timeout=20s")
    kubectl("rollout", "restart", "deployment/web")
    kubectl("rollout", "status", "deployment/web", "--timeout=20s")
    kubectl("scale", "deployment/web", "--replicas=0")
    kubectl("wait", "pod", "--all", "--for=delete", "--timeout=15s")


def test_a_pod_that_shall_never_be_ready_runs_unready(kubectl: Kubectl) -> None:
    kubectl("create", "-f-", manifest=deployment("stuck", {f"{OURS}/ready": "never"}))
    kubectl("wait", "pod", "-l", "app=stuck", "--for=create", "--timeout=15s")
    kubectl("wait", "pod", "-l", "app=stuck", "--for=jsonpath={.status.phase}=Running", "--timeout=15s")
    ready = kubectl("get", "deployment", "stuck", "-o", "jsonpath={.status.readyReplicas}")
    assert ready in ("", "0")


def test_jobs_complete_fail_or_go_on_as_told(kubectl: Kubectl) -> None:
    left_behind = {f"{OURS}/termination-message": "42 rows", f"{OURS}/ends-after": "300ms"}
    failing = {f"{OURS}/exit-code": "3", f"{OURS}/termination-message": "no such table"}
    for manifest in (
        job("good", {}, left_behind),
        job("bad", {f"{OURS}/outcome": "fail"}, failing),
        job("endless", {f"{OURS}/outcome": "never"}),
    ):
        kubectl("create", "-f-", manifest=manifest)
    kubectl("wait", "job/good", "--for=condition=Complete", "--timeout=20s")
    kubectl("wait", "job/bad", "--for=condition=Failed", "--timeout=20s")
    ended = "jsonpath={.items[0].status.containerStatuses[0].state.terminated['exitCode','message']}"
    assert kubectl("get", "pods", "-l", "job-name=good", "-o", ended) == "0 42 rows"
    assert kubectl("get", "pods", "-l", "job-name=bad", "-o", ended) == "3 no such table"
    kubectl("wait", "job/endless", "--for=jsonpath={.status.active}=1", "--timeout=20s")
    kubectl("wait", "pod", "-l", "job-name=endless", "--for=condition=Ready", "--timeout=20s")


def test_people_have_only_the_rights_they_are_given(cluster: ControlPlane, namespace: str) -> None:
    with pytest.raises(RequestFailed) as refusal:
        cluster.api("bob").get(f"/api/v1/namespaces/{namespace}/pods")
    assert refusal.value.status == 403


def test_a_service_account_gets_a_kubeconfig(
    cluster: ControlPlane, namespace: str, tmp_path: Path, localcluster, kubectl: Kubectl
) -> None:
    kubectl("create", "serviceaccount", "operator")
    out = tmp_path / "operator.kubeconfig"
    arguments = ("--dir", cluster.directory, "--namespace", namespace, "--out", out)
    done = localcluster("token", *arguments, "--service-account", "operator", "--lifetime", "600")
    assert done.returncode == 0, done.stderr
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    api = kubeconfig.Access.read(out).api()
    answer = api.post("/apis/authentication.k8s.io/v1/selfsubjectreviews", review)
    assert f"system:serviceaccount:{namespace}:operator" in json.dumps(answer)
    assert out.stat().st_mode & 0o077 == 0

    missing = localcluster("token", *arguments, "--service-account", "nobody")
    assert missing.returncode == 1
    assert f"there is no ServiceAccount nobody in namespace {namespace}" in missing.stderr
    with pytest.raises(LocalClusterError, match="at least 600 s"):
        cluster.service_account_kubeconfig(namespace, "operator", out, lifetime_seconds=60)


def test_requests_are_audited_by_user(cluster: ControlPlane, namespace: str) -> None:
    api = cluster.api()
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "counted"}}
    api.post(f"/api/v1/namespaces/{namespace}/configmaps", config)
    events = [json.loads(line) for line in cluster.audit_log.read_text().splitlines()]
    ours = [
        event
        for event in events
        if event["verb"] == "create"
        and event["objectRef"].get("namespace") == namespace
        and event["objectRef"].get("name") == "counted"
    ]
    assert [event["user"]["username"] for event in ours] == ["admin"]
