"""The API server with our CRDs, for tests of what it accepts."""

import secrets
from collections.abc import Iterator

import pytest
from api_server import INFO, ApiServer

from localcluster.controlplane import ControlPlane


@pytest.fixture(scope="module")
def server(cluster: ControlPlane, crds: None) -> Iterator[ApiServer]:
    """The API server with our CRDs, and one namespace for the whole module."""
    api = ApiServer(cluster, f"schema-{secrets.token_hex(4)}")
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": api.namespace}}
    assert api.send("POST", "/api/v1/namespaces", namespace).accepted
    yield api
    for info in INFO.values():
        if not info.namespaced:
            api.send("DELETE", f"{api.path(info.kind)}?labelSelector=made-by%3Dschema-tests")
    api.send("DELETE", f"/api/v1/namespaces/{api.namespace}")
    api.close()
