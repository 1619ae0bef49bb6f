"""Which requests the API server records, so that tests can count and inspect them."""

AUDIT_POLICY = """\
# Who did what with which outcome, once each request is complete; no bodies. Not recorded: what is
# no resource (health, discovery), and the leases and events that the programs write all the time.
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived, ResponseStarted]
rules:
  - level: None
    nonResourceURLs: ["*"]
  - level: None
    users: [system:apiserver, system:kube-controller-manager, system:kube-scheduler, system:kwok]
    resources:
      - {group: coordination.k8s.io, resources: [leases]}
      - {group: "", resources: [events]}
      - {group: events.k8s.io, resources: [events]}
  - level: Metadata
"""
