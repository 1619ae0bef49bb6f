"""Proposals and workflows as they are listed together: raw JSON and, if this program understands it, the model."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property

import pydantic

from controller.api.proposal import ActionProposal
from controller.api.workflow import ActionWorkflow
from controller.cli.data import clean, full_name
from controller.core.ports import Json

Model = ActionProposal | ActionWorkflow
Kind = type[ActionProposal] | type[ActionWorkflow]

SHORT: dict[Kind, str] = {ActionProposal: "ap", ActionWorkflow: "aw"}
_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Item:
    """One object of the API server."""

    kind: Kind
    raw: Json

    @property
    def name(self) -> str:
        return str(self.raw["metadata"]["name"])

    @property
    def namespace(self) -> str:
        return str(self.raw["metadata"].get("namespace", ""))

    @property
    def uid(self) -> str:
        return str(self.raw["metadata"].get("uid", ""))

    @property
    def short(self) -> str:
        """`ap/scale-checkout`, as every command takes it."""
        return f"{SHORT[self.kind]}/{self.name}"

    @property
    def full(self) -> str:
        """`actionproposal.actionoperator.dev/scale-checkout`, as `kubectl get -o name` writes it."""
        return full_name(self.kind.INFO, self.name)

    @cached_property
    def model(self) -> Model | None:
        """None where a newer operator wrote what this program cannot read."""
        try:
            return self.kind.model_validate(self.raw)
        except (pydantic.ValidationError, ArithmeticError):
            return None

    def clean(self) -> Json:
        """The object for people and files."""
        return clean(self.raw, self.kind.INFO)


def newest_last(items: Iterable[Item]) -> list[Item]:
    """In the order of their creation; a workflow before the steps that it made within the same second."""
    return sorted(items, key=lambda item: (_created(item), item.kind is ActionProposal, item.namespace, item.name))


def _created(item: Item) -> datetime:
    text = item.raw["metadata"].get("creationTimestamp")
    return datetime.fromisoformat(text) if text else _NEVER
