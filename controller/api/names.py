"""The words of the API that code branches on: phases, outcomes, reasons. Each says when it is used."""

from enum import StrEnum


class Mode(StrEnum):
    EXECUTE = "Execute"
    OBSERVE = "Observe"
    DRY_RUN = "DryRun"


class Risk(StrEnum):
    LOW = "Low"
    MEDIUM = "Medium"
    HIGH = "High"
    CRITICAL = "Critical"

    @property
    def rank(self) -> int:
        return list(Risk).index(self)


class Phase(StrEnum):
    """For people and columns only; derived from conditions and outcome, never decided upon."""

    PENDING = "Pending"
    AWAITING_APPROVAL = "AwaitingApproval"
    SCHEDULED = "Scheduled"
    BLOCKED = "Blocked"
    RUNNING = "Running"
    RETRYING = "Retrying"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    REJECTED = "Rejected"
    EXPIRED = "Expired"
    CANCELLED = "Cancelled"
    OBSERVED = "Observed"
    UNKNOWN = "Unknown"


class Outcome(StrEnum):
    """The one final word. Absent while the object is live; never changes."""

    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    REJECTED = "Rejected"
    EXPIRED = "Expired"
    CANCELLED = "Cancelled"
    OBSERVED = "Observed"
    UNKNOWN = "Unknown"


class StepOutcome(StrEnum):
    """A step's outcome: that of its proposal, or Skipped if it never got one."""

    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    REJECTED = "Rejected"
    EXPIRED = "Expired"
    CANCELLED = "Cancelled"
    OBSERVED = "Observed"
    UNKNOWN = "Unknown"
    SKIPPED = "Skipped"


class AttemptResult(StrEnum):
    SUCCEEDED = "Succeeded"
    """The effect was made and verified."""
    FAILED = "Failed"
    """The target reports that the effect failed, or the effect could not be verified."""
    NOT_DONE = "NotDone"
    """Proven not to have taken effect: refused, or never sent."""
    INTERRUPTED = "Interrupted"
    """Stopped by halt, crash or shutdown; safe to start again, so it does not count."""
    UNKNOWN = "Unknown"
    """Sent, and no answer tells whether it took effect."""


class ConditionType(StrEnum):
    VALIDATED = "Validated"
    APPROVED = "Approved"
    SUCCEEDED = "Succeeded"
    READY = "Ready"
    RECONCILING = "Reconciling"
    STALLED = "Stalled"


class Reason(StrEnum):
    """Why a condition has its status, an object is blocked, or an attempt ended as it did."""

    # Validated
    VALID = "Valid"
    NOT_SUPPORTED = "NotSupported"
    """A field is in the schema that this operator does not carry out yet."""
    UNKNOWN_FIELD = "UnknownField"
    UNKNOWN_ACTION = "UnknownAction"
    """No ActionType of that name is in the cluster."""
    TYPE_NOT_READY = "TypeNotReady"
    INVALID_PARAMETERS = "InvalidParameters"
    INVALID_SPEC = "InvalidSpec"
    """The stored object does not fit the operator's own models."""
    INVALID_GRAPH = "InvalidGraph"
    """A workflow's steps do not form a graph that can run."""
    INVALID_EXPRESSION = "InvalidExpression"
    """An expression that cannot be read, or reads what it must not."""
    RUNNER_MISSING = "RunnerMissing"
    """No ServiceAccount to act as, or it does not exist."""
    TARGET_MISSING = "TargetMissing"
    RIGHT_MISSING = "RightMissing"
    """The runner may not do what the action needs; the message names verb and resource."""
    PREVIEW_REFUSED = "PreviewRefused"
    """The API server refuses the change in its dry run."""
    PREVIEW_UNAVAILABLE = "PreviewUnavailable"
    """The dry run fails for a reason that may pass; it is asked for again."""
    KIND_NOT_ALLOWED = "KindNotAllowed"
    """No policy lets generic actions touch that kind."""
    # Approved
    NOT_REQUIRED = "NotRequired"
    APPROVED = "Approved"
    REJECTED = "Rejected"
    DRIFTED = "Drifted"
    """The target changed since the preview that was approved."""
    DIGEST_CHANGED = "DigestChanged"
    """What would run is not what was approved any more."""
    IDENTITY_NOT_ENFORCED = "IdentityNotEnforced"
    """The API server does not prove who voted, so no vote counts."""
    APPROVAL_TIMEOUT = "ApprovalTimeout"
    NOT_PERMITTED = "NotPermitted"
    """The requester may not propose this action or use this runner."""
    # why it waits
    PROGRESSING = "Progressing"
    PROGRESSING_WITH_RETRY = "ProgressingWithRetry"
    SCHEDULED = "Scheduled"
    BLOCKED = "Blocked"
    AWAITING_APPROVAL = "AwaitingApproval"
    SUSPENDED = "Suspended"
    HALTED = "Halted"
    OBSERVE_ONLY = "ObserveOnly"
    POLICY_CONFLICT = "PolicyConflict"
    POLICY_NOT_SUPPORTED = "PolicyNotSupported"
    OUTSIDE_WINDOW = "OutsideWindow"
    FROZEN = "Frozen"
    LIMIT_REACHED = "LimitReached"
    COOLDOWN = "Cooldown"
    BREAKER_OPEN = "BreakerOpen"
    PROTECTED = "Protected"
    """A policy protects the target."""
    CLAIM_REFUSED = "ClaimRefused"
    """Admission refused the claim."""
    NOT_A_STEP = "NotAStep"
    """It claims to belong to a workflow that does not list it."""
    # how it ended
    SUCCEEDED = "Succeeded"
    DRY_RUN = "DryRun"
    CANCELLED = "Cancelled"
    EFFECT_MADE = "EffectMade"
    """Cancelled after its effect was made; `status.undo` says what puts things back."""
    STARTING_DEADLINE_EXCEEDED = "StartingDeadlineExceeded"
    DEADLINE_EXCEEDED = "DeadlineExceeded"
    PERMANENT_FAILURE = "PermanentFailure"
    TRANSIENT_FAILURE = "TransientFailure"
    EFFECT_FAILED = "EffectFailed"
    NOT_VERIFIED = "NotVerified"
    ATTEMPTS_EXHAUSTED = "AttemptsExhausted"
    OUTCOME_UNKNOWN = "OutcomeUnknown"
    OPERATOR_RESTARTED = "OperatorRestarted"
    STEP_FAILED = "StepFailed"
    STEP_UNKNOWN = "StepUnknown"
    # how a step ended that never got a proposal of its own
    TAKEN_FROM_EARLIER = "TakenFromEarlier"
    """It succeeded in the workflow that this one retries."""
    WHEN_FALSE = "WhenFalse"
    """Its `when` is false: it was not needed, and does not count as failed."""
    NOT_STARTED = "NotStarted"
    """It was to run, and something before it kept it from that."""
    EXPRESSION_FAILED = "ExpressionFailed"
    """An expression had no answer when it was due."""
    NAME_TAKEN = "NameTaken"
    """A proposal of its name is there that was not made for it."""
    PROPOSAL_GONE = "ProposalGone"
    """Its proposal was deleted."""
    INTERNAL_ERROR = "InternalError"
    """A fault of the operator itself while it handled this object."""


class Transition(StrEnum):
    """What happened to an object: reasons of its history, its Events and the audit log."""

    PROPOSED = "Proposed"
    VALIDATED = "Validated"
    VALIDATION_FAILED = "ValidationFailed"
    AWAITING_APPROVAL = "AwaitingApproval"
    APPROVED = "Approved"
    REJECTED = "Rejected"
    APPROVAL_VOIDED = "ApprovalVoided"
    SCHEDULED = "Scheduled"
    EXECUTING = "Executing"
    RETRYING = "Retrying"
    TAKEN_OVER = "TakenOver"
    INTERRUPTED = "Interrupted"
    COMPLETED = "Completed"
    FAILED = "Failed"
    RETRY_SCHEDULED = "RetryScheduled"
    RETRY_EXHAUSTED = "RetryExhausted"
    CANCELLED = "Cancelled"
    EXPIRED = "Expired"
    OBSERVED = "Observed"
    OUTCOME_UNKNOWN = "OutcomeUnknown"
    BLOCKED = "Blocked"
    WORKFLOW_CREATED = "WorkflowCreated"
    STEP_FINISHED = "StepFinished"
    STEP_SKIPPED = "StepSkipped"
    ROLLED_BACK = "RolledBack"
    ROLLBACK_FAILED = "RollbackFailed"
    KILL_SWITCH = "KillSwitch"
    MODE_CHANGE = "ModeChange"
    DELETED = "Deleted"
