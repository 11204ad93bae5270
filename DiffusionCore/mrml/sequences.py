"""The steps of a registration as sequences that the user scrubs through.

The browser drives the output transform node itself (its proxy), so whatever hangs under that node follows the slider.
The index of a sequence is the number of the step as people count, from 1, ascending, because Slicer sorts numeric
indices: the diffusion time, which runs downwards, the phase and the metrics are attributes of each item, and so of the
output while it shows that item.

A registration that goes on from an earlier step makes a *branch*: a second sequence with its own browser and the same
output. Only one branch drives the output: the one whose playback is on. That flag is saved with the scene.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from DiffusionCore.checks import DiffusionCoreError
from DiffusionCore.jobs.events import StepMade
from DiffusionCore.mrml.nodes import add_node, nodes_of_class, remove_node
from DiffusionCore.mrml.step_items import KeptStep, item_of, step_in, transform_in
from DiffusionCore.mrml.transforms import bytes_of, interpolate_linearly
from DiffusionCore.space.plain import PlainTransform

MEMORY_BUDGET = 512 * 2**20
_MARK = "SpatialDiffusion.steps"


def base_name(output: Any) -> str:
    """Return what the nodes around ``output`` are named after: "CT to MR" if that is the "CT to MR transform"."""
    return output.GetName().removesuffix(" transform")


class StepSequence:
    """One branch: a sequence node, its browser node and the transform node that they drive.

    Attributes:
        output: the transform node of the user; its own attributes are kept in every item.
        sequence: the vtkMRMLSequenceNode with one transform per step.
        browser: the vtkMRMLSequenceBrowserNode.
        budget: bytes that the fields of the sequence may fill. Beyond it every second field is dropped, then every
            fourth and so on; the newest step, the shown one and affine steps always stay.
    """

    def __init__(self, output: Any, sequence: Any, browser: Any, *, budget: int = MEMORY_BUDGET) -> None:
        self.output, self.sequence, self.browser, self.budget = output, sequence, browser, budget
        self._stride = 1

    @classmethod
    def create(cls, output: Any, *, name: str = "", budget: int = MEMORY_BUDGET) -> StepSequence:
        """Add an empty sequence and its browser to the scene of the transform node ``output``; it is the active one.

        Raises:
            DiffusionCoreError: the scene does not know sequences.
        """
        scene, name = output.GetScene(), name or f"{base_name(output)} steps"
        if not scene.IsNodeClassRegistered("vtkMRMLSequenceBrowserNode"):
            raise DiffusionCoreError("The steps cannot be kept: the module Sequences is not loaded. Enable it.")
        for other in cls.all_of(output):
            other._set_active(False)
        browser = add_node(scene, "vtkMRMLSequenceBrowserNode", name)
        sequence = add_node(scene, "vtkMRMLSequenceNode", f"{browser.GetName()} data")
        sequence.SetIndexName("Step")
        sequence.SetIndexUnit("")
        sequence.SetIndexType(sequence.NumericIndex)
        browser.SetAttribute(_MARK, "1")
        browser.SetIndexDisplayMode(browser.IndexDisplayAsIndex)
        browser.SetIndexDisplayFormat("%.0f")
        browser.AddSynchronizedSequenceNode(sequence)
        browser.AddProxyNode(output, sequence, False)
        return cls(output, sequence, browser, budget=budget)

    @classmethod
    def all_of(cls, output: Any) -> list[StepSequence]:
        """Return the branches in the scene whose output is the transform node ``output``, in the order of the scene."""
        browsers = nodes_of_class(output.GetScene(), "vtkMRMLSequenceBrowserNode")
        ours = [cls(output, b.GetMasterSequenceNode(), b) for b in browsers if b.GetAttribute(_MARK)]
        return [s for s in ours if s.sequence is not None and s.browser.GetProxyNode(s.sequence) is output]

    @classmethod
    def active_of(cls, output: Any) -> StepSequence | None:
        """Return the branch that drives ``output``; None if there are no steps."""
        return next((steps for steps in cls.all_of(output) if steps.is_active), None)

    @classmethod
    def restore(cls, output: Any) -> StepSequence | None:
        """Make the branches of ``output`` what they were, after the scene was loaded; return the active one.

        Fields come back from files with cubic interpolation; which branch was active and what it showed is in the file.
        """
        branches = cls.all_of(output)
        for steps in branches:
            steps.interpolate_linearly()
        active = [steps for steps in branches if steps.is_active][-1:] or branches[-1:]
        for steps in active:
            steps.activate()
        return active[0] if active else None

    def __len__(self) -> int:
        return self.sequence.GetNumberOfDataNodes()

    @property
    def name(self) -> str:
        """What the user calls this branch."""
        return self.browser.GetName()

    @property
    def is_active(self) -> bool:
        """Whether this branch drives the output."""
        return bool(self.browser.GetPlayback(self.sequence))

    @property
    def shown(self) -> int:
        """The item that is selected: 0 is the first that is kept, -1 none."""
        return self.browser.GetSelectedItemNumber()

    def activate(self) -> None:
        """Let this branch drive the output, which shows the step that is selected here at once."""
        for other in self.all_of(self.output):
            if other.browser is not self.browser:
                other._set_active(False)
        if self.is_active:
            self.browser.Modified()
        else:
            self._set_active(True)

    def append(self, step: StepMade, *, show: bool = True) -> None:
        """Keep ``step``; as ``extend``."""
        self.extend([step], show=show)

    def extend(self, steps: Sequence[StepMade], *, show: bool = True) -> None:
        """Keep ``steps``; show the last one of them, or else leave the output as it is. One update in either case."""
        if not steps:
            return
        selected = self._value_at(self.shown)
        driving, modified = self.is_active, self.browser.StartModify()
        self._set_active(False)
        for step in steps:
            self._share(item_of(step, self.output), str(step.index + 1))
        newest = str(steps[-1].index + 1)
        self._keep_to_budget({newest} if show else {newest, selected})
        if not show and selected:
            self.browser.SetSelectedItemNumber(self.sequence.GetItemNumberFromIndexValue(selected))
        self.browser.EndModify(modified)
        if driving:
            self._set_active_quietly()
        if show:
            self.select(len(self) - 1)

    def select(self, number: int) -> None:
        """Show item ``number`` (0 is the first that is kept)."""
        if self.shown == number:
            self.browser.Modified()
        self.browser.SetSelectedItemNumber(number)

    def step_of(self, number: int) -> KeptStep:
        """Return what item ``number`` knows about its step."""
        return step_in(self.sequence.GetNthDataNode(number), self._index_at(number))

    def transform_of(self, number: int) -> PlainTransform:
        """Return the transform of item ``number`` as it came out of the registration."""
        return transform_in(self.sequence.GetNthDataNode(number))

    def branch_from(self, number: int) -> StepSequence:
        """Add a branch that starts with the items up to ``number`` and shows that one; it is the active one then.

        The fields are shared, not copied.
        """
        name = f"{base_name(self.output)} steps, from step {self.step_of(number).number}"
        branch = type(self).create(self.output, name=name, budget=self.budget)
        modified = branch.browser.StartModify()
        branch._set_active(False)
        for kept in range(number + 1):
            branch._share(self.sequence.GetNthDataNode(kept), self._value_at(kept))
        branch.browser.EndModify(modified)
        branch._set_active_quietly()
        branch.select(number)
        return branch

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

    def _set_active(self, active: bool) -> None:
        self.browser.SetPlayback(self.sequence, active)

    def _set_active_quietly(self) -> None:
        # Turning playback on is a modification, upon which the logic of the sequences copies the selected item to the
        # output and all views are drawn; nothing is lost if it does so at the next modification.
        disabled = self.browser.GetDisableModifiedEvent()
        self.browser.SetDisableModifiedEvent(True)
        self._set_active(True)
        self.browser.SetDisableModifiedEvent(disabled)

    def _share(self, item: Any, value: str) -> None:
        """Keep ``item`` without a copy of its field; a sequence by itself copies whatever it is given."""
        self.sequence.SetDataNodeAtValue(item.CreateNodeInstance(), value)
        self.sequence.UpdateDataNodeAtValue(item, value, not item.IsLinear())

    def _value_at(self, number: int) -> str:
        return self.sequence.GetNthIndexValue(number) if 0 <= number < len(self) else ""

    def _index_at(self, number: int) -> int:
        return int(float(self.sequence.GetNthIndexValue(number))) - 1

    def _keep_to_budget(self, kept: set[str]) -> None:
        values = [self._value_at(number) for number in range(len(self))]
        sizes = {value: size for value in values if (size := bytes_of(self.sequence.GetDataNodeAtValue(value)))}
        while True:
            for value in [v for v in sizes if (int(float(v)) - 1) % self._stride and v not in kept]:
                del sizes[value]
                self.sequence.RemoveDataNodeAtValue(value)
                self.browser.SetIndexDisplayMode(self.browser.IndexDisplayAsIndexValue)  # k/N is no longer the step
            if sum(sizes.values()) <= self.budget or all(v in kept or v == "1" for v in sizes):
                return
            self._stride *= 2
