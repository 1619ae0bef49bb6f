"""What the judge of approvals keeps: who asked, who voted, what was shown, claimed and noted, in words of its own."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

Json = dict[str, Any]
Quorum = tuple[str, int, tuple[str, ...]]
"""Policy, how many, of which groups."""

SETTLED = timedelta(seconds=5)
DAY = 86_400
MACHINE = "system:serviceaccount:"
WORKFLOW, PROPOSAL = "ActionWorkflow", "ActionProposal"


@dataclass(frozen=True)
class Person:
    """A user as the API server knows them."""

    name: str
    groups: tuple[str, ...] = ()

    @property
    def is_machine(self) -> bool:
        return self.name.startswith(MACHINE)


@dataclass(frozen=True)
class Asked:
    """A request and who really made it."""

    kind: str
    name: str
    uid: str
    by: Person
    at: datetime
    actions: tuple[str, ...]
    parent: str | None = None


@dataclass(frozen=True)
class Cast:
    """A vote and who really cast it."""

    by: Person
    groups: tuple[str, ...]
    namespace: str
    about: tuple[str, str, str]
    """Kind, name, uid."""
    digest: str
    actions: tuple[str, ...]
    decision: str
    at: datetime


@dataclass(frozen=True)
class Shown:
    """What a digest stood for when it was shown: the types that would run, and the values that would be changed."""

    types: Mapping[str, int]
    before: tuple[Any, ...]


@dataclass(frozen=True)
class Claim:
    """An attempt as it was claimed, and why it must have no effect."""

    number: int
    id: str
    operation: str
    type_version: int
    faults: tuple[str, ...]


NO_CLAIM = Claim(0, "none", "none", 0, ("nothing was claimed",))


@dataclass
class Noted:
    """The strictest that was ever published for an object."""

    quorums: set[Quorum] = field(default_factory=set)
    allow_self: bool = True
    valid: int = 10**9
    proceed: bool = True


def newest(status: Json) -> int:
    attempts = status.get("attempts") or ()
    return attempts[-1]["number"] if attempts else 0


def running(status: Json) -> bool:
    return any(step.get("uid") for step in status.get("steps") or ())


def matches(spec: Json, action: str) -> bool:
    actions = (spec.get("match") or {}).get("actions")
    return actions is None or action in actions


def quorums_of(progress: Json) -> set[Quorum]:
    return {(q.get("policy", ""), q["required"], tuple(q.get("groups") or ())) for q in progress.get("quorums") or ()}


def covered(quorum: Quorum, by: set[Quorum]) -> bool:
    policy, needed, groups = quorum
    return any((policy, groups) == (other[0], other[2]) and needed <= other[1] for other in by)
