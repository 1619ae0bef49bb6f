"""Parameters, reasons and comments may come from anyone: they are text to all who handle and show them."""

import json
import re

import pytest
from harness.commands import actions
from harness.people import admit_people, ballot
from harness.stage import API, Stage, proposal

from hack.hook_target import HookTarget

TEXTS = {
    "template": "{{ .Release.Name }} {{ 7*7 }} {% if x %} <%= 7*7 %> #{7*7}",
    "shell": "${HOME} $HOME $(id) `id` ; id && id | id > /tmp/x",
    "format": "%s %d %n %(message)s {0} {self.__class__.__mro__}",
    "cel": "object.spec.parameters.size() > 0 || true",
    "lines": 'end\n2026-01-01T00:00:00Z WARNING controller.runtime: forged\r\n{"specversion":"1.0","type":"forged"}\n',
    "control": "\x00\x07\x1b[2J\x1b]0;owned\x07\x08\x7f\u0085\u202e\u2028\ufeff",
    "yaml": "*a\n- !!python/object/apply:os.system [id]\n---\nkind: Secret",
}
LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ (DEBUG|INFO|WARNING|ERROR) +[\w.]+: ")
BIG = 1_000_000


@pytest.fixture(scope="module", autouse=True)
def _people(stage: Stage) -> None:
    """What waits needs an approval."""
    admit_people(stage)
    stage.policy("ask", approval={"required": 1}, match={"actions": ["wait"]})


def printable(text: str) -> bool:
    """Whether it does nothing to a terminal but to fill it."""
    return all(character.isprintable() or character == "\n" for character in text)


def create(stage: Stage, *objects: object) -> str:
    """`kubectl create`: apply would keep all of it a second time, as an annotation, which has its own bound."""
    listed = {"apiVersion": "v1", "kind": "List", "items": objects}
    return stage.kubectl("create", "-f", "-", input=json.dumps(listed), check=False)


def test_no_text_is_interpreted_or_forges_a_line(stage: Stage, hook: HookTarget) -> None:
    made = []
    for name, text in TEXTS.items():
        put = {"method": "PUT", "url": f"{hook.url}/{name}", "body": {"text": text, text: 1}}
        made += [
            proposal(f"log-{name}", "log-message", {"message": text}, reason=text, ticket=text[:20].strip() or "x"),
            proposal(f"put-{name}", "http-request", put, reason=text),
            proposal(f"bad-{name}", "log-message", {"message": "x", "level": text, text: text}, reason=text),
            proposal(f"vote-{name}", "wait", {"seconds": 1}, reason=text),
        ]
    told = create(stage, *made)
    assert told.count(" created") == len(made), told
    carol, votes = stage.cluster.api("carol"), f"/apis/{API}/namespaces/{stage.namespace}/actionapprovals"
    for name, text in TEXTS.items():
        stage.phase("ap", f"vote-{name}", "AwaitingApproval")
        carol.post(votes, ballot(stage.get("ap", f"vote-{name}"), "carol", decision="Reject", comment=text))
    names = [each["metadata"]["name"] for each in made if not each["metadata"]["name"].startswith("vote-")]
    for name in names:
        expected = "Failed" if name.startswith("bad-") else "Succeeded"
        assert stage.outcome("ap", name)["outcome"] == expected, name

    for name, text in TEXTS.items():
        (received,) = hook.seen(f"/{name}")
        assert received.body == {"text": text, text: 1}
        assert stage.get("ap", f"log-{name}")["spec"]["parameters"]["message"] == text
        rejected = stage.outcome("ap", f"vote-{name}")
        assert rejected["outcome"] == "Rejected"
        stage.reasons(f"vote-{name}", until="Rejected")
        stage.reasons(f"bad-{name}", until="ValidationFailed")
        for event in stage.events(f"vote-{name}") + stage.events(f"bad-{name}"):
            assert printable(event["note"]), event["note"]
        for each in (f"log-{name}", f"bad-{name}", f"vote-{name}"):
            history = stage.status("ap", each)["history"]
            assert all(printable(entry["message"]) for entry in history), history
            code, page, _ = actions(stage, "describe", each)
            assert code == 0
            assert printable(page), page
    assert printable(actions(stage, "list")[1])


def test_a_container_gets_the_text(stage: Stage) -> None:
    texts = [text for name, text in TEXTS.items() if name != "control"]
    stage.propose("job", "run-job", {"image": "busybox:1", "args": texts, "env": {"TEXT": TEXTS["lines"]}})
    assert stage.outcome("ap", "job")["outcome"] == "Succeeded"
    (job,) = json.loads(stage.kubectl("get", "jobs", "-o", "json"))["items"]
    (container,) = job["spec"]["template"]["spec"]["containers"]
    assert (container["args"], container["env"]) == (texts, [{"name": "TEXT", "value": TEXTS["lines"]}])


def test_every_line_of_log_and_audit_stream_is_the_operators(stage: Stage) -> None:
    log = (stage.operator.folder / "operator.log").read_bytes().decode()
    lines = log.removesuffix("\n").split("\n")
    assert len(lines) > len(TEXTS)
    for line in lines:
        assert LINE.match(line) or line.startswith("    "), line
        assert line.isprintable(), line
        assert not line.startswith("2026-01-01"), line
    stream = (stage.operator.folder / "audit.jsonl").read_bytes().decode()
    records = [json.loads(line) for line in stream.removesuffix("\n").split("\n")]
    assert {record["specversion"] for record in records} == {"1.0"}
    assert all(record["type"].startswith("dev.actionoperator.") for record in records)
    assert len({record["id"] for record in records}) == len(records)


def test_what_is_too_large_is_refused_in_words_that_help(stage: Stage) -> None:
    big = "x" * BIG
    told = create(stage, proposal("reason", "log-message", {"message": "x"}, reason=big))
    assert "spec.reason: Too long: may not be more than 1024 bytes" in told
    told = create(stage, proposal("wide", "http-request", dict.fromkeys(map(str, range(9999)), 1)))
    assert "spec.parameters: Too many: 9999: must have at most 256 items" in told
    told = create(stage, proposal("huge", "log-message", {"message": "x" * 4_000_000}))
    assert "Request entity too large: limit is 3145728" in told

    assert "created" in create(stage, proposal("big", "log-message", {"message": big}))
    steps = [{"name": "a", "action": "log-message", "parameters": {"message": big}}]
    flow = {"description": "d", "reason": "r", "steps": steps}
    assert "created" in create(
        stage, {"apiVersion": API, "kind": "ActionWorkflow", "metadata": {"name": "big"}, "spec": flow}
    )
    for kind, path in (("ap", ""), ("aw", "steps[a].")):
        status = stage.outcome(kind, "big")
        assert status["outcome"] == "Failed"
        assert f"spec.{path}parameters: must be at most 65536 bytes as JSON (got " in status["message"]
        assert len(json.dumps(status)) < 8192
    assert max(map(len, stage.operator.log.splitlines())) < 4096
