"""Whether the API server proves who asks and who votes."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Enforcement:
    """Since when all of it is as shipped; or what is not, and what to do."""

    since: datetime | None
    fault: str | None

    def proves(self, at: datetime, grace_seconds: float) -> bool:
        """Whether the identities in an object made at `at`, by the API server's clock, are proven."""
        return self.fault is None and self.since is not None and (at - self.since).total_seconds() >= grace_seconds
