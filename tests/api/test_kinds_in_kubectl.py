"""Our kinds as a user of kubectl meets them."""

import json
import secrets
import subprocess
from collections.abc import Callable, Iterator

import pytest
import yaml
from schema_manifests import FULL, MINIMAL, POLICY, PROPOSAL, TYPE, WORKFLOW, Manifest, changed

from controller.api.kinds import KINDS
from localcluster.controlplane import ControlPlane

Kubectl = Callable[..., subprocess.CompletedProcess[str]]
"""Runs kubectl in a namespace of the test, with a manifest as its standard input."""


@pytest.fixture
def kubectl(schema_only: ControlPlane) -> Kubectl:
    """In a namespace of its own, on an API server that checks nothing but the schema."""
    name = f"kinds-{secrets.token_hex(4)}"

    def run(*arguments: str, given: Manifest | str = "") -> subprocess.CompletedProcess[str]:
        config = str(schema_only.kubeconfig)
        command = [str(schema_only.kubectl), "--kubeconfig", config, "--namespace", name, *arguments]
        text = given if isinstance(given, str) else json.dumps(given)
        return subprocess.run(command, input=text, capture_output=True, text=True, check=False, timeout=30)

    assert run("create", "namespace", name).returncode == 0
    return run


@pytest.mark.parametrize("kind", [PROPOSAL, WORKFLOW])
@pytest.mark.parametrize("side", ["--server-side=false", "--server-side=true"])
def test_applying_again_changes_nothing(kind: str, side: str, kubectl: Kubectl) -> None:
    """The second server-side apply writes the same object once more, an oddity of kinds whose status has a default;
    from then on nothing is written.
    """
    written = []
    for _ in range(3):
        applied = kubectl("apply", side, "-f", "-", "-o", "json", given=FULL[kind])
        assert applied.returncode == 0, applied.stderr
        written.append(json.loads(applied.stdout))
    first, second, third = written
    assert third["spec"] == first["spec"]
    assert third["metadata"]["generation"] == 1
    assert third["metadata"]["resourceVersion"] == second["metadata"]["resourceVersion"]


def test_an_edit_of_what_cannot_change_says_what_to_do(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", "-", given=FULL[PROPOSAL])
    edited = kubectl("apply", "-f", "-", given=changed(FULL[PROPOSAL], {"spec.parameters.replicas": 7}))
    assert edited.returncode != 0
    assert (
        "spec.parameters: Invalid value: parameters cannot change after creation; propose it again under a new name"
        in edited.stderr
    )


def test_a_dry_run_refuses_what_the_server_refuses(kubectl: Kubectl) -> None:
    bad = changed(MINIMAL[PROPOSAL], {"spec.retry": {"minWaitSeconds": 2, "maxWaitSeconds": 1}})
    answer = kubectl("apply", "--dry-run=server", "-f", "-", given=bad)
    assert "spec.retry: Invalid value: minWaitSeconds must not be more than maxWaitSeconds" in answer.stderr


def test_a_mistyped_field_is_refused(kubectl: Kubectl) -> None:
    answer = kubectl("apply", "-f", "-", given=changed(MINIMAL[PROPOSAL], {"spec.reasons": "x"}))
    assert answer.returncode != 0
    assert 'unknown field "spec.reasons"' in answer.stderr


def test_finished_objects_are_told_from_live_ones(kubectl: Kubectl) -> None:
    for name in ("live", "done"):
        kubectl("create", "-f", "-", given=changed(MINIMAL[PROPOSAL], {"metadata.name": name}))
    finish = '{"status": {"outcome": "Succeeded"}}'
    assert kubectl("patch", "ap", "done", "--subresource=status", "--type=merge", "-p", finish).returncode == 0

    def found(selector: str) -> str:
        return kubectl("get", "ap", "-o", "name", "--field-selector", selector).stdout

    assert found("status.outcome=") == "actionproposal.actionoperator.dev/live\n"
    assert found("status.outcome=Succeeded") == "actionproposal.actionoperator.dev/done\n"
    assert found("status.outcome!=") == "actionproposal.actionoperator.dev/done\n"


def test_finished_objects_with_a_ttl_are_found(kubectl: Kubectl) -> None:
    for name, ttl in (("kept", None), ("passing", 0)):
        given = changed(MINIMAL[WORKFLOW], {"metadata.name": name, "spec.ttlSecondsAfterFinished": ttl})
        assert kubectl("create", "-f", "-", given=given).returncode == 0
        finish = '{"status": {"outcome": "Failed"}}'
        assert kubectl("patch", "aw", name, "--subresource=status", "--type=merge", "-p", finish).returncode == 0
    selector = "status.outcome!=,spec.ttlSecondsAfterFinished!="
    found = kubectl("get", "aw", "-o", "name", "--field-selector", selector)
    assert found.stdout == "actionworkflow.actionoperator.dev/passing\n", found.stderr


def test_votes_are_found_by_their_subject(kubectl: Kubectl) -> None:
    for name, uid in (("one", "uid-1"), ("two", "uid-2")):
        given = changed(MINIMAL["ActionApproval"], {"metadata.name": name, "spec.subject.uid": uid})
        assert kubectl("create", "-f", "-", given=given).returncode == 0
    found = kubectl("get", "aa", "-o", "name", "--field-selector", "spec.subject.uid=uid-2")
    assert found.stdout == "actionapproval.actionoperator.dev/two\n"


COLUMNS = {
    "at": "NAME RISK IDEMPOTENT READY AGE",
    "apol": "NAME MODE HALT READY AGE",
    "ap": "NAME ACTION PHASE OUTCOME RETRIES AGE",
    "aw": "NAME PHASE PROGRESS OUTCOME RETRIES AGE",
    "aa": "NAME KIND SUBJECT DECISION APPROVER AGE",
    "arb": "NAME READY EDITED-BY AGE",
    "asch": "NAME SCHEDULE TIME-ZONE SUSPEND READY LAST-RUN NEXT-RUN AGE",
}
WIDE = {
    "at": "NAME RISK IDEMPOTENT READY DESCRIPTION AGE",
    "apol": "NAME MODE HALT READY AGE",
    "ap": "NAME ACTION PHASE OUTCOME RETRIES NEXT-RETRY REASON MESSAGE AGE",
    "aw": "NAME PHASE PROGRESS OUTCOME RETRIES NEXT-RETRY DESCRIPTION MESSAGE AGE",
    "aa": "NAME KIND SUBJECT DECISION APPROVER AGE",
    "arb": "NAME READY EDITED-BY DESCRIPTION MESSAGE AGE",
    "asch": "NAME SCHEDULE TIME-ZONE SUSPEND READY LAST-RUN NEXT-RUN REQUESTED-BY MESSAGE AGE",
}


@pytest.fixture
def _tidy(kubectl: Kubectl) -> Iterator[None]:
    """What belongs to no namespace goes after the test."""
    yield
    for kind in (TYPE, POLICY):
        kubectl("delete", kind, "-l", "made-by=schema-tests")


@pytest.mark.usefixtures("_tidy")
def test_short_names_show_columns(kubectl: Kubectl) -> None:
    for kind in KINDS:
        name = f"columns-{kind.INFO.short_name}"
        kubectl("apply", "-f", "-", given=changed(MINIMAL[kind.INFO.kind], {"metadata.name": name}))
        plain, wide = (
            kubectl("get", kind.INFO.short_name, name, "-o", output).stdout.splitlines()[0].split()
            for output in ("", "wide")
        )
        assert (" ".join(plain), " ".join(wide)) == (COLUMNS[kind.INFO.short_name], WIDE[kind.INFO.short_name])


def test_columns_show_what_matters(kubectl: Kubectl) -> None:
    kubectl("create", "-f", "-", given=MINIMAL[PROPOSAL])
    status = {
        "phase": "Retrying",
        "retryCount": 1,
        "conditions": [{
            "type": "Succeeded", "status": "Unknown", "reason": "TransientFailure", "observedGeneration": 1,
            "lastTransitionTime": "2026-11-22T15:04:05.123Z",
        }],
    }  # fmt: skip
    kubectl("patch", "ap", "scale", "--subresource=status", "--type=merge", "-p", json.dumps({"status": status}))
    assert kubectl("get", "ap", "scale", "--no-headers").stdout.split()[:4] == [
        "scale", "scale-workload", "Retrying", "1",
    ]  # fmt: skip
    assert "TransientFailure" in kubectl("get", "ap", "scale", "-o", "wide").stdout


def test_one_category_lists_all_kinds_of_a_namespace(kubectl: Kubectl) -> None:
    kinds = [kind.INFO for kind in KINDS if kind.INFO.namespaced]
    for info in kinds:
        kubectl("create", "-f", "-", given=MINIMAL[info.kind])
    listed = kubectl("get", "actions", "-o", "name").stdout
    assert [info.kind for info in kinds if f"{info.singular}.actionoperator.dev/" not in listed] == []


def test_fields_are_explained(kubectl: Kubectl) -> None:
    explained = kubectl("explain", "ap.spec.retry.maxAttempts").stdout
    assert "All attempts, the first one included." in explained


def test_an_exported_object_can_be_given_back(kubectl: Kubectl) -> None:
    """History has a key `n`, which YAML 1.1 takes for a boolean if nobody quotes it; kubectl does."""
    kubectl("create", "-f", "-", given=MINIMAL[PROPOSAL])
    entry = {"n": 1, "at": "2026-11-22T15:04:05.123Z", "reason": "Proposed", "actor": "a"}
    patch = json.dumps({"status": {"history": [entry]}})
    kubectl("patch", "ap", "scale", "--subresource=status", "--type=merge", "-p", patch)
    exported = kubectl("get", "ap", "scale", "-o", "yaml").stdout
    assert yaml.safe_load(exported)["status"]["history"] == [entry]
    replaced = kubectl("replace", "-f", "-", given=exported)
    assert replaced.returncode == 0, replaced.stderr
