"""What one would write first: a kopf handler with default storages and the official async client.

It scales, looks whether the replicas are ready, and writes the outcome. No preview, no claim before the effect, no
approval, no policy, no Events: fewer promises than the operator's, on the same objects.
"""

import logging
from typing import Any

import kopf
from kubernetes.aio import client, config

logger = logging.getLogger(__name__)


@kopf.on.startup()
async def connect(memo: kopf.Memo, **_: Any) -> None:
    await config.load_kube_config()  # type: ignore[no-untyped-call]
    memo.apps = client.AppsV1Api(client.ApiClient())
    logger.info("Serving is ready")


@kopf.on.cleanup()
async def disconnect(memo: kopf.Memo, **_: Any) -> None:
    await memo.apps.api_client.close()


@kopf.on.create("actionoperator.dev", "v1alpha1", "actionproposals")
async def scale(spec: kopf.Spec, namespace: str | None, patch: kopf.Patch, memo: kopf.Memo, **_: Any) -> None:
    name, replicas = spec["parameters"]["name"], spec["parameters"]["replicas"]
    await memo.apps.patch_namespaced_deployment_scale(name, namespace, {"spec": {"replicas": replicas}})
    found = await memo.apps.read_namespaced_deployment(name, namespace)
    if found.status.ready_replicas != replicas:
        raise kopf.TemporaryError("not ready yet", delay=1)
    patch.status["phase"] = "Succeeded"
    patch.status["outcome"] = "Succeeded"
    patch.status["message"] = f"Deployment has {replicas} replicas set."
