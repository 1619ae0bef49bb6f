"""Questions that tell how far a starting control plane is."""

import http.client
import json
from pathlib import Path

from localcluster.api import Api, Json
from localcluster.errors import RequestFailed
from localcluster.ports import ADDRESS
from localcluster.servers import PLAYED_NODE_ANNOTATION


def etcd_serves(port: int, member: str) -> bool:
    """Say whether *our* etcd serves on the port, and not one of another cluster that was faster."""
    connection = http.client.HTTPConnection(ADDRESS, port, timeout=2.0)
    try:
        connection.request("POST", "/v3/cluster/member/list", "{}")
        answer = connection.getresponse()
        members = json.loads(answer.read()).get("members", ())
        return any(found.get("name") == member for found in members)
    except (OSError, http.client.HTTPException, ValueError, AttributeError):
        return False
    finally:
        connection.close()


def is_certificate(path: Path) -> bool:
    """Say whether the API server has written its certificate to the end."""
    try:
        return path.read_text(encoding="ascii").rstrip().endswith("-----END CERTIFICATE-----")
    except (OSError, UnicodeDecodeError):
        return False


def default_account_exists(api: Api) -> bool:
    """Say whether pods can be made in the namespace `default`."""
    return api.exists("/api/v1/namespaces/default/serviceaccounts/default")


def node_ready(api: Api, name: str) -> bool:
    """Say whether a node is ready."""
    try:
        node = api.get(f"/api/v1/nodes/{name}")
    except RequestFailed:
        return False
    match node:
        case {"status": {"conditions": [*conditions]}}:
            return any(c.get("type") == "Ready" and c.get("status") == "True" for c in conditions)
        case _:
            return False


def played_node(name: str) -> Json:
    """Return a node that kwok plays."""
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "labels": {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux"},
            "annotations": {PLAYED_NODE_ANNOTATION: "fake"},
        },
    }
