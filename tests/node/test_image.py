"""The image that the Dockerfile builds, run as clusters run it: any uid, nothing to write to."""

import json

import pytest
from harness.cluster_pods import Pods

from hack.installation import kubectl_of

pytestmark = pytest.mark.timeout(1800)  # kubelet or the image may have to be built
LOOK = """
import json, os, pwd, shutil, subprocess
def known():
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return None
def writable(path):
    try:
        open(path, "w").close()
    except OSError as error:
        return error.strerror
    return "yes"
def answer(*command):
    done = subprocess.run(command, capture_output=True, text=True)
    return [done.returncode, done.stdout + done.stderr]
tools = ("gcc", "cc", "make", "kubectl", "curl")
print(json.dumps({
    "uid": os.getuid(), "name": known(),
    "write": [writable(path) for path in ("/x", "/tmp/x", "/opt/action-operator/x")],
    "tools": [tool for tool in tools if shutil.which(tool)],
    "help": answer("action-operator", "--help"), "run": answer("action-operator", "run", "--help"),
    "cli": answer("kubectl-actions", "--help"),
}))
"""


def test_any_uid_and_a_read_only_root_are_enough(pods: Pods, image: str) -> None:
    kubectl = kubectl_of(pods)
    pod = {
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "look", "namespace": "default"},
        "spec": {
            "restartPolicy": "Never", "automountServiceAccountToken": False,
            "securityContext": {"runAsUser": 123456, "runAsGroup": 123456, "runAsNonRoot": True},
            "containers": [{
                "name": "look", "image": image, "imagePullPolicy": "Never", "command": ["python", "-c", LOOK],
                "securityContext": {
                    "readOnlyRootFilesystem": True, "allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}
                },
            }],
        },
    }  # fmt: skip
    kubectl("apply", "-f", "-", text=json.dumps(pod))
    kubectl("wait", "-n", "default", "pod/look", "--for=jsonpath={.status.phase}=Succeeded", "--timeout=60s")
    seen = json.loads(kubectl("logs", "-n", "default", "look"))
    kubectl("delete", "-n", "default", "pod", "look", "--wait=false")

    assert (seen["uid"], seen["name"]) == (123456, None)
    assert seen["write"] == ["Read-only file system"] * 3
    assert seen["tools"] == []
    assert seen["help"][0] == seen["run"][0] == seen["cli"][0] == 0, seen
    assert "--lease-seconds" in seen["run"][1]
