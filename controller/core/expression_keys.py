"""Which keys there are where an expression reads one that is not there. Pure.

Only of what steps gave and of a workflow's own parameters: who reads the message may read these. Of live objects and
answers nothing is told.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from controller.core.expression_tree import Call, Literal, Name, Node, Select

MOST_KEYS = 10
MOST_CHARACTERS = 40
_MISSING = re.compile(r'Key not found in map : ("(?:[^"\\]|\\.)*")')
_OURS = ("steps.", "workflow.")
_NOTHING = object()


def keys_there(tree: Node, values: Mapping[str, Any], raw: str) -> str:
    """`; there are: json, status` for the library's message `raw`; empty where it is of something else."""
    found = _MISSING.search(raw)
    if found is None:
        return ""
    missing = _unquoted(found[1])
    for operand, key in _reads(tree):
        held = _value(operand, values)
        if key == missing and isinstance(held, Mapping) and key not in held:
            return f"; there are: {_listed(held)}" if held else "; there are none"
    return ""


def _unquoted(text: str) -> str | None:
    try:
        return str(json.loads(text))
    except ValueError:
        return None


def _reads(node: Any) -> Iterator[tuple[Node, str]]:
    """Everything that is read by a key that is written out: `a.key`, `a["key"]`."""
    match node:
        case Select(operand=operand, field=key, test=False):
            yield operand, key
        case Call(function="_[_]", args=(operand, Literal(value=str(key)))):
            yield operand, key
    if isinstance(node, tuple):
        for item in node:
            yield from _reads(item)
    elif is_dataclass(node):
        for one in fields(node):
            yield from _reads(getattr(node, one.name))


def _value(node: Node, values: Mapping[str, Any]) -> Any:
    """What it stands for, where that can be told without computing anything."""
    match node:
        case Name(name=name) if name.startswith(_OURS):
            return values.get(name, _NOTHING)
        case Select(operand=operand, field=key, test=False):
            held = _value(operand, values)
        case Call(function="_[_]", args=(operand, Literal(value=str(key)))):
            held = _value(operand, values)
        case _:
            return _NOTHING
    return held.get(key, _NOTHING) if isinstance(held, Mapping) else _NOTHING


def _listed(held: Mapping[str, Any]) -> str:
    keys = sorted(map(str, held))
    shown = [key if len(key) <= MOST_CHARACTERS else f"{key[: MOST_CHARACTERS - 1]}…" for key in keys[:MOST_KEYS]]
    left = len(keys) - MOST_KEYS
    return ", ".join(shown) + (f" and {left} more" if left > 0 else "")
