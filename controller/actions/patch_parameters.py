"""The parameters of patch-resource, and where a patch may not reach.

Of metadata only labels and annotations, one key at a time and none that is reserved: owners, finalizers and our own
marks steer controllers. Status is for controllers to write.
"""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from controller.actions.any_object import ObjectParameters
from controller.actions.base import Parameters
from controller.actions.field_changes import keys_of
from controller.actions.keys import check_free, check_keys
from controller.actions.plain_credentials import plain_credentials
from controller.api.base import OpaqueMap
from controller.core.ports import Json

_IDENTITY = ("apiVersion", "kind", "status")
_KEY_MAPS = ("labels", "annotations")
_KEY_DEPTH = 3


class Form(StrEnum):
    MERGE = "merge"
    JSON = "json"
    APPLY = "apply"


class Op(StrEnum):
    TEST = "test"
    ADD = "add"
    REMOVE = "remove"
    REPLACE = "replace"
    MOVE = "move"
    COPY = "copy"


class PatchOperation(Parameters):
    op: Op
    """test, add, remove, replace, move or copy. Where a test is not true nothing is changed."""
    path: Annotated[str, Field(min_length=1, max_length=1024, pattern=r"^/")]
    """Where, as RFC 6901 writes it: `/spec/template/spec/containers/0/image`."""
    from_path: Annotated[str, Field(min_length=1, max_length=1024, pattern=r"^/")] | None = Field(
        default=None, alias="from"
    )
    """With move and copy: from where."""
    value: Any = None
    """With test, add and replace."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        takes_from = self.op in (Op.MOVE, Op.COPY)
        if takes_from != (self.from_path is not None):
            raise ValueError(f"from: {self.op} {'needs it' if takes_from else 'has none'}")
        takes_value = self.op in (Op.TEST, Op.ADD, Op.REPLACE)
        if takes_value != ("value" in self.model_fields_set):
            raise ValueError(f"value: {self.op} {'needs one' if takes_value else 'has none'}")
        return self

    def sent(self) -> Json:
        """As RFC 6902 writes it."""
        body: Json = {"op": str(self.op), "path": self.path}
        if self.from_path is not None:
            body["from"] = self.from_path
        if "value" in self.model_fields_set:
            body["value"] = self.value
        return body


class PatchResourceParameters(ObjectParameters):
    type: Form
    """merge: a JSON merge patch. json: a list of operations. apply: server-side apply."""
    patch: OpaqueMap | None = None
    """With merge and apply: the fields and their values. With merge null removes a field; lists are replaced whole."""
    operations: Annotated[tuple[PatchOperation, ...], Field(max_length=100)] = ()
    """With json: what to do, in this order, all or nothing. It is sent at most once."""
    force: bool = False
    """With apply: take over fields that other managers have set. Else such a conflict ends it."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.type is Form.JSON:
            if self.patch is not None:
                raise ValueError("patch: json takes operations")
            if not any(operation.op is not Op.TEST for operation in self.operations):
                raise ValueError("operations: give at least one that changes something")
        elif self.operations:
            raise ValueError(f"operations: {self.type} takes patch")
        elif not self.patch:
            raise ValueError("patch: give at least one field")
        if self.force and self.type is not Form.APPLY:
            raise ValueError(f"force: {self.type} has none")
        if fault := next(self._faults(), None):
            raise ValueError(fault)
        return self

    def _faults(self) -> Iterator[str]:
        yield from body_faults(self.patch or {}, "patch")
        for index, operation in enumerate(self.operations):
            path = f"operations[{index}]"
            if operation.op is not Op.TEST:
                yield from _place_faults(operation.path, f"{path}.path")
                yield from plain_credentials(operation.value, f"{path}.value")
            if operation.op is Op.MOVE:
                yield from _place_faults(operation.from_path or "", f"{path}.from")


def body_faults(body: Mapping[str, Any], path: str) -> Iterator[str]:
    """What the fields of an object may not be, where it is patched or applied."""
    for name in _IDENTITY:
        if name in body:
            yield f"{path}.{name}: cannot be changed; leave it out"
    metadata = body.get("metadata") or {}
    if not isinstance(metadata, Mapping):
        yield f"{path}.metadata: must be an object"
        return
    for name, keys in metadata.items():
        if name not in _KEY_MAPS:
            yield f"{path}.metadata.{name}: is out of reach; of metadata only labels and annotations may be given"
        elif not isinstance(keys, Mapping):
            yield f"{path}.metadata.{name}: must be an object, one key at a time"
        else:
            yield from _key_faults(keys, f"{path}.metadata.{name}")
    yield from plain_credentials(dict(body), path)


def _place_faults(place: str, path: str) -> Iterator[str]:
    keys = keys_of(place)
    if keys[0] in _IDENTITY:
        yield f"{path}: {keys[0]} cannot be changed"
    elif keys[0] == "metadata":
        if len(keys) != _KEY_DEPTH or keys[1] not in _KEY_MAPS:
            yield f"{path}: of metadata only single labels and annotations may be changed: /metadata/labels/KEY"
        else:
            yield from _key_faults({keys[2]: ""}, path)


def _key_faults(keys: Mapping[str, Any], path: str) -> Iterator[str]:
    try:
        check_keys(keys)
        check_free(keys)
    except ValueError as error:
        yield f"{path}: {error}"
