"""What may come between an approval and its effect, in the random life (leave_machine.py), by names."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from harness.cast import SHOP, TARGETS
from harness.facts import Person

Json = dict[str, Any]


@dataclass(frozen=True)
class Approved:
    """What was approved. `by`: one of those who did."""

    action: str
    number: int
    by: Person
    asked: Json | None

    @property
    def match(self) -> Json:
        return {"match": {"actions": [self.action]}}


Deed = Callable[[Any, Approved], None]
"""Done in a machine."""


def drift(machine: Any, it: Approved) -> None:
    for name in TARGETS:
        machine.world.drift(name, 2 + (it.number + len(name)) % 5)


def loosen(machine: Any, it: Approved) -> None:
    for name in ("asks", "also"):
        machine.world.policy(name, None)


def tighten(machine: Any, it: Approved) -> None:
    machine.world.policy("also", {"approval": {"required": 2, "groups": ["sre"]}})


def outlive(machine: Any, it: Approved) -> None:
    rule = machine.world.timed({"required": 1, "validSeconds": "a validity"})
    machine.world.policy("asks", {"approval": rule})
    machine.world.pass_time("a validity")


def withdraw(machine: Any, it: Approved) -> None:
    for vote in machine.world.votes()[-2:]:
        machine.world.withdraw(vote)


def stop(spec: Json, *, late: bool = False) -> Deed:
    return lambda machine, it: machine.world.policy("stop", {**spec, **it.match}, late=late)


def edit(**spec: bool) -> Deed:
    return lambda machine, it: machine.world.edit(it.asked, **spec) if it.asked else None


def passing(span: str) -> Deed:
    return lambda machine, it: machine.world.pass_time(span)


def kill_then_swap(machine: Any, it: Approved) -> None:
    """Whoever takes the attempt over finds another type."""
    machine.world.kill_after_the_next_claim()
    machine.world.pass_time("till later")
    machine.work()
    machine.world.declare_type(it.action, 2)
    machine.do(machine.world.begin())


OTHERWISE: Mapping[str, Deed] = {
    "drift": drift,
    "another type": lambda machine, it: machine.world.declare_type(it.action, 1 + it.number % 2),
    "a stricter policy": tighten,
    "no policy": loosen,
    "validity": outlive,
    "request": passing("a request"),
}
"""What was approved is not what would run, or not under these rules."""
WITHDRAWN: Mapping[str, Deed] = {
    "a right is revoked": lambda machine, it: machine.world.grant(it.by, SHOP, it.action, False),
    "a vote is withdrawn": withdraw,
    "a rejection": lambda machine, it: machine.reject_all(it.by, late=False),
}
UNSEEN: Mapping[str, Deed] = {
    "a rejection told late": lambda machine, it: machine.reject_all(it.by, late=True),
    "a rejection at the claim": lambda machine, it: machine.world.meanwhile(
        lambda: machine.reject_all(it.by, late=True)
    ),
    "halt told late": stop({"halt": True}, late=True),
    "kill": lambda machine, it: machine.world.kill_after_the_next_claim(),
    "kill, another type": kill_then_swap,
}
"""No watch tells of it in time."""
STOPPED: Mapping[str, Deed] = {
    "halt": stop({"halt": True}),
    "observe": stop({"mode": "Observe"}),
    "suspend": edit(suspend=True),
    "cancel": edit(cancelled=True),
}
BETWEEN: Mapping[str, Deed] = {**OTHERWISE, **WITHDRAWN, **UNSEEN, **STOPPED}
