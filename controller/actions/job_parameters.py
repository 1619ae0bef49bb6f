"""The parameters of run-job: one container, and the parts of a pod template that people need."""

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, Field, model_validator

from controller.actions.base import Parameters
from controller.actions.keys import LABEL_VALUE, check_free, check_keys
from controller.actions.secrets import FromSecret, SecretName, SecretValue
from controller.core.credentials import looks_like_credential

_VARIABLE = re.compile(r"[-._A-Za-z][-._A-Za-z0-9]{0,252}")
_PASSWORD_IN_URL = re.compile(r"://[^/\s:@]*:[^/\s@]+@")

Argument = Annotated[str, Field(max_length=4096)]
Quantity = Annotated[str, Field(max_length=32, pattern=r"^[0-9]+(\.[0-9]+)?(m|k|M|G|T|P|Ki|Mi|Gi|Ti|Pi)?$")]


def _checked_keys(values: dict[str, str]) -> dict[str, str]:
    check_keys(values)
    return values


def _free_keys(values: dict[str, str]) -> dict[str, str]:
    check_free(values)
    return values


LabelMap = Annotated[
    dict[str, Annotated[str, Field(pattern=LABEL_VALUE, max_length=63)]],
    Field(max_length=32, default_factory=dict),
    AfterValidator(_checked_keys),
]


E = TypeVar("E", bound=Mapping[str, Any])


def _checked_variables(env: E) -> E:
    for name in env:
        if not _VARIABLE.fullmatch(name):
            raise ValueError(f"{name!r} is not a variable name")
    return env


def _checked_env(env: dict[str, str]) -> dict[str, str]:
    for name, value in env.items():
        if value and (looks_like_credential(name) or _PASSWORD_IN_URL.search(value)):
            raise ValueError(
                f"{name} looks like a credential, which must not stand in plain text; give it in secretEnv"
            )
    return env


class Resources(Parameters):
    requests: Annotated[dict[str, Quantity], Field(max_length=8, default_factory=dict)]
    """What is set aside, by resource: `cpu: 500m`, `memory: 256Mi`."""
    limits: Annotated[dict[str, Quantity], Field(max_length=8, default_factory=dict)]
    """What it may use at most."""


class Effect(StrEnum):
    NO_SCHEDULE = "NoSchedule"
    PREFER_NO_SCHEDULE = "PreferNoSchedule"
    NO_EXECUTE = "NoExecute"


class Operator(StrEnum):
    EQUAL = "Equal"
    EXISTS = "Exists"


class Toleration(Parameters):
    key: Annotated[str, Field(max_length=316)] | None = None
    """Key of the taint; absent with Exists: any taint."""
    operator: Operator = Operator.EQUAL
    """Equal or Exists."""
    value: Annotated[str, Field(max_length=63)] | None = None
    """Value of the taint, with Equal."""
    effect: Effect | None = None
    """NoSchedule, PreferNoSchedule or NoExecute; absent: any."""
    toleration_seconds: Annotated[int, Field(ge=0, le=604_800)] | None = None
    """With NoExecute: how long the pod stays."""


class RunJobParameters(Parameters):
    image: Annotated[str, Field(min_length=1, max_length=512, pattern=r"^[a-zA-Z0-9][a-zA-Z0-9._:/@-]*$")]
    """Container image; with a digest (`@sha256:...`) what is approved is what runs."""
    command: Annotated[tuple[Argument, ...], Field(max_length=64)] = ()
    """Program and first arguments; default: the image's entrypoint."""
    args: Annotated[tuple[Argument, ...], Field(max_length=64)] = ()
    """Arguments."""
    env: Annotated[
        dict[str, Annotated[str, Field(max_length=4096)]],
        Field(max_length=64, default_factory=dict),
        AfterValidator(_checked_variables),
        AfterValidator(_checked_env),
    ]
    """Variables in plain text. Credentials are refused: they belong into `secretEnv`."""
    secret_env: Annotated[
        dict[str, SecretValue], Field(max_length=64, default_factory=dict), AfterValidator(_checked_variables)
    ]
    """Variables that the container gets from a Secret: `DB_PASSWORD: {secretKeyRef: {name, key}}`."""
    working_dir: Annotated[str, Field(min_length=1, max_length=1024, pattern="^/")] | None = None
    """Directory to start in."""
    resources: Resources = Field(default_factory=Resources)
    """CPU, memory and others that the container asks for."""
    labels: Annotated[LabelMap, AfterValidator(_free_keys)]
    """Labels of the Job and its pod; none of kubernetes.io and k8s.io but `app.kubernetes.io/...`."""
    annotations: Annotated[
        dict[str, Annotated[str, Field(max_length=4096)]],
        Field(max_length=32, default_factory=dict),
        AfterValidator(_checked_keys),
        AfterValidator(_free_keys),
    ]
    """Annotations of the pod; of kubernetes.io, k8s.io and cni.cncf.io only those of the cluster autoscaler."""
    node_selector: LabelMap
    """Labels that the node must have."""
    tolerations: Annotated[tuple[Toleration, ...], Field(max_length=16)] = ()
    """Taints that the pod puts up with."""
    image_pull_secrets: Annotated[tuple[SecretName, ...], Field(max_length=8)] = ()
    """Names of Secrets for the image's registry; they must be lent like those of `secretEnv`."""
    run_as_non_root: bool = False
    """Refuse to start as root."""
    run_as_user: Annotated[int, Field(ge=0, le=2**31 - 1)] | None = None
    """User id; default: the image's."""
    read_only_root_filesystem: bool = False
    """Mount the image read-only."""
    mount_service_account_token: bool = False
    """Give the container the runner's own token, with all its rights."""
    report: bool = False
    """Keep what the container leaves in /dev/termination-log as output `message`: everybody who may read the proposal
    reads it. The runner then also reads the values of `secretEnv`, so that they are hidden in it.
    """
    active_deadline_seconds: Annotated[int, Field(ge=1, le=604_800)] = 3600
    """After this time Kubernetes stops the Job and it has failed, in seconds."""

    @model_validator(mode="after")
    def _consistent(self) -> "RunJobParameters":
        if both := sorted(self.env.keys() & self.secret_env.keys()):
            raise ValueError(f"secretEnv: {both[0]} also stands in env")
        if self.run_as_non_root and self.run_as_user == 0:
            raise ValueError("runAsUser: must not be 0 with runAsNonRoot")
        if self.report and self.mount_service_account_token:
            raise ValueError("report: not with mountServiceAccountToken, for the token could not be hidden in it")
        return self

    @property
    def from_secrets(self) -> dict[str, FromSecret | str]:
        """The Secrets that the pod gets to see, by parameter."""
        return {
            **{f"parameters.secretEnv.{name}": ref for name, ref in self.secret_env.items()},
            **{f"parameters.imagePullSecrets[{at}]": name for at, name in enumerate(self.image_pull_secrets)},
        }
