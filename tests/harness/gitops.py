"""Small stand-ins for the kinds of Flux and Argo CD: their names, and any fields. No controller stands behind them.

As with theirs, status is a subresource of the kinds of Flux, and not of an Application.
"""

import time

from controller.actions.argocd_sync import APPLICATIONS
from controller.actions.flux import RESOURCES
from controller.core.ports import Json, Resource
from localcluster.controlplane import ControlPlane
from localcluster.errors import RequestFailed

SERVED_SECONDS = 30.0
_CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


def stand_ins(cluster: ControlPlane) -> None:
    """Installs those that are not there; returns when all are served."""
    resources = (*RESOURCES.values(), APPLICATIONS)
    for resource in resources:
        try:
            cluster.api().request("POST", _CRDS, _crd(resource))
        except RequestFailed as error:
            if error.status != 409:
                raise
    deadline = time.monotonic() + SERVED_SECONDS
    for resource in resources:
        while not _is_served(cluster, resource):
            assert time.monotonic() < deadline, f"{resource.plural}.{resource.group} is not served"
            time.sleep(0.1)


def _is_served(cluster: ControlPlane, resource: Resource) -> bool:
    try:
        cluster.api().request("GET", f"/apis/{resource.api_version}/{resource.plural}")
    except RequestFailed as error:
        if error.status not in (404, 429):
            raise
        return False
    return True


def _crd(resource: Resource) -> Json:
    fields = {name: {"type": "object", "x-kubernetes-preserve-unknown-fields": True} for name in ("spec", "status")}
    if resource is APPLICATIONS:
        fields["operation"] = fields["spec"]
    schema = {"type": "object", "properties": fields}
    status: Json = {} if resource is APPLICATIONS else {"subresources": {"status": {}}}
    version = {
        **status,
        "name": resource.version,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": schema},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{resource.plural}.{resource.group}"},
        "spec": {
            "group": resource.group,
            "scope": "Namespaced",
            "names": {"plural": resource.plural, "kind": resource.kind},
            "versions": [version],
        },
    }
