"""Official builds come from where they are published, here a copy on this machine, and only with their checksum."""

import hashlib
import http.server
import io
import json
import socket
import tarfile
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from localcluster import binaries, download, programs
from localcluster.download import WrongChecksum
from localcluster.errors import BinaryMissing
from localcluster.programs import API_SERVER, ETCD, KUBELET, KWOK, Program
from localcluster.progress import Silent

WANTED = (API_SERVER, ETCD, KWOK, KUBELET)


class Heard(Silent):
    """Progress that remembers."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def note(self, text: str) -> None:
        self.lines.append(text)


class Published:
    """A copy of what the hosts publish."""

    def __init__(self, folder: Path, address: str) -> None:
        self.folder = folder
        self.address = address
        self.asked: list[str] = []

    def put(self, program: Program, content: bytes, *, checksum: str | None = None) -> None:
        """Publishes a build, with its checksum or another."""
        release = download.release_of(program)
        assert release is not None
        file = _archive(release.member, content) if release.member else content
        digest = checksum or hashlib.sha256(file).hexdigest()
        text = f"{digest}\n"
        if "/repos/" in release.checksum_url:
            other = {"name": "other", "digest": f"sha256:{'0' * 64}"}
            text = json.dumps({"assets": [other, {"name": release.file, "digest": f"sha256:{digest}"}]})
        for url, body in ((release.url, file), (release.checksum_url, text.encode())):
            path = self.folder / url.removeprefix("https://")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(body)


def _archive(member: str, content: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        entry = tarfile.TarInfo(member)
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Published]:
    monkeypatch.setattr(download.platform, "system", lambda: "Linux")
    monkeypatch.setattr(download.programs, "architecture", lambda: "amd64")
    folder = tmp_path / "published"
    folder.mkdir()
    made = Published(folder, "")

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_request(self, *_: object) -> None:
            made.asked.append(self.path)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder))) as server:
        made.address = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield made
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def no_go(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Builds nothing, and tells what would have been built."""
    asked: list[str] = []

    def build(wanted: list[Program], folder: Path, _progress: object) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for program in wanted:
            asked.append(program.name)
            (folder / program.name).write_text("built")

    monkeypatch.setattr(binaries.gobuild, "build", build)
    return asked


def environment(tmp_path: Path, mirror: str, way: str = "") -> dict[str, str]:
    return {"XDG_CACHE_HOME": str(tmp_path / "cache"), binaries.MIRROR: mirror, binaries.SETTING: way}


def test_downloads_come_before_builds_and_are_kept(tmp_path: Path, published: Published, no_go: list[str]) -> None:
    for program in WANTED:
        published.put(program, f"official {program.name}".encode())
    heard = Heard()
    settings = environment(tmp_path, published.address)

    found = binaries.find_or_build(WANTED, heard, settings)

    assert {name: path.read_text() for name, path in found.items()} == {p.name: f"official {p.name}" for p in WANTED}
    assert all(path.stat().st_mode & 0o111 for path in found.values())
    assert not no_go
    assert any("kubelet from https://dl.k8s.io/release/" in line and "checksum right" in line for line in heard.lines)
    asked = len(published.asked)
    assert binaries.find_or_build(WANTED, Heard(), settings) == found
    assert len(published.asked) == asked, "what is in the cache is not asked for again"


def test_the_pinned_versions_are_asked_for(tmp_path: Path, published: Published, no_go: list[str]) -> None:
    binaries.find_or_build([API_SERVER, ETCD], Heard(), environment(tmp_path, published.address))

    kubernetes, etcd = programs.pinned("k8s.io/kubernetes"), programs.pinned("go.etcd.io/etcd/server/v3")
    assert published.asked == [
        f"/dl.k8s.io/release/{kubernetes}/bin/linux/amd64/kube-apiserver.sha256",
        f"/api.github.com/repos/etcd-io/etcd/releases/tags/{etcd}",
    ]
    assert no_go == ["kube-apiserver", "etcd"], "what is not published is built"


@pytest.mark.parametrize("program", [API_SERVER, ETCD], ids=lambda program: program.name)
def test_a_wrong_checksum_is_an_error_and_nothing_is_kept(
    tmp_path: Path, published: Published, no_go: list[str], program: Program
) -> None:
    published.put(program, b"tampered", checksum="ab" * 32)
    settings = environment(tmp_path, published.address)

    with pytest.raises(
        WrongChecksum, match=r"(?s)but (ab){32} is published at https://.*ACTION_OPERATOR_PROGRAMS=build"
    ):
        binaries.find_or_build([program], Heard(), settings)

    assert [path.name for path in binaries.cache_folder(settings).iterdir()] == [".lock"]
    assert not no_go


def test_a_checksum_that_is_none_is_an_error(tmp_path: Path, published: Published) -> None:
    published.put(API_SERVER, b"x", checksum="<html>not found</html>")
    with pytest.raises(WrongChecksum, match="no checksum of kube-apiserver is published"):
        binaries.find_or_build([API_SERVER], Heard(), environment(tmp_path, published.address))


def test_a_host_that_is_away_is_asked_once_then_all_is_built(tmp_path: Path, published: Published, no_go) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    heard = Heard()
    binaries.find_or_build(WANTED, heard, environment(tmp_path, f"http://127.0.0.1:{port}"))
    assert no_go == [program.name for program in WANTED]
    assert sum("no download: " in line and "refused" in line for line in heard.lines) == 1


def test_a_name_server_that_does_not_answer_is_not_waited_for(tmp_path: Path, published, no_go, monkeypatch) -> None:
    over = threading.Event()
    monkeypatch.setattr(download.urllib.request, "urlopen", lambda *_, **__: over.wait(20) and io.BytesIO())
    monkeypatch.setattr(download, "ANSWER_SECONDS", 0.2)
    heard = Heard()
    try:
        binaries.find_or_build(WANTED, heard, environment(tmp_path, ""))
    finally:
        over.set()
    assert no_go == [program.name for program in WANTED]
    (line,) = (line for line in heard.lines if line.startswith("no download: "))
    assert line.endswith("no answer within 0.2 s")


def test_the_setting_chooses(tmp_path: Path, published: Published, no_go: list[str]) -> None:
    published.put(API_SERVER, b"official")

    built = binaries.find_or_build([API_SERVER], Heard(), environment(tmp_path / "1", published.address, "build"))
    assert built["kube-apiserver"].read_text() == "built"
    assert not published.asked

    settings = environment(tmp_path / "2", published.address, "download")
    with pytest.raises(BinaryMissing, match=r"^etcd: no official build\. To build instead, unset ACTION_"):
        binaries.find_or_build([API_SERVER, ETCD], Heard(), settings)
    assert binaries.find_or_build([API_SERVER], Heard(), settings)["kube-apiserver"].read_text() == "official"

    with pytest.raises(BinaryMissing, match="=fetch: it has to be one of any, download, build"):
        binaries.find_or_build([ETCD], Heard(), environment(tmp_path / "3", published.address, "fetch"))


def test_where_there_are_no_official_builds_they_are_built(tmp_path, published, no_go, monkeypatch) -> None:
    monkeypatch.setattr(download.platform, "system", lambda: "Darwin")
    heard = Heard()
    binaries.find_or_build([API_SERVER], heard, environment(tmp_path, published.address))
    assert no_go == ["kube-apiserver"]
    assert any(line.startswith("kube-apiserver: no official build for Darwin") for line in heard.lines)
