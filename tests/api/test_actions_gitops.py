"""The types for Flux and Argo CD on a real API server. Their kinds are small stand-ins of ours; what their controllers
would write, the tests write.
"""

from typing import Any

import pytest
from acting import Play, Stage, new
from harness.gitops import stand_ins

from controller.actions.argocd_sync import APPLICATIONS
from controller.actions.flux import RESOURCES, Kind
from controller.core.errors import EffectFailed, NotFound, PermanentFailure, RightMissing, TransientFailure
from controller.core.ports import Done, Resource
from localcluster.controlplane import ControlPlane

REQUESTED = "reconcile.fluxcd.io/requestedAt"
FLUX_PATH = "kustomize.toolkit.fluxcd.io/v1:kustomizations"
APP_PATH = "argoproj.io/v1alpha1:applications"


@pytest.fixture(scope="module")
def kinds(cluster: ControlPlane) -> None:
    stand_ins(cluster)


@pytest.fixture
def stage(cluster: ControlPlane, namespace: str, kinds: None) -> Stage:
    return Stage(cluster, namespace)


def may(resource: Resource) -> dict[str, Any]:
    return {"apiGroups": [resource.group], "resources": [resource.plural], "verbs": ["get", "patch"]}


def make(stage: Stage, resource: Resource, **spec: Any) -> None:
    body = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": {"name": "shop"}, "spec": spec}
    stage.admin("POST", f"{resource.api_version}:{resource.plural}", body)


def write(stage: Stage, status: Any, *, without: str = "") -> None:
    """What Argo CD writes: status, and with `without` a field that it takes away."""
    found: Any = stage.admin("GET", f"{APP_PATH}/shop")
    found["status"] = status
    found.pop(without, None)
    stage.admin("PUT", f"{APP_PATH}/shop", found)


class TestFlux:
    @pytest.fixture(autouse=True)
    def flux(self, stage: Stage) -> None:
        make(stage, RESOURCES[Kind.KUSTOMIZATION], path="./shop")
        stage.allow(may(RESOURCES[Kind.KUSTOMIZATION]))

    def play(self, stage: Stage, action: str) -> Play:
        return stage.play(action, kind="Kustomization", name="shop")

    def found(self, stage: Stage) -> Any:
        return stage.admin("GET", f"{FLUX_PATH}/shop")

    def handle(self, stage: Stage, ready: str = "True", **status: Any) -> None:
        """As Flux does."""
        found = self.found(stage)
        generation = found["metadata"]["generation"]
        condition = {"type": "Ready", "status": ready, "message": "applied", "observedGeneration": generation}
        asked = found["metadata"]["annotations"][REQUESTED]
        found["status"] = {"lastHandledReconcileAt": asked, "conditions": [condition], **status}
        stage.admin("PUT", f"{FLUX_PATH}/shop/status", found)

    def test_reconcile_from_preview_to_ready(self, stage: Stage) -> None:
        play, operation = self.play(stage, "flux-reconcile"), new()
        before = self.found(stage)
        shown = play.preview()
        assert self.found(stage) == before
        (change,) = shown.changes
        assert (change.path, change.before) == (f'metadata.annotations["{REQUESTED}"]', None)
        assert play.preview() == shown
        assert play.observe(operation) is None
        asked = play.run(operation).outputs["requestedAt"]
        after = self.found(stage)
        assert after["metadata"]["annotations"][REQUESTED] == asked
        play.run(operation)
        assert self.found(stage) == after
        assert isinstance(play.observe(operation), Done)
        assert not play.verify(operation).ok
        self.handle(stage, "False")
        assert play.verify(operation).message.endswith("is not ready: applied")
        self.handle(stage, lastAppliedRevision="main@sha1:1")
        assert play.verify(operation).outputs == {"revision": "main@sha1:1"}
        later = new()
        assert play.observe(later) is None
        play.run(later)
        assert not play.verify(later).ok

    def test_what_is_suspended_is_not_asked(self, stage: Stage) -> None:
        self.play(stage, "flux-suspend").run(new())
        play = self.play(stage, "flux-reconcile")
        for step in (play.preview, lambda: play.run(new())):
            with pytest.raises(PermanentFailure, match="is suspended"):
                step()

    def test_suspend_and_resume_undo_each_other(self, stage: Stage) -> None:
        play, operation = self.play(stage, "flux-suspend"), new()
        shown = play.preview()
        assert "suspend" not in self.found(stage)["spec"]
        assert play.observe(operation) is None
        play.run(operation)
        assert self.found(stage)["spec"]["suspend"] is True
        assert isinstance(play.observe(operation), Done)
        assert play.verify(operation).ok
        assert play.preview().changes == ()
        back = stage.play(shown.undo.action, **shown.undo.parameters)
        assert back.action.name == "flux-resume"
        again = back.preview()
        back.run(operation)
        assert self.found(stage)["spec"]["suspend"] is False
        assert "changed spec.suspend back" in play.verify(operation).message
        assert again.undo.action == "flux-suspend"

    def test_one_that_flux_itself_applies_is_known_as_such(self, stage: Stage) -> None:
        found = self.found(stage)
        found["metadata"]["labels"] = {"kustomize.toolkit.fluxcd.io/name": "all"}
        stage.admin("PUT", f"{FLUX_PATH}/shop", found)
        assert self.play(stage, "flux-suspend").preview().target.managed_by == ("Flux Kustomization all",)

    def test_one_that_is_not_there(self, stage: Stage) -> None:
        with pytest.raises(NotFound, match=r"Kustomization .*/other does not exist"):
            stage.play("flux-suspend", kind="Kustomization", name="other").preview()


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_of_flux_is_found_where_it_is_served(stage: Stage, kind: Kind) -> None:
    make(stage, RESOURCES[kind])
    with pytest.raises(RightMissing, match=f"may not get {RESOURCES[kind].plural} shop"):
        stage.play("flux-suspend", kind=str(kind), name="shop").preview()
    stage.allow(may(RESOURCES[kind]))
    for action in ("flux-suspend", "flux-resume", "flux-reconcile"):
        play, operation = stage.play(action, kind=str(kind), name="shop"), new()
        assert play.preview().changes
        play.run(operation)
        assert isinstance(play.observe(operation), Done)


class TestArgoCd:
    @pytest.fixture(autouse=True)
    def argo_cd(self, stage: Stage) -> None:
        make(stage, APPLICATIONS, project="default")
        stage.allow(may(APPLICATIONS))

    def found(self, stage: Stage) -> Any:
        return stage.admin("GET", f"{APP_PATH}/shop")

    def begin(self, stage: Stage, phase: str = "Running", **state: Any) -> Any:
        """As Argo CD does: takes the operation away and keeps it in status."""
        operation = self.found(stage)["operation"]
        status = {"operationState": {"operation": operation, "phase": phase, "message": "x", **state}}
        write(stage, status, without="operation")
        return status

    def test_from_preview_to_synced(self, stage: Stage) -> None:
        play, operation = stage.play("argocd-sync", name="shop", revision="v2", prune=True), new()
        before = self.found(stage)
        shown = play.preview()
        assert self.found(stage) == before
        assert shown.changes[0].after == {"revision": "v2", "prune": True}
        assert "are deleted" in shown.summary
        assert play.observe(operation) is None
        play.run(operation)
        asked = self.found(stage)
        assert asked["operation"]["sync"] == {"revision": "v2", "prune": True, "syncStrategy": {"hook": {}}}
        assert asked["metadata"]["annotations"]["argocd.argoproj.io/refresh"] == "normal"
        play.run(operation)
        assert self.found(stage) == asked
        assert isinstance(play.observe(operation), Done)
        assert "has not begun" in play.verify(operation).message
        status = self.begin(stage)
        play.run(operation)
        assert "operation" not in self.found(stage)
        assert isinstance(play.observe(operation), Done)
        assert "Argo CD syncs" in play.verify(operation).message
        status["operationState"] |= {"phase": "Succeeded", "finishedAt": "2026-11-22T15:04:05Z"}
        status |= {"reconciledAt": "2026-11-22T15:04:05Z", "sync": {"status": "Synced", "revision": "v2"}}
        write(stage, {**status, "health": {"status": "Progressing"}})
        assert "is Synced, Progressing" in play.verify(operation).message
        write(stage, {**status, "health": {"status": "Healthy"}})
        assert play.verify(operation).outputs == {"revision": "v2"}
        play.run(operation)
        assert "operation" not in self.found(stage)

    def test_while_another_sync_is_under_way_it_waits(self, stage: Stage) -> None:
        first, second = stage.play("argocd-sync", name="shop"), stage.play("argocd-sync", name="shop", hardRefresh=True)
        first.run(new())
        for state in ("asked for", "begun"):
            for step in (second.preview, lambda: second.run(new())):
                with pytest.raises(TransientFailure, match="another sync is under way"):
                    step()
            if state == "asked for":
                self.begin(stage)
        write(stage, {"operationState": {"phase": "Succeeded"}})
        second.run(new())
        assert self.found(stage)["metadata"]["annotations"]["argocd.argoproj.io/refresh"] == "hard"

    def test_a_failed_sync_is_told(self, stage: Stage) -> None:
        play, operation = stage.play("argocd-sync", name="shop"), new()
        play.run(operation)
        self.begin(stage, "Failed", message="one or more objects failed to apply")
        with pytest.raises(EffectFailed, match="the sync failed: one or more objects failed to apply"):
            play.verify(operation)
