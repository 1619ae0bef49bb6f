"""What the answer to an HTTP request proves. Pure; the table of classes is in docs/spec/attempts.md.

| status | class |
| --- | --- |
| one that `expect` names (default: any 2xx), JSON as expected | done |
| the same, JSON not as expected; any other 2xx | the request was taken, its purpose not reached: EffectFailed |
| in `notDoneOn` | not done, transient |
| 409, 423, 425, 429 | not done, transient |
| other 4xx but 408 | not done, permanent |
| 3xx | not done, permanent: redirects are not followed; but see `_redirected` |
| everything else (5xx, 408) | answer lost; of a method that changes nothing: transient |
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from controller.core.digest import canonical
from controller.core.errors import ActionError, EffectFailed, LostAnswer, PermanentFailure, TransientFailure
from controller.core.ports import HttpAnswer, Json
from controller.core.retry_after import retry_after_seconds

SUCCESS = range(200, 300)
_TRANSIENT = frozenset({409, 423, 425, 429})
_METHOD_KEPT = frozenset({307, 308})
_SEE_OTHER = 303
_REQUEST_TIMEOUT = 408
_MISSING = object()


@dataclass(frozen=True)
class Asked:
    """What of a request decides how its answer is read."""

    method: str
    host: str
    idempotent: bool
    may_change: bool
    statuses: frozenset[int] | range = SUCCESS
    not_done_on: frozenset[int] = frozenset()
    expected_json: Mapping[str, Any] | None = None

    def __str__(self) -> str:
        return f"{self.method} to {self.host}"


def fault_of(asked: Asked, answer: HttpAnswer, now: datetime) -> ActionError | None:
    """What the answer proves to have gone wrong; None if it is the one asked for."""
    status = answer.status
    said = f"{asked} was answered with status {status}"
    patience = retry_after_seconds(answer.headers.get("retry-after"), now)
    if status in asked.statuses:
        differs = _json_difference(asked.expected_json or {}, answer.text)
        return EffectFailed(f"{said}, but {differs}") if differs else None
    if status in asked.not_done_on or status in _TRANSIENT:
        return TransientFailure(f"{said}: it was not done", retry_after_seconds=patience)
    if status in SUCCESS:
        return EffectFailed(f"{said}, which parameters.expect.status does not name")
    if status in range(300, 400):
        return _redirected(asked, status, said)
    if status in range(400, 500) and status != _REQUEST_TIMEOUT:
        return PermanentFailure(f"{said}: the target refuses it")
    if not asked.may_change:
        return TransientFailure(said, retry_after_seconds=patience)
    return LostAnswer(f"{said}: whether it was done is not known", retry_after_seconds=patience)


def _redirected(asked: Asked, status: int, said: str) -> ActionError:
    """303 says "done, see there", and many servers answer a POST that they carried out with 301 or 302; only 307
    and 308 ask for the same request again (RFC 9110, 15.4). So those of a POST or PATCH prove nothing.
    """
    advice = "redirects are not followed: give the final address, or name the status in parameters.expect.status"
    maybe_done = status == _SEE_OTHER or (not asked.idempotent and status not in _METHOD_KEPT)
    if asked.may_change and maybe_done:
        return LostAnswer(f"{said}: whether it was done is not known ({advice})")
    return PermanentFailure(f"{said} ({advice})")


def selected(paths: Mapping[str, str], text: str, most_bytes: int) -> tuple[Json, tuple[str, ...]]:
    """The values at the dotted paths by name, and the names of those that are absent or do not fit any more."""
    document = parsed(text)
    values: Json = {}
    left_out: list[str] = []
    for name, path in paths.items():
        value = value_at(document, path)
        try:
            fits = value is not _MISSING and len(canonical({**values, name: value})) <= most_bytes
        except ValueError:  # no canonical form: numbers that JSON tools would change
            fits = False
        if fits:
            values[name] = value
        else:
            left_out.append(name)
    return values, tuple(left_out)


def parsed(text: str) -> Any:
    """The text as JSON; a value that equals nothing if it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return _MISSING


def value_at(document: Any, path: str) -> Any:
    """What a dotted path leads to: keys of objects, indexes of lists."""
    value = document
    for part in path.split("."):
        if isinstance(value, dict) and part in value:
            value = value[part]
        elif isinstance(value, list) and part.isascii() and part.isdecimal() and int(part[:9]) < len(value):
            value = value[int(part)]
        else:
            return _MISSING
    return value


def _json_difference(expected: Mapping[str, Any], text: str) -> str | None:
    document = parsed(text) if expected else None
    if document is _MISSING:
        return "its body is not JSON"
    for path, wanted in expected.items():
        value = value_at(document, path)
        if value is _MISSING:
            return f"{path} is missing in its JSON"
        if not _same(value, wanted):
            return f"{path} in its JSON is not what was expected ({_short(wanted)})"
    return None


def _same(left: Any, right: Any) -> bool:
    """Equality of JSON values: 1 and 1.0 are one number, true is none."""
    match left, right:
        case dict(), dict():
            return left.keys() == right.keys() and all(_same(left[key], right[key]) for key in left)
        case list(), list():
            return len(left) == len(right) and all(map(_same, left, right))
        case (bool(), _) | (_, bool()):
            return left is right
        case _:
            return bool(left == right)


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:59]}…"
