"""What the slice views show of a case: its variant, or the case itself, with segmentation, grid and outlines."""

import slicer

from DiffusionCore.mrml.transform_grid import draw_grid

_HIDDEN = "DeformationSynthesis.hidden"  # on a display node that was visible before variants were shown


def showLayers(volume) -> None:
    """Show ``volume`` alone in all slice views; zoom and position stay unless nothing was shown."""
    views = slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode")
    empty = all(view.GetBackgroundVolumeID() is None for view in views)
    for view in views:
        modified = view.StartModify()
        view.SetBackgroundVolumeID(volume.GetID())
        view.SetForegroundVolumeID(None)
        view.SetLabelVolumeID(None)
        view.EndModify(modified)
    if empty and slicer.app.layoutManager() is not None:
        slicer.app.layoutManager().resetSliceViews()


def hideSegmentation(node) -> None:
    """Hide the segmentation of the user that would lie over that of a variant; ``showHidden`` brings it back."""
    if node is None or not node.IsA("vtkMRMLSegmentationNode"):
        return
    node.CreateDefaultDisplayNodes()
    display = node.GetDisplayNode()
    if display.GetVisibility():
        display.SetAttribute(_HIDDEN, "1")
        display.SetVisibility(False)


def showHidden() -> None:
    """Show again what ``hideSegmentation`` has hidden."""
    for display in slicer.util.getNodesByClass("vtkMRMLSegmentationDisplayNode"):
        if display.GetAttribute(_HIDDEN):
            display.SetAttribute(_HIDDEN, None)
            display.SetVisibility(True)


def showGrid(transform, region, on: bool) -> None:
    """Draw ``transform`` as a warped grid, or do not."""
    if transform is None:
        return
    if on:
        draw_grid(transform, region)
    elif transform.GetDisplayNode() is not None:
        transform.GetDisplayNode().SetVisibility(False)


def showOutlines(segmentation, only: bool) -> None:
    """Draw the borders of the segments, filled or not."""
    if segmentation is not None:
        segmentation.CreateDefaultDisplayNodes()
        segmentation.GetDisplayNode().SetVisibility2DFill(not only)
