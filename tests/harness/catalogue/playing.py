"""Sets the scene for a case and takes it down again: a runner, what it acts on, a policy where it needs one."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from controller.actions.about import Right
from harness.catalogue.answering import answering
from harness.catalogue.case import Case, Json, Scene, soon
from harness.runners import runner_of
from harness.stage import API


@contextmanager
def playing(scene: Scene, case: Case, rights: Iterable[Right]) -> Iterator[Scene]:
    """The scene is set until left; what belongs to the namespace goes with it."""
    made = [
        *runner_of(scene.name, scene.namespace, rights),
        *([_policy(scene, case)] if case.policy else []),
        *case.objects(scene.name),
    ]
    try:
        for body in made:
            scene.objects.create(body)
        case.prepare(scene)
        soon(lambda: case.look(scene), case.before, f"{case}: before anything was done")
        with answering(scene.objects, scene.name, case):
            yield scene
    finally:
        for body in reversed(made):
            if not scene.objects.is_namespaced(body):
                scene.objects.delete(body)


def proposal_of(scene: Scene, case: Case, **spec: Any) -> Json:
    """The case's example as a proposal of this run."""
    body = case.spec(scene, **spec)
    return {"apiVersion": API, "kind": "ActionProposal", "metadata": {"name": scene.name}, "spec": body}


def check_effect(scene: Scene, case: Case, status: Json) -> None:
    """It has succeeded, and did what it is for."""
    assert status["outcome"] == "Succeeded", status.get("message")
    soon(lambda: case.look(scene), case.after, f"{case}: its effect")
    outputs = status.get("outputs") or {}
    assert {key: outputs.get(key) for key in case.outputs} == case.outputs


def check_rights_missing(case: Case, account: str, message: str) -> None:
    """The message names a right that the page of the type names too, and how to grant it."""
    named = [
        f"may not {verb} {resource}"
        for right in case.needed(all_of_page=False)
        for resource in right.resources
        for verb in right.verbs
    ]
    assert any(text in message for text in named), f"{message}\nnames none of {named}"
    assert account in message
    for command in ("kubectl create ", "binding ", "--verb="):
        assert command in message, message


def _policy(scene: Scene, case: Case) -> Json:
    match = {"namespaces": [scene.namespace], "actions": sorted({case.action, *case.type.inverses})}
    name = f"{scene.namespace}-{scene.name}"[:63].rstrip("-")
    spec = {"match": match, "mode": "Execute"} | dict(case.policy)
    return {"apiVersion": API, "kind": "ActionPolicy", "metadata": {"name": name}, "spec": spec}
