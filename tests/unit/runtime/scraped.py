"""The operator in memory, with everything that it shows to Prometheus."""

from prometheus_client import generate_latest
from unit.runtime.fake_api import Operator

from controller.runtime.audit import AuditLog
from controller.runtime.standing import KINDS, Sources, Standing


class Counts:
    """What became of Events, as a test says."""

    written, refused, dropped = 3, 1, 2


class Scraped(Operator):
    """Shows its metrics. `ages` are those of its watches."""

    def __init__(self) -> None:
        super().__init__()
        self.ages = dict.fromkeys(KINDS, 1.5)
        self.records = AuditLog(self.audit)
        self.metrics.registry.register(
            Standing(
                Sources(
                    store=self.store,
                    queue=self.queue,
                    attempts=self.attempts,
                    declarations=self.declarations,
                    audit=self.records,
                    events=Counts(),
                    lease="action-operator",
                    leading=lambda: self.leads,
                    watch_ages=lambda: self.ages,
                    clock_skew_seconds=lambda: 0.25,
                    clock=lambda: self.now,
                )
            )
        )

    def scrape(self) -> str:
        """What Prometheus would read."""
        return generate_latest(self.metrics.registry).decode()
