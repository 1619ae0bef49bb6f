"""Action Operator: propose, validate, approve, run, retry and audit operational actions as Kubernetes resources.

Read the folders in the order in which a proposal passes them: `api` (what it looks like), `operator` (how it arrives),
`runtime` (who takes it up), `core` (what is decided), `actions` and `kube` (what is done about it).
"""
