"""Manifests of every kind, ways to change them, and what a case is.

A change is a mapping from a dotted path to a value; ABSENT takes the field away. A number in a path is an index.
"""

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Manifest = dict[str, Any]
Change = Mapping[str, Any]

ABSENT = object()
TYPE, POLICY, PROPOSAL = "ActionType", "ActionPolicy", "ActionProposal"
WORKFLOW, APPROVAL, RUNBOOK = "ActionWorkflow", "ActionApproval", "ActionRunbook"
SCHEDULE = "ActionSchedule"
LABELS = {"made-by": "schema-tests"}
DIGEST = "sha256:" + "0123456789abcdef" * 4
IDENTITY = {"username": "system:serviceaccount:shop:ci", "uid": "1-2", "groups": ["sre", "system:authenticated"]}


def changed(manifest: Manifest, change: Change) -> Manifest:
    """Return a copy of the manifest with the change made."""
    copied = copy.deepcopy(manifest)
    for path, value in change.items():
        *parents, last = (int(part) if part.isdigit() else part for part in path.split("."))
        place: Any = copied
        for part in parents:
            place = place[part] if isinstance(part, int) else place.setdefault(part, {})
        if value is ABSENT:
            del place[last]
        else:
            place[last] = copy.deepcopy(value)
    return copied


def manifest(kind: str, name: str, spec: Manifest) -> Manifest:
    return {
        "apiVersion": "actionoperator.dev/v1alpha1",
        "kind": kind,
        "metadata": {"name": name, "labels": LABELS},
        "spec": spec,
    }


def steps(count: int, prefix: str = "step") -> list[Manifest]:
    return [{"name": f"{prefix}-{n}", "action": "wait"} for n in range(count)]


CHECK = {
    "resource": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "checkout", "namespace": "shop"},
    "expression": "object.status.readyReplicas == 6",
    "timeoutSeconds": 60,
}
HTTP_CHECK = {"http": {"url": "https://hooks.example.com/health"}, "expression": "status == 200 && json.ready"}
RETRY = {
    "maxAttempts": 3, "minWaitSeconds": 0.5, "maxWaitSeconds": 60.0, "exponentialBase": 2.0, "jitterFraction": 0.5,
    "retryOn": "Transient",
}  # fmt: skip

# What a user must write, and nothing else.
MINIMAL: dict[str, Manifest] = {
    TYPE: manifest(TYPE, "wait-of-a-test", {
        "description": "Wait.", "risk": "Low", "idempotent": True, "parameters": {"type": "object"},
        "executor": {"builtIn": {"name": "wait", "version": 1}},
    }),
    POLICY: manifest(POLICY, "default", {}),
    PROPOSAL: manifest(PROPOSAL, "scale", {"action": "scale-workload", "reason": "queue is long"}),
    WORKFLOW: manifest(WORKFLOW, "roll", {"description": "Roll.", "reason": "maintenance", "steps": steps(2)}),
    APPROVAL: manifest(APPROVAL, "yes", {
        "subject": {"kind": PROPOSAL, "name": "scale", "uid": "1-2"}, "digest": DIGEST,
        "actions": ["scale-workload"], "decision": "Approve",
    }),
    RUNBOOK: manifest(RUNBOOK, "restart", {"description": "Restart.", "steps": steps(2)}),
    SCHEDULE: manifest(SCHEDULE, "nightly", {
        "schedule": "0 2 * * *", "workflow": {"description": "Roll.", "reason": "maintenance", "steps": steps(2)},
    }),
}  # fmt: skip

LIFECYCLE = {
    "ticket": "OPS-1", "serviceAccountName": "checkout-ops", "requestedBy": IDENTITY, "mode": "Execute",
    "retry": RETRY, "activeDeadlineSeconds": 3600, "notBefore": "2026-12-01T02:00:00Z",
    "startingDeadlineSeconds": 600, "ttlSecondsAfterFinished": 0, "suspend": True, "cancelled": False,
}  # fmt: skip

STEP = {
    "name": "drain", "action": "drain-node", "parameters": {"node": "node-3", "options": {"force": False}},
    "dependsOn": ["cordon"], "timeoutSeconds": 900, "retry": RETRY, "when": "steps.cordon.outcome == 'Succeeded'",
    "computed": [{"path": "body.pods", "expression": "steps.cordon.outputs.pods"}], "preconditions": [CHECK],
    "verify": [CHECK], "undo": {"action": "uncordon-node", "parameters": {"node": "node-3"}},
}  # fmt: skip

# Every field of the spec at least once.
FULL: dict[str, Manifest] = {
    TYPE: changed(MINIMAL[TYPE], {
        "metadata.name": "call",
        "spec.executor": {"http": {
            "method": "PUT", "url": "https://hooks.example.com/x", "headers": {"X-Team": "sre"},
            "body": {"a": [1, {"b": None}]}, "expect": {"status": [200]}, "notDoneOn": [429, 503],
        }},
        "spec.defaults": {"timeoutSeconds": 300, "retry": RETRY},
    }),
    POLICY: changed(MINIMAL[POLICY], {"metadata.name": "production", "spec": {
        "match": {
            "namespaceLabels": {"team": "shop"}, "namespaces": ["shop"], "actions": ["scale-workload"],
            "risks": ["High", "Critical"], "requesters": [IDENTITY["username"]],
        },
        "mode": "Execute",
        "halt": False,
        "approval": {
            "required": 0, "requiredFromMachines": 2, "groups": ["sre"], "allowSelf": False, "validSeconds": 3600,
            "requestTimeoutSeconds": 86400, "onDrift": "Reapprove",
        },
        "serviceAccountName": "action-runner",
        "http": {"allowedHosts": ["hooks.example.com"], "allowedPrivate": ["10.20.0.0/16", "fd00::/8"]},
        "kinds": {"allowed": ["apps/Deployment"]},
        "dynamicTargets": "Deny",
        "limits": {
            "maxConcurrent": 5, "maxPerHour": 30, "perTargetCooldownSeconds": 60, "maxConsecutiveFailures": 5,
            "breakerResetSeconds": 3600,
        },
        "protect": {"namespaces": ["kube-system"], "labels": {"critical": "true"}},
        "windows": [{"days": ["Mon", "Tue"], "start": "22:00", "end": "04:00", "timeZone": "Europe/Berlin"}],
        "freezes": [{"start": "2026-12-20T00:00:00Z", "end": "2027-01-02T00:00:00+01:00", "reason": "holidays"}],
    }}),
    PROPOSAL: changed(MINIMAL[PROPOSAL], {"metadata.name": "scale-full", "spec": {
        "action": "scale-workload", "reason": "queue is long",
        "parameters": {"kind": "Deployment", "name": "checkout", "replicas": 6, "deep": {"list": [{"x": 1}]}},
        "timeoutSeconds": 300, "preconditions": [CHECK, HTTP_CHECK], "verify": [CHECK], **LIFECYCLE,
    }}),
    WORKFLOW: changed(MINIMAL[WORKFLOW], {"metadata.name": "roll-full", "spec": {
        "description": "Roll node-3 out", "reason": "maintenance", "order": "Graph",
        "parameters": {"node": "node-3", "deep": {"list": [{"x": 1}]}},
        "steps": [{"name": "cordon", "action": "cordon-node"}, STEP],
        "finally": [{"name": "tell", "action": "log-message", "parameters": {"message": "over"}}],
        "onFailure": "Rollback", "maxParallel": 2, "retryOf": {"name": "roll", "uid": "1-2"}, **LIFECYCLE,
    }}),
    APPROVAL: changed(MINIMAL[APPROVAL], {
        "metadata.name": "yes-full", "spec.comment": "looks right", "spec.approver": IDENTITY,
    }),
    RUNBOOK: changed(MINIMAL[RUNBOOK], {"metadata.name": "restart-full", "spec": {
        "description": "Restart.", "order": "Graph",
        "parameters": {"required": ["node"], "properties": {"node": {"type": "string", "default": "node-3"}}},
        "steps": [{"name": "cordon", "action": "cordon-node"}, STEP],
        "finally": [{"name": "tell", "action": "log-message", "parameters": {"message": "over"}}],
        "onFailure": "Rollback", "maxParallel": 2, "retry": RETRY, "editedBy": IDENTITY,
    }}),
    SCHEDULE: changed(MINIMAL[SCHEDULE], {"metadata.name": "nightly-full", "spec": {
        "schedule": "0 2 * * MON-FRI", "timeZone": "Europe/Berlin", "suspend": True, "concurrencyPolicy": "Replace",
        "startingDeadlineSeconds": 600, "successfulHistoryLimit": 0, "failedHistoryLimit": 100,
        "requestedBy": IDENTITY,
        "workflow": {
            "description": "Roll node-3 out", "reason": "maintenance", "runbookRef": {"name": "restart"},
            "parameters": {"node": "node-3", "deep": {"list": [{"x": 1}]}}, "ticket": "OPS-1",
            "serviceAccountName": "checkout-ops", "mode": "DryRun", "retry": RETRY, "activeDeadlineSeconds": 3600,
            "order": "Sequence", "onFailure": "Stop", "maxParallel": 10,
        },
    }}),
}  # fmt: skip


@dataclass(frozen=True)
class Case:
    """Of one kind, a change that is accepted, a change that is refused, and what the server then says."""

    name: str
    kind: str
    good: Change
    bad: Change
    says: str
    also: str = ""
    """What the server says of the same fault a second time, by another bound of the field."""

    @property
    def id(self) -> str:
        return f"{self.kind}: {self.name}"


def both(name: str, good: Change, bad: Change, says: str, also: str = "") -> list[Case]:
    """The same for proposals and workflows."""
    return [Case(name, kind, good, bad, says, also) for kind in (PROPOSAL, WORKFLOW)]


def bounds(kind: str, path: str, good: Any, bad: Any, says: str) -> Case:
    """One field, the last good value and the first bad one."""
    return Case(f"{path} {says}", kind, {f"spec.{path}": good}, {f"spec.{path}": bad}, f"spec.{path}")
