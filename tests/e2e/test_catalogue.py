"""Every action type on a quiet operator: its effect and its undo, a runner without rights, bad parameters.

The runner of each run has exactly the rights that the type's page names. All runs are under way at once, on one
operator; tests/faults/test_fault_catalogue.py plays the same cases on operators that are killed.
"""

import asyncio
import secrets
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest
from harness.catalogue import CASES
from harness.catalogue.case import Case, Scene, soon
from harness.catalogue.playing import check_effect, check_rights_missing, playing, proposal_of
from harness.objects import Objects
from harness.stage import Stage

from controller.client import ActionClient
from hack.hook_target import HookTarget

AT_ONCE = 6
SECONDS = 60.0
Json = dict[str, Any]


Play = Callable[["Plays", Case], None]


@dataclass(frozen=True)
class Plays:
    """Runs of cases on one stage, as many at once as there are threads."""

    stage: Stage
    objects: Objects
    hook: HookTarget
    pool: ThreadPoolExecutor
    begun: dict[tuple[str, str], "Future[None]"]

    def begin(self, play: "Play", case: Case) -> "Future[None]":
        key = (play.__name__, case.action)
        if key not in self.begun:
            self.begun[key] = self.pool.submit(play, self, case)
        return self.begun[key]

    def scene(self, case: Case) -> Scene:
        name = f"c{secrets.token_hex(2)}-{case.action}"
        return Scene(self.objects, name, self.hook, lambda: self.stage.operator.log)

    def propose(self, scene: Scene, case: Case, **spec: Any) -> Json:
        """Its status at the end."""
        self.objects.create(proposal_of(scene, case, **spec))
        return self.stage.outcome("ap", scene.name, seconds=SECONDS)


def takes_effect(plays: Plays, case: Case) -> None:
    scene = plays.scene(case)
    with playing(scene, case, case.needed(all_of_page=True)):
        status = plays.propose(scene, case)
        check_effect(scene, case, status)
        assert bool(status.get("undo")) == bool(case.type.about.undone_by), status.get("undo")
        if not status.get("undo"):
            return
        assert status["undo"]["action"] in case.type.inverses
        undo = asyncio.run(propose_undo(plays.stage, scene.name))
        back = plays.stage.outcome("ap", undo, seconds=SECONDS)
        assert back["outcome"] == "Succeeded", back["message"]
        undone = case.before if case.undone is None else case.undone
        soon(lambda: case.look(scene), undone, f"{case}: its undo")


async def propose_undo(stage: Stage, name: str) -> str:
    """The name of the proposal that takes it back, as a user asks for it."""
    async with ActionClient(kubeconfig=str(stage.cluster.kubeconfig), namespace=stage.namespace) as client:
        return (await client.propose_undo(name)).metadata.name


def lacks_rights(plays: Plays, case: Case) -> None:
    scene = plays.scene(case)
    with playing(scene, case, ()):
        status = plays.propose(scene, case)
        assert status["outcome"] == "Failed"
        assert plays.stage.condition(status, "Stalled")["reason"] == "RightMissing", status["message"]
        check_rights_missing(case, f"{scene.namespace}/{scene.name}", status["message"])
        assert case.look(scene) == case.before


def is_asked_wrongly(plays: Plays, case: Case) -> None:
    scene = plays.scene(case)
    with playing(scene, case, case.needed(all_of_page=False)):
        good: Json = case.spec(scene)["parameters"]
        status = plays.propose(scene, case, parameters=good | dict(case.bad))
        assert status["outcome"] == "Failed"
        told = plays.stage.condition(status, "Validated")["message"]
        for fault in case.faults:
            assert fault in told
        assert case.look(scene) == case.before


@pytest.fixture(scope="module")
def plays(stage: Stage, hook: HookTarget, request: pytest.FixtureRequest) -> Iterator[Plays]:
    """All selected runs are begun at once; under pytest-xdist each as its test comes."""
    with ThreadPoolExecutor(AT_ONCE, "play") as pool:
        ready = Plays(stage, Objects(stage.cluster, stage.namespace), hook, pool, {})
        if not hasattr(request.config, "workerinput"):
            for item in request.session.items:
                if item.path == request.path:
                    ready.begin(**item.callspec.params)
        try:
            yield ready
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def each(play: Play, cases: Iterable[Case] = CASES) -> pytest.MarkDecorator:
    """A test of that play for every case."""
    return pytest.mark.parametrize(("play", "case"), [pytest.param(play, case, id=str(case)) for case in cases])


@each(takes_effect)
def test_it_takes_effect_and_its_undo_takes_it_back(play: Play, case: Case, plays: Plays) -> None:
    plays.begin(play, case).result()


@each(lacks_rights, (case for case in CASES if case.needed(all_of_page=False)))
def test_without_its_rights_it_says_which_it_needs_and_does_nothing(play: Play, case: Case, plays: Plays) -> None:
    plays.begin(play, case).result()


@each(is_asked_wrongly)
def test_every_bad_parameter_is_named(play: Play, case: Case, plays: Plays) -> None:
    plays.begin(play, case).result()
