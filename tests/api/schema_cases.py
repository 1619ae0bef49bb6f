"""What the API server must refuse to create, each beside the nearest thing that it must accept."""

from schema_manifests import (
    ABSENT,
    APPROVAL,
    CHECK,
    DIGEST,
    HTTP_CHECK,
    MINIMAL,
    POLICY,
    PROPOSAL,
    RUNBOOK,
    SCHEDULE,
    TYPE,
    WORKFLOW,
    Case,
    Manifest,
    both,
    bounds,
    steps,
)

RETRY_ORDER = "minWaitSeconds must not be more than maxWaitSeconds"
ORDERED, UNORDERED = {"minWaitSeconds": 5, "maxWaitSeconds": 5}, {"minWaitSeconds": 5.5, "maxWaitSeconds": 5}
ONE_OF = "give exactly one of builtIn, job, http, patch"
NO_TIME = "spec.notBefore in body should match"
NAMES = {SCHEDULE: 52}
EITHER = "give either steps or runbookRef, exactly one"
BY_RUNBOOK = {"spec.steps": ABSENT, "spec.runbookRef": {"name": "restart"}}
TWO_STEPS = {"spec.order": "Graph", "spec.steps": [{"name": "a", "action": "wait"}, {"name": "b", "action": "wait"}]}

ALL_KINDS = [
    case
    for kind in MINIMAL
    for case in (
        Case(
            "name length", kind, {"metadata.name": "n" * NAMES.get(kind, 63)},
            {"metadata.name": "n" * (NAMES.get(kind, 63) + 1)},
            f"metadata.name must be at most {NAMES.get(kind, 63)} characters long",
        ),
        Case("no spec", kind, {}, {"spec": ABSENT}, "spec: Required value"),
        Case("unknown field", kind, {}, {"spec.bogus": 1}, 'unknown field "spec.bogus"'),
    )
]  # fmt: skip

LIFECYCLE_CASES = [
    *both("reason is required", {}, {"spec.reason": ABSENT}, "spec.reason: Required value"),
    *both("reason is not empty", {"spec.reason": "r" * 1024}, {"spec.reason": ""}, "at least 1 chars long"),
    *both("reason is short", {"spec.reason": "r" * 1024}, {"spec.reason": "r" * 1025}, "Too long"),
    *both("mode", {"spec.mode": "DryRun"}, {"spec.mode": "Observe"}, 'supported values: "Execute", "DryRun"'),
    *both("ticket length", {"spec.ticket": "t" * 256}, {"spec.ticket": "t" * 257}, "spec.ticket: Too long"),
    *both("runner is not empty", {"spec.serviceAccountName": "a"}, {"spec.serviceAccountName": ""}, "at least 1 chars"),
    *both("retry order", {"spec.retry": ORDERED}, {"spec.retry": UNORDERED}, RETRY_ORDER),
    *both("one wait only", {"spec.retry.minWaitSeconds": 86_400}, {"spec.retry.minWaitSeconds": -1}, "equal to 0"),
    *both("no attempts", {"spec.retry.maxAttempts": 1}, {"spec.retry.maxAttempts": 0}, "spec.retry.maxAttempts"),
    *both("attempts", {"spec.retry.maxAttempts": 100}, {"spec.retry.maxAttempts": 101}, "spec.retry.maxAttempts"),
    *both("base", {"spec.retry.exponentialBase": 1}, {"spec.retry.exponentialBase": 0.9}, "exponentialBase"),
    *both("jitter", {"spec.retry.jitterFraction": 1}, {"spec.retry.jitterFraction": 1.1}, "jitterFraction"),
    *both("retryOn", {"spec.retry.retryOn": "Never"}, {"spec.retry.retryOn": "Always"}, "spec.retry.retryOn"),
    *both(
        "longest deadline",
        {"spec.activeDeadlineSeconds": 31_536_000},
        {"spec.activeDeadlineSeconds": 31_536_001},
        "spec.activeDeadlineSeconds",
    ),
    *both("shortest deadline", {"spec.activeDeadlineSeconds": 1}, {"spec.activeDeadlineSeconds": 0}, "greater than or"),
    *both("whole seconds", {"spec.ttlSecondsAfterFinished": 1}, {"spec.ttlSecondsAfterFinished": 1.5}, "of type int"),
    *both("ttl", {"spec.ttlSecondsAfterFinished": 0}, {"spec.ttlSecondsAfterFinished": -1}, "ttlSecondsAfterFinished"),
    *both(
        "starting deadline",
        {"spec.startingDeadlineSeconds": 1},
        {"spec.startingDeadlineSeconds": 0},
        "spec.startingDeadlineSeconds",
    ),
    *both(
        "time", {"spec.notBefore": "2026-12-01T02:00:00.5+01:00"}, {"spec.notBefore": "tomorrow"}, "date-time", NO_TIME
    ),
    *both(
        "time has a zone",
        {"spec.notBefore": "2026-12-01T02:00:00Z"},
        {"spec.notBefore": "2026-12-01T02:00:00"},
        "date-time",
        NO_TIME,
    ),
    *both(
        "time in a zone that exists",
        {"spec.notBefore": "2026-12-01T02:00:00+14:00"},
        {"spec.notBefore": "2026-12-01T02:00:00+25:00"},
        NO_TIME,
    ),
    *both(
        "time that the operator can reckon with",
        {"spec.notBefore": "9000-12-31T23:59:59Z"},
        {"spec.notBefore": "9001-01-01T00:00:00Z"},
        NO_TIME,
    ),
    *both("suspend", {"spec.suspend": True}, {"spec.suspend": "yes"}, "boolean"),
    *both("requester has a name", {"spec.requestedBy.username": "u"}, {"spec.requestedBy": {"uid": "1"}}, "username"),
    *both(
        "longest user name",
        {"spec.requestedBy.username": "system:serviceaccount:" + "n" * 63 + ":" + "a" * 253},
        {"spec.requestedBy.username": "u" * 513},
        "spec.requestedBy.username: Too long",
    ),
    *both(
        "groups of the requester",
        {"spec.requestedBy": {"username": "u", "groups": ["g" * 200] * 1000}},
        {"spec.requestedBy": {"username": "u", "groups": ["g"] * 1001}},
        "spec.requestedBy.groups: Too many",
    ),
    *both(
        "parameters are few",
        {"spec.parameters": {f"p{n}": n for n in range(256)}},
        {"spec.parameters": {f"p{n}": n for n in range(257)}},
        "spec.parameters: Too many",
    ),
    *both("parameters are an object", {"spec.parameters": {}}, {"spec.parameters": [1]}, "spec.parameters"),
]

PROPOSAL_CASES = [
    Case("action is required", PROPOSAL, {}, {"spec.action": ABSENT}, "spec.action: Required value"),
    bounds(PROPOSAL, "action", "a" * 63, "a" * 64, "length"),
    bounds(PROPOSAL, "action", "scale-workload", "Scale_Workload", "is a name"),
    bounds(PROPOSAL, "timeoutSeconds", 1, 0, "shortest"),
    bounds(PROPOSAL, "preconditions", [CHECK] * 16, [CHECK] * 17, "count"),
    bounds(PROPOSAL, "verify", [CHECK] * 16, [CHECK] * 17, "count"),
    Case(
        "a check has an expression",
        PROPOSAL,
        {"spec.verify": [CHECK]},
        {"spec.verify": [CHECK | {"expression": ""}]},
        "spec.verify[0].expression",
    ),
    Case(
        "a check is of one thing",
        PROPOSAL,
        {"spec.preconditions": [HTTP_CHECK]},
        {"spec.preconditions": [CHECK | HTTP_CHECK]},
        "give exactly one of resource, http",
    ),
    Case(
        "a check is of something",
        PROPOSAL,
        {"spec.preconditions": [CHECK, HTTP_CHECK]},
        {"spec.preconditions": [{"expression": "true"}]},
        "give exactly one of resource, http",
    ),
    Case(
        "a check calls a web address",
        PROPOSAL,
        {"spec.verify": [HTTP_CHECK]},
        {"spec.verify": [HTTP_CHECK | {"http": {"url": "file:///etc/passwd"}}]},
        "spec.verify[0].http.url",
    ),
    Case(
        "a check names its object",
        PROPOSAL,
        {"spec.verify": [CHECK]},
        {"spec.verify": [CHECK | {"resource": {"apiVersion": "v1", "kind": "Pod"}}]},
        "spec.verify[0].resource.name: Required value",
    ),
]

WORKFLOW_CASES = [
    Case("description is required", WORKFLOW, {}, {"spec.description": ABSENT}, "spec.description: Required value"),
    Case("steps or a runbook", WORKFLOW, BY_RUNBOOK, {"spec.steps": ABSENT}, EITHER),
    Case("not steps and a runbook", WORKFLOW, BY_RUNBOOK, {"spec.runbookRef": {"name": "restart"}}, EITHER),
    *(
        Case(
            f"{field} is the runbook's",
            WORKFLOW,
            BY_RUNBOOK | {"spec.parameters": {"a": 1}},
            BY_RUNBOOK | {f"spec.{field}": value},
            "order, finally, onFailure and maxParallel are for the runbook to say; leave them out",
        )
        for field, value in {
            "order": "Graph",
            "finally": steps(1, "last"),
            "onFailure": "Rollback",
            "maxParallel": 9,
        }.items()
    ),
    Case("a runbook has a name", WORKFLOW, BY_RUNBOOK, BY_RUNBOOK | {"spec.runbookRef": {}}, "spec.runbookRef.name"),
    bounds(WORKFLOW, "steps", steps(1), [], "at least one"),
    bounds(WORKFLOW, "steps", steps(100), steps(101), "at most 100"),
    bounds(WORKFLOW, "finally", steps(20, "last"), steps(21, "last"), "at most 20"),
    Case(
        "names of steps differ",
        WORKFLOW,
        TWO_STEPS,
        TWO_STEPS | {"spec.steps": [{"name": "a", "action": "wait"}, {"name": "a", "action": "log-message"}]},
        'spec.steps[1]: Duplicate value: {"name":"a"}',
    ),
    Case(
        "names of finally steps differ",
        WORKFLOW,
        {"spec.finally": steps(2, "last")},
        {"spec.finally": steps(1, "last") * 2},
        "spec.finally[1]: Duplicate value",
    ),
    Case(
        "a finally step has a name of its own",
        WORKFLOW,
        {"spec.finally": steps(2, "last")},
        {"spec.finally": steps(2)},
        "a finally step must not have the name of another step",
    ),
    Case("a step's name", WORKFLOW, {"spec.steps.0.name": "roll-out"}, {"spec.steps.0.name": "roll.out"}, "[0].name"),
    Case("a step's action", WORKFLOW, {}, {"spec.steps.0.action": ABSENT}, "spec.steps[0].action: Required value"),
    Case("a step's fields", WORKFLOW, {}, {"spec.steps.0.timeout": 1}, 'unknown field "spec.steps[0].timeout"'),
    Case(
        "a step's retry",
        WORKFLOW,
        {"spec.steps.0.retry": ORDERED},
        {"spec.steps.0.retry": UNORDERED},
        "spec.steps[0].retry: Invalid value: " + RETRY_ORDER,
    ),
    Case(
        "a finally step's retry",
        WORKFLOW,
        {"spec.finally": [{"name": "last", "action": "wait", "retry": ORDERED}]},
        {"spec.finally": [{"name": "last", "action": "wait", "retry": UNORDERED}]},
        RETRY_ORDER,
    ),
    Case(
        "dependsOn in a sequence",
        WORKFLOW,
        TWO_STEPS | {"spec.steps.1.dependsOn": ["a"]},
        TWO_STEPS | {"spec.steps.1.dependsOn": ["a"], "spec.order": "Sequence"},
        "dependsOn needs order: Graph; a Sequence runs its steps one after the other",
    ),
    Case(
        "dependsOn of finally steps in a sequence",
        WORKFLOW,
        {
            "spec.order": "Graph",
            "spec.finally": [*steps(1, "last"), {"name": "z", "action": "wait", "dependsOn": ["y"]}],
        },
        {"spec.finally": [*steps(1, "last"), {"name": "z", "action": "wait", "dependsOn": ["last-0"]}]},
        "dependsOn of finally steps needs order: Graph",
    ),
    Case(
        "dependsOn names a step once",
        WORKFLOW,
        TWO_STEPS | {"spec.steps.1.dependsOn": ["a"]},
        TWO_STEPS | {"spec.steps.1.dependsOn": ["a", "a"]},
        "spec.steps[1].dependsOn[1]: Duplicate value",
    ),
    bounds(WORKFLOW, "order", "Graph", "Parallel", "words"),
    bounds(WORKFLOW, "onFailure", "Continue", "Ignore", "words"),
    bounds(WORKFLOW, "maxParallel", 1, 0, "least"),
    bounds(WORKFLOW, "maxParallel", 100, 101, "most"),
    Case(
        "a check of a step",
        WORKFLOW,
        {"spec.steps.0.verify": [HTTP_CHECK]},
        {"spec.steps.0.verify": [CHECK | HTTP_CHECK]},
        "give exactly one of resource, http",
    ),
    Case("when says something", WORKFLOW, {"spec.steps.0.when": "true"}, {"spec.steps.0.when": ""}, "steps[0].when"),
]

JOB: Manifest = {"template": {"spec": {}}}
HTTP = {"method": "POST", "url": "https://hooks.example.com"}
PATCH = {"target": {"apiVersion": "v1", "kind": "ConfigMap", "name": "a"}, "type": "merge", "patch": {"data": {}}}
TYPE_CASES = [
    Case(
        "name is a label",
        TYPE,
        {"metadata.name": "scale-2"},
        {"metadata.name": "scale.workload"},
        "metadata.name must be lower-case letters, digits and dashes, as in spec.action",
    ),
    Case("no executor", TYPE, {"spec.executor": {"job": JOB}}, {"spec.executor": {}}, ONE_OF),
    Case("two executors", TYPE, {"spec.executor": {"http": HTTP}}, {"spec.executor.http": HTTP}, ONE_OF),
    Case(
        "all executors",
        TYPE,
        {"spec.executor": {"patch": PATCH}},
        {"spec.executor.http": HTTP, "spec.executor.job": JOB, "spec.executor.patch": PATCH},
        ONE_OF,
    ),
    Case("retry of a type", TYPE, {"spec.defaults.retry": ORDERED}, {"spec.defaults.retry": UNORDERED}, RETRY_ORDER),
    *(
        Case(f"{field} is required", TYPE, {}, {f"spec.{field}": ABSENT}, f"spec.{field}: Required value")
        for field in ("description", "risk", "idempotent", "parameters", "executor")
    ),
    bounds(TYPE, "description", "d" * 4096, "d" * 4097, "length"),
    bounds(TYPE, "risk", "Critical", "Extreme", "words"),
    bounds(TYPE, "executor.builtIn.version", 1, 0, "least"),
    bounds(TYPE, "executor", {"http": HTTP | {"method": "HEAD"}}, {"http": HTTP | {"method": "TRACE"}}, "method"),
    bounds(TYPE, "executor", {"http": HTTP | {"notDoneOn": [100]}}, {"http": HTTP | {"notDoneOn": [99]}}, "status"),
    Case(
        "a status once",
        TYPE,
        {"spec.executor": {"http": HTTP | {"notDoneOn": [429, 503]}}},
        {"spec.executor": {"http": HTTP | {"notDoneOn": [429, 429]}}},
        "notDoneOn[1]: Duplicate value",
    ),
    bounds(TYPE, "executor", {"patch": PATCH | {"type": "json"}}, {"patch": PATCH | {"type": "replace"}}, "patch type"),
]  # fmt: skip

FREEZE = {"start": "2026-12-01T00:00:00+02:00", "end": "2026-12-01T00:00:00Z", "reason": "r"}
WINDOW = {"start": "00:00", "end": "23:59", "timeZone": "UTC"}
POLICY_CASES = [
    Case(
        "a freeze ends after it starts",
        POLICY,
        {"spec.freezes": [FREEZE]},
        {"spec.freezes": [FREEZE, FREEZE | {"end": "2026-11-30T22:00:00Z"}]},
        "spec.freezes[1]: Invalid value: end must be after start",
    ),
    Case(
        "a freeze ends some day",  # a policy that the operator cannot read halts everything
        POLICY,
        {"spec.freezes": [FREEZE | {"end": "9000-12-31T23:59:59Z"}]},
        {"spec.freezes": [FREEZE | {"end": "9999-12-31T23:59:59Z"}]},
        "spec.freezes[0].end in body should match",
    ),
    Case(
        "private networks",
        POLICY,
        {"spec.http.allowedPrivate": ["10.0.0.0/8", "fd00::/8"]},
        {"spec.http.allowedPrivate": ["10.0.0.0/8", "10.0.0.1"]},
        "allowedPrivate takes networks in CIDR form, like 10.20.0.0/16",
    ),
    bounds(POLICY, "mode", "Observe", "DryRun", "words"),
    bounds(POLICY, "halt", True, "yes", "type"),
    bounds(POLICY, "dynamicTargets", "Allow", "Ask", "words"),
    bounds(POLICY, "approval.onDrift", "Proceed", "Ignore", "words"),
    bounds(POLICY, "approval.required", 20, 21, "most"),
    bounds(POLICY, "approval.required", 0, -1, "least"),
    bounds(POLICY, "approval.validSeconds", 1, 0, "least"),
    *(
        bounds(POLICY, f"limits.{name}", 1, 0, "least")
        for name in ("maxConcurrent", "maxPerHour", "perTargetCooldownSeconds", "maxConsecutiveFailures")
    ),
    bounds(POLICY, "match.risks", ["Low", "High"], ["Low", "None"], "words"),
    bounds(POLICY, "match.namespaces", ["a", "b"], ["a", "a"], "set"),
    bounds(POLICY, "match.namespaceLabels", {"a": "b" * 63}, {"a": "b" * 64}, "length"),
    bounds(
        POLICY, "match.namespaceLabels", {f"l{n}": "" for n in range(32)}, {f"l{n}": "" for n in range(33)}, "count"
    ),
    bounds(POLICY, "windows", [WINDOW | {"days": ["Mon"]}], [WINDOW | {"days": ["Monday"]}], "days"),
    bounds(POLICY, "windows", [WINDOW | {"end": "04:00"}], [WINDOW | {"end": "24:00"}], "time"),
    bounds(POLICY, "windows", [WINDOW], [{"start": "00:00", "end": "01:00"}], "zone"),
]

APPROVAL_CASES = [
    *(
        Case(f"{field} is required", APPROVAL, {}, {f"spec.{field}": ABSENT}, f"spec.{field}: Required value")
        for field in ("subject", "digest", "actions", "decision")
    ),
    bounds(APPROVAL, "subject.kind", WORKFLOW, "Deployment", "words"),
    bounds(APPROVAL, "subject.uid", "u", "", "not empty"),
    bounds(APPROVAL, "digest", DIGEST, DIGEST.upper(), "form"),
    bounds(APPROVAL, "digest", DIGEST, DIGEST + "0", "length"),
    bounds(APPROVAL, "actions", [f"a{n}" for n in range(240)], [f"a{n}" for n in range(241)], "most"),
    bounds(APPROVAL, "actions", ["a"], [], "least"),
    bounds(APPROVAL, "actions", ["a", "b"], ["a", "a"], "set"),
    bounds(APPROVAL, "decision", "Reject", "Abstain", "words"),
    bounds(APPROVAL, "comment", "c" * 1024, "c" * 1025, "length"),
]

RUNBOOK_CASES = [
    Case("description is required", RUNBOOK, {}, {"spec.description": ABSENT}, "spec.description: Required value"),
    Case("steps are required", RUNBOOK, {}, {"spec.steps": ABSENT}, "spec.steps: Required value"),
    bounds(RUNBOOK, "description", "d" * 1024, "d" * 1025, "length"),
    bounds(RUNBOOK, "steps", steps(1), [], "at least one"),
    bounds(RUNBOOK, "steps", steps(100), steps(101), "at most 100"),
    bounds(RUNBOOK, "finally", steps(20, "last"), steps(21, "last"), "at most 20"),
    bounds(RUNBOOK, "onFailure", "Continue", "Ignore", "words"),
    bounds(RUNBOOK, "maxParallel", 100, 101, "most"),
    Case("retry order", RUNBOOK, {"spec.retry": ORDERED}, {"spec.retry": UNORDERED}, RETRY_ORDER),
    Case("a step's retry", RUNBOOK, {}, {"spec.steps.0.retry": UNORDERED}, RETRY_ORDER),
    Case(
        "a check of a step",
        RUNBOOK,
        {"spec.steps.0.verify": [HTTP_CHECK]},
        {"spec.steps.0.verify": [CHECK | HTTP_CHECK]},
        "give exactly one of resource, http",
    ),
    Case("editor has a name", RUNBOOK, {"spec.editedBy.username": "u"}, {"spec.editedBy": {"uid": "1"}}, "username"),
    Case(
        "a finally step has a name of its own",
        RUNBOOK,
        {"spec.finally": steps(2, "last")},
        {"spec.finally": steps(2)},
        "a finally step must not have the name of another step",
    ),
    Case(
        "dependsOn in a sequence",
        RUNBOOK,
        TWO_STEPS | {"spec.steps.1.dependsOn": ["a"]},
        TWO_STEPS | {"spec.steps.1.dependsOn": ["a"], "spec.order": "Sequence"},
        "dependsOn needs order: Graph; a Sequence runs its steps one after the other",
    ),
    Case(
        "dependsOn of finally steps in a sequence",
        RUNBOOK,
        {"spec.finally": steps(1, "last")},
        {"spec.finally": [*steps(1, "last"), {"name": "z", "action": "wait", "dependsOn": ["last-0"]}]},
        "dependsOn of finally steps needs order: Graph",
    ),
]

OF_SCHEDULE = {"spec.workflow.steps": ABSENT, "spec.workflow.runbookRef": {"name": "restart"}}
SCHEDULE_CASES = [
    *(
        Case(f"{field} is required", SCHEDULE, {}, {f"spec.{field}": ABSENT}, f"spec.{field}: Required value")
        for field in ("schedule", "workflow", "workflow.description", "workflow.reason")
    ),
    bounds(SCHEDULE, "schedule", "*" * 128, "*" * 129, "length"),
    bounds(SCHEDULE, "timeZone", "Europe/Berlin", "", "not empty"),
    bounds(SCHEDULE, "concurrencyPolicy", "Forbid", "Queue", "words"),
    bounds(SCHEDULE, "startingDeadlineSeconds", 1, 0, "least"),
    bounds(SCHEDULE, "successfulHistoryLimit", 100, 101, "most"),
    bounds(SCHEDULE, "failedHistoryLimit", 0, -1, "least"),
    bounds(SCHEDULE, "workflow.mode", "DryRun", "Observe", "words"),
    Case("no second way to suspend", SCHEDULE, {}, {"spec.workflow.suspend": True}, "unknown field"),
    Case("steps or a runbook", SCHEDULE, OF_SCHEDULE, {"spec.workflow.steps": ABSENT}, EITHER),
    Case(
        "order is the runbook's", SCHEDULE, OF_SCHEDULE, OF_SCHEDULE | {"spec.workflow.order": "Graph"},
        "order, finally, onFailure and maxParallel are for the runbook to say; leave them out",
    ),
    Case(
        "a check of a step", SCHEDULE, {"spec.workflow.steps.0.verify": [HTTP_CHECK]},
        {"spec.workflow.steps.0.verify": [CHECK | HTTP_CHECK]}, "give exactly one of resource, http",
    ),
    Case("a step's retry", SCHEDULE, {}, {"spec.workflow.steps.0.retry": UNORDERED}, RETRY_ORDER),
    Case("whose it is has a name", SCHEDULE, {"spec.requestedBy.username": "u"}, {"spec.requestedBy": {}}, "username"),
    Case(
        "a finally step has a name of its own",
        SCHEDULE,
        {"spec.workflow.finally": steps(2, "last")},
        {"spec.workflow.finally": steps(2)},
        "a finally step must not have the name of another step",
    ),
    Case(
        "dependsOn in a sequence",
        SCHEDULE,
        {"spec.workflow.steps.1.dependsOn": ["step-0"], "spec.workflow.order": "Graph"},
        {"spec.workflow.steps.1.dependsOn": ["step-0"]},
        "dependsOn needs order: Graph; a Sequence runs its steps one after the other",
    ),
    Case(
        "dependsOn of finally steps in a sequence",
        SCHEDULE,
        {"spec.workflow.finally": steps(1, "last")},
        {"spec.workflow.finally": [{"name": "z", "action": "wait", "dependsOn": ["last-0"]}]},
        "dependsOn of finally steps needs order: Graph",
    ),
]  # fmt: skip

CREATE: list[Case] = [
    *ALL_KINDS, *LIFECYCLE_CASES, *PROPOSAL_CASES, *WORKFLOW_CASES, *TYPE_CASES, *POLICY_CASES, *APPROVAL_CASES,
    *RUNBOOK_CASES, *SCHEDULE_CASES,
]  # fmt: skip
