"""The scenes of the demo about leave: a second person, the kill switch, a target that changes after the approval."""

from datetime import UTC, datetime, timedelta

import yaml

from controller.core.digest import sha256
from hack.installation import kubectl_of
from hack.stage import API, SECOND_USER, USER, Json, NotAsSaid, Stage, Thing

TARGET = "Deployment shop/checkout"
BY_HAND = 5
"""Replicas that somebody sets while an approved proposal waits."""


def second_person(stage: Stage) -> None:
    """Ask a second person, for one's own approval does not count"""
    asked = stage.declare("policies/second-person.yaml", SECOND_USER)["approval"]
    thing = stage.apply("proposals/sale.yaml")
    status = stage.follow(thing, until=_waits)
    approval = status["approval"]
    stage.as_said(
        (approval["required"], approval["have"], approval["groups"]) == (asked["required"], 0, asked["groups"]),
        f"it waits, with the preview to decide by: {_preview(status)}",
        f"status.approval is {approval}",
    )
    told = stage.actions(USER, "approve", thing.name, "-n", thing.namespace, "--yes", expected=16, since="error")
    votes = stage.get(f"{API}/namespaces/{thing.namespace}/actionapprovals")["items"]
    stage.as_said("allowSelf" in told and not votes, "exit code 16, and no vote was cast")
    vote = _vote_by_hand(stage, thing, USER)
    stage.actions(SECOND_USER, "approve", thing.name, "-n", thing.namespace, "--yes", since="you approved")
    status = stage.follow(thing)
    counted = [entry["username"] for entry in status["approvals"]]
    stage.as_said(
        counted == [SECOND_USER] and vote not in [entry["name"] for entry in status["approvals"]],
        f"{SECOND_USER}'s approval counted; {USER}'s own, though the API server had stored it, did not",
        f"these votes counted: {status['approvals']}",
    )
    stage.as_said(
        status["outcome"] == "Succeeded" and _replicas(stage) == 8, f"{status['outcome']}: {_replicas(stage)} replicas"
    )


def kill_switch(stage: Stage) -> None:
    """Stop everything: the API server itself refuses every start"""
    stage.actions(SECOND_USER, "halt", "--reason", "payments fail")
    thing = stage.apply("proposals/after-sale.yaml")
    stage.follow(thing, until=_waits)
    stage.actions(SECOND_USER, "approve", thing.name, "-n", thing.namespace, "--yes", since="you approved")
    status = stage.follow(thing, until=lambda status: status.get("phase") == "Blocked")
    stage.as_said(status["blocked"]["rule"] == "halt", "approved, and it does not start")
    claim = {
        "apiVersion": API.removeprefix("/apis/"), "kind": thing.kind, "metadata": {"name": thing.name},
        "status": {"attempts": [_attempt(datetime.now(UTC))]},
    }  # fmt: skip
    said = stage.refused(
        "operator", stage.cluster.directory / "operator.kubeconfig",
        "apply", "--server-side", "--subresource=status", "-n", thing.namespace, "-f", "-", text=yaml.safe_dump(claim),
    )  # fmt: skip
    stage.as_said(
        "action-operator-kill-switch" in said and "has halted actions here" in said,
        "that was an attempt, written with the operator's own token: no operator can start anything",
        f"it was refused for another reason: {said}",
    )
    stage.as_said("attempts" not in _status(stage, thing) and _replicas(stage) == 8, "nothing was claimed or changed")


def drift(stage: Stage) -> None:
    """Go on, and ask again where the target has changed meanwhile"""
    thing = stage.things[-1]
    approved = _status(stage, thing)
    stage.narrator.command(f"kubectl scale deployment checkout -n shop --replicas={BY_HAND}", by="admin")
    kubectl_of(stage.cluster)("scale", "deployment", "checkout", "-n", "shop", f"--replicas={BY_HAND}")
    stage.actions(SECOND_USER, "resume", "--all")
    status = stage.follow(thing, until=_waits)
    reason = next(c["reason"] for c in status["conditions"] if c["type"] == "Approved")
    stage.as_said(
        reason == "Drifted" and not status.get("approvals") and _replicas(stage) == BY_HAND,
        f"what {SECOND_USER} had approved was {_preview(approved)}: that approval is void",
        f"condition Approved has reason {reason}, votes {status.get('approvals')}, {_replicas(stage)} replicas",
    )
    stage.as_said(status["digest"] != approved["digest"], f"now it waits with another digest, for {_preview(status)}")
    stage.actions(SECOND_USER, "approve", thing.name, "-n", thing.namespace, "--yes", since="you approved")
    status = stage.follow(thing)
    stage.as_said(
        status["outcome"] == "Succeeded" and len(status["attempts"]) == 1 and _replicas(stage) == 2,
        f"{status['outcome']} with one attempt: {_replicas(stage)} replicas",
        f"{status['outcome']}, {len(status['attempts'])} attempts, {_replicas(stage)} replicas",
    )


def _waits(status: Json) -> bool:
    return status.get("phase") == "AwaitingApproval"


def _status(stage: Stage, thing: Thing) -> Json:
    return dict(stage.get(thing.path)["status"])


def _replicas(stage: Stage) -> int:
    return int(stage.deployment()["spec"]["replicas"])


def _preview(status: Json) -> str:
    (change,) = status["preview"]["changes"]
    if (change["target"], change["path"]) != (TARGET, "spec.replicas"):
        raise NotAsSaid(f"the preview is about something else: {change}")
    return f"{change['path']} {change['before']} → {change['after']}"


def _vote_by_hand(stage: Stage, thing: Thing, user: str) -> str:
    """An ActionApproval as kubectl stores it, past the command that refuses it; its name."""
    subject = stage.get(thing.path)
    name = f"{thing.name}-by-hand"
    stage.narrator.command(f"kubectl create -f {name}.yaml", by=user)
    stage.narrator.text("(an ActionApproval, written by hand)")
    manifest = {
        "apiVersion": API.removeprefix("/apis/"), "kind": "ActionApproval",
        "metadata": {"name": name, "namespace": thing.namespace},
        "spec": {
            "subject": {"kind": thing.kind, "name": thing.name, "uid": subject["metadata"]["uid"]},
            "digest": subject["status"]["digest"], "actions": [subject["spec"]["action"]], "decision": "Approve",
        },
    }  # fmt: skip
    kubectl_of(stage.cluster, user)("create", "-f", "-", text=yaml.safe_dump(manifest))
    stored = stage.get(f"{API}/namespaces/{thing.namespace}/actionapprovals/{name}")
    stage.as_said(stored["spec"]["approver"]["username"] == user, "", f"the vote is not {user}'s: {stored}")
    return name


def _attempt(now: datetime) -> Json:
    """A claim, in good form."""
    start, end = (moment.strftime("%Y-%m-%dT%H:%M:%S.000Z") for moment in (now, now + timedelta(minutes=1)))
    return {
        "number": 1, "id": "by-hand", "operation": "by-hand", "owner": "by-hand", "typeDigest": sha256({}),
        "idempotent": True, "startedAt": start, "deadline": end,
    }  # fmt: skip
