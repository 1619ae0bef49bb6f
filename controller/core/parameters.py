"""Faults of parameters: one pass of a JSON Schema library over the action type's schema finds them all."""

from collections.abc import Iterable, Iterator
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker, SchemaError
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend

from controller.api.base import MAX_NESTING, MAX_OPAQUE_BYTES, MAX_SAFE_INTEGER
from controller.core.digest import canonical
from controller.core.nesting import too_deep
from controller.core.ports import Json
from controller.core.secret_parameters import SECRET, fault_of_reference, mark_faults, reference_faults

MAX_FAULTS = 20
REQUIRED = "is required"
MARKS = ("fixed", SECRET)
"""Keywords of our own in the schemas of action types."""

_Validator = extend(Draft202012Validator, {SECRET: reference_faults})  # type: ignore[no-untyped-call]


class ParameterSchema:
    """A type's parameter schema, made ready once: to prepare it costs a hundred times what using it does."""

    def __init__(self, schema: Json, of: str = "action") -> None:
        """`of`: what messages call the one whose parameters they are."""
        self._of = of
        self.fault = schema_fault(schema)
        """What is wrong with the schema itself; one with a fault cannot be used."""
        self._validator = _Validator(schema, format_checker=FormatChecker())

    def faults(self, parameters: Json, path: str = "parameters", computed: frozenset[str] = frozenset()) -> list[str]:
        """Every fault with its path: `parameters.replicas: must be at most 50 (got 5000)`. Empty if there is none.

        `computed`: dotted paths of values that are not known yet, so they may be missing.
        """
        too_big = _size_fault(parameters, path)
        if too_big:
            return [too_big]
        errors = self._validator.iter_errors(parameters)
        lines = {line for error in errors for line in (_secret_lines(error, path) or _lines(error, path, self._of))}
        faults = sorted(lines - {f"{path}.{name}: {REQUIRED}" for name in _with_parents(computed)})
        if len(faults) > MAX_FAULTS:
            faults = [*faults[:MAX_FAULTS], f"{path}: {len(faults) - MAX_FAULTS} more faults"]
        return faults


def _with_parents(paths: Iterable[str]) -> Iterator[str]:
    """`body.pods` and `body`: objects on the way to a value come with it."""
    for path in paths:
        parts = path.split(".")
        yield from (".".join(parts[: count + 1]) for count in range(len(parts)))


def schema_fault(schema: Json) -> str | None:
    """What is wrong with a type's own parameter schema."""
    if too_deep(schema):
        return f"spec.parameters: must be nested at most {MAX_NESTING} deep"
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        return f"spec.parameters{_path(error)}: {error.message}"
    reference = next(_references(schema, "spec.parameters"), None)
    if reference:
        return f"{reference}: references are not followed; write the schema out"
    if schema.get("type") != "object":
        return "spec.parameters.type: must be object"
    return next(mark_faults(schema, "spec.parameters"), None) or next(_not_carried_out(schema, "spec.parameters"), None)


def _not_carried_out(schema: Any, path: str) -> Iterator[str]:
    """Rules that this operator would pass over."""
    match schema:
        case dict():
            for key, item in schema.items():
                if key == "x-kubernetes-validations":
                    yield f"{path}.{key}: is not carried out by this version of the operator; remove it"
                yield from _not_carried_out(item, f"{path}.{key}")
        case list():
            for index, item in enumerate(schema):
                yield from _not_carried_out(item, f"{path}[{index}]")


def _references(value: Any, path: str) -> Iterator[str]:
    """Paths of references: the library would fetch remote ones, and validation must not leave the process."""
    match value:
        case dict():
            for key, item in value.items():
                if key in ("$ref", "$dynamicRef") and isinstance(item, str):
                    yield f"{path}.{key}"
                yield from _references(item, f"{path}.{key}")
        case list():
            for index, item in enumerate(value):
                yield from _references(item, f"{path}[{index}]")


def parameter_faults(
    schema: Json, parameters: Json, path: str = "parameters", computed: frozenset[str] = frozenset()
) -> list[str]:
    """The same for a schema that is used once."""
    return ParameterSchema(schema).faults(parameters, path, computed)


def _size_fault(parameters: Json, path: str) -> str | None:
    if too_deep(parameters):
        return f"{path}: must be nested at most {MAX_NESTING} deep"
    unsafe = next(_unsafe_integers(parameters, path), None)
    if unsafe:
        return f"{unsafe}: integers must lie within ±2^53; write it as a string"
    size = len(canonical(parameters))
    return (
        None if size <= MAX_OPAQUE_BYTES else f"{path}: must be at most {MAX_OPAQUE_BYTES} bytes as JSON (got {size})"
    )


def _unsafe_integers(value: Any, path: str) -> Iterator[str]:
    match value:
        case dict():
            for key, item in value.items():
                yield from _unsafe_integers(item, f"{path}.{key}")
        case list():
            for index, item in enumerate(value):
                yield from _unsafe_integers(item, f"{path}[{index}]")
        case bool():
            pass
        case int() if abs(value) > MAX_SAFE_INTEGER:
            yield path


def _secret_lines(error: ValidationError, root: str) -> tuple[str, ...]:
    """What is wrong with a reference to a Secret; all that is said of it, its type included."""
    schema: Any = error.schema
    if not isinstance(schema, dict) or schema.get(SECRET) is not True:
        return ()
    return (f"{root}{_path(error)}: {fault_of_reference(error.instance)}",)


def _lines(error: ValidationError, root: str, of: str) -> Iterator[str]:
    here = f"{root}{_path(error)}"
    limit: Any = error.validator_value
    instance: Any = error.instance
    schema: Any = error.schema
    match error.validator:
        case "required":
            missing = error.message.split("'")[1]
            yield f"{here}.{missing}: {REQUIRED}"
        case "additionalProperties":
            known = sorted(schema.get("properties", {}))
            for name in sorted(set(instance) - set(known)):
                yield f"{here}.{name}: is not a parameter of this {of} (it has: {', '.join(known) or 'none'})"
        case "enum":
            yield f"{here}: must be one of {', '.join(map(str, limit))} (got {_short(instance)})"
        case "type":
            yield f"{here}: must be of type {limit} (got {_kind(instance)})"
        case "minimum":
            yield f"{here}: must be at least {limit} (got {_short(instance)})"
        case "maximum":
            yield f"{here}: must be at most {limit} (got {_short(instance)})"
        case "maxLength":
            yield f"{here}: must have at most {limit} characters (got {len(instance)})"
        case "minLength":
            yield f"{here}: must have at least {limit} characters (got {len(instance)})"
        case "maxItems" | "minItems" | "maxProperties" | "minProperties":
            bound = "at most" if str(error.validator).startswith("max") else "at least"
            yield f"{here}: must have {bound} {limit} entries (got {len(instance)})"
        case "pattern":
            yield f"{here}: must match {limit}"
        case _:
            yield f"{here}: does not satisfy {error.validator}"


def _path(error: ValidationError | SchemaError) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.absolute_path)


def _kind(value: Any) -> str:
    """What it is, without what it says: a text may be a credential."""
    match value:
        case None:
            return "null"
        case str():
            return "a text"
        case dict():
            return "an object"
        case list():
            return "a list"
        case _:
            return _short(value)


def _short(value: Any, most: int = 60) -> str:
    text = value if isinstance(value, str) else repr(value)
    text = text.encode("unicode_escape").decode("ascii") if not text.isprintable() else text
    return text if len(text) <= most else text[: most - 1] + "…"
