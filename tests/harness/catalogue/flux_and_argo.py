"""Cases of the types for Flux and Argo CD. No controller of theirs runs: the case writes what it would write, once."""

import threading
import time
from collections.abc import Callable
from typing import Any
from unittest.mock import ANY

from controller.actions.argocd_sync import APPLICATIONS
from controller.actions.flux import RESOURCES, Kind
from controller.actions.flux_reconcile import ANNOTATION
from harness.catalogue.case import SECONDS, Case, Json, Scene
from harness.gitops import stand_ins
from localcluster.errors import RequestFailed

KUSTOMIZATIONS = RESOURCES[Kind.KUSTOMIZATION]
INSTEAD = "neither Flux nor Argo CD runs: small stand-ins of their kinds, and the case writes what they would write"
_FLUX = (KUSTOMIZATIONS.api_version, KUSTOMIZATIONS.kind)
_ARGO_CD = (APPLICATIONS.api_version, APPLICATIONS.kind)


def made(
    kind: tuple[str, str], answer: Callable[[Json], str | None] | None = None, **spec: Any
) -> Callable[[Scene], None]:
    """Installs the kinds and makes the object. `answer` plays its controller: it changes the object that it is given,
    and says where that is to be written; None: there is nothing to do yet.
    """

    def prepare(scene: Scene) -> None:
        stand_ins(scene.objects.cluster)
        api_version, name = kind
        body = {"apiVersion": api_version, "kind": name, "metadata": {"name": scene.name}, "spec": spec}
        scene.objects.replace(body)
        if answer:
            threading.Thread(target=_play, args=(scene, kind, answer), daemon=True).start()

    return prepare


def _play(scene: Scene, kind: tuple[str, str], answer: Callable[[Json], str | None]) -> None:
    """Until it has answered once, the object is gone, or time is up."""
    plural = (KUSTOMIZATIONS if kind == _FLUX else APPLICATIONS).plural
    deadline = time.monotonic() + 2 * SECONDS
    while time.monotonic() < deadline:
        try:
            found = scene.get(*kind)
            where = answer(found)
            if where is not None:
                path = f"/apis/{kind[0]}/namespaces/{scene.namespace}/{plural}/{scene.name}{where}"
                scene.objects.cluster.api().request("PUT", path, found)
                return
        except RequestFailed as error:
            if error.status == 404:
                return
        time.sleep(0.1)


def flux_answers(found: Json) -> str | None:
    asked = found["metadata"].get("annotations", {}).get(ANNOTATION)
    if asked is None:
        return None
    ready = {"type": "Ready", "status": "True", "observedGeneration": found["metadata"]["generation"]}
    found["status"] = {"lastHandledReconcileAt": asked, "conditions": [ready], "lastAppliedRevision": "main@sha1:1"}
    return "/status"


def argo_cd_answers(found: Json) -> str | None:
    if "operation" not in found:
        return None
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    state = {"operation": found.pop("operation"), "phase": "Succeeded", "finishedAt": now}
    found["status"] = {
        "operationState": state,
        "reconciledAt": now,
        "sync": {"status": "Synced", "revision": "abc"},
        "health": {"status": "Healthy"},
    }
    return ""


def is_suspended(scene: Scene) -> bool:
    return bool(scene.get(*_FLUX)["spec"].get("suspend", False))


def is_asked_for(scene: Scene) -> bool:
    return ANNOTATION in scene.get(*_FLUX)["metadata"].get("annotations", {})


def is_synced(scene: Scene) -> Any:
    return scene.get(*_ARGO_CD).get("status", {}).get("sync", {}).get("status")


CASES = (
    Case(
        "flux-reconcile",
        prepare=made(_FLUX, flux_answers),
        look=is_asked_for,
        before=False,
        after=True,
        conditional=True,
        instead=INSTEAD,
        outputs={"requestedAt": ANY, "revision": "main@sha1:1"},
        bad={"kind": "Deployment"},
        faults=("parameters.kind: must be one of",),
    ),
    Case(
        "flux-suspend",
        prepare=made(_FLUX),
        look=is_suspended,
        before=False,
        after=True,
        conditional=True,
        instead=INSTEAD,
        outputs={"suspend": True},
        bad={"name": "../x"},
        faults=("parameters.name: must match",),
    ),
    Case(
        "flux-resume",
        prepare=made(_FLUX, suspend=True),
        look=is_suspended,
        before=True,
        after=False,
        conditional=True,
        instead=INSTEAD,
        outputs={"suspend": False},
        bad={"kind": "HelmReleases"},
        faults=("parameters.kind: must be one of",),
    ),
    Case(
        "argocd-sync",
        prepare=made(_ARGO_CD, argo_cd_answers),
        look=is_synced,
        after="Synced",
        instead=INSTEAD,
        outputs={"revision": "abc"},
        bad={"revision": "--help"},
        faults=("parameters.revision: must match",),
    ),
)
