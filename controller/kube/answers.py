"""What an answer of the API server proves: the one place where status codes and broken connections become errors.

Known not done: no connection was made, or any 4xx but 408. Lost, if the request may change something: all the rest that
is not a success (docs/spec/attempts.md). The API server's own 503 and 504 are lost as well: they do not prove that
nothing was stored. Reads and dry runs change nothing, so for them what would be lost is merely transient.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Any

import aiohttp

from controller.core import nesting
from controller.core.errors import (
    ActionError,
    Conflict,
    LostAnswer,
    NotFound,
    PermanentFailure,
    RightMissing,
    Throttled,
    TransientFailure,
)
from controller.core.ports import Json, Resource
from controller.core.retry_after import retry_after_seconds
from controller.kube.session import RawAnswer

UNAUTHORIZED = "the API server does not accept our credentials, not even fresh ones"
_LONGEST_MESSAGE = 1000
_DISRUPTION_BUDGET = "DisruptionBudget"
_TRANSIENT = {HTTPStatus.LOCKED, HTTPStatus.TOO_EARLY}
_CLIENT_ERRORS = range(400, 500)
# RBAC's own words from the beginning: the text of an admission policy comes later in a message and may hold anything.
_BY_RBAC = re.compile(r'\S+(?: "[^"]*")? is forbidden: User "(?P<user>[^"]*)" cannot (?P<verb>\S+) resource "')


class Expired(TransientFailure):
    """A list took so long that its continue token is no longer good (410); list again from the start."""


@dataclass(frozen=True, slots=True)
class Missing:
    """What RBAC says is missing: `user` may not `verb`. The user is not the runner where acting as it is refused."""

    user: str
    verb: str


class Denied(RightMissing):
    """A 403. `missing` None: not RBAC said it, but admission, a quota, or a namespace that is ending."""

    def __init__(self, message: str, *, missing: Missing | None = None) -> None:
        super().__init__(message)
        self.missing = missing


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, as far as its answer is judged and told by it. `verb` is the one of RBAC: `patch`."""

    verb: str
    resource: Resource
    namespace: str | None
    name: str = ""
    subresource: str = ""
    may_change: bool = False

    def __str__(self) -> str:
        """`patch deployments/scale shop/web`."""
        where = "/".join(part for part in (self.namespace, self.name) if part)
        return f"{self.verb} {self.plural} {where}".rstrip()

    @property
    def plural(self) -> str:
        """`deployments/scale`, as RBAC rules name it."""
        return f"{self.resource.plural}/{self.subresource}" if self.subresource else self.resource.plural


def judge(asked: Asked, status: int, headers: Mapping[str, str], body: bytes, now: datetime) -> ActionError | None:
    """The error that an answer stands for; None for success."""
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return None
    told = _told(body)
    message = f"{asked}: {_message(told, body) or f'HTTP {status}'}{_budgets(told)}"
    after = retry_after_seconds(headers.get("Retry-After"), now)
    match status:
        case HTTPStatus.NOT_FOUND:
            return NotFound(message)
        case HTTPStatus.CONFLICT:
            return Conflict(message)
        case HTTPStatus.FORBIDDEN:
            return _denied(asked, message, str(told.get("message", "")))
        case HTTPStatus.UNAUTHORIZED:
            return TransientFailure(f"{message}: {UNAUTHORIZED}")
        case HTTPStatus.TOO_MANY_REQUESTS:
            return Throttled(message, retry_after_seconds=after)
        case HTTPStatus.GONE if asked.verb == "list":
            return Expired(message)
        case _ if status in _TRANSIENT:
            return TransientFailure(message, retry_after_seconds=after)
        case _ if status in _CLIENT_ERRORS and status != HTTPStatus.REQUEST_TIMEOUT:
            return PermanentFailure(message)
    return _unclear(asked, f"{message} (HTTP {status})", after)


def broken(asked: Asked, error: BaseException) -> ActionError:
    """The error that a connection which could not be made, or broke, stands for."""
    what = str(error) or type(error).__name__
    match error:
        case aiohttp.ClientConnectorCertificateError():
            return PermanentFailure(
                f"{asked}: the API server's certificate is not trusted: {what}; check the CA in the kubeconfig"
            )
        case aiohttp.ClientConnectorError() | aiohttp.ConnectionTimeoutError():
            return TransientFailure(f"{asked}: no connection to the API server: {what}")
        case aiohttp.InvalidURL():
            return PermanentFailure(f"{asked}: the API server's address is not a URL: {what}")
        case TimeoutError():
            return _unclear(asked, f"{asked}: no answer in time", None)
    return _unclear(asked, f"{asked}: the connection broke: {what}", None)


def content(asked: Asked, answer: RawAnswer) -> Json:
    """The object in a successful answer. Raises LostAnswer or TransientFailure when it is not JSON."""
    try:
        found = nesting.loads(answer.body)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise _unclear(asked, f"{asked}: the answer is not a JSON object", None)
    return found


def _unclear(asked: Asked, message: str, after: float | None) -> ActionError:
    if asked.may_change:
        return LostAnswer(message, retry_after_seconds=after)
    return TransientFailure(message, retry_after_seconds=after)


def _denied(asked: Asked, message: str, said: str) -> Denied:
    found = _BY_RBAC.match(said)
    if found is None:
        return Denied(message)
    kind = "Role" if asked.namespace else "ClusterRole"
    missing = Missing(found["user"], found["verb"])
    return Denied(f"{message}; grant it with a {kind} rule {role_rule(asked)}", missing=missing)


def role_rule(asked: Asked) -> str:
    """The RBAC rule that would allow the request, as YAML on one line."""
    names = f", resourceNames: [{asked.name}]" if asked.name and asked.verb != "create" else ""
    group = asked.resource.group or '""'
    return f"{{apiGroups: [{group}], resources: [{asked.plural}]{names}, verbs: [{asked.verb}]}}"


def _told(body: bytes) -> dict[str, Any]:
    """The API server's Status object, if the body is one."""
    try:
        told = json.loads(body) if body else {}
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _budgets(told: Json) -> str:
    """What disruption budgets say that forbid an eviction; the message itself does not name them."""
    details = told.get("details")
    causes = details.get("causes") if isinstance(details, dict) else None
    said = [
        " ".join(str(cause.get("message", "")).split())
        for cause in (causes if isinstance(causes, list) else ())
        if isinstance(cause, dict) and cause.get("reason") == _DISRUPTION_BUDGET
    ]
    return f" {'. '.join(said)}"[:_LONGEST_MESSAGE] if said else ""


def _message(told: Json, body: bytes) -> str:
    message = told.get("message")
    text = message if isinstance(message, str) else body[:_LONGEST_MESSAGE].decode(errors="replace")
    return " ".join(text.split())[:_LONGEST_MESSAGE]
