"""Images for a node that reaches no registry: one program in an archive, and archives brought into containerd."""

import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
from collections.abc import Sequence
from pathlib import Path

from localcluster import programs
from localcluster.errors import LocalClusterError
from localcluster.node import needs
from localcluster.node.settings import PAUSE

BUSYBOX = "localhost/busybox:1"
"""An image with busybox as /bin/sh and under its other names, for tests."""

_APPLETS = ("sh", "sleep", "cat", "echo", "true", "false", "id", "touch", "ls", "wget", "nc")


def write_archive(program: Path, tags: Sequence[str], out: Path) -> None:
    """Write busybox as an image in the format of `docker save`; without arguments it waits for ever.

    The format: image-spec v1.2 of Moby, `manifest.json` beside one config and one uncompressed layer.
    """
    layer = _layer(program.read_bytes())
    config = json.dumps(
        {
            "architecture": programs.architecture(),
            "os": "linux",
            "config": {"Entrypoint": ["/bin/busybox"], "Cmd": ["sleep", "2147483647"], "Env": ["PATH=/bin"]},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
        }
    ).encode()
    config_name = f"{hashlib.sha256(config).hexdigest()}.json"
    manifest = json.dumps([{"Config": config_name, "RepoTags": list(tags), "Layers": ["layer.tar"]}]).encode()
    with tarfile.open(out, "w") as archive:
        for name, content in ((config_name, config), ("layer.tar", layer), ("manifest.json", manifest)):
            _add(archive, name, content)


def write_own(out: Path, path: str) -> None:
    """Write the archive with the images that every node has, both of the busybox on PATH.

    Raises:
        LocalClusterError: there is none, or it is not linked statically.
    """
    found = shutil.which("busybox", path=path)
    if found is None:
        raise LocalClusterError("busybox is not installed (Debian: busybox-static)")
    busybox = Path(found)
    content = busybox.read_bytes()
    if b"ld-linux" in content[:4096] or b"ld-musl" in content[:4096]:
        raise LocalClusterError(f"{busybox} needs shared libraries; install busybox-static")
    write_archive(busybox, (PAUSE, BUSYBOX), out)


def load(archive: Path, node_process: int | None = None) -> None:
    """Bring the images of an archive (docker or OCI) into the containerd of the node with that process, or of this one.

    Raises:
        LocalClusterError: there is no such file, or containerd refuses it.
    """
    enter = () if node_process is None else ("nsenter", f"--target={node_process}", "--mount", "--")
    command = [*enter, "ctr", "--namespace=k8s.io", "images", "import", "-"]
    try:
        with archive.open("rb") as stream:
            done = subprocess.run(
                command,
                stdin=stream,
                capture_output=True,
                text=True,
                check=False,
                timeout=300,
                env=os.environ | {"PATH": needs.path()},
            )
    except OSError as error:
        raise LocalClusterError(f"{archive}: {error.strerror}") from error
    if done.returncode != 0:
        raise LocalClusterError(f"{archive}: containerd does not take it: {done.stderr.strip()}")


def _layer(program: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as layer:
        for folder, mode in (("bin", 0o755), ("tmp", 0o1777), ("etc", 0o755)):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, mode
            layer.addfile(entry)
        _add(layer, "bin/busybox", program, 0o755)
        for applet in _APPLETS:
            link = tarfile.TarInfo(f"bin/{applet}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            layer.addfile(link)
    return buffer.getvalue()


def _add(archive: tarfile.TarFile, name: str, content: bytes, mode: int = 0o644) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), mode
    archive.addfile(entry, io.BytesIO(content))
