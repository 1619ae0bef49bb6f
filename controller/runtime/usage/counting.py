"""Which policies count an action against their limits. Knows policies and what an action is, not what goes on."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from controller.api.policy import Limits
from controller.core.matching import Requester
from controller.core.ports import Json
from controller.core.targets import target_of
from controller.core.view import ProposalView
from controller.runtime.declarations import Declarations
from controller.runtime.views import owner_of


class Subject(NamedTuple):
    """What decides which policies an action is counted by."""

    namespace: str
    action: str
    requester: Requester


class Action(NamedTuple):
    """What limits need to know of an action. `target` and `group` as in `ProposalView`."""

    subject: Subject
    target: str | None
    group: str

    @classmethod
    def seen_by(cls, view: ProposalView) -> "Action":
        spec, metadata = view.proposal.spec, view.proposal.metadata
        return cls(Subject(metadata.namespace or "", spec.action, view.requester), view.target, view.group)


class Counting:
    """The limits of the declared policies, and whom they are about."""

    def __init__(self, declarations: Declarations) -> None:
        self._declarations = declarations

    def action_of(self, raw: Json) -> Action:
        """That of a stored proposal."""
        metadata, spec = raw["metadata"], raw["spec"]
        world = self._declarations.world(metadata["namespace"])
        created = datetime.fromisoformat(metadata["creationTimestamp"])
        requester = world.requester((spec.get("requestedBy") or {}).get("username"), created)
        entry = world.catalogue.types.get(spec["action"])
        target = target_of(entry.fixed, metadata["namespace"], spec.get("parameters") or {}) if entry else None
        owner = owner_of(raw)
        subject = Subject(metadata["namespace"], spec["action"], requester)
        return Action(subject, target, owner["uid"] if owner else metadata["uid"])

    def policies(self, subject: Subject) -> Iterator[str]:
        """Those that limit it."""
        world = self._declarations.world(subject.namespace)
        limits = world.policy_for(subject.namespace, subject.action, subject.requester).limits
        return (stated.policy for stated in limits)

    def counts(self, policy: str, subject: Subject) -> bool:
        """Whether the policy limits it."""
        return policy in self.policies(subject)

    def exists(self, policy: str) -> bool:
        return policy in self._declarations.policies

    def limits(self, policy: str) -> Limits:
        declared = self._declarations.policies.get(policy)
        return (declared.spec.limits if declared else None) or Limits()

    def longest_cooldown(self) -> timedelta:
        """Of all policies: what ended longer ago bears on no cooldown."""
        seconds = (self.limits(name).per_target_cooldown_seconds or 0 for name in self._declarations.policies)
        return timedelta(seconds=max(seconds, default=0))
