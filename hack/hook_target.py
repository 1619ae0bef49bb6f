"""A target for `http-request` actions on loopback: answers as told, counts what reached it. For the demo and the tests.

It is the independent counter of effects: what it saw, happened, whatever the operator recorded.
"""

import argparse
import json
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

LONGEST_HOLD_SECONDS = 60.0
Answer = int | dict[str, Any]
"""A status, or JSON."""
HANG_UP = 0
"""Instead of a status: take the request, then close the connection without an answer."""


@dataclass(frozen=True)
class Received:
    """One request that reached the target."""

    method: str
    path: str
    key: str
    """Its Idempotency-Key."""
    body: Any
    at: float


@dataclass
class HookTarget:
    """`url` with any path: answers what `script` says for that path, in turn, and 200 after it. JSON comes with 200.

    Paths without a script of their own begin with `first_answers`.
    """

    url: str
    received: list[Received] = field(default_factory=list)
    delay_seconds: float = 0.0
    retry_after: str | None = None
    first_answers: Sequence[int] = ()
    _scripts: dict[str, list[Answer]] = field(default_factory=dict)
    _open: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def script(self, path: str, answers: Sequence[Answer]) -> str:
        """The URL of `path`, which will answer these first."""
        self._scripts[path] = list(answers)
        return self.url + path

    def hold(self) -> Callable[[], None]:
        """Answers nobody until what this returns is called."""
        self._open.clear()
        return self._open.set

    def seen(self, path: str) -> list[Received]:
        """What came for `path`, in order."""
        return [request for request in self.received if request.path == path]

    def __post_init__(self) -> None:
        self._open.set()

    def take(self, request: Received) -> Answer:
        with self._lock:
            self.received.append(request)
            left = self._scripts.setdefault(request.path, list(self.first_answers))
            status = left.pop(0) if left else 200
        self._open.wait(LONGEST_HOLD_SECONDS)
        return status


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128  # with http.server's own 5, bursts wait seconds for a connection

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Quiet about callers that went away before they were answered, as one does that is killed."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


@contextmanager
def hook_target(port: int = 0) -> Iterator[HookTarget]:
    """Serves a target on loopback until left."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            text = self.rfile.read(length) if length else b""
            body = json.loads(text) if text else None
            key = self.headers.get("Idempotency-Key") or ""
            answer = target.take(Received(self.command, self.path, key, body, time.time()))
            status = answer if isinstance(answer, int) else 200
            time.sleep(target.delay_seconds)
            if status == HANG_UP:
                self.close_connection = True
                return
            payload = json.dumps({"ok": status < 400} if isinstance(answer, int) else answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(payload)))
            if status >= 400 and target.retry_after:
                self.send_header("Retry-After", target.retry_after)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(payload)

        do_GET = do_HEAD = do_PUT = do_POST = do_PATCH = do_DELETE = answer  # noqa: N815  http.server's names

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  http.server's name
            """Quiet: what came in is in `received`."""

    server = _Server(("127.0.0.1", port), Handler)
    target = HookTarget(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield target
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def main() -> None:
    """Serve until SIGTERM or Ctrl-C."""
    parser = argparse.ArgumentParser(description="A target for http-request actions on loopback.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--first-answers", type=int, nargs="*", default=[], help="what each path answers first")
    arguments = parser.parse_args()
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    with hook_target(arguments.port) as target:
        target.first_answers = arguments.first_answers
        stopped.wait()


if __name__ == "__main__":
    main()
