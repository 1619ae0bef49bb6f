"""Which policies are about an action: every field of `match` that is given must fit, and why one does not is told."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum

from controller.api.names import Risk
from controller.api.policy import ActionPolicy, Match


@dataclass(frozen=True)
class Requester:
    """Who asks, as the object says; `proven`: the API server itself has written or checked the name."""

    username: str
    proven: bool


UNPROVEN = Requester("", proven=False)


@dataclass(frozen=True)
class PolicySubject:
    """What a policy is matched against."""

    namespace: str
    namespace_labels: Mapping[str, str]
    action: str
    risk: Risk | None
    requester: Requester = UNPROVEN


class Fit(Enum):
    """Whether a policy is about an action."""

    NO = "no"
    YES = "yes"
    MAYBE = "maybe"
    """It names requesters, and who asks is not proven: what it forbids holds, what it gives leave to does not."""


def fit(policy: ActionPolicy, subject: PolicySubject) -> Fit:
    match = policy.spec.match
    if next(mismatches(match, subject), None):
        return Fit.NO
    return Fit.YES if match.requesters is None or subject.requester.proven else Fit.MAYBE


def matches(policy: ActionPolicy, subject: PolicySubject) -> bool:
    """Whether the policy restricts the action."""
    return fit(policy, subject) is not Fit.NO


def mismatches(match: Match, subject: PolicySubject) -> Iterator[str]:
    """Why it is not about the subject, field by field. An unknown risk and an unproven requester fit everything."""
    if match.namespaces is not None and subject.namespace not in match.namespaces:
        yield f"match.namespaces: {subject.namespace} is not among {_listed(match.namespaces)}"
    for label, wanted in (match.namespace_labels or {}).items():
        found = subject.namespace_labels.get(label)
        if found != wanted:
            has = f"is {found}" if found is not None else "is missing"
            yield f"match.namespaceLabels: {label} of namespace {subject.namespace} {has}, must be {wanted}"
    if match.actions is not None and subject.action not in match.actions:
        yield f"match.actions: {subject.action} is not among {_listed(match.actions)}"
    if match.risks is not None and subject.risk is not None and subject.risk not in match.risks:
        yield f"match.risks: {subject.risk} is not among {_listed(match.risks)}"
    requester = subject.requester
    if match.requesters is not None and requester.proven and requester.username not in match.requesters:
        yield f"match.requesters: {requester.username} is not among {_listed(match.requesters)}"


MOST_LISTED = 8


def _listed(names: tuple[str, ...]) -> str:
    if not names:
        return "none (the list is empty)"
    more = f" and {len(names) - MOST_LISTED} more" if len(names) > MOST_LISTED else ""
    return ", ".join(names[:MOST_LISTED]) + more
