"""Which IP addresses an outside call may go to. Pure; knows nothing of names or sockets."""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

from controller.core.ports import Network

Address = IPv4Address | IPv6Address

# RFC 6052: the last 32 bits are the IPv4 address that is really reached.
_NAT64 = IPv6Network("64:ff9b::/96")
# All that IANA has given out for the Internet so far; what lies outside is site-local, reserved or unknown.
_IPV6_UNICAST = IPv6Network("2000::/3")


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
    if isinstance(found, IPv4Address):
        return (found,)
    if (mapped := found.ipv4_mapped) is not None:
        return (mapped,)
    if found in _NAT64:
        return (IPv4Address(int(found) & 0xFFFFFFFF),)
    if (inner := found.sixtofour) is not None:
        return (found, inner)
    if (pair := found.teredo) is not None:
        return (found, *pair)
    return (found,)


def _refusal(found: Address, private: tuple[Network, ...]) -> str | None:
    if found.is_multicast or found.is_unspecified:
        return f"{found} is not the address of one host"
    if any(found.version == network.version and found in network for network in private):
        return None
    if found.is_loopback:
        return f"{found} is the operator's own machine"
    if found.is_link_local:
        return f"{found} is link-local, where clouds keep machine credentials"
    if not found.is_global or found.is_private or (found.version == 6 and found not in _IPV6_UNICAST):
        return f"{found} is not a public address"
    return None
