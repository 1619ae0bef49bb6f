"""The votes (ActionApprovals) as last seen, by the uid of what they are about. Which count is decided elsewhere."""

import logging
from collections.abc import Collection, Iterable, Sequence

from pydantic import ValidationError

from controller.api.approval import ActionApproval
from controller.core.ports import Json
from controller.kube.resources import LIVING
from controller.runtime.store import Key, packed, unpacked

logger = logging.getLogger(__name__)

_PLURAL = {resource.kind: resource.plural for resource in LIVING}


class Votes:
    """Keeps votes as compressed JSON. An approval never changes, so only its coming and going is news."""

    def __init__(self) -> None:
        self._by_subject: dict[str, dict[tuple[str, str], bytes]] = {}
        """By uid of the subject, then by namespace and name: a vote of another namespace must not replace one here."""
        self._told: set[str] = set()
        """Subjects of which a vote was told since the last sweep."""
        self._strangers: set[str] = set()
        """Those that were not live then: finished ones, whose votes stay stored and bear on nothing."""

    def of(self, uid: str) -> Sequence[ActionApproval]:
        """The votes about the object with that uid."""
        return tuple(ActionApproval.model_validate(unpacked(data)) for data in self._by_subject.get(uid, {}).values())

    def put(self, raw: Json) -> Key | None:
        """Takes a vote up; the object that it is about, None if it was known or cannot be read."""
        vote = _read(raw)
        if vote is None:
            return None
        uid = vote.spec.subject.uid
        self._told.add(uid)
        if uid in self._strangers:
            return None
        known = self._by_subject.setdefault(uid, {})
        data = _slim(raw)
        if known.get(_name(vote)) == data:
            return None
        known[_name(vote)] = data
        return _subject(vote)

    def remove(self, raw: Json) -> Key | None:
        """Drops a vote that was deleted; the object that it was about."""
        vote = _read(raw)
        if vote is None:
            return None
        uid = vote.spec.subject.uid
        known = self._by_subject.get(uid, {})
        dropped = known.pop(_name(vote), None)
        if not known:
            self._by_subject.pop(uid, None)
            self._told.discard(uid)
        return None if dropped is None else _subject(vote)

    def replace(self, uid: str, raws: Iterable[Json]) -> None:
        """These, read just now, are all the votes about that object."""
        found = {_name(vote): _slim(raw) for raw in raws if (vote := _read(raw))}
        self._by_subject.pop(uid, None)
        if found:
            self._by_subject[uid] = found

    def sweep(self, live: Collection[str]) -> None:
        """Forgets votes on what is not live, once it was not so for a whole turn: its own event may be late."""
        unknown = {uid for uid in {*self._by_subject, *self._told} if uid not in live}
        for uid in unknown & self._strangers:
            self.forget(uid)
        self._told, self._strangers = set(), unknown

    def forget(self, uid: str) -> None:
        """The object is finished or gone: its votes bear on nothing any more."""
        self._by_subject.pop(uid, None)


def _name(vote: ActionApproval) -> tuple[str, str]:
    return vote.metadata.namespace or "", vote.metadata.name


def _slim(raw: Json) -> bytes:
    """What decisions read of a vote."""
    metadata = {name: raw["metadata"].get(name) for name in ("name", "namespace", "uid", "creationTimestamp")}
    return packed({"metadata": metadata, "spec": raw["spec"]})


def _read(raw: Json) -> ActionApproval | None:
    try:
        return ActionApproval.model_validate(raw)
    except ValidationError as error:
        name = raw["metadata"].get("name")
        logger.warning("ActionApproval %s cannot be read and does not count: %s", name, error.errors()[0]["msg"])
        return None


def _subject(vote: ActionApproval) -> Key:
    subject = vote.spec.subject
    return Key(_PLURAL[subject.kind.value], vote.metadata.namespace or "", subject.name)
