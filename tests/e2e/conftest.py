"""The operator as its own process against a full control plane: what a user does, what they see."""

from collections.abc import Iterator

import pytest

from hack.hook_target import HookTarget, hook_target


@pytest.fixture(scope="module")
def hook() -> Iterator[HookTarget]:
    """A target for HTTP actions."""
    with hook_target() as target:
        yield target
