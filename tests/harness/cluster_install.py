"""The operator installed in a cluster that runs pods, and what is seen of it from outside: its pods and its Lease."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hack.installation import Kubectl, enforce, kubectl_of
from harness.cluster_pods import ROOT, Pods

Json = dict[str, Any]
NAME = "action-operator"
RESTRICTED = [f"pod-security.kubernetes.io/{mode}=restricted" for mode in ("enforce", "warn", "audit")]


@dataclass(frozen=True)
class Operators:
    """The operator's pods."""

    kubectl: Kubectl

    @property
    def log(self) -> str:
        """The end of the logs of all pods."""
        return self.kubectl("logs", "-n", NAME, "-l", f"app.kubernetes.io/name={NAME}", "--prefix", "--tail=40")

    def pods(self) -> list[Json]:
        """Those that are not ending."""
        found = json.loads(
            self.kubectl("get", "pods", "-n", NAME, "-l", f"app.kubernetes.io/name={NAME}", "-o", "json")
        )
        return [pod for pod in found["items"] if "deletionTimestamp" not in pod["metadata"]]

    def leader(self) -> str:
        """The name of the pod that holds the Lease; empty if none."""
        holder = "-o=jsonpath={.spec.holderIdentity}"
        return self.kubectl("get", "lease", NAME, "-n", NAME, "--ignore-not-found", holder)

    def wait(self, done: Callable[[], object], what: str, *, seconds: float = 60.0) -> None:
        deadline = time.monotonic() + seconds
        while not done():
            assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}\n{self.log}"
            time.sleep(0.1)

    def ready(self) -> None:
        """Returns once both are ready and one leads."""
        self.kubectl("rollout", "status", "-n", NAME, f"deployment/{NAME}", "--timeout=120s")
        self.wait(lambda: self.leader() in self.names(), "one of the pods leads")

    def names(self) -> list[str]:
        return [pod["metadata"]["name"] for pod in self.pods()]

    def kill(self, name: str) -> None:
        """Ends a pod at once, by SIGKILL."""
        self.kubectl("delete", "pod", "-n", NAME, name, "--force", "--grace-period=0")


def install_manifests(pods: Pods, image: str) -> Operators:
    """Installs what config/ has, and the operator as a Deployment, in a namespace that enforces `restricted`."""
    kubectl = kubectl_of(pods)
    crds = ROOT / "crds"
    kubectl("apply", "--server-side", "-f", crds)
    kubectl("wait", "--for=condition=Established", "--timeout=30s", "-f", crds)
    enforce(kubectl)
    kubectl("apply", "--server-side", "-f", ROOT / "catalog", "-f", ROOT / "config" / "rbac" / "operator.yaml")
    kubectl("label", "namespace", NAME, *RESTRICTED)
    deployment = (ROOT / "tests" / "node" / "deployment.yaml").read_text().replace("IMAGE", image)
    kubectl("apply", "-f", "-", text=deployment)
    return Operators(kubectl)


def uninstall_manifests(operators: Operators) -> None:
    """Removes the operator and its rights; kinds and objects stay."""
    operators.kubectl("delete", "deployment", "-n", NAME, NAME, "--wait=true", "--timeout=60s")
    operators.kubectl(
        "delete", "--ignore-not-found", "-f", ROOT / "config" / "rbac" / "operator.yaml", "--timeout=120s"
    )
