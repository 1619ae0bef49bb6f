"""ActionType: one kind of action, with a schema for its parameters, a risk and an executor."""

from typing import Annotated, Any

from pydantic import Field

from controller.api.base import (
    ATOMIC,
    SET,
    Digest,
    LongText,
    OpaqueMap,
    Rule,
    Seconds,
    ShortText,
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
    """A JobTemplateSpec. `{fromParameter: NAME}` may stand for the value of a container's variable. All parameters
    are also in each container, as the JSON file /etc/actionoperator/parameters.json."""


class HttpExecutor(SpecModel):
    """Sends an HTTP request. `{fromParameter: NAME}` stands for the whole value of a parameter where that is said."""

    method: Annotated[str, Field(pattern="^(GET|HEAD|PUT|DELETE|POST|PATCH)$", max_length=6)]
    """HTTP method."""
    url: Annotated[str, Field(min_length=1, max_length=2048)]
    """http or https; what comes before `path` and `query`, written out."""
    path: Annotated[tuple[Any, ...], Field(max_length=32, json_schema_extra=ATOMIC)] = ()
    """Further segments of the path, or parameters for them, percent-encoded."""
    query: Annotated[OpaqueMap, Field(max_length=32)] | None = None
    """Entries of the query, or parameters for them, percent-encoded."""
    headers: Annotated[OpaqueMap, Field(max_length=32)] | None = None
    """Request headers, or parameters for them; secret ones are read when it is sent."""
    bearer_token: OpaqueMap | None = None
    """The secret parameter whose value is sent as `Authorization: Bearer ...`."""
    body: OpaqueMap | None = None
    """JSON body, or parameters anywhere in it; secret ones for a whole field of it."""
    expect: OpaqueMap | None = None
    """What the answer must be: `status`, `json`."""
    not_done_on: (
        Annotated[tuple[Annotated[int, Field(ge=100, le=599)], ...], Field(max_length=32, json_schema_extra=SET)] | None
    ) = None
    """Statuses by which the target says that nothing was done."""
    outputs: Annotated[dict[str, Annotated[str, Field(min_length=1, max_length=256)]], Field(max_length=16)] | None = (
        None
    )
    """Values to keep from the answer's JSON: name -> dotted path."""


class PatchTarget(SpecModel):
    """The object that is patched, in the proposal's namespace or of the whole cluster."""

    api_version: Annotated[ShortText, Field(min_length=1)]
    """For example `apps/v1`."""
    kind: Annotated[ShortText, Field(min_length=1)]
    """For example `Deployment`."""
    name: Any
    """Its name, or the parameter for it."""


class PatchExecutor(SpecModel):
    """Patches an object. `{fromParameter: NAME}` stands for the whole value of a parameter in `name` and `patch`."""

    target: PatchTarget
    """The object: apiVersion, kind, name."""
    type: Annotated[str, Field(pattern="^(merge|json|apply)$", max_length=8)]
    """merge, json or apply."""
    patch: Any
    """The patch: an object; for json a list of operations."""


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
    """Ready: whether this operator can run it. Stalled where it cannot."""


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
