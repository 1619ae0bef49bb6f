"""The public API, group `actionoperator.dev/v1alpha1`: five kinds as pydantic models, and their CRDs.

Nothing here behaves: no clock, no I/O, no decision. The models are the contract; `crds/` and `docs/` follow.
"""
