"""Which addresses outside calls may reach."""

from ipaddress import ip_network

import pytest

from controller.kube.addresses import address, refusal

CLOSED = [
    "0.1.2.3", "10.0.0.1", "100.64.0.1", "100.127.255.254", "127.0.0.1", "127.255.255.254",
    "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.1", "192.0.2.1", "192.168.1.1", "198.18.0.1",
    "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255",
    "::", "::1", "::7f00:1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "100::1", "2001:db8::1", "2002:7f00:1::1", "2002:a9fe:a9fe::1",
    "2001:0:7f00:1::80ff:fffe", "192.0.0.192", "192.88.99.1", "168.63.129.16", "100.100.100.200", "3fff::1", "2001::1",
    "2001:4860::5efe:a9fe:a9fe", "::ffff:0:a00:1",
    "fc00::1", "fd00:ec2::254", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1",
]  # fmt: skip
OPEN = [
    "1.1.1.1",
    "93.184.216.34",
    "100.63.255.255",
    "100.128.0.1",
    "172.32.0.1",
    "2606:4700::1111",
    "64:ff9b::101:101",
]


@pytest.mark.parametrize("text", CLOSED)
def test_what_is_not_a_public_host_is_refused(text: str) -> None:
    assert refusal(address(text), ())


@pytest.mark.parametrize("text", OPEN)
def test_public_hosts_are_free(text: str) -> None:
    assert refusal(address(text), ()) is None


def test_policy_opens_networks() -> None:
    private = (ip_network("10.20.0.0/16"), ip_network("fd00::/8"))
    assert refusal(address("10.20.3.4"), private) is None
    assert refusal(address("::ffff:10.20.3.4"), private) is None
    assert refusal(address("fd00::1"), private) is None
    assert refusal(address("10.21.3.4"), private)


def test_only_a_network_of_their_own_opens_addresses_of_metadata() -> None:
    everything = (ip_network("0.0.0.0/0"), ip_network("::/0"), ip_network("fd00::/8"), ip_network("100.64.0.0/10"))
    for text in ("169.254.169.254", "fe80::1", "fd00:ec2::254", "100.100.100.200", "168.63.129.16", "192.0.0.192",
                 "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe"):  # fmt: skip
        assert "machine credentials" in (refusal(address(text), everything) or "")
    assert refusal(address("169.254.169.254"), (ip_network("169.254.169.254/32"),)) is None
    assert refusal(address("fd00:ec2::254"), (ip_network("fd00:ec2::254/128"),)) is None


def test_no_network_opens_multicast_or_the_unspecified_address() -> None:
    everything = (ip_network("0.0.0.0/0"), ip_network("::/0"))
    for text in ("::", "224.0.0.1", "ff02::1", "::ffff:0.0.0.0"):
        assert refusal(address(text), everything)
