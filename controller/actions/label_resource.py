"""label-resource and annotate-resource: set and remove keys of an object's labels or annotations."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

from controller.actions.about import About, Family, Right
from controller.actions.any_object import ObjectParameters, OnAnyObject, found
from controller.actions.field_changes import Difference, changes
from controller.actions.keys import LABEL_VALUE, check_free, check_keys
from controller.actions.races import racing
from controller.api.common import Undo
from controller.api.names import Risk
from controller.core.errors import PermanentFailure
from controller.core.ports import Done, Json, Operation, PreviewResult, Request, Target, Verified

ATTEMPTS = 3
MAX_KEYS = 32

Key = Annotated[str, Field(min_length=1, max_length=317)]
Keys = Annotated[tuple[Key, ...], Field(max_length=MAX_KEYS)]
LabelValue = Annotated[str, Field(pattern=LABEL_VALUE, max_length=63)]
AnnotationValue = Annotated[str, Field(max_length=4096)]

RIGHTS = (
    Right(
        "apps", ("deployments",), ("get", "patch"), why="for Deployments; one such rule for each kind it is used for"
    ),
)


class KeysParameters(ObjectParameters):
    """What labels and annotations have alike; the values that fit are the type's own."""

    remove: Keys = ()
    """Keys to remove."""
    expected_absent: Keys = ()
    """Change nothing unless these keys are not there."""

    @property
    def wanted(self) -> Mapping[str, str]:
        """The values to set, by key."""
        raise NotImplementedError

    @property
    def conditions(self) -> Mapping[str, str | None]:
        """What must be there first, by key; None: nothing."""
        raise NotImplementedError

    @property
    def outcome(self) -> dict[str, str | None]:
        """What is there once it is done; None: nothing."""
        return {**self.wanted, **dict.fromkeys(self.remove)}

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for field, keys in (("set", self.wanted), ("remove", self.remove)):
            try:
                check_keys(keys)
                check_free(keys)
            except ValueError as error:
                raise ValueError(f"{field}: {error}") from None
        if not self.outcome:
            raise ValueError("set: give at least one key here or in remove")
        if both := sorted(self.wanted.keys() & set(self.remove)):
            raise ValueError(f"remove: {both[0]} also stands in set")
        if stray := sorted(self.conditions.keys() - self.outcome.keys()):
            raise ValueError(f"expected: {stray[0]} stands neither in set nor in remove")
        return self


class LabelParameters(KeysParameters):
    set_values: Annotated[dict[str, LabelValue], Field(alias="set", max_length=MAX_KEYS, default_factory=dict)]
    """Labels to set: `example.com/team: checkout`. None of kubernetes.io and k8s.io but `app.kubernetes.io/...`."""
    expected: Annotated[dict[str, LabelValue], Field(max_length=MAX_KEYS, default_factory=dict)]
    """Change nothing unless these labels have these values now."""

    @property
    def wanted(self) -> Mapping[str, str]:
        return self.set_values

    @property
    def conditions(self) -> Mapping[str, str | None]:
        return {**self.expected, **dict.fromkeys(self.expected_absent)}


class AnnotationParameters(KeysParameters):
    set_values: Annotated[dict[str, AnnotationValue], Field(alias="set", max_length=MAX_KEYS, default_factory=dict)]
    """Annotations to set: `example.com/owner: checkout`. None of kubernetes.io and k8s.io."""
    expected: Annotated[dict[str, AnnotationValue], Field(max_length=MAX_KEYS, default_factory=dict)]
    """Change nothing unless these annotations have these values now."""

    @property
    def wanted(self) -> Mapping[str, str]:
        return self.set_values

    @property
    def conditions(self) -> Mapping[str, str | None]:
        return {**self.expected, **dict.fromkeys(self.expected_absent)}


class _SetKeys(OnAnyObject[KeysParameters]):
    """Absolute values, so that setting them again changes nothing."""

    field: ClassVar[str]
    verb: ClassVar[str]

    async def preview(self, request: Request[KeysParameters]) -> PreviewResult:
        resource, stored, target = await found(request)
        self._check_expected(request.parameters, stored, target)
        answer = await request.cluster.patch(resource, target.name, self._body(request), dry_run=True)
        before, after = self._values(request, stored), self._values(request, answer)
        changed = {key: value for key, value in before.items() if value != after[key]}
        if not changed:
            return PreviewResult(f"{target} has these {self.field} already.", target=target)
        differing = [Difference(("metadata", self.field, key), value, after[key]) for key, value in changed.items()]
        return PreviewResult(
            summary=f"{self.verb} {target}: {', '.join(sorted(changed))}.",
            changes=changes(target, differing),
            warnings=self._warnings(target),
            undo=Undo(action=self.name, parameters=_undo(request.parameters, changed, after)),
            target=target,
        )

    async def run(self, request: Request[KeysParameters], operation: Operation) -> Done:
        return await racing(lambda: self._run_once(request), attempts=ATTEMPTS)

    async def observe(self, request: Request[KeysParameters], operation: Operation) -> Done | None:
        _, stored, target = await found(request)
        return self._done(target) if self._is_so(request, stored) else None

    async def verify(self, request: Request[KeysParameters], operation: Operation) -> Verified:
        _, stored, target = await found(request)
        if self._is_so(request, stored):
            return Verified(True)
        return Verified(False, f"{target}: somebody else changed its {self.field} meanwhile")

    async def _run_once(self, request: Request[KeysParameters]) -> Done:
        resource, stored, target = await found(request)
        self._check_expected(request.parameters, stored, target)
        if self._is_so(request, stored):
            return self._done(target)
        body = self._body(request)
        body["metadata"]["uid"] = stored["metadata"]["uid"]
        if request.parameters.conditions:
            body["metadata"]["resourceVersion"] = stored["metadata"]["resourceVersion"]
        await request.cluster.patch(resource, target.name, body)
        before = {key: value for key, value in self._values(request, stored).items() if value is not None}
        return Done(f"{target} has its {self.field}.", {"previous": before})

    def _body(self, request: Request[KeysParameters]) -> Json:
        return {"metadata": {self.field: request.parameters.outcome}}

    def _values(self, request: Request[KeysParameters], stored: Json) -> dict[str, str | None]:
        """Those of the keys that it is about; None: not there."""
        there = stored["metadata"].get(self.field) or {}
        return {key: there.get(key) for key in request.parameters.outcome}

    def _is_so(self, request: Request[KeysParameters], stored: Json) -> bool:
        return self._values(request, stored) == request.parameters.outcome

    def _check_expected(self, parameters: KeysParameters, stored: Json, target: Target) -> None:
        """Raises PermanentFailure unless each key has the expected value, or already the wanted one."""
        there = stored["metadata"].get(self.field) or {}
        for key, expected in parameters.conditions.items():
            now = there.get(key)
            if now not in (expected, parameters.outcome[key]):
                is_now = "is not there" if now is None else f"is {now!r}"
                said = "expectedAbsent names it" if expected is None else f"expected says {expected!r}"
                raise PermanentFailure(f"{target}: {key} {is_now}, {said}: see what changed it, then propose again")

    def _warnings(self, target: Target) -> tuple[str, ...]:
        return ()

    def _done(self, target: Target) -> Done:
        return Done(f"{target} has its {self.field}.")


class LabelResource(_SetKeys):
    name = "label-resource"
    description = "Set or remove labels of an object."
    about = About(Family.OBJECTS, rights=RIGHTS, undone_by="the labels from before")
    risk = Risk.MEDIUM
    inverses = frozenset({name})
    parameters = LabelParameters
    field = "labels"
    verb = "Label"

    def _warnings(self, target: Target) -> tuple[str, ...]:
        if target.kind != "Pod":
            return ()
        return (f"Services, policies and what owns {target} choose pods by their labels: it may leave or join them",)


class AnnotateResource(_SetKeys):
    name = "annotate-resource"
    description = "Set or remove annotations of an object."
    about = About(Family.OBJECTS, rights=RIGHTS, undone_by="the annotations from before")
    risk = Risk.MEDIUM
    inverses = frozenset({name})
    parameters = AnnotationParameters
    field = "annotations"
    verb = "Annotate"


def _undo(parameters: KeysParameters, before: Mapping[str, str | None], after: Mapping[str, str | None]) -> Json:
    """Puts back what changed, each key only while it is as it was set."""
    parts: Json = {
        "set": {key: value for key, value in before.items() if value is not None},
        "remove": [key for key, value in before.items() if value is None],
        "expected": {key: value for key in before if (value := after[key]) is not None},
        "expectedAbsent": [key for key in before if after[key] is None],
    }
    named = {"apiVersion": parameters.api_version, "kind": parameters.kind, "name": parameters.name}
    return named | {name: part for name, part in parts.items() if part}
