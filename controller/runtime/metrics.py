"""Prometheus metrics, in base units, with labels of few values."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server


class Metrics:
    """The operator's metrics in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.transitions = Counter(
            "actionoperator_transitions_total", "Transitions of objects.", ["kind", "reason"], registry=self.registry
        )
        self.outcomes = Counter(
            "actionoperator_actions_total", "Finished objects.", ["kind", "action", "outcome"], registry=self.registry
        )
        self.decision_seconds = Histogram(
            "actionoperator_decision_duration_seconds", "Time to handle one key.", ["kind"], registry=self.registry
        )
        self.faults = Counter(
            "actionoperator_handling_errors_total", "Faults of the operator itself.", ["kind"], registry=self.registry
        )
        self.api_unavailable = Gauge(
            "actionoperator_api_unavailable", "1 while the API server does not answer.", registry=self.registry
        )
        self.queue_depth = Gauge("actionoperator_queue_depth", "Keys that are due.", registry=self.registry)
        self.live = Gauge("actionoperator_live_objects", "Objects not finished.", ["kind"], registry=self.registry)
        self.running = Gauge("actionoperator_running_attempts", "Attempts that run now.", registry=self.registry)
        self.is_leader = Gauge("actionoperator_is_leader", "1 while this process works.", registry=self.registry)
        self.records_lost = Gauge(
            "actionoperator_audit_records_lost", "Audit records that could not be written.", registry=self.registry
        )
        self.events_lost = Gauge(
            "actionoperator_events_lost", "Kubernetes Events that could not be written.", registry=self.registry
        )

    def serve(self, address: str, port: int) -> int:
        """Serves them under /metrics; the port in use. Raises OSError if the address cannot be had."""
        server, _ = start_http_server(port, addr=address, registry=self.registry)
        return int(server.server_port)
