"""Prometheus metrics that count as things happen; how things stand at the moment of a scrape is in `standing.py`.

Base units. Labels are words of the API, kinds, and names of action types in the cluster's catalogue: what people type
into a proposal never becomes one (`telling.py`).
"""

from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, disable_created_metrics

PREFIX = "actionoperator_"
_QUICK = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_ATTEMPTS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600)
_APPROVALS = (10, 60, 300, 900, 3600, 4 * 3600, 12 * 3600, 24 * 3600, 7 * 24 * 3600)


@dataclass(frozen=True)
class Family:
    """A metric without its values. `name` has no prefix; that of a counter ends in `_total`."""

    name: str
    meaning: str
    labels: tuple[str, ...] = ()
    type: str = "gauge"


class Metrics:
    """The operator's metrics in a registry of their own."""

    def __init__(self) -> None:
        # A second series for each counter and histogram, which no query of ours reads.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        self.families: list[Family] = []
        """All of them, in the order of the documentation."""
        self.outcomes = self._counter("actions", "objects that got their outcome", "kind", "action", "outcome")
        self.transitions = self._counter("transitions", "transitions of objects, as in history", "kind", "reason")
        self.retries = self._counter("retries", "attempts that failed and will be repeated", "action")
        self.attempt_seconds = self._histogram(
            "attempt_duration", "from an attempt's claim until its result was known", _ATTEMPTS, "action", "result"
        )
        self.approval_wait_seconds = self._histogram(
            "approval_wait_duration",
            "from when an object began to wait for approval until it was approved, rejected, expired or cancelled",
            _APPROVALS, "kind", "end",
        )  # fmt: skip
        self.decision_seconds = self._histogram(
            "decision_duration", "time to handle one object once, its writes included", _QUICK, "kind"
        )
        self.faults = self._counter("handling_errors", "faults of the operator itself; look into its log", "kind")
        self.api_requests = self._counter(
            "api_requests",
            "requests to the API server by verb of RBAC and status code; `code` is `none` where no answer came",
            "verb", "code",
        )  # fmt: skip
        self.api_request_seconds = self._histogram(
            "api_request_duration", "time until the API server's answer; for a watch, until its first bytes", _QUICK,
            "verb",
        )  # fmt: skip
        self.loop_lag_seconds = self._histogram(
            "event_loop_lag", "how late the event loop comes to what is due, looked at once a second", _QUICK
        )
        self.api_unavailable = self._gauge("api_unavailable", "1 while the API server does not answer")
        ProcessCollector(registry=self.registry)

    def api_answered(self, verb: str, code: int | None, seconds: float) -> None:
        """Notes a request to the API server; `code` None: no answer came."""
        self.api_requests.labels(verb, code or "none").inc()
        self.api_request_seconds.labels(verb).observe(seconds)

    def _gauge(self, name: str, meaning: str) -> Gauge:
        family = Family(name, meaning)
        self.families.append(family)
        return Gauge(PREFIX + family.name, meaning, registry=self.registry)

    def _counter(self, name: str, meaning: str, *labels: str) -> Counter:
        family = Family(f"{name}_total", meaning, labels, "counter")
        self.families.append(family)
        return Counter(PREFIX + family.name, meaning, labels, registry=self.registry)

    def _histogram(self, name: str, meaning: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        family = Family(f"{name}_seconds", meaning, labels, "histogram")
        self.families.append(family)
        return Histogram(PREFIX + family.name, meaning, labels, registry=self.registry, buckets=buckets)
