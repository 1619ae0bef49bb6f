"""A target for http-request that is played, and the Secrets that its runner finds."""

import asyncio
import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from controller.actions.http_parameters import HttpRequestParameters
from controller.actions.http_request import HttpRequest
from controller.core.errors import NotFound, PermanentFailure
from controller.core.ports import Cluster, Done, HttpAnswer, Operation, PreviewResult, Request

NOW = datetime(2026, 11, 22, 15, 4, 5, tzinfo=UTC)
OPERATION = Operation("0193f0a0-0000-7000-8000-000000000001", NOW, NOW + timedelta(seconds=60))
ACTION = HttpRequest(lambda: NOW)


@dataclass
class PlayedTarget:
    """Answers as told and remembers what came in."""

    answer: HttpAnswer | Exception = field(default_factory=lambda: HttpAnswer(200, {}, ""))
    refused: str = ""
    sent: list[tuple[str, str, Mapping[str, str], bytes | None, bool]] = field(default_factory=list)

    async def check(self, url: str) -> None:
        if self.refused:
            raise PermanentFailure(self.refused)

    async def request(
        self, method: str, url: str, *, headers: Mapping[str, str], body: bytes | None, may_change: bool
    ) -> HttpAnswer:
        self.sent.append((method, url, headers, body, may_change))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@dataclass
class PlayedSecrets:
    """The Secrets that the runner finds; the only thing of the cluster that is asked for."""

    secrets: dict[str, Any] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    async def get(self, resource: Any, name: str, **_: Any) -> Any:
        assert resource.plural == "secrets"
        self.asked.append(name)
        if isinstance(found := self.secrets.get(name, NotFound(f"get secrets shop/{name}: not found")), Exception):
            raise found
        return found


def secret(allow: str | None = "true", **values: str | bytes) -> Any:
    encoded = {key: base64.b64encode(value if isinstance(value, bytes) else value.encode()).decode()
               for key, value in values.items()}  # fmt: skip
    labels = {} if allow is None else {"labels": {"actionoperator.dev/allow": allow}}
    return {"metadata": {"name": "any", **labels}, "data": encoded}


def request(
    target: PlayedTarget, secrets: PlayedSecrets | None = None, **parameters: Any
) -> Request[HttpRequestParameters]:
    given = {"method": "POST", "url": "https://hooks.example.com/deploys"} | parameters
    return Request(
        parameters=ACTION.parse(given),
        namespace="shop",
        proposal="tell",
        proposal_uid="1",
        runner="ops" if secrets else None,
        cluster=cast("Cluster", secrets),
        http=target,
    )


def preview(target: PlayedTarget, secrets: PlayedSecrets | None = None, **parameters: Any) -> PreviewResult:
    return asyncio.run(ACTION.preview(request(target, secrets, **parameters)))


def run(target: PlayedTarget, secrets: PlayedSecrets | None = None, **parameters: Any) -> Done:
    return asyncio.run(ACTION.run(request(target, secrets, **parameters), OPERATION))
