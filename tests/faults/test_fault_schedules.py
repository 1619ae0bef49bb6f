"""A time of a schedule, its operator killed around each write that makes the run: it is made once, and runs once."""

import json
import secrets
from datetime import UTC, datetime, timedelta

import pytest
from effects import AuditTail
from harness.stage import API, AS_OPERATOR, Json
from lanes import Lane
from proxy import Fault, Plan

WRITES = 8
"""The run, its note, its Event, and then those of the run up to its claim."""
FAULTS = (Fault.KILL_BEFORE, Fault.KILL_AFTER, Fault.LOSE_ANSWER)


def schedule(name: str, rule: str, url: str) -> Json:
    call = {"name": "call", "action": "http-request", "parameters": {"method": "PUT", "url": url}}
    template = {"description": name, "reason": "by the clock", "steps": [call]}
    spec = {"schedule": rule, "workflow": template}
    return {"apiVersion": API, "kind": "ActionSchedule", "metadata": {"name": name}, "spec": spec}


def passed_by(own: Lane, name: str) -> str:
    """A schedule one of whose times passed while no operator was there; the name of the run that is due."""
    moment = (datetime.now(UTC) - timedelta(minutes=3)).replace(second=0, microsecond=0)
    rule = f"{moment.minute} {moment.hour} {moment.day} {moment.month} *"
    own.create(schedule(name, rule, f"{own.hooks.target.url}/{name}"))
    since = (moment - timedelta(hours=1)).isoformat().replace("+00:00", "Z")
    known = {"status": {"rule": f"{rule} UTC", "countsFrom": since}}
    own.stage.kubectl(
        "patch", "actionschedule", name, "--subresource=status", "--type=merge", "-p", json.dumps(known), *AS_OPERATOR
    )
    return f"{name}-{int(moment.timestamp()) // 60}"


@pytest.mark.parametrize("number", range(1, WRITES + 1))
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.value)
def test_a_run_is_made_once_and_runs_once(fault: Fault, number: int, own: Lane) -> None:
    name = f"s{secrets.token_hex(2)}-nightly"
    audit = AuditTail.of(own.stage.cluster, own.stage.namespace)
    own.stage.operator.kill()
    run = passed_by(own, name)
    own.proxy.arm(Plan(name, number, fault))
    own.stage.operator.start()
    assert own.proxy.fired.wait(20), f"write {number} never came"
    if fault.kills:
        own.stage.operator.start()
    assert own.observer.wait(run, lambda status: status.get("outcome"), 30), own.stage.operator.log[-3000:]
    own.stage.wait("actionschedules", name, lambda status: status.get("lastRun") == run, what=f"{run} not noted")
    told = "\n".join(str(write) for write in own.proxy.writes(name))
    own.proxy.disarm()
    assert own.observer.status(run)["outcome"] == "Succeeded"
    assert audit.created("actionworkflows", f"{name}-") == [run], told
    assert len(audit.created("actionproposals", f"{run}-")) == 1, told
    assert len({call.key for call in own.hooks.received(f"/{name}")}) == 1, told
