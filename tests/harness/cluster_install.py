"""The operator installed in a cluster that runs pods, and what is seen of it from outside: its pods and its Lease."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hack.installation import Kubectl, kubectl_of
from harness.cluster_pods import Pods
from harness.helm import CHART, NAME, PLACE, Helm
from harness.waiting import eventually

Json = dict[str, Any]
STRANGE_UID = 123456
"""Of no user in /etc/passwd, as OpenShift gives one."""
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
        eventually(done, lambda: f"{what}\n{self.log}", seconds)

    def ready(self) -> None:
        """Returns once both are ready and one leads."""
        self.kubectl("rollout", "status", "-n", NAME, f"deployment/{NAME}", "--timeout=120s")
        self.wait(lambda: self.leader() in self.names(), "one of the pods leads")

    def names(self) -> list[str]:
        return [pod["metadata"]["name"] for pod in self.pods()]

    def kill(self, name: str) -> None:
        """Ends a pod at once, by SIGKILL."""
        self.kubectl("delete", "pod", "-n", NAME, name, "--force", "--grace-period=0")


def install(pods: Pods, image: str, helm: Helm) -> Operators:
    """Installs the chart with two replicas, in a namespace that enforces `restricted`, as a uid of no passwd entry."""
    kubectl = kubectl_of(pods)
    kubectl("create", "namespace", NAME)
    kubectl("label", "namespace", NAME, *RESTRICTED)
    repository, _, tag = image.rpartition(":")
    values = {
        "image.repository": repository, "image.tag": tag, "image.pullPolicy": "Never", "replicas": 2,
        "settings.leaseSeconds": 3, "settings.graceSeconds": 3, "defaultPolicy.enabled": "false",
        "podSecurityContext.runAsUser": STRANGE_UID, "podSecurityContext.runAsGroup": STRANGE_UID,
    }  # fmt: skip
    settings = [word for name, value in values.items() for word in ("--set", f"{name}={value}")]
    helm("install", NAME, CHART, *PLACE, *settings, "--wait", "--timeout=110s")
    return Operators(kubectl)
