"""Who we are to the API server: its address, how to trust it, what to show it. Read by the official client's loaders.

Order: an explicit kubeconfig or context; `KUBECONFIG`; the pod's own ServiceAccount; `~/.kube/config`.
"""

import errno
import logging
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from controller.core.errors import PermanentFailure
from controller.kube.kubeconfig import WRONG_CONTENT, context_of, is_there, merged, one_line, plain
from controller.kube.official import loader

_POD_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
_DEFAULT_KUBECONFIG = "~/.kube/config"


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
    named = os.environ.get("KUBECONFIG")
    if not kubeconfig and not named and not context and os.environ.get("KUBERNETES_SERVICE_HOST"):
        return Pod()
    path = kubeconfig or named or _DEFAULT_KUBECONFIG
    if is_there(path):
        return Kubeconfig(path, context)
    if kubeconfig:
        raise PermanentFailure(f"kubeconfig {path}: there is no such file; name another with --kubeconfig")
    if named:
        raise PermanentFailure(f"KUBECONFIG names {path}: there is no such file; correct it, or use --kubeconfig")
    raise PermanentFailure(f"no kubeconfig at {path}, and not in a pod: name one with --kubeconfig or KUBECONFIG")


class Pod:
    """The ServiceAccount of the pod we run in; the kubelet renews its token in place."""

    renewable = True

    def __init__(self) -> None:
        module = loader("incluster_config")
        self._unusable = (module.ConfigException, *WRONG_CONTENT)
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
        self._official = loader("kube_config")
        config = merged(self._official, path)
        self._context = context_of(config, context, path)
        self._where = f"kubeconfig {path}, context {self._context.name}"
        self._unusable = (self._official.ConfigException, *WRONG_CONTENT)
        self._configuration = self._official.Configuration()
        try:
            self._loader = self._official.KubeConfigLoader(config, self._context.name, config_base_path=None)
        except self._unusable as error:
            raise PermanentFailure(f"{self._where}: {one_line(error)}; mend it") from error

    @property
    def renewable(self) -> bool:
        """A token file may change; a provider or plugin says itself when its token ends, and is asked only then."""
        user = self._context.user
        return "tokenFile" in user or "auth-provider" in user or hasattr(self._loader, "exec_plugin_expiry")

    async def read(self) -> Credentials:
        try:
            with _heard(self._official.logger) as said:
                await self._loader.load_and_set(self._configuration)
        except self._unusable as error:
            raise PermanentFailure(f"{self._where}: {one_line(error)}; mend it") from error
        found = await _credentials(self._configuration, self._context.content.get("namespace"))
        if "exec" in self._context.user and not found.authorization and not found.certificate_path:
            raise PermanentFailure(f"{self._where}: {_silent_plugin(plain(self._context.user['exec']), said)}")
        return found


@contextmanager
def _heard(logger: logging.Logger) -> Iterator[list[str]]:
    """Errors that the official loader logs, instead of raising them, to go on without a user: a plugin's."""
    said: list[str] = []

    def keep(record: logging.LogRecord) -> bool:
        if record.levelno < logging.ERROR:
            return True
        said.append(one_line(record.getMessage()))
        return False

    logger.addFilter(keep)
    try:
        yield said
    finally:
        logger.removeFilter(keep)


def _silent_plugin(plugin: Mapping[str, Any], said: list[str]) -> str:
    command, why = str(plugin.get("command")), "; ".join(said)
    if why.startswith(f"[Errno {errno.ENOENT}]") and shutil.which(command) is None:
        hint = one_line(plugin.get("installHint") or "install it, or put it on PATH")
        return f"the exec plugin {command} is not installed, or not on PATH; {hint}"
    return f"the exec plugin {command} gave no credentials: {why or 'it said nothing'}; call it by hand to see more"


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
