"""executor.http: an http-request whose form the type's author wrote and whose values the proposer gives."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote

from controller.actions.base import ParameterFaultsError, parse_as
from controller.actions.http_parameters import HttpRequestParameters
from controller.actions.http_request import HttpRequest
from controller.actions.insertion import Declared, filled, form_faults, is_place, parameter_of, places
from controller.api.actiontype import HttpExecutor
from controller.core.digest import canonical
from controller.core.ports import Json

HERE = "spec.executor.http"
SECRETS_STAND = "it may be the value of a header, bearerToken, or a whole field of body"


class CustomHttp(HttpRequest):
    """The request of one custom type. It is an http-request in all but where its parts come from."""

    def __init__(self, spec: HttpExecutor, declared: Declared, now: Callable[[], datetime]) -> None:
        super().__init__(now)
        self._spec = spec
        self._declared = declared

    def parse(self, parameters: Mapping[str, Any]) -> HttpRequestParameters:
        try:
            return super().parse(_request(self._spec, self._declared, parameters))
        except ParameterFaultsError as error:
            raise ParameterFaultsError(
                tuple(
                    f"parameters: the request that they make is refused: {fault.removeprefix('parameters.')}"
                    for fault in error.faults
                )
            ) from None


def http_faults(spec: HttpExecutor, declared: Declared) -> Iterator[str]:
    """What is wrong with the executor before any proposal is made; empty if nothing."""
    wire = spec.wire()
    faults = [*form_faults(wire, HERE), *_place_faults(spec, wire, declared)]
    if spec.bearer_token is not None and not declared.is_secret(parameter_of(spec.bearer_token)):
        faults.append(f"{HERE}.bearerToken: must be {{fromParameter: NAME}} of a parameter with secret: true")
    if (spec.path or spec.query) and "?" in spec.url:
        faults.append(f"{HERE}.url: must have no query beside path and query; move it to {HERE}.query")
    yield from faults
    if not faults:
        yield from _together(spec, declared)


def _place_faults(spec: HttpExecutor, wire: Json, declared: Declared) -> Iterator[str]:
    allowed = ("path", "query", "headers", "bearerToken", "body")
    for place in places(wire, HERE):
        field = place.path.removeprefix(f"{HERE}.").partition(".")[0].partition("[")[0]
        if field not in allowed or place.path in (f"{HERE}.{name}" for name in ("query", "headers", "body")):
            within = "path, query, headers, bearerToken and body"
            yield f"{place.path}: a parameter cannot stand here, only inside {within}; write it out"
            continue
        yield from declared.unknown(place)
        if field in ("path", "query"):
            yield from declared.not_secret(place, SECRETS_STAND)
            if place.parameter in declared.properties and not declared.is_secret(place.parameter):
                yield from declared.not_naming(place, required=field == "path")
    for name, value in (spec.body or {}).items():
        for place in () if is_place(value) else places(value, f"{HERE}.body.{name}"):
            yield from declared.not_secret(place, SECRETS_STAND)
    for part, entries in (("path", enumerate(spec.path)), ("query", (spec.query or {}).items())):
        for key, value in entries:
            if isinstance(value, dict | list) and not is_place(value):
                yield f"{HERE}.{part}.{key}: must be text, a number or a parameter"


def _together(spec: HttpExecutor, declared: Declared) -> Iterator[str]:
    """What http-request says of the request with values that stand for the parameters."""
    try:
        parse_as(HttpRequestParameters, _request(spec, declared, declared.sample()))
    except ParameterFaultsError as error:
        for fault in error.faults:
            yield f"{HERE}.{fault.removeprefix('parameters.')}"


def _request(spec: HttpExecutor, declared: Declared, parameters: Mapping[str, Any]) -> Json:
    """The parameters of the http-request that it comes to. Raises ParameterFaultsError for the path."""
    headers, body = spec.headers or {}, spec.body
    secret_headers = {name: value for name, value in headers.items() if declared.is_secret(parameter_of(value))}
    secret_body = {name: value for name, value in (body or {}).items() if declared.is_secret(parameter_of(value))}
    plain_headers = filled({name: value for name, value in headers.items() if name not in secret_headers}, parameters)
    made: Json = {
        "method": spec.method,
        "url": _url(spec, parameters),
        "headers": {name: _text(value) for name, value in plain_headers.items()},
        "secretHeaders": filled(secret_headers, parameters),
        "secretBody": filled(secret_body, parameters),
        "notDoneOn": list(spec.not_done_on or ()),
        "outputs": dict(spec.outputs or {}),
    }
    if body is not None:
        made["body"] = filled({name: value for name, value in body.items() if name not in secret_body}, parameters)
    if spec.expect is not None:
        made["expect"] = dict(spec.expect)
    if spec.bearer_token is not None and (token := filled(spec.bearer_token, parameters)) is not None:
        made["bearerToken"] = token
    return made


def _url(spec: HttpExecutor, parameters: Mapping[str, Any]) -> str:
    """The address with each segment and entry percent-encoded (RFC 3986, 2.1), so that none is taken for two."""
    url = spec.url
    segments = [_segment(_text(value)) for value in filled(list(spec.path), parameters)]
    if segments:
        url = "/".join([url.rstrip("/"), *segments])
    query = filled(spec.query or {}, parameters)
    if query:
        url += "?" + "&".join(f"{quote(name, safe='')}={quote(_text(value), safe='')}" for name, value in query.items())
    return url


def _segment(text: str) -> str:
    """Servers decode a segment before they look for `..` in it, so what would lead elsewhere is refused."""
    if not text or {".", ".."} & set(text.replace("\\", "/").split("/")):
        raise ParameterFaultsError(("parameters.path: a segment must not be empty, `.` or `..`, nor have one in it",))
    return quote(text, safe="")


def _text(value: Any) -> str:
    """A text as it is; anything else as JSON."""
    return value if isinstance(value, str) else canonical(value).decode()
