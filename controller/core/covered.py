"""What a vote on a workflow covers."""

from controller.api.workflow import ActionWorkflow


def covered_actions(workflow: ActionWorkflow) -> frozenset[str]:
    """Every action type that may run for it. The operator writes them with the digest, which stands for all of them;
    before there is one nothing can be voted on.
    """
    if workflow.status.actions:
        return frozenset(workflow.status.actions)
    return frozenset(workflow.spec.actions)
