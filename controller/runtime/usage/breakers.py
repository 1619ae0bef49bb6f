"""How the breakers of policies stand: what their status says, and where it is behind what has happened since."""

from collections.abc import Callable, Iterable
from datetime import datetime

from controller.api.names import Outcome
from controller.api.policy import ActionPolicy, Breaker
from controller.core.limits import CLOSED, after_end
from controller.runtime.declarations import Declarations


class Breakers:
    """`on_change(policy)` is called when its status should be written soon."""

    def __init__(self, declarations: Declarations, on_change: Callable[[str], None]) -> None:
        self._declarations = declarations
        self._on_change = on_change
        self._ahead: dict[str, Breaker] = {}
        """Where they are ahead of policy status."""

    def of(self, policy: str) -> Breaker:
        return self._ahead.get(policy) or self._written(policy)

    def judge(self, policies: Iterable[str], outcome: Outcome, claimed_at: datetime, at: datetime) -> None:
        """What an end says to the breakers of the policies that count the action. `claimed_at`: its newest claim."""
        for policy in policies:
            limits, before = self._declarations.policies[policy].spec.limits, self.of(policy)
            if limits is None or limits.max_consecutive_failures is None:
                continue
            after = after_end(before, limits, outcome, claimed_at, at)
            if after == before:
                continue
            self._ahead[policy] = after
            known = self._written(policy)
            if after.failures > known.failures or after.opened_at != known.opened_at:
                # A failure that is forgotten would let more through; a success is written when there is time.
                self._on_change(policy)

    def to_write(self, policy: ActionPolicy) -> Breaker | None:
        """What the policy's status should say."""
        name, known = policy.metadata.name, policy.status.breaker
        if policy.spec.limits is None or policy.spec.limits.max_consecutive_failures is None:
            self._ahead.pop(name, None)
            return None
        ahead = self._ahead.get(name)
        if ahead is None or ahead == (known or CLOSED):
            self._ahead.pop(name, None)
            return known
        return None if ahead == CLOSED else ahead

    def unwritten(self) -> tuple[str, ...]:
        """Policies whose status says less or other than is known here."""
        return tuple(policy for policy, ahead in self._ahead.items() if ahead != self._written(policy))

    def clear(self) -> None:
        """What is in status holds."""
        self._ahead.clear()

    def _written(self, policy: str) -> Breaker:
        declared = self._declarations.policies.get(policy)
        return (declared.status.breaker if declared else None) or CLOSED
