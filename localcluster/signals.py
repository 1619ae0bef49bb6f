"""Signals as something to wait for, instead of something that interrupts."""

import select
import signal
import socket


class Signals:
    """Collects the given signals; use once, in the main thread."""

    def __init__(self, *wanted: signal.Signals) -> None:
        """Take over the handling of the wanted signals."""
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)
        signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        for number in wanted:
            signal.signal(number, lambda _number, _frame: None)

    def wait(self, timeout_seconds: float) -> set[int]:
        """Return the signals that came; at once if there are some, else after the time-out."""
        select.select([self._reader], [], [], timeout_seconds)
        try:
            return set(self._reader.recv(4096))
        except BlockingIOError:
            return set()
