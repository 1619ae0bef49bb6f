"""Recomputes the request digest of a proposal or workflow, and says what differs from a stored one. Pure."""

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

import pydantic

from controller.api.base import unknown_fields
from controller.api.crd import crd
from controller.api.names import Reason
from controller.api.proposal import ActionProposal
from controller.api.workflow import ActionWorkflow
from controller.client.errors import ValidationError
from controller.client.requests import field_faults
from controller.core.checks import read_objects
from controller.core.digest import digest, sha256
from controller.core.ports import Json
from controller.core.request import proposal_request, workflow_request
from controller.core.validation import action_faults
from controller.core.view import ProposalView, WorkflowView
from controller.core.workflow_validation import step_faults
from controller.core.world import World

Subjects = ActionProposal | ActionWorkflow
Kinds = type[ActionProposal] | type[ActionWorkflow]

MAX_CHANGES = 64
"""As many as a status keeps: with more of them the digest cannot be recomputed from it."""


@dataclass(frozen=True)
class Recomputed:
    """The request digest, and the document that it is over."""

    digest: str
    document: Json


@dataclass(frozen=True)
class Comparison:
    """What is stored in a status against what follows from things as they are now. None = nothing to compare with."""

    computed: Recomputed
    request_digest: str | None
    digest: str | None
    """`status.digest` as it follows from the stored request digest and the stored preview."""
    stored_digest: str | None
    why: tuple[str, ...] = ()
    """Which parts differ, where that can be told."""

    @property
    def same(self) -> bool:
        return not self.request_differs and not self.digest_differs

    @property
    def request_differs(self) -> bool:
        return self.request_digest is not None and self.request_digest != self.computed.digest

    @property
    def digest_differs(self) -> bool:
        return self.digest is not None and self.stored_digest is not None and self.digest != self.stored_digest


def as_stored(kind: Kinds, manifest: Json, namespace: str) -> Json:
    """The object as the API server would store it: nulls dropped, defaults filled in. Raises ValidationError."""
    about = manifest.get("metadata") or {}
    if not isinstance(about, dict) or not about.get("name"):
        raise ValidationError(["metadata.name: is required"])
    schema = crd(kind)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    spec = with_defaults(manifest.get("spec") or {}, schema)
    stored = {
        "apiVersion": manifest["apiVersion"],
        "kind": kind.INFO.kind,
        "metadata": {"name": about["name"], "namespace": about.get("namespace") or namespace},
        "spec": spec,
    }
    try:
        read = kind.model_validate(stored)
    except pydantic.ValidationError as error:
        raise ValidationError([line.removeprefix("spec.") for line in field_faults(error)]) from None
    unknown = [f"{path}: is not a field of this kind" for path in unknown_fields(read.spec, "spec")]
    if unknown:
        raise ValidationError(unknown)
    return stored


def with_defaults(value: object, schema: Json) -> object:
    """The value as a structural schema defaults it.

    Source: Kubernetes' rules for CustomResourceDefinitions ("Defaulting and Nullable"): a null of a field that is not
    nullable is dropped, then defaults are applied, from the outside in.
    """
    if isinstance(value, list):
        return [with_defaults(item, schema.get("items") or {}) for item in value]
    if not isinstance(value, dict):
        return value
    fields: Mapping[str, Json] = schema.get("properties") or {}
    kept = {
        name: item
        for name, item in value.items()
        if item is not None or name not in fields or fields[name].get("nullable")
    }
    for name, field in fields.items():
        if "default" in field and name not in kept:
            kept[name] = copy.deepcopy(field["default"])
    others = schema.get("additionalProperties")
    rest = others if isinstance(others, dict) else {}
    return {name: with_defaults(item, fields.get(name, rest)) for name, item in kept.items()}


def recompute(subject: Subjects, raw_spec: Json, world: World) -> Recomputed:
    """By the types and policies of `world`. Raises ValidationError for what has no digest yet, all faults named."""
    if isinstance(subject, ActionProposal):
        view = ProposalView(subject, raw_spec, world)
        entry = view.type
        faults = action_faults(world.catalogue, subject.spec.action, subject.spec.parameters, "spec")
        if faults or entry is None:
            raise ValidationError([fault.message for fault in faults])
        document = proposal_request(view, entry)
    else:
        whole = WorkflowView(subject, raw_spec, world, {})
        faults = [fault for step in whole.definition.all for fault in step_faults(whole, step)]
        found = [fault.message for fault in faults if fault.reason is not Reason.RUNNER_MISSING]
        if found:
            raise ValidationError(found)
        document = workflow_request(whole)
    return Recomputed(sha256(document), document)


def policy_needed(subject: Subjects, world: World) -> bool:
    """Whether the runner follows from policy, so that the digest is right only if all policies were read."""
    if subject.spec.service_account_name is not None:
        return False
    if isinstance(subject, ActionWorkflow):
        return True
    entry = world.catalogue.types.get(subject.spec.action)
    if entry is None:
        return False
    checked = read_objects((*subject.spec.preconditions, *subject.spec.verify))
    return checked or world.catalogue.executors.traits(entry, subject.spec.parameters).needs_runner


def compare(subject: Subjects, computed: Recomputed, world: World, types_changed: Mapping[str, datetime]) -> Comparison:
    """A stored object against what was recomputed. `types_changed`: when the spec of each type was last changed."""
    status = subject.status
    whole = None
    if status.request_digest is not None and status.preview is not None and len(status.preview.changes) < MAX_CHANGES:
        whole = digest(status.request_digest, status.preview.changes)
    found = Comparison(computed, status.request_digest, whole, status.digest)
    if not found.request_differs:
        return found
    return replace(found, why=tuple(_differences(subject, computed, world, types_changed)))


def _differences(
    subject: Subjects, computed: Recomputed, world: World, types_changed: Mapping[str, datetime]
) -> Iterator[str]:
    """The spec cannot have changed, so it is the runner, a type, or with a type its timeout and retry."""
    status, document = subject.status, computed.document
    if isinstance(subject, ActionProposal):
        runner = subject.status.runner
        if runner != document["runner"]:
            yield f"runner: {_quoted(document['runner'])} by today's policies, {_quoted(runner)} in status"
            if sha256({**document, "runner": runner}) == status.request_digest:
                return
        pinned = {attempt.type_digest for attempt in subject.status.attempts}
        entry = world.catalogue.types.get(subject.spec.action)
        if entry is not None and pinned and entry.digest not in pinned:
            yield f"types.{subject.spec.action}: is {entry.digest}, the attempts ran {', '.join(sorted(pinned))}"
            return
    seen = status.preview.computed_at if status.preview else None
    later = [name for name in document["types"] if seen and name in types_changed and types_changed[name] > seen]
    for name in later:
        yield f"types.{name}: was changed after the digest was written"
    if not later and not isinstance(subject, ActionProposal):
        yield "runner, or types: none of the types was changed since, so policies may name another runner"
    elif not later:
        yield "types or timings: an action type, or the operator's own defaults, differ from what they were"


def _quoted(name: str | None) -> str:
    return name or "none"
