"""Parts that several kinds share: metadata, conditions, retry, preview, history."""

from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from controller.api.base import (
    ATOMIC,
    ActionName,
    ApiModel,
    Digest,
    LongText,
    ObjectName,
    OpaqueMap,
    Rule,
    ShortText,
    SpecModel,
    StatusModel,
    Text,
    Timestamp,
    UserName,
    list_type,
)
from controller.api.names import ConditionType, Outcome, Phase, Reason, Transition

MAX_QUORUMS = 64
MAX_GROUPS_TOLD = 256


class OwnerReference(StatusModel):
    api_version: str
    kind: str
    name: str
    uid: str
    controller: bool = False


class ObjectMeta(StatusModel):
    """The metadata that decisions read. The API server owns its schema."""

    name: str
    namespace: str | None = None
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    creation_timestamp: Timestamp | None = None
    deletion_timestamp: Timestamp | None = None
    labels: dict[str, str] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)
    owner_references: tuple[OwnerReference, ...] = ()


class Identity(SpecModel):
    """A user as the API server authenticated them."""

    username: UserName
    """User name, as in `kubectl auth whoami`."""
    uid: ShortText = ""
    """Unique id of the user, where the authenticator gives one."""
    groups: Annotated[tuple[UserName, ...], Field(max_length=1000, json_schema_extra=ATOMIC)] = ()
    """Groups the user was in when the object was made."""


class RetrySpec(SpecModel):
    """When and how often an attempt is repeated. Each field left out comes from the action type, else from
    the operator: 3 attempts, 1 s to 60 s, base 2, jitter 0.5.
    """

    RULES = (
        Rule(
            rule="!has(self.minWaitSeconds) || !has(self.maxWaitSeconds) || self.minWaitSeconds <= self.maxWaitSeconds",
            message="minWaitSeconds must not be more than maxWaitSeconds",
        ),
    )

    max_attempts: Annotated[int, Field(ge=1, le=100)] | None = None
    """All attempts, the first one included."""
    min_wait_seconds: Annotated[float, Field(ge=0, le=86_400)] | None = None
    """Wait before the first retry, without jitter."""
    max_wait_seconds: Annotated[float, Field(ge=0, le=86_400)] | None = None
    """Upper bound of the wait, without jitter."""
    exponential_base: Annotated[float, Field(ge=1, le=10)] | None = None
    """Each wait is this times the one before."""
    jitter_fraction: Annotated[float, Field(ge=0, le=1)] | None = None
    """Up to this fraction of the wait is added at random, also at the upper bound."""
    retry_on: Annotated[str, Field(pattern="^(Transient|Never)$", max_length=16)] | None = None
    """Transient: repeat what may be repeated. Never: one attempt only."""


class RetryConfig(ApiModel):
    """The retry settings in force, every field filled.

    Source of the formula: `core.backoff`. `max_attempts` counts all: 3 means the first and two retries.
    """

    max_attempts: int = Field(default=3, ge=1, le=100)
    min_wait_seconds: float = Field(default=1.0, ge=0, le=86_400)
    max_wait_seconds: float = Field(default=60.0, ge=0, le=86_400)
    exponential_base: float = Field(default=2.0, ge=1, le=10)
    jitter_fraction: float = Field(default=0.5, ge=0, le=1)
    retry_on: str = Field(default="Transient", pattern="^(Transient|Never)$")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.min_wait_seconds > self.max_wait_seconds:
            raise ValueError(
                f"minWaitSeconds {self.min_wait_seconds:g} is more than maxWaitSeconds {self.max_wait_seconds:g}"
            )
        return self


class ResourceRef(SpecModel):
    """A live object in the cluster."""

    api_version: ShortText
    """For example `apps/v1`."""
    kind: ShortText
    """For example `Deployment`."""
    name: ObjectName
    """Name of the object."""
    namespace: ShortText | None = None
    """Namespace of the object: that of the proposal, which is the default, and no other."""


class HttpCheck(SpecModel):
    """An HTTP GET to a host that policy allows."""

    url: Annotated[str, Field(min_length=1, max_length=2048, pattern=r"^https?://[!-~]+$")]
    """Absolute http or https URL."""


class Check(SpecModel):
    """A CEL expression that must be true: over a live object, or over the answer to an HTTP GET."""

    RULES = (Rule(rule="has(self.resource) != has(self.http)", message="give exactly one of resource, http"),)

    resource: ResourceRef | None = None
    """The object that `object` stands for in the expression, read as the runner."""
    http: HttpCheck | None = None
    """The GET whose answer `status` and `json` stand for in the expression."""
    expression: Annotated[str, Field(min_length=1, max_length=2048)]
    """CEL, must give a boolean: `object.status.readyReplicas == object.spec.replicas`."""
    timeout_seconds: Annotated[int, Field(ge=1, le=86_400)] | None = None
    """How long it may take to become true. Default of preconditions: it is looked at once; of verify: until the
    attempt's time is up."""


class Condition(StatusModel):
    """One observation about the object, in the form that `kubectl wait` and kstatus read."""

    type: ConditionType
    """Validated, Approved, Succeeded, Ready, Reconciling or Stalled."""
    status: Annotated[str, Field(pattern="^(True|False|Unknown)$", max_length=8)]
    """True, False or Unknown."""
    reason: Reason
    """One word for programs."""
    message: LongText = ""
    """One sentence for people."""
    last_transition_time: Timestamp
    """When the status last changed."""
    observed_generation: int
    """The generation of the spec this was decided on."""


class Change(StatusModel):
    """One field that the action would change."""

    target: Text
    """The object: `Deployment shop/checkout`."""
    path: Text
    """The field: `spec.replicas`."""
    before: Any = None
    """Its value now."""
    after: Any = None
    """Its value after the action, as the API server's own dry run answers."""
    managed_by: ShortText | None = None
    """The controller that also writes this field (an autoscaler): left out of digest and drift check."""


class Preview(StatusModel):
    """What the action would change, asked of the API server before anything is done."""

    summary: Text
    """One sentence."""
    changes: Annotated[tuple[Change, ...], Field(max_length=64, json_schema_extra=ATOMIC)] = ()
    """The fields that would change."""
    warnings: Annotated[tuple[Text, ...], Field(max_length=16, json_schema_extra=ATOMIC)] = ()
    """What a person should know before agreeing."""
    computed_at: Timestamp
    """When it was computed."""


class HistoryEntry(StatusModel):
    """One transition of the object."""

    n: Annotated[int, Field(ge=1)]
    """Counts all transitions of the object; never restarts."""
    at: Timestamp
    """When."""
    reason: Transition
    """What happened."""
    actor: Text
    """Who: the operator, or `unverified:<name>` where the object names someone."""
    message: Text = ""
    """In words."""


class Quorum(StatusModel):
    """What one policy asks for."""

    policy: ShortText | None = None
    """The ActionPolicy; absent where the operator itself asks (OPERATOR_APPROVAL_MODE)."""
    required: Annotated[int, Field(ge=1, le=20)]
    """How many people must approve."""
    groups: Annotated[tuple[UserName, ...], Field(max_length=256, json_schema_extra=ATOMIC)] = ()
    """Of which groups they must be members, one of them each; empty = of any."""


class ApprovalProgress(StatusModel):
    """What is asked for, noted when waiting begins and only tightened from then on, and how far it is."""

    required: int
    """Approvals needed."""
    have: int
    """Approvals that count."""
    groups: Annotated[tuple[UserName, ...], Field(max_length=MAX_GROUPS_TOLD, json_schema_extra=ATOMIC)] = ()
    """Groups of which someone must still approve."""
    expires_at: Timestamp | None = None
    """Approved: when that runs out if nothing was claimed by then. Waiting: when the request ends."""
    requested_at: Timestamp
    """When waiting began."""
    quorums: Annotated[tuple[Quorum, ...], Field(max_length=MAX_QUORUMS, json_schema_extra=ATOMIC)] = ()
    """What each policy asks for. All must be met."""
    allow_self: bool = False
    """Whether the requester's own approval counts."""
    valid_seconds: int
    """How long an approval is good for the first claim."""
    request_timeout_seconds: int
    """How long the request may wait."""
    on_drift: Annotated[str, Field(max_length=16)] = "Reapprove"
    """What happens when the target changed since the preview that was approved: Reapprove or Proceed."""


class Vote(StatusModel):
    """An approval or rejection that was counted."""

    name: ObjectName
    """Name of the ActionApproval."""
    username: UserName
    """Who voted."""
    decision: Annotated[str, Field(max_length=16)]
    """Approve or Reject."""
    comment: Text = ""
    """What they said."""
    answer: Any = None
    """What they answered, where something was asked."""
    at: Timestamp
    """When."""


class Blocked(StatusModel):
    """What keeps a due object from starting. It goes on by itself when that ends."""

    policy: ShortText | None = None
    """The ActionPolicy, if it is one."""
    rule: ShortText
    """Which rule: `halt`, `mode`, `suspend`, ..."""
    until: Timestamp | None = None
    """When it ends, if that is known."""


class Undo(StatusModel):
    """The action that puts things back."""

    action: ActionName
    """Name of the ActionType."""
    parameters: OpaqueMap
    """Its parameters."""


class LifecycleStatus(StatusModel):
    """The part of status that proposals and workflows share."""

    def wire(self) -> dict[str, Any]:
        """As stored: empty lists are left out, objects stay small."""
        return {name: value for name, value in super().wire().items() if value != []}

    observed_generation: int = -1
    """The generation of the spec that the operator last acted on; -1 before it has seen the object."""
    phase: Phase | None = None
    """For people: where it stands. Programs read `outcome` and the conditions."""
    outcome: Outcome | None = None
    """The one final word. Absent while live; never changes."""
    message: LongText | None = None
    """One sentence on where it stands."""
    request_digest: Digest | None = None
    """Digest of the request; anyone can recompute it."""
    digest: Digest | None = None
    """Digest of the request and of what the preview says it changes: this is what approvals name."""
    retry_count: int | None = None
    """Failed attempts that count."""
    next_retry_at: Timestamp | None = None
    """When the next attempt starts. Absent when no retry is due."""
    started_at: Timestamp | None = None
    """First claim."""
    completed_at: Timestamp | None = None
    """When the outcome was written."""
    approval: ApprovalProgress | None = None
    """How far the approval is."""
    approvals: Annotated[tuple[Vote, ...], Field(max_length=64, json_schema_extra=ATOMIC)] = ()
    """The votes that were counted."""
    blocked: Blocked | None = None
    """What keeps it from starting, while phase is Blocked."""
    preview: Preview | None = None
    """What would change."""
    history: Annotated[tuple[HistoryEntry, ...], Field(max_length=20, json_schema_extra=ATOMIC)] = ()
    """The last 20 transitions, oldest first."""
    conditions: Annotated[tuple[Condition, ...], Field(max_length=16, json_schema_extra=list_type("map", "type"))] = ()
    """The truth in the form Kubernetes tools read."""
