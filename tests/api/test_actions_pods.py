"""The action types for pods on a real API server, each as a runner with just the rights that its page names."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from acting import Stage, new
from pods_on_nodes import CONTAINERS, budget, hasty, make_pod, phase, soon

from controller.api.common import Change
from controller.core.errors import NotFound, PermanentFailure, RightMissing, Throttled
from controller.core.ports import Done, Json, Operation, PreviewResult
from localcluster.controlplane import ControlPlane

BOTH = pytest.mark.parametrize("action", ["delete-pod", "evict-pod"])


@pytest.fixture
def stage(cluster: ControlPlane, namespace: str) -> Stage:
    return Stage(cluster, namespace)


def replaced(stage: Stage) -> tuple[Json, Json]:
    """A pod, and the one that has its name now, as with a StatefulSet."""
    first = make_pod(stage, "web-0")
    stage.admin("DELETE", "v1:pods/web-0", {"gracePeriodSeconds": 0})
    soon(lambda: phase(stage, "web-0"), None)
    return first, make_pod(stage, "web-0")


def earlier(seconds: float) -> Operation:
    """An operation that began before what there is was made."""
    operation = new()
    return Operation(operation.id, operation.time - timedelta(seconds=seconds), operation.deadline)


@BOTH
class TestRemove:
    def test_from_preview_to_gone_and_again(self, stage: Stage, action: str) -> None:
        uid = make_pod(stage, "web-0")["metadata"]["uid"]
        stage.allow_page(action)
        play, operation = stage.play(action, name="web-0", uid=uid), new()
        shown: PreviewResult = play.preview()
        target = f"Pod {stage.namespace}/web-0"
        assert shown.changes == (Change(target=target, path="metadata.uid", before=uid, after=None),)
        assert shown.warnings == (f"{target} has no controller: nothing makes it anew",)
        assert shown.undo is None
        assert phase(stage, "web-0") == "Running"
        assert play.observe(operation) is None
        assert play.run(operation).outputs == {"uid": uid}
        assert isinstance(play.observe(operation), Done)
        assert play.verified(operation).ok
        assert phase(stage, "web-0") is None
        assert play.run(operation).outputs == {"uid": uid}
        assert play.preview().changes == ()

    def test_with_a_uid_the_next_of_that_name_stays(self, stage: Stage, action: str) -> None:
        first, second = replaced(stage)
        stage.allow_page(action)
        play, operation = stage.play(action, name="web-0", uid=first["metadata"]["uid"]), new()
        assert "is gone already" in play.preview().summary
        play.run(operation)
        assert isinstance(play.observe(operation), Done)
        assert play.verify(operation).ok
        assert stage.admin("GET", "v1:pods/web-0")["metadata"]["uid"] == second["metadata"]["uid"]
        assert phase(stage, "web-0") == "Running"

    def test_without_one_a_pod_made_since_stays(self, stage: Stage, action: str) -> None:
        make_pod(stage, "web-0")
        stage.allow_page(action)
        play, begun = stage.play(action, name="web-0"), earlier(seconds=5)
        play.run(begun)
        assert phase(stage, "web-0") == "Running"
        assert play.verify(begun).message == "Another has its name now."

    def test_without_one_that_it_is_there_proves_nothing_and_that_it_is_gone_does(
        self, stage: Stage, action: str
    ) -> None:
        make_pod(stage, "web-0")
        stage.allow_page(action)
        play, operation = stage.play(action, name="web-0"), new()
        assert play.observe(operation) is None
        play.run(operation)
        play.verified(operation)
        assert isinstance(play.observe(operation), Done)
        with pytest.raises(NotFound, match="does not exist: check its name and namespace"):
            play.preview()

    def test_a_static_pod_is_refused(self, stage: Stage, action: str) -> None:
        metadata = {"name": "web-0", "annotations": {"kubernetes.io/config.mirror": "x"}}
        spec = {"nodeName": "elsewhere", "containers": CONTAINERS}
        stage.admin("POST", "v1:pods", {"metadata": metadata, "spec": spec})
        stage.allow_page(action)
        with pytest.raises(PermanentFailure, match="is a static pod of Node elsewhere"):
            stage.play(action, name="web-0").preview()

    def test_rights_are_asked_for_before_anything_is_done(self, stage: Stage, action: str) -> None:
        make_pod(stage, "web-0")
        stage.allow({"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]})
        with pytest.raises(RightMissing, match=r"may not (delete pods|create pods/eviction) web-0"):
            stage.play(action, name="web-0").preview()

    def test_what_would_be_lost_is_told(self, stage: Stage, action: str) -> None:
        make_pod(stage, "web-0", spec={"volumes": [{"name": "scratch", "emptyDir": {}}]})
        stage.allow_page(action)
        warnings = stage.play(action, name="web-0").preview().warnings
        assert f"Pod {stage.namespace}/web-0 loses the content of its emptyDir volumes scratch" in warnings


class TestEvict:
    def test_a_budget_that_forbids_it_is_told_before_waited_for_and_named_at_the_end(self, stage: Stage) -> None:
        make_pod(stage, "web-0", labels={"app": "web"})
        budget(stage, "web", 1)
        stage.allow_page("evict-pod")
        play = stage.play("evict-pod", name="web-0")
        words = "The disruption budget web needs 1 healthy pods and has 1 currently"
        assert words in play.preview().warnings[0]
        stage.calls.clear()
        with pytest.raises(Throttled, match=words):
            play.run(hasty(4))
        assert set(stage.calls) == {"get pods", "dry create pods"}, "cancelled meanwhile, nothing was sent"
        assert len(stage.calls) >= 3
        assert phase(stage, "web-0") == "Running"

    def test_it_goes_as_soon_as_the_budget_allows_it(self, stage: Stage) -> None:
        make_pod(stage, "web-0", labels={"app": "web"})
        budget(stage, "web", 1)
        stage.allow_page("evict-pod")
        play, operation = stage.play("evict-pod", name="web-0"), new()
        told: list[str] = []

        async def meanwhile(cluster: Any) -> Any:
            request = play.request(cluster)
            waits = asyncio.Event()
            request.journal.listen(lambda: (told.append(request.journal.said), waits.set()))
            running = asyncio.create_task(play.action.run(request, operation))
            await waits.wait()
            budgets = f"/apis/policy/v1/namespaces/{stage.namespace}/poddisruptionbudgets/web"
            await asyncio.to_thread(stage.admin, "DELETE", budgets)
            return await running

        assert isinstance(stage.act(meanwhile), Done)
        assert "disruption budget web" in told[0]
        assert play.verified(operation).ok


class TestDeleteFailed:
    @pytest.fixture
    def failed(self, stage: Stage) -> list[str]:
        """Two pods of one label that failed, one of another, and one that runs."""
        names = []
        for name, app in (("a", "report"), ("b", "report"), ("c", "other")):
            labels = {"app": app, "localcluster.actionoperator.dev/outcome": "fail"}
            spec = {"restartPolicy": "Never", "containers": [{"name": "main", "image": "registry.example/app:1"}]}
            job = {"backoffLimit": 0, "template": {"metadata": {"labels": labels}, "spec": spec}}
            stage.admin("POST", "batch/v1:jobs", {"metadata": {"name": name}, "spec": job})
            names.append(name)
        make_pod(stage, "runs", labels={"app": "report"})
        soon(lambda: len(self.left(stage)), 3)
        return names

    @staticmethod
    def left(stage: Stage) -> list[str]:
        pods = stage.admin("GET", "v1:pods")["items"]
        return sorted(pod["metadata"]["labels"]["app"] for pod in pods if pod["status"].get("phase") == "Failed")

    def test_those_that_fit_and_no_others(self, stage: Stage, failed: list[str]) -> None:
        stage.allow_page("delete-failed-pods")
        play, operation = stage.play("delete-failed-pods", labelSelector="app=report"), new()
        shown = play.preview()
        assert len(shown.changes) == 2
        assert all(change.path == "metadata.uid" and change.before for change in shown.changes)
        assert len(self.left(stage)) == 3
        assert play.observe(operation) is None
        assert play.run(operation).message == "2 failed pods deleted."
        assert play.verified(operation).ok
        assert self.left(stage) == ["other"]
        assert phase(stage, "runs") == "Running"
        assert isinstance(play.observe(operation), Done)
        assert play.run(operation).message == "0 failed pods deleted."
        assert play.preview().changes == ()

    def test_none_if_there_are_more_than_expected(self, stage: Stage, failed: list[str]) -> None:
        stage.allow_page("delete-failed-pods")
        play = stage.play("delete-failed-pods", maxPods=2)
        for call in (play.preview, lambda: play.run(new())):
            with pytest.raises(PermanentFailure, match=r"3 failed pods fit, parameters\.maxPods is 2"):
                call()
        assert len(self.left(stage)) == 3

    def test_those_that_came_after_the_operation_stay(self, stage: Stage, failed: list[str]) -> None:
        stage.allow_page("delete-failed-pods")
        assert stage.play("delete-failed-pods").run(earlier(seconds=3600)).message == "0 failed pods deleted."
        assert len(self.left(stage)) == 3

    def test_a_selector_that_is_none_is_told(self, stage: Stage) -> None:
        stage.allow_page("delete-failed-pods")
        with pytest.raises(PermanentFailure, match="unable to parse"):
            stage.play("delete-failed-pods", labelSelector="a in b").preview()
