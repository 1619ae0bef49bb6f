"""What the policies that match an action say together: the strictest wins (table: docs/spec/actionpolicy.md)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_network

from controller.api.base import unknown_fields
from controller.api.names import Mode, Risk
from controller.api.policy import ActionPolicy, ApprovalRule, PolicySpec, TargetRule
from controller.core.ports import Egress, Network


@dataclass(frozen=True)
class PolicySubject:
    """What a policy is matched against."""

    namespace: str
    namespace_labels: Mapping[str, str]
    action: str
    risk: Risk | None


@dataclass(frozen=True)
class EffectivePolicy:
    """The merged rules for one action. A name beside a rule is the policy that it comes from."""

    mode: Mode | None = None
    mode_from: str | None = None
    halted_by: str | None = None
    runner: str | None = None
    conflict: str | None = None
    """Message, where two policies name different runners."""
    unsupported: tuple[str, str] | None = None
    """Policy and path of a field that this operator does not carry out."""
    egress: Egress = field(default_factory=Egress)
    approvals: tuple[tuple[str, ApprovalRule], ...] = ()
    """What each policy, by name, says of approvals."""


def effective(policies: Sequence[ActionPolicy], subject: PolicySubject) -> EffectivePolicy:
    """Merges all policies that match the subject."""
    matching = [policy for policy in policies if matches(policy, subject)]
    mode, mode_from = _strictest_mode(matching)
    runner, conflict = _agreed_runner(matching)
    return EffectivePolicy(
        mode=mode,
        mode_from=mode_from,
        halted_by=next((policy.metadata.name for policy in matching if policy.spec.halt), None),
        runner=runner,
        conflict=conflict,
        unsupported=next(
            ((policy.metadata.name, path) for policy in matching for path in unsupported_fields(policy.spec)),
            None,
        ),
        egress=_egress(matching),
        approvals=tuple((policy.metadata.name, policy.spec.approval) for policy in matching if policy.spec.approval),
    )


def matches(policy: ActionPolicy, subject: PolicySubject) -> bool:
    """Whether every field of `match` that is given fits. An action of unknown risk fits every `risks`."""
    match = policy.spec.match
    labels = subject.namespace_labels
    return (
        (match.namespaces is None or subject.namespace in match.namespaces)
        and (match.actions is None or subject.action in match.actions)
        and (match.risks is None or subject.risk is None or subject.risk in match.risks)
        and all(labels.get(key) == value for key, value in (match.namespace_labels or {}).items())
    )


def unsupported_fields(spec: PolicySpec) -> Iterator[str]:
    """Paths of fields that are set but that this operator does not carry out: what matches such a policy is blocked."""
    yield from unknown_fields(spec, "spec")
    if spec.match.requesters is not None:
        yield "spec.match.requesters"
    for name in ("kinds", "limits", "protect", "windows", "freezes"):
        if getattr(spec, name):
            yield f"spec.{name}"
    if spec.dynamic_targets is TargetRule.ALLOW:
        yield "spec.dynamicTargets"


def _strictest_mode(policies: Sequence[ActionPolicy]) -> tuple[Mode | None, str | None]:
    for wanted in (Mode.OBSERVE, Mode.EXECUTE):
        for policy in policies:
            if policy.spec.mode is wanted:
                return wanted, policy.metadata.name
    return None, None


def _agreed_runner(policies: Sequence[ActionPolicy]) -> tuple[str | None, str | None]:
    named = [(p.spec.service_account_name, p.metadata.name) for p in policies if p.spec.service_account_name]
    if not named:
        return None, None
    runner, first = named[0]
    for other, policy in named[1:]:
        if other != runner:
            return None, (
                f"policies {first} and {policy} name different runners ({runner}, {other}); "
                "make their spec.serviceAccountName agree or name one in the proposal"
            )
    return runner, None


def _egress(policies: Sequence[ActionPolicy]) -> Egress:
    rules = [policy.spec.http for policy in policies if policy.spec.http]
    hosts = [frozenset(rule.allowed_hosts) for rule in rules if rule.allowed_hosts is not None]
    private = [rule.allowed_private for rule in rules if rule.allowed_private is not None]
    shared = set(private[0]).intersection(*private[1:]) if private else set[str]()
    return Egress(
        hosts=frozenset.intersection(*hosts) if hosts else None,
        private=tuple(network for text in sorted(shared) if (network := _network(text))),
    )


def _network(text: str) -> Network | None:
    try:
        return ip_network(text)
    except ValueError:
        return None  # not a network: allows nothing
