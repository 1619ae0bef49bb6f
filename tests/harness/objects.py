"""Objects of any kind, as an administrator makes, finds and removes them; where a kind is served is asked for."""

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from hack.installation import kubectl_of
from localcluster.controlplane import ControlPlane
from localcluster.errors import RequestFailed

Json = dict[str, Any]
GONE_SECONDS = 20.0


@dataclass
class Objects:
    """Those of one namespace, and those of the whole cluster."""

    cluster: ControlPlane
    namespace: str
    _served: dict[str, dict[str, Json]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def create(self, body: Json) -> Json:
        """The stored object. Raises RequestFailed."""
        return self._ask("POST", self._path(body["apiVersion"], body["kind"]), body)

    def replace(self, body: Json) -> Json:
        """The stored object, made anew where there was one."""
        self.delete(body, wait=True)
        return self.create(body)

    def patch(self, api_version: str, kind: str, name: str, operations: list[Json]) -> None:
        """A JSON patch. Raises NotInstalled with what kubectl said."""
        resource = self._kind(api_version, kind)["name"]
        kubectl_of(self.cluster)(
            "patch", resource, name, "--namespace", self.namespace, "--type=json", "--patch", json.dumps(operations)
        )

    def get(self, api_version: str, kind: str, name: str) -> Json:
        """Raises RequestFailed, with status 404 where there is none."""
        return self._ask("GET", f"{self._path(api_version, kind)}/{name}")

    def find(self, api_version: str, kind: str, name: str) -> Json | None:
        """The object, None where there is none."""
        try:
            return self.get(api_version, kind, name)
        except RequestFailed as error:
            if error.status != 404:
                raise
            return None

    def list(self, api_version: str, kind: str, selector: str = "") -> list[Json]:
        """Those that the label selector fits, by name."""
        path = self._path(api_version, kind) + (f"?labelSelector={selector}" if selector else "")
        return sorted(self._ask("GET", path)["items"], key=lambda item: item["metadata"]["name"])

    def delete(self, body: Json, *, wait: bool = False) -> None:
        """Deletes it if it is there; with `wait`, returns when it is gone."""
        path = f"{self._path(body['apiVersion'], body['kind'])}/{body['metadata']['name']}"
        deadline = time.monotonic() + GONE_SECONDS
        while True:
            try:
                self.cluster.api().delete(path)
            except RequestFailed as error:
                if error.status != 404:
                    raise
                return
            if not wait:
                return
            assert time.monotonic() < deadline, f"{path} is still there {GONE_SECONDS:g} s after its deletion"
            time.sleep(0.05)

    def is_namespaced(self, body: Json) -> bool:
        return bool(self._kind(body["apiVersion"], body["kind"])["namespaced"])

    def _path(self, api_version: str, kind: str) -> str:
        served = self._kind(api_version, kind)
        home = f"/namespaces/{self.namespace}" if served["namespaced"] else ""
        return f"{_root(api_version)}{home}/{served['name']}"

    def _kind(self, api_version: str, kind: str) -> Json:
        with self._lock:
            known = self._served.get(api_version, {})
            if kind not in known:
                known = self._served[api_version] = dict(self._ask_for_kinds(api_version))
            return known[kind]

    def _ask_for_kinds(self, api_version: str) -> Iterator[tuple[str, Json]]:
        for entry in self._ask("GET", _root(api_version))["resources"]:
            if "/" not in entry["name"]:
                yield entry["kind"], entry

    def _ask(self, method: str, path: str, body: Json | None = None) -> Any:
        return self.cluster.api().request(method, path, body)


def _root(api_version: str) -> str:
    return f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
