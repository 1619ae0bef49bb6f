"""What makes a pydantic model a Kubernetes kind: its names, scope, columns and selectable fields."""

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from pydantic import ConfigDict

from controller.api.base import API_VERSION, ApiModel, Rule
from controller.api.common import ObjectMeta


class Scope(StrEnum):
    CLUSTER = "Cluster"
    NAMESPACED = "Namespaced"


@dataclass(frozen=True)
class Column:
    """One column of `kubectl get`; priority 1 shows only with `-o wide`."""

    name: str
    json_path: str
    type: str = "string"
    priority: int = 0


@dataclass(frozen=True)
class KindInfo:
    """The names by which the API server serves a kind."""

    kind: str
    plural: str
    short_name: str
    scope: Scope
    columns: tuple[Column, ...]
    selectable: tuple[str, ...] = ()

    @property
    def singular(self) -> str:
        return self.kind.lower()

    @property
    def namespaced(self) -> bool:
        return self.scope is Scope.NAMESPACED


AGE = Column("Age", ".metadata.creationTimestamp", "date")


class Resource(ApiModel):
    """A stored object. Every kind has a `spec` of its own and, but for approvals, a `status`."""

    model_config = ConfigDict(extra="ignore")

    INFO: ClassVar[KindInfo]

    api_version: str = API_VERSION
    kind: str = ""
    metadata: ObjectMeta


# A finished object must fail a GitOps edit loudly, and its outcome never changes.
FINISHED_RULES = (
    Rule(
        rule="!has(oldSelf.status) || !has(oldSelf.status.outcome) || self.spec == oldSelf.spec",
        message="already finished; propose it again under a new name",
    ),
    Rule(
        rule="!has(oldSelf.status) || !has(oldSelf.status.outcome) || "
        "(has(self.status) && has(self.status.outcome) && self.status.outcome == oldSelf.status.outcome)",
        message="the outcome is final",
    ),
)

# Longer names fit into no label, and the names of what an action creates begin with them.
NAME_RULE = Rule(rule="size(self.metadata.name) <= 63", message="metadata.name must be at most 63 characters long")

CANCEL_LATCH = Rule(
    rule="!oldSelf.cancelled || self.cancelled",
    message="cancelled cannot be taken back; propose it again under a new name",
    field_path=".cancelled",
)


def immutable(wire_name: str, *, required: bool) -> Rule:
    """The field can be neither set, changed nor removed after creation.

    The rule belongs on the parent: one on an optional field itself is bypassed by removing it first.
    """
    same = f"self.{wire_name} == oldSelf.{wire_name}"
    if not required:
        same = f"has(self.{wire_name}) == has(oldSelf.{wire_name}) && (!has(self.{wire_name}) || {same})"
    return Rule(
        rule=same,
        message=f"{wire_name} cannot change after creation; propose it again under a new name",
        field_path=f".{wire_name}",
    )
