"""All built-in action types of this operator, by name. The tuple below is the whole list: nothing registers
itself.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

from pydantic import BaseModel

from controller.actions.base import Action
from controller.actions.cordon_node import CordonNode, UncordonNode
from controller.actions.http_request import HttpRequest
from controller.actions.log_message import LogMessage
from controller.actions.pause_rollout import PauseRollout, ResumeRollout
from controller.actions.restart_rollout import RestartRollout
from controller.actions.rollback_rollout import RollbackRollout
from controller.actions.run_job import RunJob
from controller.actions.scale_workload import ScaleWorkload
from controller.actions.set_hpa_bounds import SetHpaBounds
from controller.actions.set_image import SetImage
from controller.actions.set_resources import SetResources
from controller.actions.suspend_cronjob import ResumeCronJob, SuspendCronJob
from controller.actions.trigger_cronjob import TriggerCronJob
from controller.actions.wait import Wait
from controller.core.world import Traits


class Registry:
    """The executors by name. Implements `core.view.BuiltIns`."""

    def __init__(self, actions: tuple[Action[Any], ...]) -> None:
        self._actions = {action.name: action for action in actions}

    def __iter__(self) -> Iterator[Action[Any]]:
        return iter(self._actions.values())

    def __getitem__(self, name: str) -> Action[Any]:
        """The executor. Raises KeyError if there is none of that name."""
        return self._actions[name]

    def version(self, name: str) -> int | None:
        """Version of the executor, None if there is none of that name."""
        action = self._actions.get(name)
        return action.version if action else None

    def parse(self, name: str, parameters: Mapping[str, Any]) -> BaseModel:
        """The executor's parameters model. Raises ParameterFaultsError with one fault a line."""
        parsed: BaseModel = self[name].parse(parameters)
        return parsed

    def traits(self, name: str, parameters: Mapping[str, Any]) -> Traits:
        """What the executor says of an action with these parameters. Raises ParameterFaultsError."""
        action = self[name]
        parsed = action.parse(parameters)
        return Traits(action.acts_as_runner(parsed), action.idempotent and action.is_idempotent(parsed))


def built_ins(now: Callable[[], datetime]) -> Registry:
    """Every built-in type; `now` is the clock, in UTC."""
    return Registry(
        (
            Wait(now),
            LogMessage(),
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
            CordonNode(),
            UncordonNode(),
            HttpRequest(now),
            RunJob(),
        )
    )
