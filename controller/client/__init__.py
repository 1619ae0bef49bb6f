"""Action Operator for Python programs: propose actions and workflows, wait for their outcome, cancel, undo.

```python
async with ActionClient(namespace="shop") as client:
    proposal = await client.propose_action(
        "scale-workload",
        {"kind": "Deployment", "name": "checkout", "replicas": 6},
        reason="queue depth is four times normal",
    )
    finished = await client.wait(proposal.metadata.name, ActionProposal, timeout_seconds=300)
    print(finished.status.outcome, finished.status.message)
```
"""

from controller.api.common import RetryConfig
from controller.api.names import Mode, Outcome
from controller.api.proposal import ActionProposal
from controller.api.workflow import ActionWorkflow
from controller.client.client import ActionClient
from controller.client.errors import NotFinished, NothingToUndo, ObserveOnlyError, ValidationError
from controller.client.requests import ActionRecommendation

__all__ = [
    "ActionClient",
    "ActionProposal",
    "ActionRecommendation",
    "ActionWorkflow",
    "Mode",
    "NotFinished",
    "NothingToUndo",
    "ObserveOnlyError",
    "Outcome",
    "RetryConfig",
    "ValidationError",
]
