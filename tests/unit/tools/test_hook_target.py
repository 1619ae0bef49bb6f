"""The target of the HTTP actions in demo and tests."""

import socket
import threading
from contextlib import ExitStack
from http.server import ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import pytest

from hack.hook_target import hook_target


def test_a_burst_is_let_in_while_the_target_is_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    idle, accept = threading.Event(), ThreadingHTTPServer.get_request

    def when_idle(server: ThreadingHTTPServer) -> Any:
        idle.wait()
        return accept(server)

    monkeypatch.setattr(ThreadingHTTPServer, "get_request", when_idle)
    with hook_target() as target, ExitStack() as opened:
        opened.callback(idle.set)
        address = urlsplit(target.url)
        for _ in range(50):
            opened.enter_context(socket.create_connection((address.hostname, address.port), timeout=0.9))
