"""docs/gitops.md, as somebody does what it says: its commands in their order, its samples, and a sync in waves."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from harness.argo_health import SCRIPT, argo_health
from harness.gitops import stand_ins
from harness.health_table import TABLE
from harness.people import binding, vote, wait_until_proven
from harness.stage import Json, Stage

from hack.installation import ROOT

GUIDE = ROOT / "docs" / "gitops.md"
GITOPS = ROOT / "config" / "gitops"
WAVE = "argocd.argoproj.io/sync-wave"
SYNC_SECONDS = 90.0
TOOL = "system:serviceaccount:shop:gitops"
OURS = "actionoperator.dev/v1alpha1"


@pytest.fixture(scope="module", autouse=True)
def _rules(stage: Stage) -> None:
    """Alice approves; what scales needs her."""
    stage.kubectl("apply", "-f", "config/rbac/roles.yaml")
    stage.apply(binding("alice-approves", "alice", "ClusterRole", "action-approver"))
    stage.policy("ask", approval={"requiredFromMachines": 1}, match={"actions": ["scale-workload"]})
    wait_until_proven(stage.cluster)


@pytest.fixture
def released(stage: Stage) -> Iterator[None]:
    """The release goes when the test is over, so that the next one begins anew."""
    yield
    stage.kubectl("delete", "--ignore-not-found", "--timeout=60s", "-k", str(GITOPS / "release"))


@pytest.fixture
def argocd(stage: Stage) -> Iterator[None]:
    """The namespace of Argo CD with its settings, in which somebody has set something."""
    kept = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "argocd-cm", "namespace": "argocd"},
            "data": {"timeout.reconciliation": "300s"}}  # fmt: skip
    stage.cluster.api().post(
        "/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "argocd"}}
    )
    stage.cluster.api().post("/api/v1/namespaces/argocd/configmaps", kept)
    yield
    stage.cluster.api().delete("/api/v1/namespaces/argocd")


@pytest.fixture
def shell(stage: Stage, tmp_path: Path) -> dict[str, str]:
    """An environment in which kubectl is in the stage's namespace."""
    config = yaml.safe_load(stage.cluster.kubeconfig.read_text())
    config["contexts"][0]["context"]["namespace"] = stage.namespace
    (tmp_path / "kubeconfig").write_text(yaml.safe_dump(config))
    path = f"{Path(sys.executable).parent}:{stage.cluster.kubectl.parent}:{os.environ['PATH']}"
    return os.environ | {"KUBECONFIG": str(tmp_path / "kubeconfig"), "PATH": path, "NO_COLOR": "1", "COLUMNS": "200"}


def commands() -> list[str]:
    blocks = "".join(re.findall(r"```console\n(.*?)```", GUIDE.read_text(), re.DOTALL)).splitlines()
    return [line.removeprefix("$ ") for line in blocks if line.startswith("$ ")]


def typed(stage: Stage, shell: dict[str, str], command: str) -> str:
    """What it says; the guide's namespace shop is the stage's."""
    mine = command.replace(":shop:", f":{stage.namespace}:").replace("-n shop", f"-n {stage.namespace}")
    done = subprocess.run(
        ["bash", "-c", mine], cwd=ROOT, env=shell, capture_output=True, text=True, check=False, timeout=150
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}\n{stage.operator.log[-2000:]}"
    return done.stdout


def test_every_command_of_the_guide_works(stage: Stage, shell: dict[str, str], argocd: None, released: None) -> None:
    said = {command: typed(stage, shell, command) for command in commands()}
    assert len(said) == 13
    assert (
        said["kubectl auth can-i propose actiontypes/scale-workload --as system:serviceaccount:shop:gitops"] == "yes\n"
    )
    assert "scale-checkout-1-4" in said["kubectl actions pending"]
    assert said[f"kubectl diff --server-side --as {TOOL} -k config/gitops/release"] == ""
    (hook,) = [command for command in said if "hook.yaml" in command]
    assert "actionproposal.actionoperator.dev/before-sync-" in said[hook]
    settings = json.loads(stage.kubectl("get", "configmap", "argocd-cm", "-n", "argocd", "-o", "json"))["data"]
    assert settings.pop("timeout.reconciliation") == "300s", "what others set stays"
    assert settings == {
        f"resource.customizations.health.actionoperator.dev_{kind}": SCRIPT.read_text() for kind in TABLE
    }


def release() -> dict[int, list[Json]]:
    """The objects of the release, by wave."""
    waves: dict[int, list[Json]] = {}
    for file in yaml.safe_load((GITOPS / "release" / "kustomization.yaml").read_text())["resources"]:
        body = yaml.safe_load((GITOPS / "release" / file).read_text())
        waves.setdefault(int(body["metadata"]["annotations"][WAVE]), []).append(body)
    return dict(sorted(waves.items()))


def applied(stage: Stage, body: Json) -> Json:
    """As Argo CD applies it, with the rights of config/gitops/rbac.yaml; the live object."""
    said = stage.kubectl(
        "apply", "--server-side", "--force-conflicts", "--field-manager=argocd-controller", "-o", "json", "-f", "-",
        f"--as=system:serviceaccount:{stage.namespace}:gitops", input=yaml.safe_dump(body),
    )  # fmt: skip
    found: Json = json.loads(said)
    return found


def health(stage: Stage, body: Json) -> str:
    """Of our kinds by health.lua; others are not what is looked at here."""
    if body["apiVersion"] != OURS:
        return "Healthy"
    found = json.loads(stage.kubectl("get", body["kind"].lower(), body["metadata"]["name"], "-o", "json"))
    return argo_health(found).status


def becomes(stage: Stage, body: Json, *statuses: str) -> str:
    """The health once it is one of these. A sync fails at Degraded, and so does this."""
    deadline = time.monotonic() + SYNC_SECONDS
    while (now := health(stage, body)) not in statuses:
        assert now != "Degraded", f"{body['metadata']['name']} is {now}"
        assert time.monotonic() < deadline, stage.operator.log[-2000:]
        time.sleep(0.1)
    return now


def test_a_sync_in_waves_waits_for_the_approval_and_then_goes_on(stage: Stage, released: None) -> None:
    stage.kubectl("apply", "-f", str(GITOPS / "rbac.yaml"))
    waves = release()
    assert list(waves) == [0, 1, 2, 3]
    waited = []
    for bodies in waves.values():
        for body in bodies:
            applied(stage, body)
        for body in bodies:
            if becomes(stage, body, "Healthy", "Suspended") == "Suspended":
                waited.append(body["metadata"]["name"])
                assert "not found" in stage.kubectl("get", "aw/check-checkout-1-4", check=False).lower()
                assert "created" in vote(stage, "alice", waited[-1])
                assert becomes(stage, body, "Healthy") == "Healthy"
    assert waited == ["scale-checkout-1-4"]
    replicas = stage.kubectl("get", "deployment/checkout", "-o", "jsonpath={.spec.replicas}")
    assert replicas == "3"
    before = {body["metadata"]["name"]: applied(stage, body) for bodies in waves.values() for body in bodies}
    for bodies in waves.values():
        for body in bodies:
            again, kept = applied(stage, body), before[body["metadata"]["name"]]
            assert again["spec" if "spec" in again else "data"] == kept["spec" if "spec" in kept else "data"]
            if body["apiVersion"] == OURS:
                assert again["metadata"]["resourceVersion"] == kept["metadata"]["resourceVersion"]
    assert stage.kubectl("get", "deployment/checkout", "-o", "jsonpath={.spec.replicas}") == "3"
    assert "attempts" in stage.status("ap", "scale-checkout-1-4")
    assert len(stage.status("ap", "scale-checkout-1-4")["attempts"]) == 1


def test_the_samples_for_the_tools_themselves_are_well_formed(stage: Stage) -> None:
    """Their kinds are stand-ins here, without a schema of fields."""
    stand_ins(stage.cluster)
    files = [*(GITOPS / "flux").glob("*.yaml"), GITOPS / "argocd" / "application.yaml"]
    for file in files:
        bodies = [body | {"metadata": body["metadata"] | {"namespace": stage.namespace}}
                  for body in yaml.safe_load_all(file.read_text())]  # fmt: skip
        told = stage.kubectl("apply", "-f", "-", input=yaml.safe_dump_all(bodies))
        assert told.count("created") + told.count("configured") + told.count("unchanged") == len(bodies)
    assert len(files) == 4


def test_every_file_that_the_guide_names_is_there_and_every_file_is_named() -> None:
    text = GUIDE.read_text()
    for link in re.findall(r"\]\(\.\./(config/gitops[^)]*)\)", text):
        assert (ROOT / link).exists(), link
    for file in GITOPS.rglob("*.*"):
        place = file.relative_to(GITOPS)
        assert place.as_posix() in text or f"config/gitops/{place.parent.as_posix()}" in text, place
