"""How healthy an object is in every situation, in the eyes of kstatus, of Argo CD and of Flux: the one table.

docs/gitops.md shows it to people. The objects themselves are recorded from a running operator (tests/e2e/
test_gitops_health.py) and kept in tests/unit/gitops/recorded/KIND/SITUATION.yaml.
"""

from pathlib import Path
from typing import Any, NamedTuple

import yaml

from harness.kstatus import Status

Json = dict[str, Any]
RECORDED = Path(__file__).parents[1] / "unit" / "gitops" / "recorded"
LIVING = ("ActionProposal", "ActionWorkflow")
IN_PROGRESS, FAILED, CURRENT, TERMINATING = Status.IN_PROGRESS, Status.FAILED, Status.CURRENT, Status.TERMINATING


class Row(NamedTuple):
    """What is said of one situation. `strict`: Flux with config/gitops/flux/wait-for-outcome.yaml.

    `patient`: Flux with config/gitops/flux/go-on-without-people.yaml.
    """

    kstatus: Status
    argo: str
    strict: Status
    patient: Status


ON_ITS_WAY = Row(IN_PROGRESS, "Progressing", IN_PROGRESS, IN_PROGRESS)
DONE = Row(CURRENT, "Healthy", CURRENT, CURRENT)
WRONG = Row(FAILED, "Degraded", FAILED, FAILED)
LIFE = {
    "New": ON_ITS_WAY,
    "Pending": ON_ITS_WAY,
    "AwaitingApproval": Row(IN_PROGRESS, "Suspended", IN_PROGRESS, CURRENT),
    "Scheduled": ON_ITS_WAY,
    "Blocked": Row(IN_PROGRESS, "Suspended", IN_PROGRESS, IN_PROGRESS),
    "Running": ON_ITS_WAY,
    "Retrying": ON_ITS_WAY,
    "Succeeded": DONE,
    "Observed": DONE,
    "ObservedByPolicy": Row(CURRENT, "Healthy", FAILED, CURRENT),
    "Failed": WRONG,
    "Rejected": WRONG,
    "Expired": WRONG,
    "Cancelled": WRONG,
    "Unknown": WRONG,
    "Deleting": Row(TERMINATING, "Progressing", TERMINATING, TERMINATING),
}
"""Of proposals and workflows: every phase, and what comes before and after."""
TABLE: dict[str, dict[str, Row]] = {
    **dict.fromkeys(LIVING, LIFE),
    "ActionType": {"New": ON_ITS_WAY, "Ready": DONE, "NotReady": WRONG},
    "ActionPolicy": {"New": ON_ITS_WAY, "Ready": DONE, "Halting": DONE, "NotReady": WRONG},
    "ActionRunbook": {"New": ON_ITS_WAY, "Ready": DONE, "Settling": ON_ITS_WAY, "NotReady": WRONG},
    "ActionSchedule": {
        "New": ON_ITS_WAY,
        "Ready": DONE,
        "Suspended": Row(CURRENT, "Suspended", CURRENT, CURRENT),
        "NotReady": WRONG,
    },
}
CASES = [(kind, situation) for kind, rows in TABLE.items() for situation in rows]


def recorded(kind: str, situation: str) -> Json:
    """The object as the API server gave it."""
    found: Json = yaml.safe_load((RECORDED / kind / f"{situation}.yaml").read_text())
    return found
