"""suspend-cronjob and resume-cronjob: whether a CronJob starts Jobs by its schedule. Each undoes the other."""

from controller.actions.about import About, Family, Right
from controller.actions.flag import NamedParameters, SetFlag
from controller.actions.objects import ObjectName
from controller.api.names import Risk
from controller.core.ports import Json, Resource, Target, Verified

CRON_JOBS = Resource("batch", "v1", "cronjobs", "CronJob")
_RIGHTS = (Right("batch", ("cronjobs",), ("get", "patch")),)


class CronJobParameters(NamedParameters):
    name: ObjectName
    """Name of the CronJob, in the proposal's namespace."""


class SuspendCronJob(SetFlag[CronJobParameters]):
    name = "suspend-cronjob"
    description = "Suspend a CronJob: its schedule starts no Jobs any more. Those that run go on."
    about = About(Family.WORKLOADS, rights=_RIGHTS, undone_by="resume-cronjob")
    risk = Risk.MEDIUM
    parameters = CronJobParameters
    resource = CRON_JOBS
    field = "suspend"
    value = True
    inverses = frozenset({"resume-cronjob"})
    verb = "Suspend"
    then = "suspended"

    def warnings(self, found: Json, target: Target) -> tuple[str, ...]:
        running = running_jobs(found)
        return (f"{target} has Jobs that run, and they go on: {', '.join(running)}",) if running else ()

    def reached(self, found: Json) -> Verified:
        return Verified(True, "Its schedule starts nothing any more.")


class ResumeCronJob(SetFlag[CronJobParameters]):
    name = "resume-cronjob"
    description = "Let a suspended CronJob start Jobs by its schedule again."
    about = About(Family.WORKLOADS, rights=_RIGHTS, undone_by="suspend-cronjob")
    risk = Risk.MEDIUM
    parameters = CronJobParameters
    resource = CRON_JOBS
    field = "suspend"
    value = False
    inverses = frozenset({"suspend-cronjob"})
    verb = "Resume"
    then = "resumed"

    def warnings(self, found: Json, target: Target) -> tuple[str, ...]:
        within = found["spec"].get("startingDeadlineSeconds")
        which = "its last missed run" if within is None else f"a run that was missed in the last {within} s"
        return (f"{target} may start {which} at once, beside its schedule {found['spec']['schedule']}",)

    def reached(self, found: Json) -> Verified:
        return Verified(True, "Its schedule starts Jobs again.")


def running_jobs(cron_job: Json) -> list[str]:
    """The names of its Jobs that run."""
    return [job["name"] for job in cron_job.get("status", {}).get("active", ())]
