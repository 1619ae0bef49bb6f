"""What a node leaves on the machine when its processes are gone, and its removal."""

import shutil

from localcluster.errors import LocalClusterError
from localcluster.layout import Layout
from localcluster.node import cgroups


def remove(layout: Layout) -> None:
    """Remove what the node of this control plane left, however it ended; nothing happens where there was none.

    Its processes, mounts and network went with its namespaces.

    Raises:
        LocalClusterError: a control group still has processes.
    """
    if not layout.node.exists():
        return
    left = cgroups.remove(cgroups.name_for(layout.root))
    if left:
        raise LocalClusterError(
            f"processes of pods do not end; they are in {', '.join(map(str, left))} (cgroup.procs). "
            f"End them, then: python -m localcluster down --dir {layout.root}"
        )
    shutil.rmtree(layout.node)
