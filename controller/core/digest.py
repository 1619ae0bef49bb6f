"""Digests: sha256 over canonical JSON (RFC 8785), so that anyone can recompute them. Form: docs/spec/digest.md."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import rfc8785

from controller.api.common import Change, RetryConfig
from controller.core.ports import Json

# Fields of spec that do not decide what will run.
_NOT_DIGESTED = frozenset({"suspend", "cancelled", "ttlSecondsAfterFinished", "requestedBy"})


def canonical(value: Any) -> bytes:
    """The one byte form of a JSON value. Raises ValueError where it has none (integers beyond 2^53, NaN)."""
    try:
        return rfc8785.dumps(value)
    except rfc8785.CanonicalizationError as error:
        raise ValueError(str(error)) from error


def sha256(value: Any) -> str:
    """`sha256:` and 64 hex digits."""
    return "sha256:" + hashlib.sha256(canonical(value)).hexdigest()


def type_digest(spec: Json) -> str:
    """Digest of an ActionType's stored spec."""
    return sha256(spec)


def request_document(
    *,
    kind: str,
    namespace: str,
    spec: Json,
    types: Mapping[str, Json],
    runner: str | Mapping[str, str | None] | None,
    timings: Mapping[str, tuple[int, RetryConfig]],
    runbook: Json | None = None,
) -> Json:
    """Everything that decides what will run, as the document that the request digest is over.

    `spec` as stored; `types` the specs of all reachable action types by name; `timings` the resolved timeout (seconds)
    and retry of each step by name, a proposal being one step with the empty name; `runbook` the spec of the runbook
    that a workflow runs, without who edited it.
    """
    document = {
        "kind": kind,
        "namespace": namespace,
        "spec": {key: value for key, value in spec.items() if key not in _NOT_DIGESTED},
        "types": dict(types),
        "runner": dict(runner) if isinstance(runner, Mapping) else runner,
        "timings": {
            name: {"timeoutSeconds": seconds, "retry": retry.wire()} for name, (seconds, retry) in timings.items()
        },
    }
    return document if runbook is None else {**document, "runbook": runbook}


def digest(request: str, changes: Sequence[Change]) -> str:
    """Digest of the request and of the values that it would change, those under another controller's hand left out."""
    return sha256(
        {
            "requestDigest": request,
            "changes": [
                {"target": change.target, "path": change.path, "before": change.before}
                for change in changes
                if change.managed_by is None
            ],
        }
    )
