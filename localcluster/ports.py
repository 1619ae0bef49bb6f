"""Find free ports on the loopback interface.

They are taken from below the range that the kernel uses for outgoing connections. Within that
range an outgoing connection could take the port between its choice and its use, or while a server
is being restarted on it; a client that keeps dialling a dead port could even reach itself.
Two clusters that choose the same port at once are told apart when the server starts.
"""

import random
import socket
from dataclasses import dataclass
from pathlib import Path

ADDRESS = "127.0.0.1"
_LOWEST = 20_000
_RANGE_FILE = Path("/proc/sys/net/ipv4/ip_local_port_range")


@dataclass(frozen=True)
class Ports:
    """The ports of one control plane."""

    etcd: int
    etcd_peer: int
    api_server: int

    @classmethod
    def choose(cls, chance: random.Random) -> "Ports":
        """Choose three different ports that nobody listens on now."""
        chosen: set[int] = set()
        highest = _highest()
        for _ in range(10_000):
            port = chance.randrange(_LOWEST, highest)
            if port not in chosen and is_free(port):
                chosen.add(port)
            if len(chosen) == 3:
                return cls(*sorted(chosen))
        raise OSError(f"no three free ports on {ADDRESS} between {_LOWEST} and {highest}")


def is_free(port: int) -> bool:
    """Say whether a server could listen on the port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        try:
            probe.bind((ADDRESS, port))
        except OSError:
            return False
    return True


def _highest() -> int:
    """Return the lowest port of outgoing connections, or a good guess where it can't be read."""
    try:
        lowest_outgoing = int(_RANGE_FILE.read_text(encoding="ascii").split()[0])
    except (OSError, ValueError, IndexError):
        lowest_outgoing = 32_768
    return lowest_outgoing if lowest_outgoing > _LOWEST + 1_000 else 32_768
