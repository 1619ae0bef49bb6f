"""An operator that is there before its kinds, and one whose kinds are taken away and made again."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from harness.installed import CRDS, install_crds
from harness.operator import OperatorProcess

from hack.installation import ROOT, Kubectl, enforce, kubectl_of
from localcluster.controlplane import ControlPlane

HEARD_SECONDS = 20.0
POLICY = {
    "apiVersion": "actionoperator.dev/v1alpha1",
    "kind": "ActionPolicy",
    "metadata": {"name": "execute"},
    "spec": {"mode": "Execute"},
}


@pytest.fixture
def bare(tmp_path: Path) -> Iterator[ControlPlane]:
    """An API server that knows the operator's ServiceAccount and none of our kinds."""
    with ControlPlane.start(tmp_path / "cluster", api_only=True, audit=False) as plane:
        kubectl = kubectl_of(plane)
        kubectl("apply", "-f", ROOT / "config" / "rbac" / "operator.yaml")
        kubectl("apply", "-f", ROOT / "tests" / "harness" / "leases.yaml")
        yield plane


@pytest.fixture
def operator(bare: ControlPlane, tmp_path: Path) -> Iterator[OperatorProcess]:
    kubeconfig = tmp_path / "operator.kubeconfig"
    bare.service_account_kubeconfig("action-operator", "action-operator", kubeconfig, lifetime_seconds=3600)
    process = OperatorProcess(kubeconfig, tmp_path / "operator", namespace=None, lease_name="action-operator")
    process.start()
    yield process
    process.stop()


def _install(plane: ControlPlane) -> Kubectl:
    install_crds(plane)
    kubectl = kubectl_of(plane)
    enforce(kubectl)
    kubectl("apply", "--server-side", "-f", ROOT / "catalog")
    kubectl("apply", "-f", "-", text=json.dumps(POLICY))
    return kubectl


def _does(kubectl: Kubectl, name: str) -> None:
    """A proposal that comes now is carried out soon: it was heard of, not found by a sweep."""
    proposal: dict[str, Any] = {
        "apiVersion": "actionoperator.dev/v1alpha1",
        "kind": "ActionProposal",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"action": "log-message", "parameters": {"message": "hello"}, "reason": "see whether it hears"},
    }
    kubectl("apply", "-f", "-", text=json.dumps(proposal))
    kubectl("wait", "--for=condition=Succeeded", f"--timeout={HEARD_SECONDS:g}s", f"ap/{name}", "-n", "default")


def _exit_code(process: OperatorProcess, seconds: float) -> int | None:
    deadline = time.monotonic() + seconds
    while process.exit_code() is None and time.monotonic() < deadline:
        time.sleep(0.1)
    return process.exit_code()


def test_an_operator_that_is_there_before_its_kinds_says_so_and_hears_of_them(
    bare: ControlPlane, operator: OperatorProcess
) -> None:
    kubectl = _install(bare)
    _does(kubectl, "first")
    _does(kubectl, "second")
    assert "does not serve actionproposals" in operator.log
    assert "apply crds/" in operator.log
    assert "does not answer" not in operator.log


def test_an_operator_whose_kinds_are_gone_ends_and_the_next_one_waits_for_them(
    bare: ControlPlane, operator: OperatorProcess
) -> None:
    kubectl = _install(bare)
    _does(kubectl, "before")
    kubectl("delete", "-f", CRDS)
    assert _exit_code(operator, 60.0) == 1, operator.log[-3000:]
    assert "action-operator: a watch has ended (404 page not found)" in operator.log
    operator.start()
    _does(_install(bare), "after")
