"""How one state of an object differs from another, field by field, and the JSON patch that leads back. Pure."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from controller.actions.objects import without_bookkeeping
from controller.actions.plain_credentials import without_credentials
from controller.api.common import Change
from controller.core.ports import Json, Target

MAX_INVERSE_BYTES = 16_384
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_KEY_MAPS = ("labels", "annotations")


class Missing(Enum):
    """Stands for the value of a field that is not there."""

    MISSING = "missing"


MISSING = Missing.MISSING


@dataclass(frozen=True)
class Difference:
    """One field whose values differ. Lists are compared as a whole."""

    keys: tuple[str, ...]
    before: Any
    after: Any

    @property
    def path(self) -> str:
        """For people: `spec.replicas`, `metadata.labels["example.com/team"]`."""
        first, *rest = self.keys
        return first + "".join(f".{key}" if _PLAIN.fullmatch(key) else f"[{json.dumps(key)}]" for key in rest)


def differences(before: Json, after: Json) -> tuple[Difference, ...]:
    """What differs but for the bookkeeping of the API server. `before` may be empty: the object is new."""
    return tuple(_compared((), _comparable(before), _comparable(after)))


def changes(target: Target, found: Sequence[Difference]) -> tuple[Change, ...]:
    """As a preview shows them: without credentials that stand in them in plain text."""
    return tuple(
        Change(target=str(target), path=one.path, before=_shown(one.before), after=_shown(one.after)) for one in found
    )


def inverse(found: Sequence[Difference], after: Json) -> list[Json] | None:
    """The operations of a JSON patch that restores each value from before where it is still the one from after.

    `after`: the whole object then. None: too long, or it cannot be tested that a field is still gone.
    """
    tests: list[Json] = []
    back: list[Json] = []
    for one in found:
        where = pointer(one.keys)
        if one.after is MISSING:
            # A patch cannot test that a field is missing, only what all of its parent is.
            parent = one.keys[:-1]
            if len(parent) < 1 or parent[0] == "metadata":
                return None
            test = {"op": "test", "path": pointer(parent), "value": _at(after, parent)}
            back.append({"op": "add", "path": where, "value": one.before})
        else:
            test = {"op": "test", "path": where, "value": one.after}
            gone = one.before is MISSING
            back.append({"op": "remove", "path": where} if gone else _replace(where, one.before))
        if test not in tests:
            tests.append(test)
    operations = [*tests, *back]
    return operations if len(json.dumps(operations).encode()) <= MAX_INVERSE_BYTES else None


def pointer(keys: Sequence[str]) -> str:
    """As RFC 6901 writes the place: `/metadata/labels/example.com~1team`."""
    return "".join(f"/{key.replace('~', '~0').replace('/', '~1')}" for key in keys)


def keys_of(place: str) -> tuple[str, ...]:
    """The keys of an RFC 6901 pointer. Raises ValueError."""
    if place and not place.startswith("/"):
        raise ValueError(f"{place!r} must begin with /")
    return tuple(key.replace("~1", "/").replace("~0", "~") for key in place.split("/")[1:])


def _replace(where: str, value: Any) -> Json:
    return {"op": "replace", "path": where, "value": value}


def _comparable(found: Json) -> Json:
    """Without bookkeeping and status; a map of labels or annotations is there even if it is empty."""
    kept = without_bookkeeping({"metadata": {}} | found)
    metadata = kept["metadata"]
    return kept | {"metadata": metadata | {name: metadata.get(name) or {} for name in _KEY_MAPS}}


def _compared(keys: tuple[str, ...], before: Any, after: Any) -> Iterator[Difference]:
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in dict.fromkeys([*before, *after]):
            yield from _compared((*keys, key), before.get(key, MISSING), after.get(key, MISSING))
    elif _text(before) != _text(after):
        yield Difference(keys, before, after)


def _text(value: Any) -> str:
    """The same for equal JSON, and for nothing else: unlike in Python, true is not 1."""
    return "" if value is MISSING else json.dumps(value, sort_keys=True)


def _at(value: Any, keys: Sequence[str]) -> Any:
    for key in keys:
        value = value[key]
    return value


def _shown(value: Any) -> Any:
    return None if value is MISSING else without_credentials(value)
