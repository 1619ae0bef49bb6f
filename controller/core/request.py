"""What was asked for, as the one document that the request digest is over. Form: docs/spec/digest.md."""

from controller.core.checks import read_objects
from controller.core.digest import request_document
from controller.core.ports import Json
from controller.core.view import ProposalView, WorkflowView
from controller.core.world import TypeEntry, retry_config, timeout_seconds


def proposal_request(view: ProposalView, entry: TypeEntry) -> Json:
    """The document of a proposal whose type is `entry`. Raises ValueError where its retry settings contradict."""
    spec = view.proposal.spec
    return request_document(
        kind=view.proposal.kind,
        namespace=view.proposal.metadata.namespace or "",
        spec=view.raw_spec,
        types={spec.action: entry.raw_spec},
        runner=acts_as(view, entry),
        timings={"": (view.timeout_seconds, view.retry)},
    )


def workflow_request(view: WorkflowView) -> Json:
    """The document of a workflow; types that are not there are left out. Raises ValueError as above."""
    spec, steps, types = view.workflow.spec, view.definition.all, view.world.catalogue.types
    return request_document(
        kind=view.workflow.kind,
        namespace=view.workflow.metadata.namespace or "",
        spec=view.raw_spec,
        types={action: types[action].raw_spec for action in view.actions if action in types},
        runner={step.name: view.runner_of(step.action) for step in steps},
        timings={
            step.name: (
                timeout_seconds(step.timeout_seconds, types.get(step.action), view.world.settings),
                retry_config(types.get(step.action), *(r.wire() for r in (spec.retry, step.retry) if r)),
            )
            for step in steps
        },
    )


def acts_as(view: ProposalView, entry: TypeEntry) -> str | None:
    """The runner, for actions that touch the API server, and for checks that do."""
    spec = view.proposal.spec
    traits = view.world.catalogue.executors.traits(entry, spec.parameters)
    return view.runner if traits.needs_runner or read_objects((*spec.preconditions, *spec.verify)) else None
