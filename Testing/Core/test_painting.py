"""New images for the deformed labels of a case, by a diffusion of images that has learned nothing here."""

from __future__ import annotations

import numpy as np
import pytest
from image_world import ball, write_image_model
from synthesis_world import case

from DiffusionCore.checks import CheckpointError, VolumeError
from DiffusionCore.synthesis.settings import SynthesisSettings
from DiffusionCore.synthesis.subject import Segmentation, Subject
from DiffusionCore.synthesis.synthesizer import Synthesizer


@pytest.fixture
def model(tmp_path):
    return str(write_image_model(tmp_path / "image.safetensors"))


def labeled_ball():
    image, labels = ball(1)
    return Subject("ball", (image,), (Segmentation(labels),))


def test_image_and_labels_of_a_new_case_come_together(model):
    settings = SynthesisSettings(strength=1.0, symmetry="off", image_model=model)
    painted = Synthesizer(labeled_ball(), settings).variant(3, seed=2)
    deformed = Synthesizer(labeled_ball(), SynthesisSettings(strength=1.0, symmetry="off")).variant(3, seed=2)
    labels, image = painted.subject.segmentations[0].volume, painted.subject.images[0]
    np.testing.assert_array_equal(labels.values, deformed.subject.segmentations[0].volume.values)
    assert (image.values != deformed.subject.images[0].values).any()
    assert image.values.dtype == np.int16
    assert image.grid.is_close(labels.grid)
    assert image.values.std() > 0


def test_without_a_displacement_the_labels_stay_and_images_differ(model):
    painter = Synthesizer(labeled_ball(), SynthesisSettings(displacement=0.0, symmetry="off", image_model=model))
    first, again, second = (painter.variant(number, seed=5).subject for number in (0, 0, 1))
    np.testing.assert_array_equal(first.segmentations[0].volume.values, ball(1)[1].values)
    np.testing.assert_array_equal(first.images[0].values, again.images[0].values)
    assert (first.images[0].values != second.images[0].values).any()


def test_labels_that_the_model_does_not_know_are_told(model):
    with pytest.raises(VolumeError, match="200"):
        Synthesizer(case(), SynthesisSettings(image_model=model))


def test_a_case_with_two_images_is_refused(model):
    subject = labeled_ball()
    two = Subject("two", (subject.images[0], subject.images[0]), subject.segmentations)
    with pytest.raises(VolumeError, match="2 images"):
        Synthesizer(two, SynthesisSettings(image_model=model))


def test_a_model_of_another_kind_is_refused():
    with pytest.raises(CheckpointError, match="pose"):
        Synthesizer(labeled_ball(), SynthesisSettings(image_model="pose"))
