"""What a decision sees: the object, and all that bears on it, as of one moment. Built by the runtime, never changed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import Protocol
from uuid import UUID

from controller.api.actiontype import ActionType
from controller.api.approval import ActionApproval
from controller.api.base import unknown_fields
from controller.api.common import RetryConfig
from controller.api.names import Reason
from controller.api.policy import ActionPolicy
from controller.api.proposal import ActionProposal, Attempt, LifecycleSpec
from controller.api.workflow import ActionWorkflow, Step
from controller.core.actors import NOT_LOOKED, proven_at, who_asked
from controller.core.approvals import ApprovalRule, asked_by, together
from controller.core.attempt_report import Report
from controller.core.enforcement import Enforcement
from controller.core.limits import Unused, Usage
from controller.core.matching import UNPROVEN, PolicySubject, Requester
from controller.core.parameters import ParameterSchema
from controller.core.policy import EffectivePolicy, effective
from controller.core.ports import Json, PreviewResult
from controller.core.settings import Settings
from controller.core.targets import target_of


@dataclass(frozen=True)
class Chance:
    """Randomness for one decision: `jitter` in [0, 1), `entropy` for new identifiers."""

    jitter: float
    entropy: UUID


@dataclass(frozen=True)
class Traits:
    """What a built-in executor says of an action with given parameters."""

    needs_runner: bool
    idempotent: bool


class BuiltIns(Protocol):
    """The executors that this operator ships. Pure: no I/O."""

    def version(self, name: str) -> int | None:
        """Version of the executor, None if there is none of that name."""
        ...

    def traits(self, name: str, parameters: Json) -> Traits:
        """Raises ValueError with one fault a line if the executor cannot read the parameters."""
        ...


@dataclass(frozen=True)
class TypeEntry:
    """An ActionType of the cluster's catalogue with its raw spec and digest. Made once for each version of the type."""

    type: ActionType
    raw_spec: Json
    digest: str

    @cached_property
    def unknown_field(self) -> str | None:
        """Path of the first field that the models do not know."""
        return next(unknown_fields(self.type.spec, "spec"), None)

    @cached_property
    def fixed(self) -> frozenset[str]:
        """Names of the parameters that say what is touched."""
        properties = self.type.spec.parameters.get("properties") or {}
        return frozenset(name for name, schema in properties.items() if schema.get("fixed") is True)

    @cached_property
    def parameters(self) -> ParameterSchema:
        """Its parameter schema, ready for use."""
        return ParameterSchema(self.type.spec.parameters)


@dataclass(frozen=True)
class Catalogue:
    """All action types of the cluster by name, and the executors behind them."""

    types: Mapping[str, TypeEntry]
    built_ins: BuiltIns


@dataclass(frozen=True)
class Fault:
    """Something wrong with the object. `missing` = it may still arrive, so it is final only after the grace time."""

    reason: Reason
    message: str
    missing: bool = False


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
class World:
    """What every decision shares."""

    catalogue: Catalogue
    policies: Sequence[ActionPolicy]
    namespace_labels: Mapping[str, str]
    settings: Settings
    enforcement: Enforcement = NOT_LOOKED
    _merged: dict[tuple[str, str, Requester], EffectivePolicy] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    """What `policy_for` has worked out: many decisions share one world."""

    def policy_for(self, namespace: str, action: str, requester: Requester) -> EffectivePolicy:
        requester = self._told_apart(requester)
        merged = self._merged.get((namespace, action, requester))
        if merged is None:
            entry = self.catalogue.types.get(action)
            risk = entry.type.spec.risk if entry else None
            subject = PolicySubject(namespace, self.namespace_labels, action, risk, requester)
            merged = effective(self.policies, subject)
            if entry:  # names that nobody declared are endless
                self._merged[namespace, action, requester] = merged
        return merged

    def requester(self, spec: LifecycleSpec, *created: datetime | None) -> Requester:
        """Who asks. `created`: when the object was made, and its workflow if it is a step."""
        return Requester(spec.requester or "", proven_at(self.enforcement, *created))

    @cached_property
    def _requesters(self) -> frozenset[str] | None:
        """Those that policies name; None where none names any."""
        named = [policy.spec.match.requesters for policy in self.policies if policy.spec.match.requesters is not None]
        return frozenset().union(*named) if named else None

    def _told_apart(self, requester: Requester) -> Requester:
        """The requester as far as policies make a difference: user names are endless."""
        if self._requesters is None or not requester.proven:
            return UNPROVEN
        return requester if requester.username in self._requesters else Requester("", proven=True)


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
            self.proposal.spec, created, self.parent.metadata.creation_timestamp if self.parent else created
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

    @cached_property
    def asked(self) -> ApprovalRule:
        """What policies ask for now. The approval of a workflow covers its steps."""
        if self.parent is not None:
            return ApprovalRule()
        requester = who_asked(self.proposal.spec.requested_by, self.proposal.metadata, self.world.enforcement)
        return asked_by(self.policy.approvals, requester, always=self.world.settings.approval_mode)

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
    def timeout_seconds(self) -> int:
        return timeout_seconds(self.proposal.spec.timeout_seconds, self.type, self.world.settings)

    @property
    def retry(self) -> RetryConfig:
        """Raises ValueError if the merged settings contradict each other."""
        own = self.proposal.spec.retry
        return retry_config(self.type, own.wire() if own else None)

    @property
    def retry_under_way(self) -> RetryConfig:
        """The same for an attempt that was made; if its type contradicts the proposal since, the longer wait holds."""
        own = self.proposal.spec.retry
        merged = RetryConfig().wire() | _merged_retry(self.type, own.wire() if own else None)
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

    @cached_property
    def asked(self) -> ApprovalRule:
        """What policies ask for now, for all its steps together."""
        spec, always = self.workflow.spec, self.world.settings.approval_mode
        actions = {step.action: step for step in spec.steps}
        rules = (self.policy_of(step).approvals for step in actions.values())
        requester = who_asked(spec.requested_by, self.workflow.metadata, self.world.enforcement)
        return together([asked_by(rule, requester, always=always) for rule in rules])

    def policy_of(self, step: Step) -> EffectivePolicy:
        requester = self.world.requester(self.workflow.spec, self.workflow.metadata.creation_timestamp)
        return self.world.policy_for(self.workflow.metadata.namespace or "", step.action, requester)

    def runner_of(self, step: Step) -> str | None:
        """The ServiceAccount that the step's action would act as."""
        return self.workflow.spec.service_account_name or self.policy_of(step).runner


@dataclass(frozen=True)
class Child:
    """A step's proposal as last read, None if it does not exist."""

    proposal: ActionProposal | None
    raw_spec: Json


def timeout_seconds(own: int | None, entry: TypeEntry | None, settings: Settings) -> int:
    """Seconds for one attempt: the object's, else the type's, else the operator's."""
    default = entry.type.spec.defaults.timeout_seconds if entry else None
    return own or default or settings.default_timeout_seconds


def retry_config(entry: TypeEntry | None, *overrides: Json | None) -> RetryConfig:
    """The retry settings in force, field by field: later overrides win over earlier, over the type's defaults."""
    return RetryConfig.model_validate(_merged_retry(entry, *overrides))


def _merged_retry(entry: TypeEntry | None, *overrides: Json | None) -> Json:
    defaults = entry.type.spec.defaults.retry if entry else None
    merged: Json = defaults.wire() if defaults else {}
    for override in overrides:
        merged |= override or {}
    return merged


def due_from(spec: LifecycleSpec, created: datetime) -> datetime:
    """When the object may start at the earliest; its deadlines count from here."""
    return max(created, spec.not_before) if spec.not_before else created


def deadline(spec: LifecycleSpec, created: datetime) -> datetime:
    """When the whole is over."""
    return due_from(spec, created) + timedelta(seconds=spec.active_deadline_seconds)
