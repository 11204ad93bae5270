"""What the slice views show of a pair: layers, fade, and four ways to look that leave no trace when switched off.

What has to come back later is noted on the nodes themselves as references and attributes, so that it survives saving
the scene and reloading the module.
"""

import slicer

from DiffusionCore.mrml.transform_grid import draw_grid

from .SideBySide import isOurs

_OWN = "SpatialDiffusion.own"  # role: what a node had before we changed it
_LOOK = "SpatialDiffusion.look"  # attribute: numbers of a display node before we changed it
_GREEN, _MAGENTA = "vtkMRMLColorTableNodeGreen", "vtkMRMLColorTableNodeMagenta"


def showPair(fixed, moving, opacity: float) -> None:
    """Lay ``moving`` over ``fixed`` in all slice views; zoom and position stay unless nothing was shown."""
    empty = all(view.GetBackgroundVolumeID() is None for view in _views())
    for view in _views():
        modified = view.StartModify()
        view.SetBackgroundVolumeID(fixed.GetID())
        view.SetForegroundVolumeID(moving.GetID())
        view.SetForegroundOpacity(opacity)
        view.EndModify(modified)
    if empty and slicer.app.layoutManager() is not None:
        slicer.app.layoutManager().resetSliceViews()


def showsPair(fixed, moving) -> bool:
    """Return whether some view shows ``moving`` over ``fixed``."""
    pair = (fixed.GetID(), moving.GetID())
    return any((view.GetBackgroundVolumeID(), view.GetForegroundVolumeID()) == pair for view in _views())


def setFade(foregrounds, opacity: float) -> None:
    """Set the opacity wherever one of the volumes ``foregrounds`` is the foreground."""
    shown = {node.GetID() for node in foregrounds if node is not None}
    for view in _views():
        if view.GetForegroundVolumeID() in shown:
            view.SetForegroundOpacity(opacity)


def showBefore(nodes, transform, on: bool) -> None:
    """Take ``nodes``, and what they lie under, out of the output ``transform``, or put them back."""
    if not on:
        for top in _remembering("vtkMRMLTransformableNode"):
            _putBack(top, top.SetAndObserveTransformNodeID)
        return
    for node in nodes:
        top = _childOf(transform, node)
        if top is not None:
            top.SetNodeReferenceID(_OWN, transform.GetID())
            top.SetAndObserveTransformNodeID(None)


def showColors(fixed, moving, on: bool) -> None:
    """Color ``fixed`` green and ``moving`` magenta: gray where both agree. Off: all have their own colors again."""
    wanted = {} if not on else {_display(fixed): _GREEN, _display(moving): _MAGENTA}
    for display in _remembering("vtkMRMLVolumeDisplayNode"):
        if display not in wanted:
            _putBack(display, display.SetAndObserveColorNodeID)
    for display, colors in wanted.items():
        if display.GetNodeReferenceID(_OWN) is None:
            display.SetNodeReferenceID(_OWN, display.GetColorNodeID())
        display.SetAndObserveColorNodeID(colors)


def showGrid(transform, region, on: bool) -> None:
    """Draw ``transform`` as a warped grid in the slice views (``draw_grid``). Off: as it was."""
    for display in _marked("vtkMRMLTransformDisplayNode"):
        if not on or display is not transform.GetDisplayNode():
            _restoreLook(display)
    if not on or transform is None:
        return
    transform.CreateDefaultDisplayNodes()
    _rememberLook(transform.GetDisplayNode())
    draw_grid(transform, region)


def showUncertainty(spread, over, on: bool) -> None:
    """Show the volume ``spread`` (mm), which has colors of its own, in place of ``over``, with its scale beside it."""
    for view in _remembering("vtkMRMLSliceCompositeNode"):
        _putBack(view, view.SetForegroundVolumeID)
    if spread is None:
        return
    for view in _views() if on else ():
        if view.GetForegroundVolumeID() == over.GetID():
            view.SetNodeReferenceID(_OWN, over.GetID())
            view.SetForegroundVolumeID(spread.GetID())
    _showScale(spread, on)


def _showScale(volume, on: bool) -> None:
    """Show the colors of ``volume`` with their values in mm, in the views that show it when this is called."""
    colors = slicer.modules.colors.logic()
    legend = colors.GetColorLegendDisplayNode(_display(volume))
    if legend is None and on:
        legend = colors.AddDefaultColorLegendDisplayNode(_display(volume))
        legend.SetAndObserveColorNodeID(_display(volume).GetColorNodeID())
        legend.SetTitleText("mm")
        legend.SetLabelFormat("%.2g")
    if legend is not None:
        legend.SetVisibility(on)


def _views():
    return [view for view in slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode") if not isOurs(view)]


def _display(volume):
    volume.CreateDefaultDisplayNodes()
    return volume.GetDisplayNode()


def _childOf(transform, node):
    """Return ``node`` or the node above it that lies directly under ``transform``; None if none does."""
    while node is not None and node.GetTransformNodeID() != transform.GetID():
        node = node.GetParentTransformNode()
    return node


def _remembering(className: str):
    return [node for node in slicer.util.getNodesByClass(className) if node.GetNodeReferenceID(_OWN)]


def _putBack(node, setter) -> None:
    setter(node.GetNodeReferenceID(_OWN))
    node.SetNodeReferenceID(_OWN, None)


def _marked(className: str):
    return [node for node in slicer.util.getNodesByClass(className) if node.GetAttribute(_LOOK)]


def _rememberLook(display) -> None:
    if display.GetAttribute(_LOOK):
        return
    numbers = (
        display.GetVisualizationMode(),
        display.GetGridSpacingMm(),
        display.GetVisibility(),
        display.GetVisibility2D(),
    )
    display.SetAttribute(_LOOK, " ".join(map(str, numbers)))
    if display.GetRegionNode() is not None:
        display.SetNodeReferenceID(_OWN, display.GetRegionNode().GetID())


def _restoreLook(display) -> None:
    mode, spacing, visible, visible2D = display.GetAttribute(_LOOK).split()
    modified = display.StartModify()
    display.SetVisualizationMode(int(mode))
    display.SetGridSpacingMm(float(spacing))
    display.SetAndObserveRegionNode(display.GetNodeReference(_OWN))
    display.SetNodeReferenceID(_OWN, None)
    display.SetVisibility(int(visible))
    display.SetVisibility2D(int(visible2D))
    display.SetAttribute(_LOOK, None)
    display.EndModify(modified)
