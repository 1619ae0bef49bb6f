r"""The one form of an http(s) address that is accepted: `scheme://host[:port]`, then path and query, in plain ASCII.

Two readers of one address must not see two hosts in it. So everything that some reader takes for something else is
refused before any of them sees it: users and passwords, backslashes, percent signs and zones in the host, numbers in
hexadecimal, octal or short form that a resolver takes for an IP address, digits and dots of other alphabets. Pure.
"""

import re
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv6Address

_ADDRESS = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<authority>[^/?#]*)(?P<rest>[/?#].*)?")
_AUTHORITY = re.compile(r"(?P<host>\[[^]]*\]|[^:\[]*)(?::(?P<port>.*))?")
_PORT = re.compile(r"[0-9]{1,5}")
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_PORTS = {"http": 80, "https": 443}
MAX_HOST = 253


@dataclass(frozen=True)
class WebAddress:
    """An address in parts. `host`: lower case, without brackets and final dot; IP addresses in their usual form."""

    scheme: str
    host: str
    port: int

    @property
    def origin(self) -> str:
        """`https://host`, for messages."""
        return f"{self.scheme}://[{self.host}]" if ":" in self.host else f"{self.scheme}://{self.host}"


def web_address(text: str) -> WebAddress:
    """The address in parts. Raises ValueError with what is wrong, without repeating what may be a password."""
    if not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError(
            "must be printable ASCII without spaces; write a host of another alphabet in its ASCII form (xn--...), "
            "and other characters percent-encoded"
        )
    if "\\" in text:
        raise ValueError("must not have a backslash: readers disagree on what it means")
    found = _ADDRESS.fullmatch(text)
    scheme = found["scheme"].lower() if found else ""
    if found is None or scheme not in _PORTS:
        raise ValueError("must be an absolute http or https URL: https://host/path")
    if "@" in found["authority"]:
        raise ValueError("must not carry a user or password; send them as a header from a Secret")
    parts = _AUTHORITY.fullmatch(found["authority"])
    if parts is None or not parts["host"]:
        raise ValueError("must name a host")
    return WebAddress(scheme, plain_host(parts["host"]), _port(parts["port"], scheme))


def plain_host(text: str) -> str:
    """A host as it is compared: lower case, without brackets and the root's dot, IP addresses in their usual form.

    Raises ValueError for what is neither a name nor an IP address in its usual form.
    """
    if text.startswith("["):
        return _ipv6(text.removeprefix("[").removesuffix("]"))
    host = text.lower()
    name = host.removesuffix(".")
    labels = name.split(".")
    if _NUMBER.fullmatch(labels[-1]):
        return _ipv4(host)
    if len(name) > MAX_HOST or not all(_LABEL.fullmatch(label) for label in labels):
        raise ValueError(f"host {text!r} is not a host name: letters, digits, dashes and dots")
    return name


def _ipv4(host: str) -> str:
    """RFC 1123 gives every host whose last label is a number to IP addresses, and resolvers read them in many forms."""
    try:
        return str(IPv4Address(host))
    except AddressValueError:
        raise ValueError(
            f"host {host!r} is read as an IP address and not written as one: four decimal numbers, no zeros before them"
        ) from None


def _ipv6(text: str) -> str:
    if "%" in text:
        raise ValueError("host: an IPv6 address must not have a zone (%...)")
    try:
        return str(IPv6Address(text))
    except AddressValueError:
        raise ValueError(f"host '[{text}]' is not an IPv6 address") from None


def _port(text: str | None, scheme: str) -> int:
    if text is None:
        return _PORTS[scheme]
    port = int(text) if _PORT.fullmatch(text) else 0
    if not 1 <= port <= 65535:
        raise ValueError("port must be a number from 1 to 65535")
    return port
