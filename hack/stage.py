"""The demo's stage: a control plane, the operator beside it, and what a user sees and does there."""

import json
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import dropwhile
from pathlib import Path
from typing import Any

import yaml

from hack.hook_target import HookTarget, hook_target
from hack.installation import (
    EXAMPLES,
    HOOK_FAILURES,
    HOOK_PORT,
    NODES,
    ROOT,
    Kubectl,
    NotInstalled,
    end_of,
    install,
    is_free,
    kubectl_of,
    operator_command,
    wait_until,
    wait_until_it_leads,
)
from hack.narration import Live, Narrator
from localcluster.controlplane import ControlPlane
from localcluster.errors import RequestFailed
from localcluster.lifetime import die_with_parent

Json = dict[str, Any]
API = "/apis/actionoperator.dev/v1alpha1"
USER = "alice"
"""Who proposes: a member of group sre, with no rights but those of examples/shop/5-people.yaml."""
SECOND_USER = "carol"
"""Who approves and halts: of the same group, and on call."""
PLURALS = {"ActionProposal": "actionproposals", "ActionWorkflow": "actionworkflows"}
STYLES = {
    "Completed": "green", "RetryScheduled": "yellow", "ValidationFailed": "red", "Failed": "red",
    "OutcomeUnknown": "red", "Observed": "blue", "AwaitingApproval": "yellow", "ApprovalVoided": "yellow",
    "Approved": "green", "Blocked": "yellow",
}  # fmt: skip


class NotAsSaid(Exception):
    """Something did not happen as it was announced."""


@dataclass(frozen=True)
class Thing:
    """A proposal or workflow that was applied."""

    kind: str
    namespace: str
    name: str

    @property
    def path(self) -> str:
        return f"{API}/namespaces/{self.namespace}/{PLURALS[self.kind]}/{self.name}"

    @property
    def subject(self) -> str:
        """How the audit log names it."""
        return f"{self.kind}/{self.namespace}/{self.name}"


@dataclass
class Stage:
    """What scenes use. `things` is what was applied, in order."""

    cluster: ControlPlane
    folder: Path
    hook: HookTarget
    narrator: Narrator
    things: list[Thing] = field(default_factory=list)
    _told: dict[Thing, int] = field(default_factory=dict)
    """How much of the history of each was shown."""

    # -- what a user does ----------------------------------------------------------------------------------------

    def apply(self, example: str) -> Thing:
        """Applies a file of examples/ as the user, and says in a line or two what it asks for."""
        text = (EXAMPLES / example).read_text()
        manifest = yaml.safe_load(text)
        self.narrator.command(f"kubectl apply -f examples/{example}", by=USER)
        self.narrator.text(_asked(manifest["spec"]))
        kubectl_of(self.cluster, USER)("apply", "-f", "-", text=self._at_our_port(text))
        return self._took(Thing(manifest["kind"], manifest["metadata"]["namespace"], manifest["metadata"]["name"]))

    def undo(self, thing: Thing) -> Thing:
        """`kubectl actions undo` as the user."""
        self.actions(USER, "undo", thing.name, "-n", thing.namespace)
        return self._took(Thing(thing.kind, thing.namespace, f"{thing.name}-undo"))

    def run(self, runbook: str, namespace: str, called: str, **parameters: object) -> Thing:
        """`kubectl actions run` as the user."""
        given = [word for key, value in parameters.items() for word in ("-p", f"{key}={value}")]
        self.actions(USER, "run", runbook, "-n", namespace, *given, "--name", called)
        return self._took(Thing("ActionWorkflow", namespace, called))

    def declare(self, example: str, user: str) -> Json:
        """Applies a policy or runbook of examples/, and waits until the operator has read it; its spec."""
        self.narrator.command(f"kubectl apply -f examples/{example}", by=user)
        manifest: Json = yaml.safe_load((EXAMPLES / example).read_text())
        kubectl = kubectl_of(self.cluster, user)
        kubectl("apply", "-f", EXAMPLES / example)
        where = ("-n", manifest["metadata"]["namespace"]) if "namespace" in manifest["metadata"] else ()
        kubectl("wait", "--for=condition=Ready", "--timeout=30s", *where, "-f", EXAMPLES / example)
        return dict(manifest["spec"])

    def actions(self, user: str, *command: str, expected: int = 0, since: str = "") -> str:
        """`kubectl actions ...` as that user; what it says, shown from the line on that begins with `since`."""
        self.narrator.command(f"kubectl actions {shlex.join(command)}", by=user)
        done = subprocess.run(
            [sys.executable, "-m", "controller.cli.main", "--kubeconfig", self.cluster.kubeconfig_of(user), *command],
            capture_output=True, text=True, check=False, timeout=60, cwd=ROOT,
        )  # fmt: skip
        said = "\n".join(text.strip() for text in (done.stdout, done.stderr) if text.strip())
        self.as_said(done.returncode == expected, "", f"kubectl actions {shlex.join(command)}: {said}")
        shown = list(dropwhile(lambda line: not line.startswith(since), said.splitlines()))
        self.as_said(bool(shown), "", f"kubectl actions {shlex.join(command)}: no line begins with {since!r}: {said}")
        for line in shown:
            self.narrator.text(line)
        return "\n".join(shown)

    def refused(self, by: str, kubeconfig: Path, *command: str, text: str) -> str:
        """kubectl with that text as its input, expected to be refused; what the API server says."""
        shown = f"kubectl {shlex.join(command)}"
        self.narrator.command(shown, by=by)
        kubectl = Kubectl(self.cluster.kubectl, kubeconfig, self.cluster.directory / "kubectl-cache")
        try:
            kubectl(*command, text=text)
        except NotInstalled as refusal:
            said = str(refusal).partition(":\n")[2]
            self.narrator.text(said, style="red")
            return said
        raise NotAsSaid(f"{shown}: was not refused")

    # -- what a user sees ----------------------------------------------------------------------------------------

    def follow(
        self,
        thing: Thing,
        *,
        until: Callable[[Json], bool] | None = None,
        seconds: float = 40.0,
        meanwhile: Callable[[Json], None] | None = None,
    ) -> Json:
        """Prints the transitions as they come and, live, where it stands; the status once there is an outcome.

        With `until` the status once that is true of it; to go on from there, follow it again.
        """
        status = Json()
        deadline = time.monotonic() + seconds
        with self.narrator.live("applied") as live:
            while time.monotonic() < deadline:
                status = self.get(thing.path, user=USER).get("status") or {}
                for entry in status.get("history", ()):
                    if entry["n"] > self._told.get(thing, 0):
                        self._told[thing] = entry["n"]
                        self._tell(entry)
                if meanwhile:
                    meanwhile(status)
                if until and until(status):
                    return status
                if status.get("outcome"):
                    self.as_said(not until, "", f"{thing.subject} ended too early:\n{yaml.safe_dump(status)}")
                    return status
                live(standing(status, datetime.now(UTC)))
                time.sleep(0.05)
        what = "not as expected" if until else "no outcome"
        raise NotAsSaid(f"{thing.subject}: {what} within {seconds:g} s:\n{yaml.safe_dump(status)}")

    def get(self, path: str, *, user: str = "admin") -> Json:
        """The object at a path of the API."""
        found: Json = json.loads(json.dumps(self.cluster.api(user).get(path)))
        return found

    def wait_for(self, path: str, so: Callable[[Json], bool], what: str, live: Live, *, seconds: float = 30.0) -> Json:
        """The object once `so` is true of it. Raises NotAsSaid after that time."""
        deadline = time.monotonic() + seconds
        live(what)
        while time.monotonic() < deadline:
            try:
                found = self.get(path)
            except RequestFailed as error:
                if error.status != 404:
                    raise
            else:
                if so(found):
                    return found
            time.sleep(0.1)
        raise NotAsSaid(f"{what}: not within {seconds:g} s")

    def deployment(self, namespace: str = "shop") -> Json:
        return self.get(f"/apis/apps/v1/namespaces/{namespace}/deployments/checkout")

    def unschedulable(self, node: str) -> bool:
        return bool(self.get(f"/api/v1/nodes/{node}")["spec"].get("unschedulable"))

    def audit(self) -> list[Json]:
        """The operator's audit records."""
        return [json.loads(line) for line in (self.folder / "audit.jsonl").read_text().splitlines()]

    def as_said(self, so: bool, found: str, otherwise: str = "") -> None:
        """Says what was found if it is so. Raises NotAsSaid if not."""
        if not so:
            raise NotAsSaid(otherwise or f"not so: {found}")
        if found:
            self.narrator.found(found)

    def _took(self, thing: Thing) -> Thing:
        self.things.append(thing)
        return thing

    def _tell(self, entry: Json) -> None:
        message = re.sub(r"\d{4}-\d\d-\d\d (\d\d:\d\d:\d\d) UTC", r"\1", entry.get("message", ""))
        self.narrator.event(clock(entry["at"]), entry["reason"], message, STYLES.get(entry["reason"], ""))

    def _at_our_port(self, text: str) -> str:
        """The manifest with the port that our target has; the usual one may be taken."""
        port = self.hook.url.rpartition(":")[2]
        if port != str(HOOK_PORT) and f":{HOOK_PORT}/" in text:
            self.narrator.text(f"(port {HOOK_PORT} is taken here, so it goes to port {port})")
        return text.replace(f":{HOOK_PORT}/", f":{port}/")


@contextmanager
def stage(folder: Path, narrator: Narrator) -> Iterator[Stage]:
    """A stage with everything installed and running in `folder`, and nothing of it left afterwards."""
    with ExitStack() as stack:
        begun = time.monotonic()
        with narrator.live("starting etcd, kube-apiserver, kube-controller-manager, kube-scheduler, kwok"):
            cluster = stack.enter_context(ControlPlane.start(folder / "cluster", nodes=NODES))
            version = json.loads(kubectl_of(cluster)("version", "-o", "json"))["serverVersion"]["gitVersion"]
        seconds = time.monotonic() - begun
        narrator.text(
            f"control plane  Kubernetes {version} as local processes, {NODES} played nodes: ready in {seconds:.1f} s"
        )
        with narrator.live("installing CRDs, catalogue, RBAC, examples") as live:
            proven = install(cluster, ["shop", "staging/1-namespace.yaml"])
            live("starting the operator")
            stack.enter_context(_operator(cluster, folder))
            hook = stack.enter_context(hook_target(HOOK_PORT if is_free(HOOK_PORT) else 0))
            hook.first_answers = HOOK_FAILURES
            ready = Stage(cluster, folder, hook, narrator)
            _wait_until_checkout_is_ready(ready, live)
            live("the API server proves who asks, from a few seconds after it was told to")
            wait_until(proven)
        kinds = ready.get("/apis/apiextensions.k8s.io/v1/customresourcedefinitions")["items"]
        types = ready.get(f"{API}/actiontypes")["items"]
        narrator.text(f"installed      {len(kinds)} kinds, {len(types)} action types, RBAC, namespaces shop, staging")
        narrator.text("operator       runs as ServiceAccount action-operator, without any right on workloads")
        yield ready


def _wait_until_checkout_is_ready(ready: Stage, live: Live) -> None:
    for namespace in ("shop", "staging"):
        path = f"/apis/apps/v1/namespaces/{namespace}/deployments/checkout"
        ready.wait_for(
            path, lambda d: d.get("status", {}).get("readyReplicas") == d["spec"]["replicas"],
            f"waiting for Deployment {namespace}/checkout", live,
        )  # fmt: skip


@contextmanager
def _operator(cluster: ControlPlane, folder: Path) -> Iterator[None]:
    """The operator as a process of its own. It gets two seconds, not ten, for what may arrive late."""
    command = operator_command(cluster, "--grace-seconds", "2", "--identity", "demo")
    log = folder / "operator.log"
    with log.open("ab") as errors, (folder / "audit.jsonl").open("ab") as audit:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=audit, stderr=errors, cwd=ROOT,
            start_new_session=True, preexec_fn=die_with_parent(),
        )  # fmt: skip
    try:
        wait_until_it_leads(log, lambda: process.poll() is not None)
        yield
    except NotAsSaid as error:
        raise NotAsSaid(f"{error}\n\nthe end of the operator's log:\n{end_of(log)}") from error
    finally:
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def standing(status: Json, now: datetime) -> str:
    """Where it stands, in one line for the moment."""
    phase = status.get("phase") or "Pending"
    due = status.get("nextRetryAt")
    if due:
        seconds = max(0.0, (datetime.fromisoformat(due) - now).total_seconds())
        count = status.get("retryCount", 0)
        return f"{phase}   retryCount {count}   nextRetryAt {clock(due)} UTC, in {seconds:.1f} s"
    progress = f"   {status['progress']}" if status.get("progress") else ""
    return f"{phase}{progress}   {status.get('message', '')}"[:90]


def clock(time_of_day: str) -> str:
    """`18:55:03.1` of an RFC 3339 time."""
    return datetime.fromisoformat(time_of_day).astimezone(UTC).strftime("%H:%M:%S.%f")[:10]


def _asked(spec: Json) -> str:
    """What a manifest asks for, in a line."""
    if "steps" in spec:
        return f"{spec['description']}: {' → '.join(step['action'] for step in spec['steps'])}"
    said = ", ".join(f"{name} {_short(value)}" for name, value in spec["parameters"].items())
    return f"{spec['action']}: {said}"


def _short(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
