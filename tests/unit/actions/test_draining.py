"""What becomes of each pod of a node that is drained."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.actions.draining import DrainNodeParameters, plan_of
from controller.actions.evictions import Patience
from controller.actions.pods import listed, losses, name_of
from controller.api.base import rfc3339
from controller.core.errors import PermanentFailure, Throttled
from controller.core.ports import Json

NOW = datetime(2026, 11, 22, 15, 4, 5, tzinfo=UTC)


def pod(name: str = "web-1", *, owner: str | None = "ReplicaSet", phase: str = "Running", **metadata: Any) -> Json:
    volumes = metadata.pop("volumes", ())
    owners = [{"kind": owner, "name": "x", "controller": True}] if owner else []
    return {
        "metadata": {"name": name, "namespace": "shop", "uid": f"uid-{name}", "ownerReferences": owners, **metadata},
        "spec": {"volumes": [{"name": volume, "emptyDir": {}} for volume in volumes]},
        "status": {"phase": phase},
    }


MIRROR = {"annotations": {"kubernetes.io/config.mirror": "x"}}


def ending(seconds_ago: float) -> dict[str, str]:
    return {"deletionTimestamp": rfc3339(NOW - timedelta(seconds=seconds_ago))}


FATES = [
    ("of a ReplicaSet", pod(), {}, "evict"),
    ("of a DaemonSet", pod(owner="DaemonSet"), {}, "stay"),
    ("of a DaemonSet, with data", pod(owner="DaemonSet", volumes=["scratch"]), {}, "stay"),
    ("static", pod(owner="Node", **MIRROR), {}, "stay"),
    ("with an emptyDir", pod(volumes=["scratch"]), {}, "refused"),
    ("with an emptyDir that may be lost", pod(volumes=["scratch"]), {"delete_empty_dir_data": True}, "evict"),
    ("finished, with an emptyDir", pod(volumes=["scratch"], phase="Succeeded"), {}, "evict"),
    ("of nobody", pod(owner=None), {}, "refused"),
    ("of nobody, by force", pod(owner=None), {"force": True}, "evict"),
    ("of nobody, finished", pod(owner=None, phase="Failed"), {}, "evict"),
    ("ending", pod(**ending(-30)), {}, "ending"),
    ("ending, with an emptyDir", pod(volumes=["scratch"], **ending(-30)), {}, "ending"),
    ("long overdue", pod(**ending(3600)), {}, "ending"),
    ("overdue for longer than it is waited for", pod(**ending(61)), {"skip_wait_for_delete_timeout_seconds": 60}, ""),
    ("overdue, and waited for", pod(**ending(59)), {"skip_wait_for_delete_timeout_seconds": 60}, "ending"),
]  # fmt: skip


@pytest.mark.parametrize(("one", "parameters", "fate"), [row[1:] for row in FATES], ids=[row[0] for row in FATES])
def test_what_becomes_of_a_pod(one: Json, parameters: dict[str, Any], fate: str) -> None:
    plan = plan_of([one], DrainNodeParameters(node="n1", **parameters), NOW)
    found = {name for name in ("evict", "ending", "stay", "refused") if getattr(plan, name)}
    assert found == ({"evict", "refused"} if fate == "refused" else {fate} - {""})
    assert plan.is_empty is (fate in ("", "stay"))


def test_a_refusal_names_the_pods_and_the_parameter() -> None:
    pods = [pod("b", owner=None), pod("a", volumes=["scratch"]), pod("c", owner="DaemonSet"), pod("d")]
    plan = plan_of(pods, DrainNodeParameters(node="n1", ignore_daemon_sets=False), NOW)
    assert plan.refused == (
        "shop/c belong to DaemonSets: set parameters.ignoreDaemonSets to true if they may stay there",
        "shop/a have emptyDir volumes: set parameters.deleteEmptyDirData to true if they may go with their data",
        "shop/b have no controller: set parameters.force to true if they may go for good",
    )


def test_losses_are_told_of_what_runs() -> None:
    assert losses(pod()) == ()
    assert losses(pod(owner=None, volumes=["a", "b"])) == (
        "Pod shop/web-1 has no controller: nothing makes it anew",
        "Pod shop/web-1 loses the content of its emptyDir volumes a, b",
    )
    assert losses(pod(owner=None, phase="Failed")) == ()


def test_long_lists_are_cut_and_counted() -> None:
    assert listed(["a", "b"], 2) == "a, b"
    assert listed(["a", "b", "c", "d"], 2) == "a, b and 2 more"


@given(st.permutations([pod(name) for name in "abcd"]))
def test_the_order_in_which_pods_are_found_does_not_matter(pods: list[Json]) -> None:
    plan = plan_of(pods, DrainNodeParameters(node="n1"), NOW)
    assert [name_of(one) for one in plan.evict] == ["shop/a", "shop/b", "shop/c", "shop/d"]


class TestPatience:
    def test_it_waits_longer_each_time_but_never_long(self) -> None:
        patience = Patience(lambda: NOW, NOW + timedelta(hours=1), lambda: 0.0)
        assert [patience.next_wait() for _ in range(6)] == [0.5, 1, 2, 4, 5, 5]
        patience.begin_anew()
        assert patience.next_wait() == 0.5

    def test_it_waits_as_long_as_it_is_asked_to(self) -> None:
        patience = Patience(lambda: NOW, NOW + timedelta(hours=1), lambda: 0.0)
        refusals = Throttled("busy", retry_after_seconds=10), Throttled("full"), PermanentFailure("no")
        assert patience.next_wait(*refusals) == 10

    def test_it_gives_up_before_it_would_be_too_late(self) -> None:
        patience = Patience(lambda: NOW, NOW + timedelta(seconds=1), lambda: 0.0)
        assert patience.next_wait() == 0.5
        assert patience.next_wait() is None
