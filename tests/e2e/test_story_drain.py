"""A long story: three nodes are drained one by one while a service stays at 80 % ready; what fails takes all back."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
from harness.catalogue.case import REGISTRY
from harness.catalogue.nodes import node
from harness.catalogue.playing import soon
from harness.objects import Objects
from harness.runners import runner_of
from harness.stage import Json, Stage, deployment, workflow

from controller.actions.about import Right

POOL = "test.actionoperator.dev/pool"
REPLICAS, LEAST = 10, 8
DRAINED = ("a", "b", "c")
SPARE = "d"
RUNNER = "drainer"
ACTIONS = ("drain-node", "uncordon-node")
LOOKS = Right("apps", ("deployments",), ("get",))


@dataclass
class Story:
    """A service spread over four nodes, three of which are to be drained."""

    stage: Stage
    objects: Objects
    prefix: str
    ready: list[int] = field(default_factory=list)
    """How many pods of the service were ready, over and over."""

    def node(self, letter: str) -> str:
        return f"{self.prefix}-{letter}"

    def cordoned(self) -> list[str]:
        """The letters of the nodes that are."""
        nodes = {letter: self.objects.get("v1", "Node", self.node(letter)) for letter in (*DRAINED, SPARE)}
        return [letter for letter, found in nodes.items() if found["spec"].get("unschedulable")]

    def pods(self, letter: str) -> list[str]:
        """What runs on that node, by app."""
        found = [pod for pod in self.objects.list("v1", "Pod") if pod["spec"].get("nodeName") == self.node(letter)]
        return sorted(pod["metadata"]["labels"]["app"] for pod in found if "deletionTimestamp" not in pod["metadata"])

    @contextmanager
    def watched(self) -> Iterator[None]:
        """The service is looked at until left."""
        done = threading.Event()

        def look() -> None:
            while not done.wait(0.03):
                found = self.objects.get("apps/v1", "Deployment", "service")
                self.ready.append(found["status"].get("readyReplicas", 0))

        watcher = threading.Thread(target=look)
        watcher.start()
        try:
            yield
        finally:
            done.set()
            watcher.join()

    def drains(self, **seconds: int) -> list[Json]:
        """One node after the other; before and after each the service is at 80 % ready."""
        check = {
            "resource": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "service"},
            "expression": "object.status.readyReplicas * 10 >= object.spec.replicas * 8",
        }
        return [
            {"name": f"drain-{letter}", "action": "drain-node", "parameters": {"node": self.node(letter)},
             "timeoutSeconds": seconds.get(letter, 60), "preconditions": [check], "verify": [check]}
            for letter in DRAINED
        ]  # fmt: skip

    def run(self, name: str, **seconds: int) -> None:
        """Proposes it. `seconds`: how long the drain of a node, by its letter, may take."""
        spec = {"onFailure": "Rollback", "retry": {"maxAttempts": 1}, "serviceAccountName": RUNNER}
        self.objects.create(workflow(name, self.drains(**seconds), **spec))


def in_pool(name: str, replicas: int, *, where: str = "") -> Json:
    """A Deployment on the story's nodes, ready a moment after it is scheduled, by default spread over them."""
    made = deployment(name, replicas)
    template = made["spec"]["template"]
    template["metadata"]["annotations"] = {"localcluster.actionoperator.dev/ready-after": "700ms"}
    labels = {"matchLabels": {"app": name}}
    spread = {"maxSkew": 1, "topologyKey": POOL, "whenUnsatisfiable": "ScheduleAnyway", "labelSelector": labels}
    template["spec"] |= {
        "tolerations": [{"operator": "Exists", "key": "test.actionoperator.dev/own"}],
        "nodeSelector": {POOL: where} if where else {},
        "topologySpreadConstraints": [spread],
        "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
            {"matchExpressions": [{"key": POOL, "operator": "Exists"}]}]}}},
    }  # fmt: skip
    return made


def budget(app: str, least: int | str) -> Json:
    spec = {"minAvailable": least, "selector": {"matchLabels": {"app": app}}}
    return {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": app}, "spec": spec}


@pytest.fixture
def story(stage: Stage) -> Iterator[Story]:
    objects = Objects(stage.cluster, stage.namespace)
    told = Story(stage, objects, stage.namespace)
    rights = [right for action in ACTIONS for right in REGISTRY[action].about.rights] + [LOOKS]
    nodes = [node(told.node(letter)) for letter in (*DRAINED, SPARE)]
    for one, letter in zip(nodes, (*DRAINED, SPARE), strict=True):
        one["metadata"]["labels"] = {POOL: letter}
    made = [*runner_of(RUNNER, stage.namespace, rights), *nodes]
    for body in made:
        objects.create(body)
    for one in nodes:
        soon(lambda one=one: taints(objects, one), one["spec"]["taints"], "a node that takes pods")
    service = (in_pool("service", REPLICAS), budget("service", "80%"))
    for body in service:
        objects.create(body)
    made += service
    soon(lambda: allowed(objects, "service"), REPLICAS - LEAST, "its budget")
    assert all(told.pods(letter) for letter in DRAINED), "the service is on every node"
    yield told
    for body in reversed(made):
        objects.delete(body, wait=True)


def taints(objects: Objects, one: Json) -> list[Json] | None:
    """None while the node is not ready."""
    found = objects.get("v1", "Node", one["metadata"]["name"])
    ready = [each["status"] for each in found["status"].get("conditions", ()) if each["type"] == "Ready"]
    return found["spec"].get("taints") if ready == ["True"] else None


def allowed(objects: Objects, app: str) -> int:
    """How many pods may be disrupted now."""
    found = objects.get("policy/v1", "PodDisruptionBudget", app)
    return found.get("status", {}).get("disruptionsAllowed", -1)


def test_three_nodes_are_drained_one_by_one_and_the_service_stays_up(story: Story) -> None:
    with story.watched():
        story.run("drains")
        status = story.stage.outcome("aw", "drains", seconds=120)
    assert status["outcome"] == "Succeeded", status["message"]
    assert story.cordoned() == list(DRAINED)
    assert [story.pods(letter) for letter in DRAINED] == [[], [], []]
    assert story.pods(SPARE) == ["service"] * REPLICAS
    assert min(story.ready) >= LEAST
    assert min(story.ready) < REPLICAS, "nothing was seen to move"


def test_all_is_taken_back_when_the_second_drain_meets_a_budget(story: Story) -> None:
    stage, objects = story.stage, story.objects
    legacy = (in_pool("legacy", 1, where="b"), budget("legacy", 1))
    for body in legacy:
        objects.create(body)
    soon(lambda: objects.get("policy/v1", "PodDisruptionBudget", "legacy").get("status", {}).get("currentHealthy"), 1,
         "the legacy budget")  # fmt: skip
    with story.watched():
        story.run("drains-back", b=20)
        status = stage.wait("aw", "drains-back", lambda found: found.get("progress") == "1/3", seconds=60)
        child = next(
            step["proposal"] for step in stage.status("aw", "drains-back")["steps"] if step["name"] == "drain-b"
        )
        told = stage.wait("ap", child, lambda found: "cannot go yet" in found.get("message", ""), seconds=30)
        assert told["phase"] == "Running"
        assert "disruption budget legacy" in told["message"]
        assert story.cordoned() == ["a", "b"]
        status = stage.outcome("aw", "drains-back", seconds=60)
    assert status["outcome"] == "Failed"
    assert "taken back: drain-a, drain-b" in status["message"]
    steps = {step["name"]: step for step in status["steps"]}
    assert [steps[f"drain-{letter}"]["outcome"] for letter in DRAINED] == ["Succeeded", "Failed", "Skipped"]
    for words in ("is cordoned but not drained", f"{stage.namespace}/legacy", "The disruption budget legacy needs 1"):
        assert words in steps["drain-b"]["message"]
    rollbacks = [steps[f"drain-{letter}"]["rollback"] for letter in ("b", "a")]
    assert [rollback["outcome"] for rollback in rollbacks] == ["Succeeded", "Succeeded"]
    ends = [stage.status("ap", rollback["proposal"])["completedAt"] for rollback in rollbacks]
    assert ends == sorted(ends), "the newest is taken back first"
    assert story.cordoned() == []
    assert story.pods("b") == ["legacy"]
    assert min(story.ready) >= LEAST
    failed = stage.get("ap", child)["status"]
    assert failed["undo"] == {"action": "uncordon-node", "parameters": {"node": story.node("b")}}
    writes = [entry for entry in stage.writes(child) if "/actionproposals/" in entry["requestURI"]]
    assert len(writes) <= 4, "claim, progress at 10 s and perhaps at 20 s, result"
    for body in legacy:
        objects.delete(body, wait=True)
