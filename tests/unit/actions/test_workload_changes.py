"""The pure parts of the types for workloads: quantities, revisions, marks, what a change waits for."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from uuid import UUID

import pytest

from controller.actions.marks import is_marked_by, is_marked_since, mark
from controller.actions.pause_rollout import unfinished
from controller.actions.quantities import amount, same
from controller.actions.revisions import Revision, history, selector
from controller.actions.rollouts import arrived, held_back
from controller.actions.set_hpa_bounds import obeyed
from controller.actions.set_resources import SetResources, SetResourcesParameters
from controller.core.operation import new_operation, operation_time
from controller.core.ports import Cluster, Json, Operation, Request, Target

NOW = datetime(2026, 11, 22, 15, 0, tzinfo=UTC)
TARGET = Target("apps/v1", "Deployment", "web", "shop")


@pytest.mark.parametrize(
    ("one", "other"),
    [("500m", "0.5"), ("1", "1000m"), ("1Gi", "1024Mi"), ("1k", "1000"), ("1e3", "1k"), ("2E", "2000P"), ("0", "0Mi")],
)
def test_the_same_amount_in_other_words(one: str, other: str) -> None:
    assert amount(one) == amount(other)
    assert same({"cpu": one}, {"cpu": other})


@pytest.mark.parametrize(("one", "other"), [("1", "1m"), ("1M", "1Mi"), ("100m", "0.11")])
def test_other_amounts(one: str, other: str) -> None:
    assert not same({"cpu": one}, {"cpu": other})


def test_a_resource_that_only_one_has_is_a_difference() -> None:
    assert not same({"cpu": "1"}, {"cpu": "1", "memory": "1"})


@pytest.mark.parametrize("text", ["", "1x", "much", "1Kii", "i"])
def test_no_quantity(text: str) -> None:
    with pytest.raises(ValueError, match="is no quantity"):
        amount(text)


def test_a_selector_as_a_query() -> None:
    assert (
        selector(
            {
                "matchLabels": {"app": "web"},
                "matchExpressions": [
                    {"key": "tier", "operator": "In", "values": ["a", "b"]},
                    {"key": "old", "operator": "DoesNotExist"},
                    {"key": "x", "operator": "NotIn", "values": ["y"]},
                    {"key": "z", "operator": "Exists"},
                ],
            }
        )
        == "app=web,tier in (a,b),!old,x notin (y),z"
    )


class Listed:
    """A cluster that lists what it was given."""

    def __init__(self, *items: Json) -> None:
        self._items = items

    async def list(self, *_: object, **__: object) -> tuple[Json, ...]:
        return self._items


def replica_set(revision: str | None, image: str, owner: str = "u1") -> Json:
    annotations = {"deployment.kubernetes.io/revision": revision} if revision else {}
    labels = {"app": "web", "pod-template-hash": "abc"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "main", "image": image}]}}
    owners = [{"uid": owner, "controller": True}]
    return {"metadata": {"annotations": annotations, "ownerReferences": owners}, "spec": {"template": template}}


def test_revisions_are_those_of_the_deployment_by_number() -> None:
    workload = {"kind": "Deployment", "metadata": {"uid": "u1"}, "spec": {"selector": {"matchLabels": {"app": "web"}}}}
    listed = Listed(
        replica_set("10", "b"), replica_set("9", "a"), replica_set("11", "c", "other"), replica_set(None, "d")
    )
    found = asyncio.run(history(cast("Cluster", listed), workload))
    assert [str(revision) for revision in found] == ["revision 9 (main a)", "revision 10 (main b)"]
    assert found[0].template["metadata"]["labels"] == {"app": "web"}, "the hash is the ReplicaSet's own"


def test_a_controller_revision_is_a_template_without_its_patch_directive() -> None:
    template = {"$patch": "replace", "metadata": {}, "spec": {"containers": [{"name": "main", "image": "a"}]}}
    item = {
        "metadata": {"ownerReferences": [{"uid": "u1", "controller": True}]},
        "revision": 3,
        "data": {"spec": {"template": template}},
    }
    workload = {"kind": "DaemonSet", "metadata": {"uid": "u1"}, "spec": {"selector": {}}}
    (found,) = asyncio.run(history(cast("Cluster", Listed(item)), workload))
    assert found == Revision(3, {"metadata": {}, "spec": template["spec"]})


def operation(moment: datetime) -> Operation:
    identifier = new_operation(moment, UUID("0123456789abcdef0123456789abcdef"))
    return Operation(identifier, operation_time(identifier), moment + timedelta(minutes=5))


def request(uid: str) -> Request[Any]:
    return cast("Request[Any]", type("R", (), {"proposal_uid": uid})())


def test_a_mark_tells_whose_effect_it_was_and_since_when() -> None:
    ours, later = operation(NOW), operation(NOW + timedelta(seconds=1))
    marked = {"metadata": {"annotations": mark(request("u1"), ours.id)}}
    assert is_marked_by(marked, request("u1"))
    assert not is_marked_by(marked, request("u2"))
    assert not is_marked_since(marked, ours)
    assert not is_marked_since(marked, later)
    assert is_marked_since({"metadata": {"annotations": mark(request("u2"), later.id)}}, ours)
    assert not is_marked_since({"metadata": {}}, ours)


def workload(kind: str = "Deployment", **spec: Any) -> Json:
    status = {"observedGeneration": 2, "replicas": 2, "updatedReplicas": 1, "availableReplicas": 2}
    return {"kind": kind, "metadata": {"generation": 2}, "spec": {"replicas": 2, **spec}, "status": status}


def test_a_template_that_its_controller_holds_back_has_arrived_once_it_is_seen() -> None:
    paused = workload(paused=True)
    assert "resume-rollout" in held_back(paused, TARGET)[0]
    assert arrived(paused).ok
    assert not arrived({**paused, "metadata": {"generation": 3}}).ok
    assert arrived(workload("DaemonSet", updateStrategy={"type": "OnDelete"})).ok
    assert not arrived(workload()).ok
    assert held_back(workload(), TARGET) == ()


def test_what_a_rollout_lacks() -> None:
    assert unfinished(workload()) == "1 of 2 pods are new, 1 old, 2 available"
    gave_up = {"type": "Progressing", "reason": "ProgressDeadlineExceeded", "message": "timed out"}
    stuck = workload()
    stuck["status"]["conditions"] = [gave_up]
    assert "does not progress" in unfinished(stuck)


@pytest.mark.parametrize(
    ("status", "ok"),
    [
        ({"desiredReplicas": 2}, False),
        ({"desiredReplicas": 3}, True),
        ({"desiredReplicas": 6}, False),
        ({}, False),
        ({"conditions": [{"type": "ScalingActive", "status": "False", "reason": "ScalingDisabled"}]}, True),
        ({"conditions": [{"type": "ScalingActive", "status": "False", "reason": "FailedGetResourceMetric"}]}, False),
        ({"conditions": [{"type": "AbleToScale", "status": "False", "reason": "FailedGetScale"}]}, True),
    ],
)
def test_bounds_are_obeyed_when_what_is_wanted_is_within_them(status: Json, ok: bool) -> None:
    assert obeyed({"spec": {"minReplicas": 3, "maxReplicas": 5}, "status": status}).ok is ok


def test_resources_that_are_not_named_stay_and_none_takes_one_away() -> None:
    container = {"name": "main", "resources": {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"cpu": "2"}}}
    parameters = SetResourcesParameters.model_validate(
        {
            "kind": "Deployment",
            "name": "web",
            "container": "main",
            "requests": {"cpu": "500m"},
            "limits": {"cpu": "none"},
        }
    )
    action = SetResources()
    assert action.wanted(parameters, container) == {"requests": {"cpu": "500m", "memory": "1Gi"}}
    assert not action.is_so(parameters, container)
    after = {"name": "main", "resources": {"requests": {"cpu": "0.5", "memory": "1Gi"}}}
    assert action.is_so(parameters, after)
    assert action.back(parameters, container, after) == {
        "requests": {"cpu": "1"},
        "limits": {"cpu": "2"},
        "expected": {"requests": {"cpu": "0.5"}, "limits": {"cpu": "none"}},
    }
