"""Objects as the API server would give them, in states that are hard to reach at will."""

import copy
from datetime import UTC, datetime
from typing import Any

NOW = datetime(2026, 11, 22, 15, 10, 0, tzinfo=UTC)
DIGEST = "sha256:" + "0123456789abcdef" * 4
API_VERSION = "actionoperator.dev/v1alpha1"

Manifest = dict[str, Any]


def at(clock: str) -> str:
    return f"2026-11-22T{clock}.000Z"


def proposal(name: str, spec: Manifest | None = None, status: Manifest | None = None, **metadata: Any) -> Manifest:
    return _object("ActionProposal", name, {**SCALE, **(spec or {})}, status, metadata)


def workflow(name: str, spec: Manifest | None = None, status: Manifest | None = None, **metadata: Any) -> Manifest:
    return _object("ActionWorkflow", name, {**MAINTENANCE, **(spec or {})}, status, metadata)


def _object(kind: str, name: str, spec: Manifest, status: Manifest | None, metadata: Manifest) -> Manifest:
    about = {"name": name, "namespace": "shop", "uid": f"uid-{name}", "creationTimestamp": "2026-11-22T15:04:00Z"}
    return copy.deepcopy(
        {
            "apiVersion": API_VERSION,
            "kind": kind,
            "metadata": {**about, **metadata},
            "spec": spec,
            "status": status if status is not None else {"observedGeneration": -1},
        }
    )


def condition(kind: str, status: str, reason: str, clock: str = "15:04:05") -> Manifest:
    return {
        "type": kind, "status": status, "reason": reason, "message": "", "lastTransitionTime": at(clock),
        "observedGeneration": 1,
    }  # fmt: skip


def attempt(number: int, start: str, end: str | None, result: str | None, reason: str, message: str) -> Manifest:
    made = {
        "number": number, "id": f"a{number}", "operation": "o1", "owner": "operator-1", "typeDigest": DIGEST,
        "idempotent": True, "startedAt": at(start), "deadline": at("15:30:00"),
    }  # fmt: skip
    if end is None:
        return made
    made |= {"finishedAt": at(end), "result": result, "reason": reason, "message": message}
    return made | ({"doneAt": at(end)} if result == "Succeeded" else {})


def entry(n: int, clock: str, reason: str, message: str, actor: str = "action-operator") -> Manifest:
    return {"n": n, "at": at(clock), "reason": reason, "actor": actor, "message": message}


SCALE: Manifest = {
    "action": "scale-workload",
    "parameters": {"kind": "Deployment", "name": "checkout", "replicas": 6},
    "reason": "queue depth is four times normal",
    "ticket": "OPS-1234",
    "serviceAccountName": "checkout-ops",
    "requestedBy": {"username": "alice", "groups": ["sre"]},
}
PREVIEW: Manifest = {
    "summary": "Scale Deployment shop/checkout from 3 to 6 replicas.",
    "changes": [{"target": "Deployment shop/checkout", "path": "spec.replicas", "before": 3, "after": 6}],
    "warnings": ["HorizontalPodAutoscaler checkout also scales Deployment shop/checkout (2 to 9)"],
    "computedAt": at("15:04:05"),
}
UNDO: Manifest = {
    "action": "scale-workload",
    "parameters": {"kind": "Deployment", "name": "checkout", "replicas": 3, "expectedReplicas": 6},
}
_SEEN: Manifest = {
    "observedGeneration": 1, "requestDigest": DIGEST, "digest": DIGEST, "risk": "Medium", "mode": "Execute",
    "runner": "checkout-ops", "preview": PREVIEW, "undo": UNDO,
}  # fmt: skip
_BEGUN = [
    entry(1, "15:04:05", "Proposed", "queue depth is four times normal", "unverified:alice"),
    entry(2, "15:04:05", "Validated", "in order"),
    entry(3, "15:04:05", "Executing", "attempt 1: Scale Deployment shop/checkout from 3 to 6 replicas."),
]

REFUSED = "attempt 1 of 3 failed: patch deployments/scale shop/checkout: no connection to the API server"

RETRYING = proposal(
    "scale-checkout",
    status={
        **_SEEN,
        "phase": "Retrying",
        "message": REFUSED,
        "retryCount": 1,
        "nextRetryAt": at("15:10:42"),
        "startedAt": at("15:04:05"),
        "attempts": [attempt(1, "15:04:05", "15:04:15", "NotDone", "TransientFailure", REFUSED)],
        "history": [*_BEGUN, entry(4, "15:04:15", "RetryScheduled", f"{REFUSED}; next attempt at 15:10:42 UTC")],
        "conditions": [
            condition("Validated", "True", "Valid"),
            condition("Approved", "True", "NotRequired"),
            condition("Succeeded", "Unknown", "ProgressingWithRetry"),
            condition("Reconciling", "True", "ProgressingWithRetry"),
        ],
    },
)
SUCCEEDED = proposal(
    "scale-cart",
    status={
        **_SEEN,
        "phase": "Succeeded",
        "outcome": "Succeeded",
        "message": "Deployment has 6 replicas set.",
        "startedAt": at("15:04:05"),
        "completedAt": at("15:04:09"),
        "attempts": [attempt(1, "15:04:05", "15:04:09", "Succeeded", "Succeeded", "Deployment has 6 replicas set.")],
        "history": [*_BEGUN, entry(4, "15:04:09", "Completed", "Deployment has 6 replicas set.")],
        "conditions": [condition("Succeeded", "True", "Succeeded"), condition("Ready", "True", "Succeeded")],
    },
)
BLOCKED = proposal(
    "scale-search",
    status={
        **_SEEN,
        "phase": "Blocked",
        "message": "policy stop-all has halted actions",
        "blocked": {"policy": "stop-all", "rule": "halt"},
    },
)
OBSERVED = proposal(
    "scale-idle",
    status={**_SEEN, "phase": "Observed", "outcome": "Observed", "message": "nothing was changed: no policy lets it",
            "mode": "Observe", "completedAt": at("15:04:06")},
)  # fmt: skip
UNSEEN = proposal("new", creationTimestamp="2026-11-22T15:09:55Z")
FORGOTTEN = proposal("forgotten")

MAINTENANCE: Manifest = {
    "description": "Roll node-3 out for maintenance",
    "reason": "kernel update",
    "order": "Graph",
    "requestedBy": {"username": "system:serviceaccount:ci:pipeline"},
    "steps": [
        {"name": "cordon", "action": "cordon-node", "parameters": {"node": "node-3"}},
        {"name": "roll-out", "action": "restart-rollout", "parameters": {"kind": "Deployment", "name": "checkout"},
         "dependsOn": ["cordon"]},
        {"name": "tell", "action": "http-request", "parameters": {"method": "PUT", "url": "https://hooks.example.com"},
         "dependsOn": ["cordon"]},
        {"name": "back", "action": "uncordon-node", "parameters": {"node": "node-3"},
         "dependsOn": ["roll-out", "tell"]},
    ],
}  # fmt: skip
ROLLING = workflow(
    "node-3",
    status={
        "observedGeneration": 1,
        "phase": "Running",
        "message": "roll-out, tell",
        "risk": "High",
        "mode": "Execute",
        "digest": DIGEST,
        "progress": "1/4",
        "retryCount": 1,
        "nextRetryAt": at("15:10:30"),
        "startedAt": at("15:04:01"),
        "steps": [
            {"name": "cordon", "proposal": "node-3-cordon-11111111", "uid": "u1", "outcome": "Succeeded",
             "message": "Node node-3 is cordoned.", "startedAt": at("15:04:01"), "completedAt": at("15:04:02")},
            {"name": "roll-out", "proposal": "node-3-roll-out-22222222", "uid": "u2", "startedAt": at("15:04:03")},
            {"name": "tell", "proposal": "node-3-tell-33333333", "uid": "u3", "retryCount": 1,
             "nextRetryAt": at("15:10:30"), "message": "attempt 1 of 3 failed: HTTP 503", "startedAt": at("15:04:03")},
            {"name": "back"},
        ],
        "history": [
            entry(1, "15:04:00", "Proposed", "kernel update", "unverified:system:serviceaccount:ci:pipeline"),
            entry(2, "15:04:01", "WorkflowCreated", "4 steps"),
            entry(3, "15:04:02", "StepFinished", "cordon: Succeeded"),
        ],
    },
)  # fmt: skip
ENDED = workflow(
    "node-2",
    status={
        **ROLLING["status"], "phase": "Failed", "outcome": "Failed", "message": "step tell failed", "progress": "4/4",
        "steps": [
            {"name": "cordon", "proposal": "node-2-cordon-11111111", "uid": "u1", "outcome": "Succeeded",
             "startedAt": at("15:04:01"), "completedAt": at("15:04:02")},
            {"name": "roll-out", "proposal": "node-2-roll-out-22222222", "uid": "u2", "outcome": "Succeeded",
             "startedAt": at("15:04:03"), "completedAt": at("15:04:09")},
            {"name": "tell", "proposal": "node-2-tell-33333333", "uid": "u3", "outcome": "Failed"},
            {"name": "back", "outcome": "Skipped", "message": "step tell did not succeed"},
        ],
    },
)  # fmt: skip
ASKED: Manifest = {
    "required": 2, "have": 1, "groups": ["dba", "sre"], "expiresAt": at("18:10:00"), "requestedAt": at("15:04:05"),
    "quorums": [{"policy": "prod", "required": 2}, {"policy": "core", "required": 1, "groups": ["sre", "dba"]}],
    "validSeconds": 3600, "requestTimeoutSeconds": 86400,
}  # fmt: skip
VOTED: Manifest = {
    "name": "scale-big-0a1b2c3d4e5f", "username": "dave", "decision": "Approve", "comment": "agreed on the call",
    "at": at("15:06:00"),
}  # fmt: skip
WAITS_FOR = "waits for 1 of 2 approvals (policy prod), an approval of group sre or dba (policy core)"
AWAITING = proposal(
    "scale-big",
    status={
        **_SEEN,
        "phase": "AwaitingApproval",
        "message": WAITS_FOR,
        "approval": ASKED,
        "approvals": [VOTED],
        "conditions": [
            {**condition("Approved", "False", "AwaitingApproval"), "message": WAITS_FOR},
            condition("Reconciling", "True", "AwaitingApproval"),
        ],
    },
)
AWAITED_FLOW = workflow(
    "node-4",
    {"steps": [{**MAINTENANCE["steps"][0], "timeoutSeconds": 9, "undo": {"action": "uncordon-node"}}],
     "finally": [{"name": "tell", "action": "log-message", "parameters": {"message": "done"}}],
     "order": "Sequence", "parameters": {"pool": "a"}, "notBefore": "2026-11-23T02:00:00Z"},
    status={"observedGeneration": 1, "phase": "AwaitingApproval", "digest": DIGEST, "risk": "High", "mode": "Execute",
            "approval": {**ASKED, "have": 0, "groups": []}},
)  # fmt: skip
ALL = (RETRYING, SUCCEEDED, BLOCKED, OBSERVED, UNSEEN, FORGOTTEN, ROLLING, ENDED, AWAITING, AWAITED_FLOW)
