"""UndoPoint: the scene around a registration as it was before it, to go back to once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from DiffusionCore.mrml.curves import series_of
from DiffusionCore.mrml.displays import apply_look, look_of
from DiffusionCore.mrml.nodes import helpers_of, nodes_of_class, remove_node
from DiffusionCore.mrml.request import RegistrationRequest
from DiffusionCore.mrml.roles import ROLES
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
        self._scene, self._used = scene, False
        self._created: list[Any] = []
        self._aside: list[Any] = []
        self._steps_added: list[StepSequence] = []
        self._steps_replaced: list[StepSequence] = []
        self._active: StepSequence | None = None
        self._undoings: list[tuple[Any, Undoing]] = []
        self._views: list[tuple[Any, Undoing]] = []

    @classmethod
    def of(cls, request: RegistrationRequest) -> UndoPoint:
        """Return the point to go back to from a run of ``request``; the scene stays as it is."""
        point = cls(request.fixed.GetScene())
        if request.transform is not None:
            for role in ROLES:
                point._keep_helper(request.transform.GetNodeReference(role))
            point._keep(request.transform, _transform)
            point._active = StepSequence.active_of(request.transform)
        for node in request.carried:
            point._keep(top_of(node, below=request.transform), _parent)
            point._keep(node, _parent)
        point._keep(request.volume, _image)
        for volume in (request.fixed, request.moving, request.volume):
            point._keep_look(volume)
        point._views += [(view, _layers(view)) for view in nodes_of_class(point._scene, "vtkMRMLSliceCompositeNode")]
        return point

    def created(self, node: Any) -> Any:
        """Note that the run has added ``node`` to the scene; return it."""
        self._created.append(node)
        return node

    def added(self, steps: StepSequence) -> StepSequence:
        """Note that the run has added the branch ``steps``; return it."""
        self._steps_added.append(steps)
        return steps

    def replace(self, steps: StepSequence) -> None:
        """Take the branch ``steps`` of the run before out of the scene; ``restore`` puts it back."""
        if steps.is_present():
            self._steps_replaced.append(steps)
            steps.remove()

    def set_aside(self, node: Any) -> None:
        """Take ``node`` of the run before out of the scene; ``restore`` puts it back."""
        for each in (node, *helpers_of(node)):
            self._aside.append(each)
            self._scene.RemoveNode(each)

    def restore(self, *, views: bool = True) -> None:
        """Bring the scene back, once; what the user has deleted since stays deleted. Without ``views``, those stay."""
        if self._used:
            return
        self._used = True
        for node in reversed(self._aside):  # a node finds its display again if that is there before it
            self._scene.AddNode(node)
        for steps in self._steps_added:
            steps.remove()
        for steps in self._steps_replaced:
            if self._scene.IsNodePresent(steps.output):
                _put_back(steps)
        if self._active is not None and self._active.is_present():
            self._active.activate()
        for node, undo in (*self._undoings, *(self._views if views else ())):
            if self._scene.IsNodePresent(node):
                undo()
        for node in reversed(self._created):
            remove_node(node)

    def _keep(self, node: Any, kind: Callable[[Any], Undoing]) -> None:
        if node is not None:
            self._undoings.append((node, kind(node)))

    def _keep_look(self, volume: Any) -> None:
        if volume is not None:
            self._keep(volume.GetDisplayNode(), _look)

    def _keep_helper(self, node: Any) -> None:
        """Keep a table, a chart with its series, or the uncertainty of the run before."""
        if node is None:
            return
        if node.IsA("vtkMRMLVolumeNode"):
            self._keep(node, _image)
            self._keep_look(node)
        elif node.IsA("vtkMRMLPlotChartNode"):
            for series in series_of(node):
                self._keep(series, _content)
            self._keep(node, _chart)
        else:
            self._keep(node, _content)


def _content(node: Any) -> Undoing:
    former = node.CreateNodeInstance()
    former.CopyContent(node, False)  # a run puts a new table into a node and lets the former one be
    return lambda: node.CopyContent(former, False)


def _chart(node: Any) -> Undoing:
    undo_content, former = _content(node), series_of(node)

    def undo() -> None:
        undo_content()
        node.RemoveAllPlotSeriesNodeIDs()
        for series in former:
            if series.GetScene() is not None:
                node.AddAndObservePlotSeriesNodeID(series.GetID())

    return undo


def _transform(node: Any) -> Undoing:
    # A run gives the node new fields and lets the former ones be; matrices are edited in place by Slicer.
    deep, former = bool(node.IsLinear()), node.CreateNodeInstance()
    former.CopyContent(node, deep)
    roles = (*ROLES, node.GetFixedNodeReferenceRole(), node.GetMovingNodeReferenceRole())
    references = {role: node.GetNodeReferenceID(role) for role in roles}

    def undo() -> None:
        node.CopyContent(former, deep)
        for role, identifier in references.items():
            node.SetNodeReferenceID(role, identifier)

    return undo


def _parent(node: Any) -> Undoing:
    former = node.GetParentTransformNode()

    def undo() -> None:
        present = former is not None and former.GetScene() is not None
        node.SetAndObserveTransformNodeID(former.GetID() if present else None)

    return undo


def _image(node: Any) -> Undoing:
    image, former = node.GetImageData(), node.CreateNodeInstance()
    former.CopyOrientation(node)

    def undo() -> None:
        node.SetAndObserveImageData(image)
        node.CopyOrientation(former)

    return undo


def _look(display: Any) -> Undoing:
    former = look_of(display)
    return lambda: apply_look(former, display)


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
