"""`kubectl actions logs` of an action that runs a pod: its output, by the API server from a played kubelet."""

import datetime
import json
import secrets
import ssl
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from api_server import ApiServer
from cli_shell import Shell, ended
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from localcluster.controlplane import ControlPlane

JOB = {"action": "run-job", "parameters": {"image": "registry.example/a:1", "command": ["a"]}}


class Kubelet(ThreadingHTTPServer):
    """Answers for the logs of containers: `lines` by container, with the time of each."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.lines: dict[str, list[str]] = {}


class _Handler(BaseHTTPRequestHandler):
    server: Kubelet

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        asked = {name: values[0] for name, values in parse_qs(address.query).items()}
        lines = self.server.lines.get(address.path.rpartition("/")[2], [])
        if since := asked.get("sinceTime"):
            lines = [line for line in lines if line[:19] >= since[:19]]
        if tail := asked.get("tailLines"):
            lines = lines[-int(tail) :]
        body = "".join(f"{line}\n" for line in lines).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def kubelet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kubelet]:
    with Kubelet() as server:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(_certificate(tmp_path_factory.mktemp("kubelet")))
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def shell(schema_only: ControlPlane, kubelet: Kubelet) -> Iterator[Shell]:
    """A namespace whose pods are on a node with that kubelet."""
    server = ApiServer(schema_only, f"logs-{secrets.token_hex(3)}")
    there = Shell(schema_only, server, schema_only.kubeconfig)
    name = server.namespace
    create(there, "/api/v1/namespaces", {"kind": "Namespace", "metadata": {"name": name}})
    create(
        there, f"/api/v1/namespaces/{name}/serviceaccounts", {"kind": "ServiceAccount", "metadata": {"name": "default"}}
    )
    status = {
        "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": kubelet.server_port}},
    }
    create(there, "/api/v1/nodes", {"kind": "Node", "metadata": {"name": name}})
    subprocess.run(
        [schema_only.kubectl, "--kubeconfig", schema_only.kubeconfig, "patch", "node", name, "--subresource=status",
         "-p", json.dumps({"status": status})],
        check=True, capture_output=True,
    )  # fmt: skip
    kubelet.lines.clear()
    yield there
    server.close()


def create(shell: Shell, path: str, manifest: dict[str, Any]) -> None:
    answer = shell.server.send("POST", path, {"apiVersion": "v1", **manifest})
    assert answer.accepted, answer.says


def pod(shell: Shell, name: str, proposal: str, *containers: str) -> None:
    """A pod as the Job of that proposal starts it."""
    uid = shell.stored("ActionProposal", proposal)["metadata"]["uid"]
    manifest = {
        "kind": "Pod", "metadata": {"name": name, "labels": {"actionoperator.dev/proposal-uid": uid}},
        "spec": {"nodeName": shell.namespace, "automountServiceAccountToken": False,
                 "containers": [{"name": one, "image": "registry.example/a:1"} for one in containers]},
    }  # fmt: skip
    create(shell, f"/api/v1/namespaces/{shell.namespace}/pods", manifest)


def test_what_the_pod_has_written_is_printed_as_it_is(shell: Shell, kubelet: Kubelet) -> None:
    shell.proposal("backup", ended("Succeeded"), **JOB)
    pod(shell, "backup-x", "backup", "main")
    kubelet.lines["main"] = ["2026-11-22T15:00:01.000000001Z one", "2026-11-22T15:00:01.000000002Z two  2"]
    done = shell.run("logs", "backup")
    assert (done.returncode, done.stdout, done.stderr) == (0, "one\ntwo  2\n", "")
    assert shell.run("logs", "backup", "--tail", "1").stdout == "two  2\n"
    assert shell.run("logs", "backup", "--timestamps", "--tail", "1").stdout == f"{kubelet.lines['main'][1]}\n"


def test_several_containers_are_told_apart(shell: Shell, kubelet: Kubelet) -> None:
    shell.proposal("backup", ended("Succeeded"), **JOB)
    pod(shell, "backup-x", "backup", "main", "side")
    kubelet.lines |= {"main": ["2026-11-22T15:00:01Z one"], "side": ["2026-11-22T15:00:01Z two"]}
    assert shell.run("logs", "backup").stdout.splitlines() == [
        "==> pod/backup-x, container main <==", "one", "==> pod/backup-x, container side <==", "two",
    ]  # fmt: skip


def test_a_pod_that_is_not_there_is_told_with_where_it_stands(shell: Shell) -> None:
    shell.proposal("backup", ended("Failed"), **JOB)
    done = shell.run("logs", "backup")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == "ap/backup has no pod that has written anything: so it ended\n"


def test_following_goes_on_until_it_is_finished_and_tells_each_line_once(shell: Shell, kubelet: Kubelet) -> None:
    shell.proposal("backup", {"phase": "Running", "message": "m"}, **JOB)
    pod(shell, "backup-x", "backup", "main")
    kubelet.lines["main"] = ["2026-11-22T15:00:01.000000001Z one"]
    running = shell.start("logs", "backup", "-f", stdout=subprocess.PIPE)
    assert running.stdout is not None
    assert running.stdout.readline() == "one\n"
    kubelet.lines["main"].append("2026-11-22T15:00:01.000000009Z two")
    assert running.stdout.readline() == "two\n"
    shell.status("ActionProposal", "backup", **ended("Succeeded"))
    rest, _ = running.communicate(timeout=30)
    assert (running.returncode, rest) == (0, "")


def _certificate(folder: Path) -> Path:
    """A certificate that signs itself, with its key, as kubelets make for themselves."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.datetime.now(datetime.UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "kubelet")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + datetime.timedelta(hours=2))
        .sign(key, hashes.SHA256())
    )
    path = folder / "kubelet.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path
