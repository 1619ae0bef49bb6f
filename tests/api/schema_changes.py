"""Changes of stored objects that the API server must refuse, each beside one that it must accept."""

from typing import Any

from schema_manifests import ABSENT, APPROVAL, DIGEST, FULL, POLICY, PROPOSAL, TYPE, WORKFLOW, Case, both, steps

# Immutable fields that the server fills in when they are left out: another value.
DEFAULTED: dict[str, dict[str, Any]] = {
    PROPOSAL: {"action": "wait", "reason": "another", "mode": "DryRun", "activeDeadlineSeconds": 7},
    WORKFLOW: {
        "description": "Another.", "reason": "another", "mode": "DryRun", "activeDeadlineSeconds": 7,
        "steps": [{"name": "cordon", "action": "cordon-node"}], "onFailure": "Stop", "maxParallel": 7,
    },
}  # fmt: skip

_OPTIONAL = {
    "parameters.replicas": 7, "parameters.deep.list": [{"x": 2}], "ticket": "OPS-2", "serviceAccountName": "other",
    "requestedBy.username": "mallory", "requestedBy.uid": "3", "requestedBy.groups": ["admins"],
    "retry.maxAttempts": 4, "retry.jitterFraction": 0.25, "notBefore": "2026-12-01T02:00:01Z",
    "startingDeadlineSeconds": 601, "ttlSecondsAfterFinished": 1,
}  # fmt: skip

# Immutable fields that may be absent: another value somewhere inside.
OPTIONAL: dict[str, dict[str, Any]] = {
    PROPOSAL: _OPTIONAL | {
        "preconditions.0.expression": "true", "verify.0.resource.name": "other", "timeoutSeconds": 301,
    },
    WORKFLOW: _OPTIONAL | {"finally.0.parameters.message": "else", "finally": steps(1, "new"),
                           "retryOf.uid": "3-4"},
}  # fmt: skip

# Inside of what is immutable, also where nothing is defined about it.
NESTED: dict[str, dict[str, Any]] = {
    PROPOSAL: {"parameters.deep.list": [{"x": 1, "y": None}], "verify.0.timeoutSeconds": 61},
    WORKFLOW: {
        "steps.1.parameters.options": {"force": True}, "steps.1.undo.parameters.node": "node-4",
        "steps.1.when": "true", "steps.1.name": "drained", "steps.1.retry.maxAttempts": 9,
    },
}  # fmt: skip


def immutable_message(path: str) -> str:
    field = path.partition(".")[0]
    return f"spec.{field}: Invalid value: {field} cannot change after creation; propose it again under a new name"


OPTIONAL_FIELDS = [
    (kind, field) for kind in OPTIONAL for field in dict.fromkeys(path.partition(".")[0] for path in OPTIONAL[kind])
]

# Changes of a FULL object.
IMMUTABLE: list[Case] = [
    *(
        Case(f"{path} changes", kind, {"spec.suspend": False}, {f"spec.{path}": value}, immutable_message(path))
        for fields in (DEFAULTED, OPTIONAL, NESTED)
        for kind in fields
        for path, value in fields[kind].items()
    ),
    *(
        Case(f"{field} goes", kind, {"spec.suspend": ABSENT}, {f"spec.{field}": ABSENT}, immutable_message(field))
        for kind, field in OPTIONAL_FIELDS
    ),
]

# Changes of a MINIMAL object.
UPDATE_MINIMAL: list[Case] = [
    *(
        Case(
            f"{field} comes",
            kind,
            {"spec.suspend": True},
            {f"spec.{field}": FULL[kind]["spec"][field]},
            immutable_message(field),
        )
        for kind, field in OPTIONAL_FIELDS
    ),
    Case("order changes", WORKFLOW, {"spec.suspend": True}, {"spec.order": "Graph"}, immutable_message("order")),
]

UPDATE_FULL: list[Case] = [
    *IMMUTABLE,
    *(
        Case(
            f"{path} of a vote", APPROVAL, {"metadata.labels": {}}, {f"spec.{path}": value},
            "an approval cannot change; make a new one",
        )
        for path, value in {
            "decision": "Reject", "comment": "else", "actions": ["other"], "subject.uid": "9", "approver": ABSENT,
            "approver.groups": ["admins"], "digest": DIGEST[:-1] + "0",
        }.items()
    ),
]  # fmt: skip

CANCELLED = "spec.cancelled: Invalid value: cancelled cannot be taken back; propose it again under a new name"
UPDATE_CANCELLED: list[Case] = [
    *both("cancelled is taken back", {"spec.suspend": True}, {"spec.cancelled": False}, CANCELLED),
    *both("cancelled is removed", {"spec.suspend": True}, {"spec.cancelled": ABSENT}, CANCELLED),
]

FINISHED = "already finished; propose it again under a new name"
FINAL = "the outcome is final"
UPDATE_FINISHED: list[Case] = [
    *both("cancelled after the end", {"metadata.labels": {}}, {"spec.cancelled": True}, FINISHED),
    *both("suspended after the end", {"metadata.annotations": {"a": "b"}}, {"spec.suspend": True}, FINISHED),
]

# Merge patches of the status of a finished object.
STATUS_FINISHED: list[Case] = [
    *both("outcome changes", {"message": "more"}, {"outcome": "Succeeded"}, FINAL),
    *both("outcome is removed", {"outcome": "Failed"}, {"outcome": None}, FINAL),
]

TIME = "2026-11-22T15:04:05.123Z"
CONDITION = {
    "type": "Succeeded", "status": "True", "reason": "Succeeded", "message": "", "lastTransitionTime": TIME,
    "observedGeneration": 1,
}  # fmt: skip
READY = CONDITION | {"type": "Ready"}
ATTEMPT = {
    "number": 1, "id": "i", "operation": "o", "owner": "w", "typeDigest": DIGEST, "idempotent": True,
    "startedAt": TIME, "deadline": TIME, "result": "NotDone", "reason": "NotVerified", "message": "late",
}  # fmt: skip
ENTRY = {"n": 1, "at": TIME, "reason": "Proposed", "actor": "unverified:alice"}
STEP_STATUS = {"name": "a", "proposal": "p", "uid": "u", "outcome": "Skipped"}


def status(kind: str, name: str, field: str, good: Any, bad: Any, says: str) -> Case:
    return Case(name, kind, {field: good}, {field: bad}, says)


# Merge patches of the status of a live object.
STATUS_LIVE: list[Case] = [
    *(
        case
        for kind in (PROPOSAL, WORKFLOW, TYPE, POLICY)
        for case in (
            status(kind, "conditions are a map", "conditions", [READY, CONDITION], [READY, READY], "Duplicate"),
            status(kind, "condition type", "conditions", [READY], [READY | {"type": "Happy"}], "conditions[0].type"),
            status(kind, "condition status", "conditions", [READY], [READY | {"status": "Y"}], "conditions[0].status"),
        )
    ),
    *(
        case
        for kind in (PROPOSAL, WORKFLOW)
        for case in (
            status(kind, "outcome", "outcome", "Unknown", "Happy", "status.outcome: Unsupported value"),
            status(kind, "phase", "phase", "Blocked", "Finished", "status.phase: Unsupported value"),
            status(kind, "history", "history", [ENTRY] * 20, [ENTRY] * 21, "status.history: Too many"),
            status(kind, "digest", "digest", DIGEST, "sha256:x", "status.digest"),
            status(kind, "times", "nextRetryAt", TIME, "soon", "status.nextRetryAt"),
        )
    ),
    status(PROPOSAL, "attempts", "attempts", [ATTEMPT] * 10, [ATTEMPT] * 11, "status.attempts: Too many"),
    status(PROPOSAL, "result", "attempts", [ATTEMPT], [ATTEMPT | {"result": "Lost"}], "attempts[0].result"),
    status(WORKFLOW, "steps are a map", "steps", [STEP_STATUS], [STEP_STATUS] * 2, "status.steps[1]: Duplicate value"),
    status(
        WORKFLOW, "steps of the longest workflow", "steps", steps_status := [{"name": f"s{n}"} for n in range(120)],
        [*steps_status, {"name": "one-more"}], "status.steps: Too many",
    ),
]  # fmt: skip
