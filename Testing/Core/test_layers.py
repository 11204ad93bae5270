"""Segments that overlap: read from the layers of a .seg.nrrd file, deformed together, and written as layers again."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from synthesis_world import GRID, case

from DiffusionCore.__main__ import main
from DiffusionCore.interpolation import Interpolation
from DiffusionCore.space import Volume
from DiffusionCore.storage.label_names import LabelName, read_label_names
from DiffusionCore.storage.layers import read_layers, write_layers
from DiffusionCore.storage.volumes import write_volume
from DiffusionCore.synthesis.inputs import find_subjects
from DiffusionCore.synthesis.settings import SynthesisSettings
from DiffusionCore.synthesis.stored_case import StoredCase
from DiffusionCore.synthesis.synthesizer import Synthesizer
from DiffusionCore.transforms import resample

NAMES = ((LabelName(1, "liver", "#DD8265"), LabelName(2, "tumor", "#90EE90")), (LabelName(1, "vessel", "#0080FF"),))


@pytest.fixture
def folder(tmp_path):
    """A case whose second layer overlaps the first, and has a label of the same value."""
    target = tmp_path / "cases"
    target.mkdir()
    subject = case()
    labels = subject.segmentations[0].volume.values
    first = np.select([labels == 3, labels == 200], [1, 2], 0).astype(np.uint8)
    second = np.zeros_like(first)
    second[12:20, 16:30, 12:24] = 1
    write_volume(target / "anna.nii.gz", subject.images[0])
    layers = [(Volume(values, GRID), names) for values, names in zip((first, second), NAMES, strict=True)]
    write_layers(target / "anna.seg.nrrd", layers)
    return target


def shell(folder, output, layout):
    command = ["synthesize", "--input", folder, "--output", output, "--count", 1, "--format", layout]
    return main([*map(str, command), "--symmetry", "off", "--workers", "1"])


def test_layers_go_through_a_file_with_geometry_names_and_colors(folder):
    path = folder / "anna.seg.nrrd"
    layers = read_layers(path)
    assert len(layers) == 2
    assert all(layer.grid.is_close(GRID) for layer in layers)
    assert set(np.unique(layers[0].values)) == {0, 1, 2}
    assert ((layers[0].values > 0) & (layers[1].values > 0)).any()
    assert tuple(read_label_names(path, layer) for layer in (0, 1)) == NAMES
    header = sitk.ReadImage(str(path))
    assert header.GetMetaData("Segment2_Layer") == "1"
    assert header.GetMetaData("Segment2_LabelValue") == "1"


def test_all_layers_go_through_one_field(folder):
    subject = find_subjects(folder)[0].read()
    assert [each.layer for each in subject.segmentations] == [0, 1]
    variant = Synthesizer(subject, SynthesisSettings(symmetry="off")).variant(0)
    for own, made, names in zip(subject.segmentations, variant.subject.segmentations, NAMES, strict=True):
        expected = resample(own.volume, GRID, variant.field, interpolation=Interpolation.NEAREST)
        np.testing.assert_array_equal(made.volume.values, expected.values)
        assert (made.names, made.layer) == (names, own.layer)


@pytest.mark.parametrize(
    ("layout", "name"), [("pairs", "anna_0000_seg"), ("bids", "sub-anna/anat/sub-anna_desc-deformed0000_dseg")]
)
def test_layouts_that_can_keep_the_layers(folder, tmp_path, layout, name):
    assert shell(folder, tmp_path / "out", layout) == 0
    path = tmp_path / "out" / f"{name}.seg.nrrd"
    assert tuple(read_label_names(path, layer) for layer in (0, 1)) == NAMES
    made = Synthesizer(find_subjects(folder)[0].read(), SynthesisSettings(symmetry="off")).variant(0).subject
    for layer, each in zip(read_layers(path), made.segmentations, strict=True):
        np.testing.assert_array_equal(layer.values, each.volume.values)
    if layout == "pairs":
        assert [each.layer for each in find_subjects(tmp_path / "out")[0].read().segmentations] == [0, 1]


@pytest.mark.parametrize("layout", ["nnunet", "drdm"])
def test_layouts_that_cannot_say_so(folder, tmp_path, layout, capsys):
    assert shell(folder, tmp_path / "out", layout) == 2
    assert "segments overlap. Choose --format pairs or bids" in capsys.readouterr().err


def test_a_case_that_is_looked_through_keeps_its_layers(folder, tmp_path):
    subject = find_subjects(folder)[0].read()
    StoredCase(subject).write(tmp_path / "case.npz")
    again = StoredCase.read(tmp_path / "case.npz").subject
    assert [(each.layer, each.names) for each in again.segmentations] == [(0, NAMES[0]), (1, NAMES[1])]
