"""What a gate may answer, and the answers that proposals and workflows share."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from controller.api.common import Blocked
from controller.api.names import Outcome, Phase, Reason, Transition
from controller.core.decision import Gather
from controller.core.limits import Line
from controller.core.policy import EffectivePolicy
from controller.core.ports import Target
from controller.core.view import Fault, Findings
from controller.core.windows import is_open, next_opening

MAX_FAULTS_TOLD = 20
_RULES = {Reason.RUNNER_MISSING: "serviceAccountName", Reason.KIND_NOT_ALLOWED: "kinds.allowed"}
"""Which rule keeps what was in order once from starting; else it is its type."""
WORKFLOW_KIND = "ActionWorkflow"
PREVIEW_AGAIN = timedelta(seconds=15)
PROTECTED_AGAIN = timedelta(minutes=5)
"""Nothing tells when a target loses a label."""
NO_OPENING_AGAIN = timedelta(days=1)


@dataclass(frozen=True)
class Finish:
    """It ends here."""

    outcome: Outcome
    reason: Reason
    message: str
    transition: Transition
    actor: str | None = None
    """Who ended it, if it was not the operator."""


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
    actor: str | None = None
    """Who keeps it from starting, if it is a person."""
    line: Line | None = None
    """Where to stand until a limit has room; it is called from there, so `until` wakes nobody."""

    def wake_at(self, latest: datetime, now: datetime) -> datetime:
        """When to look again by itself, at the latest then."""
        moments = (self.again_at, None if self.line else self.until)
        return min([latest, *(moment for moment in moments if moment and moment > now)])

    def as_status(self) -> Blocked:
        return Blocked(policy=self.policy, rule=self.rule, until=self.until)


@dataclass(frozen=True)
class Postpone:
    """Say nothing yet: what is missing may still arrive."""

    until: datetime


@dataclass(frozen=True)
class Renew:
    """What was shown to those who vote is not what would run any more: show it anew, votes so far are void."""

    reason: Reason
    message: str


@dataclass(frozen=True)
class Fetch:
    """Decide again with this gathered."""

    what: Gather


Verdict = Finish | Hold | Block | Postpone | Renew | Fetch


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
    return Block(first.reason, _RULES.get(first.reason, "type"), first.message)


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


def window_block(policies: Iterable[EffectivePolicy], now: datetime) -> Block | None:
    """Outside the windows of any policy. Told by the one that opens last: until then nothing changes."""
    rules = {(stated.policy, stated.rule) for policy in policies for stated in policy.windows}
    if all(is_open(windows, now) for _, windows in rules):
        return None
    ordered = sorted(rules, key=lambda rule: rule[0])
    opening = next_opening(ordered, now)
    if opening is None:
        names = ", ".join(name for name, _ in ordered)
        message = f"the windows of policies {names} have no time in common in the next weeks; change one of them"
        return Block(Reason.OUTSIDE_WINDOW, "windows", message, ordered[0][0], again_at=now + NO_OPENING_AGAIN)
    message = f"outside the windows of policy {opening.policy}; the next opens at {opening.at:%Y-%m-%d %H:%M} UTC"
    return Block(Reason.OUTSIDE_WINDOW, "windows", message, opening.policy, until=opening.at)


def freeze_block(policies: Iterable[EffectivePolicy], now: datetime) -> Block | None:
    """In a freeze of any policy; of several, the one that ends last."""
    freezes = [stated for policy in policies for stated in policy.freezes if stated.rule.start <= now < stated.rule.end]
    if not freezes:
        return None
    last = max(freezes, key=lambda stated: (stated.rule.end, stated.policy))
    message = f"policy {last.policy} freezes actions until {last.rule.end:%Y-%m-%d %H:%M} UTC: {last.rule.reason}"
    return Block(Reason.FROZEN, "freezes", message, last.policy, until=last.rule.end)


def protected_block(policy: EffectivePolicy, namespace: str, target: Target | None, now: datetime) -> Block | None:
    """What it works on is protected, by namespace or, where a preview saw the target, by its labels."""
    namespaces = {namespace, target.namespace if target and target.namespace else namespace}
    for stated in policy.protect:
        for name in sorted(namespaces.intersection(stated.rule.namespaces or ())):
            message = f"policy {stated.policy} protects namespace {name}"
            return Block(Reason.PROTECTED, "protect.namespaces", message, stated.policy)
        labels = stated.rule.labels
        if labels and target and labels.items() <= target.labels.items():
            told = ", ".join(f"{key}={value}" for key, value in sorted(labels.items()))
            message = f"policy {stated.policy} protects {target}, which is labelled {told}"
            again_at = now + PROTECTED_AGAIN
            return Block(Reason.PROTECTED, "protect.labels", message, stated.policy, again_at=again_at)
    return None


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
