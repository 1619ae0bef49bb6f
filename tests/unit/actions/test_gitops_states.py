"""When Flux and Argo CD have done what they were asked: by what they write into status, as they document it."""

from typing import Any

import pytest

from controller.actions.argocd_sync import synced
from controller.actions.flux_reconcile import ANNOTATION, handled
from controller.core.errors import EffectFailed
from controller.core.ports import Target

Json = dict[str, Any]
TARGET = Target("x/v1", "Kustomization", "shop", "apps")
NOW, LATER, EARLIER = "2026-11-22T15:04:05Z", "2026-11-22T15:04:06Z", "2026-11-22T15:04:04Z"


def flux(asked: str | None, done: str | None, *conditions: Json, **status: Any) -> Json:
    return {
        "metadata": {"generation": 2, "annotations": {ANNOTATION: asked} if asked else {}},
        "spec": {},
        "status": {"lastHandledReconcileAt": done, "conditions": list(conditions), **status},
    }


def condition(name: str, status: str, message: str = "", generation: int = 2) -> Json:
    return {"type": name, "status": status, "message": message, "observedGeneration": generation}


READY = condition("Ready", "True", "Applied revision: main@sha1:1")


@pytest.mark.parametrize(
    ("stored", "ok", "words"),
    [
        (flux(NOW, None), False, "has not begun"),
        (flux(NOW, EARLIER, READY), False, "has not begun"),
        (flux(NOW, NOW), False, "is not ready"),
        (flux(NOW, NOW, condition("Ready", "Unknown", "in progress")), False, "is not ready: in progress"),
        (flux(NOW, NOW, condition("Ready", "False", "dependency not ready")), False, "dependency not ready"),
        (flux(NOW, NOW, condition("Ready", "True", generation=1)), False, "is not ready"),
        (flux(NOW, NOW, READY), True, "It is ready: Applied revision"),
        (flux(LATER, LATER, READY), True, "It is ready"),
        ({**flux(NOW, None), "spec": {"suspend": True}}, False, "Flux is suspended"),
        ({"metadata": {"annotations": {ANNOTATION: NOW}}, "spec": {}}, False, "has not begun"),
    ],
)
def test_flux_is_done_once_it_has_handled_the_request_and_is_ready(stored: Json, ok: bool, words: str) -> None:
    found = handled(stored, TARGET)
    assert found.ok is ok
    assert words in found.message


def test_flux_tells_what_it_applied() -> None:
    assert handled(flux(NOW, NOW, READY, lastAppliedRevision="main@1"), TARGET).outputs == {"revision": "main@1"}
    assert handled(flux(NOW, NOW, READY, artifact={"revision": "main@2"}), TARGET).outputs == {"revision": "main@2"}
    assert handled(flux(NOW, NOW, READY), TARGET).outputs == {}


def test_flux_that_cannot_go_on_is_the_end() -> None:
    stalled = flux(NOW, NOW, condition("Ready", "False", "x"), condition("Stalled", "True", "no such path"))
    with pytest.raises(EffectFailed, match="is stalled: no such path"):
        handled(stalled, TARGET)
    assert not handled(flux(NOW, EARLIER, condition("Stalled", "True", "from before")), TARGET).ok


OURS, THEIRS = "operation-1", "operation-2"


def operation(identifier: str) -> Json:
    return {"info": [{"name": "actionoperator.dev/operation", "value": identifier}]}


def state(identifier: str, phase: str, finished: str | None = NOW) -> Json:
    return {"operation": operation(identifier), "phase": phase, "message": f"sync {phase}", "finishedAt": finished}


def app(
    state: Json | None, sync: str = "Synced", health: str = "Healthy", at: str | None = LATER, **fields: Any
) -> Json:
    status = {"sync": {"status": sync, "revision": "abc"}, "health": {"status": health}, "reconciledAt": at}
    return {"metadata": {}, "status": {**status, **({"operationState": state} if state else {})}, **fields}


@pytest.mark.parametrize(
    ("stored", "ok", "words"),
    [
        (app(None, operation=operation(OURS)), False, "has not begun"),
        (app(state(THEIRS, "Succeeded"), operation=operation(OURS)), False, "has not begun"),
        (app(state(OURS, "Running", None)), False, "Argo CD syncs: sync Running"),
        (app(state(OURS, "Terminating", None)), False, "Argo CD syncs"),
        (app(state(OURS, "Succeeded")), True, "It is Synced, Healthy"),
        (app(state(OURS, "Succeeded"), at=EARLIER), False, "has not compared"),
        (app(state(OURS, "Succeeded"), at=None), False, "has not compared"),
        (app(state(OURS, "Succeeded"), sync="OutOfSync"), False, "is OutOfSync, Healthy"),
        (app(state(OURS, "Succeeded"), health="Progressing"), False, "is Synced, Progressing"),
        (app(state(OURS, "Succeeded"), health="Degraded"), False, "is Synced, Degraded"),
        (app(state(OURS, "Succeeded"), operation=operation(THEIRS)), False, "Argo CD syncs"),
        (app(state(THEIRS, "Running", None)), False, "Argo CD syncs"),
        (app(state(THEIRS, "Failed"), sync="OutOfSync"), False, "is OutOfSync"),
        (app(state(THEIRS, "Succeeded")), True, "It is Synced"),
        (app(None), False, "has not compared"),
    ],
)
def test_argo_cd_is_done_once_the_sync_is_through_and_the_application_as_its_source(
    stored: Json, ok: bool, words: str
) -> None:
    found = synced(stored, TARGET, OURS)
    assert found.ok is ok
    assert words in found.message
    assert found.outputs == ({"revision": "abc"} if ok else {})


@pytest.mark.parametrize("phase", ["Failed", "Error"])
def test_a_sync_that_argo_cd_calls_failed_is_the_end(phase: str) -> None:
    with pytest.raises(EffectFailed, match=f"the sync failed: sync {phase}"):
        synced(app(state(OURS, phase)), TARGET, OURS)
