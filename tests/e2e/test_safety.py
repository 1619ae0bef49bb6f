"""What holds whatever happens: observe by default, the kill switch, restarts, poisoned objects."""

import json
import os
import signal
import time
from datetime import UTC, datetime

from harness.stage import AS_OPERATOR, Stage, deployment, proposal, workflow

from hack.hook_target import HookTarget


def test_without_a_policy_everything_is_only_observed(stage: Stage) -> None:
    execute = f"{stage.namespace}-execute"
    policy = stage.kubectl("get", "actionpolicy", execute, "-o", "json")
    stage.kubectl("delete", "actionpolicy", execute)
    later = stage.policy("elsewhere", match={"namespaces": ["elsewhere"]})
    stage.kubectl("wait", f"apol/{later}", "--for=condition=Ready", "--timeout=20s")  # so it knows of the deletion too
    try:
        stage.apply(deployment("untouched", 1))
        parameters = {"kind": "Deployment", "name": "untouched", "replicas": 4}
        stage.propose("observed", "scale-workload", parameters)
        stage.apply(workflow("observed", [{"name": "a", "action": "scale-workload", "parameters": parameters}]))
        for kind in ("ap", "aw"):
            status = stage.outcome(kind, "observed")
            assert status["outcome"] == "Observed"
            assert status["preview"]["changes"][0]["after"] == 4
            assert stage.condition(status, "Succeeded")["reason"] == "ObserveOnly"
            assert stage.condition(status, "Ready")["status"] == "True"
        assert stage.kubectl("get", "deployment", "untouched", "-o", "jsonpath={.spec.replicas}") == "1"
    finally:
        stage.kubectl("apply", "-f", "-", input=policy)
        stage.delete_policies(later)


def test_halt_claims_nothing_stops_what_runs_and_lets_it_go_on(stage: Stage) -> None:
    stage.propose("running", "wait", {"seconds": 4})
    stage.phase("ap", "running", "Running")
    halt = stage.policy("halt", halt=True)
    stage.propose("due", "log-message", {"message": "x"})
    for name in ("running", "due"):
        blocked = stage.phase("ap", name, "Blocked")
        assert blocked["blocked"]["policy"] == halt
        assert "outcome" not in blocked
    assert stage.status("ap", "running")["attempts"][0]["result"] == "Interrupted"
    assert "retryCount" not in stage.status("ap", "running"), "an interruption does not count"
    stage.delete_policies(halt)
    for name in ("running", "due"):
        assert stage.outcome("ap", name)["outcome"] == "Succeeded"


def test_a_proposal_that_no_json_library_can_read_is_a_fault_of_its_own(stage: Stage) -> None:
    """The API server takes ten times as many levels as Python reads. One such object must not end who lists all."""
    inside = '{"inner":' * 9_000 + "1" + "}" * 9_000
    for name in ("told-by-a-watch", "told-by-a-list"):
        if name == "told-by-a-list":
            stage.operator.stop()
        whole = json.dumps(proposal(name, "log-message", {"message": "INSIDE"}))
        stage.kubectl("create", "-f", "-", input=whole.replace('"INSIDE"', inside))
        if name == "told-by-a-list":
            stage.operator.start()
        stage.kubectl("wait", "--for=jsonpath={.status.outcome}=Failed", "--timeout=30s", "ap", name)
        message = stage.kubectl("get", "ap", name, "-o", "jsonpath={.status.message}")
        assert message == "spec.parameters: must be nested at most 32 deep"
        stage.kubectl("delete", "ap", name)  # other tests read all there is with that library
    stage.propose("beside", "log-message", {"message": "x"})
    assert stage.outcome("ap", "beside")["outcome"] == "Succeeded"


def test_a_restart_during_a_retry_wait_neither_loses_nor_shortens_it(stage: Stage, hook: HookTarget) -> None:
    url = hook.script("/restart", [503])
    retry = {"minWaitSeconds": 4, "maxWaitSeconds": 4, "jitterFraction": 0}
    stage.propose("restart", "http-request", {"method": "PUT", "url": url}, retry=retry)
    waiting = stage.phase("ap", "restart", "Retrying")
    stage.operator.kill()
    stage.operator.start()
    assert stage.status("ap", "restart")["nextRetryAt"] == waiting["nextRetryAt"]
    status = stage.outcome("ap", "restart")
    assert status["outcome"] == "Succeeded"
    due = datetime.fromisoformat(waiting["nextRetryAt"])
    assert datetime.fromtimestamp(hook.seen("/restart")[1].at, UTC) >= due


def test_kill_9_during_a_post_never_sends_it_again(stage: Stage, hook: HookTarget) -> None:
    hook.delay_seconds = 3.0
    try:
        stage.propose("posted", "http-request", {"method": "POST", "url": hook.url + "/posted"})
        stage.wait("ap", "posted", lambda _: hook.seen("/posted"))
        stage.operator.kill()
        stage.operator.start()
        status = stage.outcome("ap", "posted")
    finally:
        hook.delay_seconds = 0.0
    assert status["outcome"] == "Unknown"
    assert len(hook.seen("/posted")) == 1
    assert "TakenOver" in [entry["reason"] for entry in status["history"]]


def test_kill_9_during_a_wait_goes_on_where_it_was(stage: Stage) -> None:
    stage.propose("resumed", "wait", {"seconds": 5})
    running = stage.phase("ap", "resumed", "Running")
    stage.operator.kill()
    stage.operator.start()
    status = stage.outcome("ap", "resumed")
    assert status["outcome"] == "Succeeded"
    took = datetime.fromisoformat(status["completedAt"]) - datetime.fromisoformat(running["startedAt"])
    assert 5 <= took.total_seconds() < 9


def test_a_clean_stop_is_quick_and_loses_nothing(stage: Stage) -> None:
    stage.propose("quick", "log-message", {"message": "x"}, suspend=True)
    stage.phase("ap", "quick", "Blocked")
    started = time.monotonic()
    assert stage.operator.stop() == 0
    assert time.monotonic() - started < 10
    stage.patch("ap", "quick", {"suspend": False})
    stage.operator.start()
    assert stage.outcome("ap", "quick")["outcome"] == "Succeeded"


def test_a_poisoned_object_delays_no_other_and_shows_its_fault(stage: Stage) -> None:
    stage.apply(proposal("poisoned", "log-message", {"message": "x"}, suspend=True))
    stage.phase("ap", "poisoned", "Blocked")
    # Nobody but the operator writes status; what it cannot read there must not stop it.
    stage.kubectl("patch", "ap", "poisoned", *AS_OPERATOR, "--subresource=status", "--type=json", "-p",
                  '[{"op":"replace","path":"/status/digest","value":"sha256:' + "0" * 64 + '"},'
                  '{"op":"add","path":"/status/attempts","value":[{"number":1,"id":"x","operation":"not-a-uuid","owner":"nobody",'
                  '"typeDigest":"sha256:' + "0" * 64 + '","idempotent":true,"startedAt":"2026-01-01T00:00:00.000Z",'
                  '"deadline":"2026-01-01T00:00:00.000Z"}]}]')  # fmt: skip
    stage.propose("healthy", "log-message", {"message": "x"})
    assert stage.outcome("ap", "healthy")["outcome"] == "Succeeded"
    stage.patch("ap", "poisoned", {"cancelled": True})
    status = stage.outcome("ap", "poisoned")
    assert status["outcome"] in ("Cancelled", "Unknown")


def test_an_api_server_that_pauses_is_waited_for(stage: Stage) -> None:
    stage.propose("before", "wait", {"seconds": 6})
    stage.phase("ap", "before", "Running")
    pid = stage.cluster.pid("kube-apiserver")
    os.kill(pid, signal.SIGSTOP)
    try:
        time.sleep(1.5)
    finally:
        os.kill(pid, signal.SIGCONT)
    assert stage.outcome("ap", "before")["outcome"] == "Succeeded"


def test_unknown_fields_are_refused_by_kubectl(stage: Stage) -> None:
    manifest = proposal("strict", "log-message", {"message": "x"})
    manifest["spec"]["paramters"] = {}
    told = stage.apply(manifest, check=False)
    assert 'unknown field "spec.paramters"' in told


def test_a_preview_that_cannot_be_had_is_said_and_asked_for_again(stage: Stage) -> None:
    """A broken webhook makes the API server answer 500 to dry runs: nobody's fault here, and it may pass."""
    name = f"{stage.namespace}-broken"
    service = {"namespace": stage.namespace, "name": "nobody"}
    stage.apply(
        deployment("webhooked", 1),
        {
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
            "metadata": {"name": name},
            "webhooks": [{
                "name": "broken.example.com", "clientConfig": {"service": service}, "sideEffects": "None",
                "admissionReviewVersions": ["v1"], "timeoutSeconds": 1,
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": stage.namespace}},
                "rules": [{"apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["UPDATE"],
                           "resources": ["deployments/scale"]}],
            }],
        },
    )  # fmt: skip
    try:
        parameters = {"kind": "Deployment", "name": "webhooked", "replicas": 2}
        stage.propose("webhooked", "scale-workload", parameters)
        blocked = stage.phase("ap", "webhooked", "Blocked")
        assert blocked["blocked"]["rule"] == "preview"
    finally:
        stage.kubectl("delete", "validatingwebhookconfiguration", name)
    assert stage.outcome("ap", "webhooked", seconds=40)["outcome"] == "Succeeded"
