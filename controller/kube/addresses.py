"""Which IP addresses an outside call may go to. Pure; knows nothing of names or sockets."""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

from controller.core.ports import Network

Address = IPv4Address | IPv6Address

# Networks in which an IPv6 address stands for an IPv4 one, in its last 32 bits: RFC 4291 (mapped, and the older
# compatible form), RFC 6052 (NAT64, well-known and for local use), RFC 2765 (translated).
_UNWRAPPED = tuple(map(IPv6Network, ("::ffff:0:0/96", "64:ff9b::/96")))
"""Those that a socket or a gateway unwraps whatever else is so: the IPv4 address alone is reached."""
_PERHAPS_UNWRAPPED = tuple(map(IPv6Network, ("::/96", "64:ff9b:1::/48", "::ffff:0:0:0/96")))
_LAST_32 = 0xFFFFFFFF
_ISATAP = frozenset({0x00005EFE, 0x02005EFE})
# All that IANA has given out for the Internet so far; what lies outside is site-local, reserved or unknown.
_IPV6_UNICAST = IPv6Network("2000::/3")

_NOT_PUBLIC = "is not a public address"

# Where clouds answer their own machines, with their credentials among other things: the link-local networks, and single
# addresses elsewhere (AWS, Alibaba, Azure, Oracle). A network of policy that is wider does not open them.
_METADATA = tuple(
    map(
        ip_network,
        ["169.254.0.0/16", "fe80::/10", "fd00:ec2::/32", "100.100.100.200/32", "168.63.129.16/32", "192.0.0.0/24"],
    )
)
# The registries of special-purpose addresses (RFC 6890 and IANA since), written out: Python's own list changes with
# its version.
_CLOSED: tuple[tuple[Network, str], ...] = tuple(
    (ip_network(network), why)
    for networks, why in (
        ("0.0.0.0/8 10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 fc00::/7", "is private"),
        ("100.64.0.0/10", "belongs to the inner network of a carrier or cloud (CGNAT)"),
        ("127.0.0.0/8 ::1/128", "is the operator's own machine"),
        ("192.0.2.0/24 198.51.100.0/24 203.0.113.0/24 2001:db8::/32 3fff::/20", f"{_NOT_PUBLIC}, but for documents"),
        ("192.88.99.0/24 198.18.0.0/15 240.0.0.0/4 2001::/23", _NOT_PUBLIC),
    )
    for network in networks.split()
)


def address(text: str) -> Address:
    """The address that a resolver or socket names; a scope id (`%eth0`) is left out. Raises ValueError."""
    return ip_address(text.partition("%")[0])


def refusal(found: Address, private: Iterable[Network]) -> str | None:
    """Why no call may go to this address; None if it may.

    Only globally reachable unicast addresses are free; others must lie in a network that policy allows. An IPv6 address
    that stands for an IPv4 one is judged by both: a relay may unwrap it.
    """
    allowed = tuple(private)
    return next((why for each in _meanings(found) if (why := _refusal(each, allowed)) is not None), None)


def _meanings(found: Address) -> tuple[Address, ...]:
    """The address and those that it stands for."""
    if isinstance(found, IPv4Address):
        return (found,)
    last = IPv4Address(int(found) & _LAST_32)
    if any(found in network for network in _UNWRAPPED):
        return (last,)
    if any(found in network for network in _PERHAPS_UNWRAPPED) and int(found) > 1:
        return (found, last)
    if (inner := found.sixtofour) is not None:
        return (found, inner)
    if (pair := found.teredo) is not None:
        return (found, *pair)
    if (int(found) >> 32) & _LAST_32 in _ISATAP:
        return (found, last)
    return (found,)


def _refusal(found: Address, private: tuple[Network, ...]) -> str | None:
    if found.is_multicast or found.is_unspecified or found == IPv4Address("255.255.255.255"):
        return f"{found} is not the address of one host"
    named = [network for network in private if found in network]
    for network in _METADATA:
        if found in network:
            if any(_within(each, network) for each in named):
                return None
            where = "link-local, where" if found.is_link_local else "where"
            return f"{found} is {where} clouds keep machine credentials; only a network within {network} opens it"
    if named:
        return None
    for network, why in _CLOSED:
        if found in network:
            return f"{found} {why}"
    if not found.is_global or found.is_private or (found.version == 6 and found not in _IPV6_UNICAST):
        return f"{found} {_NOT_PUBLIC}"
    return None


def _within(inner: Network, outer: Network) -> bool:
    return inner.network_address in outer and inner.prefixlen >= outer.prefixlen
