"""Packs `kubectl actions` for krew: an archive for this platform, and the manifest that names it.

    python hack/krew.py --url https://downloads.example/action-operator/v0.1.0 --out dist

The archive holds what is installed here: the program and everything that it needs, so what the locks pinned by hash is
what is shipped. It runs with the Python of the same minor version that packed it. Run it once for each platform with
the same --out: the manifest then has them all.
"""

import gzip
import hashlib
import io
import platform
import re
import sys
import tarfile
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

ROOT = Path(__file__).resolve().parent.parent
TEMPLATE = ROOT / "config" / "krew" / "actions.yaml"
PROGRAM = "action-operator"
ONLY_THE_OPERATOR = frozenset({"kopf", "prometheus-client"})
"""What the command line does not import."""
ARCHITECTURES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
PYTHON = f"python{sys.version_info.major}.{sys.version_info.minor}"
_REQUIREMENT = re.compile(r"([A-Za-z0-9._-]+)")
LAUNCHER = """#!/bin/sh
# kubectl actions: runs with the Python that its libraries were packed for.
here=$(dirname "$(readlink -f "$0")")
command -v {python} >/dev/null || {{ echo "error: kubectl actions needs {python} on the PATH" >&2; exit 1; }}
PYTHONPATH="$here/site" exec {python} -m controller.cli.main "$@"
"""


def needed(name: str) -> dict[str, Distribution]:
    """The distribution and, by name, all that it requires here."""
    found: dict[str, Distribution] = {}
    todo = [name]
    while todo:
        one = todo.pop().lower().replace("_", "-")
        if one in found or one in ONLY_THE_OPERATOR:
            continue
        try:
            found[one] = distribution(one)
        except PackageNotFoundError:
            continue  # for another platform or Python
        todo += [_name(text) for text in found[one].requires or () if "extra ==" not in text]
    return found


def _name(requirement: str) -> str:
    match = _REQUIREMENT.match(requirement)
    assert match is not None, requirement  # noqa: S101 - metadata always begins with a name
    return match[1]


def files(distributions: dict[str, Distribution]) -> Iterator[tuple[str, Path]]:
    """Every file to pack: its name below `site`, and where it is."""
    for name, one in sorted(distributions.items()):
        if name == PROGRAM:
            continue  # installed as a link to this checkout
        for path in one.files or ():
            if ".." not in path.parts and "__pycache__" not in path.parts:
                yield str(path), Path(str(one.locate_file(path)))
    for path in sorted((ROOT / "controller").rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            yield str(path.relative_to(ROOT)), path


def pack(archive: Path) -> str:
    """Writes the archive, the same bytes from the same files; its sha256."""
    with (
        archive.open("wb") as raw,
        gzip.GzipFile(filename="", fileobj=raw, mode="wb", compresslevel=6, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w") as tar,
    ):
        _add(tar, "kubectl-actions", LAUNCHER.format(python=PYTHON).encode(), executable=True)
        _add(tar, "LICENSE", (ROOT / "LICENSE").read_bytes())
        for name, path in files(needed(PROGRAM)):
            _add(tar, f"site/{name}", path.read_bytes())
        _add(tar, f"site/{PROGRAM.replace('-', '_')}-{version()}.dist-info/METADATA",
             f"Metadata-Version: 2.1\nName: {PROGRAM}\nVersion: {version()}\n".encode())  # fmt: skip
    return hashlib.sha256(archive.read_bytes()).hexdigest()


def _add(tar: tarfile.TarFile, name: str, content: bytes, *, executable: bool = False) -> None:
    about = tarfile.TarInfo(name)
    about.size, about.mode = len(content), 0o755 if executable else 0o644
    tar.addfile(about, io.BytesIO(content))


def version() -> str:
    return distribution(PROGRAM).version


def manifest(before: dict[str, Any] | None, url: str, archive: str, digest: str) -> dict[str, Any]:
    """The plugin's manifest with this platform's archive, beside those of the platforms that are in it already."""
    made: dict[str, Any] = yaml.safe_load(TEMPLATE.read_text())
    here = {"os": platform.system().lower(), "arch": ARCHITECTURES[platform.machine().lower()]}
    same = before is not None and before["spec"]["version"] == f"v{version()}"
    others = [one for one in (before or made)["spec"].get("platforms") or () if same and _place(one) != here]
    ours = {
        "selector": {"matchLabels": here},
        "uri": f"{url.rstrip('/')}/{archive}",
        "sha256": digest,
        "bin": "kubectl-actions",
    }
    made["spec"] = {"version": f"v{version()}", **made["spec"], "platforms": [*others, ours]}
    return made


def _place(entry: dict[str, Any]) -> dict[str, str]:
    found: dict[str, str] = entry["selector"]["matchLabels"]
    return found


class _Blocks(yaml.SafeDumper):
    """Writes text of several lines as people do."""

    def represent_str(self, text: str) -> yaml.ScalarNode:
        return self.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Blocks.add_representer(str, _Blocks.represent_str)


def main(
    url: Annotated[str, typer.Option(help="Where the archives will be downloaded from.")],
    out: Annotated[Path, typer.Option(help="Folder to write to.")] = Path("dist"),
) -> None:
    """Pack for this platform, and write actions.yaml."""
    out.mkdir(parents=True, exist_ok=True)
    name = f"kubectl-actions-{platform.system().lower()}-{ARCHITECTURES[platform.machine().lower()]}.tar.gz"
    digest = pack(out / name)
    target = out / "actions.yaml"
    before = yaml.safe_load(target.read_text()) if target.exists() else None
    target.write_text(yaml.dump(manifest(before, url, name, digest), Dumper=_Blocks, sort_keys=False))
    print(f"{out / name}: sha256 {digest}; {target} names it")


if __name__ == "__main__":
    typer.run(main)
