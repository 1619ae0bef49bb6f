"""One run of a command: who we speak to, where output goes, how it ends."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from rich.console import Console

from controller.cli.exits import Exit
from controller.cli.options import Connection
from controller.cli.refusals import EXPECTED, told
from controller.cli.screen import console_for, one_line, screen
from controller.client.client import ActionClient
from controller.kube.api import Api


@dataclass(frozen=True)
class Run:
    """What a command works with."""

    client: ActionClient
    out: Console
    err: Console

    @property
    def api(self) -> Api:
        return self.client.api

    @property
    def namespace(self) -> str:
        return self.client.namespace

    def now(self) -> datetime:
        return datetime.now(UTC)

    def note(self, text: str) -> None:
        """A line beside the output, which programs that read the output do not see."""
        self.err.print(one_line(text), soft_wrap=True)


def carry_out(connection: Connection, work: Callable[[Run], Awaitable[Exit]]) -> Exit:
    """Run the command to its end; whatever goes wrong is one line on standard error."""
    err = console_for(sys.stderr)
    try:
        return asyncio.run(_with_client(connection, work, err))
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    except EXPECTED as error:
        text, code = told(error)
        for line in text.splitlines():
            err.print(one_line(f"error: {line}"), soft_wrap=True)
        return code


async def _with_client(connection: Connection, work: Callable[[Run], Awaitable[Exit]], err: Console) -> Exit:
    async with client_of(connection) as client:
        return await work(Run(client, screen(), err))


def client_of(connection: Connection) -> ActionClient:
    """The client that the options name."""
    return ActionClient(
        kubeconfig=connection.kubeconfig,
        context=connection.context,
        namespace=connection.namespace,
        as_user=connection.username,
        as_groups=connection.groups,
    )
