"""http-request: one call to an address that policy allows.

Methods follow RFC 9110: GET, HEAD, PUT and DELETE may be repeated when an answer is lost, POST and PATCH are sent at
most once. Each carries the operation as `Idempotency-Key`, by which a target can refuse a second one.
"""

import json
from collections.abc import Callable
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from urllib.parse import urlsplit

from controller.actions.base import FIXED, Action, cut
from controller.actions.credentials import looks_like_credential
from controller.actions.http_answer import SUCCESS, Asked, fault_of, selected
from controller.actions.http_parameters import HttpRequestParameters, Method
from controller.api.common import Change
from controller.api.names import Risk
from controller.core.errors import LostAnswer, TransientFailure
from controller.core.ports import Done, Json, Operation, PreviewResult, Request, Verified

MAX_OUTPUT_BYTES = 4096
_IDEMPOTENT = frozenset({Method.GET, Method.HEAD, Method.PUT, Method.DELETE})
_SAFE = frozenset({Method.GET, Method.HEAD})


class HttpRequest(Action[HttpRequestParameters]):
    name = "http-request"
    description = (
        "Send one HTTP request to an allowed host. GET, HEAD, PUT and DELETE are repeated when the answer is lost, "
        "POST and PATCH never."
    )
    risk = Risk.MEDIUM
    needs_runner = False
    fixed = FIXED | {"method"}
    timeout_seconds = 60
    parameters = HttpRequestParameters

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now

    def is_idempotent(self, parameters: HttpRequestParameters) -> bool:
        return parameters.method in _IDEMPOTENT

    async def preview(self, request: Request[HttpRequestParameters]) -> PreviewResult:
        parameters = request.parameters
        await request.http.check(parameters.url)
        summary = f"Send {parameters.method} to {_host(parameters)}."
        if parameters.method in _SAFE:
            return PreviewResult(summary)
        change = Change(target=cut(parameters.url), path=parameters.method, after=_sent(parameters))
        return PreviewResult(summary, (change,), _warnings(parameters))

    async def run(self, request: Request[HttpRequestParameters], operation: Operation) -> Done:
        parameters = request.parameters
        asked = _asked(parameters)
        try:
            answer = await request.http.request(
                parameters.method,
                parameters.url,
                headers=_headers(parameters, operation),
                body=_body(parameters),
                may_change=asked.may_change,
            )
        except LostAnswer as error:
            if asked.may_change:
                raise
            raise TransientFailure(str(error), retry_after_seconds=error.retry_after_seconds) from error
        fault = fault_of(asked, answer, self._now())
        if fault:
            raise fault
        message = f"{asked} was answered with status {answer.status}."
        outputs: Json = {"status": answer.status}
        if parameters.outputs:
            outputs["json"], left_out = selected(parameters.outputs, answer.text, MAX_OUTPUT_BYTES)
            if left_out:
                message += f" Not in its JSON, or too big to keep: {', '.join(left_out)}."
        return Done(message, outputs)

    async def observe(self, request: Request[HttpRequestParameters], operation: Operation) -> Done | None:
        return None

    async def verify(self, request: Request[HttpRequestParameters], operation: Operation) -> Verified:
        return Verified(True)


def _asked(parameters: HttpRequestParameters) -> Asked:
    expect = parameters.expect
    statuses = frozenset(expect.status) if expect and expect.status else SUCCESS
    return Asked(
        method=parameters.method,
        host=_host(parameters),
        idempotent=parameters.method in _IDEMPOTENT,
        may_change=parameters.method not in _SAFE,
        statuses=statuses,
        not_done_on=frozenset(parameters.not_done_on),
        expected_json=expect.json_values if expect else None,
    )


def _host(parameters: HttpRequestParameters) -> str:
    return urlsplit(parameters.url).hostname or ""


def _headers(parameters: HttpRequestParameters, operation: Operation) -> dict[str, str]:
    ours = {"User-Agent": f"action-operator/{_version()}"}
    if parameters.body is not None:
        ours["Content-Type"] = "application/json"
    given = {name.lower() for name in parameters.headers}
    headers = {name: value for name, value in ours.items() if name.lower() not in given}
    return {**headers, **parameters.headers, "Idempotency-Key": operation.id}


def _body(parameters: HttpRequestParameters) -> bytes | None:
    if parameters.body is None:
        return None
    return json.dumps(parameters.body, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()


def _sent(parameters: HttpRequestParameters) -> str:
    """What is sent, for an approver: the whole body stands in the proposal, header values are never repeated."""
    body = _body(parameters)
    parts = ["no body" if body is None else f"JSON body of {len(body)} bytes"]
    if parameters.body:
        parts.append(f"fields {', '.join(sorted(parameters.body))}")
    if parameters.headers:
        parts.append(f"headers {', '.join(sorted(parameters.headers))}")
    return cut("; ".join(parts))


def _warnings(parameters: HttpRequestParameters) -> tuple[str, ...]:
    return tuple(
        cut(f"parameters.body.{name} looks like a credential: whoever may read the proposal can read it")
        for name in sorted(parameters.body or {})
        if looks_like_credential(name)
    )[:16]


def _version() -> str:
    try:
        return version("action-operator")
    except PackageNotFoundError:
        return "unknown"
