"""The command line of each server, as a function of where things are. Nothing is started here."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from localcluster.layout import Layout
from localcluster.ports import ADDRESS, Ports
from localcluster.spec import Spec

ETCD = "etcd"
API_SERVER = "kube-apiserver"
CONTROLLER_MANAGER = "kube-controller-manager"
SCHEDULER = "kube-scheduler"
KWOK = "kwok"
FORWARDER = "forwarder"
NODE = "node"

PLAYED_NODE_ANNOTATION = "kwok.x-k8s.io/node"
"""Nodes with this annotation set to `fake` are played by kwok, and so are the pods on them."""

STAGES = Path(__file__).parent / "stages"


@dataclass(frozen=True)
class Server:
    """One process of the control plane. `program` is how to start it where that is not the binary of its name."""

    name: str
    arguments: tuple[str, ...]
    program: tuple[str, ...] = ()
    descriptors: tuple[int, ...] = ()
    """Open files that it inherits."""


def command_lines(layout: Layout, ports: Ports, spec: Spec, member: str) -> dict[str, Server]:
    """Return the servers of the control plane in the order of their start.

    `member` is the name that etcd gives itself, by which it is recognised behind its port.
    """
    servers = [etcd(layout, ports, member), api_server(layout, ports, spec)]
    if not spec.api_only:
        servers += [controller_manager(layout), scheduler(layout)]
        servers += [node(layout, spec)] if spec.real_node else [kwok(layout)]
    return {server.name: server for server in servers}


def etcd(layout: Layout, ports: Ports, member: str) -> Server:
    """Return etcd without flushing to disk: fast, and fit for throw-away data only."""
    client = f"http://{ADDRESS}:{ports.etcd}"
    peer = f"http://{ADDRESS}:{ports.etcd_peer}"
    return _server(
        ETCD,
        {
            "name": member,
            "data-dir": layout.etcd_data,
            "listen-client-urls": client,
            "advertise-client-urls": client,
            "listen-peer-urls": peer,
            "initial-advertise-peer-urls": peer,
            "initial-cluster": f"{member}={peer}",
            "unsafe-no-fsync": True,
            "log-level": "warn",
        },
    )


def api_server(layout: Layout, ports: Ports, spec: Spec) -> Server:
    """Return the API server with RBAC, users by token, and a certificate that it signs itself."""
    flags: dict[str, object] = {
        "etcd-servers": f"http://{ADDRESS}:{ports.etcd}",
        "cert-dir": layout.certificates,
        "bind-address": ADDRESS,
        "secure-port": ports.api_server,
        "advertise-address": ADDRESS,
        "endpoint-reconciler-type": "none",
        "authorization-mode": "RBAC",
        "token-auth-file": layout.users,
        "service-account-issuer": "https://kubernetes.default.svc.cluster.local",
        "service-account-key-file": layout.verifying_key,
        "service-account-signing-key-file": layout.signing_key,
        "service-cluster-ip-range": "10.0.0.0/24",
        "profiling": False,
    }
    if spec.load:
        flags |= {
            "enable-priority-and-fairness": False,
            "max-requests-inflight": 0,
            "max-mutating-requests-inflight": 0,
        }
    if spec.audit:
        flags |= {
            "audit-policy-file": layout.audit_policy,
            "audit-log-path": layout.audit_log,
            "audit-log-maxsize": 100_000,
        }
    if spec.real_node:
        flags |= {
            "authorization-mode": "Node,RBAC",
            "enable-admission-plugins": "NodeRestriction",
            "allow-privileged": True,
            "kubelet-client-certificate": layout.kubelet_client,
            "kubelet-client-key": layout.kubelet_client.with_suffix(".key"),
            "kubelet-preferred-address-types": "InternalIP",
            "enable-aggregator-routing": True,  # webhooks by Service go to the pods: nothing else serves Services
        }
    if spec.api_only:
        # Nobody makes the default service accounts, without which no pod would be admitted.
        flags["disable-admission-plugins"] = "ServiceAccount"
    return _server(API_SERVER, flags)


def controller_manager(layout: Layout) -> Server:
    """Return the controllers of Kubernetes itself: garbage collection, Deployments, Jobs and so on."""
    return _server(
        CONTROLLER_MANAGER,
        {
            "kubeconfig": layout.kubeconfig_of_program(CONTROLLER_MANAGER),
            "leader-elect": False,
            "secure-port": 0,
            "service-account-private-key-file": layout.signing_key,
            "root-ca-file": layout.authority,
            "use-service-account-credentials": False,
            "kube-api-qps": 500,
            "kube-api-burst": 1000,
            "profiling": False,
        },
    )


def scheduler(layout: Layout) -> Server:
    """Return the scheduler."""
    return _server(
        SCHEDULER,
        {
            "kubeconfig": layout.kubeconfig_of_program(SCHEDULER),
            "leader-elect": False,
            "secure-port": 0,
            "kube-api-qps": 500,
            "kube-api-burst": 1000,
            "profiling": False,
        },
    )


def kwok(layout: Layout) -> Server:
    """Return the player of nodes and pods. Its addresses lead nowhere outside this machine."""
    server = _server(
        KWOK,
        {
            "kubeconfig": layout.kubeconfig_of_program(KWOK),
            "manage-all-nodes": False,
            "manage-nodes-with-annotation-selector": f"{PLAYED_NODE_ANNOTATION}=fake",
            "node-lease-duration-seconds": 40,
            "node-ip": ADDRESS,
            "cidr": "198.18.0.1/16",
        },
    )
    stages = tuple(f"--config={path}" for path in sorted(STAGES.glob("*.yaml")))
    return Server(server.name, (*server.arguments, *stages))


def forwarder(port: int, descriptors: tuple[int, ...]) -> Server:
    """Return what carries connections from these listening sockets to the API server's port."""
    program = (sys.executable, "-m", "localcluster.forwarder")
    return Server(FORWARDER, (str(port), *map(str, descriptors)), program, descriptors)


def node(layout: Layout, spec: Spec) -> Server:
    """Return the real node: containerd and kubelet below a first process with mounts and processes of its own."""
    program = (
        "unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc",
        sys.executable, "-m", "localcluster.node.init",
    )  # fmt: skip
    return Server(NODE, (str(layout.root), str(spec.binaries["kubelet"])), program)


def _server(name: str, flags: Mapping[str, object]) -> Server:
    return Server(name, tuple(f"--{flag}={_text(value)}" for flag, value in flags.items()))


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
