"""Training of the image diffusion: what is read from a folder, what is drawn, and that it resumes and learns."""

import json
import logging
from dataclasses import replace

import numpy as np
import pytest
import torch
from image_world import LABELS, ball, small_images, write_balls
from torch.testing import assert_close

from DiffusionCore.__main__ import main
from DiffusionCore.build import build_network
from DiffusionCore.checks import ConfigError, StorageError
from DiffusionCore.config import from_dict
from DiffusionCore.images.diffusion import ImageDiffusion
from DiffusionCore.networks.image_denoiser import ImageDenoiserConfig
from DiffusionCore.space import Volume
from DiffusionCore.storage.checkpoint import load_checkpoint
from DiffusionCore.storage.volumes import write_volume
from DiffusionCore.training.batches import batch_generator, validation_batches
from DiffusionCore.training.image import ImageRecipe, ImageRecipeConfig
from DiffusionCore.training.image_folder import ImageFolder
from DiffusionCore.training.loop import train
from DiffusionCore.training.pictures import draw_pictures
from DiffusionCore.training.recipes import RECIPES, configure
from DiffusionCore.training.settings import LoopSettings
from DiffusionCore.training.state import TrainingState
from DiffusionCore.training.update import compute_gradients

NETWORK = ImageDenoiserConfig(2, (8, 12), embedding=16)
CONFIG = ImageRecipeConfig(batch=4, spacing=8.0, network=NETWORK)


def generator(seed: int = 2) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def recipe(**changes) -> ImageRecipe:
    return ImageRecipe(replace(CONFIG, **changes), images=small_images())


def test_a_folder_is_read_into_one_frame(tmp_path):
    read = ImageFolder.read(write_balls(tmp_path), spacing=4.0, multiple=4)
    assert read.names == ("ball_0", "ball_1", "ball_2")
    assert read.classes.tolist() == [0, 0, 1]
    assert read.frame.classes == ("late",)
    assert read.frame.labels == LABELS
    assert all(n % 4 == 0 and 2 * 26 / 4 + 2 <= n <= 20 for n in read.frame.size)
    assert read.images.shape == (3, 1, *read.frame.grid.shape)
    assert (read.labels[2] == read.frame.unknown_label).all()
    for number in range(2):  # the bright side is right, label 40, and in the same place, whatever the grid of the file
        image, labels = read.images[number, 0].float(), read.labels[number]
        assert image[labels == 2].mean() > 1.3 * image[labels == 1].mean()
        where = (labels == 2).nonzero().float().mean(0) - (labels == 1).nonzero().float().mean(0)
        assert where[2] > 3 * where[:2].abs().max()
    assert_close(read.images.float().mean(), torch.tensor(read.frame.intensities.mean), atol=1e-3, rtol=0)


def test_what_cannot_be_used_is_left_out_and_named(tmp_path, caplog):
    write_balls(tmp_path)
    image, labels = ball(1)
    write_volume(tmp_path / "constant.nii.gz", Volume(0 * image.values, image.grid))
    (tmp_path / "broken.nii.gz").write_bytes(b"no image")
    write_volume(tmp_path / "fractions.nii.gz", image)
    write_volume(tmp_path / "fractions_seg.nii.gz", Volume(labels.values + np.float32(0.5), labels.grid))
    write_volume(tmp_path / "elsewhere.nii.gz", image)
    write_volume(tmp_path / "elsewhere_seg.nii.gz", ball(0)[1])
    (tmp_path / "notes.txt").write_text("not an image")
    with caplog.at_level(logging.WARNING):
        read = ImageFolder.read(tmp_path, spacing=8.0)
    assert read.names == ("ball_0", "ball_1", "ball_2")
    for name in ("constant", "broken", "fractions", "elsewhere"):
        assert sum(f"'{name}.nii.gz' was left out" in record.message for record in caplog.records) == 1


def test_a_folder_without_images_is_refused(tmp_path):
    with pytest.raises(StorageError, match="there is no folder"):
        ImageFolder.read(tmp_path / "nowhere", spacing=4.0)
    with pytest.raises(StorageError, match="No image"):
        ImageFolder.read(tmp_path, spacing=4.0)
    with pytest.raises(ConfigError, match="data=FOLDER"):
        ImageRecipe(CONFIG).network()


def test_the_same_generator_draws_the_same_batch():
    made = recipe()
    first, again, other = (made.draw(generator(seed)) for seed in (2, 2, 3))
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first[0], other[0])


def test_patches_know_where_they_lie():
    made = recipe(patch=(4, 6, 8), deformation=0.0, forgotten=0.0)
    stored = made.images
    clean, position, labels, _, _, noise = made.draw(generator())
    assert clean.shape == noise.shape == (4, 1, 8, 6, 4)
    grid = stored.frame.grid
    for item in range(4):
        i, j, k = ((position[item, :, 0, 0, 0] + 1) * torch.tensor(grid.size) / 2 - 0.5).round().long().tolist()
        box = (slice(k, k + 8), slice(j, j + 6), slice(i, i + 4))
        images = stored.frame.intensities.standardized(stored.images[:, 0, *box].float())
        [which] = [n for n in range(3) if torch.allclose(images[n], clean[item, 0])]
        assert torch.equal(stored.labels[which, *box].long(), labels[item])


def test_validations_see_other_subjects_than_the_training():
    images = replace(small_images(), held_out=(False, True, False))
    made = ImageRecipe(replace(CONFIG, deformation=0.0, held_out=0.3), images=images)
    shown = images.frame.intensities.standardized(images.images.float())
    for draw, own in ((made.draw, {0, 2}), (made.draw_held_out, {1})):
        clean = draw(generator())[0]
        assert {n for n in range(3) for item in clean if torch.allclose(shown[n], item)} == own
    [batch] = validation_batches(made, LoopSettings(), 1)
    assert all(torch.allclose(item, shown[1]) for item in batch[0])
    alone = recipe(deformation=0.0)
    assert torch.equal(alone.draw(generator())[0], alone.draw_held_out(generator())[0])


def test_a_manifest_is_trained_on_as_a_folder_is(tmp_path):
    write_balls(tmp_path)
    rows = ["image,label,modality", "ball_0.nii.gz,ball_0_seg.nii.gz,", "late/ball_2.nii.gz,,T2"]
    (tmp_path / "list.csv").write_text("\n".join(rows))
    read = ImageFolder.read(tmp_path / "list.csv", spacing=8.0, checked=0.5)
    assert (read.names, read.frame.classes, sum(read.held_out)) == (("ball_0", "ball_2"), ("T2",), 1)


def test_labels_move_with_their_images():
    made = recipe(deformation=6.0, forgotten=0.0, batch=24)
    clean, _, labels, *_ = made.draw(generator())
    shown = 2 * made.images.frame.intensities.restored(clean)[:, 0]
    assert not any(torch.equal(labels[0], whole.long()) for whole in made.images.labels)
    near = torch.corrcoef(torch.stack([shown.flatten(), labels.flatten().float()]))[0, 1]
    assert near > 0.6  # interpolated linearly where the label is the nearest
    apart = torch.corrcoef(torch.stack([shown.flatten(), labels.roll(1, 1).flatten().float()]))[0, 1]
    assert abs(apart) < 0.3


def test_conditions_are_forgotten_together_and_alone_as_often_as_asked_for():
    made = recipe(batch=400, forgotten=0.25, patch=(4, 4, 4))
    _, _, labels, classes, *_ = made.draw(generator())
    nothing = (labels == made.images.frame.unknown_label).flatten(1).all(1)
    kept = 0.75 * 0.75
    assert nothing.float().mean().item() == pytest.approx(1 - kept, abs=0.08)
    assert (classes > 0).float().mean().item() == pytest.approx(kept / 3, abs=0.08)
    assert (classes[~nothing] > 0).float().mean().item() == pytest.approx(0.75 / 3, abs=0.08)


@pytest.mark.parametrize("diffusion", [ImageDiffusion(), RECIPES["published-image"].config.diffusion])
def test_the_right_answer_has_no_loss(diffusion):
    made = recipe(diffusion=diffusion)
    batch = made.draw(generator())
    clean, *_, times, noise = batch
    answer = diffusion.estimated.of(clean, noise, diffusion.schedule.alpha_bar(times))
    loss, metrics = made.loss(lambda *given: answer, *batch)
    assert loss == 0
    assert metrics["error"] < 1e-3
    worse, metrics = made.loss(lambda *given: 0 * answer, *batch)
    assert worse > 0.3
    assert metrics["error"] > 0.3


def test_a_validation_shows_images_and_what_the_network_makes_of_them(tmp_path):
    made, settings = recipe(), LoopSettings()
    batch = made.draw(generator())
    clean, *_, times, noise = batch
    answer = made._given.diffusion.estimated.of(clean, noise, made._given.diffusion.schedule.alpha_bar(times))
    shown = made.pictures(lambda *given: answer, *batch)
    assert_close(shown["estimate"], shown["image"], atol=1e-3, rtol=0)
    assert (shown["with noise"] - shown["image"]).abs().mean() > 0.05
    path = draw_pictures(tmp_path, 1000, made, made.network(), settings)
    assert path == tmp_path / "checks" / "0001000.png"
    assert path.read_bytes().startswith(b"\x89PNG")


def test_training_learns_resumes_exactly_and_carries_all_that_generation_needs(tmp_path):
    settings = LoopSettings(40, learning_rate=1e-2, warm_up=3, clip=1.0, log_every=10, save_every=10)
    calls = iter(range(100))
    train(recipe(), tmp_path / "parts", settings, should_stop=lambda: next(calls) >= 12)
    train(recipe(), tmp_path / "parts", settings)
    weights = train(recipe(), tmp_path / "whole", settings)
    whole, parts = load_checkpoint(weights), load_checkpoint(tmp_path / "parts" / weights.name)
    assert all(torch.equal(whole.weights[name], parts.weights[name]) for name in whole.weights)
    rows = [json.loads(line) for line in (tmp_path / "whole" / "log.jsonl").read_text().splitlines()]
    assert rows[-1]["loss"] < 0.8  # an estimate of nothing has 1
    config = from_dict(ImageRecipeConfig, whole.config)
    assert config.frame == small_images().frame
    assert (config.network.labels, config.network.classes) == (3, 1)
    assert build_network(whole).config == config.network


@pytest.mark.parametrize("recompute", [False, True])
def test_gradients_lie_in_memory_as_their_weights(recompute):
    settings = LoopSettings(1, accumulate=2, recompute=recompute)
    state = TrainingState.beginning(recipe(), settings, torch.device("cpu"))
    compute_gradients(recipe(), state, [recipe().draw(batch_generator(0, number)) for number in range(2)], settings)
    weights = [weight for weight in state.network.parameters() if weight.grad is not None]
    assert any(not weight.is_contiguous() for weight in weights)
    assert all(weight.grad.stride() == weight.stride() for weight in weights)  # a fused update relies on it


def test_the_shell_trains_on_a_folder_and_does_not_write_where_it_lies(tmp_path, capsys):
    folder, run = write_balls(tmp_path / "secret"), tmp_path / "run"
    given = ["train", "smoke-image", "--data", str(folder), "--output", str(run), "steps=2", "spacing=6"]
    assert main(given) == 0
    written = load_checkpoint(run / "weights.safetensors")
    assert "secret" not in json.dumps([written.config, written.card])
    assert written.card["license"] == "that of the images"
    assert main(["train", "smoke-image", "--output", str(run / "other")]) == 2
    assert "data=FOLDER" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["image", "small-image", "smoke-image", "published-image"])
def test_settings_of_every_preset_can_be_changed(name):
    made, settings, _ = configure(name, ["steps=3", "recompute=true", "patch=[16, 20, 24]", "network.heads=0"])
    assert settings.steps == 3
    assert settings.recompute
    assert made._given.patch == (16, 20, 24)


@pytest.mark.parametrize(
    ("change", "named"),
    [({"batch": 0}, "batch"), ({"spacing": 0.0}, "spacing"), ({"forgotten": 2.0}, "f"), ({"size": (2, 8, 8)}, "size")],
)
def test_settings_out_of_range_are_refused(change, named):
    with pytest.raises(ValueError, match=named):
        replace(CONFIG, **change)
