"""A proxy between the operator and the API server that fails one chosen write, or all requests for a while.

It speaks plain HTTP on loopback to the operator, forwards with the operator's own token, streams watches through, and
keeps a trace of every write. Writes are counted per `about`, the start of the name of what they are about, so that
neither the Lease nor what is left of an earlier case shifts the numbers.
"""

import asyncio
import json
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import aiohttp
import yaml
from aiohttp import web

Json = dict[str, Any]

HOP_BY_HOP = frozenset(
    {"connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "host", "content-length"}
)
VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
NOT_COUNTED_GROUPS = frozenset({"coordination.k8s.io", "authorization.k8s.io", "authentication.k8s.io"})
OUR_GROUPS = frozenset({"actionoperator.dev", "events.k8s.io"})
SECONDS_TO_START = 10.0


class Fault(StrEnum):
    """What becomes of the chosen write."""

    KILL_BEFORE = "kill_before"
    """The operator is killed, and the write never reaches the API server."""
    KILL_AFTER = "kill_after"
    """The write is stored, then the operator is killed before it hears of it."""
    LOSE_ANSWER = "lose_answer"
    """The write is stored, then the connection breaks; the operator lives on."""
    HANG = "hang"
    """The write is stored, and no answer ever comes."""
    STATUS = "status"
    """The write is not forwarded, but answered with `Plan.status`."""

    @property
    def kills(self) -> bool:
        return self in (Fault.KILL_BEFORE, Fault.KILL_AFTER)


class Outage(StrEnum):
    """How the API server is away."""

    REFUSED = "refused"
    """Nobody listens: connections are refused, open ones break."""
    RESET = "reset"
    """Connections are made, and broken when a request comes; these are counted."""
    UNHEARD = "unheard"
    """Watches alone are broken, again and again; whatever else is asked is answered."""


@dataclass(frozen=True)
class Asked:
    """One request, in the words of RBAC."""

    verb: str
    group: str
    resource: str
    subresource: str
    namespace: str
    name: str
    dry_run: bool

    @property
    def counted(self) -> bool:
        """Whether it is a write of which each one matters: no dry run, no Lease, no access review."""
        return self.verb in VERBS.values() and not self.dry_run and self.group not in NOT_COUNTED_GROUPS

    @property
    def effect(self) -> bool:
        """Whether it is a write that an action is for, nothing of ours and no Event."""
        return self.counted and self.group not in OUR_GROUPS

    def __str__(self) -> str:
        return f"{self.verb} {'/'.join(part for part in (self.resource, self.name, self.subresource) if part)}"


@dataclass
class Write:
    """A write that passed or failed here. `number` counts those of the armed plan, from 1."""

    asked: Asked
    body: Json
    at: float
    number: int | None
    fault: Fault | None = None
    status: int | None = None
    """The API server's answer; None if it was never asked or never answered."""
    answered_at: float | None = None

    @property
    def stored(self) -> bool:
        return self.status is not None and 200 <= self.status < 300

    def __str__(self) -> str:
        return f"{self.number or '-'} {self.asked} {self.status or 'not sent'}{f' {self.fault}' if self.fault else ''}"


@dataclass(frozen=True)
class Plan:
    """Fail the write with this number among those about `about`. Number 0: only count.

    `only_effects`: count only what an action does, not what is written down of it.
    """

    about: str
    number: int = 0
    fault: Fault = Fault.LOSE_ANSWER
    status: int = 503
    retry_after: str | None = None
    only_effects: bool = False

    def counts(self, asked: Asked) -> bool:
        return asked.name.startswith(self.about) and (asked.effect or not self.only_effects)


@dataclass
class FaultProxy:
    """Made by `fault_proxy`. Tests call it from their own thread."""

    upstream: str
    authority: Path
    victim: Callable[[], None] = lambda: None
    """Kills the operator and returns when it is dead."""
    port: int = 0
    fired: threading.Event = field(default_factory=threading.Event)
    trace: list[Write] = field(default_factory=list)
    in_outage: Counter[str] = field(default_factory=Counter)
    """Requests that came in the last outage, if connections were made, by what they asked for."""
    cut: int = 0
    """Writes that were under way when the last outage began."""
    _plan: Plan | None = None
    _counted: int = 0
    _outage: Outage | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _loop: asyncio.AbstractEventLoop | None = None
    _runner: web.ServerRunner | None = None
    _server: web.Server | None = None
    _site: web.TCPSite | None = None
    _session: aiohttp.ClientSession | None = None

    # -- for tests -----------------------------------------------------------------------------------------------

    def kubeconfig(self, original: Path, out: Path) -> Path:
        """A kubeconfig like the original one that comes here instead."""
        document = yaml.safe_load(original.read_text())
        document["clusters"][0]["cluster"] = {"server": f"http://127.0.0.1:{self.port}"}
        out.write_text(yaml.safe_dump(document))
        out.chmod(0o600)
        return out

    def arm(self, plan: Plan) -> None:
        """From now on count, and fail the plan's write when it comes, once."""
        with self._lock:
            self.fired.clear()
            self._plan, self._counted = plan, 0

    def disarm(self) -> int:
        """Fail nothing any more; how many writes were counted."""
        with self._lock:
            self._plan = None
            return self._counted

    def writes(self, about: str) -> list[Write]:
        """The trace of the writes about that, oldest first."""
        return [write for write in list(self.trace) if write.asked.name.startswith(about)]

    @contextmanager
    def outage(self, kind: Outage) -> Iterator[None]:
        """The API server is away until left."""
        self.in_outage.clear()
        self._call(self._begin_outage(kind))
        try:
            yield
        finally:
            self._call(self._end_outage())

    # -- in the proxy's own thread ---------------------------------------------------------------------------------

    def _call(self, work: Any) -> Any:
        assert self._loop is not None
        done: Future[Any] = asyncio.run_coroutine_threadsafe(work, self._loop)
        return done.result(SECONDS_TO_START)

    async def _open(self) -> None:
        context = ssl.create_default_context(cafile=str(self.authority))
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=context, keepalive_timeout=30),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=10),
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
        )
        self._server = web.Server(self._handle, access_log=None)
        self._runner = web.ServerRunner(self._server, shutdown_timeout=0.1)
        await self._runner.setup()
        await self._listen()

    async def _listen(self) -> None:
        assert self._runner is not None
        self._site = web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True)
        await self._site.start()
        if not self.port:
            self.port = self._runner.addresses[0][1]

    async def _close(self) -> None:
        self._break_connections()
        if self._runner is not None:
            await self._runner.cleanup()
        if self._session is not None:
            await self._session.close()

    async def _begin_outage(self, kind: Outage) -> None:
        self._outage = kind
        self.cut = sum(1 for write in self.trace if write.answered_at is None and write.fault is None)
        if kind is Outage.REFUSED and self._site is not None:
            await self._site.stop()
        self._break_connections()

    async def _end_outage(self) -> None:
        if self._outage is Outage.REFUSED:
            await self._listen()
        self._outage = None

    def _break_connections(self) -> None:
        assert self._server is not None
        for connection in self._server.connections:
            if connection.transport is not None:
                connection.transport.abort()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if self._outage is not None and not self._still_answered(request):
            asked = classify(request.method, request.raw_path, b"")
            self.in_outage[f"{asked.verb} {asked.resource}{'/' if asked.subresource else ''}{asked.subresource}"] += 1
            return _broken(request)
        body = await request.read()
        asked = classify(request.method, request.raw_path, body)
        if not asked.counted:
            return await self._passed_on(request, body)
        write, plan = self._note(asked, body)
        match write.fault:
            case None:
                return await self._forwarded(request, body, write)
            case Fault.KILL_BEFORE:
                await self._kill()
                return _broken(request)
            case Fault.KILL_AFTER:
                await self._forwarded(request, body, write)
                await self._kill()
                return _broken(request)
            case Fault.LOSE_ANSWER:
                await self._forwarded(request, body, write)
                self.fired.set()
                return _broken(request)
            case Fault.HANG:
                await self._forwarded(request, body, write)
                self.fired.set()
                await asyncio.Event().wait()
        self.fired.set()
        headers = {"Retry-After": plan.retry_after} if plan.retry_after else {}
        told = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": plan.status, "message": "as told"}
        return web.json_response(told, status=plan.status, headers=headers)

    def _still_answered(self, request: web.BaseRequest) -> bool:
        watch = classify(request.method, request.raw_path, b"").verb == "watch"
        return self._outage is Outage.UNHEARD and not watch

    def _note(self, asked: Asked, body: bytes) -> tuple[Write, Plan]:
        """Puts the write into the trace, with the fault if it is the chosen one."""
        with self._lock:
            plan = self._plan or Plan("")
            write = Write(asked, json.loads(body) if body else {}, time.time(), None)
            if self._plan is not None and plan.counts(asked):
                self._counted += 1
                write.number = self._counted
                if self._counted == plan.number and not self.fired.is_set():
                    write.fault = plan.fault
            self.trace.append(write)
            return write, plan

    async def _kill(self) -> None:
        await asyncio.to_thread(self.victim)
        self.fired.set()

    async def _forwarded(self, request: web.BaseRequest, body: bytes, write: Write) -> web.StreamResponse:
        async with self._ask(request, body) as answer:
            text = await answer.read()
            write.status, write.answered_at = answer.status, time.time()
            return web.Response(status=answer.status, body=text, headers=_end_to_end(answer.headers))

    async def _passed_on(self, request: web.BaseRequest, body: bytes) -> web.StreamResponse:
        """Without a fault, piece by piece as it comes."""
        async with self._ask(request, body) as answer:
            response = web.StreamResponse(status=answer.status, headers=_end_to_end(answer.headers))
            with suppress(ConnectionError, aiohttp.ClientError):
                await response.prepare(request)
                async for piece in answer.content.iter_any():
                    await response.write(piece)
                await response.write_eof()
            return response

    def _ask(self, request: web.BaseRequest, body: bytes) -> Any:
        assert self._session is not None
        url = aiohttp.client.URL(self.upstream + request.raw_path, encoded=True)
        headers = _end_to_end(request.headers)
        return self._session.request(request.method, url, headers=headers, data=body or None, allow_redirects=False)


@contextmanager
def fault_proxy(upstream: str, authority: Path) -> Iterator[FaultProxy]:
    """A proxy to the API server `upstream`, in a thread of its own, until left."""
    proxy = FaultProxy(upstream, authority)
    loop = asyncio.new_event_loop()
    proxy._loop = loop
    thread = threading.Thread(target=_serve, args=(loop,), name="fault proxy", daemon=True)
    thread.start()
    try:
        proxy._call(proxy._open())
        yield proxy
    finally:
        proxy._call(proxy._close())
        loop.call_soon_threadsafe(loop.stop)
        thread.join(SECONDS_TO_START)


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
    finally:
        loop.close()


def classify(method: str, raw_path: str, body: bytes) -> Asked:
    """What a request asks for. The name of what is created stands in its body."""
    path, _, query = raw_path.partition("?")
    parts = path.strip("/").split("/")
    group, rest = ("", parts[2:]) if parts[0] == "api" else ("".join(parts[1:2]), parts[3:])
    namespace = ""
    if len(rest) > 2 and rest[0] == "namespaces":
        namespace, rest = rest[1], rest[2:]
    resource, name, subresource = (*rest, "", "", "")[:3]
    asked = parse_qs(query)
    verb = VERBS.get(method) or ("watch" if asked.get("watch") else "get" if name else "list")
    if verb == "create" and not name and body:
        with suppress(ValueError):
            name = (json.loads(body).get("metadata") or {}).get("name") or ""
    return Asked(verb, group, resource, subresource, namespace, name, dry_run="dryRun" in asked)


def _end_to_end(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.lower() not in HOP_BY_HOP}


def _broken(request: web.BaseRequest) -> web.StreamResponse:
    """Breaks the connection; what is returned goes nowhere."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()
