"""The generic action types on a real API server, as a runner that may do no more than what is named here."""

import time
from typing import Any

import pytest
from acting import WAIT_SECONDS, Play, Stage, new

from controller.core.errors import NotFound, PermanentFailure, RightMissing
from controller.core.ports import Done
from localcluster.controlplane import ControlPlane
from localcluster.errors import RequestFailed

CONFIG: dict[str, Any] = {"apiVersion": "v1", "kind": "ConfigMap", "name": "flags"}
WEB: dict[str, Any] = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
MARK = "actionoperator.dev/operation"


def may(group: str, resource: str, *verbs: str) -> dict[str, Any]:
    return {"apiGroups": [group], "resources": [resource], "verbs": list(verbs)}


@pytest.fixture
def stage(cluster: ControlPlane, namespace: str) -> Stage:
    stage = Stage(cluster, namespace)
    stage.admin("POST", "v1:configmaps", {"metadata": {"name": "flags"}, "data": {"a": "1", "b": "2"}})
    return stage


def flags(stage: Stage) -> Any:
    return stage.admin("GET", "v1:configmaps/flags")


def change(stage: Stage, **patch: Any) -> None:
    """By somebody else."""
    found = flags(stage)
    for key, value in patch.items():
        found[key] = {**found.get(key, {}), **value}
    stage.admin("PUT", "v1:configmaps/flags", found)


def make_web(stage: Stage) -> None:
    spec = {
        "replicas": 1,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "main", "image": "busybox"}]},
        },
    }
    stage.admin("POST", "apps/v1:deployments", {"metadata": {"name": "web"}, "spec": spec})


def carried_out(play: Play) -> Any:
    """What its preview said, after it was found again, repeated and verified."""
    shown, operation = play.preview(), new()
    play.run(operation)
    assert isinstance(play.observe(operation), Done)
    assert play.verify(operation).ok
    return shown


def paths(shown: Any) -> dict[str, tuple[Any, Any]]:
    return {change.path: (change.before, change.after) for change in shown.changes}


def undone(stage: Stage, shown: Any) -> Play:
    return stage.play(shown.undo.action, **shown.undo.parameters)


@pytest.mark.parametrize(("action", "field"), [("label-resource", "labels"), ("annotate-resource", "annotations")])
class TestKeys:
    @pytest.fixture(autouse=True)
    def keys(self, stage: Stage, field: str) -> None:
        stage.allow(may("", "configmaps", "get", "patch"))
        change(stage, metadata={field: {"old": "1", "kept": "x"}})

    def there(self, stage: Stage, field: str) -> Any:
        return flags(stage)["metadata"].get(field)

    def test_from_preview_to_undo(self, stage: Stage, action: str, field: str) -> None:
        play = stage.play(action, **CONFIG, set={"example.com/new": "2", "kept": "x"}, remove=["old", "absent"])
        before = flags(stage)
        shown = play.preview()
        assert flags(stage) == before
        assert paths(shown) == {
            f'metadata.{field}["example.com/new"]': (None, "2"),
            f"metadata.{field}.old": ("1", None),
        }
        operation = new()
        assert play.observe(operation) is None
        assert play.run(operation).outputs == {"previous": {"old": "1", "kept": "x"}}
        assert self.there(stage, field) == {"example.com/new": "2", "kept": "x"}
        assert isinstance(play.observe(operation), Done)
        assert play.verify(operation).ok
        after = flags(stage)
        play.run(operation)
        assert flags(stage) == after
        assert play.preview().changes == ()
        carried_out(undone(stage, shown))
        assert self.there(stage, field) == {"old": "1", "kept": "x"}

    def test_undo_touches_nothing_that_somebody_changed_since(self, stage: Stage, action: str, field: str) -> None:
        shown = carried_out(stage.play(action, **CONFIG, set={"kept": "y"}, remove=["old"]))
        change(stage, metadata={field: {"kept": "z"}})
        back = undone(stage, shown)
        for step in (back.preview, lambda: back.run(new())):
            with pytest.raises(PermanentFailure, match="kept is 'z', expected says 'y': see what changed it"):
                step()
        change(stage, metadata={field: {"kept": "y", "old": "3"}})
        with pytest.raises(PermanentFailure, match="old is '3', expectedAbsent names it"):
            back.run(new())

    def test_what_somebody_puts_back_is_seen(self, stage: Stage, action: str, field: str) -> None:
        play, operation = stage.play(action, **CONFIG, set={"kept": "y"}), new()
        play.run(operation)
        change(stage, metadata={field: {"kept": "x"}})
        found = play.verify(operation)
        assert not found.ok
        assert "somebody else changed" in found.message


class TestPatch:
    @pytest.fixture(autouse=True)
    def rights(self, stage: Stage) -> None:
        stage.allow(may("", "configmaps", "get", "patch"), may("apps", "deployments", "get", "patch"))

    def test_a_merge_patch_from_preview_to_undo(self, stage: Stage) -> None:
        play = stage.play("patch-resource", **CONFIG, type="merge", patch={"data": {"a": "9", "b": None, "c": "3"}})
        before = flags(stage)
        assert play.observe(new()) is None
        shown = carried_out(play)
        assert paths(shown) == {"data.a": ("1", "9"), "data.c": (None, "3"), "data.b": ("2", None)}
        assert flags(stage)["data"] == {"a": "9", "c": "3"}
        assert flags(stage)["metadata"].get("annotations") is None
        assert play.preview().changes == ()
        assert undone(stage, shown).run(new())
        assert flags(stage)["data"] == before["data"]

    def test_undo_touches_nothing_if_one_field_was_changed_since(self, stage: Stage) -> None:
        play = stage.play("patch-resource", **CONFIG, type="merge", patch={"data": {"a": "9", "c": "3"}})
        shown = carried_out(play)
        change(stage, data={"c": "4"})
        back = undone(stage, shown)
        for step in (back.preview, lambda: back.run(new())):
            with pytest.raises(PermanentFailure, match="test"):
                step()
        assert flags(stage)["data"] == {"a": "9", "b": "2", "c": "4"}

    def test_a_json_patch_is_found_again_by_its_mark_and_made_once(self, stage: Stage) -> None:
        operations = [
            {"op": "test", "path": "/data/a", "value": "1"},
            {"op": "replace", "path": "/data/a", "value": "2"},
        ]
        play, operation = stage.play("patch-resource", **CONFIG, type="json", operations=operations), new()
        shown = play.preview()
        assert paths(shown) == {"data.a": ("1", "2")}
        assert play.observe(operation) is None
        play.run(operation)
        assert flags(stage)["metadata"]["annotations"][MARK] == operation.id
        assert isinstance(play.observe(operation), Done)
        assert play.observe(new()) is None
        after = flags(stage)
        play.run(operation)
        assert flags(stage) == after
        assert play.verify(operation).ok
        with pytest.raises(PermanentFailure):
            play.run(new())
        change(stage, metadata={"annotations": {"mine": "x"}})
        undone(stage, shown).run(new())
        found = flags(stage)
        assert found["data"]["a"] == "1"
        assert found["metadata"]["annotations"]["mine"] == "x"

    def test_a_test_that_is_not_true_is_told_by_the_preview(self, stage: Stage) -> None:
        operations = [{"op": "test", "path": "/data/a", "value": "5"}, {"op": "remove", "path": "/data/a"}]
        with pytest.raises(PermanentFailure, match="test"):
            stage.play("patch-resource", **CONFIG, type="json", operations=operations).preview()

    def test_the_server_says_what_is_the_same(self, stage: Stage) -> None:
        """It stores `1000m` as `1`, and fills in defaults: neither is a change that somebody else made."""
        make_web(stage)
        resources = {"requests": {"cpu": "1000m"}}
        container = {"name": "main", "image": "busybox", "resources": resources}
        patch = {"spec": {"template": {"spec": {"containers": [container]}}}}
        shown = carried_out(stage.play("patch-resource", **WEB, type="apply", patch=patch, force=True))
        assert "spec.template.spec.containers" in paths(shown)
        assert stage.play("patch-resource", **WEB, type="apply", patch=patch, force=True).preview().changes == ()

    def test_a_field_of_another_manager_is_the_end_unless_forced(self, stage: Stage) -> None:
        make_web(stage)
        how = {**WEB, "type": "apply", "patch": {"spec": {"replicas": 3}}}
        play = stage.play("patch-resource", **how)
        for step in (play.preview, lambda: play.run(new())):
            with pytest.raises(PermanentFailure, match=r'conflict with ".+".*\.spec\.replicas.*force: true'):
                step()
        shown = carried_out(stage.play("patch-resource", **how, force=True))
        assert paths(shown) == {"spec.replicas": (1, 3)}
        undone(stage, shown).run(new())
        assert stage.admin("GET", "apps/v1:deployments/web")["spec"]["replicas"] == 1

    def test_an_object_that_is_not_there_is_not_made(self, stage: Stage) -> None:
        how = {**CONFIG, "name": "other"}
        for form in ("merge", "apply"):
            with pytest.raises(NotFound, match=r"ConfigMap .*/other does not exist"):
                stage.play("patch-resource", **how, type=form, patch={"data": {"a": "1"}}).run(new())

    def test_a_credential_that_the_object_has_in_plain_text_is_shown_nowhere(self, stage: Stage) -> None:
        make_web(stage)
        found: Any = stage.admin("GET", "apps/v1:deployments/web")
        container = found["spec"]["template"]["spec"]["containers"][0]
        container["env"] = [{"name": "API_TOKEN", "value": "hunter2-hunter2"}]
        del found["metadata"]["resourceVersion"]  # its controller writes too
        stage.admin("PUT", "apps/v1:deployments/web", found)
        operations = [{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "busybox:2"}]
        shown = stage.play("patch-resource", **WEB, type="json", operations=operations).preview()
        assert "busybox:2" in str(shown)
        assert "API_TOKEN" in str(shown)
        assert "hunter2" not in str(shown)
        assert shown.undo is None
        assert any("cannot be undone by itself" in warning for warning in shown.warnings)

    def test_what_cannot_be_put_back_says_so(self, stage: Stage) -> None:
        patch = {"metadata": {"labels": {"gone": None}}}
        change(stage, metadata={"labels": {"gone": "x"}})
        shown = stage.play("patch-resource", **CONFIG, type="merge", patch=patch).preview()
        assert shown.undo is None
        assert any("cannot be undone by itself" in warning for warning in shown.warnings)


def manifest(**fields: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "flags"}, **fields}


class TestApply:
    @pytest.fixture(autouse=True)
    def rights(self, stage: Stage) -> None:
        stage.allow(may("", "configmaps", "get", "create", "patch"))

    def test_a_new_object_from_preview_to_verified(self, stage: Stage) -> None:
        body = manifest(data={"x": "1"}, metadata={"name": "new", "labels": {"a": "b"}})
        play, operation = stage.play("apply-manifest", manifest=body), new()
        shown = play.preview()
        assert shown.summary == f"Create ConfigMap {stage.namespace}/new."
        assert paths(shown) == {"metadata.labels": (None, {"a": "b"}), "data": (None, {"x": "1"})}
        assert shown.undo is None
        with pytest.raises(RequestFailed):
            stage.admin("GET", "v1:configmaps/new")
        assert play.observe(operation) is None
        assert not play.verify(operation).ok
        done = play.run(operation)
        found: Any = stage.admin("GET", "v1:configmaps/new")
        assert (found["data"], done.outputs) == ({"x": "1"}, {"uid": found["metadata"]["uid"]})
        play.run(operation)
        assert stage.admin("GET", "v1:configmaps/new") == found
        assert isinstance(play.observe(operation), Done)
        assert play.verify(operation).ok
        stage.admin("DELETE", "v1:configmaps/new")
        assert "deleted by somebody else" in play.verify(operation).message

    def test_what_is_there_gets_back_its_values(self, stage: Stage) -> None:
        how = {"manifest": manifest(data={"a": "9", "c": "3"}), "force": True}
        before = flags(stage)["data"]
        shown = carried_out(stage.play("apply-manifest", **how))
        assert paths(shown) == {"data.a": ("1", "9"), "data.c": (None, "3")}
        assert flags(stage)["data"] == {"a": "9", "b": "2", "c": "3"}
        undone(stage, shown).run(new())
        assert flags(stage)["data"] == before

    def test_a_field_of_another_manager_is_the_end_unless_forced(self, stage: Stage) -> None:
        play = stage.play("apply-manifest", manifest=manifest(data={"a": "9"}))
        for step in (play.preview, lambda: play.run(new())):
            with pytest.raises(PermanentFailure, match=r'conflict with ".+".*\.data\.a.*force: true'):
                step()
        assert flags(stage)["data"]["a"] == "1"

    def test_another_namespace_is_refused(self, stage: Stage) -> None:
        play = stage.play("apply-manifest", manifest=manifest(metadata={"name": "flags", "namespace": "default"}))
        for step in (play.preview, lambda: play.run(new())):
            with pytest.raises(PermanentFailure, match=f"must be {stage.namespace}, the namespace of the proposal"):
                step()
        home = manifest(metadata={"name": "flags", "namespace": stage.namespace}, data={"c": "1"})
        assert stage.play("apply-manifest", manifest=home).preview().changes

    def test_an_unknown_field_is_refused_by_the_preview(self, stage: Stage) -> None:
        with pytest.raises(PermanentFailure, match="datta"):
            stage.play("apply-manifest", manifest=manifest(datta={"a": "b"})).preview()


def job_parameters(stage: Stage) -> dict[str, Any]:
    container = {"name": "main", "image": "busybox"}
    template = {"spec": {"restartPolicy": "Never", "containers": [container]}}
    stage.admin(
        "POST", "batch/v1:jobs", {"metadata": {"name": "flags"}, "spec": {"suspend": True, "template": template}}
    )
    return {"name": "flags"}


@pytest.mark.parametrize("action", ["delete-resource", "delete-job"])
class TestDelete:
    @pytest.fixture
    def named(self, stage: Stage, action: str) -> dict[str, Any]:
        if action == "delete-resource":
            stage.allow(may("", "configmaps", "get", "delete"))
            return CONFIG
        stage.allow(may("batch", "jobs", "get", "delete"))
        return job_parameters(stage)

    def path(self, action: str) -> str:
        return "v1:configmaps" if action == "delete-resource" else "batch/v1:jobs"

    def found(self, stage: Stage, action: str) -> Any:
        return stage.admin("GET", f"{self.path(action)}/flags")

    def test_from_preview_to_gone(self, stage: Stage, action: str, named: Any) -> None:
        play, operation = stage.play(action, **named), new()
        uid = self.found(stage, action)["metadata"]["uid"]
        shown = play.preview()
        assert paths(shown) == {"metadata.uid": (uid, None)}
        assert "deletionTimestamp" not in self.found(stage, action)["metadata"]
        assert shown.undo is None
        assert play.observe(operation) is None
        assert play.run(operation).outputs == {"uid": uid}
        play.verified(operation)
        assert isinstance(play.observe(operation), Done)
        with pytest.raises(RequestFailed):
            self.found(stage, action)
        with pytest.raises(NotFound, match="does not exist"):
            play.preview()

    def test_with_a_uid_it_may_be_repeated_and_another_object_is_not_touched(
        self, stage: Stage, action: str, named: Any
    ) -> None:
        old = self.found(stage, action)
        play, operation = stage.play(action, **named, uid=old["metadata"]["uid"]), new()
        play.run(operation)
        play.verified(operation)
        play.run(operation)
        fresh = {key: value for key, value in old.items() if key != "status"}
        fresh["metadata"] = {"name": "flags"}
        if "spec" in fresh:
            fresh["spec"] = {"suspend": True, "template": {"spec": old["spec"]["template"]["spec"]}}
        stage.admin("POST", self.path(action), fresh)
        new_uid = self.found(stage, action)["metadata"]["uid"]
        play.run(operation)
        assert play.verify(operation).ok
        assert isinstance(play.observe(operation), Done)
        assert self.found(stage, action)["metadata"]["uid"] == new_uid
        with pytest.raises(PermanentFailure, match=f"has uid {new_uid}, parameters.uid says"):
            play.preview()

    def test_what_holds_it_is_told(self, stage: Stage, action: str, named: Any) -> None:
        found = self.found(stage, action)
        made: Any = stage.admin("POST", "v1:configmaps", {"metadata": {"name": "x"}})
        owner = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "name": "x",
            "uid": made["metadata"]["uid"],
            "controller": True,
        }
        found["metadata"] |= {"finalizers": ["example.com/hold"], "ownerReferences": [owner]}
        stage.admin("PUT", f"{self.path(action)}/flags", found)
        play, operation = stage.play(action, **named), new()
        warnings = " ".join(play.preview().warnings)
        assert "ConfigMap x owns" in warnings
        assert "finalizers and is gone only once they are: example.com/hold" in warnings
        play.run(operation)
        assert isinstance(play.observe(operation), Done)
        held = play.verify(operation)
        assert not held.ok
        assert "its finalizers hold it: " in held.message
        assert play.preview().changes == ()
        ending = self.found(stage, action)
        ending["metadata"]["finalizers"] = []
        stage.admin("PUT", f"{self.path(action)}/flags", ending)
        play.verified(operation)


def test_pods_that_go_with_it_are_told(stage: Stage) -> None:
    stage.allow(may("apps", "deployments", "get", "delete"))
    make_web(stage)
    until = time.monotonic() + WAIT_SECONDS
    while not (found := stage.play("delete-resource", **WEB).preview().warnings):
        assert time.monotonic() < until, "the Deployment never counted its pods"
        time.sleep(0.1)
    assert found[0].endswith("has pods, which are deleted with it: 1")
    (warning,) = stage.play("delete-resource", **WEB, propagation="Orphan").preview().warnings
    assert warning.endswith("which stay without it: 1")


FORBIDDEN = [
    ("v1", "Secret", "out of reach"),
    ("v1", "ServiceAccount", "out of reach"),
    ("v1", "Namespace", "out of reach"),
    ("rbac.authorization.k8s.io/v1", "Role", "out of reach"),
    ("rbac.authorization.k8s.io/v1", "ClusterRole", "out of reach"),
    ("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicy", "out of reach"),
    ("apiextensions.k8s.io/v1", "CustomResourceDefinition", "out of reach"),
    ("storage.k8s.io/v1", "StorageClass", "belongs to the whole cluster"),
    ("scheduling.k8s.io/v1", "PriorityClass", "belongs to the whole cluster"),
]


@pytest.mark.parametrize(("api_version", "kind", "words"), FORBIDDEN)
def test_what_no_policy_can_allow_is_not_touched_even_with_all_rights(
    stage: Stage, api_version: str, kind: str, words: str
) -> None:
    stage.allow(may("*", "*", "*"), cluster_wide=True)
    where = {"apiVersion": api_version, "kind": kind, "name": "x"}
    plays = [
        stage.play("label-resource", **where, set={"a": "b"}),
        stage.play("annotate-resource", **where, set={"a": "b"}),
        stage.play("patch-resource", **where, type="merge", patch={"spec": {}}),
        stage.play("delete-resource", **where),
        stage.play("apply-manifest", manifest={"apiVersion": api_version, "kind": kind, "metadata": {"name": "x"}}),
    ]
    for play in plays:
        for step in (play.preview, lambda play=play: play.run(new())):
            with pytest.raises(PermanentFailure, match=words):
                step()
    assert stage.calls == []


@pytest.mark.parametrize(
    ("action", "parameters"),
    [
        ("label-resource", {**CONFIG, "set": {"a": "b"}}),
        ("patch-resource", {**CONFIG, "type": "merge", "patch": {"data": {"a": "b"}}}),
        ("apply-manifest", {"manifest": manifest(data={"a": "b"})}),
        ("delete-resource", CONFIG),
        ("delete-job", {"name": "flags"}),
    ],
)
def test_a_missing_right_is_told(stage: Stage, action: str, parameters: dict[str, Any]) -> None:
    stage.allow()
    with pytest.raises(RightMissing, match=r"may not get .* to grant it: kubectl create role"):
        stage.play(action, **parameters).preview()


def test_an_object_that_argo_cd_keeps_is_known_as_such(stage: Stage) -> None:
    stage.allow(may("", "configmaps", "get", "patch"))
    change(stage, metadata={"annotations": {"argocd.argoproj.io/tracking-id": "shop:/ConfigMap:shop/flags"}})
    shown = stage.play("label-resource", **CONFIG, set={"a": "b"}).preview()
    assert shown.target.managed_by == ("Argo CD application shop",)
