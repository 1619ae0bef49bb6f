"""kopf as the informer: one handler per kind hands the raw object on. It lists, watches and reconnects, no more."""

import json
from collections.abc import Iterator
from itertools import chain, repeat
from typing import Any

import kopf

from controller.api.base import GROUP, VERSION
from controller.core.errors import ActionError
from controller.core.nesting import ShallowDecoder
from controller.core.shard import Shard
from controller.kube.resources import LIVE, LIVING, WORKED
from controller.operator.connecting import Connecting
from controller.operator.kinds import OURS
from controller.runtime.intake import Intake

CHUNK = 250
SERVER_TIMEOUT_SECONDS = 600  # an integer: kopf hands it on as it is, and the API server parses one
REQUEST_TIMEOUT_SECONDS = 30.0
FIRST_PAUSES_SECONDS = (1.0, 1.0, 2.0, 3.0, 5.0)
LONGEST_PAUSE_SECONDS = 8.0
IDLE_SECONDS = 0.1
"""For how long kopf keeps a task, and with it the whole object, for each object that it has seen."""


class Patience:
    """Pauses between tries that fail, without end. With kopf's own, which do end, a watch would be over for good."""

    def __iter__(self) -> Iterator[float]:
        return chain(FIRST_PAUSES_SECONDS, repeat(LONGEST_PAUSE_SECONDS))


class NoDiffs(kopf.DiffBaseStorage):
    """Nothing to compare with. kopf makes two deep copies of every object it sees for differences nobody asks for."""

    def build(self, **_: Any) -> Any:
        return None

    def fetch(self, **_: Any) -> Any:
        return None

    def store(self, **_: Any) -> None:
        """Nothing is kept."""


def registry(connecting: Connecting, intake: Intake, shard: Shard) -> kopf.OperatorRegistry:
    """The handlers: login, settings, and `seen` for each kind."""
    handlers = kopf.OperatorRegistry()

    @kopf.on.login(registry=handlers)
    async def credentials(**_: Any) -> kopf.AiohttpSession:
        try:
            return await connecting.session()
        except ActionError as error:
            raise kopf.TemporaryError(str(error)) from error  # else kopf logs a traceback; either way it asks again

    @kopf.on.startup(registry=handlers)
    async def configure(settings: kopf.OperatorSettings, **_: Any) -> None:
        configure_watching(settings, shard)

    for plural in (resource.plural for resource in OURS):
        kopf.on.event(GROUP, VERSION, plural, id=plural, param=plural, registry=handlers)(_hand_on(intake))
    kopf.on.event("", "v1", "namespaces", id="namespaces", param="namespaces", registry=handlers)(_hand_on(intake))
    return handlers


def configure_watching(settings: kopf.OperatorSettings, shard: Shard) -> None:
    """Live objects of the shard only, in pages; nothing written, nothing posted, no scan of the cluster."""
    # One object that is nested too deep would end kopf, which reads by `json.loads` and cannot be told another way.
    setattr(json, "_default_decoder", ShallowDecoder())  # noqa: B010  mypy knows no such name
    settings.scanning.disabled = True
    settings.peering.standalone = True
    settings.persistence.diffbase_storage = NoDiffs()
    settings.posting.enabled = False
    settings.posting.loggers = False
    settings.networking.request_timeout = REQUEST_TIMEOUT_SECONDS
    settings.networking.error_backoffs = Patience()
    settings.watching.server_timeout = SERVER_TIMEOUT_SECONDS
    settings.watching.chunk_size = CHUNK
    settings.queueing.worker_limit = None
    settings.queueing.idle_timeout = IDLE_SECONDS
    for resource in LIVING:
        settings.watching.field_selectors[GROUP, VERSION, resource.plural] = LIVE
    for resource in WORKED if shard.selector else ():
        settings.watching.label_selectors[GROUP, VERSION, resource.plural] = shard.selector


def _hand_on(intake: Intake) -> Any:
    async def seen(event: Any, param: Any, **_: Any) -> None:
        intake.observe(param, event["type"], dict(event["object"]))

    return seen
