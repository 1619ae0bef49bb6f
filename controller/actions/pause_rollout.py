"""pause-rollout and resume-rollout: whether a Deployment's controller rolls its template out. Each undoes the other."""

from controller.actions.about import About, Family, Right
from controller.actions.flag import NamedParameters, SetFlag
from controller.actions.objects import ObjectName
from controller.actions.workloads import WORKLOADS, rolled_out, seen_by_its_controller
from controller.api.names import Risk
from controller.core.errors import EffectFailed
from controller.core.ports import Json, Target, Verified

_RIGHTS = (Right("apps", ("deployments",), ("get", "patch")),)


class PausedParameters(NamedParameters):
    name: ObjectName
    """Name of the Deployment, in the proposal's namespace."""


class PauseRollout(SetFlag[PausedParameters]):
    name = "pause-rollout"
    description = "Pause the rollout of a Deployment: its pods stay as they are, also when its template changes."
    about = About(Family.WORKLOADS, rights=_RIGHTS, undone_by="resume-rollout")
    risk = Risk.MEDIUM
    parameters = PausedParameters
    resource = WORKLOADS["Deployment"]
    field = "paused"
    value = True
    inverses = frozenset({"resume-rollout"})
    verb = "Pause"
    then = "paused"

    def warnings(self, found: Json, target: Target) -> tuple[str, ...]:
        moving = unfinished(found)
        return (f"A rollout of {target} is under way and stops as it is: {moving}",) if moving else ()

    def reached(self, found: Json) -> Verified:
        return seen_by_its_controller(found, "Its controller rolls nothing out any more.")


class ResumeRollout(SetFlag[PausedParameters]):
    name = "resume-rollout"
    description = "Resume the rollout of a paused Deployment and wait until its pods are those of its template."
    about = About(Family.WORKLOADS, rights=_RIGHTS, undone_by="pause-rollout")
    risk = Risk.MEDIUM
    timeout_seconds = 900
    parameters = PausedParameters
    resource = WORKLOADS["Deployment"]
    field = "paused"
    value = False
    inverses = frozenset({"pause-rollout"})
    verb = "Resume"
    then = "resumed"

    def warnings(self, found: Json, target: Target) -> tuple[str, ...]:
        waiting = unfinished(found)
        return (f"What was changed in {target} while it was paused is rolled out now: {waiting}",) if waiting else ()

    def reached(self, found: Json) -> Verified:
        return rolled_out(found)


def unfinished(deployment: Json) -> str:
    """What its rollout still lacks, empty where it is done."""
    try:
        seen = rolled_out(deployment)
    except EffectFailed as error:
        return str(error)
    return "" if seen.ok else seen.message
