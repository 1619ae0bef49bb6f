"""ActionWorkflow: several actions with dependencies. A step that starts becomes a proposal of its own."""

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field

from controller.api.base import (
    ATOMIC,
    SET,
    ActionName,
    Digest,
    ObjectName,
    OpaqueMap,
    Rule,
    Seconds,
    ShortText,
    SpecModel,
    StatusModel,
    Text,
    Timestamp,
    list_type,
)
from controller.api.common import Check, Identity, LifecycleStatus, RetrySpec
from controller.api.names import Mode, Reason, Risk, StepOutcome
from controller.api.proposal import LifecycleSpec
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

StepName = Annotated[str, Field(min_length=1, max_length=63, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")]


class Order(StrEnum):
    SEQUENCE = "Sequence"
    GRAPH = "Graph"


class OnFailure(StrEnum):
    STOP = "Stop"
    CONTINUE = "Continue"
    ROLLBACK = "Rollback"


class UndoSpec(SpecModel):
    """The action that takes a step back."""

    action: ActionName
    """Name of an ActionType."""
    parameters: OpaqueMap = Field(default_factory=dict)
    """Its parameters."""


class Computed(SpecModel):
    """A parameter that is computed when the step starts."""

    path: Annotated[str, Field(min_length=1, max_length=256)]
    """Where in the parameters: `body.pods`."""
    expression: Annotated[str, Field(min_length=1, max_length=2048)]
    """CEL over `steps` and `workflow` (docs/spec/expressions.md)."""


class Step(SpecModel):
    """One action of a workflow."""

    name: StepName
    """Unique in the workflow."""
    action: ActionName
    """Name of an ActionType."""
    parameters: OpaqueMap = Field(default_factory=dict)
    """Parameters of the action."""
    depends_on: Annotated[tuple[StepName, ...], Field(max_length=99, json_schema_extra=SET)] = ()
    """Steps that must have ended before; only with `order: Graph`."""
    timeout_seconds: Seconds | None = None
    """Time for one attempt."""
    retry: RetrySpec | None = None
    """Overrides the workflow's, field by field."""
    when: Annotated[str, Field(min_length=1, max_length=2048)] | None = None
    """CEL: whether the step runs at all. It decides by itself: a step before this one that did not succeed holds
    nothing back then."""
    computed: Annotated[tuple[Computed, ...], Field(max_length=32, json_schema_extra=ATOMIC)] = ()
    """Parameters that are computed when the step starts."""
    preconditions: Annotated[tuple[Check, ...], Field(max_length=16, json_schema_extra=ATOMIC)] = ()
    """What must be true before the step starts."""
    verify: Annotated[tuple[Check, ...], Field(max_length=16, json_schema_extra=ATOMIC)] = ()
    """What must become true after it."""
    undo: UndoSpec | None = None
    """What takes it back. Default: the action's own undo."""


class RetryOf(SpecModel):
    """A finished workflow of the same namespace, some steps of which did not succeed."""

    name: Annotated[str, Field(min_length=1, max_length=63)]
    """Its name."""
    uid: Annotated[str, Field(min_length=1, max_length=64)]
    """Its uid: another of the same name is another."""


Steps = Annotated[tuple[Step, ...], Field(min_length=1, max_length=100, json_schema_extra=list_type("map", "name"))]


class Plan(SpecModel):
    """What runs, in which order, and what becomes of the rest when a step fails: of a workflow or of a runbook."""

    order: Order = Order.SEQUENCE
    """Sequence: one after the other. Graph: as dependsOn says; steps without it start at once."""
    steps: Steps = ()
    """The actions."""
    finally_: Annotated[
        tuple[Step, ...],
        Field(alias="finally", max_length=20, json_schema_extra=list_type("map", "name")),
    ] = ()
    """Steps that always run at the end."""
    on_failure: OnFailure = OnFailure.STOP
    """Stop: start nothing new. Continue: skip what depends on the failed step. Rollback: undo the others."""
    max_parallel: Annotated[int, Field(ge=1, le=100)] = 10
    """How many steps run at the same time."""

    @property
    def all_steps(self) -> tuple[Step, ...]:
        """Those of `finally` too. What is asked of a workflow before it starts is asked of all of them."""
        return (*self.steps, *self.finally_)

    @property
    def actions(self) -> tuple[str, ...]:
        """Every action type that it may run, explicit undo included, each once."""
        undo = (step.undo.action for step in self.all_steps if step.undo)
        return tuple(dict.fromkeys([*(step.action for step in self.all_steps), *undo]))


PLAN_RULES = (
    Rule(
        rule="self.order == 'Graph' || !has(self.steps) || "
        "self.steps.all(s, !has(s.dependsOn) || size(s.dependsOn) == 0)",
        message="dependsOn needs order: Graph; a Sequence runs its steps one after the other",
        field_path=".steps",
    ),
    Rule(
        rule="self.order == 'Graph' || !has(self.finally) || "
        "self.finally.all(s, !has(s.dependsOn) || size(s.dependsOn) == 0)",
        message="dependsOn of finally steps needs order: Graph",
        field_path=".finally",
    ),
    Rule(
        rule="!has(self.finally) || !has(self.steps) || "
        "!self.finally.exists(f, self.steps.exists(s, s.name == f.name))",
        message="a finally step must not have the name of another step",
        field_path=".finally",
    ),
)


class RunbookRef(SpecModel):
    """An ActionRunbook of the same namespace."""

    name: Annotated[str, Field(min_length=1, max_length=63)]
    """Its name."""


RUNBOOK_RULES = (
    Rule(rule="has(self.steps) != has(self.runbookRef)", message="give either steps or runbookRef, exactly one"),
    Rule(
        rule="!has(self.runbookRef) || (self.order == 'Sequence' && !has(self.finally) && "
        "self.onFailure == 'Stop' && self.maxParallel == 10)",
        message="order, finally, onFailure and maxParallel are for the runbook to say; leave them out",
        field_path=".runbookRef",
    ),
)


class WorkflowSpec(Plan, LifecycleSpec):
    """What is asked for. Immutable but for `suspend` and `cancelled`."""

    description: Annotated[str, Field(min_length=1, max_length=1024)]
    """What it is, in one sentence."""
    runbook_ref: RunbookRef | None = None
    """Runs this runbook instead of steps of its own."""
    parameters: OpaqueMap = Field(default_factory=dict)
    """Values for expressions; with `runbookRef`, the parameters of the runbook."""
    retry_of: RetryOf | None = None
    """Starts from what that workflow left: steps that succeeded there, and are the same here, are not run again."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        CANCEL_LATCH,
        *RUNBOOK_RULES,
        *PLAN_RULES,
        *(
            immutable(name, required=True)
            for name in ("description", "reason", "mode", "activeDeadlineSeconds", "order", "onFailure", "maxParallel")
        ),
        *(
            immutable(name, required=False)
            for name in (
                "steps", "runbookRef", "parameters", "finally", "ticket", "serviceAccountName", "requestedBy", "retry",
                "notBefore", "startingDeadlineSeconds", "retryOf", "ttlSecondsAfterFinished",
            )
        ),
    )  # fmt: skip


class StepRollback(StatusModel):
    """How the step was taken back."""

    proposal: ShortText | None = None
    """Name of the undo's proposal."""
    uid: ShortText | None = None
    """uid of that proposal; only a proposal recorded here may run."""
    outcome: StepOutcome | None = None
    """How it ended; Skipped where nothing takes the step back, Cancelled without a proposal where the workflow was
    stopped before its turn."""
    message: Text | None = None
    """In words."""


class StepStatus(StatusModel):
    """Where a step stands."""

    name: StepName
    """The step."""
    proposal: ShortText | None = None
    """Name of its proposal."""
    uid: ShortText | None = None
    """uid of its proposal; only a proposal recorded here may run."""
    outcome: StepOutcome | None = None
    """How it ended."""
    reason: Reason | None = None
    """Why, in one word, where its proposal does not say it."""
    retry_count: int | None = None
    """Failed attempts that count."""
    next_retry_at: Timestamp | None = None
    """When its next attempt starts."""
    message: Text | None = None
    """In words."""
    started_at: Timestamp | None = None
    """Its first claim."""
    completed_at: Timestamp | None = None
    """When its outcome was written."""
    rollback: StepRollback | None = None
    """How it was taken back."""


class PinnedRunbook(StatusModel):
    """The runbook as it was when the workflow was first found in order: this is what runs, whatever becomes of it."""

    name: ObjectName
    """Its name."""
    uid: ShortText
    """Its uid."""
    digest: Digest
    """Digest of its spec, but for who edited it."""
    edited_by: Identity | None = None
    """Who last edited it, as far as that is proven. Their approval counts like the requester's own."""
    spec: OpaqueMap
    """Its spec."""


class WorkflowStatus(LifecycleStatus):
    """What the operator did and knows. Only the operator writes it."""

    risk: Risk | None = None
    """The highest risk of its actions."""
    mode: Mode | None = None
    """The mode in force."""
    actions: Annotated[tuple[ActionName, ...], Field(max_length=240, json_schema_extra=SET)] = ()
    """Every action type that may run for it, those that take steps back included: what its approvals cover."""
    runbook: PinnedRunbook | None = None
    """The runbook that it runs."""
    replaced_by: ObjectName | None = None
    """The next run of its schedule, for which it was cancelled."""
    progress: Annotated[str, Field(max_length=16)] | None = None
    """Ended steps of all: `2/5`."""
    steps: Annotated[tuple[StepStatus, ...], Field(max_length=120, json_schema_extra=list_type("map", "name"))] = ()
    """Where each step stands."""


class ActionWorkflow(Resource):
    """Several actions with dependencies."""

    INFO = KindInfo(
        kind="ActionWorkflow",
        plural="actionworkflows",
        short_name="aw",
        scope=Scope.NAMESPACED,
        columns=(
            Column("Phase", ".status.phase"),
            Column("Progress", ".status.progress"),
            Column("Outcome", ".status.outcome"),
            Column("Retries", ".status.retryCount", "integer"),
            Column("Next-Retry", ".status.nextRetryAt", "string", 1),
            Column("Description", ".spec.description", "string", 1),
            Column("Message", ".status.message", "string", 1),
            AGE,
        ),
        selectable=(".status.outcome", ".spec.ttlSecondsAfterFinished"),
    )
    RULES = (NAME_RULE, *FINISHED_RULES)

    spec: WorkflowSpec
    status: WorkflowStatus = WorkflowStatus()
