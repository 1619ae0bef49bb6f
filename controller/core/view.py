"""What a decision sees: the object, and all that bears on it, as of one moment. Built by the runtime, never changed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from uuid import UUID

from controller.api.approval import ActionApproval
from controller.api.common import Identity, RetryConfig
from controller.api.names import Reason
from controller.api.proposal import ActionProposal, Attempt
from controller.api.workflow import ActionWorkflow, OnFailure, Plan
from controller.core import deadlines
from controller.core.actors import proven, who_asked
from controller.core.answers import Question
from controller.core.approvals import ApprovalRule, asked_by, together
from controller.core.attempt_report import Report
from controller.core.definition import Definition, definition_of, plan_of
from controller.core.limits import Unused, Usage
from controller.core.matching import Requester
from controller.core.part import part_of
from controller.core.policy import EffectivePolicy
from controller.core.ports import Json, PreviewResult
from controller.core.runbook import RunbookEntry
from controller.core.stopping import is_cancelled
from controller.core.targets import target_of
from controller.core.world import TypeEntry, World, merged_retry, retry_config, timeout_seconds


@dataclass(frozen=True)
class Chance:
    """Randomness for one decision: `jitter` in [0, 1), `entropy` for new identifiers."""

    jitter: float
    entropy: UUID


@dataclass(frozen=True)
class Fault:
    """Something wrong with the object. `missing` = it may still arrive, so it is final only after the grace time."""

    reason: Reason
    message: str
    missing: bool = False
    lasting: bool = False
    """Of a preview: no step that runs before can mend it."""


@dataclass(frozen=True)
class Findings:
    """What gathering a preview gave: the preview, what is wrong, or why it cannot be had now."""

    preview: PreviewResult | None = None
    fault: Fault | None = None
    unavailable: str | None = None


@dataclass(frozen=True)
class Access:
    """What the API server's access reviews said, just now."""

    revoked: frozenset[str] = frozenset()
    """Uids of the votes whose voters may not approve any more."""
    missing: tuple[str, ...] = ()
    """What the requester may not do, in words."""


@dataclass(frozen=True)
class ProposalView:
    """A proposal and all that bears on it."""

    proposal: ActionProposal
    raw_spec: Json
    world: World
    parent: ActionWorkflow | None = None
    """The workflow whose step it claims to be, if that is live."""
    parent_spec: Json = field(default_factory=dict)
    """Its stored spec."""
    votes: Sequence[ActionApproval] = ()
    """The votes about it, as far as they are known."""
    parent_votes: Sequence[ActionApproval] = ()
    """Those about its workflow."""
    findings: Findings | None = None
    """Gathered for this decision."""
    access: Access | None = None
    """Gathered for this decision."""
    running: bool = False
    """Whether this process runs the open attempt."""
    unstarted: bool = False
    """Whether this process claimed the open attempt but never started it: the claim's answer was lost."""
    report: Report | None = None
    """What the open attempt has come to."""
    progress: str = ""
    """What the open attempt, while it runs here, said last of how far it is."""
    usage: Usage = field(default_factory=Unused)
    """What goes on, for limits."""

    @cached_property
    def policy(self) -> EffectivePolicy:
        return self.world.policy_for(self.proposal.metadata.namespace or "", self.proposal.spec.action, self.requester)

    @property
    def requester(self) -> Requester:
        """Who asks; for a step it is proven only if its workflow's requester is."""
        created = self.proposal.metadata.creation_timestamp
        return self.world.requester(
            self.proposal.spec.requester, created, self.parent.metadata.creation_timestamp if self.parent else created
        )

    @property
    def target(self) -> str | None:
        """What it is done to, if it names that."""
        if self.type is None:
            return None
        return target_of(self.type.fixed, self.proposal.metadata.namespace or "", self.proposal.spec.parameters)

    @property
    def group(self) -> str:
        """All that counts as one action on a target: the steps of a workflow together."""
        return self.parent.metadata.uid if self.parent else self.proposal.metadata.uid

    @property
    def mends(self) -> bool:
        """Whether it takes a step of its workflow back, or runs at the end whatever happened."""
        return self.parent is not None and part_of(self.proposal.metadata).mends

    @cached_property
    def asked(self) -> ApprovalRule:
        """What is asked for now. The approval of a workflow covers its steps, but answers none of their questions."""
        always = self.question is not None
        if self.parent is not None and not always:
            return ApprovalRule()
        return asked_by(self.policy.approvals, self.asker, always=always or self.world.settings.approval_mode)

    @property
    def asker(self) -> Identity | None:
        """Who asks, for telling their own vote from others'; None where nothing proves it, of its workflow either."""
        created = [self.proposal.metadata, *([self.parent.metadata] if self.parent else [])]
        known = all(proven(metadata, self.world.enforcement) for metadata in created)
        return self.proposal.spec.requested_by if known else None

    @cached_property
    def question(self) -> Question | None:
        """What a person must answer before it may start; no approval of its workflow answers that."""
        executors = self.world.catalogue.executors
        if self.type is None or executors.fault(self.type):
            return None
        try:
            return executors.question(self.type, self.proposal.spec.parameters)
        except ValueError:
            return None  # invalid, so it never starts

    @property
    def type(self) -> TypeEntry | None:
        return self.world.catalogue.types.get(self.proposal.spec.action)

    @property
    def runner(self) -> str | None:
        """The ServiceAccount to act as; pinned by the first claim."""
        pinned = self.proposal.status.runner if self.claimed else None
        return pinned or self.proposal.spec.service_account_name or self.policy.runner

    @property
    def open_attempt(self) -> Attempt | None:
        """The attempt that was claimed and has no result yet."""
        attempts = self.proposal.status.attempts
        return attempts[-1] if attempts and attempts[-1].result is None else None

    @property
    def claimed(self) -> bool:
        return bool(self.proposal.status.attempts)

    @property
    def validated(self) -> bool:
        """Whether Validated=True was once written: from then on, losing leave blocks the object but never ends it."""
        return self.proposal.status.digest is not None

    @property
    def grace_end(self) -> datetime:
        """Until when what it misses may still arrive."""
        return deadlines.grace_end(self.proposal.metadata, self.world.settings)

    @property
    def start_by(self) -> datetime | None:
        """When the first claim must have been made; None once it was, or if there is no such deadline."""
        return None if self.claimed else deadlines.start_by(self.proposal.spec, self.proposal.metadata)

    @property
    def end(self) -> datetime:
        """When the whole is over, its workflow included; what mends has its own time."""
        own = deadlines.end_of(self.proposal.spec, self.proposal.metadata)
        if self.parent is None or self.mends:
            return own
        return min(own, deadlines.end_of(self.parent.spec, self.parent.metadata))

    @property
    def next_deadline(self) -> datetime:
        return min(filter(None, (self.start_by, self.end)))

    @property
    def timeout_seconds(self) -> int:
        return timeout_seconds(self.proposal.spec.timeout_seconds, self.type, self.world.settings)

    @property
    def waiting_seconds(self) -> int:
        """How long its preconditions may be waited for, on top of the time of one attempt."""
        return max((check.timeout_seconds or 0 for check in self.proposal.spec.preconditions), default=0)

    @property
    def retry(self) -> RetryConfig:
        """Raises ValueError if the merged settings contradict each other."""
        own = self.proposal.spec.retry
        return retry_config(self.type, own.wire() if own else None)

    @property
    def retry_under_way(self) -> RetryConfig:
        """The same for an attempt that was made; if its type contradicts the proposal since, the longer wait holds."""
        own = self.proposal.spec.retry
        merged = RetryConfig().wire() | merged_retry(self.type, own.wire() if own else None)
        return RetryConfig.model_validate(
            merged | {"maxWaitSeconds": max(merged["minWaitSeconds"], merged["maxWaitSeconds"])}
        )


@dataclass(frozen=True)
class WorkflowView:
    """A workflow, its children and all that bears on it."""

    workflow: ActionWorkflow
    raw_spec: Json
    world: World
    children: Mapping[str, "Child"]
    """By proposal name; a child that was looked for and not found is there as `Child(None, ...)`."""
    votes: Sequence[ActionApproval] = ()
    """The votes about it, as far as they are known."""
    findings: Mapping[str, Findings] | None = None
    """Gathered for this decision, by step name."""
    access: Access | None = None
    """Gathered for this decision."""
    earlier: "Earlier | None" = None
    """Gathered for this decision, where it retries another workflow."""
    runbook: RunbookEntry | None = None
    """The runbook that it names, as it is now. Once it is pinned this makes no difference."""
    replacement: str | None = None
    """The next run of its schedule, where that is to take its place."""
    values: bool = True
    """Whether its parameters have values; those of a runbook that nobody runs have none."""

    @property
    def grace_end(self) -> datetime:
        """Until when what it misses may still arrive."""
        return deadlines.grace_end(self.workflow.metadata, self.world.settings)

    @property
    def replaced_by(self) -> str | None:
        """The run of its schedule for which it is cancelled; once noted, it stays so."""
        return self.workflow.status.replaced_by or self.replacement

    @property
    def cancelled(self) -> bool:
        return is_cancelled(self.workflow, self.replacement)

    @property
    def start_by(self) -> datetime | None:
        """When the first step must have started; None if there is no such deadline."""
        return deadlines.start_by(self.workflow.spec, self.workflow.metadata)

    @property
    def end(self) -> datetime:
        """When the whole is over."""
        return deadlines.end_of(self.workflow.spec, self.workflow.metadata)

    @property
    def next_deadline(self) -> datetime:
        return min(filter(None, (self.start_by, self.end)))

    @cached_property
    def asked(self) -> ApprovalRule:
        """What policies ask for now, for all that may run for it together."""
        always = self.world.settings.approval_mode
        requester = who_asked(self.workflow.spec.requested_by, self.workflow.metadata, self.world.enforcement)
        return together([asked_by(policy.approvals, requester, always=always) for policy in self.policies])

    @cached_property
    def plan(self) -> Plan:
        """What it runs as it was written."""
        return plan_of(self.workflow, self.runbook.runbook.spec if self.runbook else None)

    @cached_property
    def definition(self) -> Definition:
        """What it does."""
        return definition_of(self.workflow, self.plan, values=self.values)

    @cached_property
    def actions(self) -> tuple[str, ...]:
        """Names of all action types that may run for it, those that take steps back included."""
        named = set(self.plan.actions)
        if self.plan.on_failure is OnFailure.ROLLBACK:
            for step in self.plan.steps:
                named |= self.world.catalogue.inverses(step.action) if step.undo is None else set()
        return tuple(sorted(named))

    @property
    def policies(self) -> tuple[EffectivePolicy, ...]:
        """The merged policy of each action that may run for it."""
        return tuple(map(self.policy_of, self.actions))

    def policy_of(self, action: str) -> EffectivePolicy:
        requester = self.world.requester(self.workflow.spec.requester, self.workflow.metadata.creation_timestamp)
        return self.world.policy_for(self.workflow.metadata.namespace or "", action, requester)

    def runner_of(self, action: str) -> str | None:
        """The ServiceAccount that the action would act as."""
        return self.workflow.spec.service_account_name or self.policy_of(action).runner


@dataclass(frozen=True)
class Earlier:
    """The workflow that is retried as last read, None if there is none of its name."""

    workflow: ActionWorkflow | None


@dataclass(frozen=True)
class Child:
    """A step's proposal as last read, None if it does not exist."""

    proposal: ActionProposal | None
    raw_spec: Json
