"""Who we are to the API server: its address, how to trust it, what to show it. Read by the official client's loaders.

Order: an explicit kubeconfig or context; `KUBECONFIG`; the pod's own ServiceAccount; `~/.kube/config`.
"""

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from controller.core.errors import PermanentFailure
from controller.kube.official import loader

_POD_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
_DEFAULT_KUBECONFIG = "~/.kube/config"
# What the official loader raises, besides its own errors, for files that are not as it thinks.
_WRONG_CONTENT = (OSError, ValueError, TypeError, KeyError, AttributeError)


@dataclass(frozen=True)
class Credentials:
    """What one connection to the API server needs. Paths are of PEM files; `authorization` is the header's value."""

    server: str
    authorization: str | None = None
    ca_path: str | None = None
    certificate_path: str | None = None
    key_path: str | None = None
    verify: bool = True
    tls_server_name: str | None = None
    proxy: str | None = None
    namespace: str | None = None
    """The namespace that the kubeconfig context or the pod names, if any."""

    @property
    def scheme(self) -> str | None:
        """`Bearer` or `Basic`."""
        return self.authorization.partition(" ")[0] if self.authorization else None

    @property
    def token(self) -> str | None:
        """The part of the authorization after its scheme."""
        return self.authorization.partition(" ")[2].strip() if self.authorization else None

    def same_connection(self, other: "Credentials") -> bool:
        """Whether connections opened with the one serve the other: all but the authorization is equal."""
        return replace(self, authorization=None) == replace(other, authorization=None)


class Source(Protocol):
    """Where credentials come from."""

    @property
    def renewable(self) -> bool:
        """Whether reading again may give other ones without the API server refusing these first."""
        ...

    async def read(self) -> Credentials:
        """The credentials now in force. Raises PermanentFailure with what is wrong in which file."""
        ...


async def find_source(kubeconfig: str | None = None, context: str | None = None) -> Source:
    """The first source there is, read from scratch. Raises PermanentFailure if there is none."""
    path = kubeconfig or os.environ.get("KUBECONFIG")
    if not path and not context and os.environ.get("KUBERNETES_SERVICE_HOST"):
        return Pod()
    return Kubeconfig(path or _DEFAULT_KUBECONFIG, context)


class Pod:
    """The ServiceAccount of the pod we run in; the kubelet renews its token in place."""

    renewable = True

    def __init__(self) -> None:
        module = loader("incluster_config")
        self._unusable = (module.ConfigException, *_WRONG_CONTENT)
        self._namespace = _POD_NAMESPACE.read_text().strip() if _POD_NAMESPACE.exists() else None
        self._configuration = module.Configuration()
        try:
            module.load_incluster_config(client_configuration=self._configuration)
        except self._unusable as error:
            raise PermanentFailure(
                f"the pod's ServiceAccount cannot be used: {error}; set automountServiceAccountToken: true, "
                "or name a kubeconfig in KUBECONFIG"
            ) from error

    async def read(self) -> Credentials:
        try:
            return await _credentials(self._configuration, self._namespace)
        except self._unusable as error:
            raise PermanentFailure(f"the pod's ServiceAccount token cannot be read: {error}") from error


class Kubeconfig:
    """One context of a kubeconfig file or several (joined as in `KUBECONFIG`); with exec plugins and token files."""

    def __init__(self, path: str, context: str | None) -> None:
        self._path = path
        module = loader("kube_config")
        if not any(Path(part).expanduser().is_file() for part in path.split(os.pathsep) if part):
            raise PermanentFailure(
                f"no kubeconfig at {path}, and not in a pod: name one with --kubeconfig or KUBECONFIG"
            )
        self._unusable = (module.ConfigException, module.yaml.YAMLError, *_WRONG_CONTENT)
        self._configuration = module.Configuration()
        try:
            merged = module.KubeConfigMerger(path).config
            self._loader = module.KubeConfigLoader(merged, active_context=context, config_base_path=None)
        except self._unusable as error:
            raise PermanentFailure(f"kubeconfig {path}: {error}") from error
        self._context: dict[str, Any] = _plain(self._loader.current_context.get("context"))
        self._user: dict[str, Any] = _user(merged, self._context.get("user"))

    @property
    def renewable(self) -> bool:
        """A token file may change; a provider or plugin says itself when its token ends, and is asked only then."""
        return "tokenFile" in self._user or "auth-provider" in self._user or hasattr(self._loader, "exec_plugin_expiry")

    async def read(self) -> Credentials:
        try:
            await self._loader.load_and_set(self._configuration)
        except self._unusable as error:
            raise PermanentFailure(f"kubeconfig {self._path}: {error}") from error
        found = await _credentials(self._configuration, self._context.get("namespace"))
        if "exec" in self._user and not found.authorization and not found.certificate_path:
            # The official loader logs the plugin's failure and goes on without a user.
            raise PermanentFailure(
                f"kubeconfig {self._path}: the exec plugin {_plain(self._user['exec']).get('command')} gave no "
                "credentials; the log has its own message"
            )
        return found


async def _credentials(configuration: Any, namespace: str | None) -> Credentials:
    """What the official loaders put into their configuration object."""
    authorization = await configuration.get_api_key_with_prefix("BearerToken")
    if authorization:
        scheme, _, secret = authorization.partition(" ")
        authorization = f"{scheme.capitalize()} {secret.strip()}"
    return Credentials(
        server=configuration.host,
        authorization=authorization or None,
        ca_path=configuration.ssl_ca_cert,
        certificate_path=configuration.cert_file,
        key_path=configuration.key_file,
        verify=configuration.verify_ssl,
        tls_server_name=configuration.tls_server_name,
        proxy=configuration.proxy,
        namespace=namespace,
    )


def _user(merged: Any, name: str | None) -> dict[str, Any]:
    for entry in merged.value.get("users") or ():
        entry = _plain(entry)
        if entry.get("name") == name:
            return _plain(entry.get("user"))
    return {}


def _plain(node: Any) -> dict[str, Any]:
    """The mapping in one of the official loader's nodes."""
    value = getattr(node, "value", node)
    return value if isinstance(value, dict) else {}
