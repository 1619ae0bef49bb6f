"""The operator put together as it runs, on a real API server: what it sends while another process leads."""

import asyncio
import io

import pytest

from controller.core.errors import NotLeading
from controller.kube.login import Login
from controller.kube.resources import LEASES, WORKFLOWS
from controller.operator.settings import options
from controller.runtime.assembly import assembled
from localcluster.controlplane import ControlPlane

CHOSEN = {"identity": "late", "lease_seconds": 3600.0, "grace_seconds": 3.0, "drain_seconds": 1.0}


def test_nothing_is_changed_while_another_leads_and_all_may_be_read(cluster: ControlPlane, namespace: str) -> None:
    """A process that was frozen believes what was so before: the run of a schedule would be made a second time."""
    lease = {"metadata": {"name": "operator"}, "spec": {"holderIdentity": "other", "leaseDurationSeconds": 3600}}
    step = {"name": "a", "action": "log-message", "parameters": {"message": "hello"}}
    run = {"metadata": {"name": "run"}, "spec": {"reason": "test", "steps": [step]}}
    chosen = options(
        namespace=namespace,
        lease_namespace=namespace,
        lease_name="operator",
        approval_mode=False,
        selector="",
        **CHOSEN,
    )

    async def play() -> None:
        async with assembled(Login(str(cluster.kubeconfig), None), chosen, io.StringIO()) as running:
            api = running.api
            with pytest.raises(NotLeading):
                await api.create(WORKFLOWS, run, namespace=namespace)
            with pytest.raises(NotLeading):
                await api.delete(LEASES, "operator", namespace=namespace)
            found = await api.get(LEASES, "operator", namespace=namespace)
            assert found["spec"]["holderIdentity"] == "other"

    cluster.api().post(f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases", lease)
    asyncio.run(play())
