"""The parameters of run-job: one container, and the parts of a pod template that people need."""

import re
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, Field, WithJsonSchema, model_validator

from controller.actions.base import Parameters
from controller.actions.credentials import looks_like_credential
from controller.api.base import GROUP

_LABEL_NAME = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)")
_PREFIX = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_VARIABLE = re.compile(r"[-._A-Za-z][-._A-Za-z0-9]{0,252}")
_PASSWORD_IN_URL = re.compile(r"://[^/\s:@]*:[^/\s@]+@")
_LABEL_VALUE = r"^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$"
_KUBERNETES = (".kubernetes.io", ".k8s.io")  # what these mean is up to Kubernetes: some switch a container's guard off
_COMMON_LABELS = "app.kubernetes.io"  # the one domain of Kubernetes that is meant for users
_OF_JOBS = frozenset({"job-name", "controller-uid"})

ResourceName = Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")]
Argument = Annotated[str, Field(max_length=4096)]
Quantity = Annotated[str, Field(max_length=32, pattern=r"^[0-9]+(\.[0-9]+)?(m|k|M|G|T|P|Ki|Mi|Gi|Ti|Pi)?$")]


def _checked_keys(values: dict[str, str]) -> dict[str, str]:
    for key in values:
        prefix, slash, name = key.rpartition("/")
        if not _LABEL_NAME.fullmatch(name) or (slash and not _PREFIX.fullmatch(prefix)):
            raise ValueError(f"{key!r} is not a valid key")
    return values


def _reserved_for(key: str) -> str | None:
    prefix = key.rpartition("/")[0]
    if prefix == GROUP:
        return "the operator"
    return "Kubernetes" if key in _OF_JOBS or f".{prefix}".endswith(_KUBERNETES) else None


def _free_labels(labels: dict[str, str]) -> dict[str, str]:
    _free_keys({key: value for key, value in labels.items() if key.rpartition("/")[0] != _COMMON_LABELS})
    return labels


def _free_keys(values: dict[str, str]) -> dict[str, str]:
    for key in values:
        if owner := _reserved_for(key):
            raise ValueError(f"{key} is reserved for {owner}; leave it out, or give it a prefix of your own")
    return values


LabelMap = Annotated[
    dict[str, Annotated[str, Field(pattern=_LABEL_VALUE, max_length=63)]],
    Field(max_length=32, default_factory=dict),
    AfterValidator(_checked_keys),
]


class SecretKey(Parameters):
    name: ResourceName
    """Name of the Secret, in the proposal's namespace."""
    key: Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[-._a-zA-Z0-9]+$")]
    """Key in it."""


class FromSecret(Parameters):
    secret_key_ref: SecretKey
    """Where the node reads the value when the container starts; the operator never does."""


def _checked_env(env: dict[str, str | FromSecret]) -> dict[str, str | FromSecret]:
    for name, value in env.items():
        if not _VARIABLE.fullmatch(name):
            raise ValueError(f"{name!r} is not a variable name")
        if isinstance(value, str) and value and (looks_like_credential(name) or _PASSWORD_IN_URL.search(value)):
            raise ValueError(f"{name} looks like a credential; write it as {{secretKeyRef: {{name: ..., key: ...}}}}")
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
        dict[
            str,
            Annotated[
                Annotated[str, Field(max_length=4096)] | FromSecret,
                WithJsonSchema({"x-kubernetes-preserve-unknown-fields": True}),
            ],
        ],
        Field(max_length=64, default_factory=dict),
        AfterValidator(_checked_env),
    ]
    """Variables: a text, or `{secretKeyRef: {name, key}}`, which is the only form for credentials."""
    working_dir: Annotated[str, Field(min_length=1, max_length=1024, pattern="^/")] | None = None
    """Directory to start in."""
    resources: Resources = Field(default_factory=Resources)
    """CPU, memory and others that the container asks for."""
    labels: Annotated[LabelMap, AfterValidator(_free_labels)]
    """Labels of the Job and its pod; none of kubernetes.io and k8s.io but `app.kubernetes.io/...`."""
    annotations: Annotated[
        dict[str, Annotated[str, Field(max_length=4096)]],
        Field(max_length=32, default_factory=dict),
        AfterValidator(_checked_keys),
        AfterValidator(_free_keys),
    ]
    """Annotations of the pod; none of kubernetes.io and k8s.io."""
    node_selector: LabelMap
    """Labels that the node must have."""
    tolerations: Annotated[tuple[Toleration, ...], Field(max_length=16)] = ()
    """Taints that the pod puts up with."""
    image_pull_secrets: Annotated[tuple[ResourceName, ...], Field(max_length=8)] = ()
    """Names of Secrets for the image's registry."""
    run_as_non_root: bool = False
    """Refuse to start as root."""
    run_as_user: Annotated[int, Field(ge=0, le=2**31 - 1)] | None = None
    """User id; default: the image's."""
    read_only_root_filesystem: bool = False
    """Mount the image read-only."""
    mount_service_account_token: bool = False
    """Give the container the runner's own token, with all its rights."""
    active_deadline_seconds: Annotated[int, Field(ge=1, le=604_800)] = 3600
    """After this time Kubernetes stops the Job and it has failed, in seconds."""

    @model_validator(mode="after")
    def _consistent(self) -> "RunJobParameters":
        if self.run_as_non_root and self.run_as_user == 0:
            raise ValueError("runAsUser: must not be 0 with runAsNonRoot")
        return self
