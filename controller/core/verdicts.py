"""What a gate may answer, and the answers that proposals and workflows share."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from controller.api.common import Blocked
from controller.api.names import Outcome, Phase, Reason, Transition
from controller.core.decision import Gather
from controller.core.policy import EffectivePolicy
from controller.core.view import Fault, Findings

MAX_FAULTS_TOLD = 20
WORKFLOW_KIND = "ActionWorkflow"
PREVIEW_AGAIN = timedelta(seconds=15)


@dataclass(frozen=True)
class Finish:
    """It ends here."""

    outcome: Outcome
    reason: Reason
    message: str
    transition: Transition


@dataclass(frozen=True)
class Hold:
    """It is in order, but not due yet."""

    phase: Phase
    reason: Reason
    message: str
    until: datetime


@dataclass(frozen=True)
class Block:
    """It is due, and something keeps it from starting. It goes on when that changes, or at `until`."""

    reason: Reason
    rule: str
    message: str
    policy: str | None = None
    until: datetime | None = None
    again_at: datetime | None = None
    """When to look again where nothing tells that it ended; not shown."""

    def as_status(self) -> Blocked:
        return Blocked(policy=self.policy, rule=self.rule, until=self.until)


@dataclass(frozen=True)
class Postpone:
    """Say nothing yet: what is missing may still arrive."""

    until: datetime


@dataclass(frozen=True)
class Fetch:
    """Decide again with this gathered."""

    what: Gather


Verdict = Finish | Hold | Block | Postpone | Fetch


def refusal(faults: list[Fault], grace_end: datetime, now: datetime) -> Finish | Postpone | None:
    if not faults:
        return None
    if all(fault.missing for fault in faults) and now < grace_end:
        return Postpone(grace_end)
    told = [fault.message for fault in faults[:MAX_FAULTS_TOLD]]
    if len(faults) > MAX_FAULTS_TOLD:
        told.append(f"and {len(faults) - MAX_FAULTS_TOLD} more")
    return Finish(Outcome.FAILED, faults[0].reason, "; ".join(told), Transition.VALIDATION_FAILED)


def faults_block(faults: list[Fault]) -> Block | None:
    """Why what was found in order once cannot start as things are now."""
    if not faults:
        return None
    first = faults[0]
    rule = "serviceAccountName" if first.reason is Reason.RUNNER_MISSING else "type"
    return Block(first.reason, rule, first.message)


def halt_block(policy: EffectivePolicy) -> Block | None:
    if policy.halted_by is None:
        return None
    return Block(Reason.HALTED, "halt", f"policy {policy.halted_by} has halted actions", policy.halted_by)


def policy_block(policy: EffectivePolicy) -> Block | None:
    if policy.fault is None:
        return None
    name, fault = policy.fault.policy, policy.fault.rule
    message = f"policy {name}: {fault.path} {fault.message}"
    return Block(Reason.POLICY_NOT_SUPPORTED, fault.path.removeprefix("spec."), message, name)


def no_leave(policy: EffectivePolicy) -> str:
    if policy.mode_from:
        return f"policy {policy.mode_from} only observes"
    return "no matching ActionPolicy has mode: Execute"


def no_preview_now(findings: Findings | None, now: datetime) -> Block | None:
    """What to say while a preview cannot be had, through no fault of the object."""
    if findings is None or findings.unavailable is None:
        return None
    message = f"the preview cannot be had now, it is asked for again: {findings.unavailable}"
    return Block(Reason.PREVIEW_UNAVAILABLE, "preview", message, again_at=now + PREVIEW_AGAIN)
