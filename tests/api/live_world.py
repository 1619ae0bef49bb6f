"""The world of the random life (harness/leave_machine.py) on a real API server: real users, RBAC, admission, effects.

The operators are the real runtime in this process, with the operator's own ServiceAccount. They hear by listing, so
that a rule is over when nothing is due any more. Effects are told to the judge as they are sent, and counted once more
from outside: by the API server's audit log and by the target of HTTP requests.
"""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from api_server import INFO, Answer, ApiServer
from harness.cast import ACTIONS, AGENT, BOB, CAROL, DORA, OTHER, PEOPLE, SHOP, TARGETS
from harness.facts import PROPOSAL, WORKFLOW, Asked, Cast, Person
from harness.judge import Judge
from harness.stage import RUNNER, deployment, runner_objects
from unit.core.making import SETTINGS
from unit.runtime.fake_api import Operator

from controller.actions.custom import CustomTypes
from controller.actions.http_request import HttpRequest
from controller.actions.log_message import LogMessage
from controller.actions.registry import Registry
from controller.actions.scale_workload import ScaleWorkload
from controller.api.base import API_VERSION, rfc3339
from controller.core.enforcement import Enforcement
from controller.core.ports import Json, Resource
from controller.kube.admission import AdmissionPolicies
from controller.kube.api import Api
from controller.kube.login import Login
from controller.kube.resources import APPROVALS, NAMESPACES, POLICIES, PROPOSALS, TYPES, WORKFLOWS
from controller.kube.session import Session
from controller.runtime.reach import RealReach
from hack.hook_target import HookTarget
from localcluster.controlplane import ControlPlane

SPANS = {
    "a moment": 0.05, "a retry": 0.3, "the grace": 0.05, "till later": 1.1, "a short validity": 2.1, "a request": 2.1,
    "a validity": 3.1, "a day": 0.1,
}  # fmt: skip
"""Seconds that really pass. A day does not."""
TIMES = {"a short validity": 2, "a request": 2, "a validity": 3}
LATER_SECONDS = 1.0
KNOWN_SECONDS = 1.0
"""So long after it is stored the API server itself goes by a policy."""
REST_SECONDS = 30.0
AT_ONCE: Json = {"minWaitSeconds": 0, "jitterFraction": 0}
RBAC = "/apis/rbac.authorization.k8s.io/v1"
REVIEWS = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
LIVING = {PROPOSALS.plural: "status.outcome=", WORKFLOWS.plural: "status.outcome="}
"""What the operator watches of them."""


class Killed(BaseException):
    """kill -9 of an operator, right after its claim."""


class ClockedJudge(Judge):
    """Judges by the clock on the wall; a claim by the time that it names."""

    moment: datetime | None = None

    @property
    def now(self) -> datetime:
        return self.moment or datetime.now(UTC)

    @now.setter
    def now(self, moment: datetime) -> None:
        """It goes by itself."""


@dataclass
class Town:
    """What all lives share: the API server, who comes to it, and the target of HTTP requests. Use `settle` first."""

    plane: ControlPlane
    operator_kubeconfig: Path
    hook: HookTarget
    folder: Path
    lives: int = 0

    def settle(self) -> None:
        """Namespaces, a runner with its targets, and people who may propose."""
        self.admin = ApiServer(self.plane, SHOP)
        for name in (SHOP, OTHER):
            self.must("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
        for body in runner_objects(SHOP):
            self.must("POST", _path_of(body), body)
        self.must("POST", f"/api/v1/namespaces/{SHOP}/serviceaccounts", {"metadata": {"name": "agent"}})
        for name in TARGETS:
            self.must("POST", f"/apis/apps/v1/namespaces/{SHOP}/deployments", deployment(name, 3))
        self._may_propose()
        config = self.plane.service_account_kubeconfig(SHOP, "agent", self.folder / "agent")
        self.clients = {AGENT.name: ApiServer(self.plane, SHOP, config)}
        for name in ("alice", "bob", "carol"):
            self.clients[name] = ApiServer(self.plane, SHOP, self.plane.kubeconfig_of(name))

    def send(self, who: Person, method: str, path: str, body: Json | None = None) -> Answer:
        """As that user; who has no token of their own comes as the administrator says."""
        if who.name in self.clients:
            return self.clients[who.name].send(method, path, body)
        return self.admin.send(method, path, body, {"Impersonate-User": who.name})

    def must(self, method: str, path: str, body: Json | None = None) -> Json:
        """As the administrator."""
        answer = self.admin.send(method, path, body)
        assert answer.accepted, f"{method} {path}: {answer.says}"
        return answer.body

    def _may_propose(self) -> None:
        everyone = [_subject(person) for person in PEOPLE]
        write = ["get", "list", "watch", "create", "update", "patch", "delete"]
        ours = {"apiGroups": ["actionoperator.dev"], "resources": ["*"], "verbs": write}
        propose = _verb("actionoperator.dev", "actiontypes", ["propose"], ACTIONS)
        use = _verb("", "serviceaccounts", ["use"], [RUNNER])
        for namespace in (SHOP, OTHER):
            self._bound(namespace, "people", [ours, propose, use], everyone)
            for action in ACTIONS:
                may = _verb("actionoperator.dev", "actiontypes", ["approve", "approve-as-machine"], [action])
                self._bound(namespace, f"approve-{action}", [may], None)

    def _bound(self, namespace: str, name: str, rules: Sequence[Json], subjects: Sequence[Json] | None) -> None:
        root = f"{RBAC}/namespaces/{namespace}"
        self.must("POST", f"{root}/roles", {"metadata": {"name": name}, "rules": list(rules)})
        if subjects is not None:
            self.must("POST", f"{root}/rolebindings", _binding(name, name, subjects))


class World:
    """What people and programs can do here. Doing what is refused does nothing."""

    def __init__(self, town: Town) -> None:
        town.lives += 1
        self.town, self.life = town, town.lives
        self.judge = ClockedJudge(
            now=datetime.now(UTC), namespace=SHOP, since=None, by_state=frozenset({"scale-workload"})
        )
        self.made = self.begun = 0
        self.processes: list[Process] = []
        self.known: dict[str, Json] = {}
        """Proposals and workflows as last written, by uid."""
        self.cast: dict[tuple[str, str], Json] = {}
        self.told: Counter[str] = Counter()
        """Effects that executors sent, by target."""
        self.counted: Counter[str] = Counter()
        """The same from outside."""
        self.kill_next = False
        self.happens: Callable[[], None] | None = None
        self.audit_from = town.plane.audit_log.stat().st_size
        self.hooked_from = len(town.hook.received)
        self._live: list[Json] | None = None
        self._clear()
        for action in ACTIONS:
            self.declare_type(action, 0)
            for who in PEOPLE:
                self.grant(who, SHOP, action, who in (BOB, CAROL))
                self.grant(who, OTHER, action, who in (DORA, CAROL))
        for name in TARGETS:
            self.drift(name, 3)
        self.let_run(True)

    # -- declarations ----------------------------------------------------------------------------------------------

    def declare_type(self, action: str, version: int) -> None:
        self.judge.types[action] = version
        self.town.must("PATCH", _path(TYPES, action), {"spec": {"description": f"version {version}"}})

    def policy(self, name: str, spec: Json | None, *, late: bool = False) -> None:
        """Stores a policy, or with None deletes it. `late`: the operators are not told, but the API server is."""
        known = name in self.judge.stored_policies
        if known and spec != self.judge.stored_policies[name]:
            self._delete_policy(name, self.judge.stored_policies[name])
            del self.judge.stored_policies[name]
            known = False
        if spec is not None and not known:
            body = {"apiVersion": API_VERSION, "kind": POLICIES.kind, "metadata": {"name": name}, "spec": spec}
            self.town.must("POST", _path(POLICIES), body)
            self.judge.stored_policies[name] = spec
        if late:
            self._late()
            time.sleep(KNOWN_SECONDS)

    def let_run(self, allowed: bool) -> None:
        http = {"allowedHosts": ["127.0.0.1"], "allowedPrivate": ["127.0.0.0/8"]}
        self.policy("go", {"mode": "Execute", "http": http} if allowed else None)

    def timed(self, rule: Json) -> Json:
        """A rule with the seconds that its times stand for here."""
        return {name: TIMES.get(value, value) if isinstance(value, str) else value for name, value in rule.items()}

    def grant(self, who: Person, namespace: str, action: str, granted: bool) -> None:
        """By RBAC; back when the API server goes by it."""
        right, name = (who.name, namespace, action), f"{who.name.replace(':', '-')}-{action}"
        if (right in self.judge.rights) == granted:
            return
        (self.judge.rights.add if granted else self.judge.rights.discard)(right)
        root = f"{RBAC}/namespaces/{namespace}/rolebindings"
        if granted:
            self.town.must("POST", root, _binding(name, f"approve-{action}", [_subject(who)]))
        else:
            self.town.must("DELETE", f"{root}/{name}")
        attributes = {"namespace": namespace, "verb": "approve", "group": "actionoperator.dev",
                      "resource": "actiontypes", "name": action}  # fmt: skip
        review = {"spec": {"user": who.name, "groups": list(who.groups), "resourceAttributes": attributes}}
        deadline = time.monotonic() + REST_SECONDS
        while self.town.must("POST", REVIEWS, review)["status"]["allowed"] != granted:
            assert time.monotonic() < deadline, f"{who.name}: the right to approve {action} does not change"
            time.sleep(0.005)

    def drift(self, name: str, value: int) -> None:
        self.judge.targets[name] = value
        path = f"/apis/apps/v1/namespaces/{SHOP}/deployments/{name}/scale"
        self.town.must("PATCH", path, {"spec": {"replicas": value}})

    # -- people ----------------------------------------------------------------------------------------------------

    def propose(
        self, by: Person, action: str, number: int, *, named: Person | None, later: bool = False, **spec: Any
    ) -> Json | None:
        """`named`: who is said to ask; None: left out."""
        spec |= {"action": action, "parameters": self._parameters(action, number)}
        return self._ask(PROPOSALS, PROPOSAL, by, "p", spec, (action,), named, later)

    def start(self, by: Person, actions: Sequence[str], number: int, *, later: bool = False) -> Json | None:
        """Proposes a workflow of a step for each action."""
        steps = [
            {"name": f"s{n}", "action": action, "parameters": self._parameters(action, number + n)}
            for n, action in enumerate(actions)
        ]
        spec = {"steps": steps, "description": "several"}
        return self._ask(WORKFLOWS, WORKFLOW, by, "w", spec, tuple(dict.fromkeys(actions)), None, later)

    def _parameters(self, action: str, number: int) -> Json:
        match action:
            case "scale-workload":
                return {"kind": "Deployment", "name": TARGETS[number % 2], "replicas": 3 + number % 3}
            case "http-request":
                return {"method": "POST", "url": f"{self.town.hook.url}/page"}
            case _:
                return {"message": "hello"}

    def _ask(
        self,
        resource: Resource,
        kind: str,
        by: Person,
        prefix: str,
        spec: Json,
        actions: tuple[str, ...],
        named: Person | None,
        later: bool,
    ) -> Json | None:
        self.made += 1
        name = f"{prefix}{self.life}-{self.made}"
        spec = {**spec, "reason": "test", "serviceAccountName": RUNNER, "retry": AT_ONCE}
        if named not in (None, by):
            spec["requestedBy"] = {"username": named.name, "uid": named.name, "groups": list(named.groups)}
        if later:
            spec["notBefore"] = rfc3339(datetime.now(UTC) + timedelta(seconds=LATER_SECONDS))
        body = {"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": name}, "spec": spec}
        answer = self.town.send(by, "POST", _path(resource), body)
        if not answer.accepted:
            assert named not in (None, by), answer.says
            self.judge.count("requests in another's name refused")
            return None
        raw, self._live = answer.body, None
        uid, at = raw["metadata"]["uid"], datetime.fromisoformat(raw["metadata"]["creationTimestamp"])
        self.judge.asked[uid] = Asked(kind, name, uid, by, at, actions)
        self.known[uid] = raw
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
        self.made += 1
        steps = about["spec"].get("steps") or [about["spec"]]
        actions = tuple(actions or dict.fromkeys(step["action"] for step in steps))
        subject = {
            "kind": about["kind"],
            "name": about["metadata"]["name"],
            "uid": uid or about["metadata"]["uid"],
        }
        spec: Json = {"subject": subject, "digest": digest, "actions": list(actions), "decision": decision}
        if named not in (None, by):
            spec["approver"] = {"username": named.name, "uid": named.name, "groups": list(named.groups)}
        metadata = {"name": name or f"v{self.life}-{self.made}"}
        body = {"apiVersion": API_VERSION, "kind": APPROVALS.kind, "metadata": metadata, "spec": spec}
        answer = self.town.send(by, "POST", _path(APPROVALS, namespace=namespace), body)
        if not answer.accepted:
            self.judge.count("votes refused")
            return
        raw = answer.body
        key = namespace, raw["metadata"]["name"]
        at = datetime.fromisoformat(raw["metadata"]["creationTimestamp"])
        fact = (subject["kind"], subject["name"], subject["uid"])
        self.cast[key] = raw
        self.judge.votes[key] = Cast(by, by.groups, namespace, fact, digest, actions, decision, at)
        if late:
            self._late()

    def votes(self) -> list[Json]:
        return [*self.cast.values()]

    def withdraw(self, raw: Json) -> None:
        """A vote is deleted."""
        key = raw["metadata"]["namespace"], raw["metadata"]["name"]
        self.town.must("DELETE", _path(APPROVALS, key[1], namespace=key[0]))
        del self.cast[key], self.judge.votes[key]

    def edit(self, raw: Json, *, late: bool = False, **spec: Any) -> None:
        """Changes what may be changed of an object that is not finished."""
        resource = PROPOSALS if raw["kind"] == PROPOSAL else WORKFLOWS
        answer = self.town.send(PEOPLE[0], "PATCH", _path(resource, raw["metadata"]["name"]), {"spec": spec})
        self._live = None
        assert answer.accepted or answer.status in (404, 422), answer.says
        if late:
            self._late()

    def forge_status(self, by: Person, raw: Json, status: Json) -> None:
        """Writes what only the operator may."""
        resource = PROPOSALS if raw["kind"] == PROPOSAL else WORKFLOWS
        path = f"{_path(resource, raw['metadata']['name'])}/status"
        answer = self.town.send(by, "PATCH", path, {"status": status})
        assert answer.status == 403, f"{by.name} wrote a status: {answer.status} {answer.says}"
        self.judge.count("statuses refused")

    def live(self) -> list[Json]:
        """Proposals and workflows without an outcome, steps left out."""
        if self._live is None:
            found = [raw for one in (PROPOSALS, WORKFLOWS) for raw in self._listed(one)]
            self._live = [
                raw
                for raw in found
                if not (raw.get("status") or {}).get("outcome") and not raw["metadata"].get("ownerReferences")
            ]
        return self._live

    def shown(self, asked: Json | None) -> Json | None:
        """It as it is now, while it lives."""
        return next((raw for raw in self.live() if asked and raw["metadata"]["uid"] == asked["metadata"]["uid"]), None)

    def _listed(self, resource: Resource) -> list[Json]:
        items = self.town.must("GET", _path(resource))["items"]
        return [{"apiVersion": API_VERSION, "kind": resource.kind, **raw} for raw in items]

    # -- operators -------------------------------------------------------------------------------------------------

    def wrote(self, stored: Json, operator: str) -> None:
        """An operator's status write landed."""
        uid = stored["metadata"]["uid"]
        old = self.known.get(uid) or {}
        self.known[uid] = stored
        workflows = [raw for raw in self.known.values() if raw["kind"] == WORKFLOW]
        attempts = (stored.get("status") or {}).get("attempts") or ()
        if len(attempts) > len((old.get("status") or {}).get("attempts") or ()):
            self.judge.moment = datetime.fromisoformat(attempts[-1]["startedAt"])
        self.judge.wrote(old, stored, workflows, operator)
        if self.judge.moment and self.kill_next:
            self.kill_next, self.judge.moment = False, None
            raise Killed
        self.judge.moment = None

    def sent(self, target: str, uid: str, operation: str, *, once: bool = False) -> None:
        """An executor is about to make its effect."""
        self.told[target] += 1
        self.judge.effect(uid, operation, made=True, once=once)

    def _late(self) -> None:
        for process in self.processes:
            process.deaf = True

    def catch_up(self) -> None:
        for process in self.processes:
            process.deaf = False

    def meanwhile(self, happens: Callable[[], None]) -> None:
        self.happens = happens

    def kill_after_the_next_claim(self) -> None:
        self.kill_next = True

    def pass_time(self, span: str) -> None:
        time.sleep(SPANS[span])

    def put_in_order(self) -> None:
        """Nothing is late or stopped."""
        self.catch_up()
        self.policy("stop", None)
        self.let_run(True)

    async def begin(self) -> None:
        self.begun += 1
        self.judge.count("operators begun")
        process = Process(self, self.begun)
        process.declarations.enforcement = await process._look()
        self.judge.since = self.judge.since or process.declarations.enforcement.since
        await process.listen()
        self.processes.append(process)

    async def work(self) -> None:
        """All operators do what is due, one after the other; one that is killed does no more."""
        self._live = None
        for process in list(self.processes):
            try:
                await process.work()
            except Killed:
                await self.kill(process)
        self._live = None
        self._counted_from_outside()

    async def kill(self, process: "Process") -> None:
        self.judge.count("operators killed")
        self.processes.remove(process)
        await process.end()

    async def end(self) -> None:
        for process in self.processes:
            await process.end()
        self._clear()

    def play(self) -> None:
        """Deployments are ready, as their controller would say."""
        for name in TARGETS:
            path = f"/apis/apps/v1/namespaces/{SHOP}/deployments/{name}"
            raw = self.town.must("GET", path)
            count = raw["spec"]["replicas"]
            numbers = dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"), count)
            status = {"observedGeneration": raw["metadata"]["generation"], **numbers}
            if {name: (raw.get("status") or {}).get(name) for name in status} != status:
                self.town.must("PATCH", f"{path}/status", {"status": status})

    def _counted_from_outside(self) -> None:
        """What reached the targets, asked of them and not of the operator, is what was told."""
        counted = self.counted
        counted["page"] = len(self.town.hook.received) - self.hooked_from
        runner = f"system:serviceaccount:{SHOP}:{RUNNER}"
        with self.town.plane.audit_log.open("rb") as log:
            log.seek(self.audit_from)
            lines = log.readlines()
            whole = [line for line in lines if line.endswith(b"\n")]
            self.audit_from += sum(map(len, whole))
            for line in whole:
                if b'"deployments"' not in line:
                    continue
                entry = json.loads(line)
                about = entry.get("objectRef") or {}
                if (
                    entry["verb"] == "patch"
                    and (about.get("resource"), about.get("subresource")) == ("deployments", "scale")
                    and (entry.get("impersonatedUser") or {}).get("username") == runner
                    and "dryRun" not in entry["requestURI"]
                ):
                    counted[about["name"]] += 1
        told = Counter({name: count for name, count in self.told.items() if name != "log"})
        if +counted != +told:
            self.judge.faults.append(f"effects counted from outside: {dict(counted)}; told: {dict(told)}")

    def _clear(self) -> None:
        for namespace in (SHOP, OTHER):
            for resource in (PROPOSALS, WORKFLOWS, APPROVALS):
                self.town.must("DELETE", _path(resource, namespace=namespace))
            for raw in self.town.must("GET", f"{RBAC}/namespaces/{namespace}/rolebindings")["items"]:
                if raw["roleRef"]["name"].startswith("approve-"):
                    self.town.must("DELETE", f"{RBAC}/namespaces/{namespace}/rolebindings/{raw['metadata']['name']}")
        for raw in self.town.must("GET", _path(POLICIES))["items"]:
            self._delete_policy(raw["metadata"]["name"], raw["spec"])

    def _delete_policy(self, name: str, spec: Json) -> None:
        if spec.get("halt"):  # what halts cannot be deleted
            self.town.must("PATCH", _path(POLICIES, name), {"spec": {"halt": None}})
        self.town.must("DELETE", _path(POLICIES, name))


@dataclass(frozen=True)
class ToldApi(Api):
    """The operator's API server: tells the world of status writes that landed, and lets things happen in between."""

    world: Any = None
    operator: str = ""

    async def patch(self, resource: Resource, name: str, body: Json, **more: Any) -> Json:
        stored = await super().patch(resource, name, body, **more)
        if more.get("subresource") == "status" and resource.plural in LIVING:
            self.world.wrote(stored, self.operator)
        return stored

    async def review(self, resource: Resource, body: Json) -> Json:
        happens, self.world.happens = self.world.happens, None
        answer = await super().review(resource, body)
        if happens:
            happens()
        if not answer["status"]["allowed"]:
            self.world.judge.count("voters without the right")
        return answer


class Scale(ScaleWorkload):
    world: World

    async def run(self, request: Any, operation: Any) -> Any:
        self.world.sent(request.parameters.name, request.proposal_uid, operation.id)
        judge, name = self.world.judge, request.parameters.name
        judge.changed[name] = datetime.now(UTC), judge.targets[name]
        judge.targets[name] = request.parameters.replicas
        return await super().run(request, operation)


class Call(HttpRequest):
    world: World

    async def run(self, request: Any, operation: Any) -> Any:
        self.world.sent("page", request.proposal_uid, operation.id, once=True)
        return await super().run(request, operation)


class Log(LogMessage):
    world: World

    async def run(self, request: Any, operation: Any) -> Any:
        self.world.sent("log", request.proposal_uid, operation.id)
        return await super().run(request, operation)


class Process(Operator):
    """An operator: it knows what it listed last."""

    def __init__(self, world: World, number: int) -> None:
        self.world, self.number, self.name = world, number, f"operator-{world.life}-{number}"
        registry = Registry((Scale(), Call(lambda: datetime.now(UTC)), Log()), CustomTypes(lambda: datetime.now(UTC)))
        for executor in registry:
            executor.world = world
        self.session = Session(Login(str(world.town.operator_kubeconfig)))
        api = ToldApi(self.session, world=world, operator=self.name)
        super().__init__(api=api, registry=registry, settings=replace(SETTINGS, owner=self.name), reach=RealReach(api))
        self.deaf = False
        self.seen: dict[tuple[str, str, str], Json] = {}
        self.heard = world.judge.told_policies[self.name] = {}
        for name in (SHOP, OTHER):
            self.intake.observe(NAMESPACES.plural, None, {"metadata": {"name": name}})

    @property
    def now(self) -> datetime:
        return datetime.now(UTC)

    @now.setter
    def now(self, moment: datetime) -> None:
        """It goes by itself."""

    async def _look(self) -> Enforcement:
        found = await AdmissionPolicies(self.api).read()
        self.world.judge.looked[self.name] = found.since
        return found

    async def listen(self) -> bool:
        """Hears what has changed since; whether anything has."""
        if self.deaf:
            return False
        news = False
        for resource in (TYPES, POLICIES, APPROVALS, WORKFLOWS, PROPOSALS):
            listed = await self.api.list(resource, field_selector=LIVING.get(resource.plural, ""))
            there = {self._key(resource, raw): raw for raw in listed.items}
            for key, raw in there.items():
                old = self.seen.get(key)
                if old is None or old["metadata"]["resourceVersion"] != raw["metadata"]["resourceVersion"]:
                    news = True
                    self._hear(resource, "MODIFIED" if old else "ADDED", raw)
                    self.seen[key] = raw
            for key in [key for key in self.seen if key[0] == resource.plural and key not in there]:
                news = True
                self._hear(resource, "DELETED", self.seen.pop(key))
        return news

    def _hear(self, resource: Resource, event: str, raw: Json) -> None:
        name = raw["metadata"]["name"]
        if resource is POLICIES and event == "DELETED":
            self.heard.pop(name, None)
        elif resource is POLICIES:
            self.heard[name] = raw["spec"]
        body = {"apiVersion": API_VERSION, "kind": resource.kind, **raw}
        self.intake.observe(resource.plural, event, body)

    def _key(self, resource: Resource, raw: Json) -> tuple[str, str, str]:
        return resource.plural, raw["metadata"].get("namespace", ""), raw["metadata"]["name"]

    async def work(self) -> None:
        """Does all that is due, until nothing follows and nothing is new."""
        deadline = time.monotonic() + REST_SECONDS
        while time.monotonic() < deadline:
            news = await self.listen()
            while self._due():
                key = await self.queue.take()
                await self.worker.handle(key)
                self.queue.done(key)
            if len(self.attempts):
                self.world.play()
                await asyncio.sleep(0.01)
            elif not news and not self._due():
                return
        raise AssertionError("it never comes to rest")

    async def end(self) -> None:
        """kill -9."""
        await self.outage.close()
        await self.attempts.drain(0)
        await self.session.close()


def _path(resource: Resource, name: str = "", *, namespace: str = SHOP) -> str:
    info = INFO[resource.kind]
    where = f"/namespaces/{namespace}" if info.namespaced else ""
    return f"/apis/{API_VERSION}{where}/{info.plural}" + (f"/{name}" if name else "")


def _path_of(body: Json) -> str:
    """Where an object of core or RBAC is made."""
    root = f"/apis/{body['apiVersion']}" if "/" in body["apiVersion"] else f"/api/{body['apiVersion']}"
    namespace = body["metadata"].get("namespace")
    return root + (f"/namespaces/{namespace}" if namespace else "") + f"/{body['kind'].lower()}s"


def _subject(who: Person) -> Json:
    if who.is_machine:
        return {"kind": "ServiceAccount", "name": who.name.rpartition(":")[2], "namespace": SHOP}
    return {"kind": "User", "name": who.name, "apiGroup": "rbac.authorization.k8s.io"}


def _verb(group: str, resource: str, verbs: Sequence[str], names: Sequence[str]) -> Json:
    return {"apiGroups": [group], "resources": [resource], "verbs": list(verbs), "resourceNames": list(names)}


def _binding(name: str, role: str, subjects: Sequence[Json]) -> Json:
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": role}
    return {"metadata": {"name": name}, "roleRef": reference, "subjects": list(subjects)}
