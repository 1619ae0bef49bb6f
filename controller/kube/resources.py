"""The resources that the operator itself writes besides its own kinds."""

from controller.core.ports import Resource

EVENTS = Resource("events.k8s.io", "v1", "events", "Event")
LEASES = Resource("coordination.k8s.io", "v1", "leases", "Lease")
