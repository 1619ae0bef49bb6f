"""The Job that run-job makes for one operation. Pure.

It runs at most once: one pod, never restarted, never replaced while it may still run. It outlives its end until the
proposal is deleted, because a Job that is missing after a claim proves nothing. Its pod starts with the least rights
that let ordinary images run; the runner's token is in it only if asked for.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

from controller.actions.job_parameters import RunJobParameters
from controller.api.base import API_VERSION, GROUP
from controller.core.origin import OPERATION, PROPOSAL, PROPOSAL_UID
from controller.core.ports import Json, Operation, Request

SECRETS_ANNOTATION = f"{GROUP}/secrets"
CONTAINER = "main"
ONCE: Json = {"parallelism": 1, "completions": 1, "backoffLimit": 0, "podReplacementPolicy": "Failed"}
"""One pod, never restarted, never replaced while it may still run."""
CONTAINER_SECURITY: Json = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
POD_SECURITY: Json = {"seccompProfile": {"type": "RuntimeDefault"}}
DEADLINE_SECONDS = 3600
_HASH_LENGTH = 12
_NAME_LENGTH = 63


def job_name(proposal: str, proposal_uid: str, operation: str) -> str:
    """At most 63 characters and a DNS label: the proposal's name, cut, and a hash of its uid and the operation."""
    digest = hashlib.sha256(f"{proposal_uid}/{operation}".encode()).hexdigest()[:_HASH_LENGTH]
    readable = proposal.replace(".", "-")[: _NAME_LENGTH - _HASH_LENGTH - 1].rstrip("-")
    return f"{readable}-{digest}"


def is_ours(job: Json, request: Request[Any], operation: Operation) -> bool:
    """Whether the Job was made for this operation of this very proposal. Labels alone anybody could have set."""
    metadata = job["metadata"]
    owned = any(owner["uid"] == request.proposal_uid for owner in metadata.get("ownerReferences", ()))
    return owned and metadata.get("labels", {}).get(OPERATION) == operation.id


def manifest(request: Request[RunJobParameters], operation_id: str, secrets: str = "") -> Json:
    """The Job of run-job as it is created. `secrets`: which versions of Secrets were seen, to be kept with it."""
    parameters = request.parameters
    template_metadata: Json = {"labels": dict(parameters.labels)}
    if parameters.annotations:
        template_metadata["annotations"] = dict(parameters.annotations)
    return owned_job(
        request,
        operation_id,
        {
            "activeDeadlineSeconds": parameters.active_deadline_seconds,
            "template": {"metadata": template_metadata, "spec": _pod_spec(parameters, request.runner)},
        },
        labels=parameters.labels,
        annotations={SECRETS_ANNOTATION: secrets} if secrets else None,
    )


def owned_job(
    request: Request[Any],
    operation_id: str,
    spec: Json,
    labels: Mapping[str, str],
    annotations: Mapping[str, str] | None = None,
) -> Json:
    """A Job that runs one pod once, owned by the proposal; `spec` has its template and deadline."""
    ours = {
        PROPOSAL: request.proposal,
        PROPOSAL_UID: request.proposal_uid,
        OPERATION: operation_id,
    }
    owner = {
        "apiVersion": API_VERSION,
        "kind": "ActionProposal",
        "name": request.proposal,
        "uid": request.proposal_uid,
        "controller": True,
        "blockOwnerDeletion": False,
    }
    template = spec["template"]
    metadata = template.get("metadata") or {}
    metadata = {**metadata, "labels": {**(metadata.get("labels") or {}), **ours}}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": job_name(request.proposal, request.proposal_uid, operation_id),
            "labels": {**labels, **ours},
            **({"annotations": dict(annotations)} if annotations else {}),
            "ownerReferences": [owner],
        },
        "spec": {**ONCE, **spec, "template": {**template, "metadata": metadata}},
    }


def _pod_spec(parameters: RunJobParameters, runner: str | None) -> Json:
    spec: Json = {
        "restartPolicy": "Never",
        "serviceAccountName": runner,
        "automountServiceAccountToken": parameters.mount_service_account_token,
        "enableServiceLinks": False,
        "securityContext": _without_none(
            {
                **POD_SECURITY,
                "runAsNonRoot": parameters.run_as_non_root or None,
                "runAsUser": parameters.run_as_user,
            }
        ),
        "containers": [_container(parameters)],
        "nodeSelector": dict(parameters.node_selector),
        "tolerations": [toleration.wire() for toleration in parameters.tolerations],
        "imagePullSecrets": [{"name": name} for name in parameters.image_pull_secrets],
    }
    return {key: value for key, value in spec.items() if value not in ({}, [])}


def _container(parameters: RunJobParameters) -> Json:
    container: Json = {
        "name": CONTAINER,
        "image": parameters.image,
        "command": list(parameters.command),
        "args": list(parameters.args),
        "env": [
            *({"name": name, "value": value} for name, value in parameters.env.items()),
            *({"name": name, "valueFrom": ref.wire()} for name, ref in parameters.secret_env.items()),
        ],
        "workingDir": parameters.working_dir,
        "resources": {key: value for key, value in parameters.resources.wire().items() if value},
        "securityContext": {
            **CONTAINER_SECURITY,
            "readOnlyRootFilesystem": parameters.read_only_root_filesystem,
        },
    }
    return {key: value for key, value in container.items() if value not in ({}, [], None)}


def _without_none(values: Json) -> Json:
    return {key: value for key, value in values.items() if value is not None}
