"""A workflow's life for tests: the decisions are carried out, its proposals are kept, and a test ends them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from unit.core.making import NOW, WORKFLOW_UID, workflow, workflow_view

from controller.api.names import StepOutcome
from controller.api.proposal import ActionProposal
from controller.api.workflow import ActionWorkflow, StepStatus, WorkflowStatus
from controller.core.decision import Decision, Gather
from controller.core.ports import Json
from controller.core.steps import proposal_name, undo_name
from controller.core.view import Child, Earlier, WorkflowView
from controller.core.workflow import decide

MOST_ROUNDS = 50


class Life:
    """`go()` decides and carries out until nothing follows; returns how often the status was written."""

    def __init__(
        self, spec: Json | None = None, *, steps: Sequence[Json] = (), now: datetime = NOW, **world: Any
    ) -> None:
        self.spec = dict(spec or {})
        self.steps = steps
        self.world = world
        self.now = now
        self.status = WorkflowStatus()
        self.stored: dict[str, Json] = {}
        self.gone: set[str] = set()
        self.created: list[str] = []
        self.earlier: ActionWorkflow | None = None
        """What it retries, if that is there."""
        self.last: Decision[WorkflowStatus] = Decision()

    def view(self, children: Mapping[str, Child], findings: Any) -> WorkflowView:
        return workflow_view(
            self.spec, self.status, steps=self.steps, children=children, findings=findings, **self.world
        )

    def go(self) -> int:
        for writes in range(MOST_ROUNDS):
            self.last = decision = self._decided()
            if decision.status is None or decision.status.wire() == self.status.wire():
                return writes
            assert self.status.outcome is None, "a final status was written again"
            self.status = WorkflowStatus.model_validate(decision.status.wire())
            if decision.wake_at is None or decision.wake_at > self.now:
                again = self._decided()
                assert again.status is None or again.status.wire() == self.status.wire(), "it writes again at once"
                return writes + 1
        raise AssertionError("it never comes to rest")

    def _decided(self) -> Decision[WorkflowStatus]:
        read: dict[str, Child] = {}
        findings: Any = None
        for _ in range(MOST_ROUNDS):
            live = {name: self._child(raw) for name, raw in self.stored.items() if "outcome" not in raw["status"]}
            decision = decide(self.view(read | live, findings), self.now)
            if decision.gather is Gather.PREVIEW:
                findings = "all seen"
            elif decision.gather is Gather.EARLIER:
                self.world["earlier"] = Earlier(self.earlier)
            elif decision.read:
                read |= {name: self._read(name) for name in decision.read}
            elif decision.create:
                for step in decision.create:
                    if step.name not in self.stored:
                        self.put(step.name, step.body)
                        labels = step.body["metadata"]["labels"]
                        part = labels.get("actionoperator.dev/part")
                        undo = "undo " if part == "undo" else ""
                        self.created.append(undo + labels["actionoperator.dev/step"])
                    read[step.name] = self._read(step.name)
            else:
                return decision
        raise AssertionError("it asks for the same again and again")

    def put(self, name: str, body: Json) -> None:
        uid = str(uuid5(UUID(WORKFLOW_UID), f"{name}/{len(self.created)}"))
        self.stored[name] = {**body, "metadata": {**body["metadata"], "uid": uid}, "status": {}}

    def _child(self, raw: Json) -> Child:
        return Child(ActionProposal.model_validate(raw), raw["spec"])

    def _read(self, name: str) -> Child:
        return Child(None, {}) if name in self.gone or name not in self.stored else self._child(self.stored[name])

    def name_of(self, step: str) -> str:
        return proposal_name(workflow(self.spec, steps=self.steps)[0], step)

    def undo_of(self, step: str) -> Json:
        """The proposal that takes the step back."""
        return self.stored[undo_name(workflow(self.spec, steps=self.steps)[0], step)]

    def undone(self, step: str, outcome: str = "Succeeded", message: str = "") -> None:
        """What takes the step back has ended."""
        self.undo_of(step)["status"] |= {"outcome": outcome, "message": message or outcome}

    def say(self, step: str, **status: Any) -> None:
        """What the step's proposal says of itself from now on."""
        self.stored[self.name_of(step)]["status"] |= status

    def end(self, step: str, outcome: str = "Succeeded", message: str = "") -> None:
        self.say(step, outcome=outcome, message=message or outcome)

    def lose(self, step: str) -> None:
        """Somebody deleted the step's proposal."""
        self.gone.add(self.name_of(step))
        del self.stored[self.name_of(step)]

    def step(self, name: str) -> StepStatus:
        return next(step for step in self.status.steps if step.name == name)

    @property
    def running(self) -> set[str]:
        return {step.name for step in self.status.steps if step.uid and step.outcome is None}

    @property
    def outcomes(self) -> dict[str, StepOutcome | None]:
        return {step.name: step.outcome for step in self.status.steps}
