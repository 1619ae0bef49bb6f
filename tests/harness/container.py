"""The operator as in its pod, without one: the image's environment, a token where a pod has it, nothing to write to."""

import base64
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from hack.installation import ROOT
from localcluster.controlplane import ControlPlane

NOBODY_KNOWN = 64321
"""A uid without an entry in /etc/passwd."""
SCRIPT = f"""
set -e
code=$1 secrets=$2; shift 2
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/code /run/secrets/kubernetes.io/serviceaccount
mount --bind "$code" /run/code
cp "$secrets"/* /run/secrets/kubernetes.io/serviceaccount/
chmod -R a+rX /run/secrets
mount -o remount,ro /run
mount -o remount,bind,ro /
exec setpriv --reuid {NOBODY_KNOWN} --regid {NOBODY_KNOWN} --clear-groups --no-new-privs \\
  --bounding-set=-all --inh-caps=-all -- "$@"
"""
MISSING = "it takes root, unshare and setpriv to play a container"


def can_be_played() -> bool:
    """Whether this machine lets us."""
    return os.geteuid() == 0 and bool(shutil.which("unshare") and shutil.which("setpriv"))


def operator_in_container(
    plane: ControlPlane, folder: Path, arguments: Sequence[str], account: str
) -> "subprocess.Popen[bytes]":
    """Starts it as ServiceAccount `account` of the namespace of that name; what it says goes to `folder`/log."""
    folder.mkdir()
    secrets = folder / "secrets"
    _write_token(plane, secrets, account)
    address = urlsplit(plane.server)
    environment = image_environment() | {
        "PATH": os.environ["PATH"], "PYTHONPATH": f"/run/code:{_packages()}", "POD_NAMESPACE": account,
        "KUBERNETES_SERVICE_HOST": str(address.hostname), "KUBERNETES_SERVICE_PORT": str(address.port),
        "OPERATOR_IDENTITY": "pod",
    }  # fmt: skip
    python = [getattr(sys, "_base_executable", sys.executable), "-S", "-m", "controller.operator.main"]
    isolated = ["unshare", "--mount", "--propagation", "private", "sh", "-c", SCRIPT, "sh", str(ROOT), str(secrets)]
    with (folder / "log").open("wb") as output:
        return subprocess.Popen(
            [*isolated, *python, *arguments], env=environment, stdout=output, stderr=output, cwd="/"
        )


def image_environment() -> dict[str, str]:
    """The variables that the last stage of the Dockerfile sets."""
    last = re.findall(r"^ENV (.*)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)[-1]
    return dict(re.findall(r"(\w+)=(\S+)", last))


def _write_token(plane: ControlPlane, secrets: Path, account: str) -> None:
    """The files that every pod has."""
    secrets.mkdir()
    kubeconfig = plane.service_account_kubeconfig(account, account, secrets.parent / "kubeconfig")
    config: dict[str, Any] = yaml.safe_load(kubeconfig.read_text())
    authority = config["clusters"][0]["cluster"]["certificate-authority-data"]
    (secrets / "token").write_text(config["users"][0]["user"]["token"])
    (secrets / "ca.crt").write_bytes(base64.b64decode(authority))
    (secrets / "namespace").write_text(account)


def _packages() -> str:
    """Where the installed packages are, as the process in the container sees them."""
    return sysconfig.get_path("purelib").replace(str(ROOT), "/run/code")
