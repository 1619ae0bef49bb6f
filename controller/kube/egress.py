"""Calls to the outside world: only hosts that policy names, only addresses that were checked, no redirects, no proxies.

A host is looked up once and every address of it checked; the connection goes to those addresses and no others, and the
socket layer checks once more the very address it is about to connect to. Each request has a connection of its own, so
that none made under one policy serves another.
"""

import asyncio
import re
import socket
import ssl
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from controller.api.base import OPERATOR
from controller.core.errors import ActionError, CallNotAllowed, LostAnswer, PermanentFailure, TransientFailure
from controller.core.ports import Egress, HttpAnswer, Journal
from controller.core.web_address import WebAddress, plain_host, web_address
from controller.kube import addresses
from controller.kube.leaving import LeavingRequest, asking
from controller.kube.session import BrokenAfterSending, send_once

MAX_ANSWER_BYTES = 1024 * 1024
CONNECT_SECONDS = 10.0

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_FRAMING = re.compile(
    r"(?i)host|content-length|transfer-encoding|connection|keep-alive|upgrade|te|trailer|expect|accept-encoding|proxy-.*"
)

# Their text quotes what the target sent, which may be a credential.
_BAD_HTTP = (aiohttp.http_exceptions.HttpProcessingError, aiohttp.ClientResponseError)


class EgressHttp:
    """Implements `core.ports.Http` for one attempt. The caller bounds the time; `timeout_seconds` is a last resort."""

    def __init__(self, egress: Egress, journal: Journal, *, timeout_seconds: float = 3600.0) -> None:
        self._egress = egress
        self._journal = journal
        self._timeout = aiohttp.ClientTimeout(
            total=timeout_seconds, connect=CONNECT_SECONDS, sock_connect=CONNECT_SECONDS
        )

    async def check(self, url: str) -> None:
        """Whether policy lets the URL be called. A host that cannot be looked up now breaks no rule.

        Raises PermanentFailure with the rule to change.
        """
        try:
            await self._look_up(self._allowed(url))
        except TransientFailure:
            return

    async def request(
        self, method: str, url: str, *, headers: Mapping[str, str], body: bytes | None, may_change: bool
    ) -> HttpAnswer:
        """One request; the answer whatever its status, its text cut off at 1 MiB.

        Raises PermanentFailure if it may not be sent, TransientFailure if no connection was made; if it broke after
        that, LostAnswer, or TransientFailure where nothing can have changed.
        """
        _check_form(method, headers)
        target = self._allowed(url)
        found = await self._look_up(target)
        sent = _Sent(self._journal if may_change else None)
        try:
            async with (
                self._connections(found) as session,
                session.request(
                    method,
                    URL(url, encoded=True),  # as it was approved, to the letter
                    headers={"Accept-Encoding": "identity", "User-Agent": OPERATOR, **headers},
                    data=body,
                    allow_redirects=False,
                    auto_decompress=False,
                    skip_auto_headers=("Content-Type",),
                    middlewares=(send_once, asking(sent.now)),
                ) as response,
            ):
                return await _answer(response)
        except (aiohttp.ClientError, BrokenAfterSending, OSError, ValueError) as error:
            raise _judge(target, error, connected=sent.connected, may_change=may_change) from error

    def _allowed(self, url: str) -> WebAddress:
        """The URL's address, if its form and its host may be called."""
        try:
            target = web_address(url)
        except ValueError as error:
            raise PermanentFailure(f"url: {error}") from error
        host = target.host
        hosts = self._egress.hosts
        if hosts is None:
            raise CallNotAllowed(
                f"url: no policy allows calls to {host}; add it to spec.http.allowedHosts of an ActionPolicy"
            )
        if host not in {_named(name) for name in hosts}:
            raise CallNotAllowed(
                f"url: {host} is not in spec.http.allowedHosts of every matching ActionPolicy "
                f"(all allow: {', '.join(sorted(hosts)) or 'none'})"
            )
        return target

    async def _look_up(self, target: WebAddress) -> list[ResolveResult]:
        """All addresses of the host. Raises PermanentFailure if one of them may not be called."""
        host, port = target.host, target.port
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                infos = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise TransientFailure(f"{host} cannot be looked up: {error or 'no answer in time'}") from error
        for *_, place in infos:
            if (why := self._refusal(place)) is not None:
                raise PermanentFailure(
                    f"url: {host} leads to an address that may not be called: {why}; if it is meant, name its network "
                    "in spec.http.allowedPrivate of every matching ActionPolicy"
                )
        return [
            ResolveResult(
                hostname=host,
                host=str(place[0]),
                port=port,
                family=family,
                proto=protocol,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for family, _, protocol, _, place in infos
        ]

    def _refusal(self, place: Sequence[Any]) -> str | None:
        return addresses.refusal(addresses.address(str(place[0])), self._egress.private)

    def _connections(self, found: list[ResolveResult]) -> aiohttp.ClientSession:
        def open_socket(info: aiohttp.connector.AddrInfoType) -> socket.socket:
            family, kind, protocol, _, place = info
            if (why := self._refusal(place)) is not None:
                raise _RefusedError(why)
            return socket.socket(family, kind, protocol)

        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                force_close=True,
                use_dns_cache=False,
                resolver=_Found(found),
                socket_factory=open_socket,
                ssl=_public_trust(),
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=self._timeout,
            request_class=LeavingRequest,
            trust_env=False,
        )


class _RefusedError(OSError):
    """The socket layer was about to connect to an address that may not be called."""


class _Sent:
    """Notes that the request leaves now, over a connection that stands."""

    def __init__(self, journal: Journal | None) -> None:
        self._journal = journal
        self.connected = False

    def now(self) -> None:
        if self._journal is not None:
            self._journal.sending()
        self.connected = True


class _Found(AbstractResolver):
    """Answers with the addresses that were found and checked before."""

    def __init__(self, found: list[ResolveResult]) -> None:
        self._found = found

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return self._found

    async def close(self) -> None:
        pass


async def _answer(response: aiohttp.ClientResponse) -> HttpAnswer:
    body = bytearray()
    while len(body) < MAX_ANSWER_BYTES and (part := await response.content.read(MAX_ANSWER_BYTES - len(body))):
        body += part
    headers: dict[str, str] = {}
    for name, value in response.headers.items():
        name = name.lower()
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    try:
        text = body.decode(response.charset or "utf-8", errors="replace")
    except LookupError:
        text = body.decode(errors="replace")
    return HttpAnswer(response.status, headers, text)


def _judge(target: WebAddress, error: Exception, *, connected: bool, may_change: bool) -> ActionError:
    where = target.origin
    what = "the answer is not valid HTTP" if isinstance(error, _BAD_HTTP) else str(error) or type(error).__name__
    if connected:
        message = f"{where}: sent, but no whole answer came back: {what}"
        return LostAnswer(message) if may_change else TransientFailure(message)
    match error:
        case aiohttp.ClientConnectorCertificateError():
            return PermanentFailure(f"{where}: its certificate is not trusted: {what}")
        case aiohttp.ClientConnectorError(os_error=_RefusedError() as refused):
            return PermanentFailure(f"{where}: the address may not be called: {refused}")
        case aiohttp.InvalidURL() | ValueError():
            return PermanentFailure(f"{where}: the request cannot be sent: {what}")
    return TransientFailure(f"{where}: no connection: {what}")


def _check_form(method: str, headers: Mapping[str, str]) -> None:
    """Refuse what could make one request look like two to somebody on the way."""
    if not _TOKEN.fullmatch(method):
        raise PermanentFailure(f"method {method!r} is not an HTTP method")
    for name, value in headers.items():
        if not _TOKEN.fullmatch(name) or _FRAMING.fullmatch(name):
            raise PermanentFailure(f"headers: {name!r} is set by the operator or not a header name; leave it out")
        if any(character in value for character in "\r\n\0"):
            raise PermanentFailure(f"headers.{name}: must be one line")


def _named(host: str) -> str:
    """A host of a policy, as that of an address is compared; one that none can have stays as it is."""
    host = host.strip()
    try:
        if not host.isascii():
            host = URL.build(scheme="http", host=host).raw_host or host
        return plain_host(f"[{host}]" if host.count(":") > 1 and not host.startswith("[") else host)
    except ValueError:
        return host


@cache
def _public_trust() -> ssl.SSLContext:
    return ssl.create_default_context()
