"""Outside calls: what may be called, and what an answer or its lack proves."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from ipaddress import ip_network
from typing import Any

import pytest

from controller.core.errors import LostAnswer, NotLeading, PermanentFailure, TransientFailure
from controller.core.ports import Egress, HttpAnswer, Journal
from controller.kube.egress import MAX_ANSWER_BYTES, EgressHttp

LOOPBACK = (ip_network("127.0.0.0/8"),)
Answering = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def check(url: str, egress: Egress) -> None:
    asyncio.run(EgressHttp(egress, Journal()).check(url))


def request(
    port: int,
    *,
    method: str = "POST",
    may_change: bool = True,
    path: str = "/",
    journal: Journal | None = None,
    **headers: str,
) -> Coroutine[Any, Any, HttpAnswer]:
    http = EgressHttp(Egress(frozenset({"127.0.0.1"}), LOOPBACK), journal or Journal())
    return http.request(method, f"http://127.0.0.1:{port}{path}", headers=headers, body=b"{}", may_change=may_change)


@asynccontextmanager
async def serving(answer: Answering) -> AsyncIterator[int]:
    """A server on loopback that reads a request's head and then does as told."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            await answer(reader, writer)
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()


def saying(text: bytes) -> Answering:
    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(text)
        await writer.drain()

    return answer


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("ftp://example.com/", "absolute http or https"),
        ("file:///etc/passwd", "absolute http or https"),
        ("gopher://example.com/", "absolute http or https"),
        ("//example.com/", "absolute http or https"),
        ("/path", "absolute http or https"),
        ("", "absolute http or https"),
        ("http://", "must name a host"),
        ("http://example.com:99999/", "port must be a number"),
        ("http://[::1", "must name a host"),
        ("http://user@example.com/", "user or password"),
        ("http://user:pass@example.com/", "user or password"),
        ("http://:@example.com/", "user or password"),
        ("http://example.com@other.test/", "user or password"),
        ("http://other.test/", "not in spec.http.allowedHosts"),
        ("http://example.com.other.test/", "not in spec.http.allowedHosts"),
        ("http://sub.example.com/", "not in spec.http.allowedHosts"),
        ("http://other.test#@example.com/", "not in spec.http.allowedHosts"),
        ("http://other.test?@example.com/", "not in spec.http.allowedHosts"),
        ("http://other.test/@example.com/", "not in spec.http.allowedHosts"),
    ],
)
def test_urls_that_policy_does_not_let_out(url: str, words: str) -> None:
    with pytest.raises(PermanentFailure, match=words):
        check(url, Egress(frozenset({"example.com"})))


def test_no_policy_no_call() -> None:
    with pytest.raises(
        PermanentFailure, match=r"no policy allows calls to example.com; add it to spec.http.allowedHosts"
    ):
        check("https://example.com/", Egress())


def test_allowed_hosts_are_compared_as_hosts() -> None:
    for url, host in (
        ("http://LOCALHOST./x", "localhost"),
        ("http://127.0.0.1:8080/", "127.0.0.1"),
        ("http://localhost/", "LocalHost."),
        ("http://[0:0::1]/", "::1"),
        ("http://xn--bcher-kva.localhost/", "B\u00fccher.localhost"),
        ("http://[::1]/", "[0::1]"),
    ):
        check(url, Egress(frozenset({host}), (*LOOPBACK, ip_network("::1/128"))))


def test_one_bad_address_among_good_ones_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    async def look_up(*_: object, **__: object) -> list[tuple[Any, ...]]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, 80)) for ip in ("93.184.216.34", "169.254.169.254")]

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", look_up)
    with pytest.raises(PermanentFailure, match=r"169.254.169.254 is link-local.*spec.http.allowedPrivate"):
        check("http://rebind.test/", Egress(frozenset({"rebind.test"})))


def test_a_host_is_looked_up_once_and_those_addresses_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = ["127.0.0.1", "10.1.1.1"]

    async def look_up(_: object, host: str, port: int, **__: object) -> list[tuple[Any, ...]]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (answers.pop(0), port))]

    async def run() -> str:
        async with serving(saying(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")) as port:
            http = EgressHttp(Egress(frozenset({"rebind.test"}), LOOPBACK), Journal())
            url = f"http://rebind.test:{port}/"
            return (await http.request("GET", url, headers={}, body=None, may_change=False)).text

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", look_up)
    assert asyncio.run(run()) == "hi"
    assert answers == ["10.1.1.1"]


def test_an_answer_comes_back_whatever_its_status() -> None:
    async def run() -> HttpAnswer:
        text = b"HTTP/1.1 503 Busy\r\nRetry-After: 9\r\nX-A: 1\r\nX-A: 2\r\nContent-Length: 5\r\n\r\nlater"
        async with serving(saying(text)) as port:
            return await request(port)

    answer = asyncio.run(run())
    assert (answer.status, answer.text, answer.headers["retry-after"], answer.headers["x-a"]) == (
        503,
        "later",
        "9",
        "1, 2",
    )


def test_redirects_are_not_followed() -> None:
    async def run() -> HttpAnswer:
        text = b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"
        async with serving(saying(text)) as port:
            return await request(port)

    assert asyncio.run(run()).status == 302


def test_answers_are_cut_at_one_mebibyte() -> None:
    async def endless(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        try:
            while True:
                writer.write(b"x" * 65536)
                await writer.drain()
        except ConnectionError:
            return

    async def run() -> HttpAnswer:
        async with serving(endless) as port:
            return await request(port)

    assert len(asyncio.run(run()).text) == MAX_ANSWER_BYTES


def test_the_environments_proxy_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> HttpAnswer:
        async with serving(saying(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")) as port:
            return await request(port)

    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    assert asyncio.run(run()).status == 200


def test_no_connection_is_known_not_done_and_the_journal_stays_clean() -> None:
    async def run() -> None:
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            journal = Journal()
            with pytest.raises(TransientFailure, match="no connection"):
                await request(closed.getsockname()[1], journal=journal)
            assert not journal.sent

    asyncio.run(run())


def test_a_connection_that_breaks_after_sending_is_lost_and_sent_once() -> None:
    """Also for methods that HTTP libraries like to repeat by themselves."""
    seen = 0

    async def hang_up(_: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
        nonlocal seen
        seen += 1

    async def run() -> None:
        async with serving(hang_up) as port:
            for method in ("POST", "PUT", "DELETE"):
                journal = Journal()
                with pytest.raises(LostAnswer, match="no whole answer"):
                    await request(port, method=method, journal=journal)
                assert journal.sent
            journal = Journal()
            with pytest.raises(TransientFailure):
                await request(port, method="GET", may_change=False, journal=journal)
            assert not journal.sent

    asyncio.run(run())
    assert seen == 4


def others_lead() -> None:
    raise NotLeading


def test_nothing_leaves_once_another_process_leads() -> None:
    seen = 0

    async def note(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        nonlocal seen
        seen += len(await reader.read(1))

    async def run() -> None:
        async with serving(note) as port:
            journal = Journal(others_lead)
            with pytest.raises(NotLeading):
                await request(port, journal=journal)
            assert not journal.sent

    asyncio.run(run())
    assert seen == 0


def test_an_answer_that_breaks_off_is_lost() -> None:
    async def run() -> None:
        async with serving(saying(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nhalf")) as port:
            with pytest.raises(LostAnswer):
                await request(port)

    asyncio.run(run())


def test_running_out_of_time_after_sending_is_in_the_journal() -> None:
    async def silent(_: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    async def run() -> None:
        async with serving(silent) as port:
            journal = Journal()
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.2):
                    await request(port, journal=journal)
            assert journal.sent
            for task in asyncio.all_tasks() - {asyncio.current_task()}:
                task.cancel()

    asyncio.run(run())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Host", "internal"),
        ("host", "internal"),
        ("Content-Length", "5"),
        ("Transfer-Encoding", "chunked"),
        ("Connection", "close"),
        ("Proxy-Authorization", "x"),
        ("X-A: b\r\nX-B", "c"),
        ("X-A", "b\r\nX-B: c"),
        ("X-A", "b\nc"),
        ("", "x"),
    ],
)
def test_headers_that_change_the_request_itself_are_refused(name: str, value: str) -> None:
    with pytest.raises(PermanentFailure, match="headers"):
        asyncio.run(request(1, **{name: value}))


@pytest.mark.parametrize("method", ["", "GET /x", "GET\r\nX: y", "G\u00c9T"])
def test_methods_are_tokens(method: str) -> None:
    with pytest.raises(PermanentFailure, match="not an HTTP method"):
        asyncio.run(request(1, method=method))
