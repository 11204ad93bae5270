"""LiveRun: what happens in the scene while a worker registers two of its volumes."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterator
from enum import Enum
from typing import Any

from DiffusionCore.checks import DiffusionCoreError
from DiffusionCore.jobs.events import Event, Failed, Finished, Log, Measure, Progress, Started, StepMade
from DiffusionCore.jobs.runner import Runner
from DiffusionCore.jobs.specification import RegistrationJob, ResumePoint
from DiffusionCore.mrml.checks import Severity, findings
from DiffusionCore.mrml.guard import Guard
from DiffusionCore.mrml.nodes import add_node
from DiffusionCore.mrml.outputs import TABLE, OutputNodes, output_of
from DiffusionCore.mrml.pace import Pace, remaining_seconds
from DiffusionCore.mrml.request import RegistrationRequest
from DiffusionCore.mrml.sequences import KeptStep, StepSequence, base_name
from DiffusionCore.mrml.tables import metrics_to_node
from DiffusionCore.mrml.transforms import plain_from_node, plain_to_node, put_under, set_provenance, stands_under
from DiffusionCore.mrml.undo import UndoPoint
from DiffusionCore.mrml.volumes import volume_from_node, writing
from DiffusionCore.space import Volume
from DiffusionCore.space.plain import Matrix

_PATIENCE = 0.03  # seconds that one poll may work on what can be cut in parts


class RunState(Enum):
    """Where a run stands; the last three are ends."""

    STARTING = "starting"  # reading the volumes, starting the worker, loading the model
    RUNNING = "running"
    STOPPING = "stopping"
    STOPPED = "stopped"
    FINISHED = "finished"
    FAILED = "failed"

    @property
    def ended(self) -> bool:
        return self in (RunState.STOPPED, RunState.FINISHED, RunState.FAILED)


class LiveRun:
    """One registration, from the press of the button to its end. Nothing waits: call ``poll`` 10-20 times a second.

    The constructor checks the request and changes nothing in the scene. The output transform (and the sequence of
    steps) appear, and the moving volume goes under the output, with the first step; tables, plots and the moved volume
    at the end. The output transform always holds the step that is shown.

    If a run ends without any step, the scene is as it was before; with steps, they are kept, also if it failed. If the
    user deletes a node of the run or closes the scene, the worker is ended at once, and the next ``poll`` brings the
    scene back to what it was, less what the user deleted.

    Attributes:
        state: changes only within ``poll``, ``stop``, ``force_stop`` and ``close``.
        step: the newest step that was computed, from 0; None before the first.
        of: how many steps there will be; None if unknown.
        phase: what made the newest step; "" before it.
        activity: what is being done now, in words, where no step says it ("Reading the volumes...").
        message: after the end: one or two sentences for the user; "" if there is nothing to say (scene closed).
        details: after a failure: for the log.
        log: lines that the computation printed, and its progress.
        history: what is known of each step so far, without transforms.
        measures, seconds: of the result, after the end.
        device: where it computes; "" until that is known.
        nodes: what there is in the scene so far.
        scene_closed: the end came from closing the scene.
        can_undo: the scene can be brought back to before this run.

    Raises:
        DiffusionCoreError: in the constructor: why this request cannot run.
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
        """Prepare a run of ``request``; ``resume`` is the item of the active branch of its transform to go on from.

        ``runner_of`` makes the runner (ProcessRunner if None); the output follows at most ``updates_per_second``.
        """
        for finding in findings(request):
            if finding.severity is Severity.ERROR:
                raise DiffusionCoreError(finding.text)
        self.request, self.state = request, RunState.STARTING
        self.step: int | None = None
        self.of: int | None = None
        self.phase = self.message = self.details = self.device = ""
        self.activity = "Reading the volumes..."
        self.log: list[str] = []
        self.history: list[KeptStep] = []
        self.measures: tuple[Measure, ...] = ()
        self.seconds: dict[str, float] = {}
        self.scene_closed = False
        self._undo_point = UndoPoint.of(request)
        self._scene = request.fixed.GetScene()
        self._nodes = OutputNodes(request.transform, request.volume)
        self._runner_of = runner_of or _process_runner
        self._runner: Runner | None = None
        self._resume = self._resume_point(resume)
        self._branch_at = resume
        self._former = [] if resume is not None or request.transform is None else StepSequence.all_of(request.transform)
        self._clock, self._pace = clock, Pace(updates_per_second, clock)
        self._waiting: list[StepMade] = []
        self._made_at: list[float] = []
        self._following, self._selected = True, -1
        self._work: Iterator[None] | None = self._preparing()
        self._end: Finished | None = None
        self._guard = Guard(self._scene, self._roles(), self._on_loss)

    @property
    def nodes(self) -> OutputNodes:
        """What there is in the scene so far."""
        return self._nodes

    @property
    def following(self) -> bool:
        """Whether the newest step is shown as it comes ("Live"); setting it to True goes to the newest step.

        Selecting an earlier step turns it off, selecting the last one on; the computation goes on in any case.
        """
        self._notice_scrubbing()
        return self._following

    @following.setter
    def following(self, following: bool) -> None:
        self._notice_scrubbing()
        self._following = following
        if following and self._steps_present():
            self._show_newest()

    @property
    def seconds_left(self) -> float | None:
        """How long it will probably take; None while that cannot be said."""
        if self.state.ended or self.of is None or self.step is None:
            return None
        return remaining_seconds(self._made_at, self.of - self.step - 1, now=time.time())

    def poll(self) -> bool:
        """Take in what the worker has reported, within a few milliseconds; return whether anything has changed."""
        if self.state.ended:
            return False
        before = self._facts()
        if self._guard.lost or self._guard.scene_closed:
            self._abandon()
            return True
        try:
            self._advance()
        except DiffusionCoreError as error:
            self._fail(str(error), "")
        except Exception:  # whatever it is, the worker must not outlive it, and the user must hear of it
            self._fail("Something unexpected happened while the result was shown.", traceback.format_exc())
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

    @property
    def can_undo(self) -> bool:
        """Whether ``undo`` would change anything: the run has ended and left something that is still there."""
        left = self.history and self._nodes.transform is not None and self._scene.IsNodePresent(self._nodes.transform)
        return bool(self.state.ended and self._undo_point is not None and left)

    def undo(self) -> None:
        """Bring the scene back to what it was before this run; once."""
        if self.can_undo:
            self._undo_point.restore()
            self.forget()

    def forget(self) -> None:
        """Give up the possibility to undo, and with it the nodes that were held for it."""
        self._undo_point = None

    def close(self) -> None:
        """End it now, leaving no process and no observer; the steps so far are kept. May be called twice."""
        if not self.state.ended:
            self._fail("The registration was ended.", "")
        self._release()

    # what follows happens within poll

    def _advance(self) -> None:
        if self._runner is not None and self._end is None:
            for event in self._runner.poll():
                self._apply(event)
        if self.state.ended:
            return
        if self._work is not None:
            self._work_for_a_moment()
        if self._waiting and (self._end is not None or self._pace.is_due()):
            self._take_in_steps()

    def _work_for_a_moment(self) -> None:
        until = time.perf_counter() + _PATIENCE
        while self._work is not None and time.perf_counter() < until:
            if next(self._work, self) is self:
                self._work = None

    def _preparing(self) -> Iterator[None]:
        """Read the nodes part by part, then start the worker."""
        request = self.request
        yield
        if self.state is RunState.STOPPING:
            self._finish_without_steps()
            return
        below = request.transform if stands_under(request.moving, request.transform) else None
        fixed, moving = volume_from_node(request.fixed), volume_from_node(request.moving, below=below)
        yield
        job = RegistrationJob(
            fixed=fixed,
            moving=moving,
            method=request.method,
            settings=request.settings,
            seed=request.seed,
            device=request.device,
            initial=self._initial(below),
            resume=self._resume,
            samples=request.samples,
            want_moved=request.volume is not None or request.make_volume,
        )
        self.activity = "Starting..."
        self._fixed_grid = fixed.grid
        self._runner = self._runner_of(job)
        if self.state is RunState.STOPPING:
            self._runner.stop()

    def _apply(self, event: Event) -> None:
        match event:
            case Started():
                self.device, self.activity = event.device, ""
                if self.state is RunState.STARTING:
                    self.state = RunState.RUNNING
            case Progress():
                self.activity = event.text
                self.log.append(event.text)
            case Log():
                self.log.append(event.text)
            case StepMade():
                self._waiting.append(event)
                self._made_at.append(event.made_at)
                self.history.append(KeptStep(event.index, event.phase, event.time, event.metrics))
                self.step, self.of, self.phase, self.activity = event.index, event.of, event.phase, ""
            case Finished():
                self._end = event
                self._runner.close()
                self._work = self._finishing(event)
            case Failed():
                self._runner.close()
                if self.state is RunState.STOPPING and not self.history:
                    self._finish_without_steps()
                else:
                    self._fail(event.message, event.details)

    def _take_in_steps(self) -> None:
        """Keep the steps that wait, and show the newest one if the user follows."""
        steps, self._waiting = self._waiting, []
        self._pace.mark()
        first = self._nodes.transform is None or self.history[0].index == steps[0].index
        if first:
            self._prepare_outputs()
        self._notice_scrubbing()
        if self._steps_present():
            self._nodes.steps.extend(steps, show=self._following)
            self._selected = self._nodes.steps.shown
        else:
            plain_to_node(steps[-1].transform, self._nodes.transform)
        if first and self.request.carry:
            for node in (self.request.moving, self.request.moving_segmentation):
                if node is not None:
                    put_under(node, self._nodes.transform)

    def _prepare_outputs(self) -> None:
        """Add the output transform, if there is none, and the sequence of the steps."""
        request, nodes = self.request, self._nodes
        transform, steps = nodes.transform, None
        if transform is None:
            name = f"{request.moving.GetName()} to {request.fixed.GetName()} transform"
            transform = self._undo_point.created(add_node(self._scene, "vtkMRMLTransformNode", name))
            self._guard.watch("output transform", transform)
        if request.keep_steps and self._branch_at is not None:
            steps = StepSequence.active_of(transform).branch_from(self._branch_at)
        elif request.keep_steps:
            steps = StepSequence.create(transform)
        if steps is not None:
            self._undo_point.added(steps)
            self._selected = steps.shown
        self._nodes = OutputNodes(transform, nodes.volume, steps)

    def _finishing(self, end: Finished) -> Iterator[None]:
        """Write what a result consists of, part by part."""
        if self._waiting:
            self._take_in_steps()
        if not self.history:
            self._finish_without_steps()
            return
        request, nodes = self.request, self._nodes
        self.measures, self.seconds = end.measures, end.seconds
        volume = nodes.volume
        if end.moved is not None:
            self.activity = "Writing the moved volume..."
            if volume is None:
                name = f"{request.moving.GetName()} registered"
                volume = self._undo_point.created(add_node(self._scene, request.moving.GetClassName(), name))
            yield from writing(Volume(end.moved, self._fixed_grid), volume, display=request.moving)
        table = output_of(
            nodes.transform,
            TABLE,
            "vtkMRMLTableNode",
            f"{base_name(nodes.transform)} metrics",
            self._undo_point.created,
        )
        metrics_to_node(self.history, table)
        for former in self._former:
            former.remove()
        set_provenance(nodes.transform, fixed=request.fixed, moving=request.moving)
        steps = nodes.steps if self._steps_present() else None
        self._nodes = OutputNodes(nodes.transform, volume, steps, table)
        self.activity = ""
        self.message = "Stopped." if end.stopped else "Done."
        self._conclude(RunState.STOPPED if end.stopped else RunState.FINISHED)

    def _finish_without_steps(self) -> None:
        self._undo_point.restore()
        self.message = "Stopped before the first step; nothing was changed."
        self._conclude(RunState.STOPPED)

    def _fail(self, message: str, details: str) -> None:
        """End with what there is: the steps are kept; without any, the scene is as it was."""
        self.details = details
        try:
            if self._waiting:
                self._take_in_steps()
        except Exception:
            self.details = "\n".join(filter(None, (details, traceback.format_exc())))
        if self.history and self._nodes.steps is not None:
            for former in self._former:
                former.remove()
        elif not self.history:
            self._undo_point.restore()
            self._nodes = OutputNodes(self.request.transform, self.request.volume)
        self.message = message
        self._conclude(RunState.FAILED)

    def _abandon(self) -> None:
        """End because the user has taken away what the run needs."""
        self.scene_closed = self._guard.scene_closed
        self.message = "" if self.scene_closed else f"Stopped: the {self._guard.lost} was removed."
        if not self.scene_closed:
            self._undo_point.restore()
        self.forget()
        self._nodes = OutputNodes(None)
        self._conclude(RunState.FAILED)

    def _conclude(self, state: RunState) -> None:
        self.state = state
        self._work, self._waiting = None, []
        self._release()

    def _release(self) -> None:
        self._guard.release()
        if self._runner is not None:
            self._runner.close()

    def _on_loss(self) -> None:
        if self._runner is not None:
            self._runner.close()

    def _notice_scrubbing(self) -> None:
        if not self._steps_present():
            return
        steps = self._nodes.steps
        if steps.shown != self._selected:
            self._selected = steps.shown
            self._following = steps.shown == len(steps) - 1 and not steps.browser.GetPlaybackActive()

    def _show_newest(self) -> None:
        self._nodes.steps.select(len(self._nodes.steps) - 1)
        self._selected = self._nodes.steps.shown

    def _steps_present(self) -> bool:
        return self._nodes.steps is not None and self._nodes.steps.is_present()

    def _initial(self, below: Any) -> Matrix | None:
        if self.request.initial is not None:
            return plain_from_node(self.request.initial)
        if self.request.moving.GetParentTransformNode() is not below:
            return Matrix([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
        return None

    def _resume_point(self, number: int | None) -> ResumePoint | None:
        if number is None:
            return None
        steps = StepSequence.active_of(self.request.transform) if self.request.transform is not None else None
        if steps is None or not 0 <= number < len(steps):
            raise DiffusionCoreError("There is no such step to resume from.")
        kept = steps.step_of(number)
        return ResumePoint(kept.index, kept.phase, kept.time, steps.transform_of(number))

    def _roles(self) -> dict[str, Any]:
        request = self.request
        return {
            "fixed volume": request.fixed,
            "moving volume": request.moving,
            "output transform": request.transform,
            "output volume": request.volume,
        }

    def _facts(self) -> tuple[Any, ...]:
        return (
            self.state,
            self.step,
            self.activity,
            len(self.log),
            self._following,
            self._selected,
            len(self._waiting),
        )


def _process_runner(job: RegistrationJob) -> Runner:
    from DiffusionCore.jobs.process import ProcessRunner

    return ProcessRunner(job)
