"""create: a proposal from the command line; where a person is there, asked for what is missing."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from rich.text import Text

from controller.api.actiontype import ActionType
from controller.api.proposal import ActionProposal
from controller.cli.asking import ask, somebody_there
from controller.cli.catalogue import bounds, risk_words
from controller.cli.exits import Exit
from controller.cli.options import Starting
from controller.cli.proposed import Said, end, mode_of, only_observed, settled
from controller.cli.refusals import NOT_INSTALLED, Refused
from controller.cli.screen import Lines, draw, one_line, shown
from controller.cli.session import Run
from controller.client.errors import ObserveOnlyError, ValidationError
from controller.client.values import typed, typed_values
from controller.core.errors import Conflict, NotFound, RightMissing
from controller.core.parameters import parameter_faults
from controller.core.ports import Json
from controller.core.validation import unknown_action
from controller.kube.resources import TYPES


async def create_proposal(run: Run, action: str, given: Mapping[str, str], how: Starting) -> Exit:
    """The whole command."""
    how = settled(how)
    action_type = await _type(run, action)
    schema = action_type.spec.parameters if action_type is not None else {}
    parameters = typed_values(schema, given)
    if somebody_there():
        if action_type is not None and (missing(schema, parameters) or not how.reason):
            introduce(run, action_type)
        parameters |= asked_for(run, schema, parameters)
        how = replace(how, reason=how.reason or asked_reason(run))
    elif not how.reason:
        raise Refused("\n".join(["--reason is missing: say why, approvers read it", *_faults(schema, parameters)]),
                      Exit.USAGE)  # fmt: skip
    try:
        made = await run.client.propose_action(
            action,
            parameters,
            reason=how.reason or "",
            namespace=run.namespace,
            name=how.name,
            ticket=how.ticket,
            service_account_name=how.runner,
            mode=mode_of(how),
            dry_run=how.dry_run,
        )
    except ObserveOnlyError as error:
        raise only_observed(error) from None
    except ValidationError as error:
        raise Refused("\n".join(error.faults) + f"; see: kubectl actions types {action}", Exit.USAGE) from None
    except Conflict:
        raise Refused(f"ap/{how.name} is there already: give it another name with --name, or none") from None
    what = f"{action} in namespace {run.namespace}"
    return await end(run, ActionProposal, made, Said(f"is proposed: {what}", f"would be proposed: {what}"), how)


def missing(schema: Json, parameters: Json) -> list[str]:
    """Required parameters that are not given."""
    return [name for name in schema.get("required") or () if name not in parameters]


def introduce(run: Run, action_type: ActionType) -> None:
    """What it is, before the questions; what may be left out is named only."""
    run.err.print(Text().append_text(shown(action_type.metadata.name, "bold")).append_text(risk_words(action_type)))
    draw(run.err, Lines(shown(action_type.spec.description), 2))
    schema = action_type.spec.parameters
    optional = [name for name in schema.get("properties") or {} if name not in (schema.get("required") or ())]
    if optional:
        draw(run.err, Lines(shown(f"not asked for, may be given with -p: {', '.join(optional)}", "dim"), 2))


def asked_for(run: Run, schema: Json, parameters: Json) -> Json:
    """The parameters that are missing, each asked for until it fits."""
    found: Json = {}
    for name in missing(schema, parameters):
        field = (schema.get("properties") or {}).get(name) or {}
        while True:
            text = ask(run, question(name, field))
            if not text and field.get("type") != "string":
                continue
            value = typed(field, text)
            wrong = list(faults_of(name, field, value))
            if not wrong:
                found[name] = value
                break
            for line in wrong:
                run.err.print(one_line(f"  {line}", "red"), soft_wrap=True)
    return found


def asked_reason(run: Run) -> str:
    """Why; asked for until something is said."""
    while not (text := ask(run, "reason (why; approvers read it):")):
        continue
    return text


def question(name: str, field: Json) -> str:
    """`replicas (integer, 0..1000; how many pods are wanted):`."""
    words = " ".join(str(field.get("description", "")).split()).rstrip(".")
    said = "NAME/KEY of a Secret" if field.get("secret") else bounds(field)
    return f"{name} ({said}; {words}):" if words else f"{name} ({said}):"


def faults_of(name: str, field: Json, value: object) -> Iterator[str]:
    """What is wrong with one parameter: `replicas: must be at most 1000 (got 5000)`."""
    alone = {"type": "object", "properties": {name: field}}
    for line in parameter_faults(alone, {name: value}, "parameters"):
        yield line.removeprefix("parameters.")


def _faults(schema: Json, parameters: Json) -> list[str]:
    return parameter_faults(schema, parameters, "spec.parameters") if schema else []


async def _type(run: Run, action: str) -> ActionType | None:
    """The type; None where we may not read it, which leaves the checks to the operator."""
    try:
        return ActionType.model_validate(await run.api.get(TYPES, action))
    except RightMissing:
        return None
    except NotFound:
        pass
    try:
        there = {raw["metadata"]["name"]: raw for raw in (await run.api.list(TYPES)).items}
    except NotFound:
        raise Refused(NOT_INSTALLED, Exit.NOT_FOUND) from None
    raise Refused(unknown_action(there, action), Exit.NOT_FOUND)
