"""What is wrong with a proposal as it was written: fields, checks, action, parameters, retry settings, kind, runner."""

from controller.api.names import Reason
from controller.core.check_faults import check_faults
from controller.core.checks import read_objects
from controller.core.validation import action_faults, field_faults, kind_faults
from controller.core.view import Fault, ProposalView


def validation_faults(view: ProposalView) -> list[Fault]:
    """Everything wrong with the proposal itself."""
    spec = view.proposal.spec
    faults = [
        *field_faults(spec),
        *check_faults("spec", spec.preconditions, spec.verify, view.proposal.metadata.namespace or ""),
        *action_faults(view.world.catalogue, spec.action, spec.parameters, "spec"),
    ]
    if faults or view.type is None:
        return faults
    try:
        view.retry  # noqa: B018  merges type and proposal
    except ValueError as error:
        return [Fault(Reason.INVALID_SPEC, f"spec.retry: {error}")]
    traits = view.world.catalogue.executors.traits(view.type, spec.parameters)
    faults += kind_faults(traits, view.policy, "spec")
    needs_runner = traits.needs_runner or read_objects((*spec.preconditions, *spec.verify))
    if needs_runner and view.runner is None and not view.policy.conflict:
        faults.append(RUNNER_MISSING)
    return faults


RUNNER_MISSING = Fault(
    Reason.RUNNER_MISSING,
    "spec.serviceAccountName: this action, or a check of it, touches the API server and needs a ServiceAccount to act "
    "as; name one here or in an ActionPolicy",
    missing=True,
)
