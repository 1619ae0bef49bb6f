"""Installs Action Operator into a local control plane as an administrator would. Shared by demo and playground.

The operator gets the token of its own ServiceAccount and nothing more: what it can do is what config/rbac/operator.yaml
says.
"""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from controller.core.actors import SETTLED_SECONDS
from localcluster.controlplane import ControlPlane

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "examples"
NODES = 2
"""Played nodes: one can be cordoned and the other still runs Jobs."""
HOOK_PORT = 18780
"""Where examples/proposals/http-hook.yaml sends its request."""
HOOK_FAILURES = (503, 429)
"""What the target answers first: an answer that proves nothing, then one that proves that nothing was done."""
ADMISSION = ROOT / "config" / "admission"
STAMPS = ADMISSION / "stamps.yaml"
READY_SECONDS = 60.0
IN_FORCE_SECONDS = 30.0
PROVEN_SECONDS = SETTLED_SECONDS + 1.0
"""Names count from then on after the admission policies were made: the API server gives times in whole seconds."""
NOT_YET = ("ServiceUnavailable", "does not fill it in")
"""What an API server says that does not know our schemas yet, or the policies that fill names in."""
LEADS = "this process leads"
_GROUP = "admissionregistration.k8s.io"


class NotInstalled(Exception):
    """It could not be installed or started; the text says why."""


@dataclass(frozen=True)
class Kubectl:
    """kubectl as one user. `cache`: its discovery cache, so that the one of the user's own clusters stays as it is."""

    program: Path
    kubeconfig: Path
    cache: Path

    def __call__(self, *arguments: str | Path, text: str | None = None) -> str:
        """Its output. Raises NotInstalled with what it said on failure."""
        done = subprocess.run(
            [self.program, "--kubeconfig", self.kubeconfig, *arguments],
            input=text, capture_output=True, text=True, check=False, timeout=120,
            env=os.environ | {"KUBECACHEDIR": str(self.cache)},
        )  # fmt: skip
        if done.returncode:
            raise NotInstalled(f"kubectl {' '.join(map(str, arguments))}:\n{done.stderr.strip()}")
        return done.stdout


def kubectl_of(cluster: ControlPlane, user: str | None = None) -> Kubectl:
    """kubectl as the administrator, or as one of the control plane's other users."""
    kubeconfig = cluster.kubeconfig_of(user) if user else cluster.kubeconfig
    return Kubectl(cluster.kubectl, kubeconfig, cluster.directory / "kubectl-cache")


def install(cluster: ControlPlane, examples: Sequence[str]) -> float:
    """CRDs, admission policies, catalogue, RBAC, and folders of examples. Raises NotInstalled.

    The monotonic time from which on the API server's word for who asks and who votes counts (`wait_until`).
    """
    kubectl = kubectl_of(cluster)
    crds = ROOT / "crds"
    kubectl("apply", "--server-side", "-f", crds)
    kubectl("wait", "--for=condition=Established", "--timeout=30s", "-f", crds)
    enforce(kubectl)
    proven = time.monotonic() + PROVEN_SECONDS
    rbac = ROOT / "config" / "rbac"
    kubectl(
        "apply", "--server-side",
        "-f", ROOT / "catalog", "-f", rbac / "operator.yaml", "-f", rbac / "roles.yaml",
    )  # fmt: skip
    for folder in examples:
        kubectl("apply", "-f", EXAMPLES / folder)
    return proven


def wait_until(moment: float) -> None:
    """Returns at that monotonic time, at once if it is past."""
    time.sleep(max(0.0, moment - time.monotonic()))


def enforce(kubectl: Kubectl) -> None:
    """Installs the admission policies, and returns once they are in force, as the administrator. Raises NotInstalled.

    A policy takes about a second from when it is stored, and all that are stored by then take effect together: so it is
    enough to see those that were stored last, the mutating and the validating ones each.
    """
    stamps = _stamps_as_served(kubectl)
    for each in sorted(ADMISSION.glob("*.yaml")):
        if each != STAMPS:
            kubectl("apply", "--server-side", "-f", each)
        elif stamps:
            kubectl("apply", "--server-side", "-f", "-", text=stamps)
    deadline = time.monotonic() + IN_FORCE_SECONDS
    while not ((not stamps or _stamps(kubectl)) and _refuses(kubectl)):
        if time.monotonic() > deadline:
            raise NotInstalled(f"the admission policies are not in force after {IN_FORCE_SECONDS:g} s")
        time.sleep(0.05)


def _stamps_as_served(kubectl: Kubectl) -> str:
    """The policies that fill names in, in the version that the API server has of their kind; empty if it has none."""
    served = kubectl("api-resources", f"--api-group={_GROUP}", "--no-headers")
    versions = {words[-3] for line in served.splitlines() if (words := line.split())[-1] == "MutatingAdmissionPolicy"}
    return STAMPS.read_text().replace(f"{_GROUP}/v1\n", f"{versions.pop()}\n") if versions else ""


def _stamps(kubectl: Kubectl) -> bool:
    """Whether one of each kind, tried only, gets the name of the one who made it (stamps.yaml)."""
    probes: dict[str, dict[str, Any]] = {
        "ActionPolicy": {},
        "ActionType": {"description": "d", "risk": "Low", "idempotent": True, "parameters": {"type": "object"},
                       "executor": {"builtIn": {"name": "wait", "version": 1}}},
        "ActionProposal": {"action": "wait", "reason": "r"},
        "ActionWorkflow": {"description": "d", "reason": "r", "steps": [{"name": "a", "action": "wait"}]},
        "ActionSchedule": {"schedule": "0 2 * * *", "workflow": {"description": "d", "reason": "r",
                                                                 "steps": [{"name": "a", "action": "wait"}]}},
        "ActionRunbook": {"description": "d", "steps": [{"name": "a", "action": "wait"}]},
        "ActionApproval": {"subject": {"kind": "ActionProposal", "name": "a", "uid": "a"}, "actions": ["wait"],
                           "digest": "sha256:" + "0" * 64, "decision": "Reject"},
    }  # fmt: skip
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": [_probe(*probe) for probe in probes.items()]})
    try:
        answer = kubectl("create", "--dry-run=server", "--namespace", "default", "-o", "yaml", "-f", "-", text=text)
    except NotInstalled as error:
        if any(sign in str(error) for sign in NOT_YET):
            return False
        raise
    return all(
        made["spec"].keys() & {"requestedBy", "approver", "editedBy"} or made["metadata"].get("annotations")
        for made in yaml.safe_load_all(answer)
    )


def _refuses(kubectl: Kubectl) -> bool:
    """Whether a proposal with the mark of a step, tried only, is refused (steps.yaml)."""
    probe = _probe("ActionProposal", {"action": "wait", "reason": "r"})
    probe["metadata"]["labels"] = {"actionoperator.dev/workflow": "probe"}
    try:
        kubectl("create", "--dry-run=server", "--namespace", "default", "-f", "-", text=json.dumps(probe))
    except NotInstalled as refused:
        if "'action-operator-steps'" not in str(refused):
            raise
        return True
    return False


def _probe(kind: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": "actionoperator.dev/v1alpha1", "kind": kind, "metadata": {"name": "probe"}, "spec": spec}


def operator_command(cluster: ControlPlane, *options: str, token_seconds: int = 3600) -> list[str]:
    """How to start the operator, with a fresh token of its ServiceAccount."""
    kubeconfig = cluster.directory / "operator.kubeconfig"
    cluster.service_account_kubeconfig("action-operator", "action-operator", kubeconfig, lifetime_seconds=token_seconds)
    return [sys.executable, "-m", "controller.operator.main", "run", "--kubeconfig", str(kubeconfig), *options]


def wait_until_it_leads(log: Path, ended: Callable[[], bool], *, since: int = 0) -> None:
    """Returns once the operator works. Raises NotInstalled with the end of its log."""
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline and not ended():
        if LEADS in log.read_bytes()[since:].decode(errors="replace"):
            return
        time.sleep(0.05)
    raise NotInstalled(f"the operator does not start; the end of its log:\n{end_of(log)}")


def end_of(log: Path, lines: int = 15) -> str:
    """The last lines of a log."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:]) if log.exists() else "(no log)"


def is_free(port: int) -> bool:
    """Whether nobody listens there on loopback."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
