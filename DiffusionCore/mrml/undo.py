"""UndoPoint: the scene around a registration as it was before it, to go back to once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from DiffusionCore.mrml.nodes import nodes_of_class, remove_node
from DiffusionCore.mrml.outputs import ROLES
from DiffusionCore.mrml.request import RegistrationRequest
from DiffusionCore.mrml.sequences import StepSequence
from DiffusionCore.mrml.transforms import top_of

Undoing = Callable[[], None]


class UndoPoint:
    """What a run changes, as it was before: one level, used once.

    It holds the content of the output transform, its steps with all branches, the transforms above the moving volume
    and its segmentation, the output volume, tables, plots and uncertainty of former runs, the look of the volumes
    (window, level, colors) and what the slice views show. Images and fields are not copied: a run replaces them by new
    objects and lets the former ones be.
    """

    def __init__(self, scene: Any) -> None:
        self._scene = scene
        self._created: list[Any] = []
        self._steps_added: list[StepSequence] = []
        self._undoings: list[tuple[Any, Undoing]] = []
        self._steps_before: list[tuple[StepSequence, bool]] = []

    @classmethod
    def of(cls, request: RegistrationRequest) -> UndoPoint:
        """Return the point to go back to from a run of ``request``; the scene stays as it is."""
        point = cls(request.fixed.GetScene())
        if request.transform is not None:
            for role in ROLES:
                point._keep(request.transform.GetNodeReference(role), _content)
            point._keep(request.transform, _content)
            point._steps_before = [(steps, steps.is_active) for steps in StepSequence.all_of(request.transform)]
        for node in (request.moving, request.moving_segmentation):
            if node is not None:
                point._keep(top_of(node, below=request.transform), _parent)
                point._keep(node, _parent)
        point._keep(request.volume, _image)
        for volume in (request.fixed, request.moving, request.volume):
            point._keep(volume and volume.GetDisplayNode(), _look)
        for view in nodes_of_class(point._scene, "vtkMRMLSliceCompositeNode"):
            point._keep(view, _layers)
        return point

    def created(self, node: Any) -> Any:
        """Note that the run has added ``node`` to the scene; return it."""
        self._created.append(node)
        return node

    def added(self, steps: StepSequence) -> StepSequence:
        """Note that the run has added the branch ``steps``; return it."""
        self._steps_added.append(steps)
        return steps

    def restore(self) -> None:
        """Bring the scene back; what the user has deleted since stays deleted."""
        for steps in self._steps_added:
            steps.remove()
        for steps, _ in self._steps_before:
            if self._scene.IsNodePresent(steps.output) and steps.sequence is not None and not steps.is_present():
                _put_back(steps)
        for steps, active in self._steps_before:
            if active and steps.is_present():
                steps.activate()
        for node, undo in self._undoings:
            if self._scene.IsNodePresent(node):
                undo()
        for node in reversed(self._created):
            remove_node(node)

    def _keep(self, node: Any, kind: Callable[[Any], Undoing]) -> None:
        if node is not None:
            self._undoings.append((node, kind(node)))


def _content(node: Any) -> Undoing:
    """Keep all of a transform, table or plot node; fields and tables are replaced by a run, matrices are edited."""
    former = node.CreateNodeInstance()
    former.CopyContent(node, node.IsA("vtkMRMLTransformNode") and bool(node.IsLinear()))
    references = {role: node.GetNodeReferenceID(role) for role in _roles(node)}

    def undo() -> None:
        node.CopyContent(former, node.IsA("vtkMRMLTransformNode") and bool(former.IsLinear()))
        for role in {*references, *_roles(node)}:
            node.SetNodeReferenceID(role, references.get(role))

    return undo


def _roles(node: Any) -> list[str]:
    roles = list(ROLES)
    if node.IsA("vtkMRMLTransformNode"):
        roles += [node.GetFixedNodeReferenceRole(), node.GetMovingNodeReferenceRole()]
    return roles


def _parent(node: Any) -> Undoing:
    former = node.GetTransformNodeID()
    return lambda: node.SetAndObserveTransformNodeID(former)


def _image(node: Any) -> Undoing:
    image, former = node.GetImageData(), node.CreateNodeInstance()
    former.CopyOrientation(node)

    def undo() -> None:
        node.SetAndObserveImageData(image)
        node.CopyOrientation(former)

    return undo


def _look(display: Any) -> Undoing:
    former, colors = display.CreateNodeInstance(), display.GetColorNodeID()
    former.CopyContent(display, False)

    def undo() -> None:
        display.CopyContent(former, False)
        display.SetAndObserveColorNodeID(colors)

    return undo


def _layers(view: Any) -> Undoing:
    names = ("BackgroundVolumeID", "ForegroundVolumeID", "LabelVolumeID", "ForegroundOpacity", "LabelOpacity")
    former = {name: getattr(view, f"Get{name}")() for name in (*names, "Compositing")}

    def undo() -> None:
        modified = view.StartModify()
        for name, value in former.items():
            getattr(view, f"Set{name}")(value)
        view.EndModify(modified)

    return undo


def _put_back(steps: StepSequence) -> None:
    scene = steps.output.GetScene()
    for node in (steps.sequence, steps.browser):
        if not scene.IsNodePresent(node):
            scene.AddNode(node)
    if steps.browser.GetProxyNode(steps.sequence) is not steps.output:
        steps.browser.AddProxyNode(steps.output, steps.sequence, False)
