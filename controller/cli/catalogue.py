"""The action types with their parameters, one line each. Pure."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from controller.api.actiontype import ActionType
from controller.api.names import ConditionType, Risk
from controller.cli.screen import Grid, Last, Lines, one_line, shown
from controller.core.ports import Json

RISKS = {Risk.LOW: "green", Risk.MEDIUM: "yellow", Risk.HIGH: "red", Risk.CRITICAL: "bold red"}
_READY = {"ready": "green", "not ready": "red"}
_SHORT = {"ready": "yes", "not ready": "no", "not looked at yet": "-"}


def catalogue(types: Sequence[ActionType]) -> Group:
    """One block for each type: what it is, then its parameters."""
    blocks: list[RenderableType] = []
    for action_type in types:
        blocks += [*([Text()] if blocks else []), *_block(action_type)]
    return Group(*blocks)


def types_table(types: Sequence[ActionType]) -> Grid:
    """One row for each type."""
    rows = []
    for action_type in types:
        spec, (ready, _) = action_type.spec, readiness(action_type)
        rows.append(
            (
                shown(action_type.metadata.name),
                Text(str(spec.risk), RISKS[spec.risk]),
                Text("yes" if spec.idempotent else "no"),
                Text(_SHORT[ready], _READY.get(ready, "dim")),
                one_line(spec.description),
            )
        )
    return Grid(rows, header=("NAME", "RISK", "IDEMPOTENT", "READY", "DESCRIPTION"), last=Last.CUT)


def risk_words(action_type: ActionType) -> Text:
    """`  risk Medium, idempotent`."""
    spec = action_type.spec
    words = Text("  risk ").append(str(spec.risk), RISKS[spec.risk])
    return words.append(", idempotent" if spec.idempotent else ", at most once (not idempotent)")


def _block(action_type: ActionType) -> Iterator[RenderableType]:
    spec = action_type.spec
    head = Text().append_text(shown(action_type.metadata.name, "bold"))
    head.append_text(risk_words(action_type))
    ready, why = readiness(action_type)
    head.append(", ").append(ready, _READY.get(ready, "dim"))
    yield head
    if why:
        yield Lines(shown(why, "red"), 2)
    yield Lines(shown(spec.description), 2)
    rows = [
        (
            shown(name, "cyan"),
            Text("required" if required else "optional", "" if required else "dim"),
            Text().append_text(shown(bounds(schema))).append_text(shown(_description(schema), "dim")),
        )
        for name, required, schema in sorted(parameters(spec.parameters), key=lambda row: not row[1])
    ]
    yield Grid(rows, indent=4)


def readiness(action_type: ActionType) -> tuple[str, str]:
    """`ready`, `not ready` or `not looked at yet`, and why not."""
    for condition in action_type.status.conditions:
        if condition.type is ConditionType.READY:
            return ("ready", "") if condition.status == "True" else ("not ready", condition.message)
    return "not looked at yet", ""


def parameters(schema: Json, prefix: str = "", needed: bool = True) -> Iterator[tuple[str, bool, Json]]:
    """Every parameter with its dotted name, whether it must be given, and its schema; those inside objects too."""
    required = schema.get("required") or ()
    for name, field in (schema.get("properties") or {}).items():
        must = needed and name in required
        yield prefix + name, must, field
        yield from parameters(field, f"{prefix}{name}.", must)


def bounds(schema: Json) -> str:
    """`integer, 0..1000`; `text, one of Deployment, StatefulSet`; `list of integer (200..499), 1..32 entries`."""
    return ", ".join([_type(schema), *_limits(schema)])


def _type(schema: Json) -> str:
    if schema.get("secret"):
        return "{secretKeyRef: {name, key}}"
    match schema.get("type"):
        case "string":
            return "text"
        case "array":
            items = schema.get("items") or {}
            inner = ", ".join(_limits(items))
            return f"list of {_type(items)}" + (f" ({inner})" if inner else "")
        case "object":
            values = schema.get("additionalProperties")
            return f"map of {_type(values)}" if isinstance(values, dict) and values.get("type") else "object"
        case None:
            return "anything"
        case other:
            return str(other)


def _limits(schema: Json) -> Iterator[str]:
    if "enum" in schema:
        yield "one of " + ", ".join(map(str, schema["enum"]))
    for least, most, unit in (
        ("minimum", "maximum", ""),
        ("minLength", "maxLength", " characters"),
        ("minItems", "maxItems", " entries"),
        ("minProperties", "maxProperties", " entries"),
    ):
        text = _range(schema.get(least), schema.get(most))
        if text:
            yield text + unit
    if "pattern" in schema:
        yield f"matches {schema['pattern']}"
    if "default" in schema:
        yield f"default {json.dumps(schema['default'])}"


def _range(least: Any, most: Any) -> str:
    if least is not None and most is not None:
        return f"{least}..{most}"
    if most is not None:
        return f"at most {most}"
    return f"at least {least}" if least is not None else ""


def _description(schema: Json) -> str:
    text = " ".join(str(schema.get("description", "")).split())
    return f". {text}" if text else ""
