"""Proposals and workflows as models: read, created, changed; each write once, also where its answer is lost."""

from functools import partial
from typing import TypeVar, cast

from controller.api.proposal import ActionProposal
from controller.api.workflow import ActionWorkflow
from controller.core.errors import Conflict, LostAnswer, NotFound
from controller.core.ports import Json
from controller.kube.api import Api
from controller.kube.resources import resource
from controller.kube.retries import write_again

T = TypeVar("T", bound=ActionProposal | ActionWorkflow)

WRITE_TRIES = 3


async def read(api: Api, kind: type[T], name: str, namespace: str) -> T:
    """The object as it is now. Raises NotFound."""
    return _model(kind, await api.get(resource(kind.INFO), name, namespace=namespace))


async def steps_of(api: Api, workflow: ActionWorkflow) -> list[ActionProposal]:
    """The proposals of its steps that are still there, those that it took over from an earlier one included."""
    namespace = workflow.metadata.namespace or ""
    found = []
    for step in workflow.status.steps:
        if step.proposal:
            try:
                found.append(await read(api, ActionProposal, step.proposal, namespace))
            except NotFound:
                continue
    return found


async def create(api: Api, kind: type[T], body: Json, *, dry_run: bool = False) -> T:
    """Creates it, again after a lost answer: the name is fixed, so it is made once. Raises Conflict if it is taken.

    `dry_run`: only has the API server check it; the answer is what it would store.
    """
    name, namespace = body["metadata"]["name"], body["metadata"]["namespace"]
    lost = False
    for remaining in reversed(range(WRITE_TRIES)):
        try:
            return _model(kind, await api.create(resource(kind.INFO), body, namespace=namespace, dry_run=dry_run))
        except LostAnswer:
            lost = True
            if not remaining:
                raise
        except Conflict:
            if not lost:
                raise
            found = await read(api, kind, name, namespace)
            if found.spec != kind.model_validate(body).spec:
                raise
            return found
    raise AssertionError("the last try either returns or raises")


async def change(api: Api, kind: type[T], name: str, namespace: str, spec: Json) -> T:
    """Changes these fields of its spec. Raises NotFound, PermanentFailure where the API server refuses it."""
    patch = partial(api.patch, resource(kind.INFO), name, {"spec": spec}, namespace=namespace)
    return _model(kind, await write_again(patch, tries=WRITE_TRIES, seconds=10.0))


def _model(kind: type[T], raw: Json) -> T:
    return cast("T", kind.model_validate(raw))
