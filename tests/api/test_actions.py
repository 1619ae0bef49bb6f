"""The action types for workloads and nodes on a real API server: preview, run, find again, verify, undo.

Each runs as a runner with just the rights named here, so these are enough.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from acting import REGISTRY, Heard, Play, Stage, new

from controller.actions.catalogue import catalogue
from controller.api.base import API_VERSION
from controller.api.common import Change, Undo
from controller.core.errors import EffectFailed, NotFound, PermanentFailure, RightMissing
from controller.core.ports import Done, Json, PreviewResult, Resource
from localcluster.controlplane import ControlPlane

SCALES = (
    {"apiGroups": ["apps"], "resources": ["deployments", "statefulsets"], "verbs": ["get"]},
    {"apiGroups": ["apps"], "resources": ["deployments/scale", "statefulsets/scale"], "verbs": ["patch"]},
)
SEES_AUTOSCALERS = {"apiGroups": ["autoscaling"], "resources": ["horizontalpodautoscalers"], "verbs": ["list"]}
RESTARTS = {
    "apiGroups": ["apps"],
    "resources": ["deployments", "statefulsets", "daemonsets"],
    "verbs": ["get", "patch"],
}
CORDONS = {"apiGroups": [""], "resources": ["nodes"], "verbs": ["get", "patch"]}
PLURALS = {"Deployment": "deployments", "StatefulSet": "statefulsets", "DaemonSet": "daemonsets"}
ANNOTATION = "kubectl.kubernetes.io/restartedAt"


@pytest.fixture
def stage(cluster: ControlPlane, namespace: str) -> Stage:
    return Stage(cluster, namespace)


def make(stage: Stage, kind: str = "Deployment", labels: dict[str, str] | None = None, **spec: Any) -> None:
    """A workload named web."""
    labels = {"app": "web"} | (labels or {})
    body: dict[str, Any] = {
        "metadata": {"name": "web"},
        "spec": {
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "main", "image": "busybox"}]},
            },
            **({} if kind == "DaemonSet" else {"replicas": 2}),
            **({"serviceName": "web"} if kind == "StatefulSet" else {}),
            **spec,
        },
    }
    stage.admin("POST", f"apps/v1:{PLURALS[kind]}", body)


def web(stage: Stage, kind: str = "Deployment") -> Any:
    return stage.admin("GET", f"apps/v1:{PLURALS[kind]}/web")


def autoscale(stage: Stage, name: str = "web") -> None:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}
    spec = {"scaleTargetRef": target, "minReplicas": 2, "maxReplicas": 10}
    stage.admin("POST", "autoscaling/v2:horizontalpodautoscalers", {"metadata": {"name": "auto"}, "spec": spec})


def spec_is(stage: Stage, play: Play) -> Any:
    """What would be found changed, were a dry run not dry."""
    found = web(stage, play.parameters.get("kind", "Deployment"))
    return found["metadata"]["generation"], found["spec"]


class TestScale:
    @pytest.mark.parametrize("kind", ["Deployment", "StatefulSet"])
    def test_from_preview_to_undo(self, stage: Stage, kind: str) -> None:
        make(stage, kind)
        stage.allow(*SCALES, SEES_AUTOSCALERS)
        play, operation = stage.play("scale-workload", kind=kind, name="web", replicas=3), new()
        before = spec_is(stage, play)
        shown: PreviewResult = play.preview()
        target = f"{kind} {stage.namespace}/web"
        assert shown.changes == (Change(target=target, path="spec.replicas", before=2, after=3),)
        assert shown.warnings == ()
        assert spec_is(stage, play) == before
        assert play.observe(operation) is None
        assert play.run(operation).outputs == {"replicas": 3}
        assert isinstance(play.observe(operation), Done)
        assert play.verified(operation).message.startswith("3 of 3")
        after = spec_is(stage, play)
        play.run(operation)
        assert spec_is(stage, play) == after
        assert shown.undo == Undo(
            action="scale-workload",
            parameters={"kind": kind, "name": "web", "replicas": 2, "expectedReplicas": 3},
        )
        back = stage.play(shown.undo.action, **shown.undo.parameters)
        assert back.preview().summary == f"Scale {target} from 3 to 2 replicas."
        assert back.run(new()).outputs == {"previousReplicas": 3, "replicas": 2}
        assert web(stage, kind)["spec"]["replicas"] == 2

    def test_it_asks_the_api_server_no_more_than_it_must(self, stage: Stage) -> None:
        make(stage)
        stage.allow(*SCALES, SEES_AUTOSCALERS)
        play, operation = stage.play("scale-workload", kind="Deployment", name="web", replicas=3), new()
        play.preview()
        assert stage.calls == ["get deployments", "dry patch deployments", "list horizontalpodautoscalers"]
        stage.calls.clear()
        play.run(operation)
        play.verify(operation)
        assert stage.calls == ["patch deployments", "get deployments"]

    def test_nothing_to_do(self, stage: Stage) -> None:
        make(stage)
        stage.allow(*SCALES)
        shown = stage.play("scale-workload", kind="Deployment", name="web", replicas=2).preview()
        assert (shown.changes, shown.warnings, shown.undo) == ((), (), None)
        assert "already has 2" in shown.summary

    def test_down_to_none(self, stage: Stage) -> None:
        make(stage)
        stage.allow(*SCALES, SEES_AUTOSCALERS)
        play, operation = stage.play("scale-workload", kind="Deployment", name="web", replicas=0), new()
        assert play.preview().changes[0].after == 0
        play.run(operation)
        assert play.verified(operation).ok

    def test_an_autoscaler_is_named(self, stage: Stage) -> None:
        make(stage)
        autoscale(stage)
        stage.allow(*SCALES, SEES_AUTOSCALERS)
        shown = stage.play("scale-workload", kind="Deployment", name="web", replicas=3).preview()
        assert shown.changes[0].managed_by == "HorizontalPodAutoscaler auto"
        assert "(2 to 10)" in shown.warnings[0]
        assert "expectedReplicas" not in shown.undo.parameters

    def test_the_autoscaler_of_another_is_not(self, stage: Stage) -> None:
        make(stage)
        autoscale(stage, "other")
        stage.allow(*SCALES, SEES_AUTOSCALERS)
        assert stage.play("scale-workload", kind="Deployment", name="web", replicas=3).preview().warnings == ()

    def test_not_seeing_autoscalers_is_a_warning(self, stage: Stage) -> None:
        make(stage)
        stage.allow(*SCALES)
        shown = stage.play("scale-workload", kind="Deployment", name="web", replicas=3).preview()
        assert "may not list horizontalpodautoscalers" in shown.warnings[0]

    def test_the_expected_number_is_a_condition(self, stage: Stage) -> None:
        make(stage)
        stage.allow(*SCALES, SEES_AUTOSCALERS)
        play = stage.play("scale-workload", kind="Deployment", name="web", replicas=4, expectedReplicas=3)
        for step in (play.preview, lambda: play.run(new())):
            with pytest.raises(PermanentFailure, match=r"has 2 replicas, parameters\.expectedReplicas says 3"):
                step()
        assert web(stage)["spec"]["replicas"] == 2

    def test_repeating_with_an_expected_number_does_nothing_more(self, stage: Stage) -> None:
        make(stage)
        stage.allow(*SCALES, SEES_AUTOSCALERS)
        play = stage.play("scale-workload", kind="Deployment", name="web", replicas=3, expectedReplicas=2)
        operation = new()
        play.run(operation)
        assert play.run(operation).outputs["replicas"] == 3

    def test_a_change_between_look_and_patch_is_noticed(self, stage: Stage) -> None:
        make(stage)
        stage.allow(*SCALES, SEES_AUTOSCALERS)
        play = stage.play("scale-workload", kind="Deployment", name="web", replicas=3, expectedReplicas=2)

        class Overtaken(Heard):
            async def patch(self, resource: Resource, name: str, body: Json, **how: Any) -> Json:
                if self.calls == ["get deployments"]:
                    path = "apps/v1:deployments/web/scale"
                    scale: Any = stage.admin("GET", path)
                    del scale["metadata"]["resourceVersion"]
                    stage.admin("PUT", path, {**scale, "spec": {"replicas": 5}})
                return await super().patch(resource, name, body, **how)

        with pytest.raises(PermanentFailure, match="has 5 replicas"):
            stage.act(lambda cluster: play.action.run(play.request(Overtaken(cluster, [])), new()))
        assert web(stage)["spec"]["replicas"] == 5

    def test_someone_else_scaling_is_told(self, stage: Stage) -> None:
        make(stage)
        stage.allow(*SCALES, SEES_AUTOSCALERS)
        operation = new()
        stage.play("scale-workload", kind="Deployment", name="web", replicas=3).run(operation)
        stage.play("scale-workload", kind="Deployment", name="web", replicas=5).run(new())
        seen = stage.play("scale-workload", kind="Deployment", name="web", replicas=3).verify(operation)
        assert not seen.ok
        assert "set to 5 replicas by somebody else" in seen.message

    def test_pods_that_are_not_ready_are_waited_for(self, stage: Stage) -> None:
        make(stage, labels={"localcluster.actionoperator.dev/ready": "never"})
        stage.allow(*SCALES)
        play, operation = stage.play("scale-workload", kind="Deployment", name="web", replicas=1), new()
        play.run(operation)
        seen = play.verify(operation)
        assert not seen.ok
        assert seen.message

    def test_a_replica_set_of_a_deployment_is_warned_of(self, stage: Stage) -> None:
        make(stage)
        stage.allow({"apiGroups": ["apps"], "resources": ["replicasets", "replicasets/scale"], "verbs": ["*"]})
        (owned,) = wait_for(stage, "apps/v1:replicasets")
        shown = stage.play("scale-workload", kind="ReplicaSet", name=owned["metadata"]["name"], replicas=5).preview()
        assert shown.changes[0].managed_by == "Deployment web"
        assert "owns" in shown.warnings[0]


def wait_for(stage: Stage, what: str) -> list[Any]:
    """The objects, as soon as there are any."""
    for _ in range(1000):
        if items := stage.admin("GET", what)["items"]:
            return list(items)
    raise AssertionError(f"no {what}")


class TestRestart:
    @pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "DaemonSet"])
    def test_from_preview_to_verified(self, stage: Stage, kind: str) -> None:
        make(stage, kind)
        stage.allow(RESTARTS)
        play, operation = stage.play("restart-rollout", kind=kind, name="web"), new()
        before = spec_is(stage, play)
        shown = play.preview()
        assert spec_is(stage, play) == before
        assert shown == play.preview()
        assert (shown.changes[0].before, shown.changes[0].after) == (None, "time of the operation")
        assert shown.undo is None
        assert play.observe(operation) is None
        play.run(operation)
        stamp = web(stage, kind)["spec"]["template"]["metadata"]["annotations"][ANNOTATION]
        assert datetime.fromisoformat(stamp) == operation.time.replace(microsecond=0)
        assert isinstance(play.observe(operation), Done)
        after = spec_is(stage, play)
        play.run(operation)
        assert spec_is(stage, play) == after
        assert play.verified(operation).ok

    def test_a_later_restart_by_others_is_not_repeated(self, stage: Stage) -> None:
        make(stage)
        stage.allow(RESTARTS)
        play = stage.play("restart-rollout", kind="Deployment", name="web")
        ours, theirs = new(datetime.now(UTC) - timedelta(minutes=10)), new()
        play.run(ours)
        play.run(theirs)
        after = spec_is(stage, play)
        play.run(ours)
        assert spec_is(stage, play) == after
        assert isinstance(play.observe(ours), Done)

    def test_a_stamp_from_a_wrong_clock_counts_for_nothing(self, stage: Stage) -> None:
        make(stage)
        stage.allow(RESTARTS)
        play, operation = stage.play("restart-rollout", kind="Deployment", name="web"), new()
        play.run(new(datetime.now(UTC) + timedelta(days=1)))
        assert play.observe(operation) is None

    @pytest.mark.parametrize(
        ("kind", "spec", "words"),
        [
            ("Deployment", {"paused": True}, "kubectl rollout resume"),
            ("StatefulSet", {"updateStrategy": {"type": "OnDelete"}}, "OnDelete"),
            ("DaemonSet", {"updateStrategy": {"type": "OnDelete"}}, "OnDelete"),
        ],
    )
    def test_what_would_restart_nothing_is_refused(
        self, stage: Stage, kind: str, spec: dict[str, Any], words: str
    ) -> None:
        make(stage, kind, **spec)
        stage.allow(RESTARTS)
        play = stage.play("restart-rollout", kind=kind, name="web")
        for step in (play.preview, lambda: play.run(new())):
            with pytest.raises(PermanentFailure, match=words):
                step()

    def test_pods_that_a_partition_spares_are_told(self, stage: Stage) -> None:
        make(stage, "StatefulSet", updateStrategy={"type": "RollingUpdate", "rollingUpdate": {"partition": 1}})
        stage.allow(RESTARTS)
        play, operation = stage.play("restart-rollout", kind="StatefulSet", name="web"), new()
        assert "only pods from ordinal 1" in play.preview().warnings[0]
        play.run(operation)
        assert play.verified(operation).message.startswith("1 of 1")

    def test_a_rollout_that_its_controller_gave_up_has_failed(self, stage: Stage) -> None:
        make(
            stage,
            labels={"localcluster.actionoperator.dev/ready": "never"},
            progressDeadlineSeconds=1,
        )
        stage.allow(RESTARTS)
        play, operation = stage.play("restart-rollout", kind="Deployment", name="web"), new()
        play.run(operation)
        with pytest.raises(EffectFailed, match="does not progress"):
            play.verified(operation)


class TestNodes:
    @pytest.fixture
    def node(self, stage: Stage) -> Iterator[str]:
        name = f"node-{stage.namespace}"[:63].rstrip("-")
        stage.admin("POST", "/api/v1/nodes", {"metadata": {"name": name}})
        yield name
        stage.admin("DELETE", f"/api/v1/nodes/{name}")

    def test_cordon_and_its_undo(self, stage: Stage, node: str) -> None:
        stage.allow(CORDONS, cluster_wide=True)
        play, operation = stage.play("cordon-node", node=node), new()
        shown = play.preview()
        assert shown.changes == (Change(target=f"Node {node}", path="spec.unschedulable", before=False, after=True),)
        assert play.observe(operation) is None
        assert not play.verify(operation).ok
        play.run(operation)
        play.run(operation)
        assert play.verify(operation).ok
        assert isinstance(play.observe(operation), Done)
        assert stage.admin("GET", f"/api/v1/nodes/{node}")["spec"]["unschedulable"] is True
        again = play.preview()
        assert (again.changes, again.undo) == ((), None)
        back = stage.play(shown.undo.action, **shown.undo.parameters)
        assert back.preview().undo == Undo(action="cordon-node", parameters={"node": node})
        back.run(new())
        assert back.verify(new()).ok
        assert "unschedulable" not in stage.admin("GET", f"/api/v1/nodes/{node}")["spec"]


@pytest.mark.parametrize("manifest", catalogue(REGISTRY), ids=[action.name for action in REGISTRY])
def test_the_catalogue_is_accepted(stage: Stage, crds: None, manifest: dict[str, Any]) -> None:
    manifest = manifest | {"metadata": {"name": f"{manifest['metadata']['name']}-anew"}}  # it may be installed already
    stage.admin("POST", f"/apis/{API_VERSION}/actiontypes?dryRun=All&fieldValidation=Strict", manifest)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("scale-workload", {"kind": "Deployment", "name": "nope", "replicas": 1}),
        ("restart-rollout", {"kind": "DaemonSet", "name": "nope"}),
        ("cordon-node", {"node": "nope"}),
    ],
)
def test_a_missing_target_is_named(stage: Stage, name: str, parameters: dict[str, Any]) -> None:
    stage.allow(*SCALES, RESTARTS, CORDONS, cluster_wide=True)
    play = stage.play(name, **parameters)
    for step in (play.preview, lambda: play.run(new()), lambda: play.verify(new())):
        with pytest.raises(NotFound, match=r"nope.*does not exist|not found") as caught:
            step()
        assert "nope" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "parameters", "missing"),
    [
        ("scale-workload", {"kind": "Deployment", "name": "web", "replicas": 1}, "deployments"),
        ("restart-rollout", {"kind": "Deployment", "name": "web"}, "deployments"),
        ("cordon-node", {"node": "node-0"}, "nodes"),
        ("run-job", {"image": "busybox"}, "jobs"),
    ],
)
def test_a_missing_right_is_named_before_anything_is_done(
    stage: Stage, name: str, parameters: dict[str, Any], missing: str
) -> None:
    make(stage)
    stage.allow()
    with pytest.raises(RightMissing, match=missing):
        stage.play(name, **parameters).preview()
