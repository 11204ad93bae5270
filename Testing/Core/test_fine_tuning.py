"""Trainings that begin with the shipped weights of their kind."""

from dataclasses import replace

import pytest
import torch
from torch.testing import assert_close

from DiffusionCore.checks import CheckpointError
from DiffusionCore.config import from_dict
from DiffusionCore.images.frame import ImageFrame
from DiffusionCore.models import list_models, load_model
from DiffusionCore.storage.checkpoint import load_checkpoint
from DiffusionCore.training.image import ImageRecipe
from DiffusionCore.training.image_folder import ImageFolder
from DiffusionCore.training.loop import train
from DiffusionCore.training.recipes import configure
from DiffusionCore.training.recovery import RecoveryRecipe
from DiffusionCore.training.state import TrainingState

# the recipe of each shipped model, at its own size of network and a small size of all else
SMALL_BATCHES = {
    "pose": ("affine", ["pairs=1", "heads=1"]),
    "voxelmorph": ("voxelmorph", ["batch=1", "heads=1", "shapes=1", "passes=1"]),
    "diffusereg": ("diffusereg", ["batch=1", "heads=1", "shapes=1", "passes=1", "diffusion.deviation=0.3"]),
    "drdm": ("drdm", ["batch=1"]),
    "brains": ("small-image", ["batch=1"]),
}


def recipe_of(model, changes=()):
    """Return the recipe of ``model`` on images that need no files, and the settings of its loop."""
    name, small = SMALL_BATCHES[model]
    recipe, settings, _ = configure(name, [*small, *changes])
    random = torch.Generator().manual_seed(3)
    if model == "drdm":
        images = torch.rand(2, 1, *reversed(recipe.config.network.size), generator=random)
        return RecoveryRecipe(replace(recipe.config, mixed=0.0), images=images), settings
    if model == "brains":
        frame = from_dict(ImageFrame, load_model(model).config["frame"])
        labels = torch.randint(len(frame.labels), (1, *frame.grid.shape), generator=random).short()
        images = torch.rand(1, 1, *frame.grid.shape, generator=random).half()
        folder = ImageFolder(frame, ("one",), images, labels, torch.zeros(1, dtype=torch.int64))
        return ImageRecipe(recipe._given, images=folder), settings
    return recipe, settings


def test_every_shipped_model_has_a_recipe_that_can_begin_with_it():
    assert {card.name for card in list_models() if card.shipped} == set(SMALL_BATCHES)


def assert_shipped(model, weights):
    shipped = load_model(model).weights
    assert weights.keys() == shipped.keys()
    for name, tensor in shipped.items():
        assert_close(weights[name].float(), tensor.float(), atol=1e-4, rtol=2e-3, msg=name)


@pytest.mark.parametrize("model", SMALL_BATCHES)
def test_a_training_begins_with_the_shipped_weights(model):
    recipe, settings = recipe_of(model, [f"begin={model}"])
    state = TrainingState.beginning(recipe, settings, torch.device("cpu"))
    if settings.begin is not None:  # the recipe diffusereg has a key of this name, and begins by itself
        state.begin_with(settings.begin, recipe.kind)
    assert_shipped(model, state.network.state_dict())
    assert_shipped(model, state.average.state_dict())


@pytest.mark.parametrize("model", ["drdm", "brains"])
def test_a_training_goes_on_from_the_shipped_weights(model, tmp_path):
    recipe, settings = recipe_of(model, [f"begin={model}", "steps=1", "warm_up=0", "learning_rate=1e-8"])
    assert_shipped(model, load_checkpoint(train(recipe, tmp_path, settings), recipe.kind).weights)


def test_images_with_other_labels_are_told_from_those_of_the_weights():
    recipe, settings = recipe_of("brains")
    frame = replace(recipe.images.frame, labels=(0, 3, 40))
    images = replace(recipe.images, frame=frame, labels=torch.zeros_like(recipe.images.labels))
    state = TrainingState.beginning(ImageRecipe(recipe._given, images=images), settings, torch.device("cpu"))
    with pytest.raises(CheckpointError, match=r"labels.weight: \(141, 4\) there, \(4, 4\) here"):
        state.begin_with("brains", "image")
