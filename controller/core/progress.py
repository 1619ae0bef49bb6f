"""How far an attempt under way is, as status tells it: what its executor said last, now and then. Pure.

Nothing is written in the first ten seconds, so that what is short costs no write for it. It is no transition: history,
Events and the audit log have nothing of it.
"""

from datetime import datetime, timedelta

from controller.api.names import Phase, Reason
from controller.api.proposal import Attempt, ProposalStatus
from controller.core.attempts import replace_last
from controller.core.decision import Decision
from controller.core.status import Standing, bounded, settle
from controller.core.view import ProposalView

EVERY = timedelta(seconds=10)
"""At most one write in this time."""


def tell_progress(view: ProposalView, attempt: Attempt, now: datetime) -> Decision[ProposalStatus]:
    """The status that says how far the attempt is, or when to look again; nothing where it has said nothing new."""
    status = view.proposal.status
    message = bounded(f"attempt {attempt.number}: {view.progress}")
    if not view.progress or message == status.message:
        return Decision()
    due = (attempt.progress_at or attempt.started_at) + EVERY
    if now < due:
        return Decision(wake_at=due)
    status = status.model_copy(update={"attempts": replace_last(status.attempts, progress_at=now)})
    standing = Standing(Phase.RUNNING, Reason.PROGRESSING, message)
    return Decision(settle(status, standing, generation=view.proposal.metadata.generation, now=now))
