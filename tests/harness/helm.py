"""Helm as a user types it, for the tests of the chart."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from hack.installation import ROOT, NotInstalled
from localcluster import helm
from localcluster.controlplane import ControlPlane
from localcluster.progress import Lines

Json = dict[str, Any]
CHART = ROOT / "charts" / "action-operator"
NAME = "action-operator"
PLACE = ("--namespace", NAME)


@dataclass(frozen=True)
class Helm:
    """Helm with the folders for its own files in `home`; nothing of the user's own is read or written."""

    program: Path
    home: Path
    kubeconfig: Path | None = None

    def __call__(self, *arguments: str | Path, text: str | None = None) -> str:
        """Its output. Raises NotInstalled with what it said on failure."""
        done = subprocess.run(
            [self.program, *arguments], input=text, capture_output=True, text=True, check=False, timeout=120,
            env=self.environment(),
        )  # fmt: skip
        if done.returncode:
            raise NotInstalled(f"helm {' '.join(map(str, arguments))}:\n{done.stdout}{done.stderr}".strip())
        return done.stdout

    def environment(self) -> dict[str, str]:
        """The variables that it, and what a user types beside it, are started with."""
        own = {f"HELM_{kind}_HOME": str(self.home / kind.lower()) for kind in ("CACHE", "CONFIG", "DATA")}
        config = {"KUBECONFIG": str(self.kubeconfig or "/dev/null"), "KUBECACHEDIR": str(self.home / "kube")}
        return {key: value for key, value in os.environ.items() if not key.startswith("HELM_")} | own | config

    def template(self, *options: str, chart: Path = CHART) -> list[Json]:
        """The objects that a chart renders to, hooks among them."""
        text = self("template", NAME, chart, *PLACE, *options)
        return [document for document in yaml.safe_load_all(text) if document]


def helm_of(home: Path, cluster: ControlPlane | None = None) -> Helm:
    """Helm, built if it is not there, as the cluster's administrator."""
    return Helm(helm.find_or_build(Lines()), home, cluster.kubeconfig if cluster else None)


def earlier_chart(folder: Path, version: str) -> Path:
    """A copy of the chart in `folder` under another version, for a test to change."""
    chart = shutil.copytree(CHART, folder / "chart")
    about = yaml.safe_load((chart / "Chart.yaml").read_text())
    (chart / "Chart.yaml").write_text(yaml.safe_dump(about | {"version": version}))
    return chart


def found(objects: list[Json], kind: str, name: str | None = None) -> Json:
    """The one object of that kind, and name if one is given."""
    fits = [each for each in objects if each["kind"] == kind and name in (None, each["metadata"]["name"])]
    assert len(fits) == 1, f"{len(fits)} of {kind} {name or ''}"
    return fits[0]
