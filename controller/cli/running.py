"""run: a workflow of a runbook, with values from the command line."""

from collections.abc import Mapping

from controller.api.names import Mode
from controller.api.workflow import ActionWorkflow
from controller.cli.data import write
from controller.cli.exits import Exit
from controller.cli.items import Item
from controller.cli.options import DataForm
from controller.cli.refusals import Refused
from controller.cli.screen import one_line
from controller.cli.session import Run
from controller.cli.watching import wait_for
from controller.client.runbooks import typed
from controller.core.errors import Conflict


async def run_runbook(
    run: Run,
    runbook: str,
    given: Mapping[str, str],
    *,
    name: str | None,
    reason: str | None,
    runner: str | None,
    dry_run: bool,
    form: DataForm | None,
    then_wait: bool,
) -> Exit:
    entry = await run.client.runbook(runbook, namespace=run.namespace)
    parameters = typed(entry, given)
    mode = Mode.DRY_RUN if dry_run else Mode.EXECUTE
    if form is not None:
        body = await run.client.runbook_manifest(
            entry, parameters, name=name, reason=reason, service_account_name=runner, mode=mode
        )
        write(run.out, body, form)
        return Exit.OK
    try:
        made = await run.client.run_runbook(
            runbook,
            parameters,
            namespace=run.namespace,
            name=name,
            reason=reason,
            service_account_name=runner,
            mode=mode,
        )
    except Conflict:
        raise Refused(f"aw/{name} is there already: give the run another name with --name, or none") from None
    item = Item(ActionWorkflow, made.model_dump(mode="json", by_alias=True))
    what = "dry run of" if dry_run else "runs"
    said = f"{item.short} {what} runbook {runbook}; see: kubectl actions watch {item.short} -n {item.namespace}"
    run.out.print(one_line(said), soft_wrap=True)
    return await wait_for(run, item, timeout_seconds=None) if then_wait else Exit.OK
