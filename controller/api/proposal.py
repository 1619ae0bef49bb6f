"""ActionProposal: one request to run one action once."""

from typing import Annotated, ClassVar

from pydantic import Field

from controller.api.base import (
    ATOMIC,
    ActionName,
    Digest,
    OpaqueMap,
    Rule,
    Seconds,
    ServiceAccountName,
    ShortText,
    SpecModel,
    StatusModel,
    Text,
    Timestamp,
)
from controller.api.common import Check, Identity, LifecycleStatus, RetrySpec, Undo
from controller.api.names import AttemptResult, Mode, Reason, Risk
from controller.api.resource import (
    AGE,
    CANCEL_LATCH,
    FINISHED_RULES,
    NAME_RULE,
    Column,
    KindInfo,
    Resource,
    Scope,
    immutable,
)


class LifecycleSpec(SpecModel):
    """The part of spec that proposals and workflows share. Only `suspend` and `cancelled` can change."""

    reason: Annotated[str, Field(min_length=1, max_length=1024)]
    """Why. Shown to approvers, never interpreted."""
    ticket: ShortText | None = None
    """Reference in another system."""
    service_account_name: ServiceAccountName | None = None
    """The runner: a ServiceAccount of this namespace whose rights the action uses. Default: from policy."""
    requested_by: Identity | None = None
    """Who asks."""
    mode: Annotated[Mode, Field(json_schema_extra={"enum": ["Execute", "DryRun"]})] = Mode.EXECUTE
    """DryRun stops after the preview."""
    retry: RetrySpec | None = None
    """When and how often an attempt is repeated."""
    active_deadline_seconds: Seconds = 86_400
    """Time for the whole, from the later of creation and notBefore. Over before the first claim: Expired;
    after it: Failed."""
    not_before: Timestamp | None = None
    """Scheduled start."""
    starting_deadline_seconds: Seconds | None = None
    """If nothing was claimed this long after the later of creation and notBefore: Expired."""
    ttl_seconds_after_finished: Annotated[int, Field(ge=0, le=31_536_000)] | None = None
    """Delete the finished object after this time. Never applied to objects that a GitOps tool tracks."""
    suspend: bool = False
    """While true nothing new starts."""
    cancelled: bool = False
    """Set to true to cancel; cannot be taken back."""

    @property
    def requester(self) -> str | None:
        """The user name of who asks, as the object says it."""
        return self.requested_by.username if self.requested_by else None


class ProposalSpec(LifecycleSpec):
    """What is asked for. Immutable but for `suspend` and `cancelled`."""

    action: ActionName
    """Name of an ActionType."""
    parameters: OpaqueMap = Field(default_factory=dict)
    """Parameters of the action, checked against the type's schema."""
    timeout_seconds: Seconds | None = None
    """Time for one attempt, its verification included. Default: the type's, else 300."""
    preconditions: Annotated[tuple[Check, ...], Field(max_length=16, json_schema_extra=ATOMIC)] = ()
    """What must be true before the action starts."""
    verify: Annotated[tuple[Check, ...], Field(max_length=16, json_schema_extra=ATOMIC)] = ()
    """What must become true after it, beside the action's own verification."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        CANCEL_LATCH,
        *(immutable(name, required=True) for name in ("action", "reason", "mode", "activeDeadlineSeconds")),
        *(
            immutable(name, required=False)
            for name in (
                "parameters", "ticket", "serviceAccountName", "requestedBy", "preconditions", "verify",
                "retry", "timeoutSeconds", "notBefore", "startingDeadlineSeconds", "ttlSecondsAfterFinished",
            )
        ),
    )  # fmt: skip


class Attempt(StatusModel):
    """One try, written before it starts."""

    number: Annotated[int, Field(ge=1)]
    """Counts all attempts."""
    id: ShortText
    """Identifies this try."""
    operation: ShortText
    """Identifies the effect: a repeat after a lost answer keeps it. The idempotency token for the target."""
    owner: ShortText
    """The operator process that runs it."""
    type_digest: Digest
    """The action type as it was at the claim."""
    idempotent: bool
    """Whether a lost answer may be repeated."""
    started_at: Timestamp
    """The claim."""
    deadline: Timestamp
    """When it is given up."""
    preconditions_met_at: Timestamp | None = None
    """When all its preconditions were true, where it has any. Nothing is done before this is written."""
    done_at: Timestamp | None = None
    """When the effect was known to be made."""
    progress_at: Timestamp | None = None
    """When `status.message` was last written to say how far it is; at most every 10 seconds."""
    finished_at: Timestamp | None = None
    """When the result was known; absent while running."""
    result: AttemptResult | None = None
    """Succeeded, Failed, NotDone, Interrupted or Unknown."""
    reason: Reason | None = None
    """One word for programs."""
    message: Text | None = None
    """What went wrong, for people."""


class ProposalStatus(LifecycleStatus):
    """What the operator did and knows. Only the operator writes it."""

    risk: Risk | None = None
    """Risk of the action type."""
    mode: Mode | None = None
    """The mode in force: the stricter of what the proposal asks for and what policy allows."""
    runner: Annotated[str, Field(max_length=253)] | None = None
    """The ServiceAccount the action runs as."""
    attempts: Annotated[tuple[Attempt, ...], Field(max_length=10, json_schema_extra=ATOMIC)] = ()
    """The last 10 attempts, oldest first."""
    outputs: OpaqueMap | None = None
    """What the action returned."""
    undo: Undo | None = None
    """What would put things back; from the first claim on, to how they were right before it."""


class ActionProposal(Resource):
    """One request to run one action once."""

    INFO = KindInfo(
        kind="ActionProposal",
        plural="actionproposals",
        short_name="ap",
        scope=Scope.NAMESPACED,
        columns=(
            Column("Action", ".spec.action"),
            Column("Phase", ".status.phase"),
            Column("Outcome", ".status.outcome"),
            Column("Retries", ".status.retryCount", "integer"),
            Column("Next-Retry", ".status.nextRetryAt", "string", 1),
            Column("Reason", ".status.conditions[?(@.type=='Succeeded')].reason", "string", 1),
            Column("Message", ".status.message", "string", 1),
            AGE,
        ),
        selectable=(".status.outcome", ".spec.ttlSecondsAfterFinished"),
    )
    RULES = (NAME_RULE, *FINISHED_RULES)

    spec: ProposalSpec
    status: ProposalStatus = ProposalStatus()
