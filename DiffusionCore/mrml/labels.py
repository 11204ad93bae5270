"""Segmentations and label maps as integers on the grid of a volume, with names that fit each other; no torch."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import slicer
import vtk
from numpy.typing import NDArray

from DiffusionCore.checks import GeometryError, VolumeError
from DiffusionCore.jobs.events import OVERLAP, Measure
from DiffusionCore.mrml.matrices import to_numpy
from DiffusionCore.mrml.volumes import values_of
from DiffusionCore.space import Frame, Grid, Volume

_LABELMAP = "Binary labelmap"
_LARGEST = 65535
_NAMELESS = "Labels"  # the color table that label maps get by default: its names say nothing about this image


@dataclass(frozen=True, eq=False)
class _Layer:
    """An image of labels: ``values`` (K, J, I), its voxels in RAS mm of the world, and what to call its labels."""

    values: NDArray
    voxel_to_ras: NDArray[np.float64]
    names: dict[int, str]


def segment_names(node: Any) -> dict[int, str]:
    """Return the names of the labels of a segmentation or label map ``node``, as far as they have names."""
    if node.IsA("vtkMRMLSegmentationNode"):
        segments = _segments(node)
        return {segment.GetLabelValue(): segment.GetName() for segment in segments}
    display = node.GetDisplayNode()
    colors = display.GetColorNode() if display is not None else None
    if colors is None or colors.GetName() == _NAMELESS:
        return {}
    named = (value for value in range(colors.GetNumberOfColors()) if colors.GetColorName(value))
    return {value: colors.GetColorName(value) for value in named if colors.GetColorName(value) != "(none)"}


def segment_colors(node: Any) -> dict[str, str]:
    """Return the colors, #RRGGBB, of the segments or named labels of ``node`` by their names."""
    if node.IsA("vtkMRMLSegmentationNode"):
        return {segment.GetName(): _hexadecimal(segment.GetColor()) for segment in _segments(node)}
    colors = {}
    for value, name in segment_names(node).items():
        rgba = [0.0] * 4
        node.GetDisplayNode().GetColorNode().GetColor(value, rgba)
        colors[name] = _hexadecimal(rgba[:3])
    return colors


def common_names(*nodes: Any) -> list[str]:
    """Return, sorted, the names that segments or labels have in all of ``nodes``."""
    names = [
        {each.GetName() for each in _segments(node)}
        if node.IsA("vtkMRMLSegmentationNode")
        else set(segment_names(node).values())
        for node in nodes
    ]
    return sorted(set.intersection(*names))


def reference_size(node: Any) -> tuple[int, int, int] | None:
    """Return the size (i, j, k) of the image that a segmentation or label map ``node`` was made on; None if unknown."""
    if not node.IsA("vtkMRMLSegmentationNode"):
        return node.GetImageData().GetDimensions() if node.GetImageData() is not None else None
    name = slicer.vtkSegmentationConverter.GetReferenceImageGeometryParameterName()
    geometry, written = slicer.vtkOrientedImageData(), node.GetSegmentation().GetConversionParameter(name)
    if not written or not slicer.vtkSegmentationConverter.DeserializeImageGeometry(written, geometry, False):
        return None
    return geometry.GetDimensions()


def common_numbers(*nodes: Any) -> dict[str, int]:
    """Return a number from 1 for every segment name in ``nodes``, so that equal names get equal labels.

    A label map among them keeps its values: its names come with their own numbers.
    """
    numbers: dict[str, int] = {}
    for node in nodes:
        if not node.IsA("vtkMRMLSegmentationNode"):
            for value, name in segment_names(node).items():
                numbers.setdefault(name, value)
    keep_values = any(not node.IsA("vtkMRMLSegmentationNode") for node in nodes)
    for node in nodes:
        if node.IsA("vtkMRMLSegmentationNode"):
            for segment in _segments(node):
                free = max(numbers.values(), default=0) + 1
                taken = segment.GetLabelValue() in numbers.values()
                numbers.setdefault(segment.GetName(), segment.GetLabelValue() if keep_values and not taken else free)
    return numbers


def reading_labels(
    node: Any, grid: Grid, numbers: dict[str, int], *, below: Any = None
) -> Generator[None, None, Volume]:
    """Return the labels of ``node`` on ``grid``, by the nearest voxel, 0 outside; yields after every slice.

    Args:
        node: a segmentation, whose segments become the numbers of their names, or a label map, whose values stay.
        grid: where the labels are wanted, RAS mm of the world, or of what ``below`` receives.
        numbers: segment name -> label, from ``common_numbers``.
        below: as for ``volume_from_node``.

    Raises:
        VolumeError: there are no labels, or not integers from 0 to 65535.
        GeometryError: the node lies under a transform that is not linear.
    """
    layers = _layers(node, below)
    largest = max([*numbers.values(), *(int(layer.values.max()) for layer in layers if not layer.names)])
    labels = np.zeros(grid.shape, dtype=np.uint8 if largest < 256 else np.int32)
    for layer in layers:
        table = _table(layer, numbers, labels.dtype)
        for k in range(grid.shape[0]):
            _fill(labels[k], k, layer, table, grid)
            yield
    return Volume(labels, grid)


def with_names(measures: Sequence[Measure], numbers: dict[str, int]) -> tuple[Measure, ...]:
    """Return ``measures`` with the names of segments in place of their labels: "Overlap of liver"."""
    names = {f"{OVERLAP} of label {number}": f"{OVERLAP} of {name}" for name, number in numbers.items()}
    return tuple(replace(measure, name=names.get(measure.name, measure.name)) for measure in measures)


def _hexadecimal(color: Sequence[float]) -> str:
    return "#" + "".join(f"{round(255 * share):02X}" for share in color)


def _segments(node: Any) -> list[Any]:
    segmentation = node.GetSegmentation()
    return [segmentation.GetNthSegment(number) for number in range(segmentation.GetNumberOfSegments())]


def _layers(node: Any, below: Any) -> list[_Layer]:
    placement = _placement(node, below)
    if not node.IsA("vtkMRMLSegmentationNode"):
        image, to_ras = node.GetImageData(), vtk.vtkMatrix4x4()
        if image is None or image.GetNumberOfPoints() == 0:
            raise VolumeError(f'The label map "{node.GetName()}" is empty. Choose another one.')
        values = values_of(image)
        if values.dtype.kind not in "iu" or values.min() < 0 or values.max() > _LARGEST:
            raise VolumeError(f'The labels of "{node.GetName()}" must be integers from 0 to {_LARGEST}.')
        node.GetIJKToRASMatrix(to_ras)
        return [_Layer(values, placement @ to_numpy(to_ras), {})]
    segmentation = _with_labelmaps(node)
    layers = []
    for number in range(segmentation.GetNumberOfLayers(_LABELMAP)):
        image = segmentation.GetLayerDataObject(number, _LABELMAP)
        if image is None or image.GetNumberOfPoints() == 0 or image.GetPointData().GetScalars() is None:
            continue
        to_ras, first = vtk.vtkMatrix4x4(), np.eye(4)
        image.GetImageToWorldMatrix(to_ras)
        first[:3, 3] = image.GetExtent()[::2]
        segments = [segmentation.GetSegment(each) for each in segmentation.GetSegmentIDsForLayer(number, _LABELMAP)]
        names = {segment.GetLabelValue(): segment.GetName() for segment in segments}
        layers.append(_Layer(values_of(image), placement @ to_numpy(to_ras) @ first, names))
    if not layers:
        raise VolumeError(f'The segmentation "{node.GetName()}" is empty. Draw a segment, or choose another one.')
    return layers


def _with_labelmaps(node: Any) -> Any:
    """Return the segments of ``node`` as label maps; surfaces are converted in a copy, the node stays as it is."""
    segmentation = node.GetSegmentation()
    if segmentation.ContainsRepresentation(_LABELMAP):
        return segmentation
    copy = slicer.vtkSegmentation()
    copy.DeepCopy(segmentation)
    copy.CreateRepresentation(_LABELMAP)
    return copy


def _placement(node: Any, below: Any) -> NDArray[np.float64]:
    above, placement = vtk.vtkGeneralTransform(), vtk.vtkTransform()
    slicer.vtkMRMLTransformNode.GetTransformBetweenNodes(node.GetParentTransformNode(), below, above)
    if not slicer.vtkMRMLTransformNode.IsGeneralTransformLinear(above, placement):
        raise GeometryError(
            f'The segmentation "{node.GetName()}" lies under a transform that is not linear. Take it out of it.'
        )
    return to_numpy(placement.GetMatrix())


def _table(layer: _Layer, numbers: dict[str, int], dtype: Any) -> NDArray:
    """Return what each value of ``layer`` becomes."""
    highest = int(layer.values.max(initial=0))
    if not layer.names:
        return np.arange(highest + 1, dtype=dtype)
    table = np.zeros(highest + 1, dtype=dtype)
    for value, name in layer.names.items():
        if 0 <= value <= highest:
            table[value] = numbers[name]
    return table


def _fill(target: NDArray, k: int, layer: _Layer, table: NDArray, grid: Grid) -> None:
    """Write the labels of ``layer`` into slice ``k`` of the labels on ``grid``; where it has none, nothing changes."""
    to_layer = np.linalg.inv(layer.voxel_to_ras) @ grid.matrix(Frame.VOXEL, Frame.RAS)
    offset = np.rint(to_layer[:3, 3]).astype(int)
    corners = np.array([[0, 0, 0, 1], [*np.array(grid.size) - 1, 1]]).T
    if (
        abs(to_layer[:3, :3] - np.eye(3)).max() < 1e-3
        and abs((to_layer @ corners - corners)[:3].T - offset).max() < 0.1
    ):
        _fill_shifted(target, k, layer.values, table, offset)
        return
    j, i = np.ogrid[: target.shape[0], : target.shape[1]]
    inside = np.ones(target.shape, dtype=bool)
    index = []
    for axis, size in enumerate(layer.values.shape[::-1]):
        row = to_layer[axis]
        nearest = np.rint(row[0] * i + row[1] * j + (row[2] * k + row[3])).astype(np.intp)
        inside &= (nearest >= 0) & (nearest < size)
        index.append(nearest)
    if inside.any():
        found = np.zeros_like(target)
        found[inside] = table[layer.values[tuple(nearest[inside] for nearest in reversed(index))]]
        np.copyto(target, found, where=found != 0)


def _fill_shifted(target: NDArray, k: int, values: NDArray, table: NDArray, offset: NDArray) -> None:
    """Write slice ``k`` as ``_fill`` does where both grids have the same voxels, ``offset`` (i, j, k) apart."""
    i, j, own = offset[0], offset[1], k + offset[2]
    if not 0 <= own < values.shape[0]:
        return
    rows, columns = (
        slice(max(0, -shift), min(size, extent - shift))
        for shift, size, extent in zip((j, i), target.shape, values.shape[1:], strict=True)
    )
    if rows.start < rows.stop and columns.start < columns.stop:
        source = values[own, rows.start + j : rows.stop + j, columns.start + i : columns.stop + i]
        found = table[source]
        np.copyto(target[rows, columns], found, where=found != 0)
