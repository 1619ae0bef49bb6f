"""A runbook as decisions see it: its parameters and their values, its digest, what a workflow pins of it. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from controller.api.common import Identity
from controller.api.runbook import ActionRunbook, RunbookSpec
from controller.api.workflow import PinnedRunbook
from controller.core.actors import proven
from controller.core.defaults import with_defaults
from controller.core.digest import canonical, sha256
from controller.core.enforcement import Enforcement
from controller.core.parameters import MARKS, ParameterSchema, parameter_faults
from controller.core.ports import Json

MAX_BYTES = 256 * 1024
"""Of the spec as canonical JSON: every workflow that runs it keeps a copy in its status."""
VALUES = frozenset({"default", "enum", "const", "examples"})
"""Keywords of a schema whose values are no schemas."""


@dataclass(frozen=True)
class RunbookEntry:
    """A runbook with what was worked out of it once."""

    runbook: ActionRunbook
    raw_spec: Json
    """As stored, but for who edited it: what decides what runs."""
    digest: str | None
    """None where the spec has no canonical form."""

    @cached_property
    def parameters(self) -> ParameterSchema:
        """Its parameter schema, ready for use."""
        return ParameterSchema(schema_of(self.runbook.spec), of="runbook")


def entry_of(raw: Json) -> RunbookEntry:
    """Raises pydantic's ValidationError for what cannot be read."""
    plain = {name: value for name, value in raw["spec"].items() if name != "editedBy"}
    try:
        digest = sha256(plain)
    except ValueError:
        digest = None
    return RunbookEntry(ActionRunbook.model_validate(raw), plain, digest)


def schema_of(spec: RunbookSpec) -> Json:
    """The schema of its parameters: closed, so that a misspelt name is told."""
    return {"type": "object", "additionalProperties": False, **spec.parameters}


def values_of(spec: RunbookSpec, given: Json) -> Json:
    """The values that expressions read: those that were given, and the defaults."""
    found: Any = with_defaults(given, schema_of(spec))
    return dict(found)


def pin(entry: RunbookEntry, enforcement: Enforcement) -> PinnedRunbook:
    """What a workflow keeps. The one who edited it is named only where the API server proves it."""
    about, editor = entry.runbook.metadata, entry.runbook.spec.edited_by
    known = editor is not None and proven(about, enforcement)
    return PinnedRunbook(
        name=about.name,
        uid=about.uid,
        digest=entry.digest or "",
        edited_by=Identity(username=editor.username, uid=editor.uid) if editor and known else None,
        spec=entry.raw_spec,
    )


def own_faults(entry: RunbookEntry) -> Iterator[str]:
    """What is wrong with it apart from its steps: its size and its parameters."""
    try:
        size = len(canonical(entry.raw_spec))
    except ValueError as error:
        yield f"spec: {error}"
        return
    if size > MAX_BYTES:
        yield f"spec: must be at most {MAX_BYTES} bytes as JSON (got {size})"
    path = "spec.parameters"
    if entry.parameters.fault:
        yield entry.parameters.fault
        return
    yield from _idle_words(entry.runbook.spec.parameters, path)
    for name, schema in (entry.runbook.spec.parameters.get("properties") or {}).items():
        if isinstance(schema, dict) and "default" in schema:
            yield from parameter_faults(
                {"type": "object", "properties": {"default": schema}}, {"default": schema["default"]},
                f"{path}.properties.{name}",
            )  # fmt: skip


def _idle_words(value: Any, path: str, *, marks: bool = True) -> Iterator[str]:
    """What a runbook cannot mean: marks of action types, and nulls, which a status does not keep."""
    for key, item in value.items() if isinstance(value, dict) else ():
        here = f"{path}.{key}"
        if item is None:
            yield f"{here}: null says nothing; remove it"
        elif marks and key in MARKS:
            yield f"{here}: is a mark of action types and says nothing in a runbook; remove it"
        elif key == "properties" and isinstance(item, dict):
            for name, schema in item.items():
                yield from _idle_words(schema, f"{here}.{name}", marks=marks)
        else:
            yield from _idle_words(item, here, marks=marks and key not in VALUES)
