"""drain-node and the taints on a real API server, each as a runner with just the rights that its page names."""

import asyncio
import secrets
from collections.abc import Iterator
from typing import Any

import pytest
from acting import Stage, new
from pods_on_nodes import OWN, budget, hasty, make_pod, node, running_on, soon, workload

from controller.api.common import Change, Undo
from controller.core.errors import EffectFailed, NotFound, PermanentFailure
from controller.core.ports import Done, Json, PreviewResult
from localcluster.controlplane import ControlPlane


@pytest.fixture
def stage(cluster: ControlPlane, namespace: str) -> Stage:
    return Stage(cluster, namespace)


@pytest.fixture
def where(stage: Stage) -> Iterator[str]:
    """A played node of the test's own."""
    name = f"node-{secrets.token_hex(4)}"
    stage.admin("POST", "/api/v1/nodes", node(name))
    yield name
    stage.admin("DELETE", f"/api/v1/nodes/{name}")


def found(stage: Stage, where: str) -> Any:
    return stage.admin("GET", f"/api/v1/nodes/{where}")


def is_cordoned(stage: Stage, where: str) -> bool:
    return bool(found(stage, where)["spec"].get("unschedulable"))


def drained(where: str, pods: str) -> str:
    """What a run says that evicted so many pods: runs before it may have evicted others."""
    return f"Node {where} is cordoned and has no pods left to evict; this attempt evicted {pods}."


class TestDrain:
    def test_from_preview_to_empty_to_undo(self, stage: Stage, where: str) -> None:
        workload(stage, "web", where, 3)
        workload(stage, "agent", where, 1, kind="DaemonSet")
        stage.allow_page("drain-node")
        play, operation = stage.play("drain-node", node=where), new()
        shown: PreviewResult = play.preview()
        assert shown.changes == (
            Change(target=f"Node {where}", path="spec.unschedulable", before=False, after=True),
            Change(target=f"Node {where}", path="pods", before="run here", after="evicted"),
        )
        assert f"Drain Node {where}: cordon it, evict 3 pods ({stage.namespace}/web-" in shown.summary
        assert shown.warnings == ()
        assert len(running_on(stage, where)) == 4
        assert not is_cordoned(stage, where)
        assert play.observe(operation) is None
        assert play.run(operation).message == drained(where, "3 pods")
        assert isinstance(play.observe(operation), Done)
        assert play.verified(operation).message == "They are gone."
        assert running_on(stage, where, "web") == []
        assert len(running_on(stage, where, "agent")) == 1
        assert play.preview().summary == f"Node {where} is already drained."
        assert play.run(operation).message == drained(where, "0 pods")
        assert shown.undo == Undo(action="uncordon-node", parameters={"node": where})
        stage.play(shown.undo.action, **shown.undo.parameters).run(new())
        soon(lambda: len(running_on(stage, where, "web")), 3)

    def test_it_asks_the_api_server_no_more_than_it_must(self, stage: Stage, where: str) -> None:
        workload(stage, "web", where, 2)
        stage.allow_page("drain-node")
        play, operation = stage.play("drain-node", node=where), new()
        play.preview()
        assert stage.calls == ["get nodes", "list pods", "dry patch nodes", *["dry create pods"] * 2]
        stage.calls.clear()
        play.run(operation)
        look = ["get nodes", "list pods"]
        assert stage.calls == ["list pods", "patch nodes", *look, *["create pods"] * 2, *look]
        stage.calls.clear()
        play.verify(operation)
        assert stage.calls == look

    def test_pods_of_other_namespaces_go_too(self, stage: Stage, where: str) -> None:
        other = f"{stage.namespace[:50]}-too"
        stage.admin("POST", "/api/v1/namespaces", {"metadata": {"name": other}})
        workload(Stage(stage.plane, other), "api", where, 1)
        stage.allow_page("drain-node")
        play, operation = stage.play("drain-node", node=where), new()
        play.run(operation)
        assert play.verified(operation).ok
        assert running_on(stage, where) == []
        stage.admin("DELETE", f"/api/v1/namespaces/{other}")

    def test_pods_that_must_not_go_are_named_and_nothing_is_changed(self, stage: Stage, where: str) -> None:
        workload(stage, "web", where, 1, volumes=[{"name": "scratch", "emptyDir": {}}])
        make_pod(stage, "bare", spec={"nodeName": where})
        stage.allow_page("drain-node")
        play = stage.play("drain-node", node=where)
        for call in (play.preview, lambda: play.run(new())):
            with pytest.raises(PermanentFailure) as refused:
                call()
            assert f"{stage.namespace}/bare have no controller: set parameters.force" in str(refused.value)
            assert "have emptyDir volumes: set parameters.deleteEmptyDirData" in str(refused.value)
        assert not is_cordoned(stage, where)
        allowed = stage.play("drain-node", node=where, force=True, deleteEmptyDirData=True)
        told = " ".join(allowed.preview().warnings)
        assert f"Pod {stage.namespace}/bare has no controller" in told
        assert "emptyDir volumes scratch" in told
        operation = new()
        allowed.run(operation)
        assert allowed.verified(operation).ok
        assert running_on(stage, where) == []

    def test_a_selector_leaves_the_others(self, stage: Stage, where: str) -> None:
        workload(stage, "web", where, 1)
        workload(stage, "api", where, 1)
        stage.allow_page("drain-node")
        play, operation = stage.play("drain-node", node=where, podSelector="app=web"), new()
        play.run(operation)
        assert play.verified(operation).ok
        assert [name.partition("-")[0] for name in running_on(stage, where)] == ["api"]

    def test_a_budget_that_forbids_it_to_the_end_is_named_and_the_next_run_goes_on(
        self, stage: Stage, where: str
    ) -> None:
        workload(stage, "web", where, 2)
        workload(stage, "api", where, 2)
        budget(stage, "web", 2)
        stage.allow_page("drain-node")
        play, operation = stage.play("drain-node", node=where), new()
        shown = play.preview()
        assert len(shown.warnings) == 2
        words = "The disruption budget web needs 2 healthy pods and has 2 currently"
        assert all(warning.startswith("Blocked now") and words in warning for warning in shown.warnings)
        with pytest.raises(EffectFailed) as failed:
            play.run(hasty(4))
        pods = running_on(stage, where)
        assert len(pods) == 2
        assert all(f"{stage.namespace}/{pod}" in str(failed.value) for pod in pods)
        assert words in str(failed.value)
        assert is_cordoned(stage, where)
        assert play.observe(operation) is None
        stage.admin("DELETE", f"/apis/policy/v1/namespaces/{stage.namespace}/poddisruptionbudgets/web")
        assert play.run(operation).message == drained(where, "2 pods")
        assert play.verified(operation).ok

    def test_it_waits_for_what_the_budget_allows_and_says_how_far_it_is(self, stage: Stage, where: str) -> None:
        """Pods that cannot come back one after the other: only once the Deployment shrinks may the last one go."""
        workload(stage, "web", where, 2)
        budget(stage, "web", 1)
        stage.allow_page("drain-node")
        play, operation = stage.play("drain-node", node=where), new()
        told: list[str] = []

        async def meanwhile(cluster: Any) -> Any:
            request, stuck = play.request(cluster), asyncio.Event()

            def heard() -> None:
                told.append(request.journal.said)
                if "1 pod cannot go yet" in told[-1]:
                    stuck.set()

            request.journal.listen(heard)
            running = asyncio.create_task(play.action.run(request, operation))
            await asyncio.wait_for(stuck.wait(), 30)
            budgets = f"/apis/policy/v1/namespaces/{stage.namespace}/poddisruptionbudgets/web"
            await asyncio.to_thread(stage.admin, "DELETE", budgets)
            return await running

        assert stage.act(meanwhile).message == drained(where, "2 pods")
        assert f"Node {where} is cordoned, 1 pod evicted; 1 pod cannot go yet: " in told[0]
        assert told[-1] == f"Node {where} is cordoned, 2 pods evicted"

    def test_pods_that_come_back_to_a_cordoned_node_are_named(self, stage: Stage, where: str) -> None:
        stage.allow_page("drain-node")
        play, operation = stage.play("drain-node", node=where), new()
        play.run(operation)
        make_pod(stage, "back", spec={"nodeName": where})
        with pytest.raises(EffectFailed, match=rf"has new pods, .*{stage.namespace}/back"):
            play.verify(operation)

    def test_somebody_who_uncordons_it_meanwhile_ends_it(self, stage: Stage, where: str) -> None:
        workload(stage, "web", where, 1)
        budget(stage, "web", 1)
        stage.allow_page("drain-node")
        play, operation = stage.play("drain-node", node=where), new()
        back = stage.play("uncordon-node", node=where)

        async def meanwhile(cluster: Any) -> Any:
            request, stuck = play.request(cluster), asyncio.Event()
            request.journal.listen(stuck.set)
            running = asyncio.create_task(play.action.run(request, operation))
            await asyncio.wait_for(stuck.wait(), 30)
            await back.action.run(back.request(cluster), new())
            return await running

        with pytest.raises(PermanentFailure, match="somebody uncordoned"):
            stage.act(meanwhile)
        assert not is_cordoned(stage, where)
        with pytest.raises(PermanentFailure, match="somebody uncordoned"):
            play.verify(operation)

    def test_one_that_was_cordoned_before_is_not_uncordoned_by_the_undo(self, stage: Stage, where: str) -> None:
        workload(stage, "web", where, 1)
        stage.allow_page("drain-node")
        stage.play("cordon-node", node=where).run(new())
        shown = stage.play("drain-node", node=where).preview()
        assert [change.path for change in shown.changes] == ["pods"]
        assert shown.undo is None

    def test_a_node_that_is_not_there(self, stage: Stage) -> None:
        stage.allow_page("drain-node")
        with pytest.raises(NotFound, match="Node nope does not exist"):
            stage.play("drain-node", node="nope").preview()


KEY = "example.com/maintenance"
THEIRS: Json = {"key": OWN, "effect": "NoSchedule"}


def taints(stage: Stage, where: str) -> list[Json]:
    """Without those that controllers set by themselves."""
    return [one for one in found(stage, where)["spec"].get("taints", ()) if "node.kubernetes.io" not in one["key"]]


class TestTaint:
    def test_set_changed_and_taken_back_step_by_step(self, stage: Stage, where: str) -> None:
        stage.allow_page("taint-node")
        about = {"node": where, "key": KEY, "effect": "NoSchedule"}
        play, operation = stage.play("taint-node", **about, value="disk"), new()
        first = play.preview()
        path = f"spec.taints[{KEY}:NoSchedule]"
        assert first.changes == (Change(target=f"Node {where}", path=path, before=None, after="disk"),)
        assert taints(stage, where) == [THEIRS]
        assert play.observe(operation) is None
        play.run(operation)
        play.run(operation)
        assert isinstance(play.observe(operation), Done)
        assert play.verify(operation).ok
        assert taints(stage, where) == [THEIRS, {"key": KEY, "effect": "NoSchedule", "value": "disk"}]
        assert play.preview().changes == ()

        with pytest.raises(PermanentFailure, match=r"has value 'disk', parameters\.expectedValue does not say"):
            stage.play("taint-node", **about, value="cpu").run(new())
        changes = stage.play("taint-node", **about, value="cpu", expectedValue="disk")
        second = changes.preview()
        assert (second.changes[0].before, second.changes[0].after) == ("disk", "cpu")
        changes.run(new())
        assert taints(stage, where)[1]["value"] == "cpu"

        with pytest.raises(PermanentFailure, match=r"has value 'cpu', parameters\.expectedValue says 'disk'"):
            stage.play(first.undo.action, **first.undo.parameters).run(new())
        for undo in (second.undo, first.undo):
            back, again = stage.play(undo.action, **undo.parameters), new()
            back.run(again)
            assert back.verify(again).ok
        assert taints(stage, where) == [THEIRS]

    def test_taken_off_and_put_back(self, stage: Stage, where: str) -> None:
        stage.allow_page("untaint-node")
        about = {"node": where, "key": OWN, "effect": "NoSchedule"}
        play, operation = stage.play("untaint-node", **about), new()
        shown = play.preview()
        assert (shown.changes[0].before, shown.changes[0].after) == ("", None)
        assert shown.undo == Undo(action="taint-node", parameters=about)
        assert play.observe(operation) is None
        play.run(operation)
        play.run(operation)
        assert play.verify(operation).ok
        assert isinstance(play.observe(operation), Done)
        assert taints(stage, where) == []
        stage.play("taint-node", **shown.undo.parameters).run(new())
        assert taints(stage, where) == [THEIRS]

    def test_only_the_expected_value_is_taken_off(self, stage: Stage, where: str) -> None:
        stage.allow_page("untaint-node")
        play = stage.play("untaint-node", node=where, key=OWN, effect="NoSchedule", expectedValue="x")
        with pytest.raises(PermanentFailure, match=r"has value '', parameters\.expectedValue says 'x'"):
            play.preview()
        assert taints(stage, where) == [THEIRS]

    def test_others_who_write_taints_at_the_same_time_are_not_overwritten(self, stage: Stage, where: str) -> None:
        stage.allow_page("taint-node")
        plays = [stage.play("taint-node", node=where, key=f"k{n}", effect="NoSchedule") for n in range(3)]

        async def at_once(cluster: Any) -> None:
            await asyncio.gather(*(play.action.run(play.request(cluster), new()) for play in plays))

        stage.act(at_once)
        assert {one["key"] for one in taints(stage, where)} == {OWN, "k0", "k1", "k2"}

    def test_no_execute_tells_which_pods_go(self, stage: Stage, where: str) -> None:
        workload(stage, "web", where, 1)
        (pod,) = running_on(stage, where)
        stage.allow_page("taint-node")
        play = stage.play("taint-node", node=where, key=KEY, effect="NoExecute")
        assert play.preview().warnings == (
            f"1 pod on Node {where} go, whatever disruption budgets say: {stage.namespace}/{pod}",
        )
        assert stage.play("taint-node", node=where, key=KEY, effect="NoSchedule").preview().warnings == ()
        tolerated = stage.play("taint-node", node=where, key=OWN, effect="NoExecute")
        assert tolerated.preview().warnings == ()

    def test_without_the_right_to_list_pods_it_says_so(self, stage: Stage, where: str) -> None:
        stage.allow({"apiGroups": [""], "resources": ["nodes"], "verbs": ["get", "patch"]}, cluster_wide=True)
        shown = stage.play("taint-node", node=where, key=KEY, effect="NoExecute").preview()
        assert "may not list pods" in shown.warnings[0]

    def test_the_taint_of_cordoning_is_refused(self, stage: Stage, where: str) -> None:
        stage.allow_page("untaint-node")
        about = {"node": where, "key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}
        with pytest.raises(PermanentFailure, match="use cordon-node, uncordon-node"):
            stage.play("untaint-node", **about).preview()
