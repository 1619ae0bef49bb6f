"""A lane: a namespace with an operator behind a proxy of its own, on which cases run one after another."""

import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from effects import AuditTail, Effect, Hooks, effects_of
from harness.catalogue.case import Scene
from harness.objects import Objects
from harness.observer import Observer, observing
from harness.operator import Launch
from harness.stage import Stage, staged
from invariants import (
    at_most_once,
    check_effects,
    check_end,
    check_repeats,
    check_steps,
    check_versions,
    claims,
    doubled,
    step_of,
)
from proxy import Fault, FaultProxy, Plan, Write, fault_proxy
from workloads import Workload

from localcluster.controlplane import ControlPlane

Json = dict[str, Any]

CONVERGED_SECONDS = 30.0
"""After the last fault."""
REACHED_SECONDS = 3.0
"""How long after the end the chosen write, an Event, may still come."""
LEASE_SECONDS = "15"
ON_RECEIPT = "kill_on_receipt"
"""The operator is killed when the target outside has its request and has not answered."""
ENDS = (".completed", ".failed", ".outcomeunknown", ".retryexhausted")


@dataclass(frozen=True)
class Case:
    """One run: this workload, this write (or call), this fault. Fault "none" runs it clean.

    `of_effect`: the number counts those writes alone that the action is for.
    """

    workload: Workload
    fault: str
    number: int
    of_effect: bool = False

    def __str__(self) -> str:
        return f"{self.workload.name}-{self.fault}-{'effect-' if self.of_effect else ''}{self.number}"

    @property
    def for_one_claim(self) -> int:
        """How many effects one claim allows."""
        return max(1, self.workload.effects)

    def ends_of(self, step: str) -> set[str]:
        """How a step may end, or the whole (''). A refusal proves nothing of an attempt before it that was lost."""
        wanted = self.workload.ends.get(step, "Succeeded")
        return {wanted} if wanted == "Succeeded" or not self.kills else {wanted, "Unknown"}

    @property
    def kills(self) -> bool:
        return self.fault.startswith("kill")


@dataclass(frozen=True)
class Result:
    """What became of a case that broke no invariant."""

    case: Case
    outcome: str
    reached: bool
    writes: int
    effects: int
    doubled: int
    seconds: float


@dataclass
class Lane:
    """Made by `lane`. One case at a time."""

    stage: Stage
    proxy: FaultProxy
    observer: Observer
    hooks: Hooks
    objects: Objects

    def create(self, *objects: Json) -> None:
        """As a user would, past the proxy."""
        for body in objects:
            self.objects.create(body)

    def run(self, case: Case) -> Result:
        """Raises AssertionError with the whole story if an invariant is broken or the case does not converge."""
        began = time.monotonic()
        name = f"c{secrets.token_hex(4)}-{case.workload.name}"
        scene = Scene(self.objects, name, self.hooks.target, lambda: self.stage.operator.log)
        audit = AuditTail.of(self.stage.cluster, self.stage.namespace)
        try:
            with case.workload.set_up(scene) as manifests:
                self._arm(case, name)
                self.create(*manifests)
                self._see_through(case, name)
                writes = self.proxy.disarm()
                self.hooks.on_receipt.pop(f"/{name}", None)
                effects = self._judge(case, scene, audit)
        except BaseException as error:
            story = self._story(case, name)
            self.recover()
            raise AssertionError(f"case {case}: {error}\n{story}") from error
        proposals = self._proposals(name)
        return Result(
            case,
            outcome=self.observer.status(name)["outcome"],
            reached=self.proxy.fired.is_set(),
            writes=writes,
            effects=sum(len(found) for found in effects.values()),
            doubled=sum(
                doubled(proposal, effects[proposal["metadata"]["name"]], case.for_one_claim) for proposal in proposals
            ),
            seconds=time.monotonic() - began,
        )

    def recover(self) -> None:
        """A fresh operator, after a case that broke."""
        self.proxy.disarm()
        if self.stage.operator.exit_code() is None:
            self.stage.operator.kill()
        self.stage.operator.start()

    # -- one case ------------------------------------------------------------------------------------------------

    def _arm(self, case: Case, name: str) -> None:
        if case.fault == ON_RECEIPT:
            self.proxy.arm(Plan(name))
            self.hooks.on_receipt[f"/{name}"] = lambda number: self._kill() if number == case.number else None
        elif case.fault == "none":
            self.proxy.arm(Plan(name))
        else:
            self.proxy.arm(Plan(name, case.number, Fault(case.fault), only_effects=case.of_effect))

    def _kill(self) -> None:
        self.stage.operator.kill()
        self.proxy.fired.set()

    def _see_through(self, case: Case, name: str) -> None:
        """Until the end and past the fault, with one restart after a kill."""
        restarted = False
        deadline = time.monotonic() + CONVERGED_SECONDS
        latest: float | None = None
        while True:
            if case.kills and not restarted and self.proxy.fired.is_set():
                self.stage.operator.start()
                restarted = True
                deadline = time.monotonic() + CONVERGED_SECONDS
            if not self.observer.wait(name, lambda status: status.get("outcome"), 0.05):
                assert time.monotonic() < deadline, f"no outcome {CONVERGED_SECONDS:g} s after the last fault"
                continue
            latest = latest or time.monotonic() + REACHED_SECONDS
            if restarted if case.kills else self.proxy.fired.is_set():
                return
            if self._told(name) if case.fault == "none" else time.monotonic() > latest:
                return
            self.proxy.fired.wait(0.05)

    def _told(self, name: str) -> bool:
        """Whether the Event about the end was written, the last write of all."""
        events = [write for write in self.proxy.writes(f"{name}.") if write.asked.resource == "events"]
        return any(write.asked.name.endswith(ENDS) and write.answered_at for write in events)

    # -- judging ---------------------------------------------------------------------------------------------------

    def _proposals(self, name: str) -> list[Json]:
        found = [self.observer.versions(each)[-1] for each in self.observer.names(name)]
        return [raw for raw in found if raw["kind"] == "ActionProposal"]

    def _see_steps(self, name: str) -> None:
        """A workflow's end may be seen before its last step's: proposals come by a watch of their own."""
        for step in self.observer.status(name).get("steps") or ():
            if step.get("proposal"):
                seen = self.observer.wait(step["proposal"], lambda status: status.get("outcome"), CONVERGED_SECONDS)
                assert seen, f"step {step['name']} has no outcome, though its workflow ended"

    def _judge(self, case: Case, scene: Scene, audit: AuditTail) -> dict[str, list[Effect]]:
        """The effects of each proposal."""
        name = scene.name
        self._see_steps(name)
        whole = self.observer.versions(name)
        writes = self.proxy.writes(name)
        proposals = self._proposals(name)
        effects = {raw["metadata"]["name"]: effects_of(raw, self.hooks, audit) for raw in proposals}
        for raw in proposals:
            versions = self.observer.versions(raw["metadata"]["name"])
            check_versions(versions)
            check_end(versions)
            claimed = claims(writes, raw["metadata"]["name"])
            check_effects(raw, effects[raw["metadata"]["name"]], claimed, case.for_one_claim)
            self._check_outcome(case, raw, writes)
        check_repeats([write for write in writes if write.asked.effect], case.workload.effects)
        case.workload.check(scene, proposals)
        if whole[-1]["kind"] == "ActionWorkflow":
            check_versions(whole)
            check_steps(whole[-1], proposals)
            created = audit.created("actionproposals", f"{name}-")
            spec, outcome = whole[-1]["spec"], whole[-1]["status"]["outcome"]
            wanted = len(spec["steps"]) + len(spec.get("finally") or ()) + case.workload.undone
            assert len(created) == len(set(created)) == wanted, f"created: {created}"
            assert outcome in case.ends_of(""), f"outcome {outcome}"
        return effects

    def _check_outcome(self, case: Case, proposal: Json, writes: Sequence[Write]) -> None:
        """As wanted; only what is at most once may end Unknown, if the operator died or the effect's answer is lost."""
        outcome, wanted = proposal["status"]["outcome"], case.ends_of(step_of(proposal))
        effect_failed = any(write.fault and write.asked.effect for write in writes)
        if at_most_once(proposal) and (case.kills or effect_failed):
            assert outcome in {*wanted, "Unknown"}, f"outcome {outcome}"
        else:
            assert outcome in wanted, f"outcome {outcome}"

    def _story(self, case: Case, name: str) -> str:
        """For the message of a failure."""
        lines = [f"run it alone: pytest tests/faults -k '{case}'", "", "writes:"]
        lines += [f"  {write.at:.3f} {write}" for write in self.proxy.writes(name)]
        lines += ["hook:", *(f"  {call.at:.3f} {call.key}" for call in self.hooks.received(f"/{name}"))]
        for each in self.observer.names(name):
            lines.append(f"{each}:")
            for version in self.observer.versions(each):
                status = version.get("status") or {}
                attempts = [(a["number"], a.get("result"), a.get("reason")) for a in status.get("attempts") or ()]
                told = {key: status.get(key) for key in ("phase", "outcome", "retryCount", "message") if key in status}
                lines.append(f"  {version['seenAt']:.3f} {told} {attempts}")
        return "\n".join([*lines, "operator:", self.stage.operator.log[-3000:]])


@contextmanager
def lane(
    cluster: ControlPlane,
    kubeconfig: Path,
    folder: Path,
    hooks: Hooks,
    *,
    options: tuple[str, ...] = (),
    launch: Launch | None = None,
) -> Iterator[Lane]:
    """A lane in a namespace of its own."""
    name = f"lane-{secrets.token_hex(3)}"
    cluster.api().post("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with fault_proxy(cluster.server, cluster.authority) as proxy, observing(cluster, name) as observer:
            behind = proxy.kubeconfig(kubeconfig, folder / "kubeconfig")
            options = ("--lease-seconds", LEASE_SECONDS, *options)
            with staged(cluster, behind, folder, name, options=options, launch=launch) as stage:
                proxy.victim = stage.operator.kill
                yield Lane(stage, proxy, observer, hooks, Objects(cluster, name))
    finally:
        cluster.api().delete(f"/api/v1/namespaces/{name}")
