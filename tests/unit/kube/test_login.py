"""Where credentials come from, and when they are read again."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from controller.core.errors import PermanentFailure
from controller.kube.login import RENEW_SECONDS, Login
from controller.kube.official import loader


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


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda folder: str(folder / "absent"), "no kubeconfig at .*absent"),
        (lambda folder: kubeconfig(folder, {"token": "x"}), "Expected object with name other"),
    ],
)
def test_what_is_wrong_is_said(make: Any, words: str, tmp_path: Path) -> None:
    with pytest.raises(PermanentFailure, match=words):
        asyncio.run(Login(make(tmp_path), "other").current())


def test_a_file_that_is_no_kubeconfig(tmp_path: Path) -> None:
    for text in ("", "[]", "just words", "a: [", "{}"):
        (tmp_path / "config").write_text(text)
        with pytest.raises(PermanentFailure, match="kubeconfig"):
            asyncio.run(Login(str(tmp_path / "config")).current())


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


def test_an_exec_plugin_that_fails_is_named(tmp_path: Path) -> None:
    path = kubeconfig(tmp_path, plugin(tmp_path, "no json"))
    with pytest.raises(PermanentFailure, match=r"the exec plugin .* gave no credentials"):
        asyncio.run(Login(path).current())


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
