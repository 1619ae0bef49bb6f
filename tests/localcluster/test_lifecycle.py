"""Start, status and stop, by the command line and from Python; what happens when things break."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from localcluster import binaries, programs
from localcluster.controlplane import ControlPlane
from localcluster.errors import LocalClusterError, StartFailed
from localcluster.layout import Layout
from localcluster.progress import Silent
from localcluster.state import Phase, current

UP_ONE = """
import sys, time
from pathlib import Path
from localcluster.controlplane import ControlPlane
ControlPlane.start(Path(sys.argv[1]), api_only=True)
print("up", flush=True)
time.sleep(600)
"""


@pytest.fixture
def real_etcd() -> Path:
    return binaries.find_or_build([programs.ETCD], Silent())["etcd"]


def pids(folder: Path) -> dict[str, int]:
    state = json.loads((folder / "state.json").read_text())
    return {name: server["pid"] for name, server in state["servers"].items()}


def test_up_status_down(localcluster, folder, alive) -> None:
    assert localcluster("status", "--dir", folder).returncode == 3

    up = localcluster("up", "--dir", folder, "--api-only")
    assert up.returncode == 0, up.stderr
    assert f"KUBECONFIG={folder / 'kubeconfig'}" in up.stdout

    started = pids(folder)
    again = localcluster("up", "--dir", folder)
    assert again.returncode == 0, again.stderr
    assert "already running" in again.stdout
    assert pids(folder) == started

    status = localcluster("status", "--dir", folder)
    assert status.returncode == 0
    assert "ready: https://127.0.0.1:" in status.stdout
    assert "kube-apiserver" in status.stdout
    whoami = [ControlPlane.attach(folder).kubectl, "--kubeconfig", folder / "alice.kubeconfig"]
    answer = subprocess.run([*whoami, "auth", "whoami", "-o", "json"], capture_output=True, text=True, check=True)
    user = json.loads(answer.stdout)["status"]["userInfo"]
    assert (user["username"], user["groups"]) == ("alice", ["sre", "system:authenticated"])

    os.kill(started["etcd"], signal.SIGKILL)
    degraded = localcluster("status", "--dir", folder)
    assert degraded.returncode == 2, degraded.stdout
    assert "not running: etcd" in degraded.stdout
    assert "ended by signal 9" in degraded.stdout

    down = localcluster("down", "--dir", folder)
    assert (down.returncode, down.stderr) == (0, "")
    assert not any(alive(pid) for pid in started.values())
    assert localcluster("down", "--dir", folder).returncode == 0
    assert localcluster("status", "--dir", folder).returncode == 3
    assert not (folder / "etcd").exists()


def test_a_folder_with_other_things_is_left_alone(localcluster, tmp_path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    up = localcluster("up", "--dir", tmp_path, "--api-only")
    assert up.returncode == 1
    assert "Name a new or empty folder" in up.stderr
    assert (tmp_path / "thesis.txt").read_text() == "mine"


def test_two_side_by_side_started_at_once(folder, tmp_path) -> None:
    folders = [folder, tmp_path / "two"]
    commands = [[sys.executable, "-m", "localcluster", "up", "--api-only", "--dir", str(one)] for one in folders]
    processes = [subprocess.Popen(command, stdout=subprocess.DEVNULL) for command in commands]
    assert [process.wait(60) for process in processes] == [0, 0]
    first, second = (ControlPlane.attach(one) for one in folders)
    try:
        assert first.server != second.server
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "only-first"}}
        first.api().post("/api/v1/namespaces", body)
        assert first.api().exists("/api/v1/namespaces/only-first")
        assert not second.api().exists("/api/v1/namespaces/only-first")
    finally:
        second.stop()
    assert first.api().ready()


def test_a_taken_port_is_tried_around_and_a_killed_supervisor_leaves_nothing(
    localcluster, folder, tmp_path, script, real_etcd, alive, eventually
) -> None:
    once = tmp_path / "was-here"
    etcd = script(
        "etcd",
        f'[ -e {once} ] && exec {real_etcd} "$@"\n'
        f'touch {once}; echo "listen tcp 127.0.0.1:20001: bind: address already in use" >&2; exit 1',
    )
    up = localcluster("up", "--dir", folder, "--api-only", TEST_ASSET_ETCD=etcd)
    assert up.returncode == 0, up.stderr
    assert "trying other ports" in (folder / "logs" / "supervisor.log").read_text()

    state = current(Layout(folder))
    assert state is not None
    os.kill(state.supervisor, signal.SIGKILL)

    everything = [state.supervisor, *pids(folder).values()]
    eventually(lambda: not any(map(alive, everything)), "all processes are gone")
    assert localcluster("status", "--dir", folder).returncode == 3
    assert localcluster("down", "--dir", folder).returncode == 0


@pytest.mark.parametrize("program", ["etcd", "kube-apiserver"])
def test_a_server_that_crashes_shows_the_end_of_its_log(localcluster, folder, script, program, alive) -> None:
    broken = script(program, 'echo "first line"; echo "the disk is on fire" >&2; exit 7')
    variable = "TEST_ASSET_" + program.upper().replace("-", "_")
    up = localcluster("up", "--dir", folder, "--api-only", **{variable: broken})
    assert up.returncode == 1
    assert f"{program} ended with exit code 7" in up.stderr
    assert "the disk is on fire" in up.stderr
    assert "Traceback" not in up.stderr
    assert not any(map(alive, pids(folder).values()))
    status = localcluster("status", "--dir", folder)
    assert status.returncode == 3
    assert "the disk is on fire" in status.stdout


def test_control_c_cleans_up(folder, script, eventually, alive) -> None:
    waits = script("etcd", "exec sleep 600")
    process = subprocess.Popen(
        [sys.executable, "-m", "localcluster", "up", "--api-only", "--dir", str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "TEST_ASSET_ETCD": str(waits)},
    )
    eventually(lambda: (folder / "state.json").exists() and pids(folder), "etcd is started")
    started = pids(folder)["etcd"]
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=15)
    assert process.returncode == 130, output
    assert "nothing is left running" in output
    assert not alive(started)


def test_it_goes_with_the_process_that_started_it(folder, eventually, alive) -> None:
    with subprocess.Popen([sys.executable, "-c", UP_ONE, str(folder)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        state = current(Layout(folder))
        assert state is not None
        process.kill()
    everything = [state.supervisor, *(server.pid for server in state.servers.values())]
    eventually(lambda: not any(map(alive, everything)), "all processes are gone")
    after = current(Layout(folder))
    assert after is not None
    assert after.phase == Phase.STOPPED


def test_an_outage_of_one_server_and_its_end(folder, script, tmp_path, real_etcd, monkeypatch) -> None:
    broken = tmp_path / "broken"
    etcd = script("etcd", f'[ -e {broken} ] && {{ echo "no space left"; exit 1; }}\nexec {real_etcd} "$@"')
    monkeypatch.setenv("TEST_ASSET_ETCD", str(etcd))
    with ControlPlane.start(folder, api_only=True) as cluster:
        address = cluster.server
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "survivor"}}
        cluster.api().post("/api/v1/namespaces", body)
        with pytest.raises(LocalClusterError, match="already running"):
            ControlPlane.start(folder, api_only=True)

        cluster.kill("kube-apiserver")
        assert not cluster.api().ready()
        assert cluster.state.phase == Phase.DEGRADED

        cluster.restart("kube-apiserver")
        assert cluster.state.phase == Phase.READY
        assert cluster.server == address
        assert cluster.api("admin").exists("/api/v1/namespaces/survivor")
        with pytest.raises(LocalClusterError, match="kwok: no such server here"):
            cluster.restart("kwok")

        broken.touch()
        with pytest.raises(StartFailed, match=r"(?s)etcd ended with exit code 1.*no space left"):
            cluster.restart("etcd")
        assert cluster.state.phase == Phase.DEGRADED
        broken.unlink()
        cluster.restart("etcd")
        assert cluster.state.phase == Phase.READY
    with pytest.raises(LocalClusterError, match="no running control plane"):
        ControlPlane.attach(folder)


def test_a_failed_start_from_python_raises(folder, script, monkeypatch) -> None:
    monkeypatch.setenv("TEST_ASSET_ETCD", str(script("etcd", "echo no luck today; exit 1")))
    with pytest.raises(StartFailed, match="no luck today"):
        ControlPlane.start(folder, api_only=True)
