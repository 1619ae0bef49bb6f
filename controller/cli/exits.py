"""Exit codes: scripts branch on them, so each outcome has its own, and none of them ever changes its meaning."""

from enum import IntEnum


class Exit(IntEnum):
    OK = 0
    ERROR = 1
    USAGE = 2
    NOT_FOUND = 3
    FORBIDDEN = 4
    UNREACHABLE = 5
    FAILED = 10
    REJECTED = 11
    EXPIRED = 12
    CANCELLED = 13
    OBSERVED = 14
    UNKNOWN = 15
    TIMEOUT = 124
    INTERRUPTED = 130


def exit_of(outcome: str, *, as_asked: bool) -> Exit:
    """The code for an outcome. `as_asked`: it ended as its author wanted, be it by a dry run that they asked for."""
    return Exit.OK if as_asked else Exit[outcome.upper()]


HELP = """\b
Exit codes:
    0  Succeeded, or Observed where a dry run was asked for
    1  an error     2  wrong usage    3  not found
    4  forbidden    5  the API server cannot be reached
   10  Failed
   11  Rejected
   12  Expired
   13  Cancelled
   14  Observed: policy let it only be previewed, nothing was changed
   15  Unknown: whether it took effect is not known, look at the target
  124  time was up first
  130  interrupted (Ctrl-C)
"""
