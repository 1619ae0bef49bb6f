"""What decides that an image has to be built again, and what pip will need."""

from pathlib import Path

import pytest

from localcluster.errors import LocalClusterError
from localcluster.image import build
from localcluster.image.dockerfile import Dockerfile
from localcluster.progress import Silent

TEXT = """\
ARG PYTHON_IMAGE=python:3
FROM ${PYTHON_IMAGE} AS build
COPY locks/run.txt locks/build.txt \\
  locks/
RUN python -m pip install --require-hashes -r locks/run.txt \\
 && python -m pip install -r locks/build.txt -r locks/run.txt
COPY code/ code/
FROM ${PYTHON_IMAGE}
COPY --from=build /opt/x /opt/x
"""


@pytest.fixture
def file(tmp_path: Path) -> Dockerfile:
    (tmp_path / "Dockerfile").write_text(TEXT)
    for name in ("locks/run.txt", "locks/build.txt", "code/a.py", "code/deep/b.py", "docs/c.md"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return Dockerfile(tmp_path)


def test_the_locks_are_those_that_pip_is_given(file: Dockerfile) -> None:
    assert [path.name for path in file.locks()] == ["run.txt", "build.txt"]


@pytest.mark.parametrize("name", ["Dockerfile", "locks/build.txt", "code/a.py", "code/deep/b.py"])
def test_whatever_goes_in_changes_the_digest(file: Dockerfile, name: str) -> None:
    before = file.digest("base")
    (file.folder / name).write_text((file.folder / name).read_text() + "\n")
    assert file.digest("base") != before


def test_what_does_not_go_in_changes_nothing(file: Dockerfile) -> None:
    before = file.digest("base")
    (file.folder / "docs" / "c.md").write_text("other")
    (file.folder / "code" / "__pycache__").mkdir()
    (file.folder / "code" / "__pycache__" / "a.pyc").write_text("compiled")
    assert file.digest("base") == before
    assert file.digest("other base") != before


def test_a_new_file_and_a_new_name_change_the_digest(file: Dockerfile) -> None:
    digests = [file.digest()]
    (file.folder / "code" / "new.py").write_text("")
    digests.append(file.digest())
    (file.folder / "code" / "new.py").rename(file.folder / "code" / "newer.py")
    digests.append(file.digest())
    assert len(set(digests)) == 3


def test_where_there_is_no_dockerfile_it_is_said(tmp_path: Path) -> None:
    with pytest.raises(LocalClusterError, match="Dockerfile: no such file"):
        build.build(tmp_path, "localhost/x", Silent(), cache=tmp_path)
