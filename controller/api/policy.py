"""ActionPolicy: cluster-wide rules for actions. All matching policies apply together, the strictest wins."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from controller.api.base import (
    ATOMIC,
    SET,
    ActionName,
    Rule,
    ServiceAccountName,
    SpecModel,
    StatusModel,
    Text,
    Timestamp,
    UserName,
    list_type,
)
from controller.api.common import Condition
from controller.api.names import Mode, Risk
from controller.api.resource import AGE, NAME_RULE, Column, KindInfo, Resource, Scope

LabelMap = Annotated[dict[str, Annotated[str, Field(max_length=63)]], Field(max_length=32)]
Names = Annotated[
    tuple[Annotated[str, Field(min_length=1, max_length=253)], ...],
    Field(max_length=256, json_schema_extra=SET),
]


class DriftRule(StrEnum):
    REAPPROVE = "Reapprove"
    PROCEED = "Proceed"


class TargetRule(StrEnum):
    DENY = "Deny"
    ALLOW = "Allow"


class Match(SpecModel):
    """What the policy is about. Every field given must fit; an empty match fits everything."""

    namespace_labels: LabelMap | None = None
    """Labels that the namespace must have."""
    namespaces: Names | None = None
    """Names of namespaces."""
    actions: Annotated[tuple[ActionName, ...], Field(max_length=256, json_schema_extra=SET)] | None = None
    """Names of action types."""
    risks: Annotated[tuple[Risk, ...], Field(max_length=4, json_schema_extra=SET)] | None = None
    """Risks of action types."""
    requesters: Annotated[tuple[UserName, ...], Field(max_length=256, json_schema_extra=SET)] | None = None
    """User names of requesters. Where the API server does not prove who asks, what restricts holds for everyone."""


class ApprovalRule(SpecModel):
    """Whose leave is needed. Every matching policy must be satisfied."""

    required: Annotated[int, Field(ge=0, le=20)] | None = None
    """How many people must approve."""
    required_from_machines: Annotated[int, Field(ge=0, le=20)] | None = None
    """How many at the least, where a service account asks."""
    groups: Annotated[tuple[UserName, ...], Field(max_length=256, json_schema_extra=SET)] | None = None
    """Groups of which those who approve must be members, of any one of them."""
    allow_self: bool | None = None
    """Whether the requester's own approval counts."""
    valid_seconds: Annotated[int, Field(ge=1, le=31_536_000)] | None = None
    """How long an approval is good for the first claim; default 24 hours."""
    request_timeout_seconds: Annotated[int, Field(ge=1, le=31_536_000)] | None = None
    """How long a request may wait for approval; default 24 hours."""
    on_drift: DriftRule | None = None
    """What to do when the target changed since the approval."""


class HttpRule(SpecModel):
    """Where HTTP actions may go."""

    allowed_hosts: Names | None = None
    """Host names."""
    allowed_private: Names | None = None
    """Networks in CIDR form that are private and still allowed."""

    RULES = (
        Rule(
            rule="!has(self.allowedPrivate) || self.allowedPrivate.all(network, isCIDR(network))",
            message="allowedPrivate takes networks in CIDR form, like 10.20.0.0/16",
            field_path=".allowedPrivate",
        ),
    )


class KindRule(SpecModel):
    """Which kinds generic actions may touch."""

    allowed: Names | None = None
    """`group/Kind`, of the core group `Kind`: `apps/Deployment`, `ConfigMap`. Without any list: none."""


class Limits(SpecModel):
    """How much at once."""

    max_concurrent: Annotated[int, Field(ge=1, le=100_000)] | None = None
    """Actions that run at the same time. Waiting for an effect to show holds no place."""
    max_per_hour: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    """Actions that start within any hour. Retries are not counted."""
    per_target_cooldown_seconds: Annotated[int, Field(ge=1, le=31_536_000)] | None = None
    """Time between two actions on the same target. Steps of one workflow are one action."""
    max_consecutive_failures: Annotated[int, Field(ge=1, le=10_000)] | None = None
    """After so many actions failed in a row nothing starts."""
    breaker_reset_seconds: Annotated[int, Field(ge=1, le=31_536_000)] | None = None
    """After this time one action is let through to try; 3600 where it is not given."""


class Protect(SpecModel):
    """What no action may touch."""

    namespaces: Names | None = None
    """Names of namespaces."""
    labels: LabelMap | None = None
    """An object that has all of these is protected."""


class Window(SpecModel):
    """When actions may start."""

    days: Annotated[
        tuple[Annotated[str, Field(pattern="^(Mon|Tue|Wed|Thu|Fri|Sat|Sun)$", max_length=3)], ...],
        Field(max_length=7, json_schema_extra=SET),
    ] = ()
    """Days on which it begins; empty = every day."""
    start: Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$", max_length=5)]
    """Local time, `HH:MM`."""
    end: Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$", max_length=5)]
    """Local time; not after `start` = on the next day."""
    time_zone: Annotated[str, Field(min_length=1, max_length=64)]
    """IANA name: `Europe/Berlin`."""


class Freeze(SpecModel):
    """A time in which nothing starts."""

    start: Timestamp
    """From."""
    end: Timestamp
    """To."""
    reason: Text
    """Why."""

    RULES = (Rule(rule="self.start < self.end", message="end must be after start"),)


class PolicySpec(SpecModel):
    """The rules. A field left out has no opinion."""

    match: Match = Match()
    """What the policy is about; empty = everything."""
    mode: Annotated[Mode, Field(json_schema_extra={"enum": ["Observe", "Execute"]})] | None = None
    """Execute lets actions run, Observe only previews them. Without any opinion: Observe."""
    halt: bool | None = None
    """Kill switch: while true nothing is claimed and running attempts are asked to stop."""
    approval: ApprovalRule | None = None
    """Whose leave is needed."""
    service_account_name: ServiceAccountName | None = None
    """Runner of proposals that name none."""
    http: HttpRule | None = None
    """Where HTTP actions may go."""
    kinds: KindRule | None = None
    """Which kinds generic actions may touch."""
    dynamic_targets: TargetRule | None = None
    """Whether a workflow may compute the target of a step."""
    limits: Limits | None = None
    """How much at once."""
    protect: Protect | None = None
    """What no action may touch."""
    windows: Annotated[tuple[Window, ...], Field(max_length=32, json_schema_extra=ATOMIC)] = ()
    """When actions may start."""
    freezes: Annotated[tuple[Freeze, ...], Field(max_length=64, json_schema_extra=ATOMIC)] = ()
    """When nothing starts."""


class Bucket(StatusModel):
    """Starts within one minute, so that deleting objects resets no limit."""

    start: Timestamp
    """Begin of the minute."""
    count: int
    """Starts reserved in it."""


class Breaker(StatusModel):
    """How `maxConsecutiveFailures` stands."""

    failures: Annotated[int, Field(ge=0)] = 0
    """Actions that failed in a row."""
    opened_at: Timestamp | None = None
    """When the last of too many failed."""
    counted_until: Timestamp | None = None
    """Up to when ends of actions are counted."""


class PolicyStatus(StatusModel):
    """What the operator makes of the policy."""

    observed_generation: int = -1
    """The generation that the operator last read; -1 before it has."""
    conditions: Annotated[tuple[Condition, ...], Field(max_length=8, json_schema_extra=list_type("map", "type"))] = ()
    """Ready: whether every field of it is carried out. Stalled where not."""
    buckets: Annotated[tuple[Bucket, ...], Field(max_length=64, json_schema_extra=ATOMIC)] = ()
    """Starts within the last hour."""
    breaker: Breaker | None = None
    """How `limits.maxConsecutiveFailures` stands; absent = the policy has no such limit."""


class ActionPolicy(Resource):
    """Cluster-wide rules for actions."""

    INFO = KindInfo(
        kind="ActionPolicy",
        plural="actionpolicies",
        short_name="apol",
        scope=Scope.CLUSTER,
        columns=(
            Column("Mode", ".spec.mode"),
            Column("Halt", ".spec.halt", "boolean"),
            Column("Ready", ".status.conditions[?(@.type=='Ready')].status"),
            AGE,
        ),
    )
    RULES = (NAME_RULE,)

    spec: PolicySpec = PolicySpec()
    status: PolicyStatus = PolicyStatus()
