"""The Job that run-job makes: at most once, least rights, and nobody else's taken for ours."""

import re
from datetime import UTC, datetime
from typing import Any, cast
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.actions.job_manifest import is_ours, job_name, manifest
from controller.actions.job_parameters import RunJobParameters
from controller.actions.run_job import RunJob
from controller.core import origin
from controller.core.operation import new_operation
from controller.core.ports import Cluster, Http, Json, Operation, Request

NOW = datetime(2026, 11, 22, 15, 4, 5, tzinfo=UTC)
OPERATION = Operation(new_operation(NOW, UUID(int=7)), NOW, NOW)
DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
UID = "6fa2a2b5-0000-4000-8000-000000000001"


def request(uid: str = UID, **parameters: Any) -> Request[RunJobParameters]:
    return Request(
        parameters=RunJob().parse({"image": "busybox"} | parameters),
        namespace="shop",
        proposal="migrate",
        proposal_uid=uid,
        runner="migrator",
        cluster=cast("Cluster", None),
        http=cast("Http", None),
    )


def job(**parameters: Any) -> Json:
    return manifest(request(**parameters), OPERATION.id)


def pod(**parameters: Any) -> Json:
    spec: Json = job(**parameters)["spec"]["template"]["spec"]
    return spec


def test_it_runs_at_most_once() -> None:
    spec = job()["spec"]
    assert (spec["backoffLimit"], spec["parallelism"], spec["completions"]) == (0, 1, 1)
    assert spec["podReplacementPolicy"] == "Failed"
    assert spec["template"]["spec"]["restartPolicy"] == "Never"
    assert "ttlSecondsAfterFinished" not in spec


def test_it_ends_some_time() -> None:
    assert job()["spec"]["activeDeadlineSeconds"] == 3600
    assert job(activeDeadlineSeconds=60)["spec"]["activeDeadlineSeconds"] == 60
    assert RunJob.timeout_seconds > 3600


def test_it_starts_with_least_rights() -> None:
    spec = pod()
    assert spec["serviceAccountName"] == "migrator"
    assert spec["automountServiceAccountToken"] is False
    assert spec["securityContext"] == {"seccompProfile": {"type": "RuntimeDefault"}}
    context = spec["containers"][0]["securityContext"]
    assert context["allowPrivilegeEscalation"] is False
    assert context["capabilities"] == {"drop": ["ALL"]}


def test_rights_can_be_asked_for_and_given_up() -> None:
    spec = pod(mountServiceAccountToken=True, runAsNonRoot=True, runAsUser=1000, readOnlyRootFilesystem=True)
    assert spec["automountServiceAccountToken"] is True
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["runAsUser"] == 1000
    assert spec["containers"][0]["securityContext"]["readOnlyRootFilesystem"] is True


def test_secrets_are_only_named() -> None:
    secret = {"TOKEN": {"secretKeyRef": {"name": "s", "key": "k"}}}
    assert pod(env={"A": "1"}, secretEnv=secret)["containers"][0]["env"] == [
        {"name": "A", "value": "1"},
        {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
    ]


def test_what_is_not_given_is_not_in_it() -> None:
    assert set(pod()["containers"][0]) == {"name", "image", "securityContext"}
    assert not {"tolerations", "nodeSelector", "imagePullSecrets"} & pod().keys()


def test_it_belongs_to_the_proposal() -> None:
    (owner,) = job()["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["name"], owner["uid"]) == ("ActionProposal", "migrate", UID)
    assert owner["blockOwnerDeletion"] is False
    labels = job(labels={"app": "x"})["spec"]["template"]["metadata"]["labels"]
    assert labels["app"] == "x"
    assert labels[origin.OPERATION] == OPERATION.id


names = st.from_regex(r"[a-z0-9]([-a-z0-9.]{0,61}[a-z0-9])?", fullmatch=True)


@given(names, st.uuids(), st.uuids())
def test_its_name_is_a_dns_label_and_follows_from_the_operation(proposal: str, uid: UUID, entropy: UUID) -> None:
    operation = new_operation(NOW, entropy)
    name = job_name(proposal, str(uid), operation)
    assert DNS_LABEL.fullmatch(name)
    assert name == job_name(proposal, str(uid), operation)


@given(names, st.tuples(st.uuids(), st.uuids()), st.tuples(st.uuids(), st.uuids()))
def test_other_operations_have_other_names(proposal: str, one: tuple[UUID, UUID], other: tuple[UUID, UUID]) -> None:
    first, second = (job_name(proposal, str(uid), str(operation)) for uid, operation in (one, other))
    assert (first == second) == (one == other)


def test_only_what_has_our_owner_and_operation_is_ours() -> None:
    assert is_ours(job(), request(), OPERATION)
    assert not is_ours(job(), request(uid="another"), OPERATION)
    assert not is_ours(job(), request(), Operation("another", NOW, NOW))
    stripped = job()
    del stripped["metadata"]["ownerReferences"]
    assert not is_ours(stripped, request(), OPERATION)


@pytest.mark.parametrize("image", ["busybox", "busybox:1.37", "registry.example.com:5000/a/b_c:v1"])
def test_images_by_tag_are_taken(image: str) -> None:
    assert pod(image=image)["containers"][0]["image"] == image
