"""A layout of our own: the fixed volume in three views above, the moving one in three views below, linked."""

import slicer

_LAYOUT = 5317  # beyond the numbers that Slicer and other extensions are known to use
_FORMER = "SpatialDiffusion.formerLayout"
_ORIENTATIONS = ("Axial", "Sagittal", "Coronal")
_COLORS = ("#F34A33", "#EDD54C", "#6EB04B")  # of Slicer's own red, yellow and green views
_ROWS = ("Fixed", "Moving")


def isOurs(view) -> bool:
    """Return whether the slice composite node ``view`` belongs to this layout."""
    return any(view.GetLayoutName() in _tags(row) for row in _ROWS)


def isOn() -> bool:
    """Return whether this layout is the one that is shown."""
    node = _layoutNode()
    return node is not None and node.GetViewArrangement() == _LAYOUT


def showSideBySide(fixed, moving, on: bool) -> None:
    """Switch to the layout with ``fixed`` above and ``moving`` below, or back to the layout that was there before."""
    node = _layoutNode()
    if node is None:
        return
    if not on:
        if isOn():
            node.SetViewArrangement(int(node.GetAttribute(_FORMER) or node.SlicerLayoutConventionalView))
        return
    first = not isOn()
    if first:
        node.SetAttribute(_FORMER, str(node.GetViewArrangement()))
        if not node.IsLayoutDescription(_LAYOUT):
            node.AddLayoutDescription(_LAYOUT, _description())
        node.SetViewArrangement(_LAYOUT)
    volumes = dict(zip(_ROWS, (fixed, moving), strict=True))
    for view in slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode"):
        row = next((row for row in _ROWS if view.GetLayoutName() in _tags(row)), None)
        if row is not None:
            view.SetBackgroundVolumeID(volumes[row].GetID())
            view.SetForegroundVolumeID(None)
            view.SetLinkedControl(True)
            view.SetHotLinkedControl(True)
    if first:
        _showTheSamePlace()


def _showTheSamePlace() -> None:
    """Fit the views above to their volume, and let those below show the same pieces of the same planes."""
    above, below = map(_tags, _ROWS)
    for tag in above:  # all of them first: in views that are linked, to fit one fits the others, each to its volume
        slicer.app.layoutManager().sliceWidget(tag).fitSliceToBackground()
    for pair in zip(above, below, strict=True):
        _copyPlace(*pair)


def _copyPlace(above: str, below: str) -> None:
    manager = slicer.app.layoutManager()
    source, target = (manager.sliceWidget(tag).mrmlSliceNode() for tag in (above, below))
    modified = target.StartModify()
    target.GetSliceToRAS().DeepCopy(source.GetSliceToRAS())
    target.SetFieldOfView(*source.GetFieldOfView())
    target.UpdateMatrices()
    target.EndModify(modified)


def _layoutNode():
    manager = slicer.app.layoutManager()
    return None if manager is None else manager.layoutLogic().GetLayoutNode()


def _tags(row: str) -> list[str]:
    return [f"{row}{orientation}" for orientation in _ORIENTATIONS]


def _description() -> str:
    rows = "".join(f'<item><layout type="horizontal">{_rowViews(row)}</layout></item>' for row in _ROWS)
    return f'<layout type="vertical">{rows}</layout>'


def _rowViews(row: str) -> str:
    return "".join(
        f'<item><view class="vtkMRMLSliceNode" singletontag="{tag}">'
        f'<property name="orientation" action="default">{orientation}</property>'
        f'<property name="viewlabel" action="default">{row[0]}</property>'
        f'<property name="viewcolor" action="default">{color}</property></view></item>'
        for tag, orientation, color in zip(_tags(row), _ORIENTATIONS, _COLORS, strict=True)
    )
