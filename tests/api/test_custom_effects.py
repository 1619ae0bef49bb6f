"""Custom types and the example plug-in on a real API server, as a runner with just the rights that they need."""

import importlib
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
import yaml
from acting import REGISTRY, Play, Stage, new
from test_actions_jobs import RIGHTS, jobs, lend

from controller.api.actiontype import ActionType
from controller.api.base import API_VERSION
from controller.core.digest import type_digest
from controller.core.errors import NotFound, PermanentFailure, RightMissing
from controller.core.ports import Json
from controller.core.world import TypeEntry
from localcluster.controlplane import ControlPlane
from localcluster.errors import RequestFailed

TYPES = Path(__file__).parents[2] / "examples" / "types"
EXAMPLES = sorted(path.stem for path in TYPES.glob("*.yaml"))
CONFIG_MAPS = {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "patch"]}
SECRETS = {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"], "resourceNames": ["db"]}


@pytest.fixture
def stage(cluster: ControlPlane, namespace: str, crds: None) -> Stage:
    return Stage(cluster, namespace)


def manifest(name: str) -> Json:
    return cast("Json", yaml.safe_load((TYPES / f"{name}.yaml").read_text()))


def proposed(stage: Stage, action: str) -> str:
    """Uid of a proposal that nobody carries out."""
    spec = {"action": action, "reason": "test", "parameters": {}}
    body = {"metadata": {"name": "try"}, "spec": spec, "apiVersion": API_VERSION, "kind": "ActionProposal"}
    made: Any = stage.admin("POST", f"{API_VERSION}:actionproposals", body)
    return str(made["metadata"]["uid"])


def play(stage: Stage, raw: Json, parameters: Json) -> Play:
    """An action of the type, of a proposal that exists, or the garbage collector would take a Job away."""
    uid = proposed(stage, raw["metadata"]["name"])
    entry = TypeEntry(ActionType.model_validate(raw), raw["spec"], type_digest(raw["spec"]))
    assert REGISTRY.fault(entry) is None
    return Play(stage, REGISTRY.of(entry), parameters, proposal_uid=uid)


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_api_server_takes_every_example_as_it_is_written(stage: Stage, name: str) -> None:
    raw = manifest(name)
    made = stage.admin("POST", f"/apis/{API_VERSION}/actiontypes?dryRun=All&fieldValidation=Strict", raw)
    assert made["spec"] == raw["spec"]


# -- job -----------------------------------------------------------------------------------------------------------


def test_a_job_of_a_template_from_preview_to_complete(stage: Stage) -> None:
    stage.allow(RIGHTS, SECRETS)
    lend(stage, "db", password="hunter2-hunter2")
    given = {"database": "orders", "password": {"secretKeyRef": {"name": "db", "key": "password"}}}
    job, operation = play(stage, manifest("compact-database"), given), new()
    shown = job.preview()
    assert jobs(stage) == []
    assert shown == job.preview()
    assert "image registry.example/database-tools:3; as runner; parameters database, password" in shown.changes[0].after
    assert "password from Secret db, key password" in shown.changes[0].after
    assert job.observe(operation) is None
    done = job.run(operation)
    assert job.run(operation) == job.observe(operation) == done
    (made,) = jobs(stage)
    annotations = made["spec"]["template"]["metadata"]["annotations"]
    assert annotations["actionoperator.dev/parameters"] == '{"database":"orders"}'
    assert made["spec"]["template"]["spec"]["serviceAccountName"] == "runner"
    assert "complete" in job.verified(operation).message


def test_a_job_of_another_is_not_taken_for_ours(stage: Stage) -> None:
    stage.allow(RIGHTS)
    job, operation = play(stage, manifest("compact-database"), {"database": "orders"}), new()
    job.run(operation)
    stranger = replace(job, proposal_uid="00000000-0000-4000-8000-00000000000f")
    (made,) = jobs(stage)
    assert stranger.observe(operation) is None
    del made["metadata"]["resourceVersion"]  # its controller writes too
    made["metadata"]["labels"]["actionoperator.dev/operation"] = "another"
    stage.admin("PUT", f"batch/v1:jobs/{made['metadata']['name']}", made)
    assert job.observe(operation) is None
    with pytest.raises(PermanentFailure, match="exists and is not of this proposal"):
        job.run(operation)


def test_a_secret_that_is_not_lent_gets_into_no_job(stage: Stage) -> None:
    stage.allow(RIGHTS, SECRETS)
    lend(stage, "db", "no", password="x-x-x-x-x")
    given = {"database": "a", "password": {"secretKeyRef": {"name": "db", "key": "password"}}}
    job = play(stage, manifest("compact-database"), given)
    for step in (job.preview, lambda: job.run(new())):
        with pytest.raises(PermanentFailure, match=r"parameters\.password: Secret .*/db is not lent to actions"):
            step()
    assert jobs(stage) == []


# -- patch ---------------------------------------------------------------------------------------------------------


def config_map(stage: Stage, **metadata: Any) -> None:
    body = {"metadata": {"name": "checkout", **metadata}, "data": {"LOG_LEVEL": "INFO", "OTHER": "x"}}
    stage.admin("POST", "v1:configmaps", body)


def stored(stage: Stage) -> Any:
    return stage.admin("GET", "v1:configmaps/checkout")


def patching(stage: Stage, executor: Json | None = None, *, idempotent: bool = True) -> Play:
    raw = manifest("set-log-level")
    raw["spec"]["executor"]["patch"].update(executor or {})
    raw["spec"]["idempotent"] = idempotent
    return play(stage, raw, {"app": "checkout", "level": "DEBUG"})


def test_a_merge_patch_shows_one_field_and_changes_it(stage: Stage) -> None:
    stage.allow(CONFIG_MAPS)
    config_map(
        stage, labels={"app.kubernetes.io/managed-by": "Helm"}, annotations={"meta.helm.sh/release-name": "shop"}
    )
    patch, operation = patching(stage), new()
    shown = patch.preview()
    (change,) = shown.changes
    assert (change.path, change.before, change.after) == ("data.LOG_LEVEL", "INFO", "DEBUG")
    assert shown.target.managed_by == ("Helm release shop",)
    assert stored(stage)["data"]["LOG_LEVEL"] == "INFO"
    patch.run(operation)
    assert stored(stage)["data"] == {"LOG_LEVEL": "DEBUG", "OTHER": "x"}
    version = stored(stage)["metadata"]["resourceVersion"]
    patch.run(operation)
    assert stored(stage)["metadata"]["resourceVersion"] == version, "sent again it changed something"
    assert patch.preview().changes == ()
    assert patch.observe(operation) is None, "what may be repeated leaves no mark"


JSON_PATCH: Json = {
    "type": "json",
    "patch": [
        {"op": "test", "path": "/data/LOG_LEVEL", "value": "INFO"},
        {"op": "replace", "path": "/data/LOG_LEVEL", "value": {"fromParameter": "level"}},
    ],
}
APPLY: Json = {"type": "apply"}


@pytest.mark.parametrize("annotations", [{}, {"a": "b"}], ids=["no annotations", "annotations"])
@pytest.mark.parametrize("form", [{}, JSON_PATCH, APPLY], ids=["merge", "json", "apply"])
def test_at_most_once_leaves_the_operation_by_which_a_crash_is_told_from_nothing_done(
    stage: Stage, form: Json, annotations: Json
) -> None:
    stage.allow(CONFIG_MAPS)
    body = {"metadata": {"name": "checkout", "annotations": annotations}, "data": {"LOG_LEVEL": "INFO"}}
    if form is APPLY:  # the field must be ours, or applying it is a conflict
        body["data"] = {"OTHER": "x"}
    stage.admin("POST", "v1:configmaps", body)
    patch, operation = patching(stage, form, idempotent=False), new()
    patch.preview()
    assert patch.observe(operation) is None
    done = patch.run(operation)
    assert stored(stage)["data"]["LOG_LEVEL"] == "DEBUG"
    assert stored(stage)["metadata"]["annotations"] == {
        **annotations,
        "actionoperator.dev/operation": operation.id,
        "actionoperator.dev/proposal-uid": patch.proposal_uid,
    }
    assert patch.observe(operation) == done
    assert patch.observe(new()) is None


def test_a_test_in_the_patch_that_is_not_met_ends_it(stage: Stage) -> None:
    stage.allow(CONFIG_MAPS)
    config_map(stage)
    patch = patching(stage, JSON_PATCH)
    patch.run(new())
    with pytest.raises(PermanentFailure):
        patch.run(new())


def test_apply_creates_what_is_not_there(stage: Stage) -> None:
    stage.allow({**CONFIG_MAPS, "verbs": ["get", "patch", "create"]})
    patch = patching(stage, APPLY)
    shown = patch.preview()
    assert shown.summary.startswith("Create ConfigMap")
    assert {"data.LOG_LEVEL"} <= {change.path for change in shown.changes}
    patch.run(new())
    assert stored(stage)["data"] == {"LOG_LEVEL": "DEBUG"}


def test_a_target_that_is_not_there_and_a_right_that_is_missing_are_named(stage: Stage) -> None:
    patch = patching(stage)
    with pytest.raises(RightMissing, match="configmaps"):
        patch.preview()
    stage.allow(CONFIG_MAPS)
    with pytest.raises(NotFound, match=r"ConfigMap .*/checkout does not exist"):
        patch.preview()


# -- answers -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("answer", ["eu", 3, True, ["a", "b"], {"region": "eu", "replicas": 3}], ids=repr)
def test_an_answer_is_kept_as_it_is_and_cannot_change(stage: Stage, answer: Any) -> None:
    uid = proposed(stage, "ask")
    spec = {
        "subject": {"kind": "ActionProposal", "name": "try", "uid": uid},
        "digest": "sha256:" + "0" * 64,
        "actions": ["ask"],
        "decision": "Approve",
        "answer": answer,
    }
    body = {"apiVersion": API_VERSION, "kind": "ActionApproval", "metadata": {"name": "a"}, "spec": spec}
    path = f"/apis/{API_VERSION}/namespaces/{stage.namespace}/actionapprovals"
    made = stage.admin("POST", f"{path}?fieldValidation=Strict", body)
    assert made["spec"]["answer"] == answer
    for other in ("us", {"region": "us", "replicas": 3}, {"region": "eu"}, None):
        changed = {**made, "spec": {**made["spec"], "answer": other}}
        with pytest.raises(RequestFailed, match="an approval cannot change"):
            stage.admin("PUT", f"{path}/a", changed)
    assert stage.admin("GET", f"{path}/a")["spec"]["answer"] == answer


# -- plug-ins ------------------------------------------------------------------------------------------------------


def test_the_example_plug_in_sets_a_flag_and_takes_it_back(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(TYPES.parent / "plugin"))
    module = importlib.import_module("flags.set_flag")
    action = module.SetFlag()
    stage.allow(*(right.rule() for right in action.about.rights))
    config_map(stage)
    flag = Play(stage, action, {"name": "checkout", "key": "LOG_LEVEL", "value": "DEBUG"})
    shown = flag.preview()
    (change,) = shown.changes
    assert (change.path, change.before, change.after) == ("data.LOG_LEVEL", "INFO", "DEBUG")
    operation = new()
    assert flag.run(operation).outputs == {"previousValue": "INFO"}
    assert flag.verify(operation).ok
    assert flag.preview().changes == ()
    back = Play(stage, action, shown.undo.parameters)
    stage.admin("PUT", "v1:configmaps/checkout", {"metadata": {"name": "checkout"}, "data": {"LOG_LEVEL": "WARNING"}})
    with pytest.raises(PermanentFailure, match="LOG_LEVEL is 'WARNING', not 'DEBUG': nothing was done"):
        back.run(new())
    flag.run(new())
    back.run(new())
    assert stored(stage)["data"]["LOG_LEVEL"] == "INFO"
