"""What is run while writes fail: each workload makes the manifests of one case."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from harness.stage import deployment, proposal, workflow

from hack.hook_target import HookTarget

Json = dict[str, Any]

RETRY = {"maxAttempts": 5, "minWaitSeconds": 0.1, "maxWaitSeconds": 0.2}


@dataclass(frozen=True)
class Workload:
    """`writes`: how many there are when nothing fails; `calls`: how many requests then leave the cluster."""

    name: str
    writes: int
    calls: int
    manifests: Callable[[str, HookTarget], list[Json]]
    """For a case of that name; the last one is what is run."""


def retried(name: str, hook: HookTarget) -> list[Json]:
    """An idempotent call whose first answer is lost."""
    parameters = {"method": "PUT", "url": hook.script(f"/{name}", [503]), "body": {"case": name}}
    return [proposal(name, "http-request", parameters, retry=RETRY)]


def scale(name: str, hook: HookTarget) -> list[Json]:
    parameters = {"kind": "Deployment", "name": name, "replicas": 2}
    return [deployment(name, 1), proposal(name, "scale-workload", parameters, retry=RETRY)]


def post(name: str, hook: HookTarget) -> list[Json]:
    """At most once."""
    parameters = {"method": "POST", "url": f"{hook.url}/{name}", "body": {"case": name}}
    return [proposal(name, "http-request", parameters, retry=RETRY)]


def restart(name: str, hook: HookTarget) -> list[Json]:
    parameters = {"kind": "Deployment", "name": name}
    return [deployment(name, 1), proposal(name, "restart-rollout", parameters, retry=RETRY)]


def job(name: str, hook: HookTarget) -> list[Json]:
    """At most once, at the API server."""
    return [proposal(name, "run-job", {"image": "registry.example/tool:1"}, retry=RETRY)]


def three_steps(name: str, hook: HookTarget) -> list[Json]:
    steps = [
        {"name": "tell", "action": "log-message", "parameters": {"message": name}},
        {
            "name": "scale",
            "action": "scale-workload",
            "parameters": {"kind": "Deployment", "name": name, "replicas": 2},
        },
        {"name": "call", "action": "http-request", "parameters": {"method": "PUT", "url": f"{hook.url}/{name}"}},
    ]
    return [deployment(name, 1), workflow(name, steps, retry=RETRY)]


WORKLOADS = (
    Workload("retried", 7, 2, retried),
    Workload("scale", 5, 0, scale),
    Workload("restart", 5, 0, restart),
    Workload("post", 4, 1, post),
    Workload("job", 5, 0, job),
    Workload("steps", 22, 1, three_steps),
)
