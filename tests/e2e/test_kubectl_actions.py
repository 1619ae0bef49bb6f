"""`kubectl actions` and ActionClient against the running operator: propose, watch, wait, cancel, undo."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import yaml
from harness.commands import actions
from harness.stage import RUNNER, Stage, deployment

from controller.client import ActionClient, ActionProposal, ActionRecommendation, ActionWorkflow, RetryConfig
from hack.hook_target import HookTarget

T = TypeVar("T")


def program(stage: Stage, work: Callable[[ActionClient], Awaitable[T]]) -> T:
    async def with_client() -> T:
        async with ActionClient(kubeconfig=str(stage.cluster.kubeconfig), namespace=stage.namespace) as client:
            return await work(client)

    return asyncio.run(with_client())


def replicas(stage: Stage, name: str) -> str:
    return stage.kubectl("get", "deployment", name, "-o", "jsonpath={.spec.replicas}")


def test_a_program_scales_and_a_person_takes_it_back(stage: Stage) -> None:
    stage.apply(deployment("checkout", 2))

    async def scale(client: ActionClient) -> ActionProposal:
        made = await client.propose_action(
            "scale-workload",
            {"kind": "Deployment", "name": "checkout", "replicas": 4},
            reason="queue depth is four times normal",
            name="scale",
            service_account_name=RUNNER,
        )
        return await client.wait(made.metadata.name, ActionProposal, timeout_seconds=60)

    assert program(stage, scale).status.outcome == "Succeeded"
    assert replicas(stage, "checkout") == "4"

    code, page, _ = actions(stage, "describe", "scale")
    assert code == 0
    assert f"  Deployment {stage.namespace}/checkout  spec.replicas  2 -> 4" in page.splitlines()
    (command,) = [line.strip() for line in page.splitlines() if "kubectl actions undo" in line]
    assert command == f"kubectl actions undo ap/scale -n {stage.namespace}"

    code, said, error = actions(stage, "undo", "scale", "--wait")
    assert (code, error) == (0, "")
    assert "ap/scale-undo Succeeded" in said
    assert replicas(stage, "checkout") == "2"
    code, _, error = actions(stage, "undo", "scale")
    assert code == 1
    assert "ap/scale-undo is there already" in error


def test_an_undo_manifest_can_be_applied(stage: Stage) -> None:
    stage.apply(deployment("cart", 1))
    stage.propose("cart", "scale-workload", {"kind": "Deployment", "name": "cart", "replicas": 2})
    assert actions(stage, "wait", "cart", "--timeout", "1m")[0] == 0
    manifest = yaml.safe_load(actions(stage, "undo", "cart", "-o", "yaml", "--name", "cart-back")[1])
    stage.apply(manifest)
    assert actions(stage, "wait", "cart-back", "--timeout", "1m")[0] == 0
    assert replicas(stage, "cart") == "1"


def test_a_retry_is_counted_down_and_can_be_cancelled(stage: Stage, hook: HookTarget) -> None:
    url = hook.script("/cli-busy", [429] * 9)
    retry = RetryConfig(max_attempts=5, min_wait_seconds=40, max_wait_seconds=60)
    program(
        stage,
        lambda client: client.propose_action(
            "http-request", {"method": "PUT", "url": url}, reason="r", name="busy", retry=retry
        ),
    )
    stage.phase("ap", "busy", "Retrying")
    line = next(line for line in actions(stage, "list", "--live")[1].splitlines() if line.startswith("ap/busy"))
    assert re.search(r"Retrying +1 \(in [3-6]\ds\)", line)
    code, _, error = actions(stage, "wait", "busy", "--timeout", "0.3s")
    assert code == 124
    assert re.search(r"Retrying: attempt 1 of 5 failed.*; next attempt in [3-6]\d s", error)

    assert actions(stage, "cancel", "busy")[0] == 0
    assert actions(stage, "wait", "busy", "--timeout", "30s")[0] == 13
    assert len(hook.seen("/cli-busy")) == 1


def test_a_workflow_is_watched_to_its_end(stage: Stage) -> None:
    steps = [ActionRecommendation("wait", {"seconds": 1}), {"action": "log-message", "parameters": {"message": "done"}}]
    program(stage, lambda client: client.propose_workflow("flow", "Wait, then tell", steps, "OPS-7"))
    code, said, _ = actions(stage, "watch", "aw/flow")
    assert code == 0
    assert "aw/flow Succeeded" in said.splitlines()[-1]
    _, page, _ = actions(stage, "describe", "flow")
    rows = [line.split()[:3] for line in page.splitlines() if line.startswith(("  wait ", "  log-message "))]
    assert rows == [["wait", "wait", "Succeeded"], ["log-message", "log-message", "Succeeded"]]
    code, _, error = actions(stage, "undo", "flow")
    assert code == 1
    assert error == (
        "error: none of the steps of flow can be undone: wait: nothing takes wait back; "
        "log-message: nothing takes log-message back\n"
    )


def test_a_workflow_is_drawn_taken_back_and_tried_again(stage: Stage, hook: HookTarget) -> None:
    stage.apply(deployment("stock", 1))
    scale = {"kind": "Deployment", "name": "stock", "replicas": 3}
    call = {"method": "PUT", "url": hook.script("/again", [400])}
    steps = [
        ActionRecommendation("scale-workload", scale, name="grow"),
        ActionRecommendation("http-request", call, name="tell"),
    ]
    program(stage, lambda client: client.propose_workflow("sale", "Grow, then tell", steps, service_account_name="ops"))
    assert actions(stage, "wait", "sale", "--timeout", "30s")[0] == 10
    _, drawn, _ = actions(stage, "graph", "sale")
    assert [line.split()[:4] for line in drawn.splitlines()[2:4]] == [
        ["✓", "grow", "scale-workload", "Succeeded"],
        ["└─", "✗", "tell", "http-request"],
    ]
    assert actions(stage, "graph", "sale", "-o", "mermaid")[1].startswith("flowchart TD\n")

    code, said, error = actions(stage, "retry", "sale", "--wait")
    assert code == 0, error
    assert "aw/sale-retry is proposed: it runs what did not succeed in aw/sale" in said
    retried = stage.status("aw", "sale-retry")
    assert retried["steps"][0]["reason"] == "TakenFromEarlier"
    assert len(hook.seen("/again")) == 2

    code, said, error = actions(stage, "undo", "sale", "--wait")
    assert code == 0, error
    assert "aw/sale-undo is proposed: it takes back grow of aw/sale" in said
    assert stage.kubectl("get", "deployment", "stock", "-o", "jsonpath={.spec.replicas}") == "1"
    assert actions(stage, "retry", "sale-retry")[0] == 1


def test_a_suspended_workflow_waits_for_resume(stage: Stage) -> None:
    async def begin(client: ActionClient) -> Any:
        await client.propose_workflow("calm", "Wait twice", [{"action": "wait", "parameters": {"seconds": 2}}] * 2)
        return await client.suspend("calm", ActionWorkflow)

    program(stage, begin)
    stage.phase("aw", "calm", "Blocked")
    assert "go on with: kubectl actions resume aw/calm" in actions(stage, "describe", "calm")[1]
    assert actions(stage, "resume", "calm")[1] == "aw/calm goes on\n"
    assert actions(stage, "wait", "calm", "--timeout", "1m")[0] == 0


def test_what_ends_badly_says_so_by_its_code(stage: Stage) -> None:
    stage.propose("missing", "scale-workload", {"kind": "Deployment", "name": "nowhere", "replicas": 1})
    code, said, _ = actions(stage, "wait", "missing", "--timeout", "1m")
    assert code == 10
    assert said.startswith("ap/missing Failed: ")
    assert "nowhere" in said


def test_the_catalogue_is_ready(stage: Stage) -> None:
    _, text, _ = actions(stage, "types", "scale-workload")
    assert text.splitlines()[0] == "scale-workload  risk Medium, idempotent, ready"
