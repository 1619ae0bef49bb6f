"""What somebody sees before they approve or reject: who asks for what and why, what it changes, nothing cut. Pure."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from rich.console import Group, RenderableType
from rich.text import Text

from controller.api.base import SpecModel
from controller.api.workflow import ActionWorkflow, Step
from controller.cli.approvals import approval_section, digest_line
from controller.cli.items import Model
from controller.cli.page import changes, request_rows, title, yaml_text
from controller.cli.screen import INDENT, Grid, fields, section, shown
from controller.core.definition import plan_of
from controller.core.ports import Json

EVERYTHING = 1_000_000
_TOLD = frozenset(
    {
        "action", "parameters", "description", "runbookRef", "order", "onFailure", "steps", "finally", "reason",
        "ticket", "serviceAccountName", "requestedBy", "mode", "suspend", "cancelled", "ttlSecondsAfterFinished",
    }
)  # fmt: skip
_STEP_TOLD = frozenset({"name", "action", "parameters", "dependsOn", "undo"})
MAX_CHANGES = 64
"""As many as a status keeps."""


def ballot(model: Model, now: datetime) -> Group:
    """The page to decide by."""
    parts: list[RenderableType] = [title(model), fields([*request_rows(model, now), *_settings(model)])]
    if isinstance(model, ActionWorkflow):
        parts += section("What it runs", _plan(model))
    parts += changes(model.status.preview, EVERYTHING)
    preview = model.status.preview
    if preview is not None and len(preview.changes) >= MAX_CHANGES:
        parts.append(shown(f"  ! only the first {MAX_CHANGES} changes are kept; there may be more", "yellow"))
    elif preview is None:
        parts += section("What it changes", Text("  there is no preview", "yellow"))
    parts += approval_section(model, now) or section("Approval", digest_line(model.status.digest))
    return Group(*parts)


def _settings(model: Model) -> Iterator[tuple[str, Text]]:
    """What else the request says: times, retry, conditions."""
    told = _TOLD
    if isinstance(model, ActionWorkflow) and model.spec.runbook_ref is None:
        told = _TOLD - {"parameters"}  # of a runbook's they are told beside it
    if rest := _rest(model.spec, told):
        yield "Also", shown(yaml_text(rest))


def _rest(spec: SpecModel, told: frozenset[str]) -> Json:
    """The fields that are not at their defaults, without those that are told elsewhere."""
    given = spec.model_dump(mode="json", by_alias=True, exclude_none=True, exclude_defaults=True)
    return {name: value for name, value in given.items() if name not in told}


def _plan(workflow: ActionWorkflow) -> Grid:
    plan = plan_of(workflow)
    rows = [row for step in plan.steps for row in _step(step, step.name)]
    rows += [row for step in plan.finally_ for row in _step(step, f"finally {step.name}")]
    return Grid(rows, header=("STEP", "ACTION", "AFTER", "PARAMETERS"), indent=INDENT)


def _step(step: Step, name: str) -> Iterator[Sequence[Text]]:
    after = ", ".join(step.depends_on) or "-"
    yield shown(name), shown(step.action), shown(after), _yaml(step.parameters)
    if rest := _rest(step, _STEP_TOLD):
        yield Text(), Text(), Text(), _yaml(rest)
    if step.undo:
        yield shown(f"undo {name}"), shown(step.undo.action), Text("-"), _yaml(step.undo.parameters)


def _yaml(value: Json) -> Text:
    return shown(yaml_text(value)) if value else Text("-")
