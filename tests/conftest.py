"""Fixtures for all tests that talk to an API server."""

import re
import secrets
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from harness.installed import declared, install_crds
from harness.scheduling import ByWhatIsShared
from harness.stage import Stage, staged

from hack.installation import enforce, kubectl_of
from localcluster.controlplane import ControlPlane

ROOT = Path(__file__).parents[1]
_TOLD = pytest.StashKey[list[str]]()

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # Started in the background, where shells ignore Ctrl-C: the programs that tests interrupt would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def crds(cluster: ControlPlane) -> None:
    """Our kinds and the admission policies that go with them, as a user installs them, in force."""
    install_crds(cluster)
    enforce(kubectl_of(cluster))


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
    """A namespace with its own operator for all tests of a module; object names are theirs to keep apart.

    What they declare for the whole cluster goes with it.
    """
    module = re.sub(r"[^a-z0-9]+", "-", request.module.__name__.rpartition(".")[2].removeprefix("test_"))
    name = f"{module}-{secrets.token_hex(3)}"
    cluster.api().post("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    before = declared(cluster)
    with staged(cluster, operator_kubeconfig, tmp_path_factory.mktemp(name), name) as ready:
        yield ready
    for path in declared(cluster) - before:
        cluster.api().delete(path)
    cluster.api().delete(f"/api/v1/namespaces/{name}")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByWhatIsShared | None:
    return ByWhatIsShared(config, log) if config.getoption("dist") == "loadfile" else None


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    """Keeps what a worker of pytest-xdist has to say in the end."""
    if told := getattr(node, "workeroutput", {}).get("told"):
        node.config.stash.setdefault(_TOLD, []).append(f"{node.gateway.id}: {told}")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for line in config.stash.get(_TOLD, []):
        terminalreporter.write_line(line)
