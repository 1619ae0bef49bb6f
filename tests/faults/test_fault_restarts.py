"""A kill in the middle of a retry wait: the time of the next try stands in status and is kept."""

import threading
import time
from datetime import datetime

from harness.stage import proposal
from lanes import Lane

WAIT_SECONDS = 6
LATE_SECONDS = 5.0
"""Less than a wait that is begun anew."""


def killed_while_it_waits(own: Lane, name: str) -> datetime:
    """When the next try is due of a proposal that waits for it, its operator dead."""
    url = own.hooks.target.script(f"/{name}", [503])
    retry = {"maxAttempts": 3, "minWaitSeconds": WAIT_SECONDS, "maxWaitSeconds": WAIT_SECONDS}
    own.create(proposal(name, "http-request", {"method": "PUT", "url": url}, retry=retry))
    assert own.observer.wait(name, lambda status: status.get("nextRetryAt"), 15)
    own.stage.operator.kill()
    return datetime.fromisoformat(own.observer.status(name)["nextRetryAt"])


def check_kept(own: Lane, name: str, due: datetime) -> None:
    assert own.observer.wait(name, lambda status: status.get("outcome"), 30), own.stage.operator.log[-2000:]
    told = {(version.get("status") or {}).get("nextRetryAt") for version in own.observer.versions(name)} - {None}
    assert {datetime.fromisoformat(time) for time in told} == {due}
    status = own.observer.status(name)
    assert (status["outcome"], status["retryCount"], len(status["attempts"])) == ("Succeeded", 1, 2)


def test_a_restart_does_not_shorten_or_lengthen_the_wait(own: Lane) -> None:
    due = killed_while_it_waits(own, "midway").timestamp()
    own.stage.operator.start()
    assert time.time() < due, "the restart took longer than the wait: nothing is proven"
    check_kept(own, "midway", datetime.fromtimestamp(due).astimezone())
    first, second = own.hooks.received("/midway")
    assert due <= second.at <= due + LATE_SECONDS
    assert first.key == second.key


def test_a_retry_that_came_due_without_an_operator_is_made_at_once(own: Lane) -> None:
    due = killed_while_it_waits(own, "missed").timestamp()
    threading.Event().wait(due - time.time())  # the time that passes is the fault
    assert len(own.hooks.received("/missed")) == 1
    own.stage.operator.start()
    leads = time.time()
    check_kept(own, "missed", datetime.fromtimestamp(due).astimezone())
    assert own.hooks.received("/missed")[1].at <= leads + LATE_SECONDS
