"""The types that change workloads on a real API server, as a runner with the rights of their pages: what shows, what is
done, what a repeat does, what is refused, what takes it back.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from acting import REGISTRY, Heard, Play, Stage, new

from controller.api.common import Change
from controller.core.errors import EffectFailed, PermanentFailure
from controller.core.ports import Cluster, Done, Json, Resource
from localcluster.controlplane import ControlPlane
from localcluster.errors import RequestFailed

PLURALS = {"Deployment": "deployments", "StatefulSet": "statefulsets", "DaemonSet": "daemonsets"}
KINDS = pytest.mark.parametrize("kind", PLURALS)
OUTCOME = "localcluster.actionoperator.dev/outcome"


@pytest.fixture
def stage(cluster: ControlPlane, namespace: str) -> Stage:
    return Stage(cluster, namespace)


def allow(stage: Stage, *actions: str) -> None:
    """The rights of their pages."""
    stage.allow(*(right.rule() for action in actions for right in REGISTRY[action].about.rights))


def play(stage: Stage, action: str, **parameters: Any) -> Play:
    """Of a proposal of its own."""
    return replace(stage.play(action, **parameters), proposal_uid=str(uuid4()))


def undo(stage: Stage, shown: Any) -> Play:
    return play(stage, shown.undo.action, **shown.undo.parameters)


def make(stage: Stage, kind: str = "Deployment", **spec: Any) -> None:
    """A workload named web that runs app:1."""
    pod = {
        "initContainers": [{"name": "first", "image": "init:1"}],
        "containers": [{"name": "main", "image": "app:1"}, {"name": "side", "image": "proxy:1"}],
    }
    body = {
        "metadata": {"name": "web"},
        "spec": {
            "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"}}, "spec": pod},
            **({} if kind == "DaemonSet" else {"replicas": 1}),
            **({"serviceName": "web"} if kind == "StatefulSet" else {}),
            **spec,
        },
    }
    stage.admin("POST", f"apps/v1:{PLURALS[kind]}", body)


def web(stage: Stage, kind: str = "Deployment") -> Any:
    return stage.admin("GET", f"apps/v1:{PLURALS[kind]}/web")


def change(stage: Stage, how: Callable[[Json], None], kind: str = "Deployment") -> None:
    """As a user would, whatever the controllers write at the same time."""
    for _ in range(20):
        found = web(stage, kind)
        how(found)
        try:
            stage.admin("PUT", f"apps/v1:{PLURALS[kind]}/web", found)
        except RequestFailed as error:
            if error.status != 409:
                raise
        else:
            return
    raise AssertionError("somebody else always changed it first")


def image_is(found: Json) -> str:
    return str(found["spec"]["template"]["spec"]["containers"][0]["image"])


def set_image(stage: Stage, image: str, kind: str = "Deployment") -> None:
    """Rolled out by hand, and seen by the controller."""

    def to(found: Json) -> None:
        found["spec"]["template"]["spec"]["containers"][0]["image"] = image

    change(stage, to, kind)
    seen(stage, kind)


def seen(stage: Stage, kind: str = "Deployment") -> None:
    """Once the controller has seen the workload as it is, with a revision of it."""
    for _ in range(500):
        found = web(stage, kind)
        if found.get("status", {}).get("observedGeneration", 0) == found["metadata"]["generation"]:
            return
    raise AssertionError("its controller does not see it")


class Interfered:
    """A cluster in which somebody else is quicker: just before the first patch that is none of a dry run."""

    def __init__(self, cluster: Cluster, what: Callable[[], None]) -> None:
        self._heard, self._what, self._done = Heard(cluster, []), what, False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._heard, name)

    async def patch(self, resource: Resource, name: str, body: Json | Sequence[Json], **how: Any) -> Json:
        if not self._done and not how.get("dry_run"):
            self._done = True
            self._what()
        return await self._heard.patch(resource, name, body, **how)


def run_behind(stage: Stage, one: Play, what: Callable[[], None]) -> Any:
    """The action's run, with somebody else quicker than its write."""
    return stage.act(lambda cluster: one.action.run(one.request(Interfered(cluster, what)), new()))  # type: ignore[arg-type]


class TestRollback:
    @KINDS
    def test_from_preview_to_undo(self, stage: Stage, kind: str) -> None:
        make(stage, kind)
        seen(stage, kind)
        set_image(stage, "app:2", kind)
        allow(stage, "rollback-rollout")
        back, operation = play(stage, "rollback-rollout", kind=kind, name="web"), new()
        before = web(stage, kind)["metadata"]["generation"]
        shown = back.preview()
        first, second = "(first init:1, main app:1, side proxy:1)", "(first init:1, main app:2, side proxy:1)"
        target = f"{kind} {stage.namespace}/web"
        assert shown.changes == (
            Change(target=target, path="spec.template", before=f"revision 2 {second}", after=f"revision 1 {first}"),
        )
        assert shown.summary == f"Roll {target} back from revision 2 to revision 1 {first}."
        assert web(stage, kind)["metadata"]["generation"] == before
        assert back.observe(operation) is None
        done = back.run(operation)
        assert (done.outputs["fromRevision"], done.outputs["toRevision"]) == (2, 1)
        assert done.outputs["images"]["main"] == "app:1"
        assert image_is(web(stage, kind)) == "app:1"
        assert isinstance(back.observe(operation), Done)
        assert back.verified(operation).ok
        assert shown.undo.parameters == {"kind": kind, "name": "web", "toRevision": 2, "expectedRevision": 3}
        again = undo(stage, shown)
        assert again.run(new()).outputs["toRevision"] == 2
        assert image_is(web(stage, kind)) == "app:2"
        assert again.verified(new()).ok

    def test_a_proposal_rolls_back_once_however_often_it_is_repeated(self, stage: Stage) -> None:
        make(stage)
        seen(stage)
        set_image(stage, "app:2")
        allow(stage, "rollback-rollout")
        back, operation = play(stage, "rollback-rollout", kind="Deployment", name="web"), new()
        back.run(operation)
        seen(stage)
        for again in (operation, new()):
            back.run(again)
            assert image_is(web(stage)) == "app:1"
            assert isinstance(back.observe(again), Done)

    def test_what_another_proposal_rolled_back_meanwhile_stays(self, stage: Stage) -> None:
        make(stage)
        seen(stage)
        set_image(stage, "app:2")
        allow(stage, "rollback-rollout")
        early = new(datetime.now(UTC) - timedelta(minutes=1))
        play(stage, "rollback-rollout", kind="Deployment", name="web").run(new())
        late = play(stage, "rollback-rollout", kind="Deployment", name="web")
        assert late.observe(early) is None
        with pytest.raises(PermanentFailure, match="rolled back by another proposal"):
            late.run(early)
        assert image_is(web(stage)) == "app:1"

    def test_to_a_revision_by_its_number(self, stage: Stage) -> None:
        make(stage)
        seen(stage)
        for image in ("app:2", "app:3"):
            set_image(stage, image)
        allow(stage, "rollback-rollout")
        play(stage, "rollback-rollout", kind="Deployment", name="web", toRevision=1).run(new())
        assert image_is(web(stage)) == "app:1"

    def test_at_the_revision_already(self, stage: Stage) -> None:
        make(stage)
        seen(stage)
        allow(stage, "rollback-rollout")
        shown = play(stage, "rollback-rollout", kind="Deployment", name="web", toRevision=1).preview()
        assert (shown.changes, shown.undo) == ((), None)
        assert "already at revision 1" in shown.summary

    @pytest.mark.parametrize(
        ("parameters", "words"),
        [
            ({"toRevision": 7}, r"parameters\.toRevision: .* has no revision 7; it keeps 1, 2"),
            ({"expectedRevision": 1}, r"is at revision 2, parameters\.expectedRevision says 1"),
        ],
    )
    def test_no_way_back_is_explained(self, stage: Stage, parameters: Json, words: str) -> None:
        make(stage)
        seen(stage)
        set_image(stage, "app:2")
        allow(stage, "rollback-rollout")
        back = play(stage, "rollback-rollout", kind="Deployment", name="web", **parameters)
        for step in (back.preview, lambda: back.run(new())):
            with pytest.raises(PermanentFailure, match=words):
                step()
        assert image_is(web(stage)) == "app:2"

    def test_the_first_revision_has_none_before(self, stage: Stage) -> None:
        make(stage)
        seen(stage)
        allow(stage, "rollback-rollout")
        with pytest.raises(PermanentFailure, match="has no revision before 1"):
            play(stage, "rollback-rollout", kind="Deployment", name="web").preview()

    def test_a_paused_deployment_is_refused(self, stage: Stage) -> None:
        make(stage, paused=True)
        seen(stage)
        allow(stage, "rollback-rollout")
        with pytest.raises(PermanentFailure, match="is paused"):
            play(stage, "rollback-rollout", kind="Deployment", name="web").preview()

    def test_a_rollout_in_between_is_not_rolled_over(self, stage: Stage) -> None:
        make(stage)
        seen(stage)
        set_image(stage, "app:2")
        allow(stage, "rollback-rollout")
        back = play(stage, "rollback-rollout", kind="Deployment", name="web", expectedRevision=2)
        with pytest.raises(PermanentFailure, match="is at revision 3"):
            run_behind(stage, back, lambda: set_image(stage, "app:3"))
        assert image_is(web(stage)) == "app:3"


class TestPause:
    def test_pause_and_resume_take_each_other_back(self, stage: Stage) -> None:
        make(stage)
        allow(stage, "pause-rollout")
        pause, operation = play(stage, "pause-rollout", name="web"), new()
        shown = pause.preview()
        target = f"Deployment {stage.namespace}/web"
        assert shown.changes == (Change(target=target, path="spec.paused", before=False, after=True),)
        assert pause.observe(operation) is None
        pause.run(operation)
        pause.run(operation)
        assert isinstance(pause.observe(operation), Done)
        assert pause.verified(operation).ok
        assert (pause.preview().changes, pause.preview().undo) == ((), None)
        set_image(stage, "app:2")
        resume = undo(stage, shown)
        assert "is rolled out now" in resume.preview().warnings[0]
        resume.run(new())
        assert resume.verified(new()).message.startswith("1 of 1 pods are new")
        assert not web(stage)["spec"].get("paused")

    def test_a_rollout_that_is_stopped_is_told(self, stage: Stage) -> None:
        make(stage, template={
            "metadata": {"labels": {"app": "web", "localcluster.actionoperator.dev/ready": "never"}},
            "spec": {"containers": [{"name": "main", "image": "app:1"}]},
        })  # fmt: skip
        seen(stage)
        allow(stage, "pause-rollout")
        assert "is under way and stops as it is" in play(stage, "pause-rollout", name="web").preview().warnings[0]


class TestImage:
    @KINDS
    def test_from_preview_to_undo(self, stage: Stage, kind: str) -> None:
        make(stage, kind)
        allow(stage, "set-image")
        one = play(stage, "set-image", kind=kind, name="web", container="side", image="proxy:2@sha256:" + "0" * 64)
        operation, before = new(), web(stage, kind)["metadata"]["generation"]
        shown = one.preview()
        (changed,) = shown.changes
        assert (changed.path, changed.before) == ("spec.template.spec.containers[side].image", "proxy:1")
        assert changed.after == one.parameters["image"]
        assert shown.warnings == ()
        assert web(stage, kind)["metadata"]["generation"] == before
        assert one.observe(operation) is None
        assert one.run(operation).outputs["previousImage"] == "proxy:1"
        after = web(stage, kind)["metadata"]["generation"]
        one.run(operation)
        assert web(stage, kind)["metadata"]["generation"] == after
        assert isinstance(one.observe(operation), Done)
        assert one.verified(operation).ok
        undo(stage, shown).run(new())
        assert [c["image"] for c in web(stage, kind)["spec"]["template"]["spec"]["containers"]] == ["app:1", "proxy:1"]

    def test_an_init_container(self, stage: Stage) -> None:
        make(stage)
        allow(stage, "set-image")
        one = play(stage, "set-image", kind="Deployment", name="web", container="first", image="init:2")
        assert one.preview().changes[0].path == "spec.template.spec.initContainers[first].image"
        assert "has no digest" in one.preview().warnings[0]
        one.run(new())
        assert web(stage)["spec"]["template"]["spec"]["initContainers"][0]["image"] == "init:2"

    def test_a_container_that_is_not_there(self, stage: Stage) -> None:
        make(stage)
        allow(stage, "set-image")
        with pytest.raises(PermanentFailure, match="has no container app; it has main, side, first"):
            play(stage, "set-image", kind="Deployment", name="web", container="app", image="app:2").preview()

    def test_the_undo_leaves_what_somebody_else_rolled_out(self, stage: Stage) -> None:
        make(stage)
        allow(stage, "set-image")
        one = play(stage, "set-image", kind="Deployment", name="web", container="main", image="app:2")
        shown = one.preview()
        one.run(new())
        set_image(stage, "app:3")
        with pytest.raises(PermanentFailure, match=r"has image app:3, parameters\.expectedImage says app:2"):
            undo(stage, shown).run(new())
        assert "somebody else changed the image" in one.verify(new()).message

    def test_what_changes_in_between_is_looked_at_again(self, stage: Stage) -> None:
        make(stage)
        allow(stage, "set-image")
        given = {"kind": "Deployment", "name": "web", "container": "main", "image": "app:2"}
        with pytest.raises(PermanentFailure, match="has image app:9"):
            run_behind(
                stage, play(stage, "set-image", expectedImage="app:1", **given), lambda: set_image(stage, "app:9")
            )

        def swap(found: Json) -> None:
            found["spec"]["template"]["spec"]["containers"].reverse()

        run_behind(stage, play(stage, "set-image", **given), lambda: change(stage, swap))
        containers = web(stage)["spec"]["template"]["spec"]["containers"]
        assert [container["image"] for container in containers] == ["proxy:1", "app:2"]

    def test_a_paused_deployment_is_done_when_its_template_is(self, stage: Stage) -> None:
        make(stage, paused=True)
        allow(stage, "set-image")
        one = play(stage, "set-image", kind="Deployment", name="web", container="main", image="app:2")
        assert any("is paused" in warning for warning in one.preview().warnings)
        one.run(new())
        assert "resumed" in one.verified(new()).message


class TestResources:
    def test_from_preview_to_undo(self, stage: Stage) -> None:
        make(stage)
        allow(stage, "set-resources")
        given = {"kind": "Deployment", "name": "web", "container": "main"}
        play(stage, "set-resources", **given, requests={"cpu": "250m"}, limits={"memory": "1Gi"}).run(new())
        one = play(
            stage, "set-resources", **given, requests={"cpu": "0.5", "memory": "256Mi"}, limits={"memory": "none"}
        )
        operation, shown = new(), one.preview()
        path = "spec.template.spec.containers[main].resources"
        assert [(each.path, each.before, each.after) for each in shown.changes] == [
            (f"{path}.requests.cpu", "250m", "500m"),
            (f"{path}.requests.memory", "none", "256Mi"),
            (f"{path}.limits.memory", "1Gi", "none"),
        ]
        assert one.observe(operation) is None
        one.run(operation)
        after = web(stage)["metadata"]["generation"]
        one.run(operation)
        assert web(stage)["metadata"]["generation"] == after
        assert isinstance(one.observe(operation), Done)
        assert one.verified(operation).ok
        undo(stage, shown).run(new())
        resources = web(stage)["spec"]["template"]["spec"]["containers"][0]["resources"]
        assert resources == {"requests": {"cpu": "250m"}, "limits": {"memory": "1Gi"}}

    def test_the_undo_leaves_what_somebody_else_set(self, stage: Stage) -> None:
        make(stage)
        allow(stage, "set-resources")
        given = {"kind": "Deployment", "name": "web", "container": "main"}
        one = play(stage, "set-resources", **given, requests={"cpu": "1"})
        shown = one.preview()
        one.run(new())
        play(stage, "set-resources", **given, requests={"cpu": "2"}).run(new())
        with pytest.raises(PermanentFailure, match=r"has requests\.cpu 2, parameters\.expected says 1"):
            undo(stage, shown).run(new())

    def test_a_request_above_the_limit_that_is_there_is_refused_in_the_preview(self, stage: Stage) -> None:
        make(stage)
        allow(stage, "set-resources")
        given = {"kind": "Deployment", "name": "web", "container": "main"}
        play(stage, "set-resources", **given, limits={"cpu": "1"}).run(new())
        with pytest.raises(PermanentFailure, match="must be less than or equal to cpu limit"):
            play(stage, "set-resources", **given, requests={"cpu": "2"}).preview()


class TestHpaBounds:
    def autoscale(self, stage: Stage) -> None:
        make(stage, replicas=2)
        target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
        spec = {"scaleTargetRef": target, "minReplicas": 2, "maxReplicas": 4}
        body = {"metadata": {"name": "web"}, "spec": spec}
        stage.admin("POST", "autoscaling/v2:horizontalpodautoscalers", body)

    def bounds(self, stage: Stage) -> Any:
        spec = stage.admin("GET", "autoscaling/v2:horizontalpodautoscalers/web")["spec"]
        return spec["minReplicas"], spec["maxReplicas"]

    def test_from_preview_to_undo(self, stage: Stage) -> None:
        self.autoscale(stage)
        allow(stage, "set-hpa-bounds")
        one, operation = play(stage, "set-hpa-bounds", name="web", maxReplicas=9), new()
        shown = one.preview()
        target = f"HorizontalPodAutoscaler {stage.namespace}/web"
        assert shown.changes == (Change(target=target, path="spec.maxReplicas", before=4, after=9),)
        assert self.bounds(stage) == (2, 4)
        assert one.observe(operation) is None
        assert one.run(operation).outputs == {"previous": {"minReplicas": 2, "maxReplicas": 4}, "maxReplicas": 9}
        assert one.run(operation).outputs == {"maxReplicas": 9}
        assert isinstance(one.observe(operation), Done)
        assert self.bounds(stage) == (2, 9)
        assert shown.undo.parameters == {"name": "web", "maxReplicas": 4, "expectedMaxReplicas": 9}
        undo(stage, shown).run(new())
        assert self.bounds(stage) == (2, 4)

    def test_bounds_that_would_cross_are_refused(self, stage: Stage) -> None:
        self.autoscale(stage)
        allow(stage, "set-hpa-bounds")
        with pytest.raises(PermanentFailure, match="minReplicas 5 above maxReplicas 4; give both"):
            play(stage, "set-hpa-bounds", name="web", minReplicas=5).preview()

    def test_the_undo_leaves_what_somebody_else_set(self, stage: Stage) -> None:
        self.autoscale(stage)
        allow(stage, "set-hpa-bounds")
        one = play(stage, "set-hpa-bounds", name="web", maxReplicas=9)
        shown = one.preview()
        one.run(new())
        play(stage, "set-hpa-bounds", name="web", maxReplicas=7).run(new())
        with pytest.raises(PermanentFailure, match=r"has maxReplicas 7, parameters\.expectedMaxReplicas says 9"):
            undo(stage, shown).run(new())
        assert "somebody else changed its bounds to 2 to 7" in one.verify(new()).message


def cron_job(stage: Stage, labels: Json | None = None, **spec: Any) -> Any:
    """Named report; its schedule never comes."""
    pod = {"restartPolicy": "Never", "containers": [{"name": "main", "image": "report:1"}]}
    template = {"metadata": {"labels": labels or {}}, "spec": pod}
    job = {"metadata": {"labels": {"app": "report"}, "annotations": {"a": "b"}}, "spec": {"template": template}}
    body = {"metadata": {"name": "report"}, "spec": {"schedule": "0 0 30 2 *", "jobTemplate": job, **spec}}
    return stage.admin("POST", "batch/v1:cronjobs", body)


class TestCronJobs:
    def test_suspend_and_resume_take_each_other_back(self, stage: Stage) -> None:
        cron_job(stage, startingDeadlineSeconds=100)
        allow(stage, "suspend-cronjob")
        suspend, operation = play(stage, "suspend-cronjob", name="report"), new()
        shown = suspend.preview()
        target = f"CronJob {stage.namespace}/report"
        assert shown.changes == (Change(target=target, path="spec.suspend", before=False, after=True),)
        assert suspend.observe(operation) is None
        suspend.run(operation)
        suspend.run(operation)
        assert isinstance(suspend.observe(operation), Done)
        assert suspend.verify(operation).ok
        assert stage.admin("GET", "batch/v1:cronjobs/report")["spec"]["suspend"] is True
        resume = undo(stage, shown)
        assert "missed in the last 100 s" in resume.preview().warnings[0]
        resume.run(new())
        assert stage.admin("GET", "batch/v1:cronjobs/report")["spec"]["suspend"] is False

    def test_jobs_that_run_are_named(self, stage: Stage) -> None:
        cron_job(stage, {OUTCOME: "never"}, concurrencyPolicy="Forbid")
        allow(stage, "suspend-cronjob", "trigger-cronjob")
        first = play(stage, "trigger-cronjob", name="report")
        done = first.run(new()).outputs
        name = done["job"]
        # Its schedule would have to come for the controller to list a Job here: those that others made it does not.
        found = stage.admin("GET", "batch/v1:cronjobs/report")
        reference = {"apiVersion": "batch/v1", "kind": "Job", "name": name, "namespace": stage.namespace}
        found["status"] = {"active": [{**reference, "uid": done["uid"]}]}
        stage.admin("PUT", "batch/v1:cronjobs/report/status", found)
        assert name in play(stage, "suspend-cronjob", name="report").preview().warnings[0]
        assert f"says Forbid of runs at one time, and this one is started beside {name}" in first.preview().warnings[0]


class TestTrigger:
    def jobs(self, stage: Stage) -> list[Any]:
        return list(stage.admin("GET", "batch/v1:jobs")["items"])

    def test_it_makes_the_job_that_kubectl_would(self, stage: Stage) -> None:
        owner = cron_job(stage, suspend=True)["metadata"]["uid"]
        allow(stage, "trigger-cronjob")
        one, operation = play(stage, "trigger-cronjob", name="report"), new()
        shown = one.preview()
        assert self.jobs(stage) == []
        assert shown.changes[0].after == "main report:1"
        assert shown.undo is None
        assert one.observe(operation) is None
        done = one.run(operation)
        assert one.run(operation) == done
        assert one.observe(operation) == done
        (job,) = self.jobs(stage)
        assert done.outputs == {"job": job["metadata"]["name"], "uid": job["metadata"]["uid"]}
        assert job["metadata"]["name"].startswith("report-")
        assert (
            job["metadata"]["annotations"] | {"a": "b", "cronjob.kubernetes.io/instantiate": "manual"}
            == (job["metadata"]["annotations"])
        )
        assert job["metadata"]["labels"]["app"] == "report"
        (reference,) = job["metadata"]["ownerReferences"]
        assert (reference["kind"], reference["uid"], reference["controller"]) == ("CronJob", owner, True)
        assert one.verified(operation).message == "It is complete."

    def test_a_job_that_fails_or_is_gone_ends_it(self, stage: Stage) -> None:
        cron_job(stage, {OUTCOME: "fail"})
        allow(stage, "trigger-cronjob")
        one, operation = play(stage, "trigger-cronjob", name="report"), new()
        template = stage.admin("GET", "batch/v1:cronjobs/report")
        template["spec"]["jobTemplate"]["spec"]["backoffLimit"] = 0
        del template["metadata"]["resourceVersion"]
        stage.admin("PUT", "batch/v1:cronjobs/report", template)
        name = one.run(operation).outputs["job"]
        with pytest.raises(EffectFailed, match="failed"):
            one.verified(operation)
        stage.admin("DELETE", f"batch/v1:jobs/{name}", {"propagationPolicy": "Background"})
        with pytest.raises(EffectFailed, match="was deleted before its end was seen"):
            one.verified(operation)

    def test_a_job_of_another_proposal_is_none_of_ours(self, stage: Stage) -> None:
        cron_job(stage)
        allow(stage, "trigger-cronjob")
        one, operation = play(stage, "trigger-cronjob", name="report"), new()
        name = one.action.job_name(one.request(None), operation.id)  # type: ignore[attr-defined, arg-type]
        pod = {"restartPolicy": "Never", "containers": [{"name": "main", "image": "other:1"}]}
        stage.admin("POST", "batch/v1:jobs", {"metadata": {"name": name}, "spec": {"template": {"spec": pod}}})
        assert one.observe(operation) is None
        with pytest.raises(PermanentFailure, match="is not of this proposal"):
            one.run(operation)

    def test_a_cancelled_one_is_suspended(self, stage: Stage) -> None:
        cron_job(stage, {OUTCOME: "never"})
        allow(stage, "trigger-cronjob")
        one, operation = play(stage, "trigger-cronjob", name="report"), new()
        name = one.run(operation).outputs["job"]
        one.stop(operation)
        assert stage.admin("GET", f"batch/v1:jobs/{name}")["spec"]["suspend"] is True


class TestScaleGuards:
    @pytest.mark.parametrize("guards", [{"onlyIfAtLeast": 3}, {"onlyIfAtMost": 1}])
    def test_outside_of_them_nothing_is_done(self, stage: Stage, guards: Json) -> None:
        make(stage, replicas=2)
        allow(stage, "scale-workload")
        one = play(stage, "scale-workload", kind="Deployment", name="web", replicas=4, **guards)
        ((name, value),) = guards.items()
        for step in (one.preview, lambda: one.run(new())):
            with pytest.raises(PermanentFailure, match=rf"has 2 replicas, parameters\.{name} says {value}"):
                step()
        assert web(stage)["spec"]["replicas"] == 2

    def test_within_them_it_is_done_and_may_be_repeated(self, stage: Stage) -> None:
        make(stage, replicas=2)
        allow(stage, "scale-workload")
        given = {"kind": "Deployment", "name": "web", "replicas": 4}
        one, operation = play(stage, "scale-workload", **given, onlyIfAtLeast=2, onlyIfAtMost=2), new()
        assert one.preview().changes[0].after == 4
        assert one.run(operation).outputs == {"previousReplicas": 2, "replicas": 4}
        assert one.run(operation).outputs["replicas"] == 4
