"""The API server is away for a while: said once, shown, asked about gently, and then everything goes on."""

import re
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from effects import Hooks
from harness.operator import Launch
from harness.stage import proposal, workflow
from harness.waiting import eventually
from lanes import Lane, lane
from proxy import Outage

from localcluster.controlplane import ControlPlane

NOTICED_SECONDS = 15.0
"""A write under way is asked after four times, then a probe is tried four times; about 3 s on an idle machine."""
OUTAGE_SECONDS = 5.0
"""After it was noticed."""
RECOVERED_SECONDS = 30.0
LONG = "30"
"""Seconds of a Lease that outlasts the outage."""
REQUESTS_PER_SECOND = 10.0
"""However many objects are due; kopf's own watches, which come back with longer and longer pauses, not counted."""
REQUESTS_FOR_A_WRITE = 8
"""What became of a write under way is asked four times, and each time aiohttp tries a second connection."""
WRITE = "patch actionproposals/status"
RETRIES = 30
RETRY_SECONDS = 6


@pytest.mark.parametrize(
    ("kind", "lease_seconds"),
    [
        pytest.param(Outage.REFUSED, LONG, id="refused"),
        pytest.param(Outage.RESET, LONG, id="reset"),
        pytest.param(Outage.REFUSED, "6", id="refused-and-leadership-lost"),
    ],
)
def test_everything_goes_on_after_an_outage(
    kind: Outage,
    lease_seconds: str,
    cluster: ControlPlane,
    operator_kubeconfig: Path,
    tmp_path: Path,
    hooked: Hooks,
    launch: Launch,
) -> None:
    options = ("--lease-seconds", lease_seconds, "--metrics-address", "127.0.0.1:0")
    with (
        lane(cluster, operator_kubeconfig, tmp_path, hooked, options=options, launch=launch) as own,
        held(own, path(own, "called"), path(own, "posted")) as answers,
    ):
        names = start(own)
        with own.proxy.outage(kind):
            began = time.monotonic()
            answers.set()
            own.create(proposal("meanwhile", "log-message", {"message": "x"}))
            eventually(lambda: unavailable(own) == 1, "the metric shows the outage", NOTICED_SECONDS)
            tried = own.proxy.in_outage[WRITE]
            threading.Event().wait(OUTAGE_SECONDS)  # the time that passes is the fault
        ended = time.monotonic()
        for name in (*names, "posted", "meanwhile"):
            left = ended + RECOVERED_SECONDS - time.monotonic()
            assert own.observer.wait(name, lambda status: status.get("outcome"), left), story(own, name)
        assert {own.observer.status(name)["outcome"] for name in (*names, "meanwhile")} == {"Succeeded"}
        assert len(own.hooks.received(path(own, "posted"))) == 1
        allowed = {"Succeeded"} if lease_seconds == LONG else {"Succeeded", "Unknown"}
        assert own.observer.status("posted")["outcome"] in allowed
        log = own.stage.operator.log
        assert log.count("the API server does not answer") == 1
        assert log.count("the API server answers again") == 1
        assert unavailable(own) == 0
        assert "Events are lost" not in log
        assert ("this process leads no more" in log) == (lease_seconds != LONG)
        asked = {what: count for what, count in own.proxy.in_outage.items() if not what.startswith("watch")}
        assert asked.get(WRITE, 0) - tried <= 3, "objects that came due were written although the outage was known"
        writes = own.proxy.cut + asked.get(WRITE, 0)
        most = REQUESTS_PER_SECOND * (ended - began) + REQUESTS_FOR_A_WRITE * writes
        assert sum(asked.values()) <= most, asked


def path(own: Lane, name: str) -> str:
    """At the target, which serves others too."""
    return f"/{own.stage.namespace}/{name}"


def start(own: Lane) -> list[str]:
    """Objects in all states that an outage may meet; their names, without the one that is sent at most once."""
    retry = {"maxAttempts": 3, "minWaitSeconds": RETRY_SECONDS, "maxWaitSeconds": RETRY_SECONDS, "jitterFraction": 0.1}
    names = []
    for number in range(RETRIES):
        names.append(f"due-{number}")
        url = own.hooks.target.script(path(own, str(number)), [503])
        own.create(proposal(names[-1], "http-request", {"method": "PUT", "url": url}, retry=retry))
    target = f"{own.hooks.target.url}{path(own, '')}"
    steps = [
        {"name": "pause", "action": "wait", "parameters": {"seconds": 3}},
        {"name": "then", "action": "http-request", "parameters": {"method": "PUT", "url": f"{target}step"}},
    ]
    own.create(
        proposal("pausing", "wait", {"seconds": 3}),
        proposal("called", "http-request", {"method": "PUT", "url": f"{target}called"}),
        proposal("posted", "http-request", {"method": "POST", "url": f"{target}posted"}),
        workflow("flow", steps),
    )
    for name in names:
        assert own.observer.wait(name, lambda status: len(status.get("history") or ()) > 3, 15), story(own, name)
    for name in ("pausing", "called", "posted"):
        assert own.observer.wait(name, lambda status: status.get("attempts"), 15), story(own, name)
    eventually(
        lambda: all(own.hooks.received(path(own, name)) for name in ("called", "posted")), "the calls are made", 10
    )
    return [*names, "pausing", "called", "flow"]


def story(own: Lane, name: str) -> str:
    """For the message of a failure."""
    lines = [f"{name} did not get on:"]
    for version in own.observer.versions(name):
        status = version.get("status") or {}
        attempts = [(a["number"], a.get("result"), a.get("reason")) for a in status.get("attempts") or ()]
        lines.append(f"  {version['seenAt']:.3f} {status.get('phase')} {status.get('message')} {attempts}")
    lines += [f"  {write.at:.3f} {write}" for write in own.proxy.writes(name) if write.asked.name == name]
    lines += [
        f"  {call.at:.3f} {call.path} {call.key}"
        for call in own.hooks.target.received
        if call.path.startswith(path(own, ""))
    ]
    told = [line for line in own.stage.operator.log.splitlines() if " kopf." not in line]
    return "\n".join([*lines, *told[-40:]])


@contextmanager
def held(own: Lane, *paths: str) -> Iterator[threading.Event]:
    """The target answers requests for these paths only when the event is set."""
    answers = threading.Event()
    for path in paths:
        own.hooks.on_receipt[path] = lambda _: answers.wait(30)
    try:
        yield answers
    finally:
        answers.set()
        for path in paths:
            del own.hooks.on_receipt[path]


def unavailable(own: Lane) -> float:
    """The metric, scraped."""
    address = re.findall(r"metrics at (http://\S+)", own.stage.operator.log)[-1]
    with urllib.request.urlopen(address, timeout=5) as answer:
        text = answer.read().decode()
    return float(re.search(r"^actionoperator_api_unavailable (\S+)$", text, re.MULTILINE)[1])
