"""The executors behind action types: the built-in ones by name, those of custom types made from what they say.

The tuple below is the whole list of built-in types: nothing registers itself.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

from controller.actions.apply_manifest import ApplyManifest
from controller.actions.argocd_sync import ArgoCdSync
from controller.actions.ask import Ask
from controller.actions.assertion import Assert
from controller.actions.base import Action
from controller.actions.cordon_node import CordonNode, UncordonNode
from controller.actions.custom import CustomTypes
from controller.actions.delete_failed_pods import DeleteFailedPods
from controller.actions.delete_job import DeleteJob
from controller.actions.delete_resource import DeleteResource
from controller.actions.drain_node import DrainNode
from controller.actions.flux_reconcile import FluxReconcile
from controller.actions.flux_suspend import FluxResume, FluxSuspend
from controller.actions.http_request import HttpRequest
from controller.actions.label_resource import AnnotateResource, LabelResource
from controller.actions.log_message import LogMessage
from controller.actions.patch_resource import PatchResource
from controller.actions.pause_rollout import PauseRollout, ResumeRollout
from controller.actions.remove_pod import DeletePod, EvictPod
from controller.actions.restart_rollout import RestartRollout
from controller.actions.rollback_rollout import RollbackRollout
from controller.actions.run_job import RunJob
from controller.actions.scale_workload import ScaleWorkload
from controller.actions.set_hpa_bounds import SetHpaBounds
from controller.actions.set_image import SetImage
from controller.actions.set_resources import SetResources
from controller.actions.suspend_cronjob import ResumeCronJob, SuspendCronJob
from controller.actions.taint_node import TaintNode, UntaintNode
from controller.actions.trigger_cronjob import TriggerCronJob
from controller.actions.wait import Wait
from controller.core.answers import Question
from controller.core.world import Traits, TypeEntry


class Registry:
    """The executors. Implements `core.world.Executors`. Iterates over the built-in ones."""

    def __init__(self, actions: tuple[Action[Any], ...], custom: CustomTypes) -> None:
        self._actions = {action.name: action for action in actions}
        self._custom = custom

    def __iter__(self) -> Iterator[Action[Any]]:
        return iter(self._actions.values())

    def __getitem__(self, name: str) -> Action[Any]:
        """The executor. Raises KeyError if there is none of that name."""
        return self._actions[name]

    def of(self, entry: TypeEntry) -> Action[Any]:
        """The executor of a type that has no `fault`."""
        built_in = entry.type.spec.executor.built_in
        return self[built_in.name] if built_in else self._custom.executor(entry)

    def fault(self, entry: TypeEntry) -> str | None:
        """Why nothing here runs the type."""
        executor = entry.type.spec.executor
        if executor.built_in is None:
            return self._custom.fault(entry)
        name, wanted = executor.built_in.name, executor.built_in.version
        action = self._actions.get(name)
        if action is None:
            return f"spec.executor.builtIn.name: this operator has no executor {name}"
        if action.version != wanted:
            return (
                f"spec.executor.builtIn.version: this operator has {name} in version {action.version}, not {wanted}; "
                "apply the catalogue that came with it"
            )
        return None

    def inverses(self, entry: TypeEntry) -> frozenset[str]:
        """Names of the types that its own undo may use."""
        return self.of(entry).inverses

    def question(self, entry: TypeEntry, parameters: Mapping[str, Any]) -> Question | None:
        """What must be answered before it may start. Raises ParameterFaultsError."""
        action = self.of(entry)
        return action.question(action.parse(parameters)) if action.asks else None

    def traits(self, entry: TypeEntry, parameters: Mapping[str, Any] | None) -> Traits:
        """What the executor says of an action with these parameters. Raises ParameterFaultsError."""
        action = self.of(entry)
        if parameters is None:
            return Traits(action.needs_runner, action.idempotent)
        parsed = action.parse(parameters)
        repeatable = action.idempotent and action.is_idempotent(parsed)
        return Traits(action.acts_as_runner(parsed), repeatable, action.generic_kind(parsed))


def built_ins(now: Callable[[], datetime], more: tuple[Action[Any], ...] = ()) -> Registry:
    """Every built-in type, and those of plug-ins; `now` is the clock, in UTC."""
    return Registry(
        (
            Wait(now),
            LogMessage(),
            Assert(now),
            Ask(),
            ScaleWorkload(),
            RestartRollout(now),
            RollbackRollout(),
            PauseRollout(),
            ResumeRollout(),
            SetImage(),
            SetResources(),
            SetHpaBounds(),
            SuspendCronJob(),
            ResumeCronJob(),
            TriggerCronJob(),
            DeletePod(),
            EvictPod(now),
            DeleteFailedPods(),
            CordonNode(),
            UncordonNode(),
            DrainNode(now),
            TaintNode(),
            UntaintNode(),
            LabelResource(),
            AnnotateResource(),
            PatchResource(),
            ApplyManifest(),
            DeleteResource(),
            RunJob(),
            DeleteJob(),
            HttpRequest(now),
            FluxReconcile(),
            FluxSuspend(),
            FluxResume(),
            ArgoCdSync(),
            *more,
        ),
        CustomTypes(now),
    )
