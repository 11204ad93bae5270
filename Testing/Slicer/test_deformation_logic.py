"""Deforming a volume of the scene."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from nodes import OBLIQUE, add_transform, add_volume, array_of, blobs

from DiffusionCore.checks import DiffusionCoreError
from DiffusionCore.space import Volume

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "DeformationSynthesis"))
from DeformationSynthesisLib.Logic import DeformationSynthesisLogic

logic = DeformationSynthesisLogic()


def test_the_copy_has_the_geometry_and_type_of_the_input_and_another_content(scene):
    volume = add_volume(scene, blobs(OBLIQUE, np.int16), "head")
    copy = logic.deform(volume, None, 2.0, 1)
    assert copy.GetName() == "head deformed"
    assert array_of(copy).dtype == np.int16
    for row in range(3):
        assert copy.GetOrigin()[row] == pytest.approx(volume.GetOrigin()[row])
        assert copy.GetSpacing()[row] == pytest.approx(volume.GetSpacing()[row])
    assert (array_of(copy) != array_of(volume)).mean() > 0.2


def test_the_same_seed_gives_the_same_copy_in_the_chosen_node(scene):
    volume, output = add_volume(scene, blobs(OBLIQUE)), add_volume(scene, blobs(OBLIQUE), "output")
    first = array_of(logic.deform(volume, None, 2.0, 5))
    assert logic.deform(volume, output, 2.0, 5) is output
    np.testing.assert_array_equal(array_of(output), first)
    assert not np.array_equal(array_of(logic.deform(volume, output, 2.0, 6)), first)


def test_labels_stay_labels(scene):
    values = np.where(blobs(OBLIQUE).values > 60, 7, 0).astype(np.uint8)
    labels = add_volume(scene, Volume(values, OBLIQUE), "labels", "vtkMRMLLabelMapVolumeNode")
    copy = logic.deform(labels, None, 2.0, 1)
    assert copy.IsA("vtkMRMLLabelMapVolumeNode")
    assert set(np.unique(array_of(copy))) == {0, 7}


def test_outputs_that_would_mislead_are_refused(scene):
    volume = add_volume(scene, blobs(OBLIQUE))
    with pytest.raises(DiffusionCoreError, match="overwrite itself"):
        logic.deform(volume, volume)
    output = add_volume(scene, blobs(OBLIQUE), "output")
    output.SetAndObserveTransformNodeID(add_transform(scene).GetID())
    with pytest.raises(DiffusionCoreError, match="under a transform"):
        logic.deform(volume, output)
    with pytest.raises(DiffusionCoreError, match="Choose a volume"):
        logic.deform(None)
