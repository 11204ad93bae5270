"""LiveRun: what happens in the scene while a worker registers two of its volumes."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterator
from typing import Any

from DiffusionCore.checks import DiffusionCoreError
from DiffusionCore.jobs.events import Event, Failed, Finished, Measure, Progress, Started, StepMade
from DiffusionCore.jobs.runner import Runner
from DiffusionCore.jobs.specification import RegistrationJob, ResumePoint
from DiffusionCore.mrml import messages
from DiffusionCore.mrml.checks import findings
from DiffusionCore.mrml.following import Following
from DiffusionCore.mrml.guard import Guard
from DiffusionCore.mrml.labels import with_names
from DiffusionCore.mrml.outputs import OutputNodes, Outputs
from DiffusionCore.mrml.pace import Pace
from DiffusionCore.mrml.preparation import Prepared, origin, preparing
from DiffusionCore.mrml.request import RegistrationRequest
from DiffusionCore.mrml.run_account import RunAccount
from DiffusionCore.mrml.run_state import RunState
from DiffusionCore.mrml.sequences import StepSequence
from DiffusionCore.mrml.step_items import KeptStep
from DiffusionCore.mrml.undo import UndoPoint
from DiffusionCore.mrml.worker_command import process_runner

_PATIENCE = 0.01  # seconds that one poll may work on what can be cut in parts
_NOTHING_CHANGED = "Stopped before the first step; nothing was changed."
_UNEXPECTED = "The result could not be shown because of an error in the program. The log has the details."


class LiveRun(RunAccount):
    """One registration, from the press of the button to its end. Nothing waits: call ``poll`` 10-20 times a second.

    The constructor checks the request and changes nothing in the scene. With the first step appear the output
    transform, unless it was given, and the sequence of steps, and the moving volume goes under the output; at the end
    come the moved volume, the tables, the chart and the uncertainty. The output always holds the step that is shown.

    A run that ends without any step leaves the scene as it was; otherwise its steps are kept, also if it failed. If the
    user deletes a node that the run needs, or closes the scene, the worker is ended at once, and the next ``poll``
    brings the scene back to what it was, less what the user deleted.

    Attributes:
        request: what was asked for.
        state: changes only within ``poll``, ``stop``, ``force_stop`` and ``close``.
        message: after the end: one or two sentences for the user; "" if there is nothing to say (scene closed).
        details: after a failure: for the log.
        measures: of the result, after the end.
        cautions: what the user must be told about the result, after the end.
        seconds: per phase, after the end.
        scene_closed: the end came from closing the scene.
    """

    def __init__(
        self,
        request: RegistrationRequest,
        runner_of: Callable[[RegistrationJob], Runner] | None = None,
        *,
        resume: int | None = None,
        updates_per_second: float = 10.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Prepare a run of ``request``; nothing starts before the first ``poll``.

        Args:
            request: the nodes and settings.
            runner_of: makes the runner of a job; None makes a worker process.
            resume: the item (0 is the first) of the active branch of the output transform to go on from.
            updates_per_second: how often the output follows at most.
            clock: seconds, for the updates and the time that the run took.

        Raises:
            DiffusionCoreError: why this request cannot run; the text is for the user.
        """
        super().__init__(clock)
        for finding in findings(request):
            if finding.prevents:
                raise DiffusionCoreError(finding.text)
        self.request, self.state = request, RunState.STARTING
        self.message = self.details = ""
        self.measures: tuple[Measure, ...] = ()
        self.cautions: tuple[str, ...] = ()
        self.seconds: dict[str, float] = {}
        self.scene_closed = False
        resume_point, self._inherited = origin(request, resume)
        self._undo: UndoPoint | None = UndoPoint.of(request)
        self._outputs = Outputs(request, self._undo, branch_at=resume)
        self._runner_of = runner_of or process_runner
        self._runner: Runner | None = None
        self._prepared: Prepared | None = None
        self._pace = Pace(updates_per_second, clock)
        self._waiting: list[StepMade] = []
        self._following = Following()
        self._end: Finished | None = None
        self._work: Iterator[None] | None = self._starting(resume_point)
        self._guard = Guard(request, self._let_runner_go)

    @property
    def nodes(self) -> OutputNodes:
        """What there is in the scene so far."""
        return self._outputs.nodes

    @property
    def following(self) -> bool:
        """Whether the newest step is shown as it comes ("Live"); setting it to True goes to the newest step.

        Selecting an earlier step turns it off, selecting the last one on; the computation goes on in any case.
        """
        return self._following.look(self._steps())

    @following.setter
    def following(self, following: bool) -> None:
        self._following.switch(following, self._steps())

    def poll(self) -> bool:
        """Take in what the worker has reported, within a few milliseconds; return whether anything has changed."""
        if self.state.ended:
            return False
        before = self._facts()
        self._guard.look()
        if self._guard.lost or self._guard.scene_closed:
            self._abandon()
            return True
        try:
            self._advance()
        except DiffusionCoreError as error:
            self._fail(str(error))
        except Exception:  # whatever it is, the worker must not outlive it, and the user must hear of it
            self._fail(_UNEXPECTED, traceback.format_exc())
        return self._facts() != before

    def stop(self) -> None:
        """Ask for the end after the current step; the steps so far are kept."""
        if self.state in (RunState.STARTING, RunState.RUNNING) and self._end is None:
            self.state = RunState.STOPPING
            if self._runner is not None:
                self._runner.stop()

    def force_stop(self) -> None:
        """End the computation now; the steps so far are kept."""
        if not self.state.ended and self._end is None:
            self.state = RunState.STOPPING
            if self._runner is not None:
                self._runner.kill()

    def close(self) -> None:
        """End it now, leaving no process and no observer; the steps so far are kept. May be called twice."""
        if not self.state.ended:
            if self._guard.lost or self._guard.scene_closed:
                self._abandon()
            else:
                self._fail("The registration was ended.")

    @property
    def can_undo(self) -> bool:
        """Whether ``undo`` would change anything: the run has ended and left something that is still there."""
        transform = self.nodes.transform
        left = self._outputs.begun and transform is not None and transform.GetScene() is not None
        return bool(self.state.ended and self._undo is not None and left)

    def undo(self) -> None:
        """Bring the scene back to what it was before this run; once."""
        if self.can_undo and self._undo is not None:
            self._undo.restore()
            self.forget()

    def forget(self) -> None:
        """Give up the possibility to undo, and with it the nodes that were held for it."""
        self._undo = None

    def _starting(self, resume: ResumePoint | None) -> Iterator[None]:
        yield
        self._prepared = yield from preparing(self.request, resume)
        self.activity = "Starting..."
        self._runner = self._runner_of(self._prepared.job)

    def _advance(self) -> None:
        if self.state is RunState.STOPPING and self._runner is None:
            self._end_without_steps()
            return
        if self._work is not None:
            self._work_for_a_moment()
        if self._runner is not None and self._end is None:
            for event in self._runner.poll():
                self._apply(event)
                if self.state.ended:
                    return
        if self._waiting and (self._end is not None or self._pace.is_due()):
            self._take_in()

    def _work_for_a_moment(self) -> None:
        until = time.perf_counter() + _PATIENCE
        while self._work is not None and not self.state.ended and time.perf_counter() < until:
            if next(self._work, self) is self:
                self._work = None

    def _apply(self, event: Event) -> None:
        self._note(event)
        match event:
            case Progress() if self.step is not None and self.state is RunState.RUNNING:
                self.of = self.step + 1  # what follows the steps: there were fewer than expected if a phase ended early
            case Started():
                if self.state is RunState.STARTING:
                    self.state = RunState.RUNNING
            case StepMade():
                self._waiting.append(event)
            case Finished():
                self._let_runner_go()
                self._end = event
                self._work = self._finishing(event)
            case Failed():
                self._let_runner_go()
                if self.state is RunState.STOPPING and not self.history:
                    self._end_without_steps()
                else:
                    self._fail(event.message, event.details)

    def _take_in(self) -> None:
        """Bring the steps that wait into the scene."""
        made, self._waiting = self._waiting, []
        self._pace.mark()
        begun = self._outputs.begun
        self._outputs.take_in(made, show=self.following)
        self._following.note(self._outputs.steps)
        if not begun:
            self._guard.watch("output transform", self.nodes.transform)

    def _finishing(self, end: Finished) -> Iterator[None]:
        if not self.history or self._prepared is None:
            self._end_without_steps()
            return
        yield
        self.activity = "Writing the result..."
        self.measures, self.seconds = with_names(end.measures, self._prepared.label_names), end.seconds
        self.cautions = end.cautions
        grid = self._prepared.job.fixed.grid
        yield from self._outputs.finishing(end, self.measures, self._all_steps(), grid)
        if end.stopped:
            complete = not self.request.wants_volume or (end.moved is not None or end.moved_labels is not None)
            text, state = messages.stopped(self.history[-1].index, self.of, complete=complete), RunState.STOPPED
        else:
            text, state = messages.done(self.elapsed, self.measures), RunState.FINISHED
        self.message = " ".join((text, *self.cautions))
        self._conclude(state)

    def _end_without_steps(self) -> None:
        self._give_back()
        self.message = _NOTHING_CHANGED
        self._conclude(RunState.STOPPED)

    def _fail(self, message: str, details: str = "") -> None:
        """End with what there is: the steps are kept; without any, the scene is as it was."""
        self.message, self.details = message, details
        try:
            if self._waiting:
                self._take_in()
            if self._outputs.begun:
                self._outputs.conclude(self._all_steps())
        except Exception:  # the scene refuses what is to be kept; then it gets back what it had
            self.details = "\n".join(filter(None, (details, traceback.format_exc())))
            self._give_back()
        if self._outputs.begun:
            self.message = messages.kept(message, self._all_steps(), in_sequence=self._outputs.steps is not None)
        else:
            self._give_back()
        self._conclude(RunState.FAILED)

    def _abandon(self) -> None:
        """End because the user has taken away what the run needs."""
        self.scene_closed = self._guard.scene_closed
        if not self.scene_closed:
            self.message = f"Stopped: the {self._guard.lost} was removed."
            self._give_back()
        self.forget()
        self._conclude(RunState.FAILED)

    def _give_back(self) -> None:
        if self._undo is not None:
            self._undo.restore(views=False)
        self._outputs.forget()

    def _conclude(self, state: RunState) -> None:
        self.state = state
        self._close_account()
        self._work, self._waiting = None, []
        self._let_runner_go()
        self._guard.release()
        self._runner = self._prepared = self._end = None  # they hold images

    def _let_runner_go(self) -> None:
        if self._runner is not None:
            self._runner.close()

    def _steps(self) -> StepSequence | None:
        return self._outputs.steps if self._outputs.begun else None

    def _all_steps(self) -> list[KeptStep]:
        return [*self._inherited, *self.history]

    def _facts(self) -> tuple[Any, ...]:
        counts = len(self.log), len(self._waiting)
        return self.state, self.step, self.activity, self.device, *counts, *self._following.facts()
