"""What `make check-supply-chain` finds, and what it does not take for an audit."""

import json

import pytest

from hack import supply_chain
from hack.supply_chain import Audit, Pin, audited, loose, missing, pins

HASH = "--hash=sha256:" + "a" * 64
LOCK = f"""\
# made by a tool
Some_Package==1.2.3 \\
    {HASH} \\
    {HASH}
    # via another
only-here[extra]==2.0 ; sys_platform == 'win32' \\
    {HASH}
"""


def test_a_lock_names_its_packages_with_what_they_are_for() -> None:
    assert pins(LOCK) == {Pin("some-package", "1.2.3", always=True), Pin("only-here", "2.0", always=False)}
    assert not loose(LOCK)


@pytest.mark.parametrize(
    "line", [f"a>=1 {HASH}", "a==1", f"git+https://example.com/a {HASH}", "--extra-index-url https://example.com"]
)
def test_what_is_not_pinned_by_hash_is_named(line: str) -> None:
    assert loose(f"{LOCK}{line}\n") == [line.split()[0]]


def test_our_locks_pin_everything() -> None:
    assert not supply_chain.check_locks()
    assert len(pins(supply_chain.SHIPPED.read_text())) > 20


def test_a_bill_of_materials_has_every_package_with_hashes() -> None:
    part = {"name": "some.package", "version": "1.2.3", "externalReferences": [{"hashes": [{"alg": "SHA-256"}]}]}
    wanted = [Pin("some-package", "1.2.3", always=True)]
    assert not missing({"components": [part]}, wanted)
    assert missing({"components": [part | {"version": "1.2.2"}]}, wanted) == ["some-package 1.2.3"]
    assert missing({"components": [part | {"externalReferences": []}]}, wanted) == ["some-package 1.2.3"]


def told(*dependencies: object) -> Audit:
    return audited(json.dumps({"dependencies": dependencies, "fixes": []}), pins(LOCK))


def test_a_vulnerability_is_named_with_what_mends_it() -> None:
    fault = {"id": "PYSEC-1", "fix_versions": ["1.2.4"]}
    found = told({"name": "some-package", "version": "1.2.3", "vulns": [fault]})
    assert found == Audit(vulnerable=("some-package 1.2.3: PYSEC-1, mended in 1.2.4",))


def test_what_was_not_looked_up_is_no_clean_audit() -> None:
    clean = {"name": "some-package", "version": "1.2.3", "vulns": []}
    assert told(clean) == Audit()
    assert told({"name": "some-package", "skip_reason": "not found"}).unasked == ("some-package: not found",)
    assert told().unasked == ("some-package: not looked up",)


@pytest.mark.parametrize(("setting", "code"), [("fail", 1), ("skip", 0)])
def test_a_service_that_does_not_answer_fails_unless_it_may_be_skipped(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], setting: str, code: int
) -> None:
    monkeypatch.setattr(supply_chain, "write_sbom", list)
    monkeypatch.setattr(supply_chain, "audit", lambda service: ([], f"{service} is away"))
    assert supply_chain.main(["--unreachable", setting]) == code
    assert "pypi is away" in capsys.readouterr().out


def test_a_vulnerability_fails_also_where_the_rest_may_be_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supply_chain, "write_sbom", list)
    monkeypatch.setattr(supply_chain, "audit", lambda service: (["a 1: PYSEC-1"], "the rest"))
    assert supply_chain.main(["--unreachable", "skip"]) == 1
