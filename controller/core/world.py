"""What every decision shares, as of one moment: action types, policies, settings, whether identities are proven."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Protocol

from controller.api.actiontype import ActionType
from controller.api.base import unknown_fields
from controller.api.common import RetryConfig
from controller.api.policy import ActionPolicy
from controller.core.actors import NOT_LOOKED, proven_at
from controller.core.answers import Question
from controller.core.enforcement import Enforcement
from controller.core.matching import UNPROVEN, PolicySubject, Requester
from controller.core.parameters import ParameterSchema
from controller.core.policy import EffectivePolicy, effective
from controller.core.ports import Json
from controller.core.settings import Settings


@dataclass(frozen=True)
class Traits:
    """What a built-in executor says of an action with given parameters."""

    needs_runner: bool
    idempotent: bool
    kind: str | None = None
    """Of a generic action: the kind that it touches, as policies name kinds (`core.kinds`)."""


@dataclass(frozen=True)
class TypeEntry:
    """An ActionType of the cluster's catalogue with its raw spec and digest. Made once for each version of the type."""

    type: ActionType
    raw_spec: Json
    digest: str

    @cached_property
    def unknown_field(self) -> str | None:
        """Path of the first field that the models do not know."""
        return next(unknown_fields(self.type.spec, "spec"), None)

    @cached_property
    def fixed(self) -> frozenset[str]:
        """Names of the parameters that say what is touched, or which secrets are used."""
        properties = self.type.spec.parameters.get("properties") or {}
        return frozenset(name for name, schema in properties.items() if schema.get("fixed") or schema.get("secret"))

    @cached_property
    def parameters(self) -> ParameterSchema:
        """Its parameter schema, ready for use."""
        return ParameterSchema(self.type.spec.parameters)


class Executors(Protocol):
    """The executors behind action types. Pure: no I/O."""

    def fault(self, entry: TypeEntry) -> str | None:
        """Why nothing here runs the type, with the path and what to do: `spec.executor.builtIn.name: ...`."""
        ...

    def traits(self, entry: TypeEntry, parameters: Json | None) -> Traits:
        """Only for types without a fault. Parameters None = not known yet: what holds for all of them.

        Raises ValueError, one fault a line, for parameters it cannot read.
        """
        ...

    def inverses(self, entry: TypeEntry) -> frozenset[str]:
        """Names of the types that its own undo may use."""
        ...

    def question(self, entry: TypeEntry, parameters: Json) -> Question | None:
        """What must be answered before it may start, None for most. Only for types without a fault.

        Raises ValueError for parameters it cannot read.
        """
        ...


@dataclass(frozen=True)
class Catalogue:
    """All action types of the cluster by name, and the executors behind them."""

    types: Mapping[str, TypeEntry]
    executors: Executors

    def inverses(self, action: str) -> frozenset[str]:
        """Names of the types by which the action's own undo may take it back; none for a type that cannot run."""
        entry = self.types.get(action)
        usable = entry is not None and self.executors.fault(entry) is None
        return self.executors.inverses(entry) if entry and usable else frozenset()


@dataclass(frozen=True)
class World:
    """What every decision shares."""

    catalogue: Catalogue
    policies: Sequence[ActionPolicy]
    namespace_labels: Mapping[str, str]
    settings: Settings
    enforcement: Enforcement = NOT_LOOKED
    _merged: dict[tuple[str, str, Requester], EffectivePolicy] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    """What `policy_for` has worked out: many decisions share one world."""

    def policy_for(self, namespace: str, action: str, requester: Requester) -> EffectivePolicy:
        requester = self._told_apart(requester)
        merged = self._merged.get((namespace, action, requester))
        if merged is None:
            entry = self.catalogue.types.get(action)
            risk = entry.type.spec.risk if entry else None
            subject = PolicySubject(namespace, self.namespace_labels, action, risk, requester)
            merged = effective(self.policies, subject, self.settings.shard)
            if entry:  # names that nobody declared are endless
                self._merged[namespace, action, requester] = merged
        return merged

    def requester(self, username: str | None, *created: datetime | None) -> Requester:
        """Who asks, by the name in the object. `created`: when it was made, and its workflow if it is a step."""
        return Requester(username, proven_at(self.enforcement, *created)) if username else UNPROVEN

    @cached_property
    def _requesters(self) -> frozenset[str] | None:
        """Those that policies name; None where none names any."""
        named = [policy.spec.match.requesters for policy in self.policies if policy.spec.match.requesters is not None]
        return frozenset().union(*named) if named else None

    def _told_apart(self, requester: Requester) -> Requester:
        """The requester as far as policies make a difference: user names are endless."""
        if self._requesters is None or not requester.proven:
            return UNPROVEN
        return requester if requester.username in self._requesters else Requester("", proven=True)


def timeout_seconds(own: int | None, entry: TypeEntry | None, settings: Settings) -> int:
    """Seconds for one attempt: the object's, else the type's, else the operator's."""
    default = entry.type.spec.defaults.timeout_seconds if entry else None
    return own or default or settings.default_timeout_seconds


def retry_config(entry: TypeEntry | None, *overrides: Json | None) -> RetryConfig:
    """The retry settings in force, field by field: later overrides win over earlier, over the type's defaults."""
    return RetryConfig.model_validate(merged_retry(entry, *overrides))


def merged_retry(entry: TypeEntry | None, *overrides: Json | None) -> Json:
    """The same before it is checked."""
    defaults = entry.type.spec.defaults.retry if entry else None
    merged: Json = defaults.wire() if defaults else {}
    for override in overrides:
        merged |= override or {}
    return merged
