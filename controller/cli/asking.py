"""Asks a person yes or no, where there is one."""

import select
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from controller.cli.exits import Exit
from controller.cli.refusals import Refused
from controller.cli.screen import one_line
from controller.cli.session import Run

_YES = frozenset({"y", "yes"})


def confirm(run: Run, question: str, *, yes: bool) -> None:
    """Goes on if the answer is yes, or was given beforehand. Raises Refused otherwise."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise Refused("this needs a yes, and there is no terminal to ask on; add --yes", Exit.USAGE)
    answer = _read_line(run, f"{question} [y/N]")
    if not answer:
        run.err.print()
    if answer.strip().lower() not in _YES:
        raise Refused("not confirmed; nothing was done")


def somebody_there() -> bool:
    """Whether there is a terminal to ask on."""
    return sys.stdin.isatty()


def ask(run: Run, question: str) -> str:
    """What somebody types; empty = only Enter. Raises Refused at the end of the input."""
    answer = _read_line(run, question)
    if not answer:
        run.err.print()
        raise Refused("not answered; nothing was done")
    return answer.strip()


def _read_line(run: Run, question: str) -> str:
    """What is typed, with its end of line; empty at the end of the input."""
    run.out.file.flush()
    with _ctrl_c_ends_it() as woken:
        run.err.print(one_line(question), end=" ", soft_wrap=True)
        run.err.file.flush()
        select.select([sys.stdin, woken], [], [])
        return sys.stdin.readline()


@contextmanager
def _ctrl_c_ends_it() -> Iterator[socket.socket]:
    """What becomes readable at a signal: one that comes right before a read begins would else not interrupt it.

    While the event loop stands still, its own handler for Ctrl-C would only take note of it.
    """
    woken, wakes = socket.socketpair()
    with woken, wakes:
        wakes.setblocking(False)
        handler, fd = signal.signal(signal.SIGINT, signal.default_int_handler), signal.set_wakeup_fd(wakes.fileno())
        try:
            yield woken
        finally:
            signal.set_wakeup_fd(fd)
            signal.signal(signal.SIGINT, handler)
