"""What docs/operations/backup-and-restore.md says of an etcd that is restored from an older snapshot."""

import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from harness.guides import playground, run, running

from hack.background import Background
from hack.hook_target import HookTarget
from localcluster.controlplane import ControlPlane
from localcluster.layout import Layout

SERVERS = ("etcd", "kube-apiserver")
UNTIL_IT_RUNS = timedelta(seconds=20)
PROPOSAL = """\
apiVersion: actionoperator.dev/v1alpha1
kind: ActionProposal
metadata: {name: pay-out, namespace: shop}
spec:
  action: http-request
  parameters: {method: POST, url: "URL", body: {}}
  reason: it must not be sent twice
  notBefore: "WHEN"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "playground"


@pytest.fixture
def shell(folder: Path, hook_port: int) -> Iterator[dict[str, str]]:
    yield from running(folder)


def typed(shell: dict[str, str], command: str, text: str = "") -> str:
    done: subprocess.CompletedProcess[str] = run(shell, command, text)
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


def exchange(cluster: ControlPlane, *, save: Path | None = None, restore: Path | None = None) -> None:
    """Stops API server and etcd, keeps or replaces etcd's data, and starts both again."""
    for server in reversed(SERVERS):
        cluster.kill(server)
    data = Layout(cluster.directory).etcd_data
    if save:
        shutil.copytree(data, save)
    if restore:
        shutil.rmtree(data)
        shutil.copytree(restore, data)
    cluster.restart(*SERVERS)


def test_what_was_due_after_the_cut_is_due_again_and_a_halt_holds_it(
    folder: Path, shell: dict[str, str], hook: HookTarget, tmp_path: Path
) -> None:
    cluster = ControlPlane.attach(folder / "cluster")
    when = (datetime.now(UTC) + UNTIL_IT_RUNS).isoformat(timespec="seconds").replace("+00:00", "Z")
    url = f"{hook.url}/payments"
    typed(shell, "kubectl create -f -", PROPOSAL.replace("URL", url).replace("WHEN", when))
    typed(shell, "kubectl wait --for=jsonpath='{.status.phase}'=Scheduled ap/pay-out --timeout=20s")
    exchange(cluster, save=tmp_path / "snapshot")
    typed(shell, "kubectl wait --for=condition=Succeeded ap/pay-out --timeout=90s")
    assert len(hook.received) == 1

    Background(folder, "operator", output="audit.jsonl").stop()
    exchange(cluster, restore=tmp_path / "snapshot")
    assert typed(shell, "kubectl get ap pay-out -o jsonpath='{.status.phase}'") == "Scheduled"
    typed(shell, "timeout 60 bash -c 'until kubectl apply -f examples/policies/halt.yaml; do sleep 0.2; done'")
    playground("up", "--dir", str(folder))
    typed(shell, "kubectl wait --for=jsonpath='{.status.phase}'=Blocked ap/pay-out --timeout=60s")
    assert len(hook.received) == 1

    typed(shell, """kubectl patch apol halt-shop --type=merge -p '{"spec":{"halt":false}}'""")
    typed(shell, "kubectl wait --for=condition=Succeeded ap/pay-out --timeout=60s")
    first, second = (request.key for request in hook.received)
    assert first != second
