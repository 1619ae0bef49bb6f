"""What is seen of checks before anything runs."""

import asyncio
from typing import Any, cast

import pytest

from controller.api.common import Check
from controller.core.errors import CallNotAllowed
from controller.core.ports import Egress, Journal, Request
from controller.kube.egress import EgressHttp
from controller.runtime.checks import ahead

GET = Check.model_validate({"http": {"url": "https://shop.example.com/health"}, "expression": "status == 200"})


def request(egress: Egress) -> Request[Any]:
    journal = Journal()
    return Request(
        parameters=None, namespace="shop", proposal="p", proposal_uid="1", runner=None, cluster=cast("Any", None),
        http=EgressHttp(egress, journal), journal=journal, answer=None,
    )  # fmt: skip


@pytest.mark.parametrize("egress", [Egress(), Egress(frozenset({"other.example.com"}))])
@pytest.mark.parametrize("where", ["preconditions", "verify"])
def test_a_host_that_no_policy_allows_is_told_with_the_check(egress: Egress, where: str) -> None:
    checks = {"preconditions": (), "verify": (), where: (GET,)}
    with pytest.raises(CallNotAllowed, match=rf"{where}\[0\]: url: .*shop.example.com"):
        asyncio.run(ahead(checks["preconditions"], checks["verify"], request(egress)))
