"""File locks. The kernel lets go of a lock when its process ends, however it ends.

That makes a lock the one honest answer to "is that process still there?": a process id may have
been given to another process by now, a lock cannot.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self


class FileLock:
    """A lock held by this process until `release`, or until the process ends."""

    def __init__(self, path: Path, descriptor: int) -> None:
        """Use `take` or `try_take` instead."""
        self.path = path
        self._descriptor: int | None = descriptor

    @classmethod
    def take(cls, path: Path) -> Self:
        """Take the lock, waiting for whoever holds it."""
        return cls(path, _lock(path, fcntl.LOCK_EX))

    @classmethod
    def try_take(cls, path: Path) -> Self | None:
        """Take the lock, or return None if another holds it."""
        try:
            return cls(path, _lock(path, fcntl.LOCK_EX | fcntl.LOCK_NB))
        except BlockingIOError:
            return None

    def release(self) -> None:
        """Let go of the lock; the file stays, since removing it would race with the next taker."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def held(path: Path) -> bool:
    """Say whether some process holds the lock."""
    if not path.exists():
        return False
    try:
        os.close(_lock(path, fcntl.LOCK_SH | fcntl.LOCK_NB))
    except BlockingIOError:
        return True
    return False


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock for the length of a `with` block, waiting for it."""
    lock = FileLock.take(path)
    try:
        yield
    finally:
        lock.release()


def _lock(path: Path, how: int) -> int:
    """Return a descriptor with the lock on it; no child process inherits it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, how)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor
