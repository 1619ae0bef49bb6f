"""run-job on a real API server: one Job at most, found again only if it is ours, its end told as it was."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from acting import WAIT_SECONDS, Play, Stage, new

from controller.actions.job_manifest import job_name
from controller.api.base import API_VERSION
from controller.core.errors import EffectFailed, PermanentFailure
from controller.core.ports import Done
from localcluster.controlplane import ControlPlane

OUTCOME = "localcluster.actionoperator.dev/outcome"
RIGHTS = {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["create", "get", "patch"]}


@pytest.fixture
def stage(cluster: ControlPlane, namespace: str, crds: None) -> Stage:
    stage = Stage(cluster, namespace)
    stage.allow(RIGHTS)
    return stage


def play(stage: Stage, **parameters: Any) -> Play:
    """A run-job of a proposal that exists, or the garbage collector would take the Job away."""
    spec = {"action": "run-job", "reason": "test", "parameters": {}}
    body = {"metadata": {"name": "try"}, "spec": spec, "apiVersion": API_VERSION, "kind": "ActionProposal"}
    made: Any = stage.admin("POST", f"{API_VERSION}:actionproposals", body)
    given = stage.play("run-job", **({"image": "busybox", "command": ["true"]} | parameters))
    return replace(given, proposal_uid=made["metadata"]["uid"])


def jobs(stage: Stage) -> list[Any]:
    return list(stage.admin("GET", "batch/v1:jobs")["items"])


def test_from_preview_to_complete(stage: Stage) -> None:
    job, operation = play(stage, env={"MODE": "fast"}), new()
    shown = job.preview()
    assert jobs(stage) == []
    assert shown == job.preview()
    assert shown.undo is None
    assert shown.changes[0].before is None
    assert "image busybox; as runner; runs true; variables MODE" in shown.changes[0].after
    assert any("no digest" in warning for warning in shown.warnings)
    assert job.observe(operation) is None
    done = job.run(operation)
    (made,) = jobs(stage)
    assert done.outputs == {"job": made["metadata"]["name"], "uid": made["metadata"]["uid"]}
    assert job.run(operation) == done
    assert job.observe(operation) == done
    assert len(jobs(stage)) == 1
    assert "complete" in job.verified(operation).message


def test_everything_that_can_be_asked_for_is_accepted(stage: Stage) -> None:
    job = play(
        stage,
        image="registry.example.com/tools/migrate@sha256:" + "0" * 64,
        args=["--all"],
        env={"A": "1", "PASSWORD": {"secretKeyRef": {"name": "db", "key": "password"}}},
        resources={"requests": {"cpu": "500m", "memory": "256Mi"}, "limits": {"memory": "1Gi"}},
        labels={"app.kubernetes.io/name": "migrate"},
        annotations={"example.com/why": "because"},
        nodeSelector={"kubernetes.io/os": "linux"},
        tolerations=[{"operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 5}],
        imagePullSecrets=["registry"],
        workingDir="/srv",
        runAsNonRoot=True,
        runAsUser=1000,
        readOnlyRootFilesystem=True,
        mountServiceAccountToken=True,
    )
    shown = job.preview()
    assert len(shown.warnings) == 1
    assert "token" in shown.warnings[0]
    job.run(new())
    assert len(jobs(stage)) == 1


def test_pods_pass_the_restricted_standard_when_not_root(stage: Stage) -> None:
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": stage.namespace, "labels": labels}}
    stage.admin("PUT", f"/api/v1/namespaces/{stage.namespace}", body)
    job, operation = play(stage, runAsNonRoot=True), new()
    job.run(operation)
    assert job.verified(operation).ok


def test_what_failed_has_failed(stage: Stage) -> None:
    job, operation = play(stage, labels={OUTCOME: "fail"}), new()
    job.run(operation)
    with pytest.raises(EffectFailed, match="BackoffLimitExceeded"):
        job.verified(operation)
    pods: Any = stage.admin("GET", "v1:pods")
    assert len(pods["items"]) == 1


def test_what_takes_too_long_has_failed(stage: Stage) -> None:
    job, operation = play(stage, labels={OUTCOME: "never"}, activeDeadlineSeconds=1), new()
    job.run(operation)
    with pytest.raises(EffectFailed, match="DeadlineExceeded"):
        job.verified(operation)


def test_the_job_of_another_is_not_taken_for_ours(stage: Stage) -> None:
    job, operation = play(stage), new()
    job.run(operation)
    (made,) = jobs(stage)
    other = replace(job, proposal_uid="00000000-0000-4000-8000-000000000002")
    template = {"spec": {"restartPolicy": "Never", "containers": [{"name": "main", "image": "busybox"}]}}
    other_name = job_name(other.proposal, other.proposal_uid, operation.id)
    forged = {"metadata": {"name": other_name, "labels": made["metadata"]["labels"]}, "spec": {"template": template}}
    stage.admin("POST", "batch/v1:jobs", forged)
    with pytest.raises(PermanentFailure, match="not of this proposal"):
        other.run(operation)
    assert other.observe(operation) is None
    other.stop(operation)
    assert "suspend" not in {k for k, v in stage.admin("GET", f"batch/v1:jobs/{other_name}")["spec"].items() if v}


def test_a_job_that_is_gone_proves_nothing(stage: Stage) -> None:
    job, operation = play(stage, labels={OUTCOME: "never"}), new()
    name = job.run(operation).outputs["job"]
    stage.admin("DELETE", f"batch/v1:jobs/{name}", {"propagationPolicy": "Background"})
    assert job.observe(operation) is None
    with pytest.raises(EffectFailed, match="was deleted"):
        job.verify(operation)
    job.stop(operation)


def test_stopping_ends_the_pod_and_keeps_the_record(stage: Stage) -> None:
    job, operation = play(stage, labels={OUTCOME: "never"}), new()
    job.run(operation)
    job.stop(operation)
    wait(lambda: not stage.admin("GET", "v1:pods")["items"])
    assert isinstance(job.observe(operation), Done)
    assert "suspended" in job.verify(operation).message


def test_it_goes_with_its_proposal(stage: Stage) -> None:
    job, operation = play(stage), new()
    job.run(operation)
    job.verified(operation)
    stage.admin("DELETE", f"{API_VERSION}:actionproposals/try", {"propagationPolicy": "Background"})
    wait(lambda: not jobs(stage))


def wait(so: Callable[[], bool]) -> None:
    until = time.monotonic() + WAIT_SECONDS
    while not so():
        assert time.monotonic() < until
        time.sleep(0.1)
