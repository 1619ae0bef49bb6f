"""JSON merge patches (RFC 7386): what to send so that a stored object becomes another one."""

import json
from collections.abc import Mapping
from typing import Any

Json = dict[str, Any]


def merge_patch(old: Mapping[str, Any], new: Mapping[str, Any]) -> Json:
    """The smallest merge patch that makes `new` of `old`. Fields absent in `new` become null; lists are sent whole.

    A merge patch cannot say "null": a null in a field of `new` counts as absent.
    """
    patch: Json = {name: None for name, value in old.items() if value is not None and new.get(name) is None}
    for name, value in new.items():
        if value is None:
            continue
        before = old.get(name)
        if isinstance(value, Mapping):
            inner = merge_patch(before if isinstance(before, Mapping) else {}, value)
            if inner or not isinstance(before, Mapping):
                patch[name] = inner
        elif not _same(before, value):
            patch[name] = value
    return patch


def apply_merge_patch(target: Mapping[str, Any], patch: Mapping[str, Any]) -> Json:
    """What the API server makes of the patch (RFC 7386, section 2)."""
    result = dict(target)
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        elif isinstance(value, Mapping):
            before = result.get(name)
            result[name] = apply_merge_patch(before if isinstance(before, Mapping) else {}, value)
        else:
            result[name] = value
    return result


def _same(before: Any, value: Any) -> bool:
    """Equal as JSON: unlike in Python, true is not 1."""
    if before != value:
        return False
    if isinstance(value, list | tuple):
        return json.dumps(before, sort_keys=True) == json.dumps(value, sort_keys=True)
    return isinstance(before, bool) == isinstance(value, bool)
