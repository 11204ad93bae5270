"""What the module SpatialDiffusion does, without a window: for scripts, tests and the panel."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class RegistrationResult:
    """What a registration leaves behind.

    Attributes:
        outputTransform: the vtkMRMLTransformNode; put the moving volume under it to see it aligned.
        outputVolume: the moving volume, resampled once on the grid of the fixed one.
        browser: the vtkMRMLSequenceBrowserNode that scrubs through the steps; None if they were not kept.
        table: the vtkMRMLTableNode with the metrics of every step.
        registration: what the core returned (``transform``, ``steps``, ``times``); None where the caller
            gave the steps.
    """

    outputTransform: Any
    outputVolume: Any
    browser: Any
    table: Any
    registration: Any


class SpatialDiffusionLogic:
    """Registers volume nodes. Holds no state: every call stands for itself."""

    def register(
        self,
        fixedVolume: Any,
        movingVolume: Any,
        outputTransform: Any = None,
        outputVolume: Any = None,
        *,
        initialTransform: Any = None,
        settings: Any = None,
        device: str = "auto",
        seed: int = 0,
        onStep: Callable[[Any], None] | None = None,
        shouldStop: Callable[[], bool] | None = None,
        keepSteps: bool = True,
        steps: Callable[..., Iterable[Any]] | None = None,
    ) -> RegistrationResult:
        """Align ``movingVolume`` to ``fixedVolume`` and return the nodes of the result.

        ``outputTransform`` follows every step while the registration runs, and ``onStep(step)`` is called after it.
        ``shouldStop()`` is asked after each step; True keeps the last step as the result. Outputs that are not given
        are created. A former result in ``outputTransform`` is replaced, with its steps.

        Args:
            initialTransform: a linear transform node to start from, in the direction of a result (from parent).
            steps: called with the two images (``DiffusionCore.space.Volume``) instead of the registration of the core;
                yields its steps. ``initialTransform``, ``settings``, ``device`` and ``seed`` are then not used.

        Raises:
            DiffusionCoreError: something about the inputs, the outputs or the machine prevents the registration; the
                text is for the user. The scene is as before, as it is after any other error.
        """
        from DiffusionCore.mrml.live import LiveRegistration

        with LiveRegistration(fixedVolume, movingVolume, outputTransform, outputVolume, keep_steps=keepSteps) as live:

            def show(step: Any) -> None:
                live.show(step)
                if onStep is not None:
                    onStep(step)

            stop = shouldStop or (lambda: False)
            registration = None
            if steps is None:
                registration = self._registerByCore(
                    live, initialTransform, settings=settings, seed=seed, device=device, on_step=show, should_stop=stop
                )
            else:
                for step in steps(live.fixed, live.moving):
                    show(step)
                    if stop():
                        break
            nodes = live.finish()
        browser = nodes.steps.browser if nodes.steps is not None else None
        return RegistrationResult(nodes.transform, nodes.volume, browser, nodes.table, registration)

    def applyTransform(self, movingVolume: Any, outputTransform: Any) -> None:
        """Show ``movingVolume`` through ``outputTransform``; transforms that it lies under already stay below it."""
        top = movingVolume
        while top is not outputTransform and top.GetParentTransformNode() is not None:
            top = top.GetParentTransformNode()
        if top is not outputTransform:
            top.SetAndObserveTransformNodeID(outputTransform.GetID())

    @staticmethod
    def _registerByCore(live: Any, initialTransform: Any, **options: Any) -> Any:
        from DiffusionCore.checks import GeometryError
        from DiffusionCore.mrml.bridge import transform_from_node
        from DiffusionCore.registration import register

        if initialTransform is not None:
            if not initialTransform.IsTransformToWorldLinear():
                raise GeometryError(
                    f'The initial transform "{initialTransform.GetName()}" is not linear. Choose another.'
                )
            options["initial_transform"] = transform_from_node(initialTransform)
        return register(live.fixed, live.moving, **options)
