"""A registration while it runs in a scene: shown at every step, and given back whole if it fails."""

from __future__ import annotations

from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any

from DiffusionCore.checks import DiffusionCoreError
from DiffusionCore.mrml.bridge import (
    remove_node,
    set_provenance,
    transform_to_node,
    volume_from_node,
    volume_to_node,
    warp,
)
from DiffusionCore.mrml.sequences import StepSequence
from DiffusionCore.mrml.tables import metrics_to_node

if TYPE_CHECKING:
    from DiffusionCore.affine.steps import Step


@dataclass(frozen=True)
class OutputNodes:
    """What a finished registration leaves in the scene; ``steps`` is None if they were not kept."""

    transform: Any
    volume: Any
    table: Any
    steps: StepSequence | None


class LiveRegistration:
    """The nodes of one run, as a context: ``show`` each step, then ``finish``.

    If the block ends by an error, the scene holds what it held before: nodes that the run created are removed, and the
    output transform has its former content. The nodes of the inputs are only read, once, at the start.

    Attributes:
        fixed, moving: the images where they stand in the world; what stands under the output transform already is
            taken without it, because its content is about to be replaced.

    Raises:
        DiffusionCoreError: inputs that cannot be read, outputs that cannot be written, a node deleted or the scene
            closed during the run; the text is for the user.
    """

    def __init__(
        self, fixed: Any, moving: Any, transform: Any = None, volume: Any = None, *, keep_steps: bool = True
    ) -> None:
        _check_inputs(fixed, moving)
        _check_outputs(fixed, moving, transform, volume)
        self._inputs = {"fixed volume": fixed, "moving volume": moving}
        self._output, self._output_volume, self._keep_steps = transform, volume, keep_steps
        self._scene = fixed.GetScene()
        self.fixed = volume_from_node(fixed)
        self.moving = volume_from_node(moving, below=transform if _stands_under(moving, transform) else None)
        self._shown: list[Step] = []
        self._created: list[Any] = []
        self._steps: StepSequence | None = None
        self._closed = False

    def __enter__(self) -> LiveRegistration:
        self._closing = self._scene.AddObserver(self._scene.StartCloseEvent, self._note_closing)
        moving, fixed = self._inputs["moving volume"].GetName(), self._inputs["fixed volume"].GetName()
        self._output = self._output or self._create("vtkMRMLTransformNode", f"{moving} to {fixed}")
        self._former = self._output.CreateNodeInstance()
        self._former.CopyContent(self._output, True)
        self._former_steps = StepSequence.all_of(self._output)
        return self

    def __exit__(self, _: object, error: BaseException | None, trace: TracebackType | None) -> None:
        self._scene.RemoveObserver(self._closing)
        if error is not None:
            self._give_back()

    def show(self, step: Step) -> None:
        """Set the output transform to ``step`` and keep it in the sequence."""
        self._check_scene()
        self._shown.append(step)
        if self._keep_steps and self._steps is None:
            self._steps = StepSequence.create(self._output)
        if self._steps is not None and self._steps.is_present():
            self._steps.append(step, grid=self.fixed.grid)
        else:
            transform_to_node(step.transform, self._output, grid=self.fixed.grid)

    def finish(self) -> OutputNodes:
        """Show the last step, and write the moving image through it and the metrics of all steps into nodes."""
        self._check_scene()
        if not self._shown:
            raise DiffusionCoreError("The registration was stopped before its first step; nothing was changed.")
        fixed, moving = self._inputs["fixed volume"], self._inputs["moving volume"]
        warped = warp(moving, self.moving, self._shown[-1].transform, self.fixed.grid)
        table = self._create("vtkMRMLTableNode", f"{self._output.GetName()} metrics")
        metrics_to_node(self._shown, table)
        volume = self._output_volume or self._create(moving.GetClassName(), f"{moving.GetName()} registered")
        volume_to_node(warped, volume, display=moving)
        for former in self._former_steps:
            former.remove()
        steps = self._steps if self._steps is not None and self._steps.is_present() else None
        if steps is not None:
            steps.select(len(steps) - 1)
        set_provenance(self._output, fixed=fixed, moving=moving)
        return OutputNodes(self._output, volume, table, steps)

    def _create(self, class_name: str, name: str) -> Any:
        node = self._scene.AddNewNodeByClass(class_name, self._scene.GenerateUniqueName(name))
        self._created.append(node)
        return node

    def _check_scene(self) -> None:
        if self._closed:
            raise DiffusionCoreError("The scene was closed during the registration; the run was ended.")
        nodes = {**self._inputs, "output transform": self._output, "output volume": self._output_volume}
        for role, node in nodes.items():
            if node is not None and not self._scene.IsNodePresent(node):
                raise DiffusionCoreError(
                    f'The {role} "{node.GetName()}" was deleted during the registration; the run was ended.'
                )

    def _note_closing(self, *_: Any) -> None:
        self._closed = True

    def _give_back(self) -> None:
        if self._steps is not None:
            self._steps.remove()
        if self._scene.IsNodePresent(self._output):
            self._output.CopyContent(self._former, True)
        for node in reversed(self._created):
            remove_node(node)


def _check_inputs(fixed: Any, moving: Any) -> None:
    for role, node in {"fixed": fixed, "moving": moving}.items():
        if node is None:
            raise DiffusionCoreError(f"Choose a {role} volume.")
        if not node.IsA("vtkMRMLScalarVolumeNode") or node.GetScene() is None:
            raise DiffusionCoreError(f'The {role} volume must be a volume of the scene; "{node.GetName()}" is not.')
    if fixed is moving:
        raise DiffusionCoreError(f'"{fixed.GetName()}" is chosen as fixed and as moving volume. Choose two volumes.')


def _check_outputs(fixed: Any, moving: Any, transform: Any, volume: Any) -> None:
    if transform is not None:
        parent, problem = transform.GetParentTransformNode(), None
        if transform.GetClassName() != "vtkMRMLTransformNode":
            problem = f"is of the old class {transform.GetClassName()}, which cannot hold every step."
        elif transform.GetScene() is not fixed.GetScene():
            problem = "is not in the scene."
        elif parent is not None:
            problem = f'lies under "{parent.GetName()}".'
        elif _stands_under(fixed, transform):
            problem = f'holds the fixed volume "{fixed.GetName()}", which would move with it.'
        if problem:
            raise DiffusionCoreError(f'The output transform "{transform.GetName()}" {problem} Choose another one.')
    if volume is not None:
        parent, problem = volume.GetParentTransformNode(), None
        if volume is fixed or volume is moving:
            problem = "is one of the inputs."
        elif volume.GetClassName() != moving.GetClassName() or volume.GetScene() is not fixed.GetScene():
            problem = f'is not a volume of the same kind and scene as "{moving.GetName()}".'
        elif parent is not None:
            problem = f'lies under "{parent.GetName()}" and would be shown displaced.'
        if problem:
            raise DiffusionCoreError(f'The output volume "{volume.GetName()}" {problem} Choose another one.')


def _stands_under(node: Any, transform: Any) -> bool:
    parent = node.GetParentTransformNode()
    if parent is None or transform is None:
        return False
    return parent is transform or bool(parent.IsTransformNodeMyParent(transform))
