"""The steps of a registration as a sequence that the user scrubs through.

The browser drives the output transform node itself (its proxy), so whatever hangs under that node follows the slider.
The index of the sequence is the number of the step, ascending, because Slicer sorts numeric indices: the diffusion
time, which runs downwards, and the phase are attributes of each item.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from DiffusionCore.checks import DiffusionCoreError
from DiffusionCore.mrml.bridge import interpolate_linearly, remove_node, transform_to_node
from DiffusionCore.space import Grid

if TYPE_CHECKING:
    from DiffusionCore.affine.steps import Step

MEMORY_BUDGET = 512 * 2**20
_MARK = "SpatialDiffusion.steps"
_PHASE, _TIME = "SpatialDiffusion.phase", "SpatialDiffusion.time"


class StepSequence:
    """A sequence node, its browser node and the transform node that they drive.

    Attributes:
        output: the transform node of the user; its own attributes are kept in every item.
        sequence: the vtkMRMLSequenceNode with one transform per step.
        browser: the vtkMRMLSequenceBrowserNode.
        budget: bytes that the fields of the sequence may fill. Beyond it every second field is dropped, then every
            fourth and so on; the newest step and affine steps always stay.
    """

    def __init__(self, output: Any, sequence: Any, browser: Any, *, budget: int = MEMORY_BUDGET) -> None:
        self.output, self.sequence, self.browser, self.budget = output, sequence, browser, budget
        self._fields: dict[int, int] = {}  # bytes of the field of each step that is kept
        self._stride = 1

    @classmethod
    def create(cls, output: Any, *, budget: int = MEMORY_BUDGET) -> StepSequence:
        """Add an empty sequence and its browser to the scene of the transform node ``output``.

        Raises:
            DiffusionCoreError: the scene does not know sequences.
        """
        scene, name = output.GetScene(), f"{output.GetName()} steps"
        if not scene.IsNodeClassRegistered("vtkMRMLSequenceBrowserNode"):
            raise DiffusionCoreError("The steps cannot be kept: the module Sequences is not loaded. Enable it.")
        sequence = scene.AddNewNodeByClass("vtkMRMLSequenceNode", scene.GenerateUniqueName(name))
        sequence.SetIndexName("step")
        sequence.SetIndexUnit("")
        sequence.SetIndexType(sequence.NumericIndex)
        browser = scene.AddNewNodeByClass("vtkMRMLSequenceBrowserNode", scene.GenerateUniqueName(f"{name} browser"))
        browser.SetAttribute(_MARK, "1")
        browser.SetIndexDisplayFormat("%.0f")
        browser.AddSynchronizedSequenceNode(sequence)
        browser.AddProxyNode(output, sequence, False)
        return cls(output, sequence, browser, budget=budget)

    @classmethod
    def all_of(cls, output: Any) -> list[StepSequence]:
        """Return the sequences of steps in the scene that drive the transform node ``output``."""
        scene = output.GetScene()
        browsers = [
            scene.GetNthNodeByClass(index, "vtkMRMLSequenceBrowserNode")
            for index in range(scene.GetNumberOfNodesByClass("vtkMRMLSequenceBrowserNode"))
        ]
        ours = [cls(output, b.GetMasterSequenceNode(), b) for b in browsers if b.GetAttribute(_MARK)]
        return [steps for steps in ours if steps.browser.GetProxyNode(steps.sequence) is output]

    def __len__(self) -> int:
        return self.sequence.GetNumberOfDataNodes()

    def append(self, step: Step, *, grid: Grid) -> None:
        """Keep ``step`` and show it unless the user looks at an earlier one; ``grid`` is where a chain is sampled."""
        following = self.browser.GetSelectedItemNumber() >= len(self) - 1
        # An item of another class would make the browser replace the node of the user by a new one.
        item = self.output.CreateNodeInstance()
        for name in self.output.GetAttributeNames():
            item.SetAttribute(name, self.output.GetAttribute(name))
        item.SetAttribute(_PHASE, step.phase)
        item.SetAttribute(_TIME, f"{step.time:g}")
        transform_to_node(step.transform, item, grid=grid)
        if not item.IsLinear():
            self._fields[step.index] = item.GetTransformFromParent().GetDisplacementGrid().GetNumberOfPoints() * 12
        self.sequence.SetDataNodeAtValue(item, str(step.index))
        if following:
            self.select(len(self) - 1)
        self._keep_to_budget(step.index)

    def select(self, number: int) -> None:
        """Show item ``number`` (0 is the first that is kept)."""
        self.browser.SetSelectedItemNumber(number)

    def step_of(self, number: int) -> tuple[int, str, float]:
        """Return the index of the step, its phase and its diffusion time of item ``number``."""
        item = self.sequence.GetNthDataNode(number)
        index = int(float(self.sequence.GetNthIndexValue(number)))
        return index, item.GetAttribute(_PHASE), float(item.GetAttribute(_TIME))

    def interpolate_linearly(self) -> None:
        """Set all fields to linear interpolation again after the scene was loaded (files bring cubic)."""
        for number in range(len(self)):
            interpolate_linearly(self.sequence.GetNthDataNode(number))
        interpolate_linearly(self.output)

    def is_present(self) -> bool:
        """Return whether the user has left both nodes in the scene."""
        scene = self.output.GetScene()
        return scene is not None and all(scene.IsNodePresent(node) for node in (self.sequence, self.browser))

    def remove(self) -> None:
        """Take both nodes out of the scene; the output node stays as it is shown."""
        # If the user has deleted the output, the browser has made a substitute of its own for it.
        proxy = self.browser.GetProxyNode(self.sequence)
        substitute = [proxy] if proxy is not None and proxy is not self.output else []
        for node in (self.browser, self.sequence, *substitute):
            remove_node(node)

    def _keep_to_budget(self, newest: int) -> None:
        while True:
            for index in [i for i in self._fields if i % self._stride and i != newest]:
                del self._fields[index]
                self.sequence.RemoveDataNodeAtValue(str(index))
            if sum(self._fields.values()) <= self.budget or all(i in (0, newest) for i in self._fields):
                return
            self._stride *= 2
