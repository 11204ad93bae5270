"""The loop takes care: steps that are not finite, half precision, memory, and states that do not fit."""

import math
import pickle
from contextlib import nullcontext
from dataclasses import dataclass, replace

import pytest
import torch
from line_recipe import SETTINGS, LineConfig, LineRecipe, assert_same_weights, stopper
from torch import nn

from DiffusionCore.checks import CheckpointError, ConfigError, DeviceError, DiffusionCoreError, StorageError
from DiffusionCore.storage.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from DiffusionCore.training.batches import AHEAD, batch_generator
from DiffusionCore.training.folder import STATE
from DiffusionCore.training.forecast import forecast
from DiffusionCore.training.loop import train


class SpoiledRecipe(LineRecipe):
    """The batches of some ``numbers`` have a loss, or a gradient, that is not finite."""

    def __init__(self, numbers, spoil="loss"):
        super().__init__()
        self._spoil = spoil
        self._bad = {float(LineRecipe().draw(batch_generator(SETTINGS.seed, number))[0][0]) for number in numbers}

    def loss(self, network, x, y):
        loss, metrics = super().loss(network, x, y)
        if float(x[0]) in self._bad:
            # the root has an infinite slope at 0
            loss = loss * math.nan if self._spoil == "loss" else loss + (loss - loss.detach()).sqrt()
        return loss, metrics


class BallRecipe(LineRecipe):
    """A convolution, on images of (3, 5, ``size``) voxels."""

    kind, batch = "ball", 2

    def __init__(self, size=3):
        super().__init__()
        self._size = size

    def network(self):
        return nn.Sequential(nn.Conv3d(1, 8, 3, padding=1), nn.SiLU(), nn.Conv3d(8, 1, 3, padding=1))

    def draw(self, generator):
        return (torch.randn(self.batch, 1, self._size, 5, 3, generator=generator),)

    def loss(self, network, images):
        return (network(images) - images).square().mean(), {}


@pytest.mark.parametrize(("kind", "text"), [("pose", "kind 'pose'"), ("line", "another network")])
def test_a_training_does_not_begin_with_weights_of_something_else(tmp_path, kind, text):
    other = tmp_path / "other.safetensors"
    save_checkpoint(other, Checkpoint(kind, {}, {"weights": torch.ones(2)}, {}))
    with pytest.raises(CheckpointError, match=text):
        train(LineRecipe(), tmp_path / "run", replace(SETTINGS, begin=str(other)))


def test_a_run_of_another_recipe_is_refused_by_name(tmp_path):
    class Curve(LineRecipe):
        kind = "curve"

    train(LineRecipe(), tmp_path, SETTINGS, should_stop=stopper(1))
    with pytest.raises(CheckpointError, match=r"a training of the kind 'line', not 'curve'\. Choose an empty"):
        train(Curve(), tmp_path, SETTINGS)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.99])
def test_a_state_that_was_cut_off_is_refused(tmp_path, share):
    train(LineRecipe(), tmp_path, SETTINGS, should_stop=stopper(1))
    whole = (tmp_path / STATE).read_bytes()
    (tmp_path / STATE).write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(StorageError, match=r"truncated or damaged|is empty"):
        train(LineRecipe(), tmp_path, SETTINGS)


def test_a_state_that_could_run_a_program_is_not_opened(tmp_path):
    (tmp_path / STATE).write_bytes(pickle.dumps({"step": 3}))
    with pytest.raises(CheckpointError, match="opening one can run any program"):
        train(LineRecipe(), tmp_path, SETTINGS)


def test_a_state_of_a_newer_version_asks_for_an_update(tmp_path, monkeypatch):
    with monkeypatch.context() as newer:
        newer.setattr("DiffusionCore.storage.checkpoint.FORMAT_VERSION", 99)
        train(LineRecipe(), tmp_path, SETTINGS, should_stop=stopper(1))
    with pytest.raises(CheckpointError, match=r"newer version.*update"):
        train(LineRecipe(), tmp_path, SETTINGS)


def test_a_setting_that_an_older_version_did_not_know_is_taken_to_be_the_default(tmp_path):
    @dataclass(frozen=True)
    class Wider(LineConfig):
        width: int = 8

    train(LineRecipe(), tmp_path, SETTINGS, should_stop=stopper(1))
    with pytest.raises(CheckpointError, match="width: 8 there, 9 here"):
        train(LineRecipe(Wider(width=9)), tmp_path, SETTINGS)
    train(LineRecipe(Wider()), tmp_path, SETTINGS)
    assert load_checkpoint(tmp_path / STATE).card["step"] == SETTINGS.steps


def test_the_memory_is_foretold_before_the_first_step(tmp_path):
    said = []
    train(LineRecipe(), tmp_path, SETTINGS, should_stop=stopper(1), say=said.append)
    [text] = said
    assert text.startswith("Memory: about 0 MiB")


def test_what_is_foretold_is_what_the_backward_pass_keeps():
    recipe = BallRecipe()
    network, batch, settings = (
        recipe.network(),
        recipe.draw(batch_generator(0, 0)),
        replace(SETTINGS, precision="float32"),
    )
    told = forecast(recipe, network, batch, settings)
    assert told.weights == 5 * 4 * sum(weight.numel() for weight in network.parameters())
    kept = {}
    with torch.autograd.graph.saved_tensors_hooks(
        lambda tensor: kept.setdefault(tensor.untyped_storage().data_ptr(), tensor), lambda tensor: tensor
    ):
        recipe.loss(network, *batch)
    weights = {weight.data_ptr() for weight in network.parameters()}
    measured = sum(tensor.untyped_storage().nbytes() for place, tensor in kept.items() if place not in weights)
    batches = (1 + AHEAD) * sum(tensor.nbytes for tensor in batch)
    assert told.batch == pytest.approx(2 * (measured + batches), rel=0.1)
    assert forecast(recipe, network, batch, replace(settings, precision="bfloat16")).batch < told.batch


def test_a_network_that_needs_values_trains_without_a_forecast(tmp_path):
    class Choosing(nn.Linear):
        def forward(self, x):
            return super().forward(x) if x.sum() < 1e9 else x

    class ChoosingRecipe(LineRecipe):
        def network(self):
            return Choosing(1, 1)

    said = []
    train(ChoosingRecipe(), tmp_path, SETTINGS, say=said.append)
    assert said == ["How much memory is needed is not known before the first step."]


@pytest.mark.parametrize(
    ("size", "precision", "refused"), [(2, "bfloat16", True), (2, "float16", False), (3, "bfloat16", False)]
)
def test_gradients_that_would_be_random_are_refused(tmp_path, size, precision, refused):
    settings = replace(SETTINGS, steps=1, precision=precision)
    expected = pytest.raises(ConfigError, match=r"\(3, 5, 2\) voxels.*precision=float32") if refused else nullcontext()
    with expected:
        train(BallRecipe(size), tmp_path, settings)


def test_a_run_of_another_configuration_is_refused_and_kept(tmp_path):
    train(LineRecipe(), tmp_path, SETTINGS, should_stop=stopper(1))
    before = (tmp_path / STATE).read_bytes()
    with pytest.raises(CheckpointError, match=r"slope: 2\.0 there, 5\.0 here"):
        train(LineRecipe(LineConfig(slope=5.0)), tmp_path, SETTINGS)
    with pytest.raises(CheckpointError, match="seed: 3 there, 4 here"):
        train(LineRecipe(), tmp_path, replace(SETTINGS, seed=4))
    assert (tmp_path / STATE).read_bytes() == before


@pytest.mark.parametrize(
    "change",
    [
        {"steps": 0},
        {"learning_rate": 0.0},
        {"learning_rate": float("nan")},
        {"warm_up": -1},
        {"weight_decay": -0.1},
        {"clip": 0.0},
        {"average": 1.5},
        {"average_gamma": 0.0},
        {"seed": -1},
        {"log_every": 0},
        {"validate_every": 0},
        {"save_every": 0},
        {"accumulate": 0},
        {"precision": "float64"},
        {"skips": -1},
        {"patience": -1},
        {"workers": -1},
        {"keep": -1},
    ],
    ids=str,
)
def test_settings_out_of_range_are_refused_by_name(change):
    with pytest.raises(ValueError, match=next(iter(change))):
        replace(SETTINGS, **change)


def test_a_device_that_is_not_there_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(DeviceError, match="cuda:99"):
        train(LineRecipe(), tmp_path / "run", SETTINGS, device="cuda:99")
    assert not (tmp_path / "run").exists()


def test_steps_that_are_not_finite_are_left_out_and_counted(tmp_path):
    rows = []
    recipe = SpoiledRecipe({7, 8, 31})
    train(recipe, tmp_path / "spoiled", SETTINGS, on_log=rows.append)
    assert [row["skipped"] for row in rows] == [2, 2, 2, 3, 3, 3]
    assert all(math.isfinite(row["loss"]) for row in rows)
    weights = load_checkpoint(tmp_path / "spoiled" / STATE).weights
    assert all(tensor.isfinite().all() for tensor in weights.values())
    assert weights["optimizer.0.step"] == SETTINGS.steps - 3


@pytest.mark.parametrize("spoil", ["loss", "gradient"])
def test_too_many_bad_steps_in_a_row_end_the_run_and_keep_the_batch(tmp_path, spoil):
    settings = replace(SETTINGS, skips=2)
    with pytest.raises(DiffusionCoreError, match=r"3 steps in a row, up to step 34; .*'bad-batch-0.*learning_rate"):
        train(SpoiledRecipe({20, 21, 31, 32, 33, 40}, spoil), tmp_path, settings)
    kept = load_checkpoint(tmp_path / "bad-batch-0.safetensors", "line-batch")
    assert kept.card == {"step": 33, "seed": 3}
    recipe = LineRecipe()
    assert torch.equal(kept.weights["0.0"], recipe.draw(batch_generator(3, 33))[0])
    assert load_checkpoint(tmp_path / STATE).card["step"] == 25  # what is gone on from is sound


def test_bad_steps_are_counted_on_after_a_stop(tmp_path):
    settings = replace(SETTINGS, skips=2)
    recipe = SpoiledRecipe({21, 22, 23})
    train(recipe, tmp_path, settings, should_stop=stopper(23))
    assert load_checkpoint(tmp_path / STATE).card["skipped"] == 2
    with pytest.raises(DiffusionCoreError, match="3 steps in a row"):
        train(recipe, tmp_path, settings)


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_half_precision_learns_and_goes_on_to_the_bit(tmp_path, precision):
    rows, settings = [], replace(SETTINGS, precision=precision)
    train(LineRecipe(), tmp_path / "whole", settings, on_log=rows.append)
    train(LineRecipe(), tmp_path / "parts", settings, should_stop=stopper(23))
    train(LineRecipe(), tmp_path / "parts", settings)
    assert rows[-1]["loss"] < 0.5 * rows[0]["loss"]
    assert_same_weights(tmp_path / "whole", tmp_path / "parts")


def test_in_float16_an_overflow_lowers_the_scale_and_is_no_bad_step(tmp_path):
    class Steep(LineRecipe):
        def loss(self, network, *batch):
            loss, metrics = super().loss(network, *batch)
            return 100 * loss, metrics

    rows = []
    train(Steep(), tmp_path, replace(SETTINGS, precision="float16", skips=0), on_log=rows.append)
    state = load_checkpoint(tmp_path / STATE)
    assert state.card["scaler"]["scale"] < 2**16
    assert state.weights["optimizer.0.step"] < SETTINGS.steps
    assert (rows[-1]["skipped"], rows[-1]["error"] < rows[0]["error"]) == (0, True)
