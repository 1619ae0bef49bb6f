"""Linux namespaces: leave those of the caller, so that what is done inside goes when the last process in them ends."""

import ctypes
import os
import subprocess

NEW_NETWORK = 0x40000000
"""CLONE_NEWNET of clone(2)."""

SERVICE_ADDRESS = "10.0.0.1"
"""The address of the Service `kubernetes`: the first one of the API server's range."""
NODE_ADDRESS = "10.211.0.1"
"""The address of the real node. A loopback address is refused by kubelet."""


def leave_network() -> None:
    """Move this process, and so its later children, into a network of its own: a loopback interface, no way out.

    Sockets that are open already stay in the network they were made in. Only for processes of one thread.

    Raises:
        OSError: the kernel refuses; it takes root.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(NEW_NETWORK) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"no network namespace of its own: {os.strerror(number)}")
    for command in (
        ("ip", "link", "set", "lo", "up"),
        ("ip", "address", "add", f"{SERVICE_ADDRESS}/32", "dev", "lo"),
        ("ip", "address", "add", f"{NODE_ADDRESS}/32", "dev", "lo"),
    ):
        subprocess.run(command, check=True, capture_output=True)
