"""When something was last heard of each kind that is watched: a list, an event, or the bookmark that the API server
sends once a minute where nothing else happens.

Bytes are what tells. Whoever watches keeps bookmarks to itself, and a connection whose other end is gone looks open.
"""

import time
from collections.abc import Callable, Iterable, Mapping

import aiohttp

SILENT_SECONDS = 150.0
"""Two bookmarks missed, and the new connection that is made after 70 silent seconds brought nothing either."""
DOWN_SECONDS = 30.0
"""Without any connection. Each ends after ten minutes, and the next one follows at once."""


class Watches:
    """Listens in on the connections of whoever watches: `ClientSession(middlewares=(watches.hear,))`.

    `sample` is to be called every second or so. All ages are seconds. `listed(plural)` is called when a kind was listed
    anew: what was deleted before is in no list and in no event.
    """

    def __init__(
        self,
        plurals: Iterable[str],
        monotonic: Callable[[], float] = time.monotonic,
        listed: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._monotonic = monotonic
        self._listed = listed
        now = monotonic()
        self._heard = dict.fromkeys(plurals, now)
        self._up = dict.fromkeys(self._heard, now)
        """When there was last seen to be a connection; before the first one, when we began."""
        self._streams: dict[str, aiohttp.StreamReader] = {}
        self._bytes: dict[str, int] = {}

    async def hear(self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        """Notes lists, and the streams of watches, of our kinds. Changes nothing."""
        response = await handler(request)
        plural = request.url.path.rpartition("/")[2]
        if response.ok and plural in self._heard:
            self._heard[plural] = self._monotonic()
            if "watch" in request.url.query:
                self._streams[plural], self._bytes[plural] = response.content, response.content.total_bytes
            else:
                self._listed(plural)
        return response

    def sample(self) -> None:
        """Looks at the connections."""
        now = self._monotonic()
        for plural, stream in self._streams.items():
            if stream.total_bytes != self._bytes[plural]:
                self._heard[plural], self._bytes[plural] = now, stream.total_bytes
            if not stream.is_eof() and stream.exception() is None:
                self._up[plural] = now

    def ages(self) -> Mapping[str, float]:
        """By plural, how long ago something was heard last."""
        self.sample()
        now = self._monotonic()
        return {plural: now - heard for plural, heard in self._heard.items()}

    def faults(self) -> list[str]:
        """What is wrong with which watch."""
        now, faults = self._monotonic(), []
        for plural, age in self.ages().items():
            down = now - self._up[plural]
            if plural not in self._streams:
                faults.append(f"{plural} are not watched yet")
            elif down > DOWN_SECONDS:
                faults.append(f"the watch of {plural} has been broken for {down:.0f} s")
            elif age > SILENT_SECONDS:
                faults.append(f"the watch of {plural} has been silent for {age:.0f} s")
        return faults
