"""Where credentials come from, and when they are read again."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import kopf
import pytest
import yaml

from controller.core.errors import PermanentFailure
from controller.core.shard import EVERYTHING
from controller.kube.login import RENEW_SECONDS, Login
from controller.kube.official import loader
from controller.kube.watches import Watches
from controller.operator.connecting import Connecting
from controller.operator.watching import registry


@pytest.fixture(autouse=True)
def _outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither in a pod nor at home."""
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


def kubeconfig(folder: Path, user: dict[str, Any], name: str = "config", **cluster: Any) -> str:
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": "https://api.test:6443", **cluster}}],
        "users": [{"name": "u", "user": user}],
        "contexts": [
            {"name": "one", "context": {"cluster": "c", "user": "u", "namespace": "shop"}},
            {"name": "two", "context": {"cluster": "c", "user": "u"}},
        ],
        "current-context": "one",
    }
    path = folder / name
    path.write_text(yaml.safe_dump(document))
    return str(path)


def plugin(folder: Path, answer: str) -> dict[str, Any]:
    """An exec plugin that counts its calls in a file and prints what it is told."""
    script = folder / "plugin.py"
    script.write_text(
        f"import pathlib\ncount = pathlib.Path({str(folder / 'count')!r})\n"
        "n = int(count.read_text()) + 1 if count.exists() else 1\ncount.write_text(str(n))\n"
        f"print({answer!r}.replace('TOKEN', f'token-{{n}}'))\n"
    )
    return {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": sys.executable, "args": [str(script)]}}


def credential(**status: str) -> str:
    return json.dumps({"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": status})


def test_a_token_in_a_kubeconfig(tmp_path: Path) -> None:
    path = kubeconfig(tmp_path, {"token": "secret"})
    found = asyncio.run(Login(path).current())
    assert (found.server, found.scheme, found.token, found.namespace) == (
        "https://api.test:6443",
        "Bearer",
        "secret",
        "shop",
    )
    assert found.verify


def test_context_and_other_fields(tmp_path: Path) -> None:
    path = kubeconfig(
        tmp_path,
        {"username": "a", "password": "b"},
        **{"insecure-skip-tls-verify": True, "tls-server-name": "kube.test"},
    )
    found = asyncio.run(Login(path, "two").current())
    assert (found.scheme, found.verify, found.tls_server_name, found.namespace) == ("Basic", False, "kube.test", None)


def test_the_environment_names_the_kubeconfig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", f"{tmp_path / 'absent'}:{kubeconfig(tmp_path, {'token': 'secret'})}")
    assert asyncio.run(Login().current()).token == "secret"


def refusal(path: str | None, context: str | None = None) -> str:
    with pytest.raises(PermanentFailure) as refused:
        asyncio.run(Login(path, context).current())
    return str(refused.value)


def test_a_file_that_is_not_there_is_told_by_who_named_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    absent = str(tmp_path / "absent")
    assert refusal(absent) == f"kubeconfig {absent}: there is no such file; name another with --kubeconfig"
    assert refusal(None).startswith("no kubeconfig at ~/.kube/config, and not in a pod: name one with --kubeconfig")
    monkeypatch.setenv("KUBECONFIG", absent)
    assert refusal(None) == f"KUBECONFIG names {absent}: there is no such file; correct it, or use --kubeconfig"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: [\n  b: {", "it is not YAML: expected the node content, but found '<stream end>' (line 2, column 7)"),
        ("a: \x07", "it is not YAML: unacceptable character #x0007: special characters are not allowed"),
        ("", "it has no clusters, users and contexts"),
        ("[]", "it has no clusters, users and contexts"),
        ("just words", "it has no clusters, users and contexts"),
        ("{}", "it has no contexts"),
        ("contexts: words", "Invalid kube-config file"),
        ("contexts: 5", "'int' object is not iterable"),
        ("contexts: [words]", "it has no contexts"),
    ],
)
def test_a_file_that_is_no_kubeconfig_is_told_in_a_line(text: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "config").write_text(text)
    told = refusal(str(tmp_path / "config"))
    assert told.startswith(f"kubeconfig {tmp_path / 'config'}: {words}")
    assert "\n" not in told


def test_of_several_files_the_wrong_one_is_named(tmp_path: Path) -> None:
    (tmp_path / "wrong").write_text("words")
    assert refusal(f"{kubeconfig(tmp_path, {'token': 'x'})}:{tmp_path / 'wrong'}").startswith(
        f"kubeconfig {tmp_path / 'wrong'}: it has no clusters"
    )


@pytest.mark.parametrize(
    ("changes", "context", "words"),
    [
        ({}, "other", ": there is no context other; name another with --context (there are: one, two)"),
        ({"current-context": ...}, None, ": it has no current-context; name a context with --context (there are: one,"),
        ({"current-context": ""}, None, ": it has no current-context"),
        ({"current-context": "x"}, None, ": its current-context x is not in it; name another with --context"),
        ({"clusters": []}, None, ": context one names cluster c, which is not in it; add it, or name another context"),
        ({"users": []}, None, ": context one names user u, which is not in it; add it, or name another context"),
        ({"users": [{"name": "u", "user": {"tokenFile": "/absent"}}]}, "two", ", context two: [Errno 2] No such file"),
    ],
)
def test_a_context_that_leads_nowhere_is_named(
    changes: dict[str, Any], context: str | None, words: str, tmp_path: Path
) -> None:
    path = Path(kubeconfig(tmp_path, {"token": "x"}))
    changed = {**yaml.safe_load(path.read_text()), **changes}
    path.write_text(yaml.safe_dump({key: value for key, value in changed.items() if value is not ...}))
    assert refusal(str(path), context).startswith(f"kubeconfig {path}{words}")


@pytest.mark.parametrize(
    "command",
    [["controller.operator.main", "run"], ["controller.cli.main", "list"]],
    ids=["action-operator", "kubectl-actions"],
)
def test_the_programs_end_with_that_line(command: list[str], tmp_path: Path) -> None:
    missing = {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "no-such-plugin"}}
    path = kubeconfig(tmp_path, missing)
    done = subprocess.run(
        [sys.executable, "-m", *command, "--kubeconfig", path], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 1
    assert done.stdout == ""
    _, _, told = done.stderr.partition(": ")
    assert told == (
        f"kubeconfig {path}, context one: the exec plugin no-such-plugin is not installed, or not on PATH; "
        "install it, or put it on PATH\n"
    )


def test_a_token_file_is_read_again_in_time(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("old")
    now = 0.0

    async def run() -> None:
        nonlocal now
        login = Login(kubeconfig(tmp_path, {"tokenFile": str(token)}), monotonic=lambda: now)
        assert (await login.current()).token == "old"
        token.write_text("new")
        assert (await login.current()).token == "old"
        now += RENEW_SECONDS
        assert (await login.current()).token == "new"
        token.unlink()
        now += RENEW_SECONDS
        assert (await login.current()).token == "new"

    asyncio.run(run())


def test_an_exec_plugin_is_asked_once_until_refused_and_then_once_for_all(tmp_path: Path) -> None:
    path = kubeconfig(tmp_path, plugin(tmp_path, credential(token="TOKEN")))
    now = 0.0

    async def run() -> None:
        nonlocal now
        login = Login(path, monotonic=lambda: now)
        first = await login.current()
        now += 10 * RENEW_SECONDS
        assert (await login.current()).token == first.token == "token-1"
        again = await asyncio.gather(*(login.again(first) for _ in range(5)))
        assert {found.token for found in again} == {"token-2"}

    asyncio.run(run())


def test_an_exec_plugin_whose_token_ends_is_asked_again(tmp_path: Path) -> None:
    ending = credential(token="TOKEN", expirationTimestamp="2020-01-01T00:00:00Z")
    path = kubeconfig(tmp_path, plugin(tmp_path, ending))
    now = 0.0

    async def run() -> None:
        nonlocal now
        login = Login(path, monotonic=lambda: now)
        assert (await login.current()).token == "token-1"
        now += RENEW_SECONDS
        assert (await login.current()).token == "token-2"

    asyncio.run(run())


@pytest.mark.parametrize(
    ("user", "words"),
    [
        ({"command": "no-such-plugin"}, "no-such-plugin is not installed, or not on PATH; install it, or"),
        ({"command": "no-such-plugin", "installHint": "See\nhttps://x"}, "or not on PATH; See https://x"),
        ({"command": "sh", "args": ["-c", "echo log in >&2; exit 3"]}, "gave no credentials: exec: process returned 3"),
        ({"command": "echo", "args": ["no json"]}, "echo gave no credentials: exec: failed to decode process output"),
    ],
)
def test_an_exec_plugin_that_fails_is_named(
    user: dict[str, Any], words: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = kubeconfig(tmp_path, {"exec": {"apiVersion": "client.authentication.k8s.io/v1", **user}})
    told = refusal(path)
    assert told.startswith(f"kubeconfig {path}, context one: the exec plugin ")
    assert words in told
    assert "\n" not in told
    assert not caplog.records, "it is told twice"


def test_the_service_account_of_the_pod(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    token, authority = tmp_path / "token", tmp_path / "ca.crt"
    token.write_text("first\n")
    authority.write_text("a certificate")
    module = loader("incluster_config")
    monkeypatch.setattr(module, "SERVICE_TOKEN_FILENAME", str(token))
    monkeypatch.setattr(module, "SERVICE_CERT_FILENAME", str(authority))
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "fd00::1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")

    async def run() -> None:
        login = Login()
        found = await login.current()
        assert (found.server, found.scheme, found.token) == ("https://[fd00::1]:443", "Bearer", "first")
        assert found.ca_path == str(authority)
        token.write_text("second")
        assert (await login.again(found)).token == "second"

    asyncio.run(run())
    token.write_text("")
    with pytest.raises(PermanentFailure, match="the pod's ServiceAccount cannot be used"):
        asyncio.run(Login().current())


def test_the_operator_without_credentials_asks_again_and_logs_no_traceback(tmp_path: Path) -> None:
    connecting = Connecting(Login(str(tmp_path / "absent")), Watches([]), Mock())
    handlers = registry(connecting, Mock(), EVERYTHING)._activities.get_all_handlers()
    (login,) = (handler for handler in handlers if handler.activity == "authentication")
    with pytest.raises(kopf.TemporaryError, match="there is no such file"):
        asyncio.run(login.fn())


def test_only_the_credential_part_of_the_official_client_is_imported(tmp_path: Path) -> None:
    """And the whole of it is there for who imports it later."""
    program = f"""
import asyncio, sys
from controller.kube.login import Login
from controller.kube.official import credentials_only
assert asyncio.run(Login({kubeconfig(tmp_path, {"token": "x"})!r}).current()).token == "x"
unwanted = [name for name in ("kubernetes.client", "requests", "urllib3", "websocket", "kopf") if name in sys.modules]
assert not unwanted, unwanted
with credentials_only():
    try:
        import kubernetes.client
    except ImportError:
        pass
    else:
        raise SystemExit("kubernetes.client is there")
import kubernetes.client, kubernetes.aio.config
assert kubernetes.aio.config.load_kube_config and kubernetes.client.V1ObjectMeta
with credentials_only():
    import kubernetes.client
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
