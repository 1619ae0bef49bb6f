"""What can go wrong, in words for the person who has to do something about it."""


class LocalClusterError(Exception):
    """Base of all expected failures. Its text says what is wrong, where, and what to do."""


class BinaryMissing(LocalClusterError):
    """A program of the control plane is neither given nor cached, or what is given is unusable."""


class BuildFailed(LocalClusterError):
    """Building the programs did not work, or cannot be tried."""


class FetchFailed(BuildFailed):
    """Something that a build needs could not be fetched."""


class StartFailed(LocalClusterError):
    """The control plane did not become ready."""


class NotRunning(LocalClusterError):
    """There is no running control plane in the folder."""


class RequestFailed(LocalClusterError):
    """The API server refused a request or could not be reached."""

    def __init__(self, status: int | None, message: str) -> None:
        """`status` is the HTTP status, or None where there was no answer at all."""
        super().__init__(message)
        self.status = status
