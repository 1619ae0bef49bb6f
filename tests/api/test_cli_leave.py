"""approve, reject, pending, who-can and digest against a real API server."""

from api_server import Manifest

GROUP = "rbac.authorization.k8s.io"
OTHER = "sha256:" + "f" * 64
SINCE = "2026-11-22T15:04:05.000Z"
APPROVALS: Manifest = {
    "required": 2, "have": 0, "requestedAt": SINCE, "validSeconds": 3600, "requestTimeoutSeconds": 86400,
    "quorums": [{"policy": "prod", "required": 2}],
}  # fmt: skip
PREVIEW: Manifest = {
    "summary": "Wait 1 s.", "computedAt": SINCE,
    "changes": [{"target": "Deployment shop/checkout", "path": "spec.replicas", "before": 3, "after": 6}],
}  # fmt: skip
MINE = {"username": "admin", "groups": ["system:masters", "system:authenticated"]}
