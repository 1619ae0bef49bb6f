"""`make demo` does what it says, leaves nothing behind, and prints what README.md shows."""

import os
import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DEMO = [sys.executable, str(ROOT / "hack" / "demo.py")]
SECONDS = 180


@pytest.fixture
def folder(tmp_path: Path, hook_port: int) -> Path:
    """Where the demo puts its temporary folder."""
    (tmp_path / "t").mkdir()
    return tmp_path / "t"


def environment(folder: Path) -> dict[str, str]:
    return os.environ | {"TMPDIR": str(folder), "PYTHONPATH": str(ROOT)}


def alike(text: str) -> list[str]:
    """The lines without what differs from run to run: times, hashes of names, a port that was taken."""
    text = re.sub(r"\b(?=\d*[a-f])[0-9a-f]{8,12}\b|\b\d{8,12}\b", "HASH", text)
    text = re.sub(r"\(port \d+ is taken[^)]*\)\n *", "", text)
    text = re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:PORT", text)
    return [re.sub(r"\d+(\.\d+)?", "N", line).strip() for line in text.splitlines() if line.strip()]


def printed_in_readme() -> str:
    shown = re.search(r"\$ make demo\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert shown
    return shown[1]


def test_the_demo_does_as_it_says_and_as_readme_shows(folder: Path) -> None:
    done = subprocess.run(
        DEMO, cwd=ROOT, env=environment(folder), capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert not done.stderr
    assert max(map(len, done.stdout.splitlines())) <= 100
    assert alike(done.stdout) == alike(printed_in_readme()), "paste what `make demo` prints into README.md"
    assert not list(folder.iterdir()), "it leaves files behind"
    assert not processes_in(folder), "it leaves processes behind"


def test_ctrl_c_stops_all(folder: Path) -> None:
    demo = subprocess.Popen(
        DEMO, cwd=ROOT, env=environment(folder), stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert demo.stdout
    try:
        for line in demo.stdout:
            if line.startswith("1  "):
                break
        os.killpg(demo.pid, signal.SIGINT)
        rest = demo.stdout.read()
        assert demo.wait(timeout=60) == 130
    finally:
        demo.kill()
        demo.wait()
        demo.stdout.close()
    assert "interrupted; nothing is left running" in rest
    assert not list(folder.iterdir())
    assert not processes_in(folder)


def processes_in(folder: Path) -> list[str]:
    """Command lines that name the folder."""
    assert str(folder).startswith(tempfile.gettempdir())
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    return [line for line in listed.splitlines() if str(folder) in line]
