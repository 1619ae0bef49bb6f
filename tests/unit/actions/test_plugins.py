"""Plug-ins: the example package as it is installed, and what becomes of those that are broken."""

import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import EntryPoint, distributions
from pathlib import Path

import pytest
import yaml

from controller.actions.plugins import GROUP, load
from controller.actions.registry import built_ins
from controller.runtime.clock import utc_now

ROOT = Path(__file__).parents[3]
BUILT_IN = {action.name for action in built_ins(utc_now)}


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the example package, installed as its README says, without any network."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("installed")
    subprocess.run(["cp", "-r", str(ROOT / "examples" / "plugin"), str(source)], check=True)
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    options = ["--no-deps", "--no-index", "--no-build-isolation", "--target", str(target)]
    subprocess.run([*command, *options, str(source / "plugin")], check=True)
    return target


def points(folder: Path) -> tuple[EntryPoint, ...]:
    return tuple(
        point for found in distributions(path=[str(folder)]) for point in found.entry_points.select(group=GROUP)
    )


def test_the_example_package_brings_a_type_that_runs(installed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(installed))
    found = load(points(installed), BUILT_IN)
    assert found.broken == ()
    (action,) = found.actions
    assert action.name == "set-flag"
    assert built_ins(utc_now, found.actions)["set-flag"] is action


def test_the_operator_prints_the_type_to_apply(installed: Path) -> None:
    command = [sys.executable, "-m", "controller.operator.main", "catalogue"]
    environment = {"PYTHONPATH": f"{installed}:{ROOT}", "PATH": "/usr/bin:/bin"}
    printed = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
    (manifest,) = yaml.safe_load_all(printed)
    assert (manifest["kind"], manifest["metadata"]["name"]) == ("ActionType", "set-flag")
    assert manifest["spec"]["executor"] == {"builtIn": {"name": "set-flag", "version": 1}}
    assert manifest["spec"]["parameters"]["properties"]["name"]["fixed"] is True


BROKEN: dict[str, tuple[str, str, str]] = {
    "shadows a built-in type": ("wait", "x:Action", "there is a type of that name already"),
    "no such module": ("mine", "no.such.module:Action", "ModuleNotFoundError"),
    "no such class": ("mine", "broken:Missing", "AttributeError"),
    "ends the process": ("mine", "ending:Action", "SystemExit"),
    "makes no action": ("mine", "broken:NotAnAction", "it must make a controller.actions.base.Action, and made dict"),
    "fails when it is made": ("mine", "broken:Failing", "RuntimeError: no flags today"),
    "named otherwise": ("other", "broken:Mine", "must be named as the action: mine"),
    "not a name of a type": ("Mine!", "broken:Mine", "lower-case letters, digits and dashes"),
}
SOURCE = """
from controller.actions.log_message import LogMessage


NotAnAction = dict

class Failing(LogMessage):
    def __init__(self):
        raise RuntimeError("no flags today")

class Mine(LogMessage):
    name = "mine"
"""


@pytest.fixture
def broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], EntryPoint]:
    (tmp_path / "broken.py").write_text(SOURCE)
    (tmp_path / "ending.py").write_text("raise SystemExit(3)")
    monkeypatch.syspath_prepend(str(tmp_path))
    return lambda name, value: EntryPoint(name, value, GROUP)


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_plug_in_is_named_and_stops_no_other(
    case: str, broken: Callable[[str, str], EntryPoint], monkeypatch: pytest.MonkeyPatch
) -> None:
    name, value, words = BROKEN[case]
    good = "good" if name == "mine" else "mine"
    source = SOURCE.replace('name = "mine"', f'name = "{good}"') if case != "named otherwise" else SOURCE
    monkeypatch.delitem(sys.modules, "broken", raising=False)
    Path(sys.path[0], "broken.py").write_text(source)
    found = load([broken(name, value), broken(good, "broken:Mine")], BUILT_IN)
    assert [action.name for action in found.actions] == [good]
    (said,) = found.broken
    assert f"plug-in {name} ({value}) is left out" in said
    assert words in said


def test_of_two_plug_ins_of_one_name_the_first_stays(
    broken: Callable[[str, str], EntryPoint], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "broken", raising=False)
    found = load([broken("mine", "broken:Mine"), broken("mine", "broken:Failing")], BUILT_IN)
    assert len(found.actions) == 1
    assert "there is a type of that name already" in found.broken[0]
