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
    NOT_COUNTED = 16
    TIMEOUT = 124
    INTERRUPTED = 130


def exit_of(outcome: str, *, as_asked: bool) -> Exit:
    """The code for an outcome. `as_asked`: it ended as its author wanted, be it by a dry run that they asked for."""
    return Exit.OK if as_asked else Exit[outcome.upper()]


VOTE_HELP = """\b
Exit codes:
    0  the vote counts
    1  an error, or not confirmed     2  wrong usage    3  not found
    4  forbidden: the API server refuses the vote, the message says why
    5  the API server cannot be reached
   16  the vote does not count; the message says why
  124  the vote is stored, and the operator has not counted it within seconds
  130  interrupted (Ctrl-C)
"""

DIGEST_HELP = """\b
Exit codes:
    0  as stored, or nothing is stored yet
    1  it differs; the message says which part. Also any other error
    2  wrong usage    3  not found    4  forbidden    5  the API server cannot be reached
"""

DOCTOR_HELP = """\b
Exit codes:
    0  nothing is broken; what is only worth a look is told all the same
    1  something is broken; each is told with what mends it
    2  wrong usage    5  the API server cannot be reached
"""

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
