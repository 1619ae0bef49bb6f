"""ActionSchedule: runs a workflow at the times that a cron expression names."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from controller.api.base import (
    ObjectName,
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
from controller.api.common import Identity, RetrySpec, TracedStatus
from controller.api.names import Mode, Reason
from controller.api.resource import AGE, Column, KindInfo, Resource, Scope
from controller.api.workflow import PLAN_RULES, RUNBOOK_RULES, Plan, RunbookRef


class ConcurrencyPolicy(StrEnum):
    ALLOW = "Allow"
    FORBID = "Forbid"
    REPLACE = "Replace"


class WorkflowTemplate(Plan):
    """The workflow of each run: fields of ActionWorkflow.spec."""

    description: Annotated[str, Field(min_length=1, max_length=1024)]
    """What it is, in one sentence."""
    reason: Annotated[str, Field(min_length=1, max_length=1024)]
    """Why. Shown to approvers, never interpreted."""
    ticket: ShortText | None = None
    """Reference in another system."""
    runbook_ref: RunbookRef | None = None
    """Runs this runbook instead of steps of its own."""
    parameters: OpaqueMap = Field(default_factory=dict)
    """Values for expressions; with `runbookRef`, the parameters of the runbook."""
    service_account_name: ServiceAccountName | None = None
    """The runner. Default: from policy."""
    mode: Annotated[Mode, Field(json_schema_extra={"enum": ["Execute", "DryRun"]})] = Mode.EXECUTE
    """DryRun stops after the preview."""
    retry: RetrySpec | None = None
    """When and how often an attempt is repeated."""
    active_deadline_seconds: Seconds = 86_400
    """Time for the whole run."""

    RULES = (*RUNBOOK_RULES, *PLAN_RULES)


class ScheduleSpec(SpecModel):
    """When, what, and what if the one before still runs."""

    schedule: Annotated[str, Field(min_length=1, max_length=128)]
    """Cron expression of five fields: minute, hour, day of the month, month, day of the week."""
    time_zone: Annotated[str, Field(min_length=1, max_length=64)] = "UTC"
    """IANA name of the zone whose clocks it means: `Europe/Berlin`."""
    suspend: bool = False
    """While true nothing is run, and nothing of that time is made up for."""
    concurrency_policy: ConcurrencyPolicy = ConcurrencyPolicy.ALLOW
    """While a run is not finished. Allow: run the next beside it. Forbid: leave the next out. Replace: cancel it, and
    run the next when it has ended."""
    starting_deadline_seconds: Seconds | None = None
    """A run that could not be made this long after its time is left out. Without it, the last one missed is made up
    for, however late."""
    successful_history_limit: Annotated[int, Field(ge=0, le=100)] = 3
    """How many finished runs that succeeded are kept."""
    failed_history_limit: Annotated[int, Field(ge=0, le=100)] = 3
    """How many other finished runs are kept."""
    workflow: WorkflowTemplate
    """What is run."""
    requested_by: Identity | None = None
    """Who last changed the spec, `suspend` apart: runs are made in their name."""


class SkippedRun(StatusModel):
    """A run that was not made."""

    at: Timestamp
    """Its time."""
    reason: Reason
    """RunMissed, RunForbidden or NameTaken."""
    message: Text = ""
    """In words."""


class ScheduleStatus(TracedStatus):
    """What the operator did and knows. Only the operator writes it."""

    next_run_at: Timestamp | None = None
    """When the next run is due."""
    last_run_at: Timestamp | None = None
    """The time of the last run that was made."""
    last_run: ObjectName | None = None
    """Its workflow."""
    skipped: SkippedRun | None = None
    """The last run that was not made."""
    replacing_at: Timestamp | None = None
    """The time of the run for which those before it are being cancelled."""
    rule: ShortText | None = None
    """Schedule and zone as they were last looked at, or `suspended`."""
    counts_from: Timestamp | None = None
    """Since when this rule is in force: no run from before it is made up for."""


class ActionSchedule(Resource):
    """Runs a workflow at the times that a cron expression names."""

    INFO = KindInfo(
        kind="ActionSchedule",
        plural="actionschedules",
        short_name="asch",
        scope=Scope.NAMESPACED,
        columns=(
            Column("Schedule", ".spec.schedule"),
            Column("Time-Zone", ".spec.timeZone"),
            Column("Suspend", ".spec.suspend", "boolean"),
            Column("Ready", ".status.conditions[?(@.type=='Ready')].status"),
            Column("Last-Run", ".status.lastRunAt", "date"),
            Column("Next-Run", ".status.nextRunAt"),
            Column("Requested-By", ".spec.requestedBy.username", "string", 1),
            Column("Message", ".status.message", "string", 1),
            AGE,
        ),
    )
    # The names of its runs begin with it, and those have at most 63.
    RULES = (Rule(rule="size(self.metadata.name) <= 52", message="metadata.name must be at most 52 characters long"),)

    spec: ScheduleSpec
    status: ScheduleStatus = ScheduleStatus()
