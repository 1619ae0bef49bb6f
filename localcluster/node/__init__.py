"""A real node: kubelet, containerd and runc as processes, in namespaces of their own, with real pods.

Nothing outside of the control plane's folder is changed: mounts, processes and network are those of namespaces that
end with the node's first process, and kubelet finds the kernel settings that it wants in files laid over them. The
control groups of the pods are the one thing that outlives the processes; `leftovers.remove` takes them away.
"""

NAME = "node-1"
"""The name of the node."""
