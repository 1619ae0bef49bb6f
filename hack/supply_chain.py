"""What the operator is made of, and whether anything in it is known to be vulnerable: `make check-supply-chain`.

Three looks: every lock pins all it names by hash; a bill of materials (CycloneDX, build/sbom.json) of what the image
has in it; pip-audit over all locks. An audit that could not ask about a package is no audit: pip-audit itself says
"No known vulnerabilities found" then, and ends well.
"""

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
LOCKS = ROOT / "requirements"
SHIPPED = LOCKS / "run.txt"
"""What the image has in it."""
SBOM = ROOT / "build" / "sbom.json"
AUDIT_SECONDS = 900.0
_PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^]]*\])?==([^\s;\\]+)\s*(;[^\\]*)?")
_HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}\b")


@dataclass(frozen=True)
class Pin:
    """A package of a lock, by its normal name."""

    name: str
    version: str
    always: bool
    """Whether it is for every Python and system."""


@dataclass(frozen=True)
class Audit:
    """What an audit of a lock found. `unasked`: why a package was not looked up, by its name."""

    vulnerable: tuple[str, ...] = ()
    unasked: tuple[str, ...] = ()


def entries(text: str) -> Iterator[str]:
    """The requirements of a lock, each on one line with its hashes."""
    joined = re.sub(r"\\\n", " ", text)
    return (line for line in map(str.strip, joined.splitlines()) if line and not line.startswith("#"))


def loose(text: str) -> list[str]:
    """What in a lock is not pinned to a version and to hashes of its files."""
    return [line.split()[0] for line in entries(text) if not (_PIN.match(line) and _HASH.search(line))]


def pins(text: str) -> set[Pin]:
    """What a lock names."""
    found = (_PIN.match(line) for line in entries(text))
    return {Pin(normal(one[1]), one[2], always=not one[3]) for one in found if one}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def missing(sbom: dict[str, Any], wanted: Iterable[Pin]) -> list[str]:
    """What a bill of materials does not have, or has without a hash."""
    listed = {
        (normal(part["name"]), part["version"])
        for part in sbom.get("components", ())
        if any(reference.get("hashes") for reference in part.get("externalReferences", ()))
    }
    return sorted(f"{pin.name} {pin.version}" for pin in wanted if (pin.name, pin.version) not in listed)


def audited(output: str, wanted: Iterable[Pin]) -> Audit:
    """What pip-audit's JSON says of a lock; what it leaves out without a word was not asked about."""
    told = {normal(one["name"]): one for one in json.loads(output)["dependencies"]}
    vulnerable = [
        f"{name} {one['version']}: {fault['id']}, mended in {', '.join(fault['fix_versions']) or 'no version yet'}"
        for name, one in told.items()
        for fault in one.get("vulns", ())
    ]
    skipped = [f"{name}: {one['skip_reason']}" for name, one in told.items() if "skip_reason" in one]
    silent = [f"{pin.name}: not looked up" for pin in wanted if pin.always and pin.name not in told]
    return Audit(tuple(sorted(vulnerable)), tuple(sorted(skipped + silent)))


def check_locks() -> list[str]:
    """The faults of all locks."""
    return [f"{_shown(lock)}: {what} is not pinned by hash" for lock in _locks() for what in loose(lock.read_text())]


def write_sbom() -> list[str]:
    """Writes the bill of materials; its faults."""
    SBOM.parent.mkdir(exist_ok=True)
    done = _run(
        "cyclonedx-py", "requirements", SHIPPED, "--pyproject", ROOT / "pyproject.toml",
        "--output-reproducible", "--output-file", SBOM,
    )  # fmt: skip
    if done.returncode:
        return [f"no bill of materials: {_last_line(done.stderr)}"]
    wanted = pins(SHIPPED.read_text())
    print(f"wrote {_shown(SBOM)}: {len(wanted)} packages")
    return [f"{_shown(SBOM)}: {what} is missing" for what in missing(json.loads(SBOM.read_text()), wanted)]


def audit(service: str) -> tuple[list[str], str | None]:
    """Vulnerabilities of all locks, and why not all could be asked about. The smallest lock is asked about first."""
    faults: list[str] = []
    for lock in sorted(_locks(), key=lambda path: path.stat().st_size):
        done = _run(
            "pip-audit", "--require-hashes", "--disable-pip", "--progress-spinner", "off", "--format", "json",
            "--vulnerability-service", service, "--requirement", lock,
        )  # fmt: skip
        if not done.stdout.startswith("{"):
            return faults, f"{_shown(lock)}: {_last_line(done.stderr)}"
        found = audited(done.stdout, pins(lock.read_text()))
        faults += [f"{_shown(lock)}: {what}" for what in found.vulnerable]
        if found.unasked:
            return faults, f"{_shown(lock)}: {found.unasked[0]}"
        print(f"audited {_shown(lock)}")
    return faults, None


def _locks() -> list[Path]:
    return sorted(LOCKS.glob("*.txt"))


def _run(program: str, *arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    where = Path(sys.executable).parent / program
    return subprocess.run(
        [where, *arguments], capture_output=True, text=True, check=False, timeout=AUDIT_SECONDS, cwd=ROOT
    )


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["it said nothing"])[-1]


def _shown(path: Path) -> str:
    return str(path.relative_to(ROOT))


def main(arguments: Sequence[str] | None = None) -> int:
    """Checks all; the exit code."""
    parser = argparse.ArgumentParser(description="Check what the operator is made of.")
    parser.add_argument("--service", default="pypi", help="who knows vulnerabilities: pypi or osv")
    parser.add_argument(
        "--unreachable", choices=["fail", "skip"], default="fail", help="what to do where that service does not answer"
    )
    chosen = parser.parse_args(arguments)
    faults = check_locks() + write_sbom()
    vulnerable, unasked = audit(chosen.service)
    faults += vulnerable
    for fault in faults:
        print(f"error: {fault}")
    if unasked:
        print(f"{'skipped' if chosen.unreachable == 'skip' else 'error'}: the audit is not complete: {unasked}")
        print(f"the vulnerability service ({chosen.service}) did not answer for it; ask another: AUDIT_SERVICE=osv;")
        print("or leave it out, knowing that nothing was audited: AUDIT_UNREACHABLE=skip")
    return 1 if faults or (unasked and chosen.unreachable == "fail") else 0


if __name__ == "__main__":
    sys.exit(main())
