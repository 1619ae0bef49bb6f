"""The settings of containerd, its network plugins and kubelet, as functions of where things are.

In the node, /run, /var/lib and /var/log are the node's own, so the programs keep to their usual places there.
"""

import json
from pathlib import Path

import yaml

from localcluster.layout import Layout
from localcluster.namespaces import NODE_ADDRESS
from localcluster.node import cgroups

RUNTIME = "/run/containerd/containerd.sock"
POD_RANGE = "10.212.0.0/24"
PAUSE = "localhost/pause:1"

KERNEL = {"vm/overcommit_memory": "1", "kernel/panic": "10", "kernel/panic_on_oops": "1"}
"""What kubelet sets for the whole machine unless it finds it so."""


def containerd(layout: Layout, plugins: Path, major_version: int) -> str:
    """Return containerd's settings: its CRI service with these network plugins, and pods without host privileges."""
    runtime = [
        "restrict_oom_score_adj = true  # lowering it takes CAP_SYS_RESOURCE, which containers of CI lack",
        "tolerate_missing_hugetlb_controller = true",
        "disable_apparmor = true",
    ]
    if major_version >= 2:
        images, service = "io.containerd.cri.v1.images", "io.containerd.cri.v1.runtime"
        lines = [
            "version = 3",
            f"[plugins.'{images}']",
            'snapshotter = "overlayfs"',
            f"[plugins.'{images}'.pinned_images]",
            f'sandbox = "{PAUSE}"',
            f"[plugins.'{service}']",
            *runtime,
        ]
    else:
        service = "io.containerd.grpc.v1.cri"
        lines = [
            "version = 2",
            f"[plugins.'{service}']",
            f'sandbox_image = "{PAUSE}"',
            *runtime,
            f"[plugins.'{service}'.containerd]",
            'snapshotter = "overlayfs"',
        ]
    lines += [
        f"[plugins.'{service}'.cni]",
        f"bin_dir = {json.dumps(str(plugins))}",
        f"conf_dir = {json.dumps(str(layout.node / 'cni'))}",
        f"[plugins.'{service}'.containerd.runtimes.runc]",
        'runtime_type = "io.containerd.runc.v2"',
        f"[plugins.'{service}'.containerd.runtimes.runc.options]",
        "SystemdCgroup = false",
    ]
    return "\n".join(lines) + "\n"


def network() -> str:
    """Return the network of pods: a bridge, addresses of the node's own range, and no masquerade to anywhere."""
    bridge = {
        "type": "bridge",
        "bridge": "pods",
        "isGateway": True,
        "ipMasq": False,
        "ipam": {"type": "host-local", "ranges": [[{"subnet": POD_RANGE}]], "routes": [{"dst": "0.0.0.0/0"}]},
    }
    return json.dumps({"cniVersion": "0.4.0", "name": "pods", "plugins": [bridge]}, indent=2)


def kubelet(layout: Layout) -> str:
    """Return kubelet's configuration: nothing evicted, nothing set for the machine, its own control group."""
    return yaml.safe_dump(
        {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "address": NODE_ADDRESS,
            "readOnlyPort": 0,
            "authentication": {
                "anonymous": {"enabled": False},
                "webhook": {"enabled": True},
                "x509": {"clientCAFile": str(layout.kubelet_clients)},
            },
            "authorization": {"mode": "Webhook"},
            "containerRuntimeEndpoint": f"unix://{RUNTIME}",
            "failCgroupV1": False,
            "failSwapOn": False,
            "cgroupDriver": "cgroupfs",
            "cgroupRoot": f"/{cgroups.name_for(layout.root)}",
            "cgroupsPerQOS": True,
            "enforceNodeAllocatable": [],
            "oomScoreAdj": 0,
            "evictionHard": {"memory.available": "0%", "nodefs.available": "0%", "imagefs.available": "0%"},
            "imageGCHighThresholdPercent": 100,
            "resolvConf": str(layout.node / "resolv.conf"),
            "makeIPTablesUtilChains": False,
            "enableControllerAttachDetach": False,
            "volumePluginDir": "/var/lib/kubelet/volume-plugins",
        },
        sort_keys=False,
    )
