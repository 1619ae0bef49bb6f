"""argocd-sync: have Argo CD bring an Application to what its source says, and wait until it is synced and healthy.

Source: Argo CD, "Sync Applications with Kubectl" (the field `operation`) and "Annotations and Labels used by Argo CD"
(`argocd.argoproj.io/refresh`). The controller takes `operation` away when it begins and keeps it in
`status.operationState`; the operation's id stands in its `info`, so that it is found again.
"""

from datetime import datetime
from typing import Annotated, Any

from pydantic import Field

from controller.actions.about import About, Family, Right
from controller.actions.base import Action, Parameters, cut
from controller.actions.objects import ObjectName, read, target_of
from controller.actions.races import racing
from controller.api.base import GROUP
from controller.api.common import Change
from controller.api.names import Risk
from controller.core.errors import EffectFailed, TransientFailure
from controller.core.ports import Done, Json, Operation, PreviewResult, Request, Resource, Target, Verified

APPLICATIONS = Resource("argoproj.io", "v1alpha1", "applications", "Application")
REFRESH = "argocd.argoproj.io/refresh"
MARK = f"{GROUP}/operation"
ATTEMPTS = 3
_FAILED = frozenset({"Failed", "Error"})
_UNDER_WAY = frozenset({"Running", "Terminating"})


class ArgoCdSyncParameters(Parameters):
    name: ObjectName
    """Name of the Application, in the proposal's namespace."""
    revision: Annotated[str, Field(min_length=1, max_length=256, pattern=r"^[A-Za-z0-9][-A-Za-z0-9_./]*$")] | None = (
        None
    )
    """Revision to sync to; default: the Application's own."""
    prune: bool = False
    """Delete what the source does not have any more."""
    hard_refresh: bool = False
    """Have the manifests generated anew, whatever is cached."""


class ArgoCdSync(Action[ArgoCdSyncParameters]):
    """Syncing again what is synced changes nothing."""

    name = "argocd-sync"
    description = "Have Argo CD sync an Application and wait until it is synced and healthy."
    about = About(Family.GITOPS, rights=(Right("argoproj.io", ("applications",), ("get", "patch")),))
    risk = Risk.HIGH
    timeout_seconds = 900
    parameters = ArgoCdSyncParameters

    async def preview(self, request: Request[ArgoCdSyncParameters]) -> PreviewResult:
        stored, target = await _read(request)
        _demand_idle(stored, target)
        await request.cluster.patch(APPLICATIONS, target.name, _body(request.parameters, ""), dry_run=True)
        sync = (stored.get("status") or {}).get("sync") or {}
        wanted = request.parameters.revision or "the revision that its source names"
        prune = " Resources that the source does not have are deleted." if request.parameters.prune else ""
        return PreviewResult(
            summary=f"Sync {target} to {wanted}.{prune}",
            changes=(
                Change(
                    target=str(target),
                    path="operation.sync",
                    before=sync.get("revision"),
                    after={"revision": request.parameters.revision, "prune": request.parameters.prune},
                ),
            ),
            target=target,
        )

    async def run(self, request: Request[ArgoCdSyncParameters], operation: Operation) -> Done:
        return await racing(lambda: _begin(request, operation), attempts=ATTEMPTS)

    async def observe(self, request: Request[ArgoCdSyncParameters], operation: Operation) -> Done | None:
        stored, target = await _read(request)
        return _done(target) if _is_known(stored, operation) else None

    async def verify(self, request: Request[ArgoCdSyncParameters], operation: Operation) -> Verified:
        stored, target = await _read(request)
        return synced(stored, target, operation.id)


def synced(stored: Json, target: Target, operation_id: str) -> Verified:
    """Whether the sync is through and the Application synced and healthy. Pure.

    If another sync took its place in status since, the Application's state alone counts. Raises EffectFailed where Argo
    CD says that the sync failed.
    """
    if _is_marked(stored.get("operation"), operation_id):
        return Verified(False, "Argo CD has not begun")
    status = stored.get("status") or {}
    state = status.get("operationState") or {}
    phase, message = state.get("phase", ""), state.get("message", "")
    if _is_marked(state.get("operation"), operation_id) and phase in _FAILED:
        raise EffectFailed(cut(f"{target}: the sync failed: {message}"))
    if phase in _UNDER_WAY or "operation" in stored:
        return Verified(False, cut(f"Argo CD syncs: {message}" if message else "Argo CD syncs"))
    if not _looked_since(status.get("reconciledAt"), state.get("finishedAt")):
        return Verified(False, "Argo CD has not compared the Application with its source since the sync")
    sync, health = status.get("sync") or {}, status.get("health") or {}
    told = f"{sync.get('status', 'not compared')}, {health.get('status', 'health not known')}"
    if (sync.get("status"), health.get("status")) != ("Synced", "Healthy"):
        return Verified(False, cut(f"{target} is {told}"))
    revision = sync.get("revision")
    return Verified(True, f"It is {told}.", outputs={"revision": revision} if revision else {})


async def _begin(request: Request[ArgoCdSyncParameters], operation: Operation) -> Done:
    stored, target = await _read(request)
    if not _is_known(stored, operation):
        _demand_idle(stored, target)
        body = _body(request.parameters, operation.id)
        metadata = stored["metadata"]
        body["metadata"] |= {"uid": metadata["uid"], "resourceVersion": metadata["resourceVersion"]}
        await request.cluster.patch(APPLICATIONS, target.name, body)
    return _done(target)


async def _read(request: Request[ArgoCdSyncParameters]) -> tuple[Json, Target]:
    name = request.parameters.name
    stored = await read(request.cluster, APPLICATIONS, name, request.namespace)
    return stored, target_of(APPLICATIONS, name, request.namespace, stored)


def _body(parameters: ArgoCdSyncParameters, operation_id: str) -> Json:
    sync: Json = {"prune": parameters.prune, "syncStrategy": {"hook": {}}}
    if parameters.revision is not None:
        sync["revision"] = parameters.revision
    return {
        "metadata": {"annotations": {REFRESH: "hard" if parameters.hard_refresh else "normal"}},
        "operation": {
            "initiatedBy": {"username": GROUP},
            "info": [{"name": MARK, "value": operation_id}],
            "sync": sync,
        },
    }


def _demand_idle(stored: Json, target: Target) -> None:
    """Raises TransientFailure while another sync is under way."""
    phase = ((stored.get("status") or {}).get("operationState") or {}).get("phase")
    if "operation" in stored or phase in _UNDER_WAY:
        raise TransientFailure(f"{target}: another sync is under way")


def _is_known(stored: Json, operation: Operation) -> bool:
    state = (stored.get("status") or {}).get("operationState") or {}
    return any(_is_marked(one, operation.id) for one in (stored.get("operation"), state.get("operation")))


def _is_marked(operation: Any, operation_id: str) -> bool:
    info = (operation or {}).get("info") or ()
    return any(one.get("name") == MARK and one.get("value") == operation_id for one in info)


def _looked_since(reconciled: str | None, finished: str | None) -> bool:
    try:
        return datetime.fromisoformat(reconciled or "") >= datetime.fromisoformat(finished or "")
    except (ValueError, TypeError):
        return False


def _done(target: Target) -> Done:
    return Done(f"{target} is to be synced.")
