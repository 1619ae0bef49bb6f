"""Custom types of the examples at work: their effect, their digests, what makes one not Ready, secrets."""

import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from harness.stage import RUNNER, Json, Stage, proposal

from hack.hook_target import HookTarget

TYPES = Path(__file__).parents[2] / "examples" / "types"
RBAC = "rbac.authorization.k8s.io"
TOKEN = "t0ken-of-the-chat"


@pytest.fixture(scope="module", autouse=True)
def _types(stage: Stage, hook: HookTarget) -> None:
    """The examples, the address being that of a target here; the runner may do what they need."""
    for path in sorted(TYPES.glob("*.yaml")):
        raw = yaml.safe_load(path.read_text())
        if http := raw["spec"]["executor"].get("http"):
            http.update(url=f"{hook.url}/v2/channels", expect={"status": [200]})
            del http["outputs"]
        stage.apply(raw)
    stage.policy("hosts", http={"allowedHosts": ["127.0.0.1"], "allowedPrivate": ["127.0.0.0/8"]})
    rules = [
        {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "patch"]},
        {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"], "resourceNames": ["chat"]},
    ]
    labels = {"actionoperator.dev/allow": "true"}
    stage.apply(
        {"apiVersion": f"{RBAC}/v1", "kind": "Role", "metadata": {"name": "custom"}, "rules": rules},
        {
            "apiVersion": f"{RBAC}/v1", "kind": "RoleBinding", "metadata": {"name": "custom"},
            "roleRef": {"apiGroup": RBAC, "kind": "Role", "name": "custom"},
            "subjects": [{"kind": "ServiceAccount", "name": RUNNER, "namespace": stage.namespace}],
        },
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "checkout"}, "data": {"LOG_LEVEL": "INFO"}},
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "chat", "labels": labels},
         "stringData": {"token": TOKEN}},
    )  # fmt: skip


GIVEN: Json = {"text": "rolling out", "token": {"secretKeyRef": {"name": "chat", "key": "token"}}}


def ready(stage: Stage, name: str) -> Json:
    """The type's condition Ready, once it has one."""
    path = f"/apis/actionoperator.dev/v1alpha1/actiontypes/{name}"
    until = time.monotonic() + 30
    while time.monotonic() < until:
        found: Any = stage.cluster.api().get(path)
        for condition in (found.get("status") or {}).get("conditions") or ():
            return dict(condition)
        time.sleep(0.05)
    raise AssertionError(f"{name} has no condition Ready")


def test_a_call_is_made_with_the_values_and_the_secret_of_the_proposal(stage: Stage, hook: HookTarget) -> None:
    stage.propose("say", "announce", {"team": "shop", "urgent": True, **GIVEN})
    status = stage.outcome("ap", "say")
    assert status["outcome"] == "Succeeded", status
    (received,) = hook.seen("/v2/channels/shop/announcement?urgent=true")
    assert received.method == "PUT"
    assert TOKEN not in str(status)
    assert "bearerToken from Secret chat, key token" in status["preview"]["summary"]
    assert status["attempts"][-1]["idempotent"] is True


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"team": "Shop!", **GIVEN}, "spec.parameters.team: must match"),
        ({"team": "shop", **GIVEN, "token": TOKEN}, "spec.parameters.token: takes only {secretKeyRef"),
        ({"team": "shop", **GIVEN, "url": "http://127.0.0.1"}, "spec.parameters.url: is not a parameter"),
    ],
)
def test_bad_parameters_are_refused_before_anything_is_done(stage: Stage, parameters: Json, words: str) -> None:
    name = f"bad-{abs(hash(words)) % 10_000}"
    stage.propose(name, "announce", parameters)
    status = stage.outcome("ap", name)
    assert status["outcome"] == "Failed"
    assert words in status["message"]
    assert TOKEN not in str(status)
    assert "attempts" not in status


def test_a_host_that_no_policy_allows_is_not_called(stage: Stage, hook: HookTarget) -> None:
    raw = yaml.safe_load((TYPES / "announce.yaml").read_text())
    raw["metadata"]["name"] = "announce-elsewhere"
    stage.apply(raw)
    stage.propose("elsewhere", "announce-elsewhere", {"team": "shop", **GIVEN})
    status = stage.outcome("ap", "elsewhere")
    assert status["outcome"] == "Failed"
    assert "chat.example.com" in status["message"]


def test_a_patch_changes_one_field(stage: Stage) -> None:
    stage.propose("louder", "set-log-level", {"app": "checkout", "level": "DEBUG"})
    status = stage.outcome("ap", "louder")
    assert status["outcome"] == "Succeeded", status
    (change,) = status["preview"]["changes"]
    assert (change["path"], change["before"], change["after"]) == ("data.LOG_LEVEL", "INFO", "DEBUG")
    assert stage.kubectl("get", "cm", "checkout", "-o", "jsonpath={.data.LOG_LEVEL}") == "DEBUG"


def test_a_job_of_a_template_runs_to_its_end(stage: Stage) -> None:
    stage.propose("compact", "compact-database", {"database": "orders"})
    status = stage.outcome("ap", "compact", seconds=60)
    assert status["outcome"] == "Succeeded", status
    job = status["outputs"]["job"]
    said = stage.kubectl("get", "job", job, "-o", "jsonpath={.spec.template.metadata.annotations}")
    assert "orders" in said
    assert status["attempts"][-1]["idempotent"] is False


def test_what_was_approved_is_not_run_by_a_type_that_changed(stage: Stage) -> None:
    raw = yaml.safe_load((TYPES / "set-log-level.yaml").read_text())
    raw["metadata"]["name"] = "changing"
    stage.apply(raw)
    stage.apply(proposal("early", "changing", {"app": "checkout", "level": "WARNING"}, suspend=True))
    before = stage.phase("ap", "early", "Blocked")["requestDigest"]
    raw["spec"]["executor"]["patch"]["patch"]["data"]["OTHER"] = "x"
    stage.apply(raw)
    stage.apply(proposal("late", "changing", {"app": "checkout", "level": "WARNING"}, suspend=True))
    assert stage.phase("ap", "late", "Blocked")["requestDigest"] != before


def test_a_type_that_does_not_hold_together_is_not_ready_and_runs_nothing(stage: Stage) -> None:
    raw = yaml.safe_load((TYPES / "set-log-level.yaml").read_text())
    raw["metadata"]["name"] = "broken"
    raw["spec"]["executor"]["patch"]["patch"]["data"]["LOG_LEVEL"] = {"fromParameter": "nothing"}
    stage.apply(raw)
    condition = ready(stage, "broken")
    assert (condition["status"], condition["reason"]) == ("False", "NotSupported")
    words = "spec.executor.patch.patch.data.LOG_LEVEL: there is no parameter nothing in spec.parameters.properties"
    assert words in condition["message"]
    stage.propose("broken", "broken", {"app": "checkout", "level": "INFO"})
    status = stage.outcome("ap", "broken")
    assert (status["outcome"], stage.condition(status, "Validated")["reason"]) == ("Failed", "TypeNotReady")
    assert words in status["message"]
