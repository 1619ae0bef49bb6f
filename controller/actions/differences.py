"""What one form of an object has other than another, field by field, as changes to be shown. Pure."""

from collections.abc import Iterator
from typing import Any

from controller.api.common import Change

_ABSENT = object()


def differences(target: str, before: Any, after: Any) -> tuple[Change, ...]:
    """One change for each leaf that differs: `spec.template.spec.containers[0].image`.

    Lists of equal length are compared item by item, others as a whole. An object that comes or goes is told by its
    leaves.
    """
    return tuple(
        Change(target=target, path=path, before=_shown(old), after=_shown(new))
        for path, old, new in _leaves(before, after, "")
    )


def _leaves(before: Any, after: Any, path: str) -> Iterator[tuple[str, Any, Any]]:
    if before is _ABSENT and isinstance(after, dict) and after:
        before = {}
    if after is _ABSENT and isinstance(before, dict) and before:
        after = {}
    match before, after:
        case dict(), dict():
            for name in sorted(before.keys() | after.keys()):
                inner = f"{path}.{name}" if path else str(name)
                yield from _leaves(before.get(name, _ABSENT), after.get(name, _ABSENT), inner)
        case list(), list() if len(before) == len(after):
            for index, (old, new) in enumerate(zip(before, after, strict=True)):
                yield from _leaves(old, new, f"{path}[{index}]")
        case _ if isinstance(before, bool) is not isinstance(after, bool) or before != after:
            yield path, before, after


def _shown(value: Any) -> Any:
    return None if value is _ABSENT else value
