"""What a program proposes, checked before it is created by all that the user may read: fields, actions, policies."""

from collections.abc import Mapping, Sequence
from typing import Any

from controller.api.names import Mode
from controller.api.proposal import ActionProposal, ProposalSpec
from controller.api.workflow import ActionWorkflow, WorkflowSpec
from controller.client.cluster import read_rules
from controller.client.errors import ValidationError
from controller.client.requests import Recommendation, generated_name, manifest, order_faults, parsed, step_mappings
from controller.client.rules import Asked
from controller.client.runbooks import asked_by, check_values, no_runbook
from controller.core.errors import NotFound
from controller.core.graph import step_path
from controller.core.ports import Json
from controller.core.runbook import RunbookEntry, entry_of
from controller.kube.api import Api
from controller.kube.resources import RUNBOOKS


async def proposal_manifest(api: Api, namespace: str, name: str | None, fields: Mapping[str, Any]) -> Json:
    """`fields` of the spec, those that are None left out. Raises what `ActionClient.propose_action` raises."""
    spec = parsed(ProposalSpec, {**fields, "mode": _asked_mode(fields["mode"])})
    rules = await read_rules(api, namespace)
    rules.check([Asked("spec", spec.action, spec.parameters)], spec.mode, spec.requester)
    return manifest(ActionProposal.INFO, name or generated_name(spec.action), namespace, spec)


async def workflow_manifest(
    api: Api, namespace: str, name: str, steps: Sequence[Recommendation], fields: Mapping[str, Any]
) -> Json:
    """`fields` of the spec beside its steps. Raises what `ActionClient.propose_workflow` raises."""
    if not steps:
        raise ValueError(f"workflow {name} has no actions; give at least one")
    spec = parsed(WorkflowSpec, {**fields, "steps": step_mappings(steps), "mode": _asked_mode(fields["mode"])})
    rules = await read_rules(api, namespace)
    wrong = list(order_faults(spec))
    asked = [
        Asked(step_path(step.name), step.action, step.parameters, frozenset(one.path for one in step.computed))
        for step in spec.steps
    ]
    try:
        rules.check(asked, spec.mode, spec.requester)
    except ValidationError as error:
        wrong += error.faults
    if wrong:
        raise ValidationError(wrong)
    return manifest(ActionWorkflow.INFO, name, namespace, spec)


async def read_runbook(api: Api, namespace: str, name: str) -> RunbookEntry:
    """Raises ValueError with the names nearest to it where there is none."""
    try:
        return entry_of(await api.get(RUNBOOKS, name, namespace=namespace))
    except NotFound:
        there = (await api.list(RUNBOOKS, namespace=namespace)).items
        raise ValueError(no_runbook(name, namespace, (raw["metadata"]["name"] for raw in there))) from None


async def run_manifest(api: Api, entry: RunbookEntry, name: str | None, fields: Mapping[str, Any]) -> Json:
    """A workflow that runs the runbook; `fields` of its spec. Raises what `ActionClient.run_runbook` raises."""
    about = entry.runbook.metadata
    check_values(entry, fields["parameters"] or {})
    own = {"description": entry.runbook.spec.description, "runbookRef": {"name": about.name}}
    spec = parsed(WorkflowSpec, {**own, **fields, "mode": _asked_mode(fields["mode"])})
    namespace, made = about.namespace or "", name or generated_name(about.name)
    rules = await read_rules(api, namespace)
    rules.check(asked_by(entry, spec, made, namespace), spec.mode, spec.requester)
    return manifest(ActionWorkflow.INFO, made, namespace, spec)


def _asked_mode(mode: str) -> str:
    """A person may ask for Execute or DryRun; Observe is what policy says."""
    if mode not in (Mode.EXECUTE, Mode.DRY_RUN):
        raise ValidationError([f"spec.mode: must be one of Execute, DryRun (got {mode})"])
    return str(mode)
