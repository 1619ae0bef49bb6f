"""`kubectl actions doctor` against API servers where something is missing: the classic mistakes, each told with what
mends it.
"""

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from api_server import ApiServer
from cli_shell import Shell

from controller.cli.admission_trial import ABOUT
from localcluster.controlplane import ControlPlane

Findings = dict[str, dict[str, Any]]


@pytest.fixture
def shell(cluster: ControlPlane, operator_kubeconfig: Path, namespace: str) -> Iterator[Shell]:
    server = ApiServer(cluster, namespace)
    yield Shell(cluster, server, cluster.kubeconfig)
    server.close()


@pytest.fixture
def bare(schema_only: ControlPlane) -> Iterator[Shell]:
    """A cluster with our CRDs, and nothing else of ours."""
    server = ApiServer(schema_only, "default")
    yield Shell(schema_only, server, schema_only.kubeconfig)
    server.close()


def findings(shell: Shell, *options: str) -> tuple[int, Findings]:
    done = shell.run("doctor", "-o", "json", *options)
    return done.returncode, {one["about"]: one for one in json.loads(done.stdout)["findings"]}


def test_an_installation_without_an_operator_and_policies_says_so(shell: Shell) -> None:
    code, found = findings(shell)
    assert code == 1
    assert {about: one["state"] for about, one in found.items()} == {
        "API server": "ok", "Kubernetes": "ok", "Clock": "ok", "CRDs": "ok", "Admission": "ok", ABOUT: "ok",
        "Action types": "ok", "Operator": "broken", "Operator's rights": "ok", "Policies": "note", "Your rights": "ok",
    }  # fmt: skip
    assert found["Policies"]["mend"][0] == f"kubectl actions mode Execute -n {shell.namespace} --reason TEXT"
    assert "there is no Lease action-operator/action-operator" in found["Operator"]["message"]


def test_admission_policies_that_are_missing_are_seen_stored_and_tried(bare: Shell) -> None:
    code, found = findings(bare)
    assert code == 1
    assert found["Admission"]["state"] == found[ABOUT]["state"] == found["Action types"]["state"] == "broken"
    assert "is missing" in found["Admission"]["message"]
    assert "takes a proposal in the name of somebody else" in found[ABOUT]["message"]
    for about in ("Admission", ABOUT):
        assert found[about]["mend"][0].startswith("kubectl apply --server-side -f config/admission")
    assert found["Action types"]["mend"][0].startswith("kubectl apply --server-side -f catalog/")


def test_rights_that_the_operator_and_i_lack_are_named_with_the_commands_that_grant_them(shell: Shell) -> None:
    code, found = findings(shell, "--operator-account", "nowhere/nobody")
    assert code == 1
    assert found["Operator's rights"]["message"].startswith(
        "nowhere/nobody may not get actiontypes.actionoperator.dev; "
    )
    assert found["Operator's rights"]["mend"][0].startswith("kubectl apply --server-side -f config/rbac/operator.yaml")
    code, found = findings(shell, "--as", "erin")
    assert (code, found["Your rights"]["state"]) == (1, "broken")
    assert "you may do nothing with actions" in found["Your rights"]["message"]
    assert (
        f"see what there is: kubectl create rolebinding action-viewer-erin -n {shell.namespace} "
        "--clusterrole=action-viewer --user=erin"
    ) in found["Your rights"]["mend"]
    assert found["CRDs"]["state"] == "ok"
    assert found["Admission"]["state"] == found[ABOUT]["state"] == "not looked at"


def test_a_policy_that_names_a_runner_which_is_not_there_or_not_lent_is_told(shell: Shell) -> None:
    policy = {
        "apiVersion": "actionoperator.dev/v1alpha1", "kind": "ActionPolicy",
        "metadata": {"name": f"runs-{shell.namespace}"[:63]},
        "spec": {"match": {"namespaces": [shell.namespace]}, "mode": "Execute", "serviceAccountName": "ops"},
    }  # fmt: skip
    assert shell.server.create(policy, dry_run=False).accepted
    try:
        _, found = findings(shell)
        assert found["Policies"]["state"] == "ok"
        assert found["Runner ops"]["mend"] == [f"kubectl create serviceaccount ops -n {shell.namespace}"]
        account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "ops"}}
        assert shell.server.send("POST", f"/api/v1/namespaces/{shell.namespace}/serviceaccounts", account).accepted
        _, found = findings(shell)
        assert "may not act as it" in found["Runner ops"]["message"]
        assert "--verb=impersonate --resource=serviceaccounts --resource-name=ops" in found["Runner ops"]["mend"][0]
    finally:
        shell.server.send("DELETE", shell.server.path("ActionPolicy", policy["metadata"]["name"]))


def test_each_shard_of_an_installation_is_looked_at(shell: Shell) -> None:
    for name, words in {"op": [], "op-a": ["--lease-name=op-a"], "op-b": ["--lease-name", "op-b"]}.items():
        labels = {"app.kubernetes.io/name": "action-operator", "shard": name}
        pod = {"serviceAccountName": "ops", "containers": [{"name": "o", "image": "o", "args": ["run", *words]}]}
        deployment = {
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "labels": labels},
            "spec": {"replicas": 0, "selector": {"matchLabels": labels},
                     "template": {"metadata": {"labels": labels}, "spec": pod}},
        }  # fmt: skip
        path = f"/apis/apps/v1/namespaces/{shell.namespace}/deployments"
        assert shell.server.send("POST", path, deployment).accepted
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.000000Z")
    lease = {
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "op-b"},
        "spec": {"holderIdentity": "pod-b", "renewTime": now, "leaseDurationSeconds": 15},
    }  # fmt: skip
    path = f"/apis/coordination.k8s.io/v1/namespaces/{shell.namespace}/leases"
    assert shell.server.send("POST", path, lease).accepted
    code, found = findings(shell, "--operator-namespace", shell.namespace)
    assert code == 1
    told = {about: one["state"] for about, one in found.items() if about.startswith("Operator ")}
    assert told == {"Operator action-operator": "broken", "Operator op-a": "broken", "Operator op-b": "ok"}
    assert found["Operator's rights"]["message"].startswith(f"{shell.namespace}/ops may not ")


def test_a_namespace_that_is_not_there_is_told(shell: Shell) -> None:
    done = shell.run("doctor", "-n", "no-such-place", namespaced=False)
    assert done.returncode == 1
    assert "✗ Namespace" in done.stdout
    assert "kubectl create namespace no-such-place" in done.stdout


class OldServer(BaseHTTPRequestHandler):
    """An API server of long ago, without our kinds, as far as doctor asks it."""

    def do_GET(self) -> None:
        known = {
            "/version": {"major": "1", "minor": "29", "gitVersion": "v1.29.3"},
            "/apis/apiextensions.k8s.io/v1/customresourcedefinitions": {"items": []},
        }
        self._answer(known.get(self.path.partition("?")[0]))

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        told = {"status": {"userInfo": {"username": "admin", "groups": ["system:masters"]}}}
        self._answer(told if "selfsubjectreviews" in self.path else None)

    def _answer(self, body: Any) -> None:
        text = json.dumps(body or {"kind": "Status", "code": 404, "message": "page not found"}).encode()
        self.send_response(200 if body else 404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def old(tmp_path: Path) -> Iterator[Path]:
    """The kubeconfig of an old API server without our kinds."""
    with ThreadingHTTPServer(("127.0.0.1", 0), OldServer) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield kubeconfig(tmp_path, server.server_port)
        server.shutdown()
        thread.join()


def kubeconfig(folder: Path, port: int) -> Path:
    path = folder / "kubeconfig"
    content = {
        "apiVersion": "v1", "kind": "Config", "current-context": "c",
        "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}], "users": [{"name": "u", "user": {}}],
    }  # fmt: skip
    path.write_text(yaml.safe_dump(content))
    return path


def test_an_old_kubernetes_without_our_kinds_is_told_as_just_that(shell: Shell, old: Path) -> None:
    there = Shell(shell.cluster, shell.server, old)
    code, found = findings(there)
    assert code == 1
    assert "v1.29.3 is too old: actions need 1.32 or newer" in found["Kubernetes"]["message"]
    assert found["CRDs"]["state"] == "broken"
    assert found["CRDs"]["mend"][0].startswith("kubectl apply --server-side -f crds/")
    assert set(found) == {"API server", "Kubernetes", "Clock", "CRDs"}, "nothing else can be looked at"


def test_a_wrong_kubeconfig_is_told_and_ends_as_unreachable(shell: Shell, tmp_path: Path) -> None:
    gone = Shell(shell.cluster, shell.server, kubeconfig(tmp_path, 9))
    done = gone.run("doctor")
    assert done.returncode == 5
    assert "✗ API server" in done.stdout
    assert "-> kubectl config current-context" in done.stdout
    missing = Shell(shell.cluster, shell.server, tmp_path / "absent")
    done = missing.run("doctor")
    assert done.returncode == 1
    assert "absent" in done.stdout
    assert "--kubeconfig FILE" in done.stdout
