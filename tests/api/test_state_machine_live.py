"""The random life of tests/unit/runtime/test_state_machine.py once more, shorter, on a real API server."""

import logging
import subprocess
import time
from collections.abc import Iterator

import pytest
from harness.facts import Person
from harness.installed import install_crds
from harness.leave_machine import LeaveMachine, voters, which
from harness.lives import enough, live
from hypothesis.stateful import precondition, rule
from live_world import Town, World

from hack.hook_target import hook_target
from hack.installation import PROVEN_SECONDS, ROOT, enforce, kubectl_of
from localcluster.controlplane import ControlPlane

STEPS, LENGTH = 200, 40
LEAST = {
    "steps": STEPS,
    "claims": 20,
    "effects that needed approval": 15,
    "votes refused": 2,
    "statuses refused": 1,
    "operators killed": 3,
}


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """An API server of its own, for action types and policies are of the whole cluster."""
    folder = tmp_path_factory.mktemp("live")
    with ControlPlane.start(folder / "cluster", api_only=True) as plane, hook_target() as hook:
        install_crds(plane)
        enforce(kubectl_of(plane))
        proven = time.monotonic() + PROVEN_SECONDS
        subprocess.run(
            [plane.kubectl, "--kubeconfig", plane.kubeconfig, "apply", "--server-side",
             "-f", ROOT / "catalog", "-f", ROOT / "config" / "rbac" / "operator.yaml"],
            check=True, capture_output=True,
        )  # fmt: skip
        config = plane.service_account_kubeconfig("action-operator", "action-operator", folder / "operator")
        made = Town(plane, config, hook, folder)
        made.settle()
        time.sleep(max(0.0, proven - time.monotonic()))
        yield made


@pytest.mark.timeout(600)
def test_nothing_runs_without_leave_on_a_real_api_server(town: Town, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)

    class Machine(LeaveMachine):
        make_world = staticmethod(lambda: World(town))

        @precondition(lambda self: self.world.live())
        @rule(by=voters, number=which)
        def forge_a_status(self, by: Person, number: int) -> None:
            if asked := self.a_live_one(number):
                digest = (asked.get("status") or {}).get("digest", "sha256:" + "0" * 64)
                self.world.forge_status(by, asked, {"phase": "Running", "digest": digest})

    began = time.monotonic()
    counts = live(Machine, steps=STEPS, length=LENGTH, lives=2, shrink=False, least=LEAST)
    print(f"{time.monotonic() - began:.0f} s")
    enough(counts, LEAST)
