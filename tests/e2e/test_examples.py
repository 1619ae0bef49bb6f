"""Every example is what the API server takes; and anyone can recompute a digest from what it stores."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import rfc8785
from harness.stage import Stage

from controller.api.common import Change
from controller.core.digest import digest, sha256
from localcluster.controlplane import ControlPlane

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"


def kubectl(cluster: ControlPlane, *arguments: str | Path) -> str:
    done = subprocess.run(
        [cluster.kubectl, "--kubeconfig", cluster.kubeconfig, *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def namespaces(cluster: ControlPlane, operator_kubeconfig: Path) -> Any:
    """The namespaces that examples are in, as the examples make them; gone afterwards."""
    roles = ROOT / "config" / "rbac" / "roles.yaml"
    kubectl(cluster, "apply", "-f", roles, "-f", EXAMPLES / "shop", "-f", EXAMPLES / "staging" / "1-namespace.yaml")
    yield
    kubectl(cluster, "delete", "--wait=false", "-f", EXAMPLES / "shop", "-f", EXAMPLES / "staging" / "1-namespace.yaml")


@pytest.mark.parametrize(
    "file", sorted(EXAMPLES.rglob("*.yaml")), ids=lambda file: file.relative_to(EXAMPLES).as_posix()
)
def test_the_api_server_takes_it(cluster: ControlPlane, namespaces: None, file: Path) -> None:
    told = kubectl(cluster, "apply", "--dry-run=server", "-f", file)
    assert "(server dry run)" in told
    assert file.read_text().startswith("# "), "an example begins with what it is"


def test_request_digest_and_digest_can_be_recomputed_from_what_is_stored(stage: Stage) -> None:
    stage.propose("digested", "wait", {"seconds": 1}, retry={"maxAttempts": 2, "minWaitSeconds": 0.25})
    status = stage.outcome("ap", "digested")
    stored = stage.get("ap", "digested")
    wait = json.loads(stage.kubectl("get", "actiontype", "wait", "-o", "json"))
    ignored = ("suspend", "cancelled", "ttlSecondsAfterFinished", "requestedBy")
    document = {
        "kind": "ActionProposal",
        "namespace": stage.namespace,
        "spec": {name: value for name, value in stored["spec"].items() if name not in ignored},
        "types": {"wait": wait["spec"]},
        "runner": None,  # waiting touches nothing
        "timings": {
            "": {
                "timeoutSeconds": 90000,
                "retry": {
                    "maxAttempts": 2, "minWaitSeconds": 0.25, "maxWaitSeconds": 60, "exponentialBase": 2,
                    "jitterFraction": 0.5, "retryOn": "Transient",
                },
            }
        },
    }  # fmt: skip
    assert rfc8785.dumps(document)
    assert status["requestDigest"] == sha256(document)
    changes = [Change.model_validate(change) for change in status["preview"].get("changes", ())]
    assert status["digest"] == digest(status["requestDigest"], changes)
    assert wait["status"]["digest"] == sha256(wait["spec"])
