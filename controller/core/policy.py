"""What the policies that match an action say together: the strictest wins (table: docs/spec/actionpolicy.md)."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_network
from itertools import chain
from typing import Generic, TypeVar

from controller.api.base import unknown_fields
from controller.api.names import Mode
from controller.api.policy import ActionPolicy, ApprovalRule, Freeze, Limits, PolicySpec, Protect, TargetRule, Window
from controller.core.kinds import listing_fault
from controller.core.limits import counted_by_one
from controller.core.matching import Fit, PolicySubject, fit
from controller.core.ports import Egress, Network
from controller.core.shard import EVERYTHING, SHARD_LABEL, Shard
from controller.core.windows import zone_faults

R = TypeVar("R")

NOT_CARRIED_OUT = "is not carried out by this version of the operator; remove it"
COUNTED_ELSEWHERE = (
    "is counted by the operator of the policy's own shard, which does not see this action: give the policy and all "
    f"that it limits the same label {SHARD_LABEL}, or remove the limit"
)


@dataclass(frozen=True)
class Stated(Generic[R]):
    """A rule, and the policy that states it."""

    policy: str
    rule: R
    sure: bool = True
    """Whether the policy is surely about the action; if not, only what the rule forbids holds."""


@dataclass(frozen=True)
class SpecFault:
    """What is wrong with a policy: the path of the field, and what to do about it."""

    path: str
    message: str


@dataclass(frozen=True)
class EffectivePolicy:
    """The merged rules for one action. A name beside a rule is the policy that it comes from."""

    mode: Mode | None = None
    mode_from: str | None = None
    halted_by: str | None = None
    runner: str | None = None
    conflict: str | None = None
    """Message, where two policies name different runners."""
    fault: Stated[SpecFault] | None = None
    """Of a policy that cannot be carried out as it stands: what it matches is blocked."""
    egress: Egress = field(default_factory=Egress)
    kinds: frozenset[str] | None = None
    """What generic actions may touch, `group/Kind`; None = no policy that surely matches names any: nothing."""
    approvals: tuple[Stated[ApprovalRule], ...] = ()
    windows: tuple[Stated[tuple[Window, ...]], ...] = ()
    """Something starts only inside at least one window of each of these."""
    freezes: tuple[Stated[Freeze], ...] = ()
    limits: tuple[Stated[Limits], ...] = ()
    """Each holds by itself: it is about all that its own policy matches."""
    protect: tuple[Stated[Protect], ...] = ()
    dynamic_targets: bool = False
    """Whether what an action touches may follow from what earlier steps gave."""


def effective(policies: Sequence[ActionPolicy], subject: PolicySubject, shard: Shard = EVERYTHING) -> EffectivePolicy:
    """Merges all policies that match the subject. What restricts counts from all, what gives leave from sure ones.

    `shard`: what is worked on here, the subject among it.
    """
    fits = {policy.metadata.name: fit(policy, subject) for policy in policies}
    matching = [policy for policy in policies if fits[policy.metadata.name] is not Fit.NO]
    sure = {name for name, found in fits.items() if found is Fit.YES}
    mode, mode_from = _strictest_mode(matching, sure)
    runner, conflict = _agreed_runner(matching, sure)
    return EffectivePolicy(
        mode=mode,
        mode_from=mode_from,
        halted_by=next((policy.metadata.name for policy in matching if policy.spec.halt), None),
        runner=runner,
        conflict=conflict,
        fault=next(
            (
                Stated(policy.metadata.name, fault)
                for policy in matching
                for fault in chain(spec_faults(policy.spec), _shard_faults(policy, shard))
            ),
            None,
        ),
        egress=_egress(matching, sure),
        kinds=_shared((p.spec.kinds.allowed, p.metadata.name in sure) for p in matching if p.spec.kinds),
        windows=tuple(Stated(p.metadata.name, p.spec.windows) for p in matching if p.spec.windows),
        freezes=tuple(Stated(p.metadata.name, freeze) for p in matching for freeze in p.spec.freezes),
        limits=tuple(Stated(p.metadata.name, limits) for p in matching if (limits := _given(p.spec.limits))),
        protect=tuple(Stated(p.metadata.name, p.spec.protect) for p in matching if p.spec.protect),
        approvals=tuple(
            Stated(p.metadata.name, p.spec.approval, p.metadata.name in sure) for p in matching if p.spec.approval
        ),
        dynamic_targets=_dynamic_targets(matching, sure),
    )


def spec_faults(spec: PolicySpec) -> Iterator[SpecFault]:
    """Why the policy cannot be carried out as it stands."""
    for path in unsupported_fields(spec):
        yield SpecFault(path, NOT_CARRIED_OUT)
    for index, name in enumerate((spec.kinds.allowed if spec.kinds else None) or ()):
        if message := listing_fault(name):
            yield SpecFault(f"spec.kinds.allowed[{index}]", message)
    for index, message in zone_faults(spec.windows):
        yield SpecFault(f"spec.windows[{index}].timeZone", message)


def _shard_faults(policy: ActionPolicy, shard: Shard) -> Iterator[SpecFault]:
    """Limits that cannot be kept, for others act by them where nobody here sees it."""
    if policy.spec.limits and not shard.fits(policy.metadata.labels):
        for limit in counted_by_one(policy.spec.limits):
            yield SpecFault(f"spec.{limit.value}", COUNTED_ELSEWHERE)


def unsupported_fields(spec: PolicySpec) -> Iterator[str]:
    """Paths of fields that are set but that this operator does not carry out: what matches such a policy is blocked."""
    yield from unknown_fields(spec, "spec")


def _given(limits: Limits | None) -> Limits | None:
    """The limits, if any is set: how long a breaker stays open is none by itself."""
    return limits if limits and limits.model_copy(update={"breaker_reset_seconds": None}) != Limits() else None


def _strictest_mode(policies: Sequence[ActionPolicy], sure: set[str]) -> tuple[Mode | None, str | None]:
    for wanted in (Mode.OBSERVE, Mode.EXECUTE):
        for policy in policies:
            name = policy.metadata.name
            if policy.spec.mode is wanted and (wanted is Mode.OBSERVE or name in sure):
                return wanted, name
    return None, None


def _dynamic_targets(policies: Sequence[ActionPolicy], sure: set[str]) -> bool:
    """Whether one policy surely allows it and none denies it."""
    said = [(policy.spec.dynamic_targets, policy.metadata.name in sure) for policy in policies]
    return (TargetRule.ALLOW, True) in said and all(rule is not TargetRule.DENY for rule, _ in said)


def _agreed_runner(policies: Sequence[ActionPolicy], sure: set[str]) -> tuple[str | None, str | None]:
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
    return (runner if any(name in sure for _, name in named) else None), None


def _egress(policies: Sequence[ActionPolicy], sure: set[str]) -> Egress:
    rules = [(policy.spec.http, policy.metadata.name in sure) for policy in policies if policy.spec.http]
    hosts = _shared((rule.allowed_hosts, giving) for rule, giving in rules)
    private = _shared((rule.allowed_private, giving) for rule, giving in rules) or ()
    return Egress(hosts, tuple(network for text in sorted(private) if (network := _network(text))))


def _shared(lists: Iterable[tuple[tuple[str, ...] | None, bool]]) -> frozenset[str] | None:
    """What all lists that are given have in common; None where none of them gives leave."""
    given = [(frozenset(names), giving) for names, giving in lists if names is not None]
    if not any(giving for _, giving in given):
        return None
    return frozenset.intersection(*(names for names, _ in given))


def _network(text: str) -> Network | None:
    try:
        return ip_network(text)
    except ValueError:
        return None  # not a network: allows nothing
