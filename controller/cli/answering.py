"""answer: give the answer that a proposal of type `ask` waits for."""

from collections.abc import Sequence
from typing import Any

from controller.api.approval import Vote
from controller.cli.approving import vote
from controller.cli.exits import Exit
from controller.cli.items import Item, Model
from controller.cli.options import DataForm
from controller.cli.refusals import Refused
from controller.cli.session import Run
from controller.client.values import typed
from controller.client.votes import question_put
from controller.core.ports import Json


async def answer(
    run: Run,
    name: str,
    value: str | None,
    fields: Sequence[str],
    *,
    comment: str,
    digest: str | None,
    yes: bool,
    form: DataForm | None,
) -> Exit:
    """The whole command. `fields`: `key=value` of an answer that is an object."""

    def answering(item: Item, model: Model) -> Any:
        return read_answer(item, model, value, fields)

    return await vote(run, name, Vote.APPROVE, comment=comment, digest=digest, yes=yes, form=form, answering=answering)


def read_answer(item: Item, model: Model, value: str | None, fields: Sequence[str]) -> Any:
    """The answer as JSON, by what is asked for. Raises Refused where it cannot be one."""
    question = question_put(model)
    if question is None:
        raise Refused(f"{item.short} asks nothing; approve it: kubectl actions approve {item.name}", Exit.USAGE)
    given: Any = _fields(fields, question.schema) if fields else typed(question.schema, value or "")
    if fault := question.fault(given):
        raise Refused(f"{item.short}: {fault.replace('spec.answer', 'the answer')}", Exit.USAGE)
    return given


def _fields(fields: Sequence[str], schema: Json) -> Json:
    properties = schema.get("properties")
    known = properties if isinstance(properties, dict) else {}
    answer = {}
    for field in fields:
        name, equals, text = field.partition("=")
        if not equals or not name:
            raise Refused(f"-p {field}: must be KEY=VALUE", Exit.USAGE)
        answer[name] = typed(known.get(name) or {}, text)
    return answer
