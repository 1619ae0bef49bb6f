"""The scenes of the demo. Each applies a file of examples/, shows what becomes of it, and checks it from outside."""

from collections.abc import Callable
from datetime import datetime

from hack import leave
from hack.stage import API, SECOND_USER, USER, Json, Stage, clock

Scene = Callable[[Stage], None]
BEFORE_ATTEMPTS = ("Proposed", "Validated", "AwaitingApproval", "Approved")
"""Transitions that come before an attempt, though the first one may be written together with them."""


def scale(stage: Stage) -> None:
    """Scale a Deployment, and put it back"""
    before = _replicas(stage)
    thing = stage.apply("proposals/scale.yaml")
    status = stage.follow(thing)
    change = status["preview"]["changes"][0]
    stage.as_said((change["before"], change["after"]) == (2, 6), f"the dry run had said: {_said(change)}")
    stage.as_said(
        (before, _replicas(stage)) == ("2/2", "6/6") and status["outcome"] == "Succeeded",
        f"{status['outcome']} in {_took(status)}: replicas ready {before} before, {_replicas(stage)} now",
    )
    undo = stage.undo(thing)
    status = stage.follow(undo)
    stage.as_said(
        status["outcome"] == "Succeeded" and _replicas(stage) == "2/2",
        f"{status['outcome']} in {_took(status)}: replicas ready {_replicas(stage)} again",
    )


def flaky_hook(stage: Stage) -> None:
    """Call an HTTP hook that fails twice and then works"""
    announced: list[str] = []

    def note(status: Json) -> None:
        due = status.get("nextRetryAt")
        if due and due not in announced:
            announced.append(due)

    thing = stage.apply("proposals/http-hook.yaml")
    status = stage.follow(thing, meanwhile=note)
    attempts, seen = status["attempts"], stage.hook.seen("/pools/checkout")
    results = [attempt["result"] for attempt in attempts]
    stage.as_said(
        status["outcome"] == "Succeeded" and results == ["Unknown", "NotDone", "Succeeded"],
        f"Succeeded after {len(attempts)} attempts, retryCount {status.get('retryCount')}: {', '.join(results)}",
        f"outcome {status['outcome']}, attempts {results}",
    )
    late = [
        (datetime.fromisoformat(attempt["startedAt"]) - datetime.fromisoformat(due)).total_seconds()
        for attempt, due in zip(attempts[1:], announced, strict=False)
    ]
    stage.as_said(
        len(announced) == 2 and all(0 <= seconds < 1 for seconds in late),
        f"both retries started at the announced nextRetryAt ({', '.join(map(clock, announced))})",
        f"retries were announced for {announced} and started {late} s after that",
    )
    stage.as_said(
        len(seen) == 3 and len({request.key for request in seen}) == 1,
        f"the target got {len(seen)} requests, all with the same Idempotency-Key",
        f"the target got {seen}",
    )


def node_maintenance(stage: Stage) -> None:
    """Run a workflow: cordon a node, run a Job, uncordon it"""
    cordoned: list[bool] = [stage.unschedulable("node-1")]

    def look(_: Json) -> None:
        now = stage.unschedulable("node-1")
        if now != cordoned[-1]:
            cordoned.append(now)

    thing = stage.apply("workflows/node-maintenance.yaml")
    status = stage.follow(thing, meanwhile=look)
    look(status)
    stage.as_said(
        status["outcome"] == "Succeeded" and [step["outcome"] for step in status["steps"]] == ["Succeeded"] * 3,
        f"{status['outcome']} in {_took(status)}: {status['progress']} steps, each a proposal of its own",
    )
    stage.as_said(
        cordoned == [False, True, False], "node-1 was closed to new pods meanwhile, and is open again",
        f"spec.unschedulable of node-1 was, in order: {cordoned}",
    )  # fmt: skip
    proposal = stage.get(f"{API}/namespaces/shop/actionproposals/{status['steps'][1]['proposal']}")
    job = stage.get(f"/apis/batch/v1/namespaces/shop/jobs/{proposal['status']['outputs']['job']}")
    stage.as_said(job["status"].get("succeeded") == 1, f"Job {job['metadata']['name']} ran once and is complete")


def taken_back(stage: Stage) -> None:
    """Take back what was done, because a step fails"""
    thing = stage.apply("workflows/taken-back.yaml")
    status = stage.follow(thing)
    told = {step["name"]: step for step in status["steps"]}
    backs = {name: step["rollback"]["outcome"] for name, step in told.items() if "rollback" in step}
    stage.as_said(
        status["outcome"] == "Failed" and told["smoke-test"]["outcome"] == "Failed",
        f"outcome {status['outcome']}: the smoke test failed",
    )
    stage.as_said(
        backs.get("grow") == backs.get("close-node") == "Succeeded",
        "what had succeeded was taken back, the newest first: grow, close-node",
        f"taken back: {backs}",
    )
    stage.as_said(
        _replicas(stage) == "2/2" and not stage.unschedulable("node-1"),
        "2 replicas again, and node-1 is open",
        f"{_replicas(stage)} replicas, node-1 unschedulable: {stage.unschedulable('node-1')}",
    )
    stage.as_said(told["tell"]["outcome"] == "Succeeded", "its finally step ran all the same")


def runbook(stage: Stage) -> None:
    """Run a runbook: a workflow with parameters"""
    stage.declare("runbooks/resize.yaml", SECOND_USER)
    said = stage.actions(
        USER, "run", "resize", "-n", "shop", "-p", "name=checkout", "-p", "replicas=500", expected=1, since="error"
    )
    stage.as_said("must be at most 50" in said, "out of bounds: told, and nothing was made")
    status = stage.follow(stage.run("resize", "shop", "resize-checkout", name="checkout", replicas=3, settleSeconds=1))
    stage.as_said(
        status["outcome"] == "Succeeded" and _replicas(stage) == "3/3",
        f"{status['outcome']}: {_replicas(stage)} replicas ready",
    )
    back = stage.follow(stage.run("resize", "shop", "resize-back", name="checkout", replicas=2, settleSeconds=1))
    stage.as_said(back["outcome"] == "Succeeded", f"and back: {_replicas(stage)}")


def refused(stage: Stage) -> None:
    """Refuse what is wrong, every fault named"""
    status = stage.follow(stage.apply("proposals/bad-parameters.yaml"))
    validated = next(c for c in status["conditions"] if c["type"] == "Validated")
    paths = ("parameters.kind", "parameters.name", "parameters.replicas", "parameters.force")
    stage.as_said(
        status["outcome"] == "Failed" and all(path in validated["message"] for path in paths),
        f"outcome {status['outcome']}, condition Validated={validated['status']} ({validated['reason']}): "
        f"all {len(paths)} faults are named",
        f"Validated says: {validated['message']}",
    )
    stage.as_said("attempts" not in status, "no attempt was made")


def observed(stage: Stage) -> None:
    """Only observe where no policy says Execute"""
    before = stage.deployment("staging")["metadata"]["generation"]
    status = stage.follow(stage.apply("staging/2-restart.yaml"))
    stage.as_said(status["outcome"] == "Observed", f"outcome Observed; preview: {status['preview']['summary']}")
    after = stage.deployment("staging")["metadata"]["generation"]
    stage.as_said(after == before, "Deployment staging/checkout is as it was")


def audit_trail(stage: Stage) -> None:
    """Read the audit trail"""
    records = stage.audit()
    stage.narrator.text(
        "From the JSON log that the operator writes to standard output. The actors are who the API server knew them to "
        "be: nobody can write another's name."
    )
    subjects = dict.fromkeys(record["subject"] for record in records)
    things = [thing.subject for thing in stage.things]
    policies = [subject for subject in subjects if subject.startswith("ActionPolicy/")]
    groups = [[_row(r) for r in records if r["subject"] == subject] for subject in [*things, *policies]]
    for group in groups:
        for row in group[1:]:
            row[0] = ""
    stage.narrator.console.print()
    stage.narrator.table(["Object", "Time (UTC)", "Transition", "Actor", "Attempt"], groups)
    for thing in stage.things:
        history = stage.get(thing.path)["status"]["history"]
        told = [(r["data"]["n"], r["data"]["reason"]) for r in records if r["subject"] == thing.subject]
        stage.as_said(
            told == [(entry["n"], entry["reason"]) for entry in history],
            "", f"{thing.subject}: the audit log says {told}, its history {history}",
        )  # fmt: skip
    shown = sum(map(len, groups))
    stage.as_said(
        len({record["id"] for record in records}) == len(records) > shown,
        f"{len(records)} records: the {shown} above, which match the objects' histories, and those of workflow steps",
    )
    actors = {(r["data"]["reason"], r["data"]["actor"]) for r in records}
    people = {(reason, actor) for reason, actor in actors if actor in (USER, SECOND_USER)}
    stage.as_said(
        people == {("Proposed", USER), ("Approved", SECOND_USER), ("KillSwitch", SECOND_USER)}
        and not any("unverified" in actor for _, actor in actors),
        f"{USER} asked for all of it; {SECOND_USER} approved, halted and resumed",
        f"who did what: {sorted(actors)}",
    )


SCENES: tuple[Scene, ...] = (
    scale, flaky_hook, node_maintenance, taken_back, runbook, leave.second_person, leave.kill_switch, leave.drift,
    refused, observed, audit_trail,
)  # fmt: skip


def _replicas(stage: Stage) -> str:
    deployment = stage.deployment()
    return f"{deployment['status'].get('readyReplicas', 0)}/{deployment['spec']['replicas']}"


def _said(change: Json) -> str:
    return f"{change['target']} {change['path']} {change['before']} → {change['after']}"


def _took(status: Json) -> str:
    begun, ended = (datetime.fromisoformat(status[name]) for name in ("startedAt", "completedAt"))
    return f"{(ended - begun).total_seconds():.1f} s"


def _row(record: Json) -> list[str]:
    data, subject = record["data"], record["subject"]
    attempt = data.get("attempt")
    told = ""
    if attempt and data["reason"] not in BEFORE_ATTEMPTS:
        told = f"{attempt['number']}" + (f" {attempt['result']}" if attempt.get("result") else "")
    return [subject.partition("/")[2], clock(record["time"]), data["reason"], data["actor"], told]
