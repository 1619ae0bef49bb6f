"""A small client for the tests that send many manifests: kubectl takes 0.1 s of CPU for each, this 0.2 ms."""

import base64
import copy
import http.client
import json
import secrets
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from controller.api.base import API_VERSION
from controller.api.kinds import KINDS
from localcluster.controlplane import ControlPlane

Manifest = dict[str, Any]

INFO = {kind.INFO.kind: kind.INFO for kind in KINDS}
OPERATOR = "system:serviceaccount:action-operator:action-operator"
AS_OPERATOR = {"Impersonate-User": OPERATOR, "Impersonate-Group": "system:masters"}


KEPT_SECONDS = 60.0
"""The API server closes a connection that was idle for 90 s."""


@dataclass(frozen=True)
class Answer:
    """What the API server says to one request."""

    status: int
    body: dict[str, Any]

    @property
    def accepted(self) -> bool:
        return self.status < 300

    @property
    def says(self) -> str:
        return str(self.body.get("message", ""))

    @property
    def causes(self) -> list[str]:
        """The faults found, each with its field."""
        return [f"{cause.get('field')}: {cause['message']}" for cause in self.body.get("details", {}).get("causes", [])]


class ApiServer:
    """The API server as its administrator (or the user of a kubeconfig) sees it, over one connection.

    Unknown fields are refused.
    """

    def __init__(self, cluster: ControlPlane, namespace: str, kubeconfig: Path | None = None) -> None:
        config = yaml.safe_load((kubeconfig or cluster.kubeconfig).read_text())
        authority = config["clusters"][0]["cluster"]["certificate-authority-data"]
        trust = ssl.create_default_context(cadata=base64.b64decode(authority).decode())
        address = urlsplit(cluster.server)
        self._connection = http.client.HTTPSConnection(address.hostname or "", address.port, context=trust, timeout=30)
        self._token = config["users"][0]["user"]["token"]
        self._used = time.monotonic()
        self.namespace = namespace

    def close(self) -> None:
        self._connection.close()

    def send(
        self, method: str, path: str, body: Manifest | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Send JSON; a PATCH is a merge patch."""
        kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": kind, **(headers or {})}
        if time.monotonic() - self._used > KEPT_SECONDS:
            self._connection.close()  # the next request opens it again
        try:
            self._connection.request(method, path, None if body is None else json.dumps(body), headers)
            with self._connection.getresponse() as answer:
                return Answer(answer.status, json.loads(answer.read()))
        except BaseException:
            self._connection.close()  # else the next request would be refused for what is left of this one
            raise
        finally:
            self._used = time.monotonic()

    def path(self, kind: str, name: str = "", subresource: str = "") -> str:
        info = INFO[kind]
        parts = ["/apis", API_VERSION, *(["namespaces", self.namespace] if info.namespaced else []), info.plural]
        return "/".join([*parts, *(part for part in (name, subresource) if part)])

    def create(self, manifest: Manifest, *, dry_run: bool = True) -> Answer:
        """Create the object, or have the server say what it would answer."""
        return self.send("POST", self.path(manifest["kind"]) + _query(dry_run), manifest)

    def replace(self, manifest: Manifest, *, dry_run: bool = True) -> Answer:
        """Write the whole object, which carries the resourceVersion of the stored one."""
        name = manifest["metadata"]["name"]
        return self.send("PUT", self.path(manifest["kind"], name) + _query(dry_run), manifest)

    def patch_status(self, stored: Manifest, status: Manifest, *, dry_run: bool = True) -> Answer:
        """Merge into the status as the operator, for nobody else may; by an administrator only."""
        path = self.path(stored["kind"], stored["metadata"]["name"], "status")
        return self.send("PATCH", path + _query(dry_run), {"status": status}, AS_OPERATOR)

    def delete_policy(self, name: str) -> Answer:
        """Delete a policy. One that halts has to be lifted first."""
        path = self.path("ActionPolicy", name)
        self.send("PATCH", path, {"spec": {"halt": False}})
        return self.send("DELETE", path)

    def stored(self, manifest: Manifest) -> Manifest:
        """Create the object under a name that is free, and return it as the server stored it."""
        manifest = copy.deepcopy(manifest)
        manifest["metadata"]["name"] += "-" + secrets.token_hex(4)
        answer = self.create(manifest, dry_run=False)
        assert answer.accepted, answer.says
        return answer.body


def _query(dry_run: bool) -> str:
    return "?fieldValidation=Strict" + ("&dryRun=All" if dry_run else "")
