"""Why an action is treated as it is: which policies are about it, and what each contributes to the merged rules.

For people, so values are text as one would write them in a policy. Agrees with `core.policy` about what is in force.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from pydantic import BaseModel

from controller.api.base import rfc3339
from controller.api.policy import ActionPolicy, Freeze, Window
from controller.core.approvals import REQUEST_TIMEOUT_SECONDS, VALID_SECONDS, shortest
from controller.core.matching import Fit, PolicySubject, fit, mismatches
from controller.core.policy import spec_faults


@dataclass(frozen=True)
class Contribution:
    """One rule of one policy. `field` is its path in spec: `limits.maxConcurrent`."""

    field: str
    value: str
    in_force: bool
    """Whether it is the rule that applies, or a part of it. Else a stricter one of another policy does."""


@dataclass(frozen=True)
class Considered:
    """One policy: whether it is about the action, why not, and what it contributes if it is."""

    policy: str
    fit: Fit
    why_not: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()
    """Why it cannot be carried out as it stands, so that what it matches is blocked."""
    contributions: tuple[Contribution, ...] = ()


@dataclass(frozen=True)
class RuleInForce:
    """One merged rule, and the policies that it comes from: none where they contradict each other."""

    field: str
    value: str
    policies: tuple[str, ...]


@dataclass(frozen=True)
class Explanation:
    """All policies, those that match first, each by name; and the merged rules in the order of the spec."""

    policies: tuple[Considered, ...]
    rules: tuple[RuleInForce, ...]


class Merge(Enum):
    """How the rules of several policies for the same thing become one."""

    LEAST = "the least number"
    MOST = "the greatest number"
    STRICTER = "the stricter word"
    EACH = "each policy's own holds"
    SHARED = "what all have in common"
    AGREED = "all must name the same"


MERGED: Mapping[str, Merge] = {
    "mode": Merge.STRICTER,
    "halt": Merge.STRICTER,
    "approval.required": Merge.MOST,
    "approval.requiredFromMachines": Merge.MOST,
    "approval.groups": Merge.EACH,
    "approval.allowSelf": Merge.STRICTER,
    "approval.validSeconds": Merge.LEAST,
    "approval.requestTimeoutSeconds": Merge.LEAST,
    "approval.onDrift": Merge.STRICTER,
    "serviceAccountName": Merge.AGREED,
    "http.allowedHosts": Merge.SHARED,
    "http.allowedPrivate": Merge.SHARED,
    "kinds.allowed": Merge.SHARED,
    "dynamicTargets": Merge.STRICTER,
    "limits.maxConcurrent": Merge.EACH,
    "limits.maxPerHour": Merge.EACH,
    "limits.perTargetCooldownSeconds": Merge.EACH,
    "limits.maxConsecutiveFailures": Merge.EACH,
    "limits.breakerResetSeconds": Merge.EACH,
    "protect.namespaces": Merge.EACH,
    "protect.labels": Merge.EACH,
    "windows": Merge.EACH,
    "freezes": Merge.EACH,
}
"""By path in spec, in its order. A field that is not here is one that this version does not know."""

STRICT: Mapping[str, Any] = {
    "mode": "Observe", "halt": True, "approval.allowSelf": False, "approval.onDrift": "Reapprove",
    "dynamicTargets": "Deny",
}  # fmt: skip


DEFAULTS: Mapping[str, int] = {
    "approval.validSeconds": VALID_SECONDS,
    "approval.requestTimeoutSeconds": REQUEST_TIMEOUT_SECONDS,
}
"""Of what is merged to the least number, where no policy that is surely about the action gives one."""


@dataclass(frozen=True)
class _Said:
    """One value of one field of one policy; `sure`: it gives leave too, not only restricts."""

    policy: str
    sure: bool
    value: Any


def explain(policies: Sequence[ActionPolicy], subject: PolicySubject) -> Explanation:
    """What each policy has to do with the subject. `policies`: all of the cluster."""
    by_name = sorted(policies, key=lambda policy: policy.metadata.name)
    fits = {policy.metadata.name: fit(policy, subject) for policy in by_name}
    matching = [policy for policy in by_name if fits[policy.metadata.name] is not Fit.NO]
    said: dict[str, list[_Said]] = {path: [] for path in MERGED}
    for policy in matching:
        name = policy.metadata.name
        for path, value in _fields(policy.spec, ""):
            if path in MERGED:
                said[path].append(_Said(name, fits[name] is Fit.YES, value))
    rules = {path: tuple(_merged(path, values)) for path, values in said.items() if values}
    return Explanation(
        policies=(
            *(_matching(policy, fits[policy.metadata.name], said, rules) for policy in matching),
            *(
                Considered(policy.metadata.name, Fit.NO, tuple(mismatches(policy.spec.match, subject)))
                for policy in by_name
                if fits[policy.metadata.name] is Fit.NO
            ),
        ),
        rules=tuple(rule for found in rules.values() for rule in found),
    )


def _matching(
    policy: ActionPolicy,
    found: Fit,
    said: Mapping[str, Sequence[_Said]],
    rules: Mapping[str, tuple[RuleInForce, ...]],
) -> Considered:
    name = policy.metadata.name
    return Considered(
        name,
        found,
        faults=tuple(f"{fault.path}: {fault.message}" for fault in spec_faults(policy.spec)),
        contributions=tuple(
            Contribution(path, _text(one.value), any(name in rule.policies for rule in rules.get(path, ())))
            for path, values in said.items()
            for one in values
            if one.policy == name
        ),
    )


def _merged(path: str, said: Sequence[_Said]) -> Iterator[RuleInForce]:
    """The rule or rules in force for a field; none where only policies that may not give leave state it."""
    match MERGED[path]:
        case Merge.EACH:
            for one in said:
                yield RuleInForce(path, _text(one.value), (one.policy,))
        case Merge.LEAST:
            least = shortest(((one.value, one.sure) for one in said), DEFAULTS[path])
            if any(one.value == least for one in said):
                yield _of(path, least, said)
        case Merge.MOST:
            yield _of(path, max(one.value for one in said), said)
        case Merge.STRICTER:
            strict = [one for one in said if one.value == STRICT[path]]
            if counting := strict or [one for one in said if one.sure]:
                yield _of(path, counting[0].value, counting)
        case Merge.SHARED if any(one.sure for one in said):
            shared = set(said[0].value).intersection(*(one.value for one in said))
            yield RuleInForce(path, _text(tuple(sorted(shared))), tuple(one.policy for one in said))
        case Merge.AGREED if len(named := {one.value for one in said}) > 1:
            yield RuleInForce(path, f"contradicting: {', '.join(sorted(named))}", ())
        case Merge.AGREED if any(one.sure for one in said):
            yield _of(path, said[0].value, said)


def _of(path: str, value: Any, said: Sequence[_Said]) -> RuleInForce:
    return RuleInForce(path, _text(value), tuple(one.policy for one in said if one.value == value))


def _fields(model: BaseModel, prefix: str) -> Iterator[tuple[str, Any]]:
    """The fields that are given, but for `match`, by their paths."""
    for name, field in type(model).model_fields.items():
        value = getattr(model, name)
        path = prefix + (field.alias or name)
        if path == "match" or value is None or (value == () and path in ("windows", "freezes")):
            continue
        if isinstance(value, BaseModel):
            yield from _fields(value, f"{path}.")
        else:
            yield path, value


def _text(value: Any) -> str:
    match value:
        case bool():
            return str(value).lower()
        case Window():
            days = f"{', '.join(value.days)} " if value.days else ""
            return f"{days}{value.start}-{value.end} {value.time_zone}"
        case Freeze():
            return f"{rfc3339(value.start)} to {rfc3339(value.end)}: {value.reason}"
        case tuple() if value and isinstance(value[0], BaseModel):
            return "; ".join(map(_text, value))
        case tuple():
            return ", ".join(map(str, value)) or "none"
        case dict():
            return ", ".join(f"{key}={item}" for key, item in value.items()) or "none"
        case _:
            return str(value)
