"""The live objects as last seen, from watches and from the answers to our own writes; the newer one wins.

Objects are kept as compressed JSON without managedFields and parsed for each decision: ten thousand waiting objects
must not cost more memory than their bytes (a third of the size, for 40 us both ways). Resource versions are compared
as numbers (guaranteed since Kubernetes 1.35, true of every etcd-backed API server before).
"""

import json
import zlib
from collections.abc import Iterator
from typing import NamedTuple

from controller.core.ports import Json

FINISHED_KEPT = 5_000


class Key(NamedTuple):
    """Names an object: plural of its kind, namespace (empty for cluster-scoped), name."""

    plural: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.plural} {self.namespace}/{self.name}" if self.namespace else f"{self.plural} {self.name}"


class _Stored(NamedTuple):
    uid: str
    version: int
    data: bytes


def packed(raw: Json) -> bytes:
    """Compressed JSON."""
    return zlib.compress(json.dumps(raw, separators=(",", ":"), ensure_ascii=False).encode(), level=1)


def unpacked(data: bytes) -> Json:
    """What `packed` was given."""
    found: Json = json.loads(zlib.decompress(data))
    return found


class Store:
    """Objects by key. Holds what is live; who finds an object finished or gone removes it."""

    def __init__(self) -> None:
        self._objects: dict[str, dict[Key, _Stored]] = {}
        self._finished: dict[Key, tuple[str, int]] = {}
        """uid and version of the last objects that finished: an echo of an earlier version must not revive them."""

    def put(self, plural: str, raw: Json) -> Key | None:
        """Keeps the object; its key if that was news, None if something as new was known already."""
        metadata = raw["metadata"]
        key = Key(plural, metadata.get("namespace") or "", metadata["name"])
        kept = {name: value for name, value in metadata.items() if name != "managedFields"}
        version = int(metadata["resourceVersion"])
        known = self._objects.setdefault(plural, {}).get(key)
        finished = self._finished.get(key)
        if finished and finished[0] == metadata["uid"] and finished[1] >= version:
            return None
        if known and known.version >= version:  # also where an earlier object of that name is told of late
            return None
        data = packed({**raw, "metadata": kept})
        self._objects[plural][key] = _Stored(metadata["uid"], version, data)
        return key

    def get(self, key: Key) -> Json | None:
        """A copy of the object."""
        stored = self._objects.get(key.plural, {}).get(key)
        return unpacked(stored.data) if stored else None

    def version(self, key: Key) -> tuple[str, int] | None:
        """uid and resource version."""
        stored = self._objects.get(key.plural, {}).get(key)
        return (stored.uid, stored.version) if stored else None

    def remove(self, key: Key) -> Json | None:
        """Forgets the object; what was known of it."""
        stored = self._objects.get(key.plural, {}).pop(key, None)
        return unpacked(stored.data) if stored else None

    def finish(self, key: Key, raw: Json) -> None:
        """Forgets the object, which is finished, and what a late event may still tell of it."""
        self.remove(key)
        self._finished.pop(key, None)
        self._finished[key] = (raw["metadata"]["uid"], int(raw["metadata"]["resourceVersion"]))
        if len(self._finished) > FINISHED_KEPT:
            del self._finished[next(iter(self._finished))]

    def keys(self, plural: str) -> list[Key]:
        return list(self._objects.get(plural, {}))

    def uids(self) -> set[str]:
        """Of all objects."""
        return {stored.uid for objects in self._objects.values() for stored in objects.values()}

    def all(self, plural: str) -> Iterator[Json]:
        return (unpacked(stored.data) for stored in list(self._objects.get(plural, {}).values()))

    def count(self, plural: str) -> int:
        return len(self._objects.get(plural, {}))
