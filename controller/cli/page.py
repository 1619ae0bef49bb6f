"""One proposal or workflow on one page. Pure: the object and the time in, something to print out."""

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import yaml
from rich.console import Group, RenderableType
from rich.text import Text

from controller.api.common import Blocked, Preview
from controller.api.names import AttemptResult, Phase
from controller.api.proposal import ActionProposal
from controller.api.workflow import ActionWorkflow, Order, Step, StepStatus
from controller.cli.approvals import approval_section
from controller.cli.items import SHORT, Model
from controller.cli.screen import INDENT, Grid, Lines, fields, one_line, section, shown
from controller.cli.table import STYLES, message, phase_text, retries
from controller.cli.times import Clock, age, countdown, span, stamp, took
from controller.client.errors import NothingToUndo
from controller.client.standing import phase_of
from controller.client.undo import undo_request
from controller.core.definition import plan_of
from controller.core.steps import given_up

LONGEST_VALUE = 160
BRIEF_HISTORY = 5

RESULTS = {
    AttemptResult.SUCCEEDED: "green",
    AttemptResult.FAILED: "red",
    AttemptResult.NOT_DONE: "yellow",
    AttemptResult.INTERRUPTED: "dim",
    AttemptResult.UNKNOWN: "bold magenta",
}


def page(model: Model, now: datetime) -> Group:
    """All there is to know, in the order in which people ask."""
    parts: list[RenderableType] = [title(model), fields(request_rows(model, now))]
    parts += section("Where it stands", fields(_standing(model, now)))
    parts += changes(model.status.preview)
    parts += approval_section(model, now)
    parts += _work(model, now)
    parts += _history(model)
    parts += _conditions(model, now)
    parts += _undo(model)
    return Group(*parts)


def brief(model: Model, now: datetime) -> Group:
    """What changes while one watches."""
    parts: list[RenderableType] = [title(model), fields(_standing(model, now))]
    return Group(*parts, *approval_section(model, now), *_work(model, now), *_history(model, BRIEF_HISTORY))


def title(model: Model) -> Text:
    """`ActionProposal shop/scale-checkout  Retrying`."""
    line = Text().append_text(shown(f"{model.kind} {model.metadata.namespace}/{model.metadata.name}", "bold"))
    return line.append("  ").append_text(phase_text(phase_of(model)))


def request_rows(model: Model, now: datetime) -> Iterator[tuple[str, Text]]:
    spec, status = model.spec, model.status
    risk = f", risk {status.risk}" if status.risk else ""
    if isinstance(model, ActionProposal):
        yield "Action", shown(f"{model.spec.action}{risk}")
        if model.spec.parameters:
            yield "Parameters", shown(yaml_text(model.spec.parameters))
    else:
        yield "What", shown(model.spec.description)
        yield from _course(model, risk)
    yield "Reason", shown(spec.reason)
    if spec.ticket:
        yield "Ticket", shown(spec.ticket)
    asker = spec.requested_by.username if spec.requested_by else "not said"
    created = model.metadata.creation_timestamp
    when = f", {age(created, now)} ago ({stamp(created)})" if created else ""
    yield "Asked by", shown(asker + when)
    runner = (model.status.runner if isinstance(model, ActionProposal) else None) or spec.service_account_name
    if runner:
        yield "Runs as", shown(f"ServiceAccount {runner}")
    mode = status.mode or spec.mode
    if mode != "Execute":
        yield "Mode", shown(str(mode))
    owner = next((owner for owner in model.metadata.owner_references if owner.kind == "ActionWorkflow"), None)
    if owner:
        yield "Step of", shown(f"aw/{owner.name}")
    schedule = next((owner for owner in model.metadata.owner_references if owner.kind == "ActionSchedule"), None)
    if schedule:
        yield "Run of", shown(f"asch/{schedule.name}")


def _course(workflow: ActionWorkflow, risk: str) -> Iterator[tuple[str, Text]]:
    """How many steps in which order; the runbook that they are of."""
    reference, pinned = workflow.spec.runbook_ref, workflow.status.runbook
    if reference is not None:
        by = f", last edited by {pinned.edited_by.username}" if pinned and pinned.edited_by else ""
        yield "Runbook", shown(f"{reference.name}{by}" if pinned else f"{reference.name}, not looked at yet")
        if workflow.spec.parameters:
            yield "Parameters", shown(yaml_text(workflow.spec.parameters))
    if reference is None or pinned is not None:
        plan = plan_of(workflow)
        yield "How", shown(f"{len(plan.all_steps)} steps, order {plan.order}, on failure {plan.on_failure}{risk}")


def _standing(model: Model, now: datetime) -> Iterator[tuple[str, Text]]:
    spec, status = model.spec, model.status
    said = message(model, now)
    phase = phase_of(model)
    line = Text().append_text(phase_text(phase))
    yield "Phase", line.append_text(shown(f": {said}")) if said else line
    if status.outcome is None:
        yield from _awaited(model, now)
    if isinstance(model, ActionWorkflow) and status.phase and plan_of(model).steps:
        yield "Progress", shown(f"{model.status.progress or f'0/{len(plan_of(model).all_steps)}'} steps")
    if status.retry_count:
        yield "Retries", Text(str(status.retry_count))
    if status.started_at:
        yield "Started", Text(f"{age(status.started_at, now)} ago ({stamp(status.started_at)})")
    if status.completed_at:
        length = f", after {took(status.started_at, status.completed_at)}" if status.started_at else ""
        yield "Finished", Text(f"{age(status.completed_at, now)} ago ({stamp(status.completed_at)}){length}")
    if spec.cancelled and status.outcome is None:
        yield "Cancelled", Text("asked for; the operator stops it", "yellow")
    if spec.suspend and status.outcome is None:
        yield "Suspended", Text(f"yes; go on with: kubectl actions resume {_place(model)}", "yellow")


def _awaited(model: Model, now: datetime) -> Iterator[tuple[str, Text]]:
    spec, status = model.spec, model.status
    if status.next_retry_at:
        yield "Next retry", Text(f"{countdown(status.next_retry_at, now)} ({stamp(status.next_retry_at)})")
    if spec.not_before and spec.not_before > now:
        yield "Starts", Text(f"{countdown(spec.not_before, now)} ({stamp(spec.not_before)})")
    if status.blocked:
        yield "Blocked by", shown(blocked_text(status.blocked, now), STYLES[Phase.BLOCKED])


def blocked_text(blocked: Blocked, now: datetime) -> str:
    """`policy shop, rule limits.maxPerHour, until 2026-11-22 15:04:05 UTC (in 42s)`."""
    by = f"policy {blocked.policy}, rule {blocked.rule}" if blocked.policy else blocked.rule
    if blocked.until is None:
        return by
    if blocked.until <= now and blocked.rule.startswith("limits."):
        return f"{by}; those who waited longer go first (room since {stamp(blocked.until)})"
    return f"{by}, until {stamp(blocked.until)} ({countdown(blocked.until, now)})"


def changes(preview: Preview | None, longest: int = LONGEST_VALUE) -> list[RenderableType]:
    """What the preview says, with values up to that many characters."""
    if preview is None:
        return []
    body: list[RenderableType] = [Lines(shown(preview.summary), INDENT)]
    if preview.changes:
        rows = []
        for change in preview.changes:
            values = Text().append_text(_value(change.before, "red", longest)).append(" -> ")
            values.append_text(_value(change.after, "green", longest))
            if change.managed_by:
                values.append_text(shown(f"  (also written by {change.managed_by})", "yellow"))
            rows.append((one_line(change.target), one_line(change.path), values))
        body.append(Grid(rows, indent=INDENT))
    body += [Lines(shown(f"! {warning}", "yellow"), INDENT) for warning in preview.warnings]
    return section("What it changes", Group(*body))


def _work(model: Model, now: datetime) -> list[RenderableType]:
    if isinstance(model, ActionWorkflow):
        return section("Steps", _steps(model, now))
    if not model.status.attempts:
        return []
    clock = Clock(attempt.started_at for attempt in model.status.attempts)
    rows = [
        (
            Text(str(attempt.number)),
            Text(clock(attempt.started_at)),
            Text(took(attempt.started_at, attempt.finished_at or now)),
            Text(str(attempt.result), RESULTS[attempt.result]) if attempt.result else Text("running", "cyan"),
            Text(str(attempt.reason or "-")),
            shown(attempt.message or "-"),
        )
        for attempt in model.status.attempts
    ]
    header = ("#", clock.header, "TOOK", "RESULT", "REASON", "MESSAGE")
    return section("Attempts", Grid(rows, header=header, indent=INDENT))


def _steps(model: ActionWorkflow, now: datetime) -> Grid:
    told = {step.name: step for step in model.status.steps}
    plan = plan_of(model)
    graph = plan.order is Order.GRAPH
    over = model.status.outcome is not None
    rows = [
        _step(step, told.get(step.name) or StepStatus(name=step.name), now, graph=graph, over=over)
        for step in plan.all_steps
    ]
    header = ("STEP", "ACTION", *(("AFTER",) if graph else ()), "STATE", "RETRIES", "TOOK", "MESSAGE")
    return Grid(rows, header=header, indent=INDENT)


def _step(step: Step, status: StepStatus, now: datetime, *, graph: bool, over: bool) -> Sequence[Text]:
    said = status.message or "-"
    if status.rollback:
        back = "not taken back" if given_up(status) else f"taken back: {status.rollback.outcome or 'under way'}"
        said += f"; {back}"
    return (
        shown(step.name),
        shown(step.action),
        *((shown(", ".join(step.depends_on) or "-"),) if graph else ()),
        step_state(status, over=over),
        retries(status, now),
        Text(took(status.started_at, status.completed_at)),
        shown(said),
    )


def step_state(status: StepStatus, *, over: bool) -> Text:
    """`over`: whether its workflow has ended."""
    if status.outcome:
        style = "dim" if status.outcome == "Skipped" else STYLES[Phase(status.outcome.value)]
        return Text(str(status.outcome), style)
    if status.next_retry_at:
        return phase_text(Phase.RETRYING)
    return Text("started", "cyan") if status.uid else Text(idle_word(over=over), "dim")


def idle_word(*, over: bool) -> str:
    """Of a step that has not started."""
    return "not run" if over else "waiting"


def _history(model: Model, most: int = 0) -> list[RenderableType]:
    history = model.status.history[-most:]
    if not history:
        return []
    clock = Clock(entry.at for entry in history)
    rows = [
        (Text(clock(entry.at)), Text(str(entry.reason)), shown(entry.actor), shown(entry.message)) for entry in history
    ]
    return section("History", Grid(rows, header=(clock.header, "WHAT", "WHO", "MESSAGE"), indent=INDENT))


def _conditions(model: Model, now: datetime) -> list[RenderableType]:
    rows = [
        (
            Text(str(condition.type)),
            Text(condition.status),
            Text(str(condition.reason)),
            Text(span((now - condition.last_transition_time).total_seconds())),
        )
        for condition in model.status.conditions
    ]
    if not rows:
        return []
    header = ("CONDITION", "STATUS", "REASON", "SINCE")
    return section("Conditions", Grid(rows, header=header, indent=INDENT))


def _undo(model: Model) -> list[RenderableType]:
    if not isinstance(model, ActionProposal) or model.status.outcome is None:
        return []
    try:
        request = undo_request(model)
    except NothingToUndo:
        return []
    parameters = ", ".join(f"{name}: {_short(value)}" for name, value in request.undo.parameters.items())
    body = Group(
        Lines(Text(f"kubectl actions undo {_place(model)}"), INDENT),
        Lines(shown(f"would propose {request.undo.action} ({parameters})", "dim"), INDENT),
    )
    return section("Undo", body)


def _place(model: Model) -> str:
    """How commands name it: `ap/scale-checkout -n shop`."""
    return f"{SHORT[type(model)]}/{model.metadata.name} -n {model.metadata.namespace}"


def _value(value: Any, style: str, longest: int) -> Text:
    return Text("(not set)", "dim") if value is None else one_line(_short(value, longest), style)


def _short(value: Any, longest: int = LONGEST_VALUE) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= longest else text[: longest - 1] + "…"


def yaml_text(value: Any) -> str:
    """The value as YAML, for people: lines are never folded."""
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=10_000).rstrip("\n")
