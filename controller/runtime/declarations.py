"""What the cluster declares, kept parsed: types with their digests, policies, runbooks, labels of namespaces."""

import logging
from collections.abc import Mapping
from typing import NamedTuple

from pydantic import ValidationError

from controller.api.actiontype import ActionType
from controller.api.policy import ActionPolicy
from controller.core.actors import NOT_LOOKED
from controller.core.digest import type_digest
from controller.core.enforcement import Enforcement
from controller.core.ports import Json
from controller.core.runbook import RunbookEntry, entry_of
from controller.core.settings import Settings
from controller.core.shard import shard_of
from controller.core.world import Catalogue, Executors, TypeEntry, World

logger = logging.getLogger(__name__)

DELETED_KEPT = 1024


class Place(NamedTuple):
    """Where a declaration is: its namespace, empty for what belongs to the whole cluster, and its name."""

    namespace: str
    name: str


def place_of(raw: Json) -> Place:
    return Place(raw["metadata"].get("namespace") or "", raw["metadata"]["name"])


class Declarations:
    """The declared types, policies, runbooks and namespaces; a snapshot of them is the `World` of a decision."""

    def __init__(self, executors: Executors, settings: Settings) -> None:
        self._executors = executors
        self._settings = settings
        self._types: dict[str, TypeEntry] = {}
        self._policies: dict[str, ActionPolicy] = {}
        self._runbooks: dict[Place, RunbookEntry] = {}
        self._namespaces: dict[str, Mapping[str, str]] = {}
        self._worlds: dict[str, World] = {}
        """By namespace, as long as nothing that is declared changes."""
        self._seen: dict[tuple[str, Place], tuple[str, int]] = {}
        """uid and resource version of each declaration, by kind and place: an older one never replaces a newer."""
        self._deleted: dict[str, int] = {}
        """Last known resource version by uid of what was deleted lately."""
        self.unreadable: dict[str, str] = {}
        """Policies that cannot be read, and why."""
        self.gone: dict[str, ActionPolicy] = {}
        """Deleted policies as they were last, until somebody has told of it."""
        self._enforcement = NOT_LOOKED

    @property
    def types(self) -> Mapping[str, TypeEntry]:
        return self._types

    @property
    def policies(self) -> Mapping[str, ActionPolicy]:
        return self._policies

    @property
    def runbooks(self) -> Mapping[Place, RunbookEntry]:
        return self._runbooks

    @property
    def enforcement(self) -> Enforcement:
        """Whether the API server proves who asks and who votes."""
        return self._enforcement

    @enforcement.setter
    def enforcement(self, found: Enforcement) -> None:
        self._enforcement = found
        self._worlds.clear()

    def knows_namespace(self, name: str) -> bool:
        """Whether its labels are known: without them no policy can be said not to match."""
        return name in self._namespaces

    def places(self, kind: str) -> set[Place]:
        """What is known of a kind: `ActionType`, `ActionPolicy`, `ActionRunbook` or `Namespace`."""
        return {place for known, place in self._seen if known == kind}

    def _news(self, kind: str, raw: Json) -> bool:
        """Whether this is newer than what is known; if so, it is from now on."""
        metadata = raw["metadata"]
        key, seen = (kind, place_of(raw)), (metadata.get("uid", ""), int(metadata.get("resourceVersion") or 0))
        known = self._seen.get(key)
        if seen[1] and seen[1] <= self._deleted.get(seen[0], 0):
            return False  # read by a list before it was deleted
        if known and known[0] == seen[0] and seen[1] and known[1] >= seen[1]:
            return False
        self._seen[key] = seen
        if kind != "ActionRunbook":
            self._worlds.clear()
        return True

    def _forget(self, kind: str, name: str, namespace: str = "") -> None:
        self._worlds.clear()
        uid, version = self._seen.pop((kind, Place(namespace, name)), ("", 0))
        if uid:
            self._deleted[uid] = version
            if len(self._deleted) > DELETED_KEPT:
                del self._deleted[next(iter(self._deleted))]

    def put_type(self, raw: Json) -> bool:
        """Takes the type up; whether what it declares changed. One that cannot be read counts as absent."""
        if not self._news("ActionType", raw):
            return False
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
        if not self._news("ActionPolicy", raw):
            return False
        name = raw["metadata"]["name"]
        before = self._policies.get(name)
        self.unreadable.pop(name, None)
        try:
            policy = ActionPolicy.model_validate(raw)
        except ValidationError as error:
            logger.warning("ActionPolicy %s cannot be read and halts everything: %s", name, error)
            self.unreadable[name] = "; ".join(f"{_path(fault['loc'])}: {fault['msg']}" for fault in error.errors())
            policy = ActionPolicy.model_validate({"metadata": raw["metadata"], "spec": {"halt": True}})
        self._policies[name] = policy
        return before is None or before.spec != policy.spec or _shard_changed(before, policy)

    def put_runbook(self, raw: Json) -> bool:
        """Takes the runbook up; whether what it declares changed. One that cannot be read counts as absent."""
        if not self._news("ActionRunbook", raw):
            return False
        place = place_of(raw)
        before = self._runbooks.get(place)
        try:
            entry = entry_of(raw)
        except ValidationError as error:
            logger.warning("ActionRunbook %s/%s cannot be read and counts as absent: %s", *place, error)
            return self._runbooks.pop(place, None) is not None
        self._runbooks[place] = entry
        return (
            before is None
            or before.raw_spec != entry.raw_spec
            or before.runbook.spec.edited_by != entry.runbook.spec.edited_by
        )

    def put_namespace(self, raw: Json) -> bool:
        """Takes the namespace's labels up; whether they changed."""
        if not self._news("Namespace", raw):
            return False
        name = raw["metadata"]["name"]
        labels = raw["metadata"].get("labels") or {}
        changed = self._namespaces.get(name) != labels
        self._namespaces[name] = labels
        return changed

    def remove_type(self, name: str) -> bool:
        self._forget("ActionType", name)
        return self._types.pop(name, None) is not None

    def remove_policy(self, name: str) -> bool:
        self._forget("ActionPolicy", name)
        self.unreadable.pop(name, None)
        policy = self._policies.pop(name, None)
        if policy:
            self.gone[name] = policy
        return policy is not None

    def remove_runbook(self, place: Place) -> bool:
        self._forget("ActionRunbook", place.name, place.namespace)
        return self._runbooks.pop(place, None) is not None

    def remove_namespace(self, name: str) -> bool:
        self._forget("Namespace", name)
        return self._namespaces.pop(name, None) is not None

    def world(self, namespace: str) -> World:
        """What a decision about an object of that namespace is based on."""
        world = self._worlds.get(namespace)
        if world is None:
            world = self._worlds[namespace] = World(
                catalogue=Catalogue(dict(self._types), self._executors),
                policies=tuple(self._policies.values()),
                namespace_labels=self._namespaces.get(namespace, {}),
                settings=self._settings,
                enforcement=self._enforcement,
            )
        return world


def _path(location: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in location)


def _shard_changed(before: ActionPolicy, now: ActionPolicy) -> bool:
    """Whether its limits are counted by another process from now on."""
    return shard_of(before.metadata.labels) != shard_of(now.metadata.labels)
