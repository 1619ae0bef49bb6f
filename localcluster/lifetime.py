"""Tie a child process to its parent: whatever ends the parent, the child goes with it.

Linux only (prctl PR_SET_PDEATHSIG). Elsewhere servers outlive a supervisor that was killed with
SIGKILL; all other ways of ending are covered by the supervisor itself.
"""

import ctypes
import os
import signal
import sys
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1


def die_with_parent() -> Callable[[], None] | None:
    """Return what a child has to do between fork and exec, for `subprocess.Popen(preexec_fn=)`.

    The signal comes when the *thread* that forked ends, so fork in the main thread only.
    """
    if not sys.platform.startswith("linux"):
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    parent = os.getpid()

    def tie() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # the parent ended before the signal was asked for
            os._exit(1)

    return tie
