"""What krew would download: an archive that runs by itself, and a manifest that names exactly it."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import yaml

from hack import krew

URL = "https://downloads.example/v0.1.0"


def test_the_archive_runs_alone_and_the_manifest_names_it(tmp_path: Path) -> None:
    krew.main(url=URL, out=tmp_path)
    manifest = yaml.safe_load((tmp_path / "actions.yaml").read_text())
    spec = manifest["spec"]
    assert (manifest["apiVersion"], manifest["kind"]) == ("krew.googlecontainertools.github.com/v1alpha2", "Plugin")
    assert (manifest["metadata"]["name"], spec["version"]) == ("actions", f"v{krew.version()}")
    assert len(spec["shortDescription"]) <= 50
    (entry,) = spec["platforms"]
    archive = tmp_path / entry["uri"].removeprefix(f"{URL}/")
    assert entry["sha256"] == hashlib.sha256(archive.read_bytes()).hexdigest()

    subprocess.run(["tar", "-xzf", archive, "-C", tmp_path], check=True)
    python = Path(os.path.realpath(sys.executable)).parent
    done = subprocess.run(
        [tmp_path / entry["bin"], "list", "--kubeconfig", "/absent"],
        cwd=tmp_path, env={"PATH": f"{python}:/usr/bin:/bin"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, "there is no such file" in done.stderr) == (1, True), done.stderr


def test_other_platforms_of_the_same_version_stay_in_the_manifest() -> None:
    other = {"selector": {"matchLabels": {"os": "plan9", "arch": "arm64"}}, "uri": "u", "sha256": "s", "bin": "b"}
    first = krew.manifest(None, URL, "a.tar.gz", "1")
    first["spec"]["platforms"].append(other)
    again = krew.manifest(first, URL, "a.tar.gz", "2")
    assert [one["sha256"] for one in again["spec"]["platforms"]] == ["s", "2"]
    first["spec"]["version"] = "v0.0.9"
    assert [one["sha256"] for one in krew.manifest(first, URL, "a.tar.gz", "3")["spec"]["platforms"]] == ["3"]
