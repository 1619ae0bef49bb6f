"""Where the files of one control plane are: one folder, all of it below `DIR`."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from localcluster.errors import LocalClusterError


@dataclass(frozen=True)
class Layout:
    """The folder of one control plane."""

    root: Path

    @property
    def marker(self) -> Path:
        """Return the file that says that this folder may be cleared by us."""
        return self.root / ".localcluster"

    @property
    def lock(self) -> Path:
        """Return the lock that the supervisor holds while it lives."""
        return self.root / "supervisor.lock"

    @property
    def state(self) -> Path:
        """Return the file in which the supervisor says how things are."""
        return self.root / "state.json"

    @property
    def restart_request(self) -> Path:
        """Return the file that names the servers to start again at the next SIGHUP."""
        return self.root / "restart"

    @property
    def etcd_data(self) -> Path:
        """Return etcd's folder."""
        return self.root / "etcd"

    @property
    def certificates(self) -> Path:
        """Return the folder of the API server's self-signed certificate."""
        return self.root / "certificates"

    @property
    def authority(self) -> Path:
        """Return the certificate that clients of the API server trust."""
        return self.certificates / "apiserver.crt"

    @property
    def users(self) -> Path:
        """Return the API server's file of users and their tokens."""
        return self.root / "users.csv"

    @property
    def signing_key(self) -> Path:
        """Return the private key that signs the tokens of service accounts."""
        return self.root / "service-accounts.key"

    @property
    def verifying_key(self) -> Path:
        """Return the public key to `signing_key`."""
        return self.root / "service-accounts.pub"

    @property
    def audit_policy(self) -> Path:
        """Return the file that says which requests the API server records."""
        return self.root / "audit-policy.yaml"

    @property
    def audit_log(self) -> Path:
        """Return the API server's record of requests, one JSON object a line."""
        return self.root / "audit.log"

    @property
    def kubeconfig(self) -> Path:
        """Return the administrator's kubeconfig."""
        return self.root / "kubeconfig"

    def kubeconfig_of(self, user: str) -> Path:
        """Return the kubeconfig of another user."""
        return self.root / f"{user}.kubeconfig"

    def kubeconfig_of_program(self, program: str) -> Path:
        """Return the kubeconfig of a program of the control plane."""
        return self.root / "programs" / f"{program}.kubeconfig"

    @property
    def node(self) -> Path:
        """Return the folder of the real node, there while it runs or has left something."""
        return self.root / "node"

    @property
    def node_logs(self) -> Path:
        """Return what is /var/log in the real node: the output of containers is in `pods`."""
        return self.root / "logs" / "node"

    @property
    def kubelet_clients(self) -> Path:
        """Return the certificate that signs those of whom kubelet answers: the API server."""
        return self.root / "kubelet-clients.crt"

    @property
    def kubelet_client(self) -> Path:
        """Return the API server's certificate for kubelet; its key is beside it, with the suffix `.key`."""
        return self.root / "kubelet-client.crt"

    def log(self, server: str) -> Path:
        """Return the output of one server."""
        return self.root / "logs" / f"{server}.log"

    def create(self) -> None:
        """Make the folder; it holds tokens, so nobody else may look into it.

        Raises:
            LocalClusterError: there is something in it that isn't ours, or no folder can be made.
        """
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            foreign = not self.marker.exists() and any(self.root.iterdir())
        except OSError as error:
            raise LocalClusterError(f"{self.root}: {error.strerror}") from error
        if foreign:
            raise LocalClusterError(
                f"{self.root} holds files that are not a local control plane's. Name a new or empty folder."
            )
        self.root.chmod(0o700)
        self.marker.touch()

    def clear(self, keep: Path | None = None) -> None:
        """Remove what an earlier control plane left, but for the file `keep`."""
        for folder in (self.etcd_data, self.certificates, self.root / "programs", self.root / "logs"):
            shutil.rmtree(folder, ignore_errors=True)
        for file in self.root.iterdir():
            if file.is_file() and file not in (self.marker, self.lock, keep):
                file.unlink(missing_ok=True)

    def forget(self) -> None:
        """Remove the data of a stopped control plane; logs and kubeconfigs stay for a look."""
        shutil.rmtree(self.etcd_data, ignore_errors=True)
