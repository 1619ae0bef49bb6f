"""A world for the approvals: people who ask, vote, grant and declare as they like, and the operators that serve them.

The operators are the real runtime. Whatever people do and operators write is told to the judge.
"""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any
from uuid import uuid4

from harness.cast import ACTIONS, BOB, CAROL, DORA, OTHER, SHOP, TARGETS
from harness.facts import PROPOSAL, WORKFLOW, Asked, Cast, Person
from harness.judge import Judge
from unit.core.making import NOW, SHIPPED
from unit.runtime.approval_outside import Found, Outside
from unit.runtime.approval_server import GuardedApi, Killed, Process

from controller.api.base import rfc3339
from controller.core.ports import Json, Resource
from controller.kube.resources import APPROVALS, POLICIES, PROPOSALS, TYPES, WORKFLOWS
from controller.runtime.store import Key

SPANS = {
    "a moment": 1, "a retry": 6, "the grace": 11, "till later": 130, "a short validity": 61, "a request": 310,
    "a validity": 700, "a day": 90_000,
}  # fmt: skip
"""Seconds that pass."""
TIMES = {"a short validity": 60, "a validity": 600, "a request": 300}
"""Seconds that policies name."""
SOON_SECONDS = 120
AT_ONCE: Json = {"minWaitSeconds": 0, "jitterFraction": 0}


class World:
    """What people and programs can do. Doing what admission refuses does nothing."""

    def __init__(self) -> None:
        self.judge = Judge(now=NOW, namespace=SHOP, since=NOW - timedelta(days=1))
        self.outside = Outside(self.judge)
        self.api = GuardedApi(self.judge)
        self.made = self.begun = 0
        self.processes: list[Process] = []
        self.judge.rights = {(p.name, SHOP, action) for p in (BOB, CAROL) for action in ACTIONS}
        self.judge.rights |= {(p.name, OTHER, action) for p in (DORA, CAROL) for action in ACTIONS}
        self.judge.targets = dict.fromkeys(TARGETS, 3)
        for action in ACTIONS:
            self.declare_type(action, 0)
        self.let_run(True)

    # -- declarations ----------------------------------------------------------------------------------------------

    def declare_type(self, action: str, version: int) -> None:
        """Version 2 of one runs something else."""
        self.judge.types[action] = version
        # Parameters are not what this is about, and checking their schemas takes most of the time.
        spec = {**SHIPPED[action]["spec"], "parameters": {"type": "object"}, "description": f"version {version}"}
        if version == Found.of_version and action == "log-message":
            spec["executor"] = {"builtIn": {"name": Found.name, "version": 1}}
        self.tell(TYPES, "MODIFIED", self._stored(TYPES, action, spec))

    def policy(self, name: str, spec: Json | None, *, late: bool = False) -> None:
        """Stores a policy, or with None deletes it."""
        if spec is None:
            raw = self.api.objects.pop(Key(POLICIES.plural, "", name), None)
            if self.judge.stored_policies.pop(name, None) is not None and raw:
                self.tell(POLICIES, "DELETED", raw, late=late)
            return
        self.judge.stored_policies[name] = spec
        self.tell(POLICIES, "MODIFIED", self._stored(POLICIES, name, spec), late=late)

    def let_run(self, allowed: bool) -> None:
        self.policy("go", {"mode": "Execute"} if allowed else None)

    def timed(self, rule: Json) -> Json:
        """A rule with the seconds that its times stand for here."""
        return {name: TIMES.get(value, value) if isinstance(value, str) else value for name, value in rule.items()}

    def grant(self, who: Person, namespace: str, action: str, granted: bool) -> None:
        right = who.name, namespace, action
        (self.judge.rights.add if granted else self.judge.rights.discard)(right)

    def drift(self, name: str, value: int) -> None:
        self.judge.targets[name] = value

    def _stored(self, resource: Resource, name: str, spec: Json) -> Json:
        old = self.api.objects.get(Key(resource.plural, "", name)) or {"metadata": {"name": name, "generation": 0}}
        metadata = {**old["metadata"], "generation": old["metadata"]["generation"] + 1}
        return self.api.put(resource, {**old, "metadata": metadata, "spec": spec})

    # -- people ----------------------------------------------------------------------------------------------------

    def propose(
        self,
        by: Person,
        action: str,
        number: int,
        *,
        named: Person | None,
        later: bool = False,
        owner: Json | None = None,
        **spec: Any,
    ) -> Json | None:
        """`named`: who is said to ask; None: left out. `owner`: a workflow whose step it claims to be."""
        self.made += 1
        if later:
            spec["notBefore"] = self._soon()
        spec |= {"action": action, "parameters": parameters(action, number), "retry": AT_ONCE}
        return self._ask(PROPOSALS, PROPOSAL, by, f"p{self.made}", spec, (action,), named, owner)

    def start(self, by: Person, actions: Sequence[str], number: int, *, later: bool = False) -> Json | None:
        """Proposes a workflow of a step for each action."""
        self.made += 1
        steps = [
            {"name": f"s{n}", "action": action, "parameters": parameters(action, number + n)}
            for n, action in enumerate(actions)
        ]
        spec: Json = {"steps": steps, "description": "several"}
        if later:
            spec["notBefore"] = self._soon()
        return self._ask(WORKFLOWS, WORKFLOW, by, f"w{self.made}", spec, tuple(dict.fromkeys(actions)), by)

    def _soon(self) -> str:
        return rfc3339(self.judge.now + timedelta(seconds=SOON_SECONDS))

    def _ask(
        self,
        resource: Resource,
        kind: str,
        by: Person,
        name: str,
        spec: Json,
        actions: tuple[str, ...],
        named: Person | None,
        owner: Json | None = None,
    ) -> Json | None:
        if self.api.in_force():
            if named not in (None, by) or owner:
                return None
            named = by
        if named:
            spec["requestedBy"] = {"username": named.name, "groups": list(named.groups)}
        metadata: Json = {"name": name, "namespace": SHOP, "uid": str(uuid4())}
        if owner:
            about = {"kind": WORKFLOW, "name": owner["metadata"]["name"], "uid": owner["metadata"]["uid"]}
            metadata["ownerReferences"] = [{"apiVersion": owner["apiVersion"], "controller": True, **about}]
        self.judge.asked[metadata["uid"]] = Asked(kind, name, metadata["uid"], by, self.judge.now, actions)
        raw = self.api.put(resource, {"metadata": metadata, "spec": {"reason": "test", **spec}})
        self.tell(resource, "ADDED", raw)
        return raw

    def vote(
        self,
        by: Person,
        about: Json,
        *,
        decision: str,
        named: Person | None = None,
        digest: str | None = None,
        uid: str | None = None,
        namespace: str = SHOP,
        name: str | None = None,
        actions: Sequence[str] | None = None,
        late: bool = False,
    ) -> None:
        """A vote on what is shown now, but for what is said."""
        digest = digest or (about.get("status") or {}).get("digest")
        if digest is None:
            return
        self.judge.count("votes tried")
        actions = tuple(actions or _actions(about))
        if self.api.in_force():
            allowed = all((by.name, namespace, action) in self.judge.rights for action in actions[:8])
            if not allowed or named not in (None, by):
                return
            named = by
        self.made += 1
        kind, metadata = about["kind"], {"name": name or f"v{self.made}", "namespace": namespace}
        if Key(APPROVALS.plural, namespace, metadata["name"]) in self.api.objects:
            return
        subject = {"kind": kind, "name": about["metadata"]["name"], "uid": uid or about["metadata"]["uid"]}
        spec: Json = {"subject": subject, "digest": digest, "actions": list(actions), "decision": decision}
        if named:
            spec["approver"] = {"username": named.name, "groups": list(named.groups)}
        raw = self.api.put(APPROVALS, {"metadata": metadata, "spec": spec})
        self.judge.votes[namespace, metadata["name"]] = Cast(
            by, (named or by).groups, namespace, (kind, subject["name"], subject["uid"]), digest, actions, decision,
            self.judge.now,
        )  # fmt: skip
        self.tell(APPROVALS, "ADDED", raw, late=late)

    def votes(self) -> list[Json]:
        return [*self.api.all(APPROVALS)]

    def meanwhile(self, happens: Callable[[], None]) -> None:
        """While an operator asks, right before its next claim, whether those who voted still may."""
        self.api.meanwhile("review", happens)

    def withdraw(self, raw: Json) -> None:
        """A vote is deleted."""
        metadata = raw["metadata"]
        del self.api.objects[Key(APPROVALS.plural, metadata["namespace"], metadata["name"])]
        del self.judge.votes[metadata["namespace"], metadata["name"]]
        self.tell(APPROVALS, "DELETED", raw)

    def edit(self, raw: Json, *, late: bool = False, **spec: Any) -> None:
        """Changes what may be changed of an object that is not finished."""
        resource = PROPOSALS if raw["kind"] == PROPOSAL else WORKFLOWS
        key = Key(resource.plural, SHOP, raw["metadata"]["name"])
        self.tell(resource, "MODIFIED", self.api.edit(key, **spec), late=late)

    def live(self) -> list[Json]:
        """Proposals and workflows without an outcome, steps left out."""
        found = [*self.api.all(PROPOSALS), *self.api.all(WORKFLOWS)]
        return [raw for raw in found if not (raw.get("status") or {}).get("outcome") and not _owned(raw)]

    def shown(self, asked: Json | None) -> Json | None:
        """It as it is now, while it lives."""
        return next((raw for raw in self.live() if asked and raw["metadata"]["uid"] == asked["metadata"]["uid"]), None)

    # -- operators -------------------------------------------------------------------------------------------------

    def tell(self, resource: Resource, event: str, raw: Json, *, late: bool = False) -> None:
        """The watches of all operators, one of each kind.

        `late`: they tell of it, and of all that follows of that kind, only when they catch up.
        """
        for process in self.processes:
            if late or any(plural == resource.plural for plural, _, _ in process.late):
                process.late.append((resource.plural, event, raw))
            else:
                process.hear(resource.plural, event, raw)

    def catch_up(self) -> None:
        """All watches tell what they were late with."""
        for process in self.processes:
            process.catch_up()

    def pass_time(self, span: str) -> None:
        self.judge.now += timedelta(seconds=SPANS[span])

    def put_in_order(self) -> None:
        """Nothing is late, stopped, unproven or hanging."""
        self.catch_up()
        self.policy("stop", None)
        self.let_run(True)
        self.judge.since = self.judge.since or self.judge.now
        self.pass_time("the grace")
        self.release("done")

    def kill_after_the_next_claim(self) -> None:
        self.api.kill_after_claim = True

    async def begin(self) -> None:
        self.begun += 1
        self.judge.count("operators begun")
        process = Process(self.api, self.outside, self.begun)
        process.declarations.enforcement = await process._look()
        self.processes.append(process)

    async def work(self) -> None:
        """All operators do what is due, one after the other; one that is killed does no more."""
        for process in list(self.processes):
            try:
                await process.work()
            except Killed:
                await self.kill(process)

    async def kill(self, process: Process) -> None:
        self.judge.count("operators killed")
        await self._end(process)

    async def _end(self, process: Process) -> None:
        self.processes.remove(process)
        await process.end()

    async def end(self) -> None:
        for process in list(self.processes):
            await self._end(process)

    def release(self, answer: str) -> None:
        """What hangs gets its answer."""
        hanging, self.outside.hanging = self.outside.hanging, {}
        for event in hanging:
            self.outside.answers.insert(0, answer)
            event.set()


def parameters(action: str, number: int) -> Json:
    match action:
        case "scale-workload":
            return {"kind": "Deployment", "name": TARGETS[number % 2], "replicas": 3 + number % 3}
        case "http-request":
            return {"method": "POST", "url": "https://hooks.example.com/page"}
        case _:
            return {"message": "hello"}


def _actions(raw: Json) -> tuple[str, ...]:
    steps = raw["spec"].get("steps") or [raw["spec"]]
    return tuple(dict.fromkeys(step["action"] for step in steps))


def _owned(raw: Json) -> bool:
    return bool(raw["metadata"].get("ownerReferences"))
