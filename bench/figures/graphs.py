"""P14: workflows of 100 steps and bursts of workflows: writes, time of a decision, size of status."""

import json
import time
from datetime import UTC, datetime
from statistics import median
from typing import Any

from bench import objects
from bench.lab import OPERATOR_USER, Lab
from bench.loader import Call
from bench.outcomes import outcomes
from bench.process import Program
from bench.report import Result
from controller.actions.catalogue import catalogue
from controller.actions.registry import built_ins
from controller.api.actiontype import ActionType
from controller.api.policy import ActionPolicy
from controller.api.workflow import ActionWorkflow
from controller.core.digest import type_digest
from controller.core.settings import Settings
from controller.core.view import WorkflowView
from controller.core.workflow import decide
from controller.core.world import Catalogue, TypeEntry, World

NAMESPACE = "graphs"
WIDE = 100
FEW = 4
BURST_STEPS = 2
DECISIONS = 200
MAX_STATUS_KIB = 256
LOG = {"action": "log-message", "parameters": {"message": "x"}}
NOW = datetime(2026, 1, 1, tzinfo=UTC)


async def measure(lab: Lab, *, burst: int) -> list[Result]:
    """One graph of 100 steps alone, then many small workflows at once, each step a line in the operator's log."""
    await lab.namespace(NAMESPACE)
    with lab.operator(NAMESPACE) as program:
        await program.wait_until_ready()
        wide, size = await _wide(lab, program)
        rate, each = await _burst(lab, program, burst)
    few, many = decision_ms(FEW), decision_ms(WIDE)
    met = wide <= 8 and each <= 8 and size <= MAX_STATUS_KIB * 1024
    return [
        Result(
            "P14",
            "writes per step of a 100-step graph; of a burst; status size; decision at 100 steps / at 4",
            f"<= 8; <= 8; <= {MAX_STATUS_KIB} KiB; flat",
            f"{wide:.2f}; {each:.2f}; {size / 1024:.0f} KiB; {many / few:.1f}",
            met,
            f"burst of {burst} workflows of {BURST_STEPS} steps: {rate:.1f} workflows/s; one decision takes {few:.2f} "
            f"ms at {FEW} steps, {many:.2f} ms at {WIDE}: linear, {(many - few) / (WIDE - FEW) * 1000:.0f} us a step",
        )
    ]


async def _wide(lab: Lab, program: Program) -> tuple[float, int]:
    """Writes per step, and the size of the finished status in bytes."""
    mark = lab.audit.mark()
    async with outcomes(lab.loader, NAMESPACE, objects.WORKFLOWS) as finished:
        path = objects.path(NAMESPACE, objects.WORKFLOWS)
        await lab.loader.send(Call.create(path, graph("wide", WIDE)))
        await finished.wait({"wide"}, program)
    await program.calm()
    stored = await lab.loader.send(Call("GET", objects.path(NAMESPACE, objects.WORKFLOWS, "wide")))
    return _writes(lab, mark) / WIDE, len(json.dumps(stored["status"], separators=(",", ":")))


async def _burst(lab: Lab, program: Program, count: int) -> tuple[float, float]:
    """Workflows a second, and writes per step."""
    names = [f"b-{number}" for number in range(count)]
    mark = lab.audit.mark()
    begun = time.perf_counter()
    async with outcomes(lab.loader, NAMESPACE, objects.WORKFLOWS) as finished:
        path = objects.path(NAMESPACE, objects.WORKFLOWS)
        await lab.loader.send_all(Call.create(path, graph(name, BURST_STEPS)) for name in names)
        await finished.wait(set(names), program)
        seconds = max(finished.seen.values()) - begun
    await program.calm()
    return count / seconds, _writes(lab, mark) / (count * BURST_STEPS)


def graph(name: str, steps: int) -> objects.Json:
    """A graph in rows of ten, each step after the one above it."""
    rows: list[dict[str, Any]] = [
        {"name": f"s{number}", **LOG, **({"dependsOn": [f"s{number - 10}"]} if number >= 10 else {})}
        for number in range(steps)
    ]
    spec = {"description": "benchmark", "reason": "benchmark", "order": "Graph", "steps": rows}
    return {
        "apiVersion": objects.API,
        "kind": "ActionWorkflow",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": spec,
    }


def decision_ms(steps: int) -> float:
    """CPU time of one decision about a workflow half of whose steps have ended, its models made anew as always."""
    raw = graph("g", steps)
    raw["metadata"] |= {"uid": "1", "generation": 1, "creationTimestamp": "2026-01-01T00:00:00Z"}
    ended = {"outcome": "Succeeded", "proposal": "p", "uid": "u"}
    rows = [{"name": f"s{n}", **(ended if n < steps // 2 else {})} for n in range(steps)]
    raw["status"] = {"digest": "sha256:" + "0" * 64, "mode": "Execute", "steps": rows}
    world = _world()
    taken = []
    for _ in range(DECISIONS):
        begun = time.process_time()
        decide(WorkflowView(ActionWorkflow.model_validate(raw), raw["spec"], world, {}), NOW)
        taken.append(time.process_time() - begun)
    return median(taken) * 1000


def _world() -> World:
    registry = built_ins(lambda: NOW)
    types = {}
    for manifest in catalogue(registry):
        made = ActionType.model_validate(manifest)
        types[made.metadata.name] = TypeEntry(made, manifest["spec"], type_digest(manifest["spec"]))
    policy = ActionPolicy.model_validate({"metadata": {"name": "go"}, "spec": {"mode": "Execute"}})
    return World(Catalogue(types, registry), (policy,), {}, Settings(owner="bench"))


def _writes(lab: Lab, mark: int) -> int:
    requests = lab.audit.since(mark, OPERATOR_USER)
    return sum(request.changes and request.namespace == NAMESPACE for request in requests)
