"""ActionType: one kind of action, with a schema for its parameters, a risk and an executor."""

from typing import Annotated

from pydantic import Field

from controller.api.base import (
    SET,
    Digest,
    LongText,
    OpaqueMap,
    Rule,
    Seconds,
    SpecModel,
    StatusModel,
    list_type,
)
from controller.api.common import Condition, RetrySpec
from controller.api.names import Risk
from controller.api.resource import AGE, NAME_RULE, Column, KindInfo, Resource, Scope


class BuiltIn(SpecModel):
    """An executor that ships with the operator."""

    name: Annotated[str, Field(min_length=1, max_length=63)]
    """Its name."""
    version: Annotated[int, Field(ge=1, le=1000)]
    """Its version; an operator that has another one does not run the type."""


class JobExecutor(SpecModel):
    """Runs a Job."""

    template: OpaqueMap
    """A JobTemplateSpec."""


class HttpExecutor(SpecModel):
    """Sends an HTTP request."""

    method: Annotated[str, Field(pattern="^(GET|HEAD|PUT|DELETE|POST|PATCH)$", max_length=6)]
    """HTTP method."""
    url: Annotated[str, Field(min_length=1, max_length=2048)]
    """http or https."""
    headers: Annotated[dict[str, Annotated[str, Field(max_length=4096)]], Field(max_length=32)] | None = None
    """Request headers."""
    body: OpaqueMap | None = None
    """JSON body."""
    expect: OpaqueMap | None = None
    """What the answer must be: `status`, `json`."""
    not_done_on: (
        Annotated[tuple[Annotated[int, Field(ge=100, le=599)], ...], Field(max_length=32, json_schema_extra=SET)] | None
    ) = None
    """Statuses by which the target says that nothing was done."""


class PatchExecutor(SpecModel):
    """Patches an object."""

    target: OpaqueMap
    """The object: apiVersion, kind, name."""
    type: Annotated[str, Field(pattern="^(merge|json|apply)$", max_length=8)]
    """merge, json or apply."""
    patch: OpaqueMap
    """The patch."""


class Executor(SpecModel):
    """Exactly one way to run the action."""

    built_in: BuiltIn | None = None
    """An executor that ships with the operator."""
    job: JobExecutor | None = None
    """A Job of your own."""
    http: HttpExecutor | None = None
    """An HTTP request of your own."""
    patch: PatchExecutor | None = None
    """A patch of your own."""

    RULES = (
        Rule(
            rule="[has(self.builtIn), has(self.job), has(self.http), has(self.patch)].filter(given, given).size() == 1",
            message="give exactly one of builtIn, job, http, patch",
        ),
    )


class TypeDefaults(SpecModel):
    """What proposals of this type get where they say nothing."""

    timeout_seconds: Seconds | None = None
    """Time for one attempt."""
    retry: RetrySpec | None = None
    """When and how often an attempt is repeated."""


class ActionTypeSpec(SpecModel):
    """What the action is."""

    description: Annotated[LongText, Field(min_length=1)]
    """What it does, in a sentence or two."""
    risk: Risk
    """Low, Medium, High or Critical."""
    idempotent: bool
    """Safe to start again when the result of an attempt is unknown; false = at most once."""
    parameters: OpaqueMap
    """JSON Schema (OpenAPI v3 subset, `type: object`). Per property also `fixed: true` (never computed at run
    time) and `secret: true` (takes only a secretKeyRef)."""
    executor: Executor
    """How it is run."""
    defaults: TypeDefaults = TypeDefaults()
    """What proposals of this type get where they say nothing."""


class ActionTypeStatus(StatusModel):
    """What the operator makes of the type."""

    observed_generation: int = -1
    """The generation that the operator last read; -1 before it has."""
    digest: Digest | None = None
    """Digest of the spec; claims pin it."""
    conditions: Annotated[tuple[Condition, ...], Field(max_length=8, json_schema_extra=list_type("map", "type"))] = ()
    """Ready: whether this operator can run it."""


class ActionType(Resource):
    """One kind of action, with a schema for its parameters, a risk and an executor."""

    INFO = KindInfo(
        kind="ActionType",
        plural="actiontypes",
        short_name="at",
        scope=Scope.CLUSTER,
        columns=(
            Column("Risk", ".spec.risk"),
            Column("Idempotent", ".spec.idempotent", "boolean"),
            Column("Ready", ".status.conditions[?(@.type=='Ready')].status"),
            Column("Description", ".spec.description", "string", 1),
            AGE,
        ),
    )
    RULES = (
        NAME_RULE,
        Rule(
            rule="self.metadata.name.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",
            message="metadata.name must be lower-case letters, digits and dashes, as in spec.action",
        ),
    )

    spec: ActionTypeSpec
    status: ActionTypeStatus = ActionTypeStatus()
