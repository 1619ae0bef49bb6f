"""executor.job: one Job from a template that the type's author wrote.

What a proposer gives are values only: of variables, and all parameters as one JSON file, which the downward API mounts
from an annotation of the pod. They reach no image, command, volume or name. The Job is of one pod, run once as the
runner, whatever the template says; what its containers may do is as little as in run-job unless the template says more.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from controller.actions.base import ParameterFaultsError, Parameters, cut
from controller.actions.insertion import Declared, filled, form_faults, is_place, parameter_of, places
from controller.actions.job_manifest import (
    CONTAINER_SECURITY,
    DEADLINE_SECONDS,
    ONCE,
    POD_SECURITY,
    is_ours,
    job_name,
    owned_job,
)
from controller.actions.one_job import DRY_RUN_OPERATION, JOBS, OneJob
from controller.actions.secrets import FromSecret, check
from controller.api.actiontype import JobExecutor
from controller.api.base import GROUP
from controller.api.common import Change
from controller.api.names import Risk
from controller.core.digest import canonical
from controller.core.ports import Json, Operation, PreviewResult, Request

HERE = "spec.executor.job.template"
FOLDER = "/etc/actionoperator"
FILE = "parameters.json"
ANNOTATION = f"{GROUP}/parameters"
VOLUME = "action-parameters"
_POD = f"{HERE}.spec.template.spec"
_ENV_VALUE = re.compile(re.escape(_POD) + r"\.(initContainers|containers)\[\d+\]\.env\[\d+\]\.value")
_MUST_BE: Json = {**ONCE, "completionMode": "NonIndexed", "suspend": False}
_NOT_IN_JOB = frozenset(
    {"ttlSecondsAfterFinished", "backoffLimitPerIndex", "maxFailedIndexes", "podFailurePolicy", "successPolicy",
     "selector", "manualSelector", "managedBy"}
)  # fmt: skip


class Given(Parameters):
    """Parameters as they were given: the type's schema is all that is known of them."""

    values: dict[str, Any]


class CustomJob(OneJob[Given]):
    """The Job of one custom type. Its own name, description and risk are those of the ActionType."""

    name = "executor.job"
    description = "Run a Job from a template."
    risk = Risk.HIGH
    idempotent = True  # unless the type says otherwise
    parameters = Given

    def __init__(self, spec: JobExecutor, declared: Declared) -> None:
        self._template = spec.template
        self._declared = declared

    def parse(self, parameters: Mapping[str, Any]) -> Given:
        try:
            self.from_secrets(given := Given(values=dict(parameters)))
        except ValueError as error:
            raise ParameterFaultsError((f"parameters: {error}",)) from None
        return given

    def from_secrets(self, parameters: Given) -> Mapping[str, FromSecret]:
        """The Secrets that the pod gets to see because of the parameters, by parameter."""
        used = {place.parameter for place in places(self._template, "")}
        return {
            f"parameters.{name}": FromSecret.model_validate(value)
            for name, value in parameters.values.items()
            if name in used and self._declared.is_secret(name)
        }

    def job(self, request: Request[Given], operation_id: str) -> Json:
        """The Job as it is created. Pure."""
        template, values = self._template, request.parameters.values
        spec = template["spec"]
        pod_template = spec["template"]
        metadata = pod_template.get("metadata") or {}
        plain = {name: value for name, value in values.items() if not self._declared.is_secret(name)}
        annotations = {**(metadata.get("annotations") or {}), ANNOTATION: canonical(plain).decode()}
        pod = {"metadata": {**metadata, "annotations": annotations}, "spec": self._pod(pod_template["spec"], request)}
        labels = (template.get("metadata") or {}).get("labels") or {}
        whole = {"activeDeadlineSeconds": DEADLINE_SECONDS, **spec, "template": pod}
        return owned_job(request, operation_id, whole, labels)

    async def manifest(self, request: Request[Given], operation_id: str) -> Json:
        """Looks once more whether the Secrets are lent."""
        await check(request, self.from_secrets(request.parameters))
        return self.job(request, operation_id)

    def job_name(self, request: Request[Given], operation_id: str) -> str:
        return job_name(request.proposal, request.proposal_uid, operation_id)

    def is_ours(self, job: Json, request: Request[Given], operation: Operation) -> bool:
        return is_ours(job, request, operation)

    async def preview(self, request: Request[Given]) -> PreviewResult:
        await request.cluster.create(JOBS, await self.manifest(request, DRY_RUN_OPERATION), dry_run=True)
        containers = self._template["spec"]["template"]["spec"]["containers"]
        images = cut(", ".join(str(container.get("image", "")) for container in containers), 256)
        told = [f"image {images}", f"as {request.runner}"]
        if names := sorted(request.parameters.values):
            told.append(f"parameters {', '.join(names)}")
        told += [f"{path.removeprefix('parameters.')} from {ref}" for path, ref in self._secrets_told(request)]
        return PreviewResult(
            summary=cut(f"Run a Job with image {images} as {request.runner}."),
            changes=(Change(target=f"Job {request.namespace}/<new>", path="spec", after=cut("; ".join(told))),),
        )

    def _secrets_told(self, request: Request[Given]) -> list[tuple[str, FromSecret]]:
        return sorted(self.from_secrets(request.parameters).items())

    def _pod(self, pod: Json, request: Request[Given]) -> Json:
        values = request.parameters.values
        source = {"path": FILE, "fieldRef": {"fieldPath": f"metadata.annotations['{ANNOTATION}']"}}
        volume = {"name": VOLUME, "downwardAPI": {"items": [source]}}
        made: Json = {
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            **pod,
            "restartPolicy": "Never",
            "serviceAccountName": request.runner,
            "securityContext": {**POD_SECURITY, **(pod.get("securityContext") or {})},
            "volumes": [*(pod.get("volumes") or ()), volume],
        }
        for kind in ("initContainers", "containers"):
            if pod.get(kind):
                made[kind] = [self._container(container, values) for container in pod[kind]]
        return made

    def _container(self, container: Json, values: Mapping[str, Any]) -> Json:
        mount = {"name": VOLUME, "mountPath": FOLDER, "readOnly": True}
        made = {
            **container,
            "securityContext": {**CONTAINER_SECURITY, **(container.get("securityContext") or {})},
            "volumeMounts": [*(container.get("volumeMounts") or ()), mount],
        }
        if container.get("env"):
            made["env"] = [entry for raw in container["env"] if (entry := self._variable(raw, values))]
        return made

    def _variable(self, entry: Json, values: Mapping[str, Any]) -> Json | None:
        value, name = entry.get("value"), parameter_of(entry.get("value"))
        if name is None:
            return entry
        given = filled(value, values)
        if given is None:
            return None
        if self._declared.is_secret(name):
            return {"name": entry["name"], "valueFrom": given}
        return {"name": entry["name"], "value": given if isinstance(given, str) else canonical(given).decode()}


def job_faults(spec: JobExecutor, declared: Declared) -> Iterator[str]:
    """What is wrong with the executor before any proposal is made; empty if nothing."""
    template = spec.template
    faults = [*form_faults(template, HERE), *_place_faults(template, declared)]
    pod = _at(template, "spec", "template", "spec")
    if pod is None or not _objects(pod.get("containers")):
        faults.append(f"{_POD}.containers: must be a list of at least one container")
    else:
        faults += [*_job_faults(template), *_pod_faults(pod)]
    yield from faults


def _place_faults(template: Json, declared: Declared) -> Iterator[str]:
    for place in places(template, HERE):
        if _ENV_VALUE.fullmatch(place.path):
            yield from declared.unknown(place)
        else:
            yield (
                f"{place.path}: a parameter may stand only for the value of a variable "
                f"({_POD}.containers[].env[].value); read it from there or from {FOLDER}/{FILE}"
            )


def _job_faults(template: Json) -> Iterator[str]:
    for where, allowed in (((), {"metadata", "spec"}), (("metadata",), {"labels", "annotations"})):
        for name in sorted((_at(template, *where) or {}).keys() - allowed):
            yield f"{'.'.join((HERE, *where, name))}: is set by the operator; remove it"
    metadata = _at(template, "spec", "template", "metadata") or {}
    for name in sorted(metadata.keys() - {"labels", "annotations"}):
        yield f"{HERE}.spec.template.metadata.{name}: is set by the operator; remove it"
    for path, given in ((f"{HERE}.metadata", _at(template, "metadata")), (f"{HERE}.spec.template.metadata", metadata)):
        for part in ("labels", "annotations"):
            for key in (given or {}).get(part) or {}:
                if str(key).startswith(f"{GROUP}/"):
                    yield f"{path}.{part}.{key}: is reserved for the operator; remove it"
    spec = template["spec"]
    for name in sorted(spec.keys() & _NOT_IN_JOB):
        yield f"{HERE}.spec.{name}: a Job here is one pod that is run once and kept with its proposal; remove it"
    for name, value in _MUST_BE.items():
        if name in spec and spec[name] != value:
            yield f"{HERE}.spec.{name}: must be {value}, because a Job here is run once; remove it"


def _pod_faults(pod: Json) -> Iterator[str]:
    for name in ("serviceAccountName", "serviceAccount"):
        if name in pod:
            yield f"{_POD}.{name}: the Job runs as the runner of its proposal; remove it"
    if pod.get("restartPolicy", "Never") != "Never":
        yield f"{_POD}.restartPolicy: must be Never, because a Job here is run once; remove it"
    for kind in ("initContainers", "containers"):
        for index, container in enumerate(pod.get(kind) or ()):
            for entry in (container.get("env") or ()) if isinstance(container, dict) else ():
                if not (isinstance(entry, dict) and isinstance(entry.get("name"), str)):
                    yield f"{_POD}.{kind}[{index}].env: each entry must have a name"
                elif is_place(entry.get("value")) and "valueFrom" in entry:
                    yield f"{_POD}.{kind}[{index}].env: {entry['name']} has both value and valueFrom; remove one"
    for volume in pod.get("volumes") or ():
        if isinstance(volume, dict) and volume.get("name") == VOLUME:
            yield f"{_POD}.volumes: the name {VOLUME} is the operator's; choose another"


def _objects(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, dict) for item in value)


def _at(value: Any, *path: str) -> Json | None:
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else None
