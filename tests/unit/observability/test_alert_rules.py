"""The alerts in Prometheus' own hands: promtool reads them and plays `alerts_test.yaml`."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from unit.observability.queries import ALERTS, ROOT, alerts

CASES = Path(__file__).parent / "alerts_test.yaml"


def promtool() -> str | None:
    """The one that the environment names, that is on PATH, or that `make promtool` has built."""
    (version,) = re.findall(r"prometheus/prometheus (v\S+)", (ROOT / "hack" / "promtool" / "go.mod").read_text())
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    built = cache / "action-operator" / f"promtool-{version}" / "promtool"
    found = os.environ.get("TEST_ASSET_PROMTOOL") or shutil.which("promtool")
    return found or (str(built) if os.access(built, os.X_OK) else None)


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """promtool with these arguments."""
    program = promtool()
    if program is None:
        pytest.skip("promtool is not here: `make promtool` builds it")
    return subprocess.run([program, *arguments], capture_output=True, text=True, timeout=120, check=False)


def test_prometheus_takes_the_rules() -> None:
    done = run("check", "rules", ALERTS)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(alerts())} rules found" in done.stdout


def test_alerts_fire_on_their_trouble_and_on_no_other() -> None:
    done = run("test", "rules", CASES)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_is_seen_to_fire_and_to_keep_quiet() -> None:
    tests = yaml.safe_load(CASES.read_text())["tests"]
    fired = {
        name
        for test in tests
        for case in test.get("promql_expr_test", ())
        for sample in case["exp_samples"]
        for name in re.findall(r'alertname="(\w+)"', sample["labels"])
    }
    assert fired == set(alerts())
    asked_when_well = {re.sub(r"{.*", "", series["series"]) for series in tests[0]["input_series"]}
    unheard = {name for name, rule in alerts().items() if not any(metric in rule["expr"] for metric in asked_when_well)}
    assert not unheard, "nothing in the first test shows that they keep quiet"


def test_the_cases_miss_every_alert_that_is_not_there(tmp_path: Path) -> None:
    """With any one of them gone, they fail."""
    for name in alerts():
        rules = yaml.safe_load(ALERTS.read_text())
        for group in rules["groups"]:
            group["rules"] = [rule for rule in group["rules"] if rule["alert"] != name]
        (tmp_path / "alerts.yaml").write_text(yaml.safe_dump(rules))
        cases = yaml.safe_load(CASES.read_text()) | {"rule_files": ["alerts.yaml"]}
        (tmp_path / "cases.yaml").write_text(yaml.safe_dump(cases, sort_keys=False))
        assert run("test", "rules", tmp_path / "cases.yaml").returncode != 0, name
