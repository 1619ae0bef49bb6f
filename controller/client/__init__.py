"""Action Operator for Python programs: propose actions and workflows, approve, wait for their outcome, cancel, undo.

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

Somebody else, who has read what it would change (`status.preview`):

```python
    await client.approve("scale-checkout", digest=shown.status.digest, comment="agreed on the call")
```
"""

from controller.api.approval import ActionApproval
from controller.api.common import RetryConfig
from controller.api.names import Mode, Outcome
from controller.api.proposal import ActionProposal
from controller.api.workflow import ActionWorkflow
from controller.client.client import ActionClient
from controller.client.errors import (
    DigestChanged,
    NotFinished,
    NothingToApprove,
    NothingToRetry,
    NothingToUndo,
    ObserveOnlyError,
    ValidationError,
)
from controller.client.requests import ActionRecommendation
from controller.client.scope import Scope

__all__ = [
    "ActionApproval",
    "ActionClient",
    "ActionProposal",
    "ActionRecommendation",
    "ActionWorkflow",
    "DigestChanged",
    "Mode",
    "NotFinished",
    "NothingToApprove",
    "NothingToRetry",
    "NothingToUndo",
    "ObserveOnlyError",
    "Outcome",
    "RetryConfig",
    "Scope",
    "ValidationError",
]
