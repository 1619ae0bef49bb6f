"""http-request: one call to an address that policy allows.

Methods follow RFC 9110: GET, HEAD, PUT and DELETE may be repeated when an answer is lost, POST and PATCH are sent at
most once. Each carries the operation as `Idempotency-Key`, by which a target can refuse a second one. Credentials are
read from Secrets right before it is sent, as the runner; without any it needs no runner.
"""

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version

from controller.actions.about import About, Family, Right
from controller.actions.base import FIXED, Action, cut
from controller.actions.http_answer import SUCCESS, Asked, fault_of, selected
from controller.actions.http_parameters import (
    BEARER_TOKEN,
    HEADER_VALUE,
    HttpRequestParameters,
    Method,
    is_header_value,
)
from controller.actions.secrets import check, resolve, unusable
from controller.api.base import OPERATOR
from controller.api.common import Change
from controller.api.names import Risk
from controller.core.credentials import looks_like_credential
from controller.core.errors import LostAnswer, TransientFailure
from controller.core.ports import Done, Json, Operation, PreviewResult, Request, Verified
from controller.core.web_address import web_address

MAX_OUTPUT_BYTES = 4096
_IDEMPOTENT = frozenset({Method.GET, Method.HEAD, Method.PUT, Method.DELETE})
_SAFE = frozenset({Method.GET, Method.HEAD})


class HttpRequest(Action[HttpRequestParameters]):
    name = "http-request"
    description = (
        "Send one HTTP request to an allowed host. GET, HEAD, PUT and DELETE are repeated when the answer is lost, "
        "POST and PATCH never."
    )
    about = About(
        Family.OUTSIDE,
        rights=(Right("", ("secrets",), ("get",), names=("pager",), why="only where it uses Secrets"),),
        repeats="GET, HEAD, PUT, DELETE yes; POST, PATCH no",
        runner="only with Secrets",
    )
    risk = Risk.MEDIUM
    needs_runner = False
    fixed = FIXED | {"method", "secretHeaders", "bearerToken", "secretBody"}
    timeout_seconds = 60
    parameters = HttpRequestParameters

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now

    def is_idempotent(self, parameters: HttpRequestParameters) -> bool:
        return parameters.method in _IDEMPOTENT

    def acts_as_runner(self, parameters: HttpRequestParameters) -> bool:
        return bool(parameters.from_secrets)

    async def preview(self, request: Request[HttpRequestParameters]) -> PreviewResult:
        parameters = request.parameters
        await request.http.check(parameters.url)
        await check(request, parameters.from_secrets)
        summary = cut(f"Send {parameters.method} to {_host(parameters)}{_with_secrets(parameters)}.")
        if parameters.method in _SAFE:
            return PreviewResult(summary, warnings=_warnings(parameters))
        change = Change(target=cut(parameters.url), path=parameters.method, after=_sent(parameters))
        return PreviewResult(summary, (change,), _warnings(parameters))

    async def run(self, request: Request[HttpRequestParameters], operation: Operation) -> Done:
        parameters = request.parameters
        asked = _asked(parameters)
        secrets = await resolve(request, parameters.from_secrets)
        try:
            answer = await request.http.request(
                parameters.method,
                parameters.url,
                headers=_headers(parameters, operation, secrets),
                body=_body(parameters, secrets),
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
    return web_address(parameters.url).host


def _headers(parameters: HttpRequestParameters, operation: Operation, secrets: Mapping[str, str]) -> dict[str, str]:
    """Raises PermanentFailure for a value from a Secret that no header can have."""
    ours = {"User-Agent": f"action-operator/{_version()}"}
    if parameters.body is not None or parameters.secret_body:
        ours["Content-Type"] = "application/json"
    secret = {name: secrets[f"parameters.secretHeaders.{name}"] for name in parameters.secret_headers}
    if parameters.bearer_token:
        secret["Authorization"] = f"Bearer {secrets[BEARER_TOKEN]}"
    for path, ref in parameters.from_secrets.items():
        if not path.startswith("parameters.secretBody.") and not is_header_value(secrets[path]):
            raise unusable(path, ref, HEADER_VALUE)
    given = {name.lower() for name in (*parameters.headers, *secret)}
    headers = {name: value for name, value in ours.items() if name.lower() not in given}
    return {**headers, **parameters.headers, **secret, "Idempotency-Key": operation.id}


def _body(parameters: HttpRequestParameters, secrets: Mapping[str, str]) -> bytes | None:
    if parameters.body is None and not parameters.secret_body:
        return None
    filled = {name: secrets[f"parameters.secretBody.{name}"] for name in parameters.secret_body}
    body = {**(parameters.body or {}), **filled}
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()


def _with_secrets(parameters: HttpRequestParameters) -> str:
    """`, with secretHeaders.X-Api-Key from Secret hooks, key api-key`."""
    told = [f"{path.removeprefix('parameters.')} from {ref}" for path, ref in parameters.from_secrets.items()]
    return f", with {'; '.join(told)}" if told else ""


def _sent(parameters: HttpRequestParameters) -> str:
    """What is sent, for an approver: the whole body stands in the proposal, header values are never repeated."""
    fields = sorted((parameters.body or {}).keys() | parameters.secret_body.keys())
    parts = ["no body" if parameters.body is None and not fields else _size(parameters)]
    if fields:
        parts.append(f"fields {', '.join(fields)}")
    if parameters.headers:
        parts.append(f"headers {', '.join(sorted(parameters.headers))}")
    if parameters.from_secrets:
        parts.append(_with_secrets(parameters).removeprefix(", "))
    return cut("; ".join(parts))


def _size(parameters: HttpRequestParameters) -> str:
    """Of the body as the proposal has it: the length of a secret would say something of it."""
    plain = _body(parameters.model_copy(update={"secret_body": {}}), {}) or b"{}"
    return f"JSON body of {len(plain)} bytes" + (" and secrets" if parameters.secret_body else "")


def _warnings(parameters: HttpRequestParameters) -> tuple[str, ...]:
    warnings = [
        cut(
            f"parameters.body.{name} looks like a credential: whoever may read the proposal can read it; "
            "give it in secretBody"
        )
        for name in sorted(parameters.body or {})
        if looks_like_credential(name)
    ]
    if parameters.from_secrets and web_address(parameters.url).scheme == "http":
        warnings.insert(0, "The secrets are sent over http: whoever is on the way can read them")
    return tuple(warnings[:16])


def _version() -> str:
    try:
        return version(OPERATOR)
    except PackageNotFoundError:
        return "unknown"
