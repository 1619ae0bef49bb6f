"""A control plane of its own for each figure, with the operator's CRDs, catalogue and rights installed."""

import asyncio
import contextlib
import shutil
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench import objects
from bench.audit import AuditLog
from bench.loader import Call, Loader, Refused, loading
from bench.objects import API, OPERATOR
from bench.process import ROOT, Program
from controller.core.mergepatch import merge_patch
from localcluster.controlplane import ControlPlane
from localcluster.kubeconfig import Access

OPERATOR_USER = f"system:serviceaccount:{OPERATOR}:{OPERATOR}"
LEADS = "this process leads"
RAW_OBJECTS = 100
RAW_CONNECTIONS = (1, 4, 16)
RAW_NAMESPACE = "raw"
_RAM_DISK = Path("/dev/shm")  # noqa: S108  named so by Linux


@dataclass
class Lab:
    """What a figure works with."""

    cluster: ControlPlane
    folder: Path
    loader: Loader
    audit: AuditLog
    say: Callable[[str], None]
    _done_status: objects.Json = field(default_factory=dict)
    _raw_patches: tuple[objects.Json, ...] = ()
    _raw_sent: int = 0
    _starts: int = 0

    async def namespace(self, name: str) -> None:
        """Makes a namespace in which the operator may act."""
        await self._namespace(name)
        for path, body in objects.runner(name):
            await self.loader.send(Call.create(path, body))

    async def targets(self, namespace: str, names: Iterable[str]) -> None:
        """Makes Deployments whose status says already that the wanted replicas are ready."""
        names = list(names)
        await self.loader.send_all(
            Call.create(objects.deployments(namespace), objects.deployment(name)) for name in names
        )
        await self.loader.send_all(
            Call.patch(objects.deployments(namespace, name, "status"), objects.already_ready()) for name in names
        )

    async def propose(self, namespace: str, manifests: Iterable[objects.Json]) -> float:
        """Creates proposals as fast as they are taken; the seconds it took."""
        where = objects.path(namespace, objects.PROPOSALS)
        return await self.loader.send_all(Call.create(where, manifest) for manifest in manifests)

    def operator(self, namespace: str | None = None, *options: str) -> Program:
        """The operator as a process of its own, with its ServiceAccount's rights."""
        self._starts += 1
        scope = ("--namespace", namespace) if namespace else ()
        return Program(
            ["-m", "controller.operator.main", "run", "--kubeconfig", str(self._operator_kubeconfig()),
             "--lease-namespace", OPERATOR, "--identity", "bench", *scope, *options],
            self.folder / f"operator-{self._starts}.log",
            ready=LEADS,
        )  # fmt: skip

    async def baseline(self, namespace: str) -> Program:
        """The plain kopf operator of `bench/baseline.py`."""
        kubeconfig = self.folder / "baseline.kubeconfig"
        if not kubeconfig.exists():
            for path, body in objects.administrator("baseline", OPERATOR):
                await self.loader.send(Call.create(path, body))
            self.cluster.service_account_kubeconfig(OPERATOR, "baseline", kubeconfig)
        self._starts += 1
        return Program(
            ["-m", "kopf", "run", "--standalone", "--namespace", namespace, str(ROOT / "bench" / "baseline.py")],
            self.folder / f"baseline-{self._starts}.log",
            ready="Serving is ready",
            environment={"KUBECONFIG": str(kubeconfig)},
        )

    async def prepare_raw(self) -> None:
        """Learns from one real action what the operator writes, and makes objects to write the same to."""
        namespace = "warm-up"
        await self.namespace(namespace)
        await self.targets(namespace, ["one"])
        versions: list[objects.Json] = []
        async with self.loader.watch(objects.path(namespace, objects.PROPOSALS) + "?watch=1") as events:
            with self.operator(namespace) as operator:
                await operator.wait_until_ready()
                await self.propose(namespace, [objects.scale("one")])
                async with asyncio.timeout(60):
                    async for event in events:
                        versions.append(event["object"].get("status") or {})
                        if versions[-1].get("outcome"):
                            break
        claimed = next(status for status in versions if status.get("attempts"))
        self._done_status = versions[-1]
        # An outcome is final, so the objects that are patched again and again never get one.
        ended = {name: value for name, value in versions[-1].items() if name not in ("outcome", "completedAt")}
        claim = {name: None for name in ended if name not in claimed} | merge_patch(versions[0], claimed)
        self._raw_patches = (claim, merge_patch(claimed, ended))
        await self._namespace(RAW_NAMESPACE)
        names = [f"raw-{n}" for n in range(RAW_OBJECTS)]
        await self.targets(RAW_NAMESPACE, names)
        await self.propose(RAW_NAMESPACE, (objects.scale(name) for name in names))

    async def raw_rate(self, seconds: float = 2.0) -> float:
        """W_raw: status patches a second of a bare loader. The best of several numbers of connections: it is a ceiling,
        and with processors short, more connections make it slower."""
        return max([await self._rate(lambda: (self.raw_call(),), n, seconds) for n in RAW_CONNECTIONS])

    async def raw_actions(self, seconds: float = 2.0) -> float:
        """Actions a second of a bare loader that sends the operator's requests for one, and decides nothing."""
        return max([await self._rate(self._raw_action, n, seconds) for n in RAW_CONNECTIONS])

    async def _rate(self, group: Callable[[], Iterable[Call]], connections: int, seconds: float) -> float:
        await self.loader.send_groups((group() for _ in range(connections)), connections)  # opens them
        until = time.perf_counter() + seconds
        sent = 0

        def groups() -> Iterable[Iterable[Call]]:
            nonlocal sent
            while time.perf_counter() < until:
                sent += 1
                yield group()

        took = await self.loader.send_groups(groups(), connections)
        return sent / took

    def raw_call(self) -> Call:
        """One status patch: in turns the claim and the result that the operator wrote for a real action."""
        self._raw_sent += 1
        name = f"raw-{self._raw_sent % RAW_OBJECTS}"
        patch = self._raw_patches[self._raw_sent // RAW_OBJECTS % 2]
        status = patch | {"message": f"benchmark {self._raw_sent}"}
        return Call.patch(objects.path(RAW_NAMESPACE, objects.PROPOSALS, name, "status"), {"status": status})

    def _raw_action(self) -> tuple[Call, ...]:
        """The requests of one action, in their order; Events last."""
        self._raw_sent += 1
        serial = self._raw_sent
        name = f"raw-{serial % RAW_OBJECTS}"
        target, scaled = objects.deployments(RAW_NAMESPACE, name), {"spec": {"replicas": 1 + serial // RAW_OBJECTS % 9}}
        mine = objects.path(RAW_NAMESPACE, objects.PROPOSALS, name, "status")
        claim, result = ({"status": patch | {"message": f"benchmark {serial}"}} for patch in self._raw_patches)
        events = f"/apis/events.k8s.io/v1/namespaces/{RAW_NAMESPACE}/events"
        return (
            Call("GET", target),
            Call.patch(f"{target}/scale?dryRun=All", scaled),
            Call("GET", f"/apis/autoscaling/v2/namespaces/{RAW_NAMESPACE}/horizontalpodautoscalers"),
            Call.patch(mine, claim),
            Call.patch(f"{target}/scale", scaled),
            Call("GET", target),
            Call.patch(mine, result),
            *(Call.create(events, objects.event(name, f"{serial}-{n}")) for n in range(2)),
        )

    def finished_status(self) -> objects.Json:
        """The status that the operator gave the action that `prepare_raw` let run."""
        return self._done_status

    async def _namespace(self, name: str) -> None:
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        await self.loader.send(Call.create("/api/v1/namespaces", body))

    def _operator_kubeconfig(self) -> Path:
        path = self.folder / "operator.kubeconfig"
        if not path.exists():
            self.cluster.service_account_kubeconfig(OPERATOR, OPERATOR, path, lifetime_seconds=36_000)
        return path


@asynccontextmanager
async def lab(say: Callable[[str], None]) -> AsyncIterator[Lab]:
    """A control plane without flow control, with everything installed; gone when it is left."""
    folder = _folder()
    try:
        with ControlPlane.start(folder / "cluster", api_only=True, load=True) as cluster:
            _install(cluster)
            async with loading(Access.read(cluster.kubeconfig)) as loader:
                await loader.send(Call.create(f"/apis/{API}/actionpolicies", objects.policy()))
                await _served(loader)
                yield Lab(cluster, folder, loader, AuditLog(cluster.audit_log), say)
    finally:
        with contextlib.suppress(OSError):
            shutil.rmtree(folder)


def _folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="action-operator-bench-", dir=_RAM_DISK if _RAM_DISK.is_dir() else None))


async def _served(loader: Loader) -> None:
    """Until the API server can watch the new kinds: for a moment it answers 429, "storage is (re)initializing"."""
    for plural in (objects.PROPOSALS, objects.WORKFLOWS):
        for _ in range(200):
            try:
                async with loader.watch(f"/apis/{API}/{plural}?watch=1&timeoutSeconds=1"):
                    break
            except Refused:
                await asyncio.sleep(0.05)


def _install(cluster: ControlPlane) -> None:
    """CRDs, catalogue and RBAC, as a user installs them."""
    kubectl = [str(cluster.kubectl), "--kubeconfig", str(cluster.kubeconfig)]
    crds, catalogue, rights = (str(ROOT / part) for part in ("crds", "catalog", "config/rbac/operator.yaml"))
    subprocess.run([*kubectl, "apply", "--server-side", "-f", crds], check=True, capture_output=True)
    wait = ["wait", "--for=condition=Established", "--timeout=30s", "-f", crds]
    subprocess.run([*kubectl, *wait], check=True, capture_output=True)
    subprocess.run([*kubectl, "apply", "--server-side", "-f", catalogue, "-f", rights], check=True, capture_output=True)
