"""Segmentations with layers that the core writes, loaded and saved as 3D Slicer does it."""

import numpy as np
import pytest
import slicer

from DiffusionCore.space import Grid, Volume
from DiffusionCore.storage.label_names import LabelName, read_label_names
from DiffusionCore.storage.layers import read_layers, write_layers

AXES = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
GRID = Grid((26, 24, 22), (2.0, 2.5, 3.0), (-10.0, 5.0, 7.0), tuple(map(tuple, AXES)))
NAMES = ((LabelName(1, "liver", "#DD8265"), LabelName(2, "tumor", "#90EE90")), (LabelName(1, "vessel", "#0080FF"),))


def test_slicer_reads_the_layers_and_what_it_writes_is_read_again(scene, tmp_path):
    first, second = (np.zeros(GRID.shape, np.uint8) for _ in range(2))
    first[5:15, 5:20, 5:20], first[17:20, 5:9, 5:9], second[10:20, 10:22, 10:25] = 1, 2, 1
    path, saved = tmp_path / "ours.seg.nrrd", tmp_path / "theirs.seg.nrrd"
    write_layers(path, [(Volume(values, GRID), names) for values, names in zip((first, second), NAMES, strict=True)])
    node, storage = slicer.vtkMRMLSegmentationNode(), slicer.vtkMRMLSegmentationStorageNode()
    scene.AddNode(node)
    scene.AddNode(storage)
    storage.SetFileName(str(path))
    assert storage.ReadData(node) == 1
    segmentation = node.GetSegmentation()
    assert segmentation.GetNumberOfLayers() == 2
    segments = [segmentation.GetNthSegment(number) for number in range(segmentation.GetNumberOfSegments())]
    assert [segment.GetName() for segment in segments] == ["liver", "tumor", "vessel"]
    assert segments[2].GetColor() == pytest.approx((0, 128 / 255, 1), abs=1e-4)
    storage.SetFileName(str(saved))
    assert storage.WriteData(node) == 1
    for layer, values in zip(read_layers(saved), (first, second), strict=True):
        assert layer.grid.is_close(GRID)
        np.testing.assert_array_equal(layer.values, values)
    assert tuple(read_label_names(saved, layer) for layer in (0, 1)) == NAMES
