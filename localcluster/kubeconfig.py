"""Write and read kubeconfig files."""

import base64
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import yaml

from localcluster.api import Api
from localcluster.errors import LocalClusterError, RequestFailed

LEAST_TOKEN_SECONDS = 600
"""The API server refuses tokens with a shorter life."""


@dataclass(frozen=True)
class Access:
    """What a kubeconfig says: where the API server is, whom to trust, and who one is."""

    server: str
    authority: bytes
    user: str
    token: str
    namespace: str = "default"

    def write(self, path: Path) -> Path:
        """Write the kubeconfig, readable by its owner only, in one step."""
        return _write(path, {"local": self})

    @classmethod
    def read(cls, path: Path) -> "Access":
        """Read a kubeconfig that `write` wrote.

        Raises:
            LocalClusterError: the file can't be read, or isn't of that form.
        """
        try:
            document = yaml.safe_load(path.read_text())
            cluster = document["clusters"][0]["cluster"]
            user = document["users"][0]
            return cls(
                server=cluster["server"],
                authority=base64.b64decode(cluster["certificate-authority-data"]),
                user=user["name"],
                token=user["user"]["token"],
                namespace=document["contexts"][0]["context"].get("namespace", "default"),
            )
        except OSError as error:
            raise LocalClusterError(f"{path}: {error.strerror}") from error
        except (yaml.YAMLError, KeyError, IndexError, TypeError, ValueError) as error:
            raise LocalClusterError(f"{path}: not a kubeconfig of a local control plane ({error!r})") from error

    def api(self) -> Api:
        """Return a client for plain requests as this user."""
        port = urlsplit(self.server).port
        if port is None:
            raise LocalClusterError(f"{self.server}: no port in the server's address")
        return Api(port, self.authority.decode(), self.token)


def write_contexts(path: Path, users: Sequence[Access]) -> Path:
    """Write one kubeconfig with a context for each user, by the user's name; the first is the current one."""
    return _write(path, {access.user: access for access in users})


def _write(path: Path, contexts: Mapping[str, Access]) -> Path:
    first = next(iter(contexts))
    path.parent.mkdir(parents=True, exist_ok=True)
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": "local",
                "cluster": {
                    "server": contexts[first].server,
                    "certificate-authority-data": base64.b64encode(contexts[first].authority).decode(),
                },
            }
        ],
        "users": [{"name": access.user, "user": {"token": access.token}} for access in contexts.values()],
        "contexts": [
            {
                "name": name,
                "context": {"cluster": "local", "user": access.user, "namespace": access.namespace},
            }
            for name, access in contexts.items()
        ],
        "current-context": first,
    }
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    unfinished.touch(mode=0o600)
    unfinished.write_text(yaml.safe_dump(document, sort_keys=False))
    unfinished.replace(path)
    return path


def for_service_account(
    admin: Path,
    namespace: str,
    service_account: str,
    out: Path,
    *,
    lifetime_seconds: int = 3600,
) -> Path:
    """Write a kubeconfig with a fresh token of a service account, and return its path.

    The token comes from the TokenRequest API, like the one in a pod, asked for as the user of the
    kubeconfig `admin`. The service account has to exist.

    Raises:
        LocalClusterError: the life is too short, or the API server refuses.
    """
    if lifetime_seconds < LEAST_TOKEN_SECONDS:
        raise LocalClusterError(
            f"a token's life must be at least {LEAST_TOKEN_SECONDS} s (got {lifetime_seconds} s): "
            "the API server refuses less"
        )
    access = Access.read(admin)
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{service_account}/token"
    request = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": {"expirationSeconds": lifetime_seconds},
    }
    try:
        answer = access.api().post(path, request)
    except RequestFailed as error:
        if error.status == 404:
            raise LocalClusterError(
                f"there is no ServiceAccount {service_account} in namespace {namespace}: "
                f"create it first (`kubectl -n {namespace} create sa {service_account}`)"
            ) from error
        raise
    match answer:
        case {"status": {"token": str(token)}}:
            user = f"system:serviceaccount:{namespace}:{service_account}"
            return Access(access.server, access.authority, user, token, namespace).write(out)
        case _:
            raise LocalClusterError(f"POST {path}: the answer holds no token")
