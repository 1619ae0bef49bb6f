"""kind, through pytest-kind: Kubernetes in Docker, with the users, audit log and files of a local control plane.

    python -m harness.cluster_kind [PYTEST OPTIONS]    the end-to-end tests, then those with real pods, on kind

`ACTION_OPERATOR_KIND_IMAGE` names another node image than the newest. kind itself is TEST_ASSET_KIND, or on PATH, else
pytest-kind downloads the pinned release.
"""

import base64
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

import yaml
from pytest_kind import KindCluster

from localcluster import binaries, probes, programs, servers
from localcluster.audit import AUDIT_POLICY
from localcluster.controlplane import ControlPlane
from localcluster.fleet import Fleet
from localcluster.image.build import Image
from localcluster.image.dockerfile import Dockerfile
from localcluster.kubeconfig import Access
from localcluster.layout import Layout
from localcluster.locks import FileLock
from localcluster.node.images import BUSYBOX
from localcluster.progress import Lines
from localcluster.state import Phase, State
from localcluster.users import Credentials

ROOT = Path(__file__).parents[2]
KIND_VERSION = "v0.33.0"
NODE_IMAGES = (
    "kindest/node:v1.37.0@sha256:a1ed56cfb0e7b93589bdf97c8cd566405a265939e3620fc4f5de89adff580ae5",
    "kindest/node:v1.36.4@sha256:099e049362a1526b2db71494e1947aae99bd16290d7c895f2b7ea312e3cbfaed",
    "kindest/node:v1.35.8@sha256:07b2536e30b803ed61d1677a79df6115f798ce64c80f9e22f6ed45afd09323c0",
)
"""Those that were built for this kind, of the three newest minor versions."""
PUBLIC_BUSYBOX = "busybox:1.37"
VARIABLE = "ACTION_OPERATOR_KIND_IMAGE"
_MOUNTED = "/localcluster"
_PLAYED_ONLY = {"key": "localcluster.actionoperator.dev/played-only", "effect": "NoSchedule"}


def missing() -> list[str]:
    """What keeps kind from running here, in words."""
    if shutil.which("docker") is None:
        return ["docker is not installed"]
    try:
        asked = subprocess.run(["docker", "info"], capture_output=True, text=True, check=False, timeout=20)
    except subprocess.TimeoutExpired:
        return ["docker does not answer"]
    said = [
        line for line in (asked.stdout + asked.stderr).splitlines() if "annot connect" in line or "ermission" in line
    ]
    if asked.returncode or said:
        return [said[-1].removeprefix("ERROR: ") if said else f"`docker info` ends with exit code {asked.returncode}"]
    return []


def configuration(shared: Path) -> dict[str, Any]:
    """The cluster: users by token and the audit log as a local one has them, in a folder shared with the node.

    kubeadm before 1.36 takes its arguments as a map, later as a list; only the patch of its version applies. Those API
    servers fill names in only when they are told to, which nearly all tests take.
    """
    arguments = {
        "token-auth-file": f"{_MOUNTED}/users.csv",
        "audit-policy-file": f"{_MOUNTED}/audit-policy.yaml",
        "audit-log-path": f"{_MOUNTED}/audit.log",
        "audit-log-maxsize": "100000",
    }
    to_fill_in = {
        "feature-gates": "MutatingAdmissionPolicy=true",
        "runtime-config": "admissionregistration.k8s.io/v1beta1=true",
    }
    volume = {"name": "localcluster", "hostPath": _MOUNTED, "mountPath": _MOUNTED, "pathType": "Directory"}

    def patch(version: str, extra: object) -> str:
        server = {"extraArgs": extra, "extraVolumes": [volume]}
        return yaml.safe_dump(
            {"apiVersion": f"kubeadm.k8s.io/{version}", "kind": "ClusterConfiguration", "apiServer": server}
        )

    return {
        "apiVersion": "kind.x-k8s.io/v1alpha4",
        "kind": "Cluster",
        "nodes": [
            {"role": "control-plane", "extraMounts": [{"hostPath": str(shared), "containerPath": _MOUNTED}]},
        ],
        "kubeadmConfigPatches": [
            patch("v1beta3", arguments | to_fill_in),
            patch("v1beta4", [{"name": name, "value": value} for name, value in arguments.items()]),
        ],
    }


def admission(kubeconfig: Path) -> tuple[str, bytes]:
    """The API server's address, and the certificate to trust, as kind wrote them."""
    cluster = yaml.safe_load(kubeconfig.read_text())["clusters"][0]["cluster"]
    return cluster["server"], base64.b64decode(cluster["certificate-authority-data"])


class KindPlane(ControlPlane):
    """A cluster of kind that is used like a local control plane; its servers cannot be killed one by one."""

    def __init__(self, layout: Layout, kind: KindCluster) -> None:
        super().__init__(layout)
        self.kind = kind

    def load_image(self, archive: Path) -> None:
        command = [str(self.kind.kind_path), "load", "image-archive", f"--name={self.kind.name}", str(archive)]
        subprocess.run(command, check=True, capture_output=True, timeout=300)

    def stop(self) -> bool:
        raise NotImplementedError("a cluster of kind ends with the block that started it")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """The block that started it ends it."""


@contextmanager
def started(folder: Path, *, played_nodes: int = 0) -> Iterator[KindPlane]:
    """A cluster until left. With played nodes all pods go to them, as in a local control plane; else they run."""
    layout = Layout(folder.absolute())
    layout.create()
    shared = layout.root / "shared"
    shared.mkdir()
    credentials = Credentials()
    credentials.write(shared / "users.csv")
    (shared / "audit-policy.yaml").write_text(AUDIT_POLICY)
    layout.audit_log.symlink_to(shared / "audit.log")
    config = layout.root / "kind.yaml"
    config.write_text(yaml.safe_dump(configuration(shared)))
    found = binaries.find_or_build([programs.KUBECTL, programs.KWOK], Lines())
    kind = _kind(layout, found["kubectl"])
    lock = FileLock.try_take(layout.lock)
    assert lock is not None, f"{layout.root} is in use"
    fleet = Fleet(layout, found)
    try:
        kind.create(config)
        server, authority = admission(kind.kubeconfig_path)
        _write_kubeconfigs(layout, credentials, server, authority)
        State(os.getpid(), Phase.READY, server, kubectl=found["kubectl"], real_node=not played_nodes).write(layout)
        plane = KindPlane(layout, kind)
        if played_nodes:
            _play(plane, layout, fleet, played_nodes)
        else:
            _load_busybox(kind)
        yield plane
    finally:
        fleet.stop()
        kind.delete()
        lock.release()


def build(folder: Path, repository: str) -> Image:
    """Builds the image by Docker, and writes its archive."""
    name = f"{repository}:{Dockerfile(folder).digest('docker')}"
    archive = Path(tempfile.mkdtemp(prefix="operator-image-")) / "image.tar"
    for command in (["build", "--quiet", f"--tag={name}", str(folder)], ["save", f"--output={archive}", name]):
        subprocess.run(["docker", *command], check=True, capture_output=True, timeout=900)
    return Image(name, archive)


def _kind(layout: Layout, kubectl: Path) -> KindCluster:
    given = os.environ.get("TEST_ASSET_KIND") or shutil.which("kind")
    kind = KindCluster(
        f"action-operator-{os.getpid()}",
        kubeconfig=layout.root / "kind.kubeconfig",
        image=os.environ.get(VARIABLE) or NODE_IMAGES[0],
        kind_path=Path(given) if given else None,
        kubectl_path=kubectl,
    )
    if given is None:
        assert kind.kind_path.name == f"kind-{KIND_VERSION}", f"set KIND_VERSION={KIND_VERSION} (make test-kind does)"
    return kind


def _write_kubeconfigs(layout: Layout, credentials: Credentials, server: str, authority: bytes) -> None:
    layout.certificates.mkdir(exist_ok=True)
    layout.authority.write_bytes(authority)
    paths = {credentials.admin: layout.kubeconfig}
    paths |= {user: layout.kubeconfig_of(user.name) for user in credentials.people}
    paths |= {user: layout.kubeconfig_of_program(user.name.removeprefix("system:")) for user in credentials.programs}
    for user, path in paths.items():
        Access(server, authority, user.name, user.token).write(path)


def _play(plane: KindPlane, layout: Layout, fleet: Fleet, count: int) -> None:
    """Nodes played by kwok, and none of the tests' pods on the real one."""
    taint = f"{_PLAYED_ONLY['key']}=true:{_PLAYED_ONLY['effect']}"
    kubectl = [str(plane.kubectl), "--kubeconfig", str(plane.kubeconfig)]
    subprocess.run([*kubectl, "taint", "nodes", "--all", taint], check=True, capture_output=True)
    fleet.start(servers.kwok(layout))
    for number in range(1, count + 1):
        plane.api().post("/api/v1/nodes", probes.played_node(f"node-{number}"))


def _load_busybox(kind: KindCluster) -> None:
    for command in (["pull", "--quiet", PUBLIC_BUSYBOX], ["tag", PUBLIC_BUSYBOX, BUSYBOX]):
        subprocess.run(["docker", *command], check=True, capture_output=True, timeout=300)
    kind.load_docker_image(BUSYBOX)


def main(options: Sequence[str]) -> int:
    """Runs the tests on kind; where kind cannot run, those with real pods say why they are skipped."""
    pytest = [sys.executable, "-m", "pytest", *options]
    codes = []
    if not missing():
        folder = Path(tempfile.mkdtemp(prefix="kind-"))
        with started(folder / "cluster", played_nodes=1) as plane:
            command = [*pytest, f"--cluster-dir={plane.directory}", "tests/e2e"]
            codes.append(subprocess.run(command, check=False).returncode)
    environment = os.environ | {"ACTION_OPERATOR_PODS": "kind"}
    command = [*pytest, "--ignore=tests/node/test_node.py", "tests/node"]
    codes.append(subprocess.run(command, env=environment, check=False).returncode)
    return next((code for code in codes if code), 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
