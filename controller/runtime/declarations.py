"""What the cluster declares, kept parsed: action types with their digests, policies, labels of namespaces."""

import logging
from collections.abc import Mapping

from pydantic import ValidationError

from controller.api.actiontype import ActionType
from controller.api.policy import ActionPolicy
from controller.core.digest import type_digest
from controller.core.ports import Json
from controller.core.settings import Settings
from controller.core.view import BuiltIns, Catalogue, TypeEntry, World

logger = logging.getLogger(__name__)


class Declarations:
    """The declared types, policies and namespaces; a snapshot of them is the `World` of a decision."""

    def __init__(self, built_ins: BuiltIns, settings: Settings) -> None:
        self._built_ins = built_ins
        self._settings = settings
        self._types: dict[str, TypeEntry] = {}
        self._policies: dict[str, ActionPolicy] = {}
        self._namespaces: dict[str, Mapping[str, str]] = {}
        self._worlds: dict[str, World] = {}
        """By namespace, as long as nothing that is declared changes."""

    @property
    def types(self) -> Mapping[str, TypeEntry]:
        return self._types

    @property
    def policies(self) -> Mapping[str, ActionPolicy]:
        return self._policies

    def put_type(self, raw: Json) -> bool:
        """Takes the type up; whether what it declares changed. One that cannot be read counts as absent."""
        self._worlds.clear()
        name = raw["metadata"]["name"]
        before = self._types.get(name)
        try:
            entry = TypeEntry(ActionType.model_validate(raw), raw["spec"], type_digest(raw["spec"]))
        except ValueError as error:
            logger.warning("ActionType %s cannot be read and counts as absent: %s", name, error)
            return self._types.pop(name, None) is not None
        self._types[name] = entry
        return before is None or before.digest != entry.digest

    def put_policy(self, raw: Json) -> bool:
        """Takes the policy up; whether what it declares changed.

        One that cannot be read halts everything: a rule that nobody understands must not be passed over.
        """
        self._worlds.clear()
        name = raw["metadata"]["name"]
        before = self._policies.get(name)
        try:
            policy = ActionPolicy.model_validate(raw)
        except ValidationError as error:
            logger.warning("ActionPolicy %s cannot be read and halts everything: %s", name, error)
            policy = ActionPolicy.model_validate({"metadata": raw["metadata"], "spec": {"halt": True}})
        self._policies[name] = policy
        return before is None or before.spec != policy.spec

    def put_namespace(self, raw: Json) -> bool:
        """Takes the namespace's labels up; whether they changed."""
        self._worlds.clear()
        name = raw["metadata"]["name"]
        labels = raw["metadata"].get("labels") or {}
        changed = self._namespaces.get(name) != labels
        self._namespaces[name] = labels
        return changed

    def remove_type(self, name: str) -> bool:
        self._worlds.clear()
        return self._types.pop(name, None) is not None

    def remove_policy(self, name: str) -> bool:
        self._worlds.clear()
        return self._policies.pop(name, None) is not None

    def remove_namespace(self, name: str) -> bool:
        self._worlds.clear()
        return self._namespaces.pop(name, None) is not None

    def world(self, namespace: str) -> World:
        """What a decision about an object of that namespace is based on."""
        world = self._worlds.get(namespace)
        if world is None:
            world = self._worlds[namespace] = World(
                catalogue=Catalogue(dict(self._types), self._built_ins),
                policies=tuple(self._policies.values()),
                namespace_labels=self._namespaces.get(namespace, {}),
                settings=self._settings,
            )
        return world
