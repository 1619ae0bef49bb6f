"""Makes views for tests: everything in the form people write it, with defaults that let an action just run.

`view(spec={"suspend": True})` is a proposal that is valid, allowed and due, but for what the test says.
The action types are the shipped catalogue, read by the shipped executors.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from controller.actions.catalogue import catalogue
from controller.actions.registry import Registry, built_ins
from controller.api.actiontype import ActionType
from controller.api.approval import ActionApproval
from controller.api.base import rfc3339
from controller.api.common import Change, LifecycleStatus, Undo
from controller.api.names import Reason
from controller.api.policy import ActionPolicy
from controller.api.proposal import ActionProposal, Attempt, ProposalStatus
from controller.api.workflow import ActionWorkflow, WorkflowStatus
from controller.core.attempt_report import Effect, Report
from controller.core.digest import type_digest
from controller.core.enforcement import Enforcement
from controller.core.limits import PolicyUsage, TargetUsage, Unused, Usage
from controller.core.operation import new_operation
from controller.core.ports import Done, Json, PreviewResult
from controller.core.settings import Settings
from controller.core.view import Access, Chance, Child, Earlier, Fault, Findings, ProposalView, WorkflowView
from controller.core.world import Catalogue, TypeEntry, World

NOW = datetime(2026, 11, 22, 15, 4, 5, tzinfo=UTC)
CREATED = NOW - timedelta(minutes=5)
"""Long enough ago that nothing may still arrive."""
UID, WORKFLOW_UID = "0b1f3c9e-0000-4000-8000-000000000001", "0b1f3c9e-0000-4000-8000-0000000000ff"
SETTINGS = Settings(owner="operator-1")
CHANCE = Chance(0.5, UUID(int=0x1234_5678_9ABC_DEF0, version=4))
DIGEST = "sha256:" + "d" * 64
PROVEN = Enforcement(CREATED - timedelta(days=30), None)
"""The API server proves who asks and who votes, since long ago."""
UNPROVEN = Enforcement(None, "ValidatingAdmissionPolicy x is missing; apply config/admission of this version")

SCALE: Json = {"action": "scale-workload", "parameters": {"kind": "Deployment", "name": "checkout", "replicas": 6}}
POST: Json = {"action": "http-request", "parameters": {"method": "POST", "url": "https://hooks.example.com/page"}}
"""At most once, and needs no runner."""
LOG: Json = {"action": "log-message", "parameters": {"message": "hello"}}
"""Needs no runner."""

EXECUTE: Json = {"mode": "Execute"}
OBSERVE: Json = {"mode": "Observe"}
HALT: Json = {"halt": True}

SCALE_PREVIEW = PreviewResult(
    summary="Scale Deployment shop/checkout from 3 to 6 replicas.",
    changes=(Change(target="Deployment shop/checkout", path="spec.replicas", before=3, after=6),),
    undo=Undo(action="scale-workload", parameters={"kind": "Deployment", "name": "checkout", "replicas": 3}),
)
SEEN = Findings(preview=SCALE_PREVIEW)

REGISTRY: Registry = built_ins(lambda: NOW)
SHIPPED: Mapping[str, Json] = {manifest["metadata"]["name"]: manifest for manifest in catalogue(REGISTRY)}


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def type_entry(name: str, like: str | None = None, **changes: Any) -> TypeEntry:
    """A shipped type, or one made like it, with fields of its spec changed."""
    manifest = SHIPPED[like or name]
    spec = {**manifest["spec"], **changes}
    made = ActionType.model_validate({**manifest, "metadata": {"name": name, "generation": 1}, "spec": spec})
    return TypeEntry(made, spec, type_digest(spec))


SHIPPED_TYPES = tuple(type_entry(name) for name in SHIPPED)


def policy(spec: Json, name: str = "rules") -> ActionPolicy:
    return ActionPolicy.model_validate({"metadata": {"name": name}, "spec": spec})


def named(policies: Mapping[str, Json] | Sequence[Json]) -> tuple[ActionPolicy, ...]:
    """Policies by name, or in a row: then they are called policy-0, policy-1, ..."""
    if not isinstance(policies, Mapping):
        policies = {f"policy-{number}": spec for number, spec in enumerate(policies)}
    return tuple(policy(spec, name) for name, spec in policies.items())


def world(
    *,
    policies: Mapping[str, Json] | Sequence[Json] = (EXECUTE,),
    types: Iterable[TypeEntry] = SHIPPED_TYPES,
    labels: Mapping[str, str] | None = None,
    settings: Settings = SETTINGS,
    enforcement: Enforcement = UNPROVEN,
) -> World:
    known = {entry.type.metadata.name: entry for entry in types}
    return World(Catalogue(known, REGISTRY), named(policies), labels or {}, settings, enforcement)


def proposal(
    spec: Json | None = None,
    status: Json | LifecycleStatus | None = None,
    *,
    created: datetime = CREATED,
    **metadata: Any,
) -> tuple[ActionProposal, Json]:
    """A proposal and its stored spec. `spec` is laid over one that scales a Deployment as `checkout-ops`."""
    raw_spec = {"reason": "queue depth", "serviceAccountName": "checkout-ops", **SCALE, **(spec or {})}
    raw_spec = {name: value for name, value in raw_spec.items() if value is not None}
    made = ActionProposal.model_validate(
        {
            "kind": "ActionProposal",
            "metadata": {
                "name": "scale-checkout", "namespace": "shop", "uid": UID, "generation": 1,
                "creationTimestamp": rfc3339(created), **metadata,
            },
            "spec": raw_spec,
            "status": status.wire() if isinstance(status, LifecycleStatus) else status or {},
        }
    )  # fmt: skip
    return made, raw_spec


def view(
    spec: Json | None = None,
    status: Json | ProposalStatus | None = None,
    *,
    policies: Mapping[str, Json] | Sequence[Json] = (EXECUTE,),
    types: Iterable[TypeEntry] = SHIPPED_TYPES,
    labels: Mapping[str, str] | None = None,
    settings: Settings = SETTINGS,
    created: datetime = CREATED,
    metadata: Json | None = None,
    parent: ActionWorkflow | None = None,
    findings: Findings | None = SEEN,
    votes: Sequence[ActionApproval] = (),
    parent_votes: Sequence[ActionApproval] = (),
    access: Access | None = None,
    enforcement: Enforcement = UNPROVEN,
    running: bool = False,
    unstarted: bool = False,
    report: Report | None = None,
    progress: str = "",
    usage: Usage | None = None,
) -> ProposalView:
    """A proposal that may run, and its world. `findings` None = no preview gathered for this decision."""
    made, raw_spec = proposal(spec, status, created=created, **(metadata or {}))
    return ProposalView(
        proposal=made,
        raw_spec=raw_spec,
        world=world(policies=policies, types=types, labels=labels, settings=settings, enforcement=enforcement),
        parent=parent,
        votes=votes,
        parent_votes=parent_votes,
        access=access,
        findings=findings,
        running=running,
        unstarted=unstarted,
        report=report,
        progress=progress,
        usage=usage or Unused(),
    )


def with_status(seen: ProposalView, status: ProposalStatus, **changes: Any) -> ProposalView:
    """The same view after that status was stored."""
    stored = ProposalStatus.model_validate(status.wire())
    return replace(seen, proposal=seen.proposal.model_copy(update={"status": stored}), **changes)


def fault(message: str = "there is no Deployment", *, missing: bool = True, reason: str = "TargetMissing") -> Findings:
    return Findings(fault=Fault(Reason(reason), message, missing=missing))


VALIDATED: Json = {
    "observedGeneration": 1,
    "phase": "Pending",
    "digest": DIGEST,
    "requestDigest": DIGEST,
    "runner": "checkout-ops",
    "mode": "Execute",
    "preview": {"summary": SCALE_PREVIEW.summary, "computedAt": rfc3339(CREATED)},
    "history": [
        {"n": 1, "at": rfc3339(CREATED), "reason": "Proposed", "actor": "unverified:unknown"},
        {"n": 2, "at": rfc3339(CREATED), "reason": "Validated", "actor": "action-operator"},
    ],
    "conditions": [
        {
            "type": "Validated", "status": "True", "reason": "Valid", "lastTransitionTime": rfc3339(CREATED),
            "observedGeneration": 1,
        },
    ],
}  # fmt: skip
"""A status with Validated=True and nothing else done."""


def claimed(*attempts: Json, **status: Any) -> Json:
    """A status with these attempts."""
    return {**VALIDATED, "phase": "Running", "startedAt": rfc3339(NOW), **status, "attempts": list(attempts)}


def attempt(number: int = 1, result: str | None = None, *, of: str = "scale-workload", **fields: Any) -> Json:
    """An attempt as stored; without a result it is open. All have one operation unless told otherwise."""
    entry = type_entry(of)
    made: Json = {
        "number": number,
        "id": f"attempt-{number}",
        "operation": new_operation(CREATED, CHANCE.entropy),
        "owner": SETTINGS.owner,
        "typeDigest": entry.digest,
        "idempotent": entry.type.spec.idempotent,
        "startedAt": rfc3339(CREATED),
        "deadline": rfc3339(after(300)),
    }
    if result:
        made |= {"result": result, "finishedAt": rfc3339(NOW)}
    return made | fields


def vote(
    by: str = "bob",
    digest: str = DIGEST,
    *,
    name: str | None = None,
    groups: Sequence[str] = (),
    decision: str = "Approve",
    at: datetime = NOW - timedelta(minutes=1),
    actions: Sequence[str] = ("scale-workload",),
    subject: Json | None = None,
    approver: Json | None = None,
    comment: str = "",
) -> ActionApproval:
    """A vote on `view()`'s proposal that counts, but for what the test says. `approver` {} = none is named."""
    who = {"username": by, "groups": list(groups)} if approver is None else approver
    return ActionApproval.model_validate(
        {
            "metadata": {"name": name or f"{by}-{decision.lower()}", "namespace": "shop", "uid": f"uid-{name or by}",
                         "creationTimestamp": rfc3339(at)},
            "spec": {
                "subject": {"kind": "ActionProposal", "name": "scale-checkout", "uid": UID, **(subject or {})},
                "digest": digest, "actions": list(actions), "decision": decision, "comment": comment,
                **({"approver": who} if who else {}),
            },
        }
    )  # fmt: skip


def on_digest(cast: ActionApproval, digest: str | None) -> ActionApproval:
    """The same vote, on that digest."""
    return cast.model_copy(update={"spec": cast.spec.model_copy(update={"digest": digest})})


def attempts(*raw: Json) -> tuple[Attempt, ...]:
    return tuple(Attempt.model_validate(one) for one in raw)


def report(effect: Effect, *, of: str = "attempt-1", at: datetime = NOW, **facts: Any) -> Report:
    """What the open attempt came to; a verified one is done by definition."""
    if facts.get("verified"):
        facts.setdefault("done", Done("done"))
    facts.setdefault("message", "it answered")
    return Report(of, effect, at, **facts)


@dataclass(frozen=True)
class FixedUsage:
    """A usage where the same goes on whoever asks. `target` None = ends are not read yet."""

    policy: PolicyUsage = field(default_factory=PolicyUsage)
    target: TargetUsage | None = field(default_factory=TargetUsage)

    def of_policy(self, policy: str, uid: str, now: datetime) -> PolicyUsage:
        return self.policy

    def of_target(self, policy: str, target: str, group: str) -> TargetUsage | None:
        return self.target


def workflow(
    spec: Json | None = None,
    status: Json | WorkflowStatus | None = None,
    *,
    steps: Sequence[Json] = (),
    created: datetime = CREATED,
    name: str = "roll-out",
    uid: str = WORKFLOW_UID,
) -> tuple[ActionWorkflow, Json]:
    """A workflow and its stored spec. Steps say their name and what differs from writing a log line."""
    raw_spec = {
        "description": "Roll it out",
        "reason": "release",
        "steps": [{**LOG, **step} for step in steps or ({"name": "one"}, {"name": "two"})],
        **(spec or {}),
    }
    made = ActionWorkflow.model_validate(
        {
            "kind": "ActionWorkflow",
            "metadata": {
                "name": name, "namespace": "shop", "uid": uid, "generation": 1, "creationTimestamp": rfc3339(created),
            },
            "spec": raw_spec,
            "status": status.wire() if isinstance(status, LifecycleStatus) else status or {},
        }
    )  # fmt: skip
    return made, raw_spec


def workflow_view(
    spec: Json | None = None,
    status: Json | WorkflowStatus | None = None,
    *,
    steps: Sequence[Json] = (),
    children: Mapping[str, Child] | None = None,
    policies: Mapping[str, Json] | Sequence[Json] = (EXECUTE,),
    types: Iterable[TypeEntry] = SHIPPED_TYPES,
    created: datetime = CREATED,
    findings: Mapping[str, Findings] | str | None = "all seen",
    votes: Sequence[ActionApproval] = (),
    access: Access | str | None = "all allowed",
    enforcement: Enforcement = UNPROVEN,
    earlier: Earlier | None = None,
) -> WorkflowView:
    """A workflow that may run, and its world. `findings`, `access` None = not gathered for this decision."""
    made, raw_spec = workflow(spec, status, steps=steps, created=created)
    if isinstance(findings, str):
        findings = {step.name: SEEN for step in made.spec.steps}
    return WorkflowView(
        workflow=made,
        raw_spec=raw_spec,
        world=world(policies=policies, types=types, enforcement=enforcement),
        children=children or {},
        votes=votes,
        findings=findings,
        access=Access() if isinstance(access, str) else access,
        earlier=earlier,
    )
