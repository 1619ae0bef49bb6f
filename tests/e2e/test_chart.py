"""The life of an installation by Helm: installed, upgraded under live proposals, removed, and installed again.

All of it goes to a real API server, into a namespace that enforces Pod Security `restricted`; nodes play the pods. The
operator is a process beside them, with the token of the chart's ServiceAccount and no other rights.
"""

import json
import os
import re
import shlex
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from harness.container import MISSING, NOBODY_KNOWN, can_be_played, operator_in_container
from harness.helm import CHART, NAME, PLACE, Helm, earlier_chart, found, helm_of
from harness.operator import OperatorProcess
from harness.people import ballot, wait_until_proven
from harness.rights import refused, requests
from harness.stage import API, OPERATOR, Json, Stage, deployment

from hack.installation import EXAMPLES, NODES, ROOT
from localcluster.controlplane import ControlPlane

EARLIER = "0.0.9"
NEW_TYPE = "taint-node"
GUIDE = ROOT / "docs" / "install.md"
PROMETHEUS = ROOT / "tests" / "harness" / "prometheus_kinds.yaml"
RESTRICTED = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn", "audit")}
QUICK = ("--grace-seconds", "3", "--metrics-address", "127.0.0.1:0")


class Installation:
    """A control plane, Helm, and the operators beside it."""

    def __init__(self, plane: ControlPlane, helm: Helm, folder: Path) -> None:
        self.plane = plane
        self.helm = helm
        self.folder = folder
        self.operators: list[OperatorProcess] = []

    def start_operator(self, name: str) -> OperatorProcess:
        """One more operator; it waits for its turn."""
        config = self.folder / f"{name}.kubeconfig"
        self.plane.service_account_kubeconfig(NAME, NAME, config)
        operator = OperatorProcess(
            config, self.folder / name, namespace=None, lease_name=NAME, options=(*QUICK, "--identity", name)
        )
        operator.start(wait=not [each for each in self.operators if each.exit_code() is None])
        self.operators.append(operator)
        return operator

    def stop(self) -> None:
        for operator in self.operators:
            operator.stop()

    def shop(self) -> Stage:
        return Stage(self.plane, "shop", self.operators[-1])


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    folder = tmp_path_factory.mktemp("chart")
    with ControlPlane.start(folder / "cluster", nodes=NODES) as plane:
        here = Installation(plane, helm_of(folder / "helm", plane), folder)
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAME, "labels": RESTRICTED}}
        plane.api().post("/api/v1/namespaces", namespace)
        kubectl(here, "apply", "-f", str(PROMETHEUS))
        kubectl(here, "wait", "--for=condition=Established", "-f", str(PROMETHEUS), "--timeout=30s")
        try:
            yield here
        finally:
            here.stop()


@pytest.fixture(scope="module")
def earlier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The chart as it might have been before: a column of a kind and an action type less."""
    chart = earlier_chart(tmp_path_factory.mktemp("earlier"), EARLIER)
    (chart / "files" / "catalog" / f"{NEW_TYPE}.yaml").unlink()
    file = chart / "crds" / "actionproposals.yaml"
    crd = yaml.safe_load(file.read_text())
    crd["spec"]["versions"][0]["additionalPrinterColumns"].pop()
    file.write_text(json.dumps(crd))
    return chart


def kubectl(here: Installation, *arguments: str, text: str | None = None) -> str:
    """kubectl as the administrator. Raises AssertionError with what it said."""
    done = subprocess.run(
        [here.plane.kubectl, *arguments], input=text, capture_output=True, text=True, check=False, timeout=90,
        env=here.helm.environment(),
    )  # fmt: skip
    assert done.returncode == 0, f"kubectl {' '.join(arguments)}: {done.stderr}"
    return done.stdout


def listed(here: Installation, *what: str) -> list[Json]:
    items: list[Json] = json.loads(kubectl(here, "get", *what, "-o", "json"))["items"]
    return items


def columns(here: Installation) -> list[str]:
    crd = json.loads(kubectl(here, "get", "crd", "actionproposals.actionoperator.dev", "-o", "json"))
    return [each["name"] for each in crd["spec"]["versions"][0]["additionalPrinterColumns"]]


def uids(here: Installation) -> dict[str, str]:
    """Of what people made and what that needs, by kind and name."""
    crds = listed(here, "crd")
    served = [each["metadata"]["name"] for each in crds if each["spec"]["group"] == "actionoperator.dev"]
    objects = [*crds, *(each for kind in served for each in listed(here, kind, "--all-namespaces"))]
    return {
        f"{each['kind']} {each['metadata'].get('namespace', '')}/{each['metadata']['name']}": each["metadata"]["uid"]
        for each in objects
    }


def test_one_command_installs_it_where_pods_are_restricted(installation: Installation, earlier: Path) -> None:
    said = installation.helm("install", NAME, earlier, *PLACE, "--set", "defaultPolicy.mode=")
    assert "STATUS: deployed" in said
    kubectl(installation, "wait", "--for=condition=Available", f"deployment/{NAME}", *PLACE, "--timeout=60s")
    objects = listed(installation, "pod,pdb,networkpolicy,service,servicemonitor,prometheusrule,configmap", *PLACE)
    kinds = [each["kind"] for each in objects if each["metadata"]["name"].startswith(NAME)]
    assert sorted(kinds) == [
        "ConfigMap", "NetworkPolicy", "Pod", "Pod", "PodDisruptionBudget", "PrometheusRule", "Service",
        "ServiceMonitor",
    ]  # fmt: skip


def test_also_the_pod_of_helm_test_is_restricted_enough(installation: Installation) -> None:
    pod = found(installation.helm.template(), "Pod")
    made = kubectl(installation, "create", "--dry-run=server", "-f", "-", "-o", "name", text=json.dumps(pod))
    assert made.strip() == f"pod/{NAME}-test"
    pod["spec"]["securityContext"] = {}
    with pytest.raises(AssertionError, match='violates PodSecurity "restricted'):
        kubectl(installation, "create", "--dry-run=server", "-f", "-", text=json.dumps(pod))


def test_an_upgrade_loses_nothing_and_runs_nothing_twice(installation: Installation) -> None:
    """What waits, what runs, what may run but once and a workflow half way see another version and another operator."""
    first = installation.start_operator("first")
    kubectl(installation, "apply", "-f", str(EXAMPLES / "shop"))
    kubectl(installation, "apply", "-f", str(EXAMPLES / "policies" / "second-person.yaml"))
    wait_until_proven(installation.plane)
    shop = installation.shop()
    shop.apply(deployment("reports"))
    live = {
        "waits": {"action": "scale-workload", "parameters": {"kind": "Deployment", "name": "checkout", "replicas": 5}},
        "later": {"action": "scale-workload", "parameters": {"kind": "Deployment", "name": "reports", "replicas": 3}},
        "runs": {"action": "wait", "parameters": {"seconds": 20}},
        "once": {"action": "run-job", "parameters": {"image": "busybox:1", "nodeSelector": {"upgraded": "yes"}}},
    }
    for name, spec in live.items():
        shop.apply(made("ActionProposal", name, spec))
    steps = [
        {"name": "before", "action": "wait", "parameters": {"seconds": 15}},
        {"name": "after", "action": "log-message", "parameters": {"message": "upgraded"}},
    ]
    shop.apply(made("ActionWorkflow", "flow", {"description": "d", "steps": steps}))
    for name, phase in (("waits", "AwaitingApproval"), ("later", "AwaitingApproval"), ("once", "Running")):
        shop.phase("ap", name, phase)
    shop.phase("ap", "runs", "Running")
    shop.phase("aw", "flow", "Running")
    before, columns_before = uids(installation), columns(installation)

    second = installation.start_operator("second")
    typed(installation, guide("Upgrade")[0])
    assert first.stop() == 0
    shop = installation.shop()

    shop.cluster.api("carol").post(
        f"/apis/{API}/namespaces/shop/actionapprovals", ballot(shop.get("ap", "waits"), "carol")
    )
    kubectl(installation, "label", "node", "--all", "upgraded=yes")
    for kind, name in (("ap", "waits"), ("ap", "runs"), ("ap", "once"), ("aw", "flow")):
        assert shop.outcome(kind, name, seconds=60)["outcome"] == "Succeeded", name
    assert second.exit_code() is None
    assert uids(installation).items() >= before.items()
    assert len(columns(installation)) == len(columns_before) + 1
    kubectl(installation, "wait", "--for=condition=Ready", "actiontype", "--all", "--timeout=30s")
    assert NEW_TYPE in [each["metadata"]["name"] for each in listed(installation, "actiontype")]
    assert "mode" not in listed(installation, "actionpolicy", "--field-selector=metadata.name=default")[0]["spec"]
    assert [effects(installation, *what) for what in (("patch", "deployments"), ("create", "jobs"))] == [1, 1]
    assert [len(shop.status("ap", name)["attempts"]) for name in ("waits", "once")] == [1, 1]
    assert list(refused(requests(installation.plane, OPERATOR))) == []


def made(kind: str, name: str, spec: Json) -> Json:
    return {"apiVersion": API, "kind": kind, "metadata": {"name": name}, "spec": {"reason": "r", **spec}}


def effects(here: Installation, verb: str, resource: str) -> int:
    """How often the operator's runner did that for real in the shop."""
    return sum(
        (entry["verb"], entry["objectRef"]["resource"], entry["objectRef"].get("namespace")) == (verb, resource, "shop")
        and "dryRun" not in entry["requestURI"]
        for entry in requests(here.plane, OPERATOR)
    )


def test_helm_test_sees_which_replica_leads(installation: Installation) -> None:
    container = found(installation.helm.template(), "Pod")["spec"]["containers"][0]
    port = re.findall(r"metrics at http://127\.0\.0\.1:(\d+)/", installation.operators[-1].log)[-1]
    interpreter, *program, name, number, leaders = container["command"]
    assert (interpreter, name, number, leaders) == ("python", f"{NAME}-metrics.{NAME}.svc", "8080", "1")
    done = subprocess.run(
        [sys.executable, *program, "127.0.0.1", port, leaders], capture_output=True, text=True, check=False, timeout=90
    )
    assert (done.returncode, done.stdout) == (0, "one replica leads\n"), done.stderr


def test_it_runs_where_nothing_can_be_written_as_a_user_that_nobody_knows(installation: Installation) -> None:
    """With the arguments of the chart, but on ports that are free here."""
    if not can_be_played():
        pytest.skip(MISSING)
    container = found(installation.helm.template(), "Deployment")["spec"]["template"]["spec"]["containers"][0]
    health, metrics = (f"127.0.0.1:{free_port()}" for _ in range(2))
    there = [each.replace("0.0.0.0:8081", health).replace("0.0.0.0:8080", metrics) for each in container["args"]]
    process = operator_in_container(installation.plane, installation.folder / "pod", there, NAME)
    log = installation.folder / "pod" / "log"
    try:
        probed = answered(f"http://{health}{container['livenessProbe']['httpGet']['path']}", process)
        assert probed, log.read_text()
        assert b'\nactionoperator_is_leader{lease="action-operator"} ' in answered(f"http://{metrics}/metrics", process)
        about = Path(f"/proc/{process.pid}")
        status = (about / "status").read_text()
        assert re.search(rf"^Uid:\t{NOBODY_KNOWN}\t{NOBODY_KNOWN}\t", status, re.MULTILINE)
        assert re.search(r"^CapEff:\t0+$", status, re.MULTILINE)
        mounts = [line.split() for line in (about / "mounts").read_text().splitlines()]
        assert {place: options.split(",")[0] for _, place, _, options, *_ in mounts}["/"] == "ro"
    finally:
        process.terminate()
        code = process.wait(timeout=40)
    assert code == 0, log.read_text()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def answered(url: str, process: "subprocess.Popen[bytes]") -> bytes:
    """What is served there, once it is; nothing when the process has ended first."""
    deadline = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return bytes(answer.read())
        except OSError:
            time.sleep(0.1)
    return b""


def test_removing_it_leaves_all_that_people_made_and_says_so(installation: Installation) -> None:
    notes = installation.helm("get", "notes", NAME, *PLACE)
    assert "`helm uninstall` leaves the kinds, the catalogue, the admission policies" in notes
    installation.stop()
    before = uids(installation)
    guards = len(listed(installation, "validatingadmissionpolicy"))

    said = typed(installation, guide("Remove")[0])

    assert "kept due to the resource policy" in said
    for kept in ("[CustomResourceDefinition] actionproposals.actionoperator.dev", "[ActionType] scale-workload",
                 "[ActionPolicy] default", "[ValidatingAdmissionPolicy] action-operator-status"):  # fmt: skip
        assert kept in said
    assert uids(installation) == before
    assert len(listed(installation, "validatingadmissionpolicy")) == guards
    left = listed(installation, "deployment,serviceaccount,service,networkpolicy,pdb", *PLACE)
    assert [each["metadata"]["name"] for each in left if NAME in each["metadata"]["name"]] == []
    roles = {each["metadata"]["name"] for each in listed(installation, "clusterrole")}
    assert not roles & {NAME, "action-proposer", "action-approver", "action-viewer"}


def test_installed_again_it_goes_on_where_it_was(installation: Installation) -> None:
    typed(installation, guide("Install")[0].replace("REGISTRY", "registry.example") + " --set defaultPolicy.mode=")
    installation.start_operator("third")
    shop = installation.shop()
    shop.phase("ap", "later", "AwaitingApproval")
    shop.cluster.api("carol").post(
        f"/apis/{API}/namespaces/shop/actionapprovals", ballot(shop.get("ap", "later"), "carol")
    )
    assert shop.outcome("ap", "later")["outcome"] == "Succeeded"
    assert effects(installation, "patch", "deployments") == 2


def test_what_the_notes_say_leads_to_an_approved_action(installation: Installation) -> None:
    """Typed as they stand, from an installation that only observes."""
    observing = ("--reset-values",)
    notes = installation.helm("upgrade", NAME, CHART, *PLACE, *observing)
    assert "Nothing runs yet: ActionPolicy default says Observe" in notes
    noted = commands(notes)
    assert 3 <= len(noted) <= 5, noted
    for command in noted:
        typed(installation, command.replace("CHART", str(CHART)))
    hello = Stage(installation.plane, "first-steps", installation.operators[-1])
    status = hello.outcome("ap", "hello")
    assert (status["outcome"], [vote["username"] for vote in status["approvals"]]) == ("Succeeded", ["admin"])


def commands(notes: str) -> list[str]:
    """The indented lines. Each is a command of its own, as it is copied: with its indentation."""
    return re.findall(r"^(  \S.*)$", notes, re.MULTILINE)


def guide(heading: str) -> list[str]:
    """The commands of a section of docs/install.md."""
    section = re.split(rf"^##+ {heading}\n", GUIDE.read_text(), flags=re.MULTILINE)[1].partition("\n## ")[0]
    blocks = re.findall(r"```console\n(.*?)```", section, re.DOTALL)
    return [line.removeprefix("$ ") for block in blocks for line in block.splitlines()]


def typed(here: Installation, command: str) -> str:
    """Types it into a shell that has kubectl, kubectl-actions and helm on its PATH; what it says."""
    tools = here.folder / "bin"
    if not tools.exists():
        tools.mkdir()
        (tools / "kubectl").symlink_to(here.plane.kubectl)
        (tools / "helm").symlink_to(here.helm.program)
        plugin = tools / "kubectl-actions"
        start = "from controller.cli.main import app; app(prog_name='kubectl actions')"
        plugin.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -c "{start}" "$@"\n')
        plugin.chmod(0o755)
    environment: dict[str, Any] = here.helm.environment()
    done = subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, check=False, timeout=120, cwd=ROOT,
        env=environment | {"PATH": f"{tools}{os.pathsep}{os.environ['PATH']}"},
    )  # fmt: skip
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


def test_another_namespace_is_refused_before_anything_is_made(installation: Installation) -> None:
    with pytest.raises(Exception, match="the namespace must be action-operator"):
        installation.helm("install", NAME, CHART, "--namespace", "default")


def test_all_of_it_can_be_removed(installation: Installation) -> None:
    installation.stop()
    for command in guide("Remove"):
        typed(installation, command)
    assert [each for each in uids(installation) if "actionoperator.dev" in each] == []
    ours = "--selector=app.kubernetes.io/part-of=action-operator"
    for kind in ("validatingadmissionpolicy", "mutatingadmissionpolicy", "clusterrole", "clusterrolebinding"):
        assert listed(installation, kind, ours) == []
