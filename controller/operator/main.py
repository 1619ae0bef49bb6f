"""`action-operator`: the command line of the operator process."""

import asyncio
from typing import Annotated

import typer
import yaml

from controller.actions.catalogue import catalogue as manifests
from controller.actions.plugins import installed, load
from controller.actions.registry import built_ins
from controller.api.base import OPERATOR
from controller.core.errors import ActionError
from controller.kube.login import Login
from controller.kube.official import credentials_only
from controller.operator.logs import LogFormat, configure_logs
from controller.operator.probes import Addresses
from controller.operator.settings import options
from controller.runtime.clock import utc_now

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def main() -> None:
    """Action Operator: runs proposed operational actions, governed."""


@app.command()
def run(
    namespace: Annotated[str | None, typer.Option(help="Work in this namespace only; default: all.")] = None,
    kubeconfig: Annotated[
        str | None, typer.Option(help="Kubeconfig to use; default: the pod's ServiceAccount, else KUBECONFIG.")
    ] = None,
    context: Annotated[str | None, typer.Option(help="Context of the kubeconfig.")] = None,
    metrics_address: Annotated[
        str | None, typer.Option(help="Serve Prometheus metrics at HOST:PORT/metrics, for example 127.0.0.1:8080.")
    ] = None,
    health_address: Annotated[
        str | None, typer.Option(help="Serve /healthz and /readyz at HOST:PORT, for example 127.0.0.1:8081.")
    ] = None,
    lease_namespace: Annotated[
        str | None, typer.Option(help="Where the Lease is; default: --namespace, else the pod's own.")
    ] = None,
    lease_name: Annotated[
        str | None,
        typer.Option(
            help="Name of the Lease; operators of different namespaces or shards need different ones.",
            show_default=OPERATOR,
        ),
    ] = None,
    lease_seconds: Annotated[
        float, typer.Option(min=1.5, help="How long others wait for a leader that went silent.")
    ] = 15.0,
    identity: Annotated[
        str | None,
        typer.Option(
            envvar="OPERATOR_IDENTITY",
            help="Name of this process in the Lease. One that a restart keeps (the pod's name) takes over at once.",
        ),
    ] = None,
    grace_seconds: Annotated[
        float, typer.Option(min=0, help="How long after its creation what an object misses may still arrive.")
    ] = 10.0,
    drain_seconds: Annotated[
        float, typer.Option(min=0, help="How long running attempts may take to end at shutdown.")
    ] = 20.0,
    selector: Annotated[
        str,
        typer.Option(
            help="Work on the objects of a shard only: a label selector over actionoperator.dev/shard, "
            "as `actionoperator.dev/shard=a` or `actionoperator.dev/shard notin (a,b)`. Needs --lease-name.",
            show_default="everything",
        ),
    ] = "",
    approval_mode: Annotated[
        bool,
        typer.Option(
            envvar="OPERATOR_APPROVAL_MODE", help="Everything needs at least one approval, whatever policies say."
        ),
    ] = False,
    log_level: Annotated[str, typer.Option(help="DEBUG, INFO, WARNING or ERROR.")] = "INFO",
    log_format: Annotated[
        LogFormat, typer.Option(envvar="OPERATOR_LOG_FORMAT", help="Logs for people, or one JSON object a line.")
    ] = LogFormat.TEXT,
) -> None:
    """Run the operator until it is stopped (SIGTERM, Ctrl-C). The audit log goes to standard output."""
    with credentials_only():  # else kopf would import the whole synchronous client: 9 MB
        from controller.operator.serving import serve  # kopf takes a second to import; --help should not

    try:
        configure_logs(log_level, log_format)
        chosen = options(
            namespace=namespace,
            lease_namespace=lease_namespace,
            lease_name=lease_name,
            identity=identity,
            lease_seconds=lease_seconds,
            grace_seconds=grace_seconds,
            drain_seconds=drain_seconds,
            approval_mode=approval_mode,
            selector=selector,
        )
        addresses = Addresses(
            metrics=_address("--metrics-address", metrics_address), health=_address("--health-address", health_address)
        )
        asyncio.run(serve(Login(kubeconfig, context), chosen, addresses))
    except (ActionError, ValueError, OSError) as error:
        typer.echo(f"action-operator: {error}", err=True)
        raise typer.Exit(1) from None


@app.command()
def catalogue() -> None:
    """Print the ActionTypes of the plug-ins that are installed beside the operator, for `kubectl apply -f -`."""
    plugins = load(installed(), {action.name for action in built_ins(utc_now)})
    for line in plugins.broken:
        typer.echo(f"action-operator: {line}", err=True)
    typer.echo(yaml.safe_dump_all(manifests(plugins.actions), sort_keys=False, allow_unicode=True), nl=False)
    if plugins.broken:
        raise typer.Exit(1)


def _address(option: str, text: str | None) -> tuple[str, int] | None:
    if not text:
        return None
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit():
        raise ValueError(f"{option} must be HOST:PORT, for example 0.0.0.0:8080 or [::]:8080 (got {text})")
    return host.strip("[]"), int(port)


if __name__ == "__main__":
    app()
