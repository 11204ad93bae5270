"""What the module SpatialDiffusion does, without a window: for scripts, tests and the panel."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any


class SpatialDiffusionLogic:
    """Registers volume nodes, one registration at a time, in a process of its own.

    The panel calls ``start`` or ``resume``, and then ``poll`` by a timer; a script calls ``register``, which waits.

    Attributes:
        run: the registration under way or the last one (DiffusionCore.mrml.run.LiveRun); None before the first one and
            after ``undo``.
        runnerOf: makes the runner of a job; None stands for a worker process. Where there can be none, set it to
            ``DiffusionCore.jobs.in_process.InProcessRunner``: Slicer then waits for every single step.
    """

    run: Any = None
    _former: Any = None  # the run before, as long as the new one has not changed the scene
    runnerOf: Callable[[Any], Any] | None = None

    def start(self, request: Any) -> Any:
        """Begin the registration that ``request`` (DiffusionCore.mrml.request.RegistrationRequest) asks for.

        Raises:
            DiffusionCoreError: why it cannot be done, or that one is under way; the text is for the user.
        """
        return self._start(request)

    def resume(self, request: Any, number: int) -> Any:
        """Go on from item ``number`` (0 is the first) of the active steps of ``request.transform``, as a new branch.

        Raises:
            DiffusionCoreError: as ``start``.
        """
        return self._start(request, resume=number)

    def poll(self) -> bool:
        """Take in what the registration has reported; return whether anything has changed."""
        if self.run is None:
            return False
        changed = self.run.poll()
        if self._former is not None and self.run.history:
            self._former.forget()
            self._former = None
        return changed

    @property
    def running(self) -> bool:
        """Whether a registration is under way."""
        return self.run is not None and not self.run.state.ended

    @property
    def canUndo(self) -> bool:
        """Whether there is a registration to take back."""
        return not self.running and self._undoable() is not None

    def undo(self) -> None:
        """Bring the scene back to what it was before the last registration that changed it; once."""
        if self.canUndo:
            self._undoable().undo()
            self.run = self._former = None

    def register(
        self,
        fixedVolume: Any,
        movingVolume: Any,
        outputTransform: Any = None,
        outputVolume: Any = None,
        *,
        initialTransform: Any = None,
        fixedSegmentation: Any = None,
        movingSegmentation: Any = None,
        method: str = "affine",
        settings: dict[str, Any] | None = None,
        device: str = "auto",
        seed: int = 0,
        samples: int = 1,
        onStep: Callable[[Any], None] | None = None,
        shouldStop: Callable[[], bool] | None = None,
        keepSteps: bool = True,
        carry: bool = False,
        runnerOf: Callable[[Any], Any] | None = None,
    ) -> Any:
        """Align ``movingVolume`` to ``fixedVolume``, wait for it, and return the nodes of the result (OutputNodes).

        ``outputTransform`` follows every step while the registration runs. Outputs that are not given are created. A
        former result in ``outputTransform`` is replaced, with its steps.

        Args:
            fixedVolume: stays where it is.
            movingVolume: is only read; with ``carry`` it is put under the output.
            outputTransform: a vtkMRMLTransformNode.
            outputVolume: receives the moving volume on the grid of the fixed one.
            initialTransform: a linear transform node to start from, in the direction of a result (from parent).
            fixedSegmentation: segmentation or label map node; its overlap with the moving one is measured.
            movingSegmentation: as ``fixedSegmentation``.
            method: one of `DiffusionCore.registration.METHODS`, e.g. "affine".
            settings: of the method, plain and partial.
            device: "auto", "cpu", "cuda" or "cuda:i".
            seed: of all chance in the run.
            samples: how many runs with different seeds; more than one gives the uncertainty in mm.
            onStep: called with every step (DiffusionCore.mrml.step_items.KeptStep) once the scene has it.
            shouldStop: asked after that; True keeps the last step as the result.
            keepSteps: keep every step in a sequence.
            carry: put the moving volume and its segmentation under the output.
            runnerOf: as the attribute.

        Raises:
            DiffusionCoreError: something about the inputs, the outputs or the machine prevents the registration; the
                text is for the user. The scene is as before.
        """
        from DiffusionCore.mrml.request import RegistrationRequest

        request = RegistrationRequest(
            fixed=fixedVolume,
            moving=movingVolume,
            transform=outputTransform,
            volume=outputVolume,
            fixed_segmentation=fixedSegmentation,
            moving_segmentation=movingSegmentation,
            initial=initialTransform,
            method=method,
            settings=settings or {},
            device=device,
            seed=seed,
            samples=samples,
            keep_steps=keepSteps,
            make_volume=True,
            carry=carry,
        )
        run = self._start(request, runnerOf=runnerOf, updatesPerSecond=math.inf)
        try:
            self._waitFor(run, onStep or (lambda step: None), shouldStop or (lambda: False))
        except BaseException:
            self._takeBack(run)
            raise
        return self._nodesOf(run)

    def applyTransform(self, movingVolume: Any, outputTransform: Any) -> None:
        """Show ``movingVolume`` through ``outputTransform``; transforms that it lies under already stay below it."""
        from DiffusionCore.mrml.transforms import put_under

        put_under(movingVolume, outputTransform)

    def close(self) -> None:
        """End what is under way; no process and no observer stays. For the end of the module and of Slicer."""
        if self.run is not None:
            self.run.close()

    def _start(
        self, request: Any, *, resume: int | None = None, runnerOf: Any = None, updatesPerSecond: float = 10.0
    ) -> Any:
        from DiffusionCore.checks import DiffusionCoreError
        from DiffusionCore.mrml.run import LiveRun

        if self.running:
            raise DiffusionCoreError("A registration is under way. Stop it first.")
        run = LiveRun(request, runnerOf or self.runnerOf, resume=resume, updates_per_second=updatesPerSecond)
        self._former, self.run = self._undoable(), run
        return run

    def _undoable(self) -> Any:
        runs = [run for run in (self.run, self._former) if run is not None and run.can_undo]
        return runs[0] if runs else None

    def _waitFor(self, run: Any, onStep: Callable[[Any], None], shouldStop: Callable[[], bool]) -> None:
        seen = 0
        while not run.state.ended:
            if not self.poll():
                time.sleep(0.002)
            _processEvents()
            for step in run.history[seen:]:
                seen += 1
                onStep(step)
                if shouldStop():
                    run.stop()

    def _nodesOf(self, run: Any) -> Any:
        from DiffusionCore.checks import DiffusionCoreError
        from DiffusionCore.mrml.run import RunState

        if run.scene_closed:
            raise DiffusionCoreError("The scene was closed during the registration; it was ended.")
        if run.state is RunState.FAILED or not run.history:
            self._takeBack(run)
            raise DiffusionCoreError(run.message)
        return run.nodes

    def _takeBack(self, run: Any) -> None:
        run.close()
        if run.can_undo:
            run.undo()
        self.run, self._former = self._former, None


def _processEvents() -> None:
    """Let the windows of Slicer live, where there are any."""
    import slicer

    if getattr(slicer, "app", None) is not None:
        slicer.app.processEvents()
