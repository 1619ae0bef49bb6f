"""The cluster's rules as far as the user may read them, and what they say about a request. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from controller.api.actiontype import ActionType
from controller.api.names import ConditionType, Mode
from controller.api.policy import ActionPolicy
from controller.client.errors import ObserveOnlyError, ValidationError
from controller.core.matching import PolicySubject, Requester
from controller.core.parameters import parameter_faults
from controller.core.policy import effective
from controller.core.ports import Json
from controller.core.validation import unknown_action


@dataclass(frozen=True)
class Asked:
    """One action that is asked for. `path` is how faults name it: `spec` or `spec.steps[drain]`."""

    path: str
    action: str
    parameters: Json
    computed: frozenset[str] = frozenset()
    """Paths of parameters that are not known yet."""


@dataclass(frozen=True)
class Rules:
    """What was read of the cluster. None = the user may not read it: that check is left to the operator."""

    namespace: str
    types: Mapping[str, ActionType] | None
    policies: Sequence[ActionPolicy] | None
    namespace_labels: Mapping[str, str] | None

    def check(self, asked: Sequence[Asked], mode: Mode, username: str | None = None) -> None:
        """Raises ValueError (an unknown action), ObserveOnlyError or ValidationError, in this order.

        `username`: who asks; None = the API server does not tell.
        """
        self._refuse_unknown(asked)
        if mode is Mode.EXECUTE:
            self._refuse_observed(asked, username)
        faults = [fault for one in asked for fault in self._faults(one)]
        if faults:
            raise ValidationError(faults)

    def _refuse_unknown(self, asked: Iterable[Asked]) -> None:
        types = self.types
        if types is None:
            return
        unknown = [
            f"{one.path}.action: {unknown_action(types, one.action)}" for one in asked if one.action not in types
        ]
        if unknown:
            raise ValueError("\n".join(unknown))

    def _refuse_observed(self, asked: Iterable[Asked], username: str | None) -> None:
        if self.policies is None or self.namespace_labels is None:
            return
        if username is None and any(policy.spec.match.requesters is not None for policy in self.policies):
            return
        requester = Requester(username or "", proven=True)  # the API server sees to it that the name is ours
        for action in dict.fromkeys(one.action for one in asked):
            entry = (self.types or {}).get(action)
            risk = entry.spec.risk if entry else None
            subject = PolicySubject(self.namespace, self.namespace_labels, action, risk, requester)
            policy = effective(self.policies, subject)
            if policy.mode is Mode.EXECUTE:
                continue
            why = (
                f"policy {policy.mode_from} lets {action} only be observed in namespace {self.namespace}"
                if policy.mode_from
                else f"no policy says mode: Execute for {action} in namespace {self.namespace}"
            )
            raise ObserveOnlyError(f'{why}; propose it with mode="DryRun", or ask the platform team to let it run')

    def _faults(self, one: Asked) -> Iterator[str]:
        entry = (self.types or {}).get(one.action)
        if entry is None:
            return
        for condition in entry.status.conditions:
            if condition.type is ConditionType.READY and condition.status == "False":
                yield f"{one.path}.action: ActionType {one.action} cannot run here: {condition.message}"
        yield from parameter_faults(entry.spec.parameters, one.parameters, f"{one.path}.parameters", one.computed)
