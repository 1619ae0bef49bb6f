"""JSON that is nested too deep to be read: Python gives up at about a thousand levels, the API server takes ten times
as many. What cannot be read is left out, far below all that anybody needs, so that one such object among thousands is
that object's fault and not the end of whoever lists them.
"""

import json
import re
from typing import Any

from controller.api.base import MAX_NESTING

KEPT = 100
"""So many levels of a document are kept: in the parameters of what is listed still far more than may be there."""
_TOKENS = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[\[{\]}]')


class ShallowDecoder(json.JSONDecoder):
    """Reads what is nested too deep as if nothing were below the levels that are kept."""

    def decode(self, s: str, *arguments: Any) -> Any:
        try:
            return super().decode(s, *arguments)
        except RecursionError:
            return super().decode(shallow(s), *arguments)


def loads(text: str | bytes) -> Any:
    """`json.loads` that reads what is nested too deep as well."""
    return json.loads(text, cls=ShallowDecoder)


def shallow(text: str) -> str:
    """The JSON text with null for each object and list below the levels that are kept."""
    parts: list[str] = []
    depth = start = 0
    for token in _TOKENS.finditer(text):
        match text[token.start()]:
            case "[" | "{":
                depth += 1
                if depth == KEPT + 1:
                    parts.append(text[start : token.start()])
            case "]" | "}":
                if depth == KEPT + 1:
                    parts.append("null")
                    start = token.end()
                depth -= 1
    return "".join(parts if depth > KEPT else [*parts, text[start:]])


def too_deep(value: Any) -> bool:
    """Whether more objects and lists lie in one another than may. Level by level: a walk down would come to its end."""
    level = [value]
    for _ in range(MAX_NESTING):
        inner = (item for outer in level for item in (outer.values() if isinstance(outer, dict) else outer))
        level = [item for item in inner if isinstance(item, dict | list)]
        if not level:
            return False
    return True
