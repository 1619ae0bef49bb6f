"""Every examples/actions/TYPE.yaml, as it stands, on a cluster of its own with examples/shop: it does what it says."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from harness.catalogue import BY_ACTION
from harness.catalogue.answering import answering
from harness.catalogue.case import SECONDS, Case, Json, Scene, soon
from harness.catalogue.playing import check_effect
from harness.objects import Objects
from harness.operator import OperatorProcess
from harness.runners import granted
from harness.stage import Stage

from hack.hook_target import HookTarget, hook_target
from hack.installation import NODES, install
from localcluster.controlplane import ControlPlane

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "examples" / "actions").glob("*.yaml"))
NAMESPACE, RUNNER = "shop", "action-runner"


@dataclass(frozen=True)
class Shop:
    """The namespace of the examples, with an operator; the examples' HTTP calls go to a fixed port."""

    stage: Stage
    objects: Objects
    hook: HookTarget


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, hook_port: int) -> Iterator[Shop]:
    """Installed as README.md says."""
    folder = tmp_path_factory.mktemp("shop")
    with (
        hook_target(hook_port) as hook,
        ControlPlane.start(folder / "cluster", nodes=NODES) as cluster,
    ):
        install(cluster, [NAMESPACE])
        own = folder / "kubeconfig"
        cluster.service_account_kubeconfig("action-operator", "action-operator", own, lifetime_seconds=7200)
        operator = OperatorProcess(own, folder / "operator", namespace=None, lease_name="action-operator")
        operator.start()
        try:
            yield Shop(Stage(cluster, NAMESPACE, operator), Objects(cluster, NAMESPACE), hook)
        finally:
            operator.stop()


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.stem)
def test_the_example_does_what_it_says_as_it_stands(shop: Shop, file: Path) -> None:
    case = BY_ACTION[file.stem]
    name = yaml.safe_load(file.read_text())["metadata"]["name"]
    scene = Scene(shop.objects, case.target, shop.hook, lambda: shop.stage.operator.log)
    there = [*grants(case), *case.objects(case.target)]
    try:
        for body in there:
            shop.objects.replace(body)
        case.prepare(scene)
        if case.parameters is None:
            soon(lambda: case.look(scene), case.before, f"{case}: before anything was done")
        with answering(shop.objects, name, case):
            shop.stage.kubectl("apply", "-f", str(file))
            status = shop.stage.outcome("ap", name, seconds=SECONDS)
        if case.parameters is None:
            check_effect(scene, case, status)
        assert status["outcome"] == "Succeeded", status["message"]
    finally:
        for body in reversed(there):
            shop.objects.delete(body, wait=True)


def grants(case: Case) -> list[Json]:
    """What the type's page says to give the runner, beside what examples/shop gives it."""
    return granted(f"{RUNNER}-{case}", NAMESPACE, case.needed(all_of_page=True), account=RUNNER)
