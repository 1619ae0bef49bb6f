"""What commands that propose something have in common: how it is said, how they end."""

from dataclasses import dataclass, replace

from controller.api.base import API_VERSION
from controller.api.names import Mode
from controller.cli.data import write
from controller.cli.exits import Exit
from controller.cli.items import Item, Model
from controller.cli.options import CreatedForm, Starting
from controller.cli.refusals import Refused
from controller.cli.screen import one_line
from controller.cli.session import Run
from controller.cli.watching import wait_for
from controller.client.errors import ObserveOnlyError
from controller.core.ports import Json

_FIRST = ("description", "action", "runbookRef", "parameters", "reason", "ticket")
"""What people read first of a manifest."""
_FOR_PROGRAMS = 'propose it with mode="DryRun"'
_FOR_PEOPLE = "add --preview to see what it would change"


def settled(how: Starting) -> Starting:
    """The options with what follows from them. Raises Refused where they contradict each other.

    A manifest is only printed, here as everywhere in this program; the API server has then checked it.
    """
    if how.timeout_seconds is not None and not how.wait:
        raise Refused("--timeout is for --wait; add it", Exit.USAGE)
    only = how.dry_run or how.form in (CreatedForm.JSON, CreatedForm.YAML)
    if only and how.wait:
        option = "--dry-run" if how.dry_run else f"-o {how.form}"
        raise Refused(f"{option} stores nothing, so there is nothing to --wait for; --preview --wait waits for the "
                      "preview", Exit.USAGE)  # fmt: skip
    return replace(how, dry_run=only)


def mode_of(how: Starting) -> Mode:
    """What the spec is to say."""
    return Mode.DRY_RUN if how.preview else Mode.EXECUTE


def only_observed(error: ObserveOnlyError) -> Refused:
    """The same for people."""
    return Refused(str(error).replace(_FOR_PROGRAMS, _FOR_PEOPLE))


@dataclass(frozen=True)
class Said:
    """What becomes of it, after its name: `is proposed: wait in namespace shop`, and what would, in a dry run."""

    does: str
    would: str


async def end(run: Run, kind: type[Model], made: Model, said: Said, how: Starting) -> Exit:
    """Tells, or prints the object, and waits where that was asked for."""
    item = Item(kind, made.model_dump(mode="json", by_alias=True, exclude_none=True))
    if how.form is CreatedForm.NAME:
        run.out.file.write(f"{item.full}\n")
    elif how.form is not None:
        write(run.out, as_manifest(kind, made), how.form)
    elif how.dry_run:
        _say(run, f"{item.short} {said.would}; the API server takes it, nothing is stored")
    else:
        see = "diff" if how.preview else "watch"
        _say(run, f"{item.short} {said.does}; see: kubectl actions {see} {item.short} -n {item.namespace}")
    return await wait_for(run, item, timeout_seconds=how.timeout_seconds) if how.wait else Exit.OK


def _say(run: Run, text: str) -> None:
    run.out.print(one_line(text), soft_wrap=True)


def as_manifest(kind: type[Model], made: Model) -> Json:
    """What was asked for, without what the API server adds: to be kept, and applied by whoever it is."""
    given = made.spec.model_dump(mode="json", by_alias=True, exclude_none=True, exclude_defaults=True)
    first = {name: given[name] for name in _FIRST if name in given}
    rest = {name: value for name, value in given.items() if name not in (*_FIRST, "requestedBy")}
    return {
        "apiVersion": API_VERSION,
        "kind": kind.INFO.kind,
        "metadata": {"name": made.metadata.name, "namespace": made.metadata.namespace},
        "spec": first | rest,
    }
