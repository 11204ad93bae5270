"""Labels as segmentation nodes; no torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import slicer

from DiffusionCore.mrml.matrices import to_vtk
from DiffusionCore.mrml.volumes import new_image, values_of
from DiffusionCore.space import Frame, Volume
from DiffusionCore.storage.label_names import LabelName

_LABELMAP = "Binary labelmap"


def labels_to_node(labels: Volume, names: Sequence[LabelName], node: Any) -> None:
    """Make ``labels`` the segments of a segmentation ``node``, one for each of ``names``, in one layer.

    Segments that it has under the same names keep how they are shown.
    """
    image = _oriented(labels)
    segmentation = node.GetSegmentation()
    segmentation.SetSourceRepresentationName(_LABELMAP)
    modified = node.StartModify()
    wanted = {name.name: name for name in names}
    for identifier in list(segmentation.GetSegmentIDs()):
        if segmentation.GetSegment(identifier).GetName() not in wanted:
            segmentation.RemoveSegment(identifier)
    present = {segmentation.GetSegment(each).GetName(): each for each in segmentation.GetSegmentIDs()}
    for name in names:
        segment = segmentation.GetSegment(present[name.name]) if name.name in present else slicer.vtkSegment()
        segment.SetLabelValue(name.value)
        segment.AddRepresentation(_LABELMAP, image)
        if name.name not in present:
            segment.SetName(name.name)
            if name.color:
                segment.SetColor(*(int(name.color[n : n + 2], 16) / 255 for n in (1, 3, 5)))
            segmentation.AddSegment(segment)
    node.CreateDefaultDisplayNodes()
    node.EndModify(modified)
    segmentation.Modified()


def _oriented(labels: Volume) -> Any:
    kind = "uint8" if labels.values.max(initial=0) < 256 else "int16"
    plain = new_image(labels.values.shape, kind)
    values_of(plain)[:] = labels.values
    image = slicer.vtkOrientedImageData()
    image.ShallowCopy(plain)
    image.SetImageToWorldMatrix(to_vtk(labels.grid.matrix(Frame.VOXEL, Frame.RAS)))
    return image
