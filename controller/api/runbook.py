"""ActionRunbook: a workflow with parameters, to be run again and again by name."""

from typing import Annotated

from pydantic import Field

from controller.api.base import Digest, OpaqueMap, StatusModel, list_type
from controller.api.common import Condition, Identity, RetrySpec
from controller.api.resource import AGE, NAME_RULE, Column, KindInfo, Resource, Scope
from controller.api.workflow import PLAN_RULES, Plan, Steps


class RunbookSpec(Plan):
    """What it does."""

    description: Annotated[str, Field(min_length=1, max_length=1024)]
    """What it is for, in a sentence or two."""
    parameters: OpaqueMap = Field(default_factory=dict)
    """JSON Schema (OpenAPI v3 subset, `type: object`) of the values that a run gives; defaults are filled in."""
    steps: Steps
    """The actions."""
    retry: RetrySpec | None = None
    """When and how often an attempt is repeated. A workflow's own goes before it, a step's before both."""
    edited_by: Identity | None = None
    """Who last changed the spec."""

    RULES = PLAN_RULES


class RunbookStatus(StatusModel):
    """What the operator makes of it."""

    observed_generation: int = -1
    """The generation that the operator last read; -1 before it has."""
    digest: Digest | None = None
    """Digest of the spec, but for who edited it; workflows pin it."""
    conditions: Annotated[tuple[Condition, ...], Field(max_length=8, json_schema_extra=list_type("map", "type"))] = ()
    """Ready: whether it can be run. Where not, Stalled; Reconciling while its action types may still come."""


class ActionRunbook(Resource):
    """A workflow with parameters, to be run again and again by name."""

    INFO = KindInfo(
        kind="ActionRunbook",
        plural="actionrunbooks",
        short_name="arb",
        scope=Scope.NAMESPACED,
        columns=(
            Column("Ready", ".status.conditions[?(@.type=='Ready')].status"),
            Column("Edited-By", ".spec.editedBy.username"),
            Column("Description", ".spec.description", "string", 1),
            Column("Message", ".status.conditions[?(@.type=='Ready')].message", "string", 1),
            AGE,
        ),
    )
    RULES = (NAME_RULE,)

    spec: RunbookSpec
    status: RunbookStatus = RunbookStatus()
