"""The list of proposals and workflows as a table. Pure: items and the time in, a grid out."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from rich.text import Text

from controller.api.common import LifecycleStatus
from controller.api.names import Phase
from controller.api.proposal import ActionProposal
from controller.api.workflow import StepStatus
from controller.cli.items import SHORT, Item, Model
from controller.cli.screen import Grid, Last, one_line, shown
from controller.cli.times import age, countdown
from controller.client.standing import message_of, phase_of
from controller.core.definition import plan_of

STYLES: dict[Phase, str] = {
    Phase.PENDING: "dim",
    Phase.AWAITING_APPROVAL: "blue",
    Phase.SCHEDULED: "blue",
    Phase.BLOCKED: "yellow",
    Phase.RUNNING: "cyan",
    Phase.RETRYING: "yellow",
    Phase.SUCCEEDED: "green",
    Phase.FAILED: "red",
    Phase.REJECTED: "red",
    Phase.EXPIRED: "red",
    Phase.CANCELLED: "dim",
    Phase.OBSERVED: "green",
    Phase.UNKNOWN: "bold magenta",
}

# An operator that runs looks at a new object within a second.
UNSEEN = timedelta(seconds=30)
UNREADABLE = "cannot be read by this version of the command; see it with -o yaml"

_HEADER = ("NAME", "ACTION", "PHASE", "RETRIES", "AGE")
_WIDE = ("OUTCOME", "MODE", "REQUESTED BY", "RUNNER", "TICKET")


def table(items: Sequence[Item], now: datetime, *, wide: bool = False, namespaces: bool = False) -> Grid:
    """One row for each item, in the order given. `namespaces`: with a column for them."""
    header = [*(["NAMESPACE"] if namespaces else []), *_HEADER, *(_WIDE if wide else []), "MESSAGE"]
    rows = [_row(item, now, wide=wide, namespaces=namespaces) for item in items]
    return Grid(rows, header=header, last=Last.RUN_ON if wide else Last.CUT)


def phase_text(phase: Phase) -> Text:
    return Text(str(phase), STYLES[phase])


def retries(status: LifecycleStatus | StepStatus, now: datetime) -> Text:
    """`1 (in 42s)`, in the form of kubectl's RESTARTS."""
    due = status.next_retry_at if status.outcome is None else None
    return Text(f"{status.retry_count or 0}" + (f" ({countdown(due, now)})" if due else ""))


def action_of(model: Model) -> str:
    """The action of a proposal; how far a workflow is."""
    if isinstance(model, ActionProposal):
        return model.spec.action
    if model.spec.runbook_ref is not None and model.status.runbook is None:
        return f"runbook {model.spec.runbook_ref.name}"
    return f"{model.status.progress or f'0/{len(plan_of(model).steps)}'} steps"


def message(model: Model, now: datetime) -> str:
    """Where it stands; for what nobody has looked at for long, the question that then matters."""
    said = message_of(model)
    created = model.metadata.creation_timestamp
    if model.status.observed_generation < 0 and model.status.phase is None and created and now - created > UNSEEN:
        return f"{said}; is it running?"
    return said


def _row(item: Item, now: datetime, *, wide: bool, namespaces: bool) -> list[Text]:
    place = [shown(item.namespace)] if namespaces else []
    name = Text().append(f"{SHORT[item.kind]}/", "dim").append_text(shown(item.name))
    model = item.model
    if model is None:
        blank = [Text("-") for _ in range(len(_HEADER) - 1 + (len(_WIDE) if wide else 0))]
        return [*place, name, *blank, Text(UNREADABLE, "dim")]
    status = model.status
    cells = [
        name,
        shown(action_of(model)),
        phase_text(phase_of(model)),
        retries(status, now),
        Text(age(model.metadata.creation_timestamp, now)),
    ]
    if wide:
        cells += _wide(model)
    return [*place, *cells, one_line(message(model, now))]


def _wide(model: Model) -> list[Text]:
    runner = model.status.runner if isinstance(model, ActionProposal) else None
    asker = model.spec.requested_by
    said = (
        model.status.outcome,
        model.status.mode or model.spec.mode,
        asker.username if asker else None,
        runner or model.spec.service_account_name,
        model.spec.ticket,
    )
    return [one_line(str(value)) if value else Text("-") for value in said]
