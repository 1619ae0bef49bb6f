"""Installs our kinds into a control plane, as a user does."""

import time
from typing import Any

from controller.api.actiontype import ActionType
from controller.api.base import API_VERSION
from controller.api.kinds import KINDS
from controller.api.policy import ActionPolicy
from hack.installation import ROOT, kubectl_of
from localcluster.controlplane import ControlPlane
from localcluster.errors import RequestFailed

CRDS = ROOT / "crds"


def install_crds(cluster: ControlPlane) -> None:
    """Returns once the API server serves them."""
    kubectl = kubectl_of(cluster)
    kubectl("apply", "--server-side", "-f", CRDS)
    kubectl("wait", "--for=condition=Established", "--timeout=30s", "-f", CRDS)
    for info in (kind.INFO for kind in KINDS):
        _wait_until_served(cluster, f"/apis/{API_VERSION}/{info.plural}")


def _wait_until_served(cluster: ControlPlane, path: str) -> None:
    """Established comes before the storage is there: until then the API server answers 429."""
    deadline = time.monotonic() + 30
    while True:
        try:
            cluster.api().get(path)
        except RequestFailed as error:
            if error.status not in (404, 429) or time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return


def declared(cluster: ControlPlane) -> set[str]:
    """The paths of all action types and policies that are there."""
    found = set()
    for info in (ActionType.INFO, ActionPolicy.INFO):
        listed: Any = cluster.api().get(f"/apis/{API_VERSION}/{info.plural}")
        found |= {f"/apis/{API_VERSION}/{info.plural}/{one['metadata']['name']}" for one in listed["items"]}
    return found
