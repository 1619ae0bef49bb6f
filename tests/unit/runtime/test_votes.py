"""Votes in memory: those about what is finished stay stored in the cluster, and are not kept here."""

from controller.core.ports import Json
from controller.runtime.votes import Votes


def vote(name: str, subject: str) -> Json:
    about = {"kind": "ActionProposal", "name": f"of-{subject}", "uid": subject}
    spec = {"subject": about, "digest": "sha256:" + "0" * 64, "actions": ["wait"], "decision": "Approve"}
    return {"metadata": {"name": name, "namespace": "shop", "uid": f"uid-{name}"}, "spec": spec}


def test_votes_about_what_is_not_live_are_let_go_and_not_taken_up_again() -> None:
    votes = Votes()
    votes.put(vote("a", "finished"))
    votes.put(vote("b", "live"))
    votes.sweep({"live"})
    assert votes.of("finished"), "its subject may only be told of late"
    votes.put(vote("a", "finished"))
    votes.sweep({"live"})
    assert not votes.of("finished")
    for _ in range(3):
        assert votes.put(vote("a", "finished")) is None
        votes.sweep({"live"})
        assert not votes.of("finished")
    assert len(votes.of("live")) == 1


def test_what_is_told_of_late_keeps_its_votes() -> None:
    votes = Votes()
    votes.put(vote("a", "late"))
    votes.sweep(set())
    votes.sweep({"late"})
    assert len(votes.of("late")) == 1
    votes.sweep({"late"})
    assert votes.put(vote("b", "late")) is not None


def test_nothing_is_kept_of_votes_that_are_deleted_where_nobody_sweeps() -> None:
    votes = Votes()
    for number in range(10):
        votes.put(vote(f"v{number}", f"s{number}"))
        votes.forget(f"s{number}" if number % 2 else "")
        votes.remove(vote(f"v{number}", f"s{number}"))
    assert not votes._told
    assert not votes._by_subject
