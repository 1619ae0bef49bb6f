"""Who is there in the random life (leave_machine.py), what they act on, and what policies may ask for."""

from collections.abc import Mapping
from typing import Any

from harness.facts import Person

Json = dict[str, Any]

SHOP, OTHER = "shop", "other"
"""Where it all happens, and a namespace from which somebody reaches over."""
ALICE, BOB, CAROL = Person("alice", ("sre",)), Person("bob", ("developers",)), Person("carol", ("sre",))
DORA = Person("dora")
"""May propose, and approve in the other namespace."""
AGENT = Person("system:serviceaccount:shop:agent", ("system:serviceaccounts",))
PEOPLE = (ALICE, BOB, CAROL, DORA, AGENT)
ACTIONS = ("scale-workload", "http-request", "log-message")
TARGETS = ("web", "db")

SPANS = ("a moment", "a retry", "the grace", "till later", "a short validity", "a validity", "a request", "a day")
"""What the clock passes, by names: how long each is, the world says."""
ASKING: Mapping[str, Json] = {
    "one": {"required": 1},
    "two": {"required": 2},
    "of a group": {"required": 1, "groups": ["sre"]},
    "two of two groups": {"required": 2, "groups": ["developers", "sre"]},
    "of another group": {"required": 1, "groups": ["developers"]},
    "more from machines": {"required": 1, "requiredFromMachines": 2},
    "from machines only": {"requiredFromMachines": 1},
    "own votes count": {"required": 1, "allowSelf": True},
    "own votes do not count": {"required": 1, "allowSelf": False},
    "for a short time": {"required": 1, "validSeconds": "a short validity"},
    "for a time": {"required": 1, "validSeconds": "a validity"},
    "answer soon": {"required": 1, "requestTimeoutSeconds": "a request"},
    "drift or not": {"required": 1, "onDrift": "Proceed"},
    "nothing": {"required": 0},
}
