"""run-job on a real API server: one Job at most, found again only if it is ours, its end told as it was."""

import base64
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from acting import WAIT_SECONDS, Play, Stage, new

from controller.actions.job_manifest import job_name
from controller.api.base import API_VERSION
from controller.core.errors import EffectFailed, PermanentFailure
from controller.core.ports import Cluster, Done, Operation
from localcluster.controlplane import ControlPlane
from localcluster.errors import RequestFailed

OUTCOME = "localcluster.actionoperator.dev/outcome"
RIGHTS = {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["create", "get", "patch"]}
READS_SECRETS = {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"], "resourceNames": ["db", "registry"]}


@pytest.fixture
def stage(cluster: ControlPlane, namespace: str, crds: None) -> Stage:
    stage = Stage(cluster, namespace)
    stage.allow(RIGHTS, READS_SECRETS)
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


def lend(stage: Stage, name: str, allow: str = "true", **data: str) -> None:
    """A Secret that its owner lends to actions."""
    metadata = {"name": name, "labels": {"actionoperator.dev/allow": allow}}
    stage.admin("POST", "v1:secrets", {"metadata": metadata, "stringData": data})


def test_everything_that_can_be_asked_for_is_accepted(stage: Stage) -> None:
    lend(stage, "db", password="hunter2-hunter2")
    lend(stage, "registry")
    job = play(
        stage,
        image="registry.example.com/tools/migrate@sha256:" + "0" * 64,
        args=["--all"],
        env={"A": "1"},
        secretEnv={"PASSWORD": {"secretKeyRef": {"name": "db", "key": "password"}}},
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
    assert "variable PASSWORD from Secret db, key password" in shown.changes[0].after
    assert "registry login from Secret registry" in shown.changes[0].after
    assert len(shown.warnings) == 1
    assert "token" in shown.warnings[0]
    job.run(new())
    assert len(jobs(stage)) == 1


PASSWORD = {"secretEnv": {"PASSWORD": {"secretKeyRef": {"name": "db", "key": "password"}}}}


@pytest.mark.parametrize(
    ("allow", "data", "parameters", "words"),
    [
        ("true", {"other": "x"}, PASSWORD, r"parameters\.secretEnv\.PASSWORD: Secret .*/db has no key password"),
        ("no", {"password": "x"}, PASSWORD, r"parameters\.secretEnv\.PASSWORD: Secret .*/db is not lent to actions"),
        (None, {}, PASSWORD, r"parameters\.secretEnv\.PASSWORD: there is no Secret .*/db"),
        ("no", {}, {"imagePullSecrets": ["db"]}, r"parameters\.imagePullSecrets\[0\]: Secret .*/db is not lent"),
        (None, {}, {"imagePullSecrets": ["other"]}, r"parameters\.imagePullSecrets\[0\]: .* may not get secrets other"),
    ],
)
def test_a_secret_that_is_not_lent_gets_into_no_job(
    stage: Stage, allow: str | None, data: dict[str, str], parameters: dict[str, Any], words: str
) -> None:
    if allow:
        lend(stage, "db", allow, **data)
    job = play(stage, **parameters)
    for step in (job.preview, lambda: job.run(new())):
        with pytest.raises(PermanentFailure, match=words):
            step()
    assert jobs(stage) == []


def test_a_secret_is_looked_at_again_right_before_the_job_is_made(stage: Stage) -> None:
    lend(stage, "db", password="hunter2-hunter2")
    job = play(stage, **PASSWORD)
    job.preview()
    stage.calls.clear()
    job.run(new())
    assert stage.calls == ["get secrets", "create jobs"]
    stage.admin("DELETE", "v1:secrets/db")
    with pytest.raises(PermanentFailure, match="there is no Secret"):
        job.run(new())


@pytest.mark.parametrize("level", ["baseline", "restricted"])
def test_nothing_that_can_be_asked_for_breaks_the_standards_but_running_as_root(stage: Stage, level: str) -> None:
    """`restricted` asks for runAsNonRoot, and is the namespace's to enforce; all else is so whatever is asked for."""
    lend(stage, "db", password="hunter2-hunter2")
    lend(stage, "registry")
    labels = {"pod-security.kubernetes.io/enforce": level}
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": stage.namespace, "labels": labels}}
    stage.admin("PUT", f"/api/v1/namespaces/{stage.namespace}", body)
    job = play(
        stage,
        **PASSWORD,
        imagePullSecrets=["registry"],
        annotations={"example.com/a": "b", "cluster-autoscaler.kubernetes.io/safe-to-evict": "false"},
        tolerations=[{"operator": "Exists"}],
        mountServiceAccountToken=True,
        workingDir="/",
        **({"runAsNonRoot": True} if level == "restricted" else {"runAsUser": 0}),
    )
    operation = new()
    job.run(operation)
    assert job.verified(operation).ok


def test_the_pod_has_no_token_unless_asked_for(stage: Stage) -> None:
    def volumes(**parameters: Any) -> list[str]:
        job, operation = play(stage, **parameters), new()
        name = job.run(operation).outputs["job"]
        made: list[Any] = []
        wait(
            lambda: bool(
                made.append(stage.admin("GET", f"v1:pods?labelSelector=job-name%3D{name}")["items"]) or made[-1]
            )
        )
        (pod,) = made[-1]
        assert pod["spec"]["serviceAccountName"] == "runner"
        stage.admin("DELETE", f"{API_VERSION}:actionproposals/try")
        return [volume["name"] for volume in pod["spec"].get("volumes", ())]

    assert volumes() == []
    assert len(volumes(mountServiceAccountToken=True)) == 1


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


READS_PODS = {"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}
CANARY = "hunter2-hunter2"


def listing(stage: Stage) -> None:
    """Let the runner list pods too."""
    path = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{stage.namespace}/roles/runner-{stage.namespace}"
    role = stage.admin("GET", path)
    role["rules"].append(READS_PODS)
    stage.admin("PUT", path, role)


def leave(stage: Stage, uid: str, message: str) -> None:
    """What the container of the Job left at its end, as the node reports it."""
    path = f"v1:pods?labelSelector=batch.kubernetes.io/controller-uid%3D{uid}"
    ended = {"terminated": {"exitCode": 0, "message": message}}
    container = {"name": "main", "image": "x", "imageID": "", "ready": False, "restartCount": 0, "state": ended}

    def reported() -> bool:
        found: Any = stage.admin("GET", path)["items"]
        if not found or "nodeName" not in found[0]["spec"]:
            return False
        found[0]["status"] |= {"phase": "Succeeded", "containerStatuses": [container]}
        try:
            stage.admin("PUT", f"v1:pods/{found[0]['metadata']['name']}/status", found[0])
        except RequestFailed as error:
            if error.status != 409:
                raise
            return False
        return True

    wait(reported)


def reporting(stage: Stage, **parameters: Any) -> tuple[Play, Operation]:
    """A Job that reports, and whose container ends when a test says so."""
    job, operation = play(stage, labels={OUTCOME: "never"}, report=True, **parameters), new()
    assert "its termination message becomes an output" in job.preview().changes[0].after
    return job, operation


def told(stage: Stage, job: Play, operation: Operation) -> Any:
    """How it ended, as the attempt tells it: what the redactor knows is hidden."""

    async def verified(cluster: Cluster) -> tuple[str, Any]:
        request = job.request(cluster)
        found = await job.action.verify(request, operation)
        return request.redactor.text(found.message), request.redactor.json(found.outputs)

    job.verified(operation)
    stage.calls.clear()
    return stage.act(verified)


def test_what_a_job_reports_shows_no_secret(stage: Stage) -> None:
    lend(stage, "db", password=CANARY)
    listing(stage)
    job, operation = reporting(stage, **PASSWORD)
    uid = job.run(operation).outputs["uid"]
    assert not job.verify(operation).ok
    leave(stage, uid, f"migrated 12 tables as {CANARY} ({base64.b64encode(CANARY.encode()).decode()})")
    message, outputs = told(stage, job, operation)
    assert CANARY not in str(outputs)
    assert outputs["message"].startswith("migrated 12 tables as [redacted]")
    assert base64.b64encode(CANARY.encode()).decode()[:12] not in str(outputs)
    assert message == "It is complete."


def test_a_secret_that_changed_withholds_the_message(stage: Stage) -> None:
    lend(stage, "db", password=CANARY)
    listing(stage)
    job, operation = reporting(stage, **PASSWORD)
    uid = job.run(operation).outputs["uid"]
    secret: Any = stage.admin("GET", "v1:secrets/db")
    secret["stringData"] = {"password": "another-value"}
    stage.admin("PUT", "v1:secrets/db", secret)
    leave(stage, uid, f"done with {CANARY}")
    message, outputs = told(stage, job, operation)
    assert outputs == {}
    assert "is withheld: a Secret that it uses was changed" in message
    stage.admin("DELETE", "v1:secrets/db")
    message, outputs = told(stage, job, operation)
    assert (outputs, "could not be read" in message) == ({}, True)


def test_a_value_that_could_not_be_hidden_gets_into_no_job_that_reports(stage: Stage) -> None:
    lend(stage, "db", password="short")
    job, operation = reporting(stage, **PASSWORD)
    with pytest.raises(PermanentFailure, match="must have at least 8 characters"):
        job.run(operation)
    assert jobs(stage) == []


def test_without_the_right_or_a_message_it_still_succeeds(stage: Stage) -> None:
    job, operation = reporting(stage)
    leave(stage, job.run(operation).outputs["uid"], "")
    message, outputs = told(stage, job, operation)
    assert (outputs, "could not be read" in message, "may not list pods" in message) == ({}, True, True)
    listing(stage)
    assert told(stage, job, operation) == ("It is complete. It left no message.", {})


def test_a_job_that_was_not_asked_to_reports_nothing(stage: Stage) -> None:
    job, operation = play(stage, labels={OUTCOME: "never"}), new()
    leave(stage, job.run(operation).outputs["uid"], "migrated 12 tables")
    assert told(stage, job, operation) == ("It is complete.", {})
    assert stage.calls == ["get jobs"]
