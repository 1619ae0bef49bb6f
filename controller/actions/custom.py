"""Executors of custom types, made from what the ActionType says: executor.job, executor.http, executor.patch."""

from collections.abc import Callable, Iterable
from datetime import datetime
from itertools import islice
from typing import Any

from controller.actions.base import Action
from controller.actions.custom_http import CustomHttp, http_faults
from controller.actions.custom_job import CustomJob, job_faults
from controller.actions.custom_patch import CustomPatch, patch_faults
from controller.actions.insertion import Declared
from controller.api.base import MAX_NESTING, MAX_OPAQUE_BYTES
from controller.core.digest import canonical
from controller.core.nesting import too_deep
from controller.core.world import TypeEntry

MAX_TOLD = 5
MOST_KEPT = 512
_Made = Action[Any] | str


class CustomTypes:
    """Makes the executor of each custom type once, by the digest of its spec."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._made: dict[str, _Made] = {}

    def fault(self, entry: TypeEntry) -> str | None:
        """What is wrong with the type's executor, with the places and what to do. None for a built-in one."""
        made = self._of(entry)
        return made if isinstance(made, str) else None

    def executor(self, entry: TypeEntry) -> Action[Any]:
        """Only for types without a fault."""
        made = self._of(entry)
        if isinstance(made, Action):
            return made
        raise AssertionError(f"an executor is asked for that cannot be made: {made}")

    def _of(self, entry: TypeEntry) -> _Made:
        made = self._made.get(entry.digest)
        if made is None:
            if len(self._made) >= MOST_KEPT:  # types that are gone or changed
                self._made.clear()
            made = self._made[entry.digest] = self._make(entry)
        return made

    def _make(self, entry: TypeEntry) -> _Made:
        spec, raw = entry.type.spec, entry.raw_spec.get("executor") or {}
        if too_deep(raw):
            return f"spec.executor: must be nested at most {MAX_NESTING} deep"
        try:
            size = len(canonical(raw))
        except ValueError as error:
            return f"spec.executor: {error}"
        if size > MAX_OPAQUE_BYTES:
            return f"spec.executor: must be at most {MAX_OPAQUE_BYTES} bytes as JSON (got {size})"
        if entry.parameters.fault:
            return entry.parameters.fault
        declared = Declared.of(spec.parameters)
        if (http := spec.executor.http) is not None:
            return _told(http_faults(http, declared)) or CustomHttp(http, declared, self._now)
        if (job := spec.executor.job) is not None:
            return _told(job_faults(job, declared)) or CustomJob(job, declared)
        if (patch := spec.executor.patch) is not None:
            return _told(patch_faults(patch, declared)) or CustomPatch(patch, at_most_once=not spec.idempotent)
        return "spec.executor: must be one of builtIn, job, http, patch"


def _told(faults: Iterable[str]) -> str:
    return "; ".join(islice(faults, MAX_TOLD))
