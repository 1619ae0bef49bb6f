"""The operator's own requests on a real API server: compare and swap, Events, the Lease, runners and their refusals."""

import asyncio
import subprocess
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
import pytest
import yaml
from api_server import AS_OPERATOR

from controller.core.errors import (
    Conflict,
    LostAnswer,
    NotFound,
    PermanentFailure,
    RightMissing,
    TransientFailure,
)
from controller.core.ports import Journal, Json, PatchForm, Resource
from controller.core.record import EventRecord, EventSubject
from controller.kube.api import Api
from controller.kube.discovery import Discovery
from controller.kube.events import EventWriter
from controller.kube.lease import Lease, Timing
from controller.kube.login import Login
from controller.kube.resources import EVENTS, LEASES
from controller.kube.runner import RunnerCluster
from controller.kube.session import RawAnswer, Session
from controller.kube.status import patch_status
from localcluster.controlplane import ControlPlane

T = TypeVar("T")
CONFIG_MAPS = Resource("", "v1", "configmaps", "ConfigMap")
PODS = Resource("", "v1", "pods", "Pod")
ACCOUNTS = Resource("", "v1", "serviceaccounts", "ServiceAccount")
NAMESPACES = Resource("", "v1", "namespaces", "Namespace", namespaced=False)
DEPLOYMENTS = Resource("apps", "v1", "deployments", "Deployment")
PROPOSALS = Resource("actionoperator.dev", "v1alpha1", "actionproposals", "ActionProposal")
ROLES = Resource("rbac.authorization.k8s.io", "v1", "roles", "Role")
BINDINGS = Resource("rbac.authorization.k8s.io", "v1", "rolebindings", "RoleBinding")
PATIENT = Timing(duration_seconds=600, renew_deadline_seconds=300, retry_seconds=0.2)


class Unreliable(Session):
    """A session that loses answers: after the request was served, or instead of sending it; or keeps one back."""

    lose: str = ""
    silent: asyncio.Event

    async def request(self, method: str, path: str, **options: Any) -> RawAnswer:
        how, self.lose = (self.lose, "") if method == "PATCH" else ("", self.lose)
        if how != "before":
            answer = await super().request(method, path, **options)
        if how == "silent":
            self.silent.set()
            await asyncio.sleep(60)
        if how:
            raise aiohttp.ServerDisconnectedError
        return answer


def run(kubeconfig: Path, test: Callable[[Api], Awaitable[T]]) -> T:
    """Run a test as the user of a kubeconfig."""

    async def session() -> T:
        async with Unreliable(Login(str(kubeconfig))) as opened:
            return await test(Api(opened))

    return asyncio.run(session())


async def new_proposal(api: Api, namespace: str, name: str = "p") -> Json:
    spec = {"action": "wait", "parameters": {"seconds": 1}, "reason": "test"}
    body = {"apiVersion": PROPOSALS.api_version, "kind": PROPOSALS.kind, "metadata": {"name": name}, "spec": spec}
    return await api.create(PROPOSALS, body, namespace=namespace)


async def say(api: Api, stored: Json, message: str) -> Json:
    """A status patch of that version of the proposal, as the operator."""
    about = stored["metadata"]
    return await patch_status(
        replace(api, headers=AS_OPERATOR),
        PROPOSALS,
        about["namespace"],
        about["name"],
        resource_version=about["resourceVersion"],
        patch={"observedGeneration": 1, "message": message},
        landed=lambda found: found.get("status", {}).get("message") == message,
    )


def test_status_patches_are_compare_and_swap(cluster: ControlPlane, crds: None, namespace: str) -> None:
    async def test(api: Api) -> None:
        first = await new_proposal(api, namespace)
        second = await say(api, first, "one")
        assert second["status"]["message"] == "one"
        with pytest.raises(Conflict, match="object has been modified"):
            await say(api, first, "one")
        assert (await say(api, second, "two"))["status"]["message"] == "two"
        managers = {
            entry["manager"]
            for entry in (await api.get(PROPOSALS, "p", namespace=namespace))["metadata"]["managedFields"]
        }
        assert managers == {"action-operator"}

    run(cluster.kubeconfig, test)


@pytest.mark.usefixtures("crds")
def test_a_lost_answer_to_a_status_patch_is_resolved_by_reading(cluster: ControlPlane, namespace: str) -> None:
    async def test(api: Api) -> None:
        session = api.session
        assert isinstance(session, Unreliable)
        stored = await new_proposal(api, namespace)
        session.lose = "after"
        landed = await say(api, stored, "one")
        assert landed["status"]["message"] == "one"

        session.lose = "before"
        with pytest.raises(TransientFailure, match="has not been stored") as found:
            await say(api, landed, "two")
        assert not isinstance(found.value, Conflict)

        await say(api, landed, "by another")
        session.lose = "before"
        with pytest.raises(Conflict, match="another write came first"):
            await say(api, landed, "two")

        await api.delete(PROPOSALS, "p", namespace=namespace)
        session.lose = "before"
        with pytest.raises(NotFound):
            await say(api, landed, "two")

    run(cluster.kubeconfig, test)


def test_what_the_client_refuses_and_what_the_server_refuses(cluster: ControlPlane, namespace: str) -> None:
    async def test(api: Api) -> None:
        with pytest.raises(PermanentFailure, match='unknown field "bogus"'):
            await api.create(CONFIG_MAPS, {"metadata": {"name": "a"}, "bogus": 1}, namespace=namespace)
        with pytest.raises(PermanentFailure, match="cannot be a name"):
            await api.get(CONFIG_MAPS, "../secrets/a", namespace=namespace)
        with pytest.raises(NotFound, match=f"get configmaps {namespace}/absent"):
            await api.get(CONFIG_MAPS, "absent", namespace=namespace)
        dry = await api.create(CONFIG_MAPS, {"metadata": {"name": "a"}}, namespace=namespace, dry_run=True)
        assert dry["metadata"]["uid"]
        made = await api.create(CONFIG_MAPS, {"metadata": {"name": "a"}}, namespace=namespace)
        with pytest.raises(Conflict, match="already exists"):
            await api.create(CONFIG_MAPS, {"metadata": {"name": "a"}}, namespace=namespace)
        with pytest.raises(Conflict, match="does not match the UID"):
            await api.delete(CONFIG_MAPS, "a", namespace=namespace, uid="another")
        await api.delete(CONFIG_MAPS, "a", namespace=namespace, uid=made["metadata"]["uid"], dry_run=True)
        await api.delete(CONFIG_MAPS, "a", namespace=namespace, uid=made["metadata"]["uid"])
        with pytest.raises(NotFound):
            await api.delete(CONFIG_MAPS, "a", namespace=namespace)
        skew = api.session.clock_skew_seconds()
        assert skew is not None
        assert abs(skew) < 2

    run(cluster.kubeconfig, test)


def test_lists_are_paged_and_can_leave_out_the_contents(cluster: ControlPlane, namespace: str) -> None:
    async def test(api: Api) -> None:
        for n in range(7):
            body = {"metadata": {"name": f"c{n}", "labels": {"odd": str(n % 2)}}, "data": {"n": str(n)}}
            await api.create(CONFIG_MAPS, body, namespace=namespace)
        options: Any = {"namespace": namespace, "label_selector": "odd in (0, 1)"}
        pages = [page async for page in api.pages(CONFIG_MAPS, page_size=3, **options)]
        assert [len(page.items) for page in pages] == [3, 3, 1]
        found = await api.list(CONFIG_MAPS, metadata_only=True, **options)
        assert [item["metadata"]["name"] for item in found.items] == [f"c{n}" for n in range(7)]
        assert not any("data" in item for item in found.items)
        assert found.resource_version
        assert len((await api.list(CONFIG_MAPS, namespace=namespace, field_selector="metadata.name=c3")).items) == 1

    run(cluster.kubeconfig, test)


def record(namespace: str | None, **changes: Any) -> EventRecord:
    subject = EventSubject(
        PROPOSALS.api_version, PROPOSALS.kind, "p", namespace, "6fdca2ae-9d1c-4a29-b6a4-0b6a7e6a2f10"
    )
    note = "\u00e4" * 2000
    fields = {"related": None, "action": "wait", "reason": "Executing", "n": 1, "note": note, "warning": False}
    return EventRecord(subject=subject, at=datetime.now(UTC), **(fields | changes))


def test_an_event_written_twice_is_one(cluster: ControlPlane, namespace: str) -> None:
    async def test(api: Api) -> None:
        async with EventWriter(api) as events:
            for _ in range(3):
                events.write(record(namespace))
            events.write(record(namespace, n=2, reason="Failed", warning=True))
            await events.drain(20)
            assert (events.written, events.refused, events.dropped) == (4, 0, 0)
        found = (await api.list(EVENTS, namespace=namespace)).items
        assert [(e["metadata"]["name"], e["type"]) for e in found] == [
            ("p.6fdca2ae.1.executing", "Normal"),
            ("p.6fdca2ae.2.failed", "Warning"),
        ]

    run(cluster.kubeconfig, test)
    shown = subprocess.run(
        [cluster.kubectl, "--kubeconfig", cluster.kubeconfig, "events", "-n", namespace, "--for", "actionproposal/p"],
        check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    assert "Executing" in shown
    assert "Failed" in shown


def test_refused_events_are_counted_and_said_once(
    cluster: ControlPlane, namespace: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def test(api: Api) -> None:
        async with EventWriter(api) as events:
            for n in range(5):
                events.write(record("no-such-namespace", n=n))
            events.write(record(namespace, n=9))
            await events.drain(20)
            assert (events.written, events.refused, events.dropped) == (1, 5, 0)

    run(cluster.kubeconfig, test)
    assert len([entry for entry in caplog.records if "Events are refused" in entry.getMessage()]) == 1


def test_two_candidates_one_leader_hand_over_and_take_over(cluster: ControlPlane, namespace: str) -> None:
    """With times so long that whoever follows within the test did not just wait for the end of the Lease."""

    def lease(api: Api, identity: str) -> Lease:
        return Lease(api, namespace=namespace, name="operator", identity=identity, timing=PATIENT)

    async def renewed(api: Api, times: int) -> None:
        versions: set[str] = set()
        while len(versions) <= times:
            versions.add((await api.get(LEASES, "operator", namespace=namespace))["metadata"]["resourceVersion"])

    async def test(api: Api) -> None:
        async with asyncio.timeout(60), AsyncExitStack() as stack:
            async with lease(api, "one") as one:
                await one.wait_for_leadership()
                two = await stack.enter_async_context(lease(api, "two"))
                await renewed(api, 3)
                assert (one.is_leader, two.is_leader) == (True, False)
            assert not one.is_leader
            await two.wait_for_leadership()
            spec = (await api.get(LEASES, "operator", namespace=namespace))["spec"]
            assert (spec["holderIdentity"], spec["leaseTransitions"]) == ("two", 1)

            thief = {"spec": {"holderIdentity": "thief", "leaseDurationSeconds": 1}}
            await api.patch(LEASES, "operator", thief, namespace=namespace)
            await two.wait_until_lost()
            assert not two.is_leader
            await two.wait_for_leadership()  # the thief renews nothing
            spec = (await api.get(LEASES, "operator", namespace=namespace))["spec"]
            assert (spec["holderIdentity"], spec["leaseTransitions"]) == ("two", 2)
        assert not (await api.get(LEASES, "operator", namespace=namespace))["spec"].get("holderIdentity")

    run(cluster.kubeconfig, test)


def test_a_lease_is_given_up_also_in_the_middle_of_a_renewal(cluster: ControlPlane, namespace: str) -> None:
    """Whose answer never came: nobody knows whether it is stored."""

    async def test(api: Api) -> None:
        session = api.session
        assert isinstance(session, Unreliable)
        for _ in range(3):
            async with asyncio.timeout(30):
                async with Lease(api, namespace=namespace, name="operator", identity="one", timing=PATIENT) as one:
                    await one.wait_for_leadership()
                    session.lose, session.silent = "silent", asyncio.Event()
                    await session.silent.wait()
            assert not (await api.get(LEASES, "operator", namespace=namespace))["spec"].get("holderIdentity")

    run(cluster.kubeconfig, test)


async def grant(api: Api, namespace: str, account: str, *rules: Mapping[str, Any]) -> None:
    """A Role with these rules, bound to a service account."""
    name = f"{account}-role"
    await api.create(ROLES, {"metadata": {"name": name}, "rules": list(rules)}, namespace=namespace)
    subject = {"kind": "ServiceAccount", "name": account, "namespace": namespace}
    reference = {"apiGroup": ROLES.group, "kind": "Role", "name": name}
    body = {"metadata": {"name": name}, "subjects": [subject], "roleRef": reference}
    await api.create(BINDINGS, body, namespace=namespace)


async def other_forms_of_requests(runner: RunnerCluster) -> None:
    """Patches that are not merged, other namespaces, kinds that are only named."""
    test = {"op": "test", "path": "/data/x", "value": "1"}
    changed = await runner.patch(
        CONFIG_MAPS, "a", [test, {"op": "replace", "path": "/data/x", "value": "2"}], form=PatchForm.JSON
    )
    assert changed["data"] == {"x": "2"}
    with pytest.raises(PermanentFailure, match="test"):
        await runner.patch(CONFIG_MAPS, "a", [test], form=PatchForm.JSON)
    made: Json = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "b"}, "data": {"x": "1"}}
    assert (await runner.patch(CONFIG_MAPS, "b", made, form=PatchForm.APPLY, dry_run=True))["data"] == {"x": "1"}
    with pytest.raises(NotFound):
        await runner.get(CONFIG_MAPS, "b")
    assert (await runner.patch(CONFIG_MAPS, "b", made, form=PatchForm.APPLY))["data"] == {"x": "1"}
    with pytest.raises(Conflict, match="conflict"):
        await runner.patch(CONFIG_MAPS, "a", made | {"metadata": {"name": "a"}}, form=PatchForm.APPLY)
    with pytest.raises(RightMissing, match="may not list configmaps; to grant it: kubectl create clusterrole "):
        await runner.list(CONFIG_MAPS, everywhere=True)
    with pytest.raises(RightMissing, match="may not create pods/eviction a in namespace kube-system; to grant"):
        await runner.create(PODS, {}, name="a", subresource="eviction", namespace="kube-system")
    assert await runner.resolve("apps/v1", "Deployment") == DEPLOYMENTS
    assert await runner.resolve("v1", "Namespace") == NAMESPACES
    with pytest.raises(NotFound, match="no kind deployments in apps/v1; `kubectl api-resources`"):
        await runner.resolve("apps/v1", "deployments")
    with pytest.raises(NotFound, match="does not serve apps/v9"):
        await runner.resolve("apps/v9", "Deployment")
    with pytest.raises(PermanentFailure, match="cannot be a name"):
        await runner.resolve("apps/../v1", "Deployment")


def test_a_runner_has_its_own_rights_and_a_refusal_says_what_is_missing(
    cluster: ControlPlane, namespace: str, tmp_path: Path
) -> None:
    async def prepare(api: Api) -> None:
        for account in ("operator", "runner", "stranger"):
            await api.create(ACCOUNTS, {"metadata": {"name": account}}, namespace=namespace)
        may_act = {
            "apiGroups": [""],
            "resources": ["serviceaccounts"],
            "resourceNames": ["runner"],
            "verbs": ["impersonate"],
        }
        await grant(api, namespace, "operator", may_act)
        await grant(
            api,
            namespace,
            "runner",
            {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "create", "patch"]},
        )

    async def as_operator(api: Api) -> None:
        journal = Journal()
        runner = RunnerCluster(api, Discovery(api), namespace=namespace, runner="runner", journal=journal)
        await runner.create(CONFIG_MAPS, {"metadata": {"name": "a"}}, dry_run=True)
        assert not journal.sent
        await runner.create(CONFIG_MAPS, {"metadata": {"name": "a"}})
        assert journal.sent
        patched = await runner.patch(CONFIG_MAPS, "a", {"data": {"x": "1"}})
        assert patched["data"] == (await runner.get(CONFIG_MAPS, "a"))["data"] == {"x": "1"}
        with pytest.raises(RightMissing) as missing:
            await runner.patch(DEPLOYMENTS, "web", {"spec": {"replicas": 1}}, subresource="scale")
        assert str(missing.value).startswith(
            f"ServiceAccount {namespace}/runner may not patch deployments/scale web in namespace {namespace}; to grant "
            "it: kubectl create role "
        )
        with pytest.raises(RightMissing, match="may not list namespaces; to grant it: kubectl create clusterrole "):
            await runner.list(NAMESPACES)
        await other_forms_of_requests(runner)
        with pytest.raises(RightMissing, match="may not delete configmaps a in namespace"):
            await runner.delete(CONFIG_MAPS, "a", uid="u")

        stranger = RunnerCluster(api, Discovery(api), namespace=namespace, runner="stranger", journal=Journal())
        with pytest.raises(RightMissing) as missing:
            await stranger.get(CONFIG_MAPS, "a")
        assert str(missing.value).startswith(
            f"the operator may not act as ServiceAccount {namespace}/stranger; to allow it: kubectl create role "
        )

    run(cluster.kubeconfig, prepare)
    run(cluster.service_account_kubeconfig(namespace, "operator", tmp_path / "operator"), as_operator)


@pytest.mark.parametrize("runner", ["", "a/b", "..", "a:b", "A", "a\r\nImpersonate-Group: system:masters"])
def test_a_runner_must_be_a_name(runner: str) -> None:
    api: Any = None
    with pytest.raises(PermanentFailure, match="serviceAccountName"):
        RunnerCluster(api, Discovery(api), namespace="shop", runner=runner, journal=Journal())


def with_token_file(cluster: ControlPlane, folder: Path) -> tuple[Path, Path, str]:
    """The administrator's kubeconfig with its token in a file, that file, and the good token."""
    document = yaml.safe_load(cluster.kubeconfig.read_text())
    user = document["users"][0]["user"]
    good, token = user.pop("token"), folder / "token"
    user["tokenFile"] = str(token)
    path = folder / "config"
    path.write_text(yaml.safe_dump(document))
    return path, token, good


def test_a_refused_login_is_made_again_once(cluster: ControlPlane, namespace: str, tmp_path: Path) -> None:
    path, token, good = with_token_file(cluster, tmp_path)
    token.write_text("stale")

    async def test(api: Api) -> None:
        with pytest.raises(TransientFailure, match="not even fresh ones"):
            await api.create(CONFIG_MAPS, {"metadata": {"name": "a"}}, namespace=namespace)
        token.write_text(good)
        made = await asyncio.gather(
            *(api.create(CONFIG_MAPS, {"metadata": {"name": f"a{n}"}}, namespace=namespace) for n in range(8))
        )
        assert len(made) == 8

    run(path, test)


def test_an_api_server_that_is_not_there_proves_that_nothing_was_done(tmp_path: Path) -> None:
    document = {
        "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:1"}}],
        "users": [],
        "contexts": [{"name": "x", "context": {"cluster": "c"}}],
        "current-context": "x",
    }
    (tmp_path / "config").write_text(yaml.safe_dump(document))

    async def test(api: Api) -> None:
        with pytest.raises(TransientFailure, match="no connection to the API server"):
            await api.create(CONFIG_MAPS, {"metadata": {"name": "a"}}, namespace="shop")

    run(tmp_path / "config", test)


def test_a_certificate_that_is_not_trusted_is_no_passing_trouble(cluster: ControlPlane, tmp_path: Path) -> None:
    document = yaml.safe_load(cluster.kubeconfig.read_text())
    del document["clusters"][0]["cluster"]["certificate-authority-data"]
    (tmp_path / "config").write_text(yaml.safe_dump(document))

    async def test(api: Api) -> None:
        with pytest.raises(PermanentFailure, match="certificate is not trusted"):
            await api.get(NAMESPACES, "default")

    run(tmp_path / "config", test)


def test_an_answer_too_late_is_lost_for_writes(cluster: ControlPlane, namespace: str) -> None:
    async def test(api: Api) -> None:
        session = api.session
        assert isinstance(session, Unreliable)
        await api.create(CONFIG_MAPS, {"metadata": {"name": "a"}}, namespace=namespace)
        session.lose = "after"
        with pytest.raises(LostAnswer):
            await api.patch(CONFIG_MAPS, "a", {"data": {"x": "1"}}, namespace=namespace)
        session.lose = "after"
        with pytest.raises(TransientFailure):
            await api.patch(CONFIG_MAPS, "a", {"data": {"x": "1"}}, namespace=namespace, dry_run=True)

    run(cluster.kubeconfig, test)
