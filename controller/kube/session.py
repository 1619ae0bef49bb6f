"""One pool of connections to the API server for everything but kopf's watches: status patches, Events, effects.

Knows nothing of objects: it sends bytes and gives back status, headers and bytes.
"""

import ssl
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from controller.api.base import OPERATOR
from controller.core.errors import PermanentFailure, TransientFailure
from controller.kube.credentials import Credentials
from controller.kube.leaving import Ask, LeavingRequest, asking
from controller.kube.login import Login

REQUEST_SECONDS = 30.0
CONNECT_SECONDS = 10.0
POOL_SIZE = 64
# Below the API server's own 90 s and the usual load balancer's 60 s: a request then seldom meets a closed connection.
KEEPALIVE_SECONDS = 45.0

_TIMEOUT = aiohttp.ClientTimeout(total=REQUEST_SECONDS, connect=CONNECT_SECONDS, sock_connect=CONNECT_SECONDS)
_UNAUTHORIZED = 401


@dataclass(frozen=True, slots=True)
class RawAnswer:
    """An HTTP response, fully read. Header names in any case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


Told = Callable[[str, int | None, float], None]
"""Is told of each request to the API server: verb of RBAC, status code (None: no answer came), seconds it took."""


def _nobody(_verb: str, _code: int | None, _seconds: float) -> None:
    """Nobody wants to know."""


class BrokenAfterSending(Exception):
    """The connection broke after the request began to leave; it may have been received."""


class Session:
    """Sends requests with the credentials in force. For one event loop: `async with Session(login) as session`."""

    def __init__(self, login: Login, told: Told = _nobody) -> None:
        self.login = login
        self.told = told
        self._pool: aiohttp.ClientSession | None = None
        self._pool_for: Credentials | None = None
        self._retired: aiohttp.ClientSession | None = None
        self._date: tuple[str, float] | None = None

    async def __aenter__(self) -> "Session":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections. Requests in flight break."""
        pools, self._pool, self._retired = (self._pool, self._retired), None, None
        for pool in pools:
            if pool is not None:
                await pool.close()

    async def request(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str],
        body: bytes | None = None,
        timeout_seconds: float | None = None,
        before_leaving: Ask | None = None,
    ) -> RawAnswer:
        """One request; `path` is quoted and starts with `/`. A 401 is answered by logging in again once.

        Raises what `before_leaving` raises, with the connection in hand: then nothing was sent. Else the exceptions of
        aiohttp, TimeoutError, and BrokenAfterSending; PermanentFailure without credentials.
        """
        credentials = await self.login.current()
        answer = await self._send(credentials, method, path, headers, body, timeout_seconds, before_leaving)
        if answer.status == _UNAUTHORIZED:
            try:
                credentials = await self.login.again(credentials)
            except PermanentFailure as error:
                raise TransientFailure(f"the API server wants a new login, which fails: {error}") from error
            answer = await self._send(credentials, method, path, headers, body, timeout_seconds, before_leaving)
        return answer

    async def _send(
        self,
        credentials: Credentials,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes | None,
        timeout_seconds: float | None,
        before_leaving: Ask | None,
    ) -> RawAnswer:
        pool = await self._pool_of(credentials)
        if credentials.authorization:
            headers = CIMultiDict([*headers.items(), ("Authorization", credentials.authorization)])
        async with pool.request(
            method,
            URL(credentials.server + path, encoded=True),
            headers=headers,
            data=body,
            timeout=_TIMEOUT if timeout_seconds is None else _timeout(timeout_seconds),
            allow_redirects=False,
            server_hostname=credentials.tls_server_name,
            middlewares=tuple(_middlewares(method, before_leaving)) or None,
        ) as response:
            answer = RawAnswer(response.status, response.headers, await response.read())
        self._date = (answer.headers.get("Date", ""), time.time())
        return answer

    async def _pool_of(self, credentials: Credentials) -> aiohttp.ClientSession:
        """The pool for these credentials; a new one only if the connections of the present one will not do."""
        if self._pool is not None and self._pool_for is not None:
            if self._pool_for is credentials or self._pool_for.same_connection(credentials):
                self._pool_for = credentials
                return self._pool
            # Requests still in flight end on the old connections; those before them have long ended.
            before, self._retired = self._retired, self._pool
            self._pool = None
            if before is not None:
                await before.close()
        if self._pool is None:
            self._pool, self._pool_for = open_pool(credentials), credentials
        return self._pool

    def clock_skew_seconds(self) -> float | None:
        """How far our clock was ahead of the API server's at the last answer, to about a second. None: no answer."""
        if self._date is None:
            return None
        text, at = self._date
        try:
            return at - parsedate_to_datetime(text).timestamp() - 0.5  # the header has whole seconds, cut off
        except ValueError:
            return None


def open_pool(credentials: Credentials, *middlewares: aiohttp.ClientMiddlewareType) -> aiohttp.ClientSession:
    """Connections for these credentials; who sends a request adds the authorization. Raises PermanentFailure."""
    connector = aiohttp.TCPConnector(limit=POOL_SIZE, keepalive_timeout=KEEPALIVE_SECONDS, ssl=ssl_context(credentials))
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": OPERATOR},
        timeout=_TIMEOUT,
        trust_env=False,
        middlewares=middlewares,
        request_class=LeavingRequest,
        proxy=credentials.proxy,
    )


def ssl_context(credentials: Credentials) -> ssl.SSLContext:
    """Trust the cluster's CA (or the system's), show the client certificate if there is one.

    Raises PermanentFailure when a file cannot be used.
    """
    try:
        context = ssl.create_default_context(cafile=credentials.ca_path)
        if credentials.certificate_path:
            context.load_cert_chain(credentials.certificate_path, credentials.key_path)
    except OSError as error:
        raise PermanentFailure(f"certificates for {credentials.server} cannot be used: {error}") from error
    if credentials.ca_path:
        # Python 3.13 made this strict by default; the certificates of many clusters lack an authority key identifier.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if not credentials.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _middlewares(method: str, before_leaving: Ask | None) -> Iterator[aiohttp.ClientMiddlewareType]:
    # aiohttp sends GET, PUT and DELETE twice by itself if the first one breaks. For DELETE the answer to the second one
    # ("not found") would hide that the first one worked.
    if method == "DELETE":
        yield send_once
    if before_leaving is not None:
        yield asking(before_leaving)


def _timeout(seconds: float) -> aiohttp.ClientTimeout:
    connect = min(seconds, CONNECT_SECONDS)
    return aiohttp.ClientTimeout(total=seconds, connect=connect, sock_connect=connect)


async def send_once(
    request: aiohttp.ClientRequest, handler: Callable[[aiohttp.ClientRequest], Awaitable[aiohttp.ClientResponse]]
) -> aiohttp.ClientResponse:
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise BrokenAfterSending(str(error)) from error
