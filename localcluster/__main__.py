"""The command line: `python -m localcluster up|status|token|down|build|path`."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from localcluster import binaries, controlplane, helm, kubeconfig, programs
from localcluster.controlplane import ControlPlane
from localcluster.errors import LocalClusterError
from localcluster.image import build as image_build
from localcluster.layout import Layout
from localcluster.progress import Lines, Progress
from localcluster.state import Phase, State, current
from localcluster.users import PEOPLE

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="A real Kubernetes control plane as processes on 127.0.0.1.",
)
out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)

Directory = Annotated[Path, typer.Option("--dir", file_okay=False, help="The folder of the control plane.")]

EXIT_FAILED = 1
EXIT_DEGRADED = 2
EXIT_NOT_RUNNING = 3
EXIT_INTERRUPTED = 130


class _Spinner:
    """Progress on a terminal: lasting lines above one that moves."""

    def __init__(self) -> None:
        self.status = err.status("looking for the programs")

    def note(self, text: str) -> None:
        err.print(text, markup=False)

    def working(self, text: str) -> None:
        self.status.update(text)


@contextmanager
def _progress() -> Iterator[Progress]:
    """Show how it goes; an interruption is one line, and the exit code shells use for it."""
    spinner = _Spinner() if err.is_terminal else None
    try:
        with spinner.status if spinner else nullcontext():
            yield spinner or Lines()
    except KeyboardInterrupt:
        err.print("interrupted; nothing is left running", markup=False)
        raise typer.Exit(EXIT_INTERRUPTED) from None


@app.command()
def up(
    directory: Directory,
    api_only: Annotated[
        bool, typer.Option("--api-only", help="Only etcd and the API server: no controllers, no nodes.")
    ] = False,
    load: Annotated[
        bool, typer.Option("--load", help="Switch off the API server's flow control, for load tests.")
    ] = False,
    audit: Annotated[bool, typer.Option(help="Record each request in DIR/audit.log.")] = True,
    nodes: Annotated[int, typer.Option(min=0, help="How many played nodes to make.")] = 1,
    real_node: Annotated[
        bool, typer.Option("--real-node", help="A real node instead: real pods (Linux, root, containerd).")
    ] = False,
) -> None:
    """Start a control plane and leave it running until `down`."""
    if api_only and real_node:
        raise LocalClusterError("--api-only and --real-node exclude each other: a node needs controllers")
    layout = Layout(directory.absolute())
    state = current(layout)
    if state is not None and state.phase in (Phase.READY, Phase.DEGRADED):
        out.print(f"already running in {layout.root}, left as it is", markup=False)
        _show(layout, state)
        trouble = ControlPlane.attach(layout.root).trouble()
        if trouble is None:
            return
        err.print(f"Error: {trouble}; stop all: python -m localcluster down --dir {layout.root}", markup=False)
        raise typer.Exit(EXIT_DEGRADED)
    with _progress() as progress:
        cluster = ControlPlane.start(
            layout.root, api_only=api_only, load=load, audit=audit, nodes=nodes, real_node=real_node,
            detach=True, progress=progress,
        )  # fmt: skip
    out.print(f"ready: {cluster.server}", markup=False)
    out.print(f"  export KUBECONFIG={cluster.kubeconfig}", markup=False)
    out.print(f'  export PATH="{cluster.kubectl.parent}:$PATH"', markup=False)
    out.print(f"  other users: {', '.join(PEOPLE)} (NAME.kubeconfig)", markup=False)
    out.print(f"  stop: python -m localcluster down --dir {layout.root}", markup=False)


@app.command()
def down(directory: Directory) -> None:
    """Stop the control plane and remove its data; no error if none is running."""
    layout = Layout(directory.absolute())
    left = layout.node.exists()
    if controlplane.stop(layout):
        out.print(f"stopped; logs are in {layout.root / 'logs'}", markup=False)
    elif left:
        out.print(f"nothing is running in {layout.root}; removed what its real node had left", markup=False)
    else:
        out.print(f"nothing is running in {layout.root}", markup=False)


@app.command()
def status(directory: Directory) -> None:
    """Show each server. Exit code: 0 all run, 2 one has ended, 3 the control plane isn't running."""
    layout = Layout(directory.absolute())
    state = current(layout)
    if state is None:
        out.print(f"nothing is running in {layout.root}", markup=False)
        raise typer.Exit(EXIT_NOT_RUNNING)
    _show(layout, state)
    match state.phase:
        case Phase.READY | Phase.STARTING:
            return
        case Phase.DEGRADED:
            raise typer.Exit(EXIT_DEGRADED)
        case Phase.FAILED | Phase.STOPPED:
            raise typer.Exit(EXIT_NOT_RUNNING)


@app.command()
def token(
    directory: Directory,
    namespace: Annotated[str, typer.Option(help="The namespace of the ServiceAccount.")],
    service_account: Annotated[str, typer.Option(help="The name of the ServiceAccount.")],
    file: Annotated[Path, typer.Option("--out", dir_okay=False, help="The kubeconfig to write.")],
    lifetime: Annotated[int, typer.Option(help="The token's life in seconds, at least 600.")] = 3600,
) -> None:
    """Write a kubeconfig with a fresh token of a ServiceAccount."""
    cluster = ControlPlane.attach(directory)
    kubeconfig.for_service_account(cluster.kubeconfig, namespace, service_account, file, lifetime_seconds=lifetime)
    out.print(f"wrote {file}", markup=False)


@app.command("load-image")
def load_image(
    directory: Directory,
    archive: Annotated[Path, typer.Argument(dir_okay=False, help="An archive of `docker save` or an OCI archive.")],
) -> None:
    """Bring images to the real node, by the names that they have in the archive."""
    ControlPlane.attach(directory).load_image(archive)
    out.print(f"loaded {archive}", markup=False)


@app.command("build-image")
def build_image(
    context: Annotated[Path, typer.Option(file_okay=False, exists=True, help="The folder with the Dockerfile.")],
    name: Annotated[str, typer.Option(help="The image's name without a tag, such as localhost/app.")],
) -> None:
    """Build an image without a registry (buildah, root); print its name and its archive."""
    with _progress() as progress:
        made = image_build.build(context, name, progress)
    print(made.name)
    print(made.archive)


@app.command()
def build(
    api_only: Annotated[bool, typer.Option("--api-only", help="Only etcd, kube-apiserver and kubectl.")] = False,
    real_node: Annotated[bool, typer.Option("--real-node", help="kubelet as well.")] = False,
) -> None:
    """Get the programs, building what is missing, and start nothing."""
    wanted = programs.API_ONLY if api_only else programs.ALL
    with _progress() as progress:
        binaries.find_or_build((*wanted, programs.KUBELET) if real_node else wanted, progress)


@app.command(name="helm")
def build_helm() -> None:
    """Print the path of Helm, which the tests of the chart use; builds it if it is missing."""
    with _progress() as progress:
        found = helm.find_or_build(progress)
    print(found)


@app.command()
def path(
    program: Annotated[str, typer.Argument(help="Show the path of this program instead.")] = "",
) -> None:
    """Print the folder that kubectl is in. Builds nothing."""
    known = {candidate.name: candidate for candidate in (*programs.ALL, programs.KUBELET)}
    if program and program not in known:
        raise LocalClusterError(f"{program}: no such program; there are {', '.join(known)}")
    found, missing = binaries.find([known[program or programs.KUBECTL.name]], Lines())
    if missing:
        raise LocalClusterError(f"{missing[0].name} is not built yet: run `python -m localcluster build`")
    print(found[0].path if program else found[0].path.parent)


def _show(layout: Layout, state: State) -> None:
    table = Table("server", "is", "pid")
    for name, server in state.servers.items():
        table.add_row(name, server.words(), str(server.pid))
    out.print(f"{state.phase}: {state.server}" if state.server else str(state.phase), markup=False)
    if state.message:
        out.print(state.message, markup=False)
    if state.servers and state.phase in (Phase.READY, Phase.DEGRADED, Phase.STARTING):
        out.print(table)
    out.print(f"kubeconfig: {layout.kubeconfig}", markup=False)
    out.print(f"logs: {layout.root / 'logs'}", markup=False)


def main() -> None:
    """Run the command line. An expected failure is one message, not a stack trace."""
    try:
        app()
    except LocalClusterError as error:
        err.print(f"Error: {error}", markup=False)
        sys.exit(EXIT_FAILED)


if __name__ == "__main__":
    main()
