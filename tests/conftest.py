"""Fixtures for all tests that talk to an API server."""

import subprocess
from pathlib import Path

import pytest

from localcluster.controlplane import ControlPlane

CRDS = Path(__file__).parents[1] / "crds"


@pytest.fixture(scope="session")
def crds(cluster: ControlPlane) -> None:
    """Install the CRDs as a user does, and wait until the API server serves them."""
    kubectl = [cluster.kubectl, "--kubeconfig", cluster.kubeconfig]
    subprocess.run([*kubectl, "apply", "--server-side", "-f", CRDS], check=True, capture_output=True)
    subprocess.run([*kubectl, "wait", "--for=condition=Established", "--timeout=30s", "-f", CRDS], check=True,
                   capture_output=True)  # fmt: skip
