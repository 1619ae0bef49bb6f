"""What the process shows of itself, as Prometheus, a kubelet and people read it: metrics, probes, log."""

import json
import re
import secrets
import urllib.error
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from harness import scrape
from harness.operator import OperatorProcess
from harness.stage import Stage, proposal, staged
from harness.waiting import eventually
from proxy import FaultProxy, Outage, fault_proxy

from controller.operator.kinds import OURS
from hack.hook_target import HookTarget
from localcluster.controlplane import ControlPlane

PAGE = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text()
SERVED = ("--metrics-address", "127.0.0.1:0", "--health-address", "127.0.0.1:0", "--log-format", "json")
READY_SECONDS = 60.0
UNREADY_SECONDS = 90.0
"""Half a minute of patience, and a busy machine."""


@pytest.fixture(scope="module")
def namespace(cluster: ControlPlane) -> Iterator[str]:
    name = f"metrics-{secrets.token_hex(3)}"
    cluster.api().post("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    yield name
    cluster.api().delete(f"/api/v1/namespaces/{name}")


@pytest.fixture(scope="module")
def proxy(cluster: ControlPlane) -> Iterator[FaultProxy]:
    with fault_proxy(cluster.server, cluster.authority) as running:
        yield running


@pytest.fixture(scope="module")
def stage(
    cluster: ControlPlane,
    namespace: str,
    proxy: FaultProxy,
    operator_kubeconfig: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Stage]:
    """An operator that serves, behind a proxy that can break its watches."""
    folder = tmp_path_factory.mktemp("metrics")
    behind = proxy.kubeconfig(operator_kubeconfig, folder / "kubeconfig")
    with staged(cluster, behind, folder, namespace, options=(*SERVED, "--lease-seconds", "120")) as ready:
        yield ready


def page(operator: OperatorProcess, path: str) -> tuple[int, str]:
    """What the process answers: status and text."""
    what = "metrics" if path == "/metrics" else "probes"
    (server,) = re.findall(rf"{what} at (http://[^/]+)/", operator.log)
    try:
        return 200, scrape.get(server + path)
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def transitions(stage: Stage, name: str) -> list[dict[str, Any]]:
    """What the log says so far of one object; what is being written now has no end of line yet."""
    lines = [json.loads(line) for line in stage.operator.log.splitlines(keepends=True) if line.endswith("\n")]
    return [line for line in lines if line["logger"] == "actionoperator.transitions" and line["name"] == name]


def documented() -> set[str]:
    """Names by which queries can ask, of all metrics in the table."""
    rows = re.findall(r"^\| `(actionoperator_\w+)` \| (\w+) \|", PAGE, re.MULTILINE)
    suffixes = {"histogram": scrape.SUFFIXES["histogram"]}
    return {name + suffix for name, kind in rows for suffix in suffixes.get(kind, ("",))}


def test_the_scrape_says_what_happened_and_nothing_that_people_typed(stage: Stage, hook: HookTarget) -> None:
    url = hook.script("/flaky", [503, 503])
    retry = {"maxAttempts": 5, "minWaitSeconds": 0.1, "maxWaitSeconds": 0.1}
    stage.propose("flaky", "http-request", {"method": "PUT", "url": url}, retry=retry)
    stage.propose("typo", "no-such-action", {})
    stage.propose("later", "log-message", {"message": "x"}, notBefore="2099-01-01T00:00:00Z")
    assert stage.outcome("ap", "flaky")["outcome"] == "Succeeded"
    assert stage.outcome("ap", "typo")["outcome"] == "Failed"
    stage.phase("ap", "later", "Scheduled")
    halting = stage.policy("stop", halt=True)
    eventually(lambda: scrape.value(page(stage.operator, "/metrics")[1], "actionoperator_halted") == 1, "halted", 10)
    _, text = page(stage.operator, "/metrics")
    stage.delete_policies(halting)
    assert {name for name in scrape.names(text) if name.startswith("actionoperator_")} == documented()
    assert "no-such" not in text
    assert scrape.values(text, "actionoperator_actions_total", kind="ActionProposal") == {
        ("http-request", "Succeeded"): 1,
        ("unknown", "Failed"): 1,
    }
    assert scrape.value(text, "actionoperator_retries_total", action="http-request") == 2
    attempts = scrape.values(text, "actionoperator_attempt_duration_seconds_count", action="http-request")
    assert attempts == {("Unknown",): 2, ("Succeeded",): 1}
    assert scrape.value(text, "actionoperator_objects", kind="ActionProposal", phase="Scheduled") == 1
    assert scrape.value(text, "actionoperator_is_leader") == 1
    assert scrape.value(text, "actionoperator_event_loop_lag_seconds_count") > 0
    for verb in ("get", "list", "watch", "create", "patch"):
        assert scrape.value(text, "actionoperator_api_requests_total", verb=verb) > 0, verb
    ages = scrape.values(text, "actionoperator_watch_age_seconds")
    assert len(ages) == len(OURS) + 1, "our kinds, and namespaces"
    assert all(age < 75 for age in ages.values()), ages
    assert scrape.value(text, "actionoperator_audit_records_lost_total") == 0


def test_every_transition_is_one_line_of_json_with_its_attempt(stage: Stage) -> None:
    stage.propose("told", "log-message", {"message": "x"})
    attempts, history = (stage.outcome("ap", "told")[part] for part in ("attempts", "history"))
    eventually(lambda: "Completed" in [line["reason"] for line in transitions(stage, "told")], "the log tells it", 10)
    told = transitions(stage, "told")
    assert [(line["n"], line["reason"]) for line in told] == [(entry["n"], entry["reason"]) for entry in history]
    of_attempt = {line["reason"] for line in told if line.get("attempt") == attempts[-1]["id"]}
    assert of_attempt == {"Executing", "Completed"}


def test_a_standby_is_ready_and_knows_the_objects(
    stage: Stage, operator_kubeconfig: Path, tmp_path: Path, namespace: str
) -> None:
    stage.propose("known", "log-message", {"message": "x"}, notBefore="2099-01-01T00:00:00Z")
    stage.phase("ap", "known", "Scheduled")
    standby = OperatorProcess(
        operator_kubeconfig, tmp_path, namespace=namespace, lease_name=namespace,
        options=(*SERVED, "--identity", "standby"),
    )  # fmt: skip
    standby.start(wait=False)
    try:
        eventually(lambda: "probes at" in standby.log, "it serves", READY_SECONDS)
        eventually(lambda: page(standby, "/readyz")[0] == 200, "the standby is ready", READY_SECONDS)
        _, text = page(standby, "/metrics")
        assert scrape.value(text, "actionoperator_is_leader") == 0
        assert scrape.value(text, "actionoperator_queue_depth") == 0
        of_leader = page(stage.operator, "/metrics")[1]
        for read in (text, of_leader):
            assert scrape.value(read, "actionoperator_objects", kind="ActionProposal", phase="Scheduled") >= 1
    finally:
        assert standby.stop() == 0


@pytest.mark.parametrize("kind", [Outage.UNHEARD, Outage.REFUSED])
def test_readiness_fails_without_watches_and_comes_back_and_the_process_stays(
    kind: Outage, stage: Stage, proxy: FaultProxy
) -> None:
    operator = stage.operator
    eventually(lambda: page(operator, "/readyz") == (200, "ok\n"), "it is ready to begin with", READY_SECONDS)
    name, process = f"meanwhile-{kind}", operator.pid

    def unready() -> bool:
        assert page(operator, "/healthz")[0] == 200, "a kubelet would start it anew"
        status, told = page(operator, "/readyz")
        return status == 503 and "the watch of actionproposals has been broken for" in told

    with proxy.outage(kind):
        stage.apply(proposal(name, "log-message", {"message": "x"}, suspend=True))
        eventually(unready, lambda: f"it is not ready: {page(operator, '/readyz')}", UNREADY_SECONDS)
        age = scrape.value(page(operator, "/metrics")[1], "actionoperator_watch_age_seconds", kind="ActionProposal")
        assert age > 25
    eventually(lambda: page(operator, "/readyz") == (200, "ok\n"), "it is ready again", READY_SECONDS)
    stage.phase("ap", name, "Blocked")
    assert (operator.pid, operator.exit_code()) == (process, None)
