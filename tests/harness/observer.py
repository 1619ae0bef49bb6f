"""Watches proposals and workflows of a namespace straight at the API server, past any proxy: every stored version."""

import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPException, HTTPSConnection
from typing import Any
from urllib.parse import urlsplit

from harness.stage import API
from localcluster.controlplane import ControlPlane
from localcluster.kubeconfig import Access

Json = dict[str, Any]


@dataclass
class Observer:
    """What was stored, in order, by name. Use `observing`."""

    _versions: dict[str, list[Json]] = field(default_factory=dict)
    _changed: threading.Condition = field(default_factory=threading.Condition)
    closing: bool = False

    def versions(self, name: str) -> list[Json]:
        """All versions of the object, oldest first."""
        with self._changed:
            return list(self._versions.get(name, ()))

    def names(self, start: str) -> list[str]:
        """Objects whose names start so, in the order in which they appeared."""
        with self._changed:
            return [name for name in self._versions if name.startswith(start)]

    def status(self, name: str) -> Json:
        versions = self.versions(name)
        return (versions[-1].get("status") or {}) if versions else {}

    def wait(self, name: str, until: Callable[[Json], Any], seconds: float) -> bool:
        """Whether the object's status came to be so in that time."""
        with self._changed:
            return bool(self._changed.wait_for(lambda: until(self._status(name)), seconds))

    def _status(self, name: str) -> Json:
        versions = self._versions.get(name)
        return (versions[-1].get("status") or {}) if versions else {}

    def take(self, event: Json) -> None:
        if event["type"] in ("ADDED", "MODIFIED"):
            raw = event["object"]
            with self._changed:
                self._versions.setdefault(raw["metadata"]["name"], []).append({**raw, "seenAt": time.time()})
                self._changed.notify_all()


@contextmanager
def observing(cluster: ControlPlane, namespace: str) -> Iterator[Observer]:
    """Watches until left."""
    observer, streams, threads = Observer(), [], []
    try:
        for plural in ("actionproposals", "actionworkflows"):
            path = f"/apis/{API}/namespaces/{namespace}/{plural}"
            version = json.loads(json.dumps(cluster.api().get(path)))["metadata"]["resourceVersion"]
            connection = _connection(cluster)
            connection.request(
                "GET", f"{path}?watch=1&timeoutSeconds=3600&resourceVersion={version}", headers=_as(cluster)
            )
            streams.append(connection)
            thread = threading.Thread(target=_read, args=(connection, observer), name=f"observer {plural}", daemon=True)
            thread.start()
            threads.append(thread)
        yield observer
    finally:
        observer.closing = True
        for connection in streams:
            if connection.sock is not None:
                with suppress(OSError):
                    connection.sock.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join(5)
        for connection in streams:
            connection.close()


def _read(connection: HTTPSConnection, observer: Observer) -> None:
    with suppress(OSError, HTTPException, ValueError, AttributeError), connection.getresponse() as answer:
        while line := answer.readline():
            observer.take(json.loads(line))


def _as(cluster: ControlPlane) -> dict[str, str]:
    return {"Authorization": f"Bearer {Access.read(cluster.kubeconfig).token}", "Accept": "application/json"}


def _connection(cluster: ControlPlane) -> HTTPSConnection:
    access = Access.read(cluster.kubeconfig)
    context = ssl.create_default_context(cadata=access.authority.decode())
    return HTTPSConnection("127.0.0.1", urlsplit(access.server).port, context=context)
