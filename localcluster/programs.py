"""The programs of the control plane: their names, versions, and the Go packages they come from."""

import hashlib
import platform
import re
from dataclasses import dataclass
from pathlib import Path

MODULE = Path(__file__).parent / "kubernetes"
"""The Go module that pins Kubernetes, etcd and kwok."""


@dataclass(frozen=True)
class Program:
    """One program, and the Go package that builds it."""

    name: str
    package: str

    @property
    def variable(self) -> str:
        """The environment variable that gives the path of this program, as in TEST_ASSET_ETCD."""
        return "TEST_ASSET_" + self.name.upper().replace("-", "_")


ETCD = Program("etcd", "go.etcd.io/etcd/server/v3")
API_SERVER = Program("kube-apiserver", "k8s.io/kubernetes/cmd/kube-apiserver")
KUBECTL = Program("kubectl", "k8s.io/kubernetes/cmd/kubectl")
CONTROLLER_MANAGER = Program("kube-controller-manager", "k8s.io/kubernetes/cmd/kube-controller-manager")
SCHEDULER = Program("kube-scheduler", "k8s.io/kubernetes/cmd/kube-scheduler")
KWOK = Program("kwok", "sigs.k8s.io/kwok/cmd/kwok")
KUBELET = Program("kubelet", "k8s.io/kubernetes/cmd/kubelet")

API_ONLY = (ETCD, API_SERVER, KUBECTL)
ALL = (*API_ONLY, CONTROLLER_MANAGER, SCHEDULER, KWOK)
REAL_NODE = (*API_ONLY, CONTROLLER_MANAGER, SCHEDULER, KUBELET)

BUILD_FLAGS = ("-trimpath", "-buildvcs=false", "-mod=readonly", "-tags=grpcnotrace")


def architecture() -> str:
    """Return Go's name of this machine's processor, such as `amd64`; images and release files use it as well."""
    machine = platform.machine().lower()
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine)


def pinned(module: str) -> str:
    """Return the version of a Go module in go.mod, such as `v1.37.2`."""
    match = re.search(rf"^\s*{re.escape(module)} (v\S+)", _manifest(), re.MULTILINE)
    if match is None:
        raise LookupError(f"{MODULE / 'go.mod'}: no requirement of {module}")
    return match[1]


def least_go() -> tuple[int, int]:
    """Return the oldest Go version that go.mod accepts, as (major, minor)."""
    match = re.search(r"^go (\d+)\.(\d+)", _manifest(), re.MULTILINE)
    if match is None:
        raise LookupError(f"{MODULE / 'go.mod'}: no go line")
    return int(match[1]), int(match[2])


def linker_flags(build_date: str) -> str:
    """Return the value of -ldflags: no debug tables, and the versions stamped in.

    Without a parsable gitVersion kubectl and Helm misbehave. The sources come as a module archive,
    not as a git tree: there is no commit to name.
    """
    version = pinned("k8s.io/kubernetes")
    major, minor = version.removeprefix("v").split(".")[:2]
    stamps = {
        "gitVersion": version,
        "gitMajor": major,
        "gitMinor": minor,
        "gitCommit": "",
        "gitTreeState": "archive",
        "buildDate": build_date,
    }
    packages = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
    words = ["-s", "-w"]
    words += [f"-X {package}.{key}={value}" for package in packages for key, value in stamps.items()]
    kwok = pinned("sigs.k8s.io/kwok").removeprefix("v")
    words.append(f"-X sigs.k8s.io/kwok/pkg/consts.Version={kwok}")
    return " ".join(words)


def cache_name() -> str:
    """Return the name of the cache folder: another manifest, flag or machine is another folder."""
    digest = hashlib.sha256()
    for name in ("go.mod", "go.sum"):
        digest.update((MODULE / name).read_bytes())
    digest.update(" ".join(BUILD_FLAGS).encode())
    digest.update(linker_flags("").encode())
    digest.update(f"{platform.system()} {platform.machine()}".encode())
    return f"kubernetes-{pinned('k8s.io/kubernetes').removeprefix('v')}-{digest.hexdigest()[:12]}"


def _manifest() -> str:
    return (MODULE / "go.mod").read_text(encoding="utf-8")
