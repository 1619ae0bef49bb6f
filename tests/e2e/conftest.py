"""The operator as its own process against a full control plane: what a user does, what they see."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from hack.hook_target import HookTarget, hook_target
from hack.installation import HOOK_PORT
from localcluster.locks import locked


@pytest.fixture(scope="module")
def hook() -> Iterator[HookTarget]:
    """A target for HTTP actions."""
    with hook_target() as target:
        yield target


@pytest.fixture(scope="module")
def hook_port() -> Iterator[int]:
    """The port that the examples call, for one test run of this machine at a time: playgrounds and demos meet there."""
    with locked(Path(tempfile.gettempdir()) / "action-operator-hook.lock"):
        yield HOOK_PORT
