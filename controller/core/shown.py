"""A preview as it is shown to people and kept in status: bounded, and compared with a later one."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from controller.api.common import Change, Preview
from controller.core.digest import canonical, sha256
from controller.core.ports import PreviewResult
from controller.core.status import bounded

MAX_CHANGES = 64
MAX_WARNINGS = 16
MAX_VALUE_BYTES = 1024
MAX_TOLD = 3


def preview_status(result: PreviewResult, now: datetime) -> Preview:
    return Preview(
        summary=bounded(result.summary),
        changes=all_changes(result)[:MAX_CHANGES],
        warnings=tuple(bounded(warning) for warning in (*_taken_back(result), *result.warnings)[:MAX_WARNINGS]),
        computed_at=now,
    )


def _taken_back(result: PreviewResult) -> Iterator[str]:
    """Who would take the changes back."""
    if result.target is not None and result.changes:
        for manager in result.target.managed_by:
            yield f"{result.target} is managed by {manager}, which may put it back; change it there too"


def unless_the_same(known: Preview | None, new: Preview) -> Preview:
    """What is known already is not written again, only because it was seen again."""
    return known if known and known == new.model_copy(update={"computed_at": known.computed_at}) else new


def all_changes(result: PreviewResult) -> tuple[Change, ...]:
    """The changes as they stand in status, which has the first of them, and in the digest, which is over all."""
    return tuple(_small(change) for change in result.changes)


def drift(before: Sequence[Change], now: Sequence[Change]) -> str:
    """In words, which values are others than those that were shown."""
    was = {(change.target, change.path): change for change in before if change.managed_by is None}
    found = {(change.target, change.path): change for change in now if change.managed_by is None}
    told = []
    for key in dict.fromkeys([*was, *found]):
        old, new = was.get(key), found.get(key)
        if old is None or new is None:
            told.append(f"{key[0]} {key[1]} {'would change too' if old is None else 'would not change any more'}")
        elif old.before != new.before:
            told.append(f"{key[0]} {key[1]} is {new.before}, not {old.before}")
    if len(told) > MAX_TOLD:
        told[MAX_TOLD:] = [f"and {len(told) - MAX_TOLD} more"]
    return "the target changed since it was shown: " + ("; ".join(told) or "the order of its changes")


def _small(change: Change) -> Change:
    """The change with values that are too long to keep told by their digest: drift still shows."""
    values = {"before": change.before, "after": change.after}
    long = {name: sha256(value) for name, value in values.items() if len(canonical(value)) > MAX_VALUE_BYTES}
    return change.model_copy(update=long) if long else change
