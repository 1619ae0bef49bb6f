"""Pods, nodes and disruption budgets for tests of what removes pods."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from acting import Stage, new

from controller.core.ports import Json, Operation
from localcluster.errors import RequestFailed

CONTAINERS = [{"name": "main", "image": "registry.example/app:1"}]
OWN = "test.actionoperator.dev/node"
WAIT_SECONDS = 30.0


def soon(look: Callable[[], Any], wanted: Any = True) -> None:
    """Returns when it is so."""
    until = time.monotonic() + WAIT_SECONDS
    while (found := look()) != wanted:
        assert time.monotonic() < until, f"{found!r}, not {wanted!r}"
        time.sleep(0.05)


def hasty(seconds: float) -> Operation:
    """An operation that is given up so soon."""
    operation = new()
    return Operation(operation.id, operation.time, datetime.now(UTC) + timedelta(seconds=seconds))


def node(name: str, **spec: Any) -> Json:
    """Played, and only for those who ask for it."""
    metadata = {"name": name, "annotations": {"kwok.x-k8s.io/node": "fake"}, "labels": {OWN: name}}
    return {"metadata": metadata, "spec": {"taints": [{"key": OWN, "effect": "NoSchedule"}]} | spec}


def make_pod(stage: Stage, name: str, **metadata: Any) -> Json:
    """A pod that nothing makes anew, ready."""
    spec = {"containers": CONTAINERS, "terminationGracePeriodSeconds": 1} | metadata.pop("spec", {})
    body = {"metadata": {"name": name} | metadata, "spec": spec}
    stage.admin("POST", "v1:pods", body)
    soon(lambda: phase(stage, name), "Running")
    return stage.admin("GET", f"v1:pods/{name}")


def phase(stage: Stage, name: str) -> str | None:
    """None where there is no pod of that name."""
    try:
        return str(stage.admin("GET", f"v1:pods/{name}")["status"].get("phase"))
    except RequestFailed as error:
        if error.status != 404:
            raise
        return None


def workload(stage: Stage, name: str, where: str, replicas: int = 2, kind: str = "Deployment", **spec: Any) -> None:
    """With pods on that node, or nowhere."""
    pod = {"containers": CONTAINERS, "nodeSelector": {OWN: where}, "tolerations": [{"operator": "Exists", "key": OWN}],
           "terminationGracePeriodSeconds": 1} | spec  # fmt: skip
    labels = {"app": name}
    body = {
        "metadata": {"name": name},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod},
            **({"replicas": replicas} if kind != "DaemonSet" else {}),
        },
    }
    stage.admin("POST", f"apps/v1:{kind.lower()}s", body)
    soon(lambda: len(running_on(stage, where, name)), replicas)


def running_on(stage: Stage, where: str, app: str = "") -> list[str]:
    """Names of the pods that run on the node and are not ending, of all namespaces."""
    found = stage.admin("GET", f"/api/v1/pods?fieldSelector=spec.nodeName%3D{where}")["items"]
    return sorted(
        pod["metadata"]["name"]
        for pod in found
        if pod["status"].get("phase") == "Running" and "deletionTimestamp" not in pod["metadata"]
        if not app or pod["metadata"].get("labels", {}).get("app") == app
    )


def budget(stage: Stage, app: str, least: int) -> None:
    """A disruption budget whose controller has looked at it."""
    spec = {"minAvailable": least, "selector": {"matchLabels": {"app": app}}}
    stage.admin("POST", "policy/v1:poddisruptionbudgets", {"metadata": {"name": app}, "spec": spec})
    soon(lambda: _budget(stage, app)["status"].get("observedGeneration"), 1)
    soon(lambda: _budget(stage, app)["status"].get("currentHealthy", 0) >= 1)


def _budget(stage: Stage, name: str) -> Any:
    return stage.admin("GET", f"policy/v1:poddisruptionbudgets/{name}")
