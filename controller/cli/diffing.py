"""diff: what one would change, as the preview has it, in the form of a diff."""

import difflib
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

from rich.text import Text

from controller.api.common import Change, Preview
from controller.cli.data import write
from controller.cli.exits import Exit
from controller.cli.find import find
from controller.cli.items import Model
from controller.cli.options import ReportForm
from controller.cli.page import yaml_text
from controller.cli.refusals import Refused
from controller.cli.screen import draw, one_line, shown
from controller.cli.session import Run
from controller.cli.table import UNREADABLE
from controller.cli.times import age, stamp
from controller.client.standing import standing_still

_STYLES = {"-": "red", "+": "green", "@": "cyan"}
_HEADS = ("---", "+++")


async def diff(run: Run, name: str, *, form: ReportForm) -> Exit:
    """The whole command."""
    item = await find(run.api, run.namespace, name)
    model = item.model
    if model is None:
        raise Refused(f"{item.short}: {UNREADABLE}")
    preview = model.status.preview
    if preview is None:
        raise Refused(f"{item.short} has no preview: {standing_still(model)}")
    if form is not ReportForm.TEXT:
        write(run.out, preview.wire(), form)
        return Exit.OK
    for line in diff_lines(item.short, preview):
        draw(run.out, line)
    for warning in preview.warnings:
        run.note(f"warning: {warning}")
    run.note(_standing(model, preview, age(preview.computed_at, run.now())))
    return Exit.OK


def diff_lines(short: str, preview: Preview) -> Iterator[Text]:
    """A part for each object, with one hunk for each field."""
    for target, changes in groupby(preview.changes, key=lambda change: change.target):
        yield one_line(f"--- {target}  (now)", "bold")
        yield one_line(f"+++ {target}  (after {short})", "bold")
        for change in changes:
            other = f"  (also written by {change.managed_by})" if change.managed_by else ""
            yield one_line(f"@@ {change.path} @@{other}", _STYLES["@"])
            for line in _hunk(change):
                yield _unbroken(shown(line, _STYLES.get(line[:1], "")))


def _hunk(change: Change) -> Iterator[str]:
    """The lines of both values; those that stay the same around what differs as well."""
    before, after = _lines(change.before), _lines(change.after)
    for line in difflib.unified_diff(before, after, lineterm=""):
        if not line.startswith(("@@", *_HEADS)):
            yield line


def _lines(value: Any) -> Sequence[str]:
    if value is None:
        return []
    text = value if isinstance(value, str) else yaml_text(value).removesuffix("\n...")
    return text.splitlines() or [""]


def _unbroken(line: Text) -> Text:
    line.no_wrap, line.overflow = True, "ignore"
    return line


def _standing(model: Model, preview: Preview, ago: str) -> str:
    """Where it stands, so that nobody takes what is over for what is to come."""
    said = preview.summary if preview.changes else f"no field changes: {preview.summary}"
    if model.status.outcome is not None:
        return f"it is finished ({model.status.outcome}); this is what was previewed at {stamp(preview.computed_at)}"
    return f"{said} (previewed {ago} ago; {standing_still(model)})"
