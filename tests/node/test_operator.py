"""The operator as two real pods: the leader is killed in the middle of an action, the other brings it to its end."""

import json

import pytest
from harness.cluster_install import Operators, install
from harness.cluster_pods import Pods
from harness.helm import NAME, PLACE, Helm, helm_of
from harness.stage import Stage, runner_objects

from localcluster.node.images import BUSYBOX

pytestmark = pytest.mark.timeout(1800)  # kubelet or the image may have to be built
SHOP = "shop"


@pytest.fixture(scope="module")
def helm(pods: Pods, tmp_path_factory: pytest.TempPathFactory) -> Helm:
    return helm_of(tmp_path_factory.mktemp("helm"), pods)


@pytest.fixture(scope="module")
def operators(pods: Pods, image: str, helm: Helm) -> Operators:
    """The chart, installed."""
    return install(pods, image, helm)


@pytest.fixture(scope="module")
def shop(pods: Pods, operators: Operators) -> Stage:
    """A namespace with a runner and a policy that lets actions run."""
    operators.kubectl("create", "namespace", SHOP)
    stage = Stage(pods, SHOP, operators)
    stage.apply(*runner_objects(SHOP))
    stage.policy("execute", mode="Execute")
    operators.ready()
    return stage


def jobs(shop: Stage) -> list[str]:
    return shop.kubectl("get", "jobs", "-o", "name").split()


def test_both_replicas_are_ready_and_one_leads(shop: Stage, operators: Operators) -> None:
    assert len(operators.names()) == 2
    for pod in operators.pods():
        (container,) = pod["status"]["containerStatuses"]
        assert (container["ready"], container["restartCount"]) == (True, 0)
    assert operators.leader() in operators.names()


def test_a_job_of_an_action_really_runs(shop: Stage) -> None:
    shop.propose("hello", "run-job", {"image": BUSYBOX, "command": ["sh", "-c", "echo done by $(id -u) > /dev/stdout"]})
    status = shop.outcome("ap", "hello", seconds=60)
    assert status["outcome"] == "Succeeded", status
    (job,) = jobs(shop)
    assert shop.kubectl("logs", job) == "done by 0\n"


def test_the_leader_is_killed_and_the_action_still_runs_once(shop: Stage, operators: Operators) -> None:
    before = set(jobs(shop))
    first = operators.leader()
    shop.propose("long", "run-job", {"image": BUSYBOX, "command": ["sh", "-c", "echo begun; sleep 8; echo ended"]})
    operators.wait(
        lambda: any("begun" in shop.kubectl("logs", job, check=False) for job in set(jobs(shop)) - before),
        "the Job's pod runs",
    )

    operators.kill(first)

    operators.wait(lambda: operators.leader() not in ("", first), "another pod leads")
    assert operators.leader() in operators.names()
    status = shop.outcome("ap", "long", seconds=60)
    assert status["outcome"] == "Succeeded", status
    (job,) = set(jobs(shop)) - before
    made = json.loads(shop.kubectl("get", "pods", "-l", f"job-name={job.partition('/')[2]}", "-o", "json"))["items"]
    assert len(made) == 1
    assert shop.kubectl("logs", job) == "begun\nended\n"
    operators.ready()
    assert len(operators.names()) == 2


def test_uninstalled_nothing_runs_and_what_people_made_stays(shop: Stage, operators: Operators, helm: Helm) -> None:
    helm("uninstall", NAME, *PLACE, "--wait", "--timeout=110s")

    operators.wait(lambda: not operators.names(), "no pod of the operator")
    assert not operators.kubectl("get", "clusterrole", NAME, "--ignore-not-found")
    assert shop.status("ap", "long")["outcome"] == "Succeeded"
    shop.propose("later", "log-message", {"message": "nobody answers"})
    assert shop.get("ap", "later")["spec"]["action"] == "log-message"
    assert not shop.status("ap", "later").get("outcome")
