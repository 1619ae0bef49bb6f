"""The first process of a node: `python -m localcluster.node.init DIR KUBELET`, in new mount and process namespaces.

It lays folders of the node's own over those of the machine, starts containerd and kubelet, collects orphans, and ends
when one of the two does. The kernel ends all that is left in its process namespace with it: shims and pods as well.
"""

import os
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from localcluster.errors import LocalClusterError, StartFailed
from localcluster.layout import Layout
from localcluster.namespaces import NODE_ADDRESS
from localcluster.node import NAME, cgroups, images, needs, settings

_START_SECONDS = 30.0
_TICK_SECONDS = 0.03


def prepare(layout: Layout, tools: needs.Tools) -> None:
    """Lay the node's own folders and files over the machine's, for this mount namespace alone, and write settings."""
    covered = layout.node / "machine"
    for name, place in (("lib", "/var/lib"), ("log", "/var/log")):
        folder = layout.node_logs if name == "log" else covered / name
        folder.mkdir(parents=True, exist_ok=True)
        _mount("--bind", folder, place)
    _mount("-t", "tmpfs", "node", "/run")
    for setting, value in settings.KERNEL.items():
        file = covered / setting.replace("/", "-")
        file.write_text(value + "\n")
        _mount("--bind", file, Path("/proc/sys") / setting)
    (layout.node / "cni").mkdir(exist_ok=True)
    (layout.node / "cni" / "pods.conflist").write_text(settings.network())
    (layout.node / "resolv.conf").write_text("options timeout:1 attempts:1\n")
    (layout.node / "kubelet.yaml").write_text(settings.kubelet(layout))
    (layout.node / "containerd.toml").write_text(settings.containerd(layout, tools.plugins, _containerd_version()))
    cgroups.create(cgroups.name_for(layout.root))


def run(layout: Layout, kubelet: Path) -> int:
    """Run the node until one of its programs ends, and return an exit code."""
    tools = needs.tools()
    os.environ["PATH"] = tools.path
    prepare(layout, tools)
    containerd = _start(layout, "containerd", ["containerd", "--config", str(layout.node / "containerd.toml")])
    _wait_for_runtime(layout, containerd)
    own = layout.node / "own-images.tar"
    images.write_own(own, tools.path)
    images.load(own)
    _start(
        layout, "kubelet",
        [
            str(kubelet), f"--config={layout.node / 'kubelet.yaml'}",
            f"--kubeconfig={layout.kubeconfig_of_program('kubelet')}",
            f"--hostname-override={NAME}", f"--node-ip={NODE_ADDRESS}",
            "--cert-dir=/var/lib/kubelet/pki",
        ],
    )  # fmt: skip
    return _collect(layout)


_programs: dict[int, str] = {}


def _start(layout: Layout, name: str, command: Sequence[str]) -> "subprocess.Popen[bytes]":
    with layout.log(name).open("ab") as output:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    _programs[process.pid] = name
    return process


def _wait_for_runtime(layout: Layout, containerd: "subprocess.Popen[bytes]") -> None:
    """Wait until containerd answers."""
    deadline = time.monotonic() + _START_SECONDS
    while subprocess.run(["ctr", "version"], capture_output=True, check=False).returncode != 0:
        if containerd.poll() is not None:
            raise StartFailed(f"containerd ended with exit code {containerd.returncode}:\n{_end(layout, 'containerd')}")
        if time.monotonic() > deadline:
            raise StartFailed(f"containerd does not answer:\n{_end(layout, 'containerd')}")
        time.sleep(_TICK_SECONDS)


def _collect(layout: Layout) -> int:
    """Collect every process that ends here, until it is one of the node's two."""
    while True:
        pid, status = os.wait()
        name = _programs.get(pid)
        if name is not None:
            code = os.waitstatus_to_exitcode(status)
            print(f"{name} ended with exit code {code}; the end of {layout.log(name)}:\n{_end(layout, name)}")
            return 1


def _end(layout: Layout, name: str, lines: int = 10) -> str:
    return "\n".join(layout.log(name).read_text(errors="replace").splitlines()[-lines:])


def _containerd_version() -> int:
    answer = subprocess.run(["containerd", "--version"], capture_output=True, text=True, check=True).stdout
    match = re.search(r"\bv?(\d+)\.\d+", answer)
    if match is None:
        raise LocalClusterError(f"containerd does not say its version: {answer.strip()}")
    return int(match[1])


def _mount(*arguments: object) -> None:
    done = subprocess.run(["mount", *map(str, arguments)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise StartFailed(f"mount {' '.join(map(str, arguments))}: {done.stderr.strip()}")


def main(arguments: list[str]) -> int:
    """Run the node of the control plane in the folder `arguments[0]` with the kubelet `arguments[1]`."""
    try:
        return run(Layout(Path(arguments[0])), Path(arguments[1]))
    except (LocalClusterError, OSError, subprocess.SubprocessError) as error:
        print(f"the node does not start: {error}")
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
