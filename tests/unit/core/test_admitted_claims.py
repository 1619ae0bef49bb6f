"""Whatever the API server would refuse at a claim (config/admission/kill-switch.yaml), the gates hold before.

A claim that is refused is safe but not quiet: it is tried again and again until the policy changes.
"""

from datetime import datetime
from typing import Any

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st
from unit.core.making import (
    CHANCE,
    CREATED,
    EXECUTE,
    NOW,
    PROVEN,
    SHIPPED,
    SHIPPED_TYPES,
    UNPROVEN,
    VALIDATED,
    after,
    attempt,
    claimed,
    named,
    type_entry,
    view,
)

from controller.api.base import rfc3339
from controller.api.policy import ActionPolicy
from controller.api.proposal import ProposalStatus
from controller.core.ports import Json
from controller.core.proposal import decide
from controller.core.view import ProposalView

LABELS = {"team": "web"}
TYPES = {
    "as shipped": SHIPPED_TYPES,
    "all critical by now": tuple(type_entry(name, risk="Critical") for name in SHIPPED),
}
STANDINGS: Any = {
    "new": {},
    "in order": VALIDATED,
    "nothing done": claimed(attempt(1, "NotDone")),
    "may be done": claimed(attempt(1, "Unknown")),
    "interrupted": claimed(attempt(1, "Interrupted")),
    "done, only to be verified": claimed(attempt(1, "Failed", doneAt=rfc3339(CREATED))),
}


def refusals(policy: ActionPolicy, seen: ProposalView, status: ProposalStatus) -> list[str]:
    """The rules of the API server, in Python: what it says against this claim because of one policy."""
    spec, match, asked = policy.spec, policy.spec.match, seen.proposal.spec.requested_by
    covers = (
        (match.namespaces is None or seen.proposal.metadata.namespace in match.namespaces)
        and (match.namespace_labels or {}).items() <= seen.world.namespace_labels.items()
        and (match.actions is None or seen.proposal.spec.action in match.actions)
        and (match.risks is None or status.risk is None or status.risk in match.risks)
        and (match.requesters is None or asked is None or asked.username in match.requesters)
    )
    if not covers:
        return []
    started_at = status.attempts[-1].started_at
    said = ["halt"] if spec.halt else []
    said += ["mode"] if spec.mode == "Observe" else []
    return said + ["freezes" for freeze in spec.freezes if freeze.start <= started_at < freeze.end]


def freeze(start: datetime, end: datetime) -> Json:
    return {"start": rfc3339(start), "end": rfc3339(end), "reason": "holidays"}


moments = st.integers(-2, 2).map(after)
matches = st.fixed_dictionaries(
    {},
    optional={
        "namespaces": st.sampled_from([["shop"], ["elsewhere"]]),
        "namespaceLabels": st.sampled_from([LABELS, {"team": "api"}]),
        "actions": st.sampled_from([["scale-workload"], ["wait"]]),
        "risks": st.sampled_from([["Medium"], ["Critical"], ["Low", "Medium"]]),
        "requesters": st.sampled_from([["alice"], ["bob"], []]),
    },
)
freezes = st.tuples(moments, moments).filter(lambda times: times[0] < times[1]).map(lambda times: freeze(*times))
policies = st.fixed_dictionaries(
    {"match": matches},
    optional={
        "mode": st.sampled_from(["Execute", "Observe"]),
        "halt": st.booleans(),
        "freezes": st.lists(freezes, max_size=2),
    },
)


@settings(max_examples=300, deadline=None, print_blob=True)
@given(
    rules=st.lists(policies, max_size=3),
    standing=st.sampled_from(sorted(STANDINGS)),
    requester=st.sampled_from(["alice", "bob", "eve", None]),
    proven=st.booleans(),
    types=st.sampled_from(sorted(TYPES)),
)
def test_no_decision_claims_what_the_api_server_would_refuse(
    rules: Any, standing: str, requester: str | None, proven: bool, types: str
) -> None:
    seen = view(
        {"requestedBy": {"username": requester}} if requester else {},
        {"risk": "Medium", **STANDINGS[standing]},
        policies=[EXECUTE, *rules],
        types=TYPES[types],
        labels=LABELS,
        enforcement=PROVEN if proven else UNPROVEN,
    )
    decision = decide(seen, NOW, CHANCE)
    if decision.act is None:
        event("held")
        return
    event(f"claimed: {standing}")
    assert decision.status is not None
    said = [word for one in named(rules) for word in refusals(one, seen, decision.status)]
    assert said == []


@pytest.mark.parametrize("standing", sorted(STANDINGS))
@pytest.mark.parametrize("rule", [{"halt": True}, {"mode": "Observe"}, {"freezes": [freeze(after(-60), after(60))]}])
def test_halt_observe_and_freezes_hold_every_claim_also_one_that_only_verifies(standing: str, rule: Any) -> None:
    seen = view(status=STANDINGS[standing], policies=[EXECUTE, rule])
    assert decide(seen, NOW, CHANCE).act is None
    assert decide(view(status=STANDINGS[standing]), NOW, CHANCE).act is not None, "but for the rule it would go on"
