"""run: a workflow of a runbook, with values from the command line."""

from collections.abc import Mapping

from controller.api.workflow import ActionWorkflow
from controller.cli.asking import somebody_there
from controller.cli.creating import asked_for
from controller.cli.exits import Exit
from controller.cli.options import Starting
from controller.cli.proposed import Said, end, mode_of, only_observed, settled
from controller.cli.refusals import Refused
from controller.cli.session import Run
from controller.client.errors import ObserveOnlyError
from controller.client.runbooks import typed
from controller.core.errors import Conflict
from controller.core.runbook import schema_of


async def run_runbook(run: Run, runbook: str, given: Mapping[str, str], how: Starting) -> Exit:
    """The whole command."""
    how = settled(how)
    entry = await run.client.runbook(runbook, namespace=run.namespace)
    parameters = typed(entry, given)
    if somebody_there():
        parameters |= asked_for(run, schema_of(entry.runbook.spec), parameters)
    try:
        made = await run.client.run_runbook(
            runbook,
            parameters,
            namespace=run.namespace,
            name=how.name,
            reason=how.reason,
            ticket=how.ticket,
            service_account_name=how.runner,
            mode=mode_of(how),
            dry_run=how.dry_run,
        )
    except ObserveOnlyError as error:
        raise only_observed(error) from None
    except Conflict:
        raise Refused(f"aw/{how.name} is there already: give the run another name with --name, or none") from None
    runs = "previews" if how.preview else "runs"
    return await end(run, ActionWorkflow, made, Said(f"{runs} runbook {runbook}", f"would run runbook {runbook}"), how)
