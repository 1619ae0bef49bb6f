"""The live objects as last seen, from watches and from the answers to our own writes; the newer one wins.

Objects are kept as compact JSON without managedFields and parsed for each decision: ten thousand waiting objects must
not cost more memory than their bytes. Resource versions are compared as numbers (guaranteed since Kubernetes 1.35,
true of every etcd-backed API server before).
"""

import json
from collections.abc import Iterator
from typing import NamedTuple

from controller.core.ports import Json


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


class Store:
    """Objects by key. Holds what is live; who finds an object finished or gone removes it."""

    def __init__(self) -> None:
        self._objects: dict[str, dict[Key, _Stored]] = {}

    def put(self, plural: str, raw: Json) -> Key | None:
        """Keeps the object; its key if that was news, None if something as new was known already."""
        metadata = raw["metadata"]
        key = Key(plural, metadata.get("namespace") or "", metadata["name"])
        kept = {name: value for name, value in metadata.items() if name != "managedFields"}
        version = int(metadata["resourceVersion"])
        known = self._objects.setdefault(plural, {}).get(key)
        if known and known.version >= version:  # also where an earlier object of that name is told of late
            return None
        data = json.dumps({**raw, "metadata": kept}, separators=(",", ":"), ensure_ascii=False).encode()
        self._objects[plural][key] = _Stored(metadata["uid"], version, data)
        return key

    def get(self, key: Key) -> Json | None:
        """A copy of the object."""
        stored = self._objects.get(key.plural, {}).get(key)
        return json.loads(stored.data) if stored else None

    def version(self, key: Key) -> tuple[str, int] | None:
        """uid and resource version."""
        stored = self._objects.get(key.plural, {}).get(key)
        return (stored.uid, stored.version) if stored else None

    def remove(self, key: Key) -> Json | None:
        """Forgets the object; what was known of it."""
        stored = self._objects.get(key.plural, {}).pop(key, None)
        return json.loads(stored.data) if stored else None

    def keys(self, plural: str) -> list[Key]:
        return list(self._objects.get(plural, {}))

    def all(self, plural: str) -> Iterator[Json]:
        return (json.loads(stored.data) for stored in list(self._objects.get(plural, {}).values()))

    def count(self, plural: str) -> int:
        return len(self._objects.get(plural, {}))
