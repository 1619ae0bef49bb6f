"""The shipped roles, bound by the commands that config/rbac gives, typed as they stand there: who can do what then."""

import os
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from api_server import Answer, ApiServer
from guarded import approval, proposal, workflow
from schema_manifests import POLICY, PROPOSAL, Manifest, manifest

from localcluster.controlplane import ControlPlane

RBAC = Path(__file__).parents[2] / "config" / "rbac"
SHOP = "shop"
COMMAND = re.compile(r"^#   (kubectl .*)$", re.MULTILINE)


@pytest.fixture(scope="module")
def shop(alone: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, ApiServer]]:
    """A namespace shop as it says there: alice (in group sre), bob (not), and a ServiceAccount with her roles in it."""
    environment = os.environ | {
        "KUBECONFIG": str(alone.kubeconfig), "PATH": f"{alone.kubectl.parent}{os.pathsep}{os.environ['PATH']}"
    }  # fmt: skip

    def typed(command: str) -> None:
        done = subprocess.run(
            ["bash", "-c", command], cwd=RBAC, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{command}: {done.stderr}"

    typed(f"kubectl create namespace {SHOP}")
    typed(f"kubectl create serviceaccount agent --namespace {SHOP}")
    typed("kubectl apply -f operator.yaml -f roles.yaml")
    commands = [command for file in sorted(RBAC.glob("*.yaml")) for command in COMMAND.findall(file.read_text())]
    assert len(commands) == 9
    for command in commands:
        typed(command)
        if "create rolebinding" in command:
            typed(command.replace("sre-", "agent-").replace("--group=sre", f"--serviceaccount={SHOP}:agent"))
    config = alone.service_account_kubeconfig(SHOP, "agent", tmp_path_factory.mktemp("agent") / "kubeconfig")
    clients = {
        "admin": ApiServer(alone, SHOP),
        "alice": ApiServer(alone, SHOP, alone.kubeconfig_of("alice")),
        "bob": ApiServer(alone, SHOP, alone.kubeconfig_of("bob")),
        "agent": ApiServer(alone, SHOP, config),
    }
    deadline = time.monotonic() + 10
    while not clients["alice"].create(proposal(spec__serviceAccountName="action-runner")).accepted:
        assert time.monotonic() < deadline, "RBAC never took notice of the new roles"
        time.sleep(0.02)
    yield clients
    for client in clients.values():
        client.close()


HALT = manifest(POLICY, "halt-all", {"halt": True})
RUNNER, OTHER = ({"spec__serviceAccountName": name} for name in ("action-runner", "default"))


@pytest.mark.parametrize(
    ("who", "body", "told"),
    [
        ("alice", proposal(), ""),
        ("alice", workflow(), ""),
        ("alice", proposal(**RUNNER), ""),
        ("alice", proposal(**OTHER), "alice may not use default as runner in namespace shop"),
        ("alice", approval("scale-workload", "drain-node"), ""),
        ("alice", HALT, ""),
        ("bob", proposal(), "cannot create resource"),
        ("bob", workflow(), "cannot create resource"),
        ("bob", approval(), "cannot create resource"),
        ("bob", HALT, "cannot create resource"),
        ("agent", proposal(), ""),
        ("agent", proposal(**RUNNER), "agent may not use action-runner as runner in namespace shop"),
        ("agent", approval(), "agent may not approve or reject scale-workload as a machine in namespace shop"),
        ("agent", HALT, "cannot create resource"),
    ],
)
def test_who_can_make_what(shop: dict[str, ApiServer], who: str, body: Manifest, told: str) -> None:
    answer = shop[who].create(body)
    assert answer.accepted is not bool(told), answer.says
    assert told in answer.says


def test_elsewhere_they_can_do_nothing(shop: dict[str, ApiServer]) -> None:
    for who in ("alice", "agent"):
        path = "/apis/actionoperator.dev/v1alpha1/namespaces/default/actionproposals?dryRun=All"
        assert shop[who].send("POST", path, proposal()).status == 403


@pytest.mark.parametrize(("who", "allowed"), [("alice", True), ("agent", True), ("bob", False)])
def test_who_can_read_and_cancel(shop: dict[str, ApiServer], who: str, allowed: bool) -> None:
    stored = shop["admin"].stored(proposal())
    path = shop[who].path(PROPOSAL, stored["metadata"]["name"])
    for method, body in (("GET", None), ("PATCH", {"spec": {"cancelled": True}})):
        assert shop[who].send(method, path, body).accepted is allowed


@pytest.mark.parametrize("who", ["alice", "agent", "bob"])
def test_none_of_them_writes_status_deletes_or_changes_the_catalogue(shop: dict[str, ApiServer], who: str) -> None:
    stored = shop["admin"].stored(proposal())
    client, path = shop[who], shop[who].path(PROPOSAL, stored["metadata"]["name"])

    def forbidden(answer: Answer) -> None:
        assert answer.status == 403
        assert " cannot " in answer.says

    forbidden(client.send("PATCH", f"{path}/status", {"status": {"outcome": "Succeeded"}}))
    forbidden(client.send("DELETE", path))
    forbidden(client.send("PATCH", client.path("ActionType", "wait"), {"spec": {"risk": "Low"}}))
