"""What generic actions may give to pods on a real API server: no way round what is lent and whom one may use."""

from dataclasses import dataclass
from typing import Any

import pytest
from acting import RUNNER, Heard, Play, Stage, new

from controller.core.errors import NotFound, PermanentFailure, RightMissing
from controller.core.ports import Cluster
from localcluster.controlplane import ControlPlane
from localcluster.errors import RequestFailed

WEB: dict[str, Any] = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
DEPLOYMENTS = {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get", "create", "patch"]}
CRON_JOBS = {"apiGroups": ["batch"], "resources": ["cronjobs"], "verbs": ["get", "create", "patch"]}
SECRETS = {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}
TEMPLATE = "/spec/template/spec"
LENT = {"actionoperator.dev/allow": "true"}


def pod(**fields: Any) -> dict[str, Any]:
    return {"containers": [{"name": "main", "image": "busybox"}], **fields}


def spec(**fields: Any) -> dict[str, Any]:
    template = {"metadata": {"labels": {"app": "web", "pick": "default"}}, "spec": pod(**fields)}
    return {"replicas": 0, "selector": {"matchLabels": {"app": "web"}}, "template": template}


@pytest.fixture
def stage(cluster: ControlPlane, namespace: str) -> Stage:
    stage = Stage(cluster, namespace)
    stage.admin("POST", "apps/v1:deployments", {"metadata": {"name": "web"}, "spec": spec()})
    stage.admin("POST", "v1:secrets", {"metadata": {"name": "db"}, "stringData": {"password": "x"}})
    return stage


def web(stage: Stage) -> Any:
    return stage.admin("GET", "apps/v1:deployments/web")["spec"]["template"]["spec"]


def container(**fields: Any) -> dict[str, Any]:
    return {"containers": [{"name": "main", "image": "busybox", **fields}]}


ATTACKS: dict[str, tuple[dict[str, Any], str]] = {
    "another account": ({"serviceAccountName": "admin"}, r"spec\.template\.spec\.serviceAccountName \(ServiceAccount"),
    "a token": ({"automountServiceAccountToken": True}, r"automountServiceAccountToken \(the token of ServiceAccount"),
    "the node's network": ({"hostNetwork": True}, r"spec\.template\.spec\.hostNetwork \(the network of its node"),
    "the node's files": ({"volumes": [{"name": "v", "hostPath": {"path": "/"}}]}, r"volumes\[0\]\.hostPath \(/ of its"),
    "a capability": (container(securityContext={"capabilities": {"add": ["SYS_ADMIN"]}}), r"\(capability SYS_ADMIN\)"),
    "a Secret": (
        container(envFrom=[{"secretRef": {"name": "db"}}]),
        r"containers\[0\]\.envFrom\[0\]\.secretRef: Secret .*/db is not lent to actions.*kubectl label secret db",
    ),
}


def plays(stage: Stage, fields: dict[str, Any]) -> list[Play]:
    """That change of the pod template in every way that there is."""
    patch = {"spec": {"template": {"spec": fields}}}
    added = [{"op": "add", "path": f"{TEMPLATE}/{name}", "value": value} for name, value in fields.items()]
    return [
        stage.play("patch-resource", **WEB, type="merge", patch=patch),
        stage.play("patch-resource", **WEB, type="json", operations=added),
        stage.play("patch-resource", **WEB, type="apply", patch=patch, force=True),
        stage.play(
            "apply-manifest",
            force=True,
            manifest={
                "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
                "spec": spec(**fields),
            },
        ),
    ]  # fmt: skip


@pytest.mark.parametrize("attack", ATTACKS)
def test_no_pod_gets_what_its_proposer_may_not_have(stage: Stage, attack: str) -> None:
    stage.allow(DEPLOYMENTS, SECRETS)
    fields, words = ATTACKS[attack]
    before = web(stage)
    for play in plays(stage, fields):
        for step in (play.preview, lambda play=play: play.run(new())):
            with pytest.raises(PermanentFailure, match=words) as caught:
                step()
            assert f"Deployment {stage.namespace}/web" in str(caught.value)
    assert web(stage) == before


def test_a_lent_secret_may_be_given_until_it_is_lent_no_more(stage: Stage) -> None:
    stage.allow(DEPLOYMENTS, SECRETS)
    stage.admin("POST", "v1:secrets", {"metadata": {"name": "lent", "labels": LENT}})
    fields = container(envFrom=[{"secretRef": {"name": "lent"}}])
    for play in plays(stage, fields):
        assert play.preview().changes
    found: Any = stage.admin("GET", "v1:secrets/lent")
    found["metadata"]["labels"] = {}
    stage.admin("PUT", "v1:secrets/lent", found)
    for play in plays(stage, fields):
        with pytest.raises(PermanentFailure, match=r"Secret .*/lent is not lent to actions"):
            play.run(new())
    assert "envFrom" not in web(stage)["containers"][0]
    found = stage.admin("GET", "v1:secrets/lent")
    found["metadata"]["labels"] = LENT
    stage.admin("PUT", "v1:secrets/lent", found)
    plays(stage, fields)[0].run(new())
    assert web(stage)["containers"][0]["envFrom"] == [{"secretRef": {"name": "lent"}}]


def test_what_a_pod_has_already_does_not_hinder_a_change(stage: Stage) -> None:
    stage.allow(DEPLOYMENTS)
    found: Any = stage.admin("GET", "apps/v1:deployments/web")
    del found["metadata"]["resourceVersion"]
    found["spec"]["template"]["spec"] = pod(
        serviceAccountName="admin", hostNetwork=True, **container(envFrom=[{"secretRef": {"name": "db"}}])
    )
    stage.admin("PUT", "apps/v1:deployments/web", found)
    play = stage.play(
        "patch-resource", **WEB, type="merge", patch={"spec": {"template": {"spec": {"schedulerName": "other"}}}}
    )
    assert play.preview().undo is not None
    play.run(new())
    assert web(stage)["schedulerName"] == "other"


def test_what_it_takes_away_and_may_not_give_back_has_no_undo(stage: Stage) -> None:
    stage.allow(DEPLOYMENTS)
    found: Any = stage.admin("GET", "apps/v1:deployments/web")
    del found["metadata"]["resourceVersion"]
    found["spec"]["template"]["spec"]["hostPID"] = True
    stage.admin("PUT", "apps/v1:deployments/web", found)
    patch = {"spec": {"template": {"spec": {"hostPID": None}}}}
    play = stage.play("patch-resource", **WEB, type="merge", patch=patch)
    shown = play.preview()
    assert shown.undo is None
    assert any("its pods had what a generic action may not give them" in warning for warning in shown.warnings)
    play.run(new())
    assert "hostPID" not in web(stage)


def test_what_the_server_fills_in_counts(stage: Stage) -> None:
    """An account that is taken away leaves `default`, a shut token that is taken away leaves an open one."""
    stage.allow(DEPLOYMENTS)
    found: Any = stage.admin("GET", "apps/v1:deployments/web")
    del found["metadata"]["resourceVersion"]
    found["spec"]["template"]["spec"] = pod(serviceAccountName="own", automountServiceAccountToken=False)
    stage.admin("PUT", "apps/v1:deployments/web", found)
    for field, words in (("serviceAccountName", "ServiceAccount default"), ("automountServiceAccountToken", "own")):
        removed = [{"op": "remove", "path": f"{TEMPLATE}/{field}"}]
        if field == "serviceAccountName":
            removed.append({"op": "remove", "path": f"{TEMPLATE}/serviceAccount"})
        with pytest.raises(PermanentFailure, match=words):
            stage.play("patch-resource", **WEB, type="json", operations=removed).preview()


def new_object(kind: str, api_version: str, **fields: Any) -> dict[str, Any]:
    made = {"metadata": {"labels": {"app": "new"}}, "spec": pod(**fields)}
    bodies: dict[str, Any] = {
        "Deployment": {"selector": {"matchLabels": {"app": "new"}}, "template": made},
        "CronJob": {"schedule": "0 0 1 1 *", "jobTemplate": {"spec": {"template": made}}},
    }
    if kind == "CronJob":
        made["spec"]["restartPolicy"] = "Never"
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": "new"}, "spec": bodies[kind]}


@pytest.mark.parametrize(
    ("kind", "api_version", "path"),
    [("Deployment", "apps/v1", "deployments"), ("CronJob", "batch/v1", "cronjobs")],
)
def test_a_new_object_runs_as_the_runner_without_its_token(
    stage: Stage, kind: str, api_version: str, path: str
) -> None:
    stage.allow(DEPLOYMENTS, CRON_JOBS)
    for fields in ({}, {"serviceAccountName": RUNNER}, {"automountServiceAccountToken": False}):
        play = stage.play("apply-manifest", manifest=new_object(kind, api_version, **fields))
        for step in (play.preview, lambda play=play: play.run(new())):
            with pytest.raises(PermanentFailure, match=f"serviceAccountName may be {RUNNER}, its runner, with autom"):
                step()
    with pytest.raises(RequestFailed):
        stage.admin("GET", f"{api_version}:{path}/new")
    modest = new_object(kind, api_version, serviceAccountName=RUNNER, automountServiceAccountToken=False)
    play = stage.play("apply-manifest", manifest=modest)
    assert play.preview().summary.startswith("Create")
    play.run(new())
    assert stage.admin("GET", f"{api_version}:{path}/new")


def test_a_secret_that_is_not_there_or_not_to_be_read_is_refused(stage: Stage) -> None:
    stage.allow(DEPLOYMENTS)
    fields = container(envFrom=[{"secretRef": {"name": "db", "optional": True}}])
    with pytest.raises(RightMissing, match=r"envFrom\[0\]\.secretRef: .* may not get secrets db"):
        plays(stage, fields)[0].preview()


def test_a_secret_that_is_not_there_cannot_be_lent(stage: Stage) -> None:
    stage.allow(DEPLOYMENTS, SECRETS)
    fields = container(envFrom=[{"secretRef": {"name": "later", "optional": True}}])
    with pytest.raises(NotFound, match=r"envFrom\[0\]\.secretRef: there is no Secret .*/later; create it, with the la"):
        plays(stage, fields)[0].preview()


@dataclass(frozen=True)
class Meddling(Heard):
    """A cluster where somebody changes a label right after the first try of a patch."""

    stage: Stage

    async def patch(self, *args: Any, **how: Any) -> Any:
        answer = await super().patch(*args, **how)
        if how.get("dry_run") and self.calls.count("dry patch deployments") == 1:
            found: Any = self.stage.admin("GET", "apps/v1:deployments/web")
            found["spec"]["template"]["metadata"]["labels"]["pick"] = "admin"
            del found["metadata"]["resourceVersion"]
            self.stage.admin("PUT", "apps/v1:deployments/web", found)
        return answer


def test_what_is_sent_is_what_was_looked_at(stage: Stage) -> None:
    """A patch that copies a value may come to something else a moment later."""
    stage.allow(DEPLOYMENTS)
    copied = {"op": "copy", "from": "/spec/template/metadata/labels/pick", "path": f"{TEMPLATE}/serviceAccountName"}
    play = stage.play("patch-resource", **WEB, type="json", operations=[copied])

    async def run(cluster: Cluster) -> Any:
        return await play.action.run(play.request(Meddling(cluster, [], stage)), new())

    with pytest.raises(PermanentFailure, match="ServiceAccount admin"):
        stage.act(run)
    assert web(stage).get("serviceAccountName") is None
