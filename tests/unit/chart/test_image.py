"""What the image installs: small enough, and without what is taken out the programs still run."""

import os
import re
import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path

import pytest

from hack.slim import UNUSED, slim

ROOT = Path(__file__).parents[3]
MOST_BYTES = 100_000_000
PROGRAMS = """
from controller.kube.official import credentials_only, loader
for name in ("incluster_config", "kube_config", "config_exception"):
    loader(name)
with credentials_only():
    import controller.operator.main, controller.operator.serving, controller.cli.main
from controller.core.expressions import OBJECT, compile_expression
assert compile_expression('object.n == 1', OBJECT).truth({'object': {'n': 1}})
"""


@pytest.fixture(scope="module")
def prefix(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What requirements/run.txt installs, as links to the files that are installed here, and our own modules."""
    made = tmp_path_factory.mktemp("image")
    packages = made / "lib" / "python3.11" / "site-packages"
    locked = re.findall(
        r"^([\w.-]+)==[^;\n]+?(?: ; (.*?))? \\$", (ROOT / "requirements" / "run.txt").read_text(), re.MULTILINE
    )
    for name, marker in locked:
        if "win32" in marker or "python_" in marker:
            continue
        for file in distribution(name).files or ():
            if not file.parts[0].startswith("..") and "__pycache__" not in file.parts:
                place = packages / file
                place.parent.mkdir(parents=True, exist_ok=True)
                place.symlink_to(Path(str(file.locate())))
    for file in (ROOT / "controller").rglob("*.py"):
        place = packages / file.relative_to(ROOT)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(file)
    return made


def test_it_is_small_and_the_programs_run(prefix: Path) -> None:
    said = list(slim(prefix))
    assert len(said) == len(UNUSED)
    packages = next(prefix.glob("lib/*/site-packages"))
    size = sum(file.stat().st_size for file in packages.rglob("*") if file.is_file())
    assert 30_000_000 < size < MOST_BYTES * 0.65, "compiled modules take half as much again"
    base = getattr(sys, "_base_executable", sys.executable)
    bare = {"PATH": os.environ["PATH"], "PYTHONPATH": str(packages), "PYTHONDONTWRITEBYTECODE": "1"}
    for program in (["-c", PROGRAMS], ["-m", "controller.operator.main", "run", "--help"]):
        done = subprocess.run(
            [base, "-S", *program], env=bare, capture_output=True, text=True, check=False, cwd="/", timeout=120
        )
        assert done.returncode == 0, done.stderr


def test_a_pattern_that_nothing_fits_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "lib" / "python3.13" / "site-packages").mkdir(parents=True)
    with pytest.raises(FileNotFoundError, match=r"nothing is kubernetes/client \(.*\); correct the list in slim\.py"):
        list(slim(tmp_path))
    with pytest.raises(FileNotFoundError, match="no prefix of Python packages"):
        list(slim(tmp_path / "elsewhere"))


def test_only_what_is_built_from_reaches_the_image() -> None:
    """A .dockerignore that leaves everything out but what the Dockerfile copies."""
    dockerfile = (ROOT / "Dockerfile").read_text()
    copied = {word for line in re.findall(r"^COPY (?!--)(.*) \S+$", dockerfile, re.MULTILINE) for word in line.split()}
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert copied == kept
    last = dockerfile.rpartition("\nFROM ")[2]
    assert "RUN" not in last
    assert re.search(r"^USER (\d+):\1$", last, re.MULTILINE)
