"""What the API server's audit log says of who sent which request, and when it was answered."""

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

CHANGES = frozenset({"create", "update", "patch", "delete"})


@dataclass(frozen=True)
class Request:
    """One request that was answered. `answered_at`: seconds since the epoch."""

    user: str
    verb: str
    resource: str
    subresource: str
    namespace: str
    name: str
    dry_run: bool
    status: int
    answered_at: float

    @property
    def changes(self) -> bool:
        """Whether it counts as a write: neither dry run nor the operator's Lease."""
        return self.verb in CHANGES and not self.dry_run and self.resource != "leases"


class AuditLog:
    """Read from marks on, so that a round sees its own requests alone."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def mark(self) -> int:
        """The present end."""
        return self._path.stat().st_size

    def since(self, mark: int, user: str) -> list[Request]:
        """All requests of that user after the mark, in the order of their answers."""
        with self._path.open("rb") as log:
            log.seek(mark)
            found = [_request(json.loads(line)) for line in log if line.endswith(b"\n") and user.encode() in line]
        return [request for request in found if request.user == user]


def _request(entry: dict[str, object]) -> Request:
    told: dict[str, str] = entry.get("objectRef") or {}  # type: ignore[assignment]
    who: dict[str, str] = entry["user"]  # type: ignore[assignment]
    answer: dict[str, int] = entry.get("responseStatus") or {}  # type: ignore[assignment]
    return Request(
        user=who["username"],
        verb=str(entry["verb"]),
        resource=told.get("resource", ""),
        subresource=told.get("subresource", ""),
        namespace=told.get("namespace", ""),
        name=told.get("name", ""),
        dry_run="dryRun=All" in str(entry["requestURI"]),
        status=answer.get("code", 0),
        answered_at=datetime.fromisoformat(str(entry["stageTimestamp"])).timestamp(),
    )
