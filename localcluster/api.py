"""The few requests that the local control plane itself sends to its API server.

Plain standard library on purpose: it never goes through a proxy of the environment, starts at
once, and leaves the choice of a real client library to those who use the cluster.
"""

import http.client
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast

from localcluster.errors import RequestFailed
from localcluster.ports import ADDRESS

Json = Mapping[str, object]


@dataclass(frozen=True)
class Api:
    """Requests to one API server as one user; `authority` is the certificate to trust, as PEM."""

    port: int
    authority: str
    token: str
    timeout_seconds: float = 10.0
    _trust: list[ssl.SSLContext] = field(default_factory=list, repr=False, compare=False)

    def get(self, path: str) -> Json:
        """Return the object at `path`. Raises RequestFailed."""
        return self.request("GET", path)

    def post(self, path: str, body: Json) -> Json:
        """Create the object and return it. Raises RequestFailed."""
        return self.request("POST", path, body)

    def delete(self, path: str) -> Json:
        """Delete the object in the background. Raises RequestFailed."""
        return self.request("DELETE", path, {"propagationPolicy": "Background"})

    def request(self, method: str, path: str, body: Json | None = None) -> Json:
        """Send one request over a connection of its own.

        Raises:
            RequestFailed: the server can't be reached, or answers with an error.
        """
        status, text = self._exchange(method, path, body)
        if status >= 400:
            raise RequestFailed(status, f"{method} {path}: {status} {_reason(text)}")
        return cast("Json", json.loads(text))

    def ready(self) -> bool:
        """Say whether the API server says of itself that it is ready."""
        try:
            status, _ = self._exchange("GET", "/readyz", None)
        except RequestFailed:
            return False
        return status == 200

    def exists(self, path: str) -> bool:
        """Say whether there is an object at `path`; an unreachable server has none."""
        try:
            self.get(path)
        except RequestFailed:
            return False
        return True

    def _exchange(self, method: str, path: str, body: Json | None) -> tuple[int, str]:
        headers = {"Authorization": f"Bearer {self.token}", "Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        content = None if body is None else json.dumps(body)
        try:
            if not self._trust:
                self._trust.append(ssl.create_default_context(cadata=self.authority))
            connection = http.client.HTTPSConnection(
                ADDRESS, self.port, timeout=self.timeout_seconds, context=self._trust[0]
            )
            try:
                connection.request(method, path, content, headers)
                answer = connection.getresponse()
                return answer.status, answer.read().decode()
            finally:
                connection.close()
        except (OSError, http.client.HTTPException) as error:
            where = f"https://{ADDRESS}:{self.port}"
            raise RequestFailed(None, f"{method} {where}{path}: no answer: {error}") from error


def _reason(text: str) -> str:
    """Return the message of a Status object, or the text itself."""
    try:
        return str(json.loads(text)["message"])
    except (ValueError, KeyError, TypeError):
        return text.strip()[:500]
