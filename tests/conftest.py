"""Fixtures for all tests that talk to an API server."""

import re
import secrets
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness.stage import Stage, staged

from controller.api.base import API_VERSION
from controller.api.kinds import KINDS
from localcluster.controlplane import ControlPlane
from localcluster.errors import RequestFailed

ROOT = Path(__file__).parents[1]
CRDS = ROOT / "crds"

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # Started in the background, where shells ignore Ctrl-C: the programs that tests interrupt would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def crds(cluster: ControlPlane) -> None:
    """Install the CRDs as a user does, and wait until the API server serves them."""
    kubectl = [cluster.kubectl, "--kubeconfig", cluster.kubeconfig]
    subprocess.run([*kubectl, "apply", "--server-side", "-f", CRDS], check=True, capture_output=True)
    subprocess.run([*kubectl, "wait", "--for=condition=Established", "--timeout=30s", "-f", CRDS], check=True,
                   capture_output=True)  # fmt: skip
    for info in (kind.INFO for kind in KINDS):
        _wait_until_served(cluster, f"/apis/{API_VERSION}/{info.plural}")


def _wait_until_served(cluster: ControlPlane, path: str) -> None:
    """Established comes before the storage is there: until then the API server answers 429."""
    deadline = time.monotonic() + 30
    while True:
        try:
            cluster.api().get(path)
        except RequestFailed as error:
            if error.status not in (404, 429) or time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return


@pytest.fixture(scope="session")
def operator_kubeconfig(cluster: ControlPlane, crds: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install catalogue and RBAC as a user does; the kubeconfig of the operator's ServiceAccount."""
    kubectl = [cluster.kubectl, "--kubeconfig", cluster.kubeconfig]
    subprocess.run(
        [*kubectl, "apply", "--server-side", "-f", ROOT / "catalog", "-f", ROOT / "config" / "rbac" / "operator.yaml"],
        check=True, capture_output=True,
    )  # fmt: skip
    subprocess.run(
        [*kubectl, "apply", "-f", ROOT / "tests" / "harness" / "leases.yaml"], check=True, capture_output=True
    )
    out = tmp_path_factory.mktemp("operator") / "kubeconfig"
    cluster.service_account_kubeconfig("action-operator", "action-operator", out, lifetime_seconds=7200)
    return out


@pytest.fixture(scope="module")
def stage(
    cluster: ControlPlane,
    operator_kubeconfig: Path,
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
) -> Iterator[Stage]:
    """A namespace with its own operator for all tests of a module; object names are theirs to keep apart."""
    module = re.sub(r"[^a-z0-9]+", "-", request.module.__name__.rpartition(".")[2].removeprefix("test_"))
    name = f"{module}-{secrets.token_hex(3)}"
    cluster.api().post("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    with staged(cluster, operator_kubeconfig, tmp_path_factory.mktemp(name), name) as ready:
        yield ready
    cluster.api().delete(f"/api/v1/namespaces/{name}")
