"""Attempts to reach what must not be reached, in every spelling known: each is refused in words that name the rule.

The policy is as careless as it can be: it allows each host under the very name that the URL gives it. What is left is
the form of the URL and the addresses. Names are looked up by a resolver that is played; real connections go to
loopback alone.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from ipaddress import ip_network
from typing import Any

import pytest

from controller.actions.base import ParameterFaultsError
from controller.actions.http_request import HttpRequest
from controller.core.errors import LostAnswer, PermanentFailure, TransientFailure
from controller.core.ports import Egress, HttpAnswer, Journal
from controller.kube.egress import EgressHttp
from controller.runtime.clock import utc_now

Answers = Callable[[str], Iterable[str]]

ASCII = "must be printable ASCII"
FORM = "must be an absolute http or https URL"
USER = "must not carry a user or password"
NO_HOST = "must name a host"
HOST_NAME = "is not a host name"
IP_FORM = "is read as an IP address and not written as one"
ZONE = "must not have a zone"
IPV6 = "is not an IPv6 address"
PORT = "port must be a number from 1 to 65535"
BACKSLASH = "must not have a backslash"
LOOPBACK = "is the operator's own machine"
METADATA = "where clouds keep machine credentials"
PRIVATE = "is private"
INNER = "inner network of a carrier or cloud"
NOT_PUBLIC = "is not a public address"
NOT_ONE = "is not the address of one host"

SPELLINGS: dict[str, list[str]] = {
    LOOPBACK: [
        "http://127.0.0.1/", "https://127.0.0.1:6443/api", "http://127.255.255.254/", "http://[::1]/",
        "http://[0:0:0:0:0:0:0:1]/", "http://[0000:0000:0000:0000:0000:0000:0000:0001]/", "http://[::ffff:127.0.0.1]/",
        "http://[::ffff:7f00:1]/", "http://[::FFFF:7F00:0001]/", "http://[0:0:0:0:0:ffff:127.0.0.1]/",
        "http://[64:ff9b::7f00:1]/", "http://[64:ff9b::127.0.0.1]/", "http://[2002:7f00:1::]/",
        "http://[2001:4860::5efe:7f00:1]/", "http://localhost/", "http://LOCALHOST/", "http://LocalHost./",
        "http://localhost:10250/pods", "http://127.0.0.1.nip.test/", "http://ip6-localhost/",
    ],
    METADATA: [
        "http://169.254.169.254/latest/meta-data/iam/security-credentials/", "http://169.254.170.2/v2/credentials",
        "http://[::ffff:169.254.169.254]/", "http://[::ffff:a9fe:a9fe]/", "http://[64:ff9b::a9fe:a9fe]/",
        "http://[2002:a9fe:a9fe::1]/", "http://[fe80::1]/", "http://[fd00:ec2::254]/latest/",
        "http://100.100.100.200/latest/meta-data/", "http://168.63.129.16/machine", "http://192.0.0.192/opc/v1/",
        "http://metadata.google.internal/computeMetadata/v1/", "http://METADATA.GOOGLE.INTERNAL./",
        "http://cname-to-metadata.test/",
    ],
    PRIVATE: [
        "http://10.0.0.1/", "http://172.16.0.1/", "http://172.31.255.255/", "http://192.168.1.1/", "http://0.1.2.3/",
        "http://[fd00::1]/", "http://[fc00::1]/", "http://[::ffff:10.0.0.1]/", "http://[64:ff9b::a00:1]/",
        "http://[2002:a00:1::]/", "http://kubernetes.default.svc/", "http://mixed.test/", "http://mixed-v6.test/",
    ],
    INNER: ["http://100.64.0.1/", "http://100.127.255.254/", "http://[::ffff:100.64.0.1]/"],
    NOT_PUBLIC: [
        "http://192.0.2.1/", "http://198.18.0.1/", "http://198.51.100.1/", "http://203.0.113.1/", "http://240.0.0.1/",
        "http://192.88.99.1/", "http://[100::1]/", "http://[2001:db8::1]/", "http://[fec0::1]/", "http://[::7f00:1]/",
        "http://[::127.0.0.1]/", "http://[64:ff9b:1::7f00:1]/", "http://[::ffff:0:127.0.0.1]/",
        "http://[2001:0:7f00:1::80ff:fffe]/", "http://[5f00::1]/", "http://[4000::1]/",
    ],
    NOT_ONE: [
        "http://0.0.0.0/", "http://[::]/", "http://[0:0:0:0:0:0:0:0]/", "http://[::ffff:0.0.0.0]/", "http://224.0.0.1/",
        "http://239.255.255.250:1900/", "http://255.255.255.255/", "http://[ff02::1]/", "http://[::ffff:224.0.0.1]/",
    ],
    IP_FORM: [
        "http://127.1/", "http://127.0.1/", "http://2130706433/", "http://017700000001/", "http://0x7f000001/",
        "http://0177.0.0.1/", "http://0x7f.0.0.1/", "http://0x7f.1/", "http://127.0.0.0x1/", "http://127.0.0.01/",
        "http://127.000.000.001/", "http://00000177.0.0.1/", "http://0/", "http://0x/", "http://1/", "http://10.1/",
        "http://127.0.0.1./", "http://%31%32%37.0.0.1/", "http://2852039166/", "http://0xa9fea9fe/",
        "http://0xA9.0xFE.0xA9.0xFE/", "http://0251.0376.0251.0376/", "http://169.254.43518/",
        "http://425.510.425.510/", "http://256.256.256.256/", "http://4294967296/", "http://18446744071562067969/",
        "http://1.1.1.1.1/", "http://example.0x7f000001/",
    ],
    ASCII: [
        "http://\uff11\uff12\uff17.0.0.1/", "http://\u2460\u2461\u2466.0.0.1/", "http://127\u30020\u30020\u30021/",
        "http://127\uff0e0\uff0e0\uff0e1/", "http://\u24db\u24de\u24d2\u24d0\u24db\u24d7\u24de\u24e2\u24e3/",
        "http://loca\u00adlhost/", "http://127.0.0.1\u2100@example.com/", "http://ex\u0430mple.com/",
        "http://127.0.0.1\t/", "http://local\thost/", "http://localhost\r\n/", "\thttp://localhost/",
        "http://example.com\x00.127.0.0.1/", "http://127.0.0.1 /", "http://exam ple.com/", " http://127.0.0.1/",
        "http://127.0.0.1:\u0668\u0660/", "http://[::1\u3002]/", "http://a/\r\nHost: metadata.google.internal",
    ],
    BACKSLASH: [
        "http://127.0.0.1\\@example.com/", "http://example.com\\@127.0.0.1/", "http://127.0.0.1:80\\@example.com/",
        "http:\\\\127.0.0.1\\", "http://example.com\\.127.0.0.1/",
    ],
    USER: [
        "http://user@127.0.0.1/", "http://user:pass@127.0.0.1/", "http://example.com@127.0.0.1/", "http://@127.0.0.1/",
        "http://:@127.0.0.1/", "http://example.com:80@127.0.0.1:6443/", "http://127.0.0.1@example.com@127.0.0.1/",
        "http://foo@evil.test:80@example.com/", "http://example.com%40127.0.0.1@127.0.0.1/",
    ],
    ZONE: [
        "http://[fe80::1%25eth0]/", "http://[fe80::1%eth0]/", "http://[::1%25lo]/", "http://[::1%lo]/",
        "http://[::ffff:127.0.0.1%251]/",
    ],
    IPV6: ["http://[127.0.0.1]/", "http://[localhost]/", "http://[v1.127.0.0.1]/", "http://[]/", "http://[:::1]/"],
    HOST_NAME: [
        "http://127.0.0.1../", "http://127.0.0.1%2f/", "http://127%2e0%2e0%2e1/",
        "http://localhost%00.example.com/", "http://localhost%23.example.com/", "http://a..b/", "http://-a/",
        "http://{localhost}/", "http://local,host/", "http://$(hostname)/", "http://" + "a" * 64 + ".test/",
        "http://localhost;example.com/", "http://%6c%6f%63%61%6c%68%6f%73%74/", "http://127.0.0.1%20/",
    ],
    NO_HOST: ["http://", "http:///127.0.0.1/", "http://:80/", "http://?@127.0.0.1/", "http://#127.0.0.1/",
              "http://::1/", "http://[::1", "http://[::1]evil.test/", "http://[::1].example.com/"],
    FORM: [
        "", "//127.0.0.1/", "/etc/passwd", "127.0.0.1", "localhost:80", "http:127.0.0.1/", "http:/127.0.0.1/",
        "file:///etc/passwd", "ftp://127.0.0.1/", "gopher://127.0.0.1:6379/_FLUSHALL", "dict://127.0.0.1:11211/stats",
        "unix:///var/run/docker.sock", "http+unix://%2Fvar%2Frun%2Fdocker.sock/", "ws://127.0.0.1/", "jar:http://a!/",
        "javascript:alert(1)", "data:text/plain,x", "url:http://127.0.0.1/", "http.://127.0.0.1/",
    ],
    PORT: [
        "http://127.0.0.1:0/", "http://127.0.0.1:65536/", "http://127.0.0.1:-1/", "http://127.0.0.1:+80/",
        "http://127.0.0.1:0x50/", "http://127.0.0.1:80:80/", "http://127.0.0.1:/", "http://127.0.0.1:000080/",
        "http://example.com:80.127.0.0.1/",
    ],
}  # fmt: skip

NAMES = {
    "localhost": ["127.0.0.1", "::1"],
    "ip6-localhost": ["::1"],
    "127.0.0.1.nip.test": ["127.0.0.1"],
    "metadata.google.internal": ["169.254.169.254"],
    "cname-to-metadata.test": ["169.254.169.254"],
    "kubernetes.default.svc": ["10.96.0.1"],
    "mixed.test": ["93.184.216.34", "10.0.0.1"],
    "mixed-v6.test": ["2606:4700::1111", "93.184.216.34", "fd00::1"],
}


def by_table(host: str) -> Iterable[str]:
    try:
        return NAMES[host]
    except KeyError:
        socket.inet_pton(socket.AF_INET6 if ":" in host else socket.AF_INET, host)  # nothing leaves this machine
        return [host]


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Callable[[Answers], list[str]]:
    """Puts a resolver in the place of the system's; what it was asked, in order."""

    def put(answers: Answers) -> list[str]:
        asked: list[str] = []

        async def look_up(_: object, host: str, port: int, **__: object) -> list[tuple[Any, ...]]:
            asked.append(host)
            return [_info(ip, port) for ip in answers(host)]

        monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", look_up)
        return asked

    return put


def _info(ip: str, port: int) -> tuple[Any, ...]:
    if ":" in ip:
        return socket.AF_INET6, socket.SOCK_STREAM, 6, "", (ip, port, 0, 0)
    return socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, port)


def careless(url: str, *private: str) -> EgressHttp:
    """What a policy would allow that names the host of the URL as the URL does."""
    rest = url.partition("://")[2]
    host = rest[: rest.find("]") + 1] if rest.startswith("[") else rest.split("/")[0].split(":")[0]
    hosts = {host, host.strip("[]"), host.rpartition("@")[2], "example.com", "127.0.0.1", "localhost", "::1"}
    return EgressHttp(Egress(frozenset(hosts), tuple(map(ip_network, private))), Journal())


def get(http: EgressHttp, url: str) -> HttpAnswer:
    return asyncio.run(http.request("GET", url, headers={}, body=None, may_change=False))


def test_there_are_enough_of_them() -> None:
    assert sum(map(len, SPELLINGS.values())) >= 150


@pytest.mark.parametrize(
    ("url", "rule"),
    [pytest.param(url, rule, id=ascii(url)[1:60]) for rule, urls in SPELLINGS.items() for url in urls],
)
def test_no_spelling_leads_inside(url: str, rule: str, resolver: Callable[[Answers], list[str]]) -> None:
    resolver(by_table)
    http = careless(url)
    for call in (lambda: get(http, url), lambda: asyncio.run(http.check(url))):
        with pytest.raises(PermanentFailure) as refused:
            call()
        assert rule in str(refused.value)
        assert "url" in str(refused.value)
        assert "user:pass" not in str(refused.value)


@pytest.mark.parametrize("url", [url for rule in (ASCII, BACKSLASH, USER, ZONE, IPV6, HOST_NAME, NO_HOST, FORM, PORT)
                                 for url in SPELLINGS[rule]], ids=lambda url: ascii(url)[1:60])  # fmt: skip
def test_what_is_no_plain_address_is_no_parameter_either(url: str) -> None:
    """So it is told when it is proposed, before anything is looked up."""
    with pytest.raises(ParameterFaultsError, match=r"parameters\.url"):
        HttpRequest(utc_now).parse({"method": "GET", "url": url})


def test_a_network_of_policy_opens_what_it_names_and_metadata_only_if_named_as_such(
    resolver: Callable[[Answers], list[str]],
) -> None:
    resolver(by_table)
    url = "http://metadata.google.internal/"
    for private in ("0.0.0.0/0", "169.0.0.0/8", "10.0.0.0/8"):
        with pytest.raises(PermanentFailure, match=r"only a network within 169\.254\.0\.0/16 opens it"):
            asyncio.run(careless(url, private).check(url))
    asyncio.run(careless(url, "169.254.169.254/32").check(url))
    asyncio.run(careless("http://kubernetes.default.svc/", "10.96.0.0/12").check("http://kubernetes.default.svc/"))
    with pytest.raises(PermanentFailure, match=r"10\.0\.0\.1 is private"):
        asyncio.run(careless("http://mixed.test/", "10.96.0.0/12").check("http://mixed.test/"))


def test_the_allow_list_is_of_hosts_and_not_of_beginnings_or_ends() -> None:
    http = EgressHttp(Egress(frozenset({"example.com"})), Journal())
    for url in ("http://example.com.evil.test/", "http://evilexample.com/", "http://sub.example.com/",
                "http://example.org/", "http://example.com.:80.evil.test/", "http://evil.test/?@example.com/",
                "http://evil.test/#@example.com/", "http://evil.test/http://example.com/", "http://example-com/",
                "http://xn--exmple-4nf.com/"):  # fmt: skip
        with pytest.raises(PermanentFailure, match=r"not in spec.http.allowedHosts|port must be"):
            asyncio.run(http.check(url))


# -- a name that changes ----------------------------------------------------------------------------------------------


@asynccontextmanager
async def serving(text: bytes) -> AsyncIterator[tuple[int, list[bytes]]]:
    """A server on loopback; its port, and the heads of the requests that reached it."""
    heads: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(text)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], heads
    finally:
        server.close()
        await server.wait_closed()


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def test_a_name_that_leads_inside_between_check_and_connection_is_asked_only_once(
    resolver: Callable[[Answers], list[str]],
) -> None:
    """Rebinding: the first answer is harmless, every later one is where the server of this test listens."""
    answers = [["127.0.0.2"], ["127.0.0.1"], ["127.0.0.1"]]
    asked = resolver(lambda _: answers.pop(0))

    async def run() -> list[bytes]:
        async with serving(OK) as (port, heads):
            url = f"http://rebind.test:{port}/"
            http = EgressHttp(Egress(frozenset({"rebind.test"}), (ip_network("127.0.0.2/32"),)), Journal())
            with pytest.raises(TransientFailure, match="no connection"):
                await http.request("GET", url, headers={}, body=None, may_change=False)
            return heads

    assert asyncio.run(run()) == []
    assert asked == ["rebind.test"]


def test_a_name_that_leads_inside_after_the_preview_is_refused_when_it_is_called(
    resolver: Callable[[Answers], list[str]],
) -> None:
    answers = [["93.184.216.34"], ["169.254.169.254"]]
    resolver(lambda _: answers.pop(0))
    url = "http://rebind.test/"
    http = careless(url)
    asyncio.run(http.check(url))
    with pytest.raises(PermanentFailure, match=METADATA):
        get(http, url)


def test_the_socket_looks_at_the_address_once_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """Were the check before to let an address through, no socket is opened to it all the same."""

    async def run() -> list[bytes]:
        async with serving(OK) as (port, heads):
            http = EgressHttp(Egress(frozenset({"127.0.0.1"})), Journal())
            found = [{"hostname": "127.0.0.1", "host": "127.0.0.1", "port": port, "family": socket.AF_INET, "proto": 6,
                      "flags": socket.AI_NUMERICHOST}]  # fmt: skip

            async def unchecked(*_: object) -> Any:
                return found

            monkeypatch.setattr(http, "_look_up", unchecked)
            url = f"http://127.0.0.1:{port}/"
            with pytest.raises(PermanentFailure, match=r"the address may not be called: .*own machine"):
                await http.request("GET", url, headers={}, body=None, may_change=False)
            return heads

    assert asyncio.run(run()) == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("location", ["http://169.254.169.254/", "http://127.0.0.1:{port}/inside", "//10.0.0.1/", "/x"])
def test_a_redirect_is_not_followed_wherever_it_leads(
    status: int, location: str, resolver: Callable[[Answers], list[str]]
) -> None:
    resolver(lambda _: ["127.0.0.1"])

    async def run() -> tuple[int, list[bytes]]:
        server = await asyncio.start_server(lambda *streams: serve(*streams), "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        heads: list[bytes] = []

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            heads.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(f"HTTP/1.1 {status} X\r\nLocation: {location.format(port=port)}\r\n"
                         "Refresh: 0; url=/x\r\nContent-Length: 0\r\n\r\n".encode())  # fmt: skip
            await writer.drain()
            writer.close()

        async with server:
            url = f"http://hooks.test:{port}/"
            http = EgressHttp(Egress(frozenset({"hooks.test"}), (ip_network("127.0.0.0/8"),)), Journal())
            answer = await http.request("GET", url, headers={}, body=None, may_change=False)
            return answer.status, heads

    told, heads = asyncio.run(run())
    assert told == status
    assert len(heads) == 1


# -- what is sent is what was approved --------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/a/../b", "/a/%2e%2e/b", "/a//b", "/%41?x=%2F&y=a+b", "/a;b=c?d", "?only=query"])
def test_the_path_is_sent_to_the_letter(path: str) -> None:
    async def run() -> bytes:
        async with serving(OK) as (port, heads):
            http = EgressHttp(Egress(frozenset({"127.0.0.1"}), (ip_network("127.0.0.0/8"),)), Journal())
            url = f"http://127.0.0.1:{port}{path}"
            await http.request("GET", url, headers={}, body=None, may_change=False)
            return heads[0]

    target = path if path.startswith("/") else f"/{path}"
    assert asyncio.run(run()).split(b"\r\n")[0] == f"GET {target} HTTP/1.1".encode()


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "HTTPS_PROXY"])
def test_no_proxy_of_the_environment(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)

    async def run() -> HttpAnswer:
        async with serving(OK) as (port, _):
            http = EgressHttp(Egress(frozenset({"127.0.0.1"}), (ip_network("127.0.0.0/8"),)), Journal())
            return await http.request("GET", f"http://127.0.0.1:{port}/", headers={}, body=None, may_change=False)

    assert asyncio.run(run()).text == "ok"


# -- answers without end ----------------------------------------------------------------------------------------------

DRIPS = {
    "a head that never ends": (b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n"),
    "a status line that never ends": (b"HTTP/1.1 200 ", b"O"),
    "interim answers": (b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"),
    "a body byte by byte": (b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n", b"x"),
    "chunks": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
    "nothing at all": (b"", b""),
}


@pytest.mark.parametrize(("first", "then"), DRIPS.values(), ids=DRIPS)
def test_an_answer_that_drips_ends_with_the_time(first: bytes, then: bytes) -> None:
    """The time is for the whole, not for the pause between two pieces."""

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(first)
        try:
            while not writer.is_closing():
                writer.write(then)
                await writer.drain()
                await asyncio.sleep(0.02)
        except ConnectionError:
            return
        finally:
            writer.close()

    async def run() -> float:
        server = await asyncio.start_server(drip, "127.0.0.1", 0)
        async with server:
            loop = asyncio.get_running_loop()
            began = loop.time()
            egress = Egress(frozenset({"127.0.0.1"}), (ip_network("127.0.0.0/8"),))
            http = EgressHttp(egress, Journal(), timeout_seconds=0.3)
            url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
            with pytest.raises(LostAnswer):
                await http.request("POST", url, headers={}, body=b"{}", may_change=True)
            return loop.time() - began

    assert asyncio.run(run()) < 10


FLOODS = {
    "one header without end": (b"HTTP/1.1 200 OK\r\nX-A: ", b"a" * 65536),
    "headers without end": (b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n" * 8192),
    "a status line without end": (b"HTTP/1.1 200 ", b"O" * 65536),
}


@pytest.mark.parametrize(("first", "then"), FLOODS.values(), ids=FLOODS)
def test_a_head_that_floods_is_cut_off(first: bytes, then: bytes) -> None:
    sent = 0

    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        writer.write(first)
        try:
            while not writer.is_closing():
                writer.write(then)
                await writer.drain()
                sent += len(then)
        except ConnectionError:
            return
        finally:
            writer.close()

    async def run() -> None:
        server = await asyncio.start_server(flood, "127.0.0.1", 0)
        async with server:
            http = EgressHttp(Egress(frozenset({"127.0.0.1"}), (ip_network("127.0.0.0/8"),)), Journal())
            url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
            with pytest.raises(LostAnswer, match="not valid HTTP"):
                await http.request("POST", url, headers={}, body=b"{}", may_change=True)

    asyncio.run(run())
    assert sent < 16 * 1024 * 1024
