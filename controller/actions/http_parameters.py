"""The parameters of http-request, and what they may not say.

Headers that frame the message or steer the connection belong to the client. Credentials may not stand in a
proposal in plain text, so headers, addresses and outputs whose name looks like one are refused: they come from Secrets,
through parameters of their own (docs/adr/0010-secret-parameters.md).
"""

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, Self, TypeVar

from pydantic import AfterValidator, Field, model_validator

from controller.actions.base import Parameters
from controller.actions.secrets import FromSecret, SecretValue
from controller.api.base import OpaqueMap
from controller.core.credentials import checked_url, looks_like_credential

_OWN_HEADERS = frozenset(
    {
        # framing and hop-by-hop (RFC 9110, 7.6.1)
        "connection", "content-length", "expect", "host", "keep-alive", "proxy-authenticate",
        "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade",
        # ours, or ones by which the target would take the method for another
        "idempotency-key", "x-http-method", "x-http-method-override", "x-method-override",
    }
)  # fmt: skip
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}")
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
_REQUEST_TIMEOUT = 408
BEARER_TOKEN = "parameters.bearerToken"  # noqa: S105  a path


class Method(StrEnum):
    GET = "GET"
    HEAD = "HEAD"
    PUT = "PUT"
    DELETE = "DELETE"
    POST = "POST"
    PATCH = "PATCH"


H = TypeVar("H", bound=Mapping[str, Any])


def _checked_names(headers: H) -> H:
    if len({name.lower() for name in headers}) < len(headers):
        raise ValueError("the same header is given twice")
    for name in headers:
        if not _TOKEN.fullmatch(name):
            raise ValueError(f"{name!r} is not a header name")
        if name.lower() in _OWN_HEADERS or name.lower().startswith("proxy-"):
            raise ValueError(f"{name} is set by the operator")
    return headers


def _checked_headers(headers: dict[str, str]) -> dict[str, str]:
    for name, value in headers.items():
        if looks_like_credential(name):
            raise ValueError(
                f"{name} looks like a credential, which must not stand in plain text; give it in secretHeaders"
            )
        if not is_header_value(value):
            raise ValueError(f"the value of {name} {HEADER_VALUE}")
    return headers


HEADER_VALUE = "must be printable ASCII on one line, without spaces around it"


def is_header_value(value: str) -> bool:
    return value.isascii() and value.isprintable() and value == value.strip()


def _checked_fields(fields: dict[str, FromSecret]) -> dict[str, FromSecret]:
    for name in fields:
        if not 1 <= len(name) <= 256:
            raise ValueError("the name of a field must have 1 to 256 characters")
    return fields


def _checked_outputs(outputs: dict[str, str]) -> dict[str, str]:
    for name, path in outputs.items():
        if not _IDENTIFIER.fullmatch(name):
            raise ValueError(f"{name!r} must be letters, digits and _, and not begin with a digit")
        # A lone "key" in JSON is mostly an identifier: issue.key.
        if any(looks_like_credential(part) for part in (name, *path.split(".")) if part != "key"):
            raise ValueError(f"{name} looks like a credential; it must not be written to status")
    return outputs


class Expect(Parameters):
    status: Annotated[tuple[Annotated[int, Field(ge=200, le=499)], ...], Field(min_length=1, max_length=32)] | None = (
        None
    )
    """Statuses that mean success, for example 404 too when deleting. Default: 200 to 299."""
    json_values: Annotated[dict[str, Any], Field(max_length=32)] | None = Field(default=None, alias="json")
    """Values that the answer's JSON must have, by dotted path: `status.ready: true`, `items.0.name: a`."""


class HttpRequestParameters(Parameters):
    method: Method
    """GET, HEAD, PUT, DELETE, POST or PATCH. The last two are sent at most once."""
    url: Annotated[str, Field(min_length=1, max_length=2048, pattern=r"^https?://[!-~]+$"), AfterValidator(checked_url)]
    """http or https address. A policy must allow its host."""
    headers: Annotated[
        dict[str, Annotated[str, Field(max_length=4096)]],
        Field(max_length=32, default_factory=dict),
        AfterValidator(_checked_names),
        AfterValidator(_checked_headers),
    ]
    """Request headers. Credentials are refused: they belong into the next two."""
    secret_headers: Annotated[
        dict[str, SecretValue], Field(max_length=8, default_factory=dict), AfterValidator(_checked_names)
    ]
    """Request headers whose value is read from a Secret when it is sent: `X-Api-Key: {secretKeyRef: {name, key}}`."""
    bearer_token: SecretValue | None = None
    """Token read from a Secret, sent as `Authorization: Bearer ...`."""
    body: OpaqueMap | None = None
    """JSON object to send."""
    secret_body: Annotated[
        dict[str, SecretValue], Field(max_length=8, default_factory=dict), AfterValidator(_checked_fields)
    ]
    """Fields of the JSON object that are read from a Secret when it is sent, beside those of `body`."""
    expect: Expect | None = None
    """What the answer must be."""
    not_done_on: Annotated[tuple[Annotated[int, Field(ge=400, le=599)], ...], Field(max_length=32)] = ()
    """Statuses by which the target says that nothing was done, so that even a POST may be repeated."""
    outputs: Annotated[
        dict[str, Annotated[str, Field(min_length=1, max_length=256)]],
        Field(max_length=16, default_factory=dict),
        AfterValidator(_checked_outputs),
    ]
    """Values to keep from the answer's JSON: name -> dotted path. 4 KiB in all."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.body is not None or self.secret_body) and self.method in (Method.GET, Method.HEAD):
            raise ValueError(f"{'body' if self.body is not None else 'secretBody'}: {self.method} has none")
        if both := sorted((self.body or {}).keys() & self.secret_body.keys()):
            raise ValueError(f"secretBody: {both[0]} also stands in body")
        plain = {name.lower() for name in self.headers}
        if twice := [name for name in self.secret_headers if name.lower() in plain]:
            raise ValueError(f"secretHeaders: {twice[0]} also stands in headers")
        if self.bearer_token and "authorization" in {name.lower() for name in self.secret_headers}:
            raise ValueError("bearerToken: secretHeaders has Authorization already")
        expected = set(self.expect.status or ()) if self.expect else set()
        if _REQUEST_TIMEOUT in expected:
            raise ValueError("expect.status: 408 proves nothing")
        if in_both := sorted(expected & set(self.not_done_on)):
            raise ValueError(f"notDoneOn: {in_both[0]} also stands in expect.status")
        return self

    @property
    def from_secrets(self) -> dict[str, FromSecret]:
        """What comes from Secrets, by parameter."""
        return {
            **{f"parameters.secretHeaders.{name}": ref for name, ref in self.secret_headers.items()},
            **({BEARER_TOKEN: self.bearer_token} if self.bearer_token else {}),
            **{f"parameters.secretBody.{name}": ref for name, ref in self.secret_body.items()},
        }
