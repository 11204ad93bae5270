"""New images in the shell: the same for ever, in the right place, stopped, killed and continued, bad input told."""

import json
import signal
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from image_world import FRAME, NETWORK, ball, write_image_model

from DiffusionCore import generation
from DiffusionCore.__main__ import main
from DiffusionCore.generation import GenerationSettings, ImageModel, generate
from DiffusionCore.images.frame import middle
from DiffusionCore.networks.image_denoiser import ImageDenoiser
from DiffusionCore.space import Volume
from DiffusionCore.storage.checkpoint import Checkpoint, save_checkpoint
from DiffusionCore.storage.volumes import read_volume, write_volume
from DiffusionCore.training.image import ImageRecipeConfig

KILLED = """
import os, signal, sys
from DiffusionCore.__main__ import main
from DiffusionCore.storage import volumes
write = volumes.write_nifti
def kill(path, *rest):
    write(path, *rest)
    if path.name == "image_0001.nii.gz":
        os.kill(os.getpid(), signal.SIGKILL)
volumes.write_nifti = kill
main(sys.argv[1:])
"""


@pytest.fixture
def weights(tmp_path):
    return write_image_model(tmp_path / "image.safetensors")


@pytest.fixture
def command(tmp_path, weights):
    """Return the function that runs the command into the folder ``name`` and returns its exit code."""

    def run(*more, name="out", count=3):
        given = ["--model", weights, "--count", count, "--output", tmp_path / name, "--steps", 4, *more]
        return main(["generate", *map(str, given)])

    return run


def write_map(folder, number=0, name="map_seg.nii.gz"):
    labels = ball(number)[1]
    write_volume(folder / name, labels)
    return folder / name, labels


def contents(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.nii.gz"))}


def test_an_image_is_the_same_for_ever_and_lies_on_the_grid_of_the_model(command, tmp_path):
    assert command() == 0
    whole = contents(tmp_path / "out")
    assert list(whole) == [f"image_000{n}.nii.gz" for n in range(3)]
    assert len(set(whole.values())) == 3
    image = read_volume(tmp_path / "out" / "image_0000.nii.gz")
    assert image.grid.is_close(FRAME.grid)
    assert image.values.min() >= 0
    assert image.values.std() > 0.01
    assert command(name="more", count=4) == 0
    assert whole.items() <= contents(tmp_path / "more").items()
    assert command("--seed", 1, name="other") == 0
    assert not set(contents(tmp_path / "other").values()) & set(whole.values())


def test_images_with_a_label_map_lie_on_it_and_come_with_it(command, tmp_path):
    path, labels = write_map(tmp_path, 2)
    assert command("--segmentation", path, count=1) == 0
    image, written = (read_volume(tmp_path / "out" / f"image_0000{end}.nii.gz") for end in ("", "_seg"))
    assert image.grid.is_close(labels.grid)
    assert written.grid.is_close(labels.grid)
    assert written.values.dtype == labels.values.dtype
    assert np.array_equal(written.values, labels.values)


def test_a_folder_of_label_maps_is_taken_in_turn(command, tmp_path):
    maps = tmp_path / "maps"
    maps.mkdir()
    sizes = [write_map(maps, number, f"case_{number}_seg.nii.gz")[1].grid.size for number in range(2)]
    write_volume(maps / "case_0.nii.gz", ball(0)[0])
    assert command("--segmentation", maps) == 0
    made = [read_volume(tmp_path / "out" / f"image_000{n}.nii.gz").grid.size for n in range(3)]
    assert made == [sizes[0], sizes[1], sizes[0]]


def test_label_map_class_guidance_sampler_and_steps_matter(weights):
    model = ImageModel.load(str(weights), "cpu")
    labels = ball(1)[1]

    def made(**changes):
        given = GenerationSettings(**{"steps": 4, "guidance_scale": 2.0, **changes})
        return list(generate(model, 0, settings=given, labels=labels))[-1].image.values

    before = made()
    for change in ({"kind": "late"}, {"guidance_scale": 1.0}, {"sampler": "ddpm"}, {"steps": 5}):
        assert np.abs(made(**change) - before).max() > 1e-4, change
    without = list(generate(model, 0, settings=GenerationSettings(4, guidance_scale=2.0)))[-1].image
    assert np.abs(without.values - before).max() > 1e-4
    assert without.grid.is_close(FRAME.grid)


def test_every_step_shows_the_image_so_far_about_the_middle_of_the_labels(weights):
    labels = ball(2)[1]
    steps = list(generate(ImageModel.load(str(weights), "cpu"), 0, settings=GenerationSettings(4), labels=labels))
    assert [(step.index, step.of) for step in steps] == [(n, 4) for n in range(4)]
    assert [step.time for step in steps] == [750, 500, 250, 0]
    assert np.abs(steps[-1].image.grid.center - middle(labels, labels)).max() < 1e-3
    assert not np.array_equal(steps[0].image.values, steps[-1].image.values)


def test_killed_in_the_middle_of_a_file_it_goes_on_and_ends_the_same(command, weights, tmp_path):
    path, _ = write_map(tmp_path)
    given = ["--model", weights, "--count", 3, "--output", tmp_path / "killed", "--steps", 4, "--segmentation", path]
    environment = {"PYTHONPATH": str(Path(__file__).parents[2]), "OMP_NUM_THREADS": "1"}
    call = [sys.executable, "-c", KILLED, "generate", *map(str, given)]
    assert subprocess.run(call, env=environment, capture_output=True).returncode == -signal.SIGKILL
    assert not (tmp_path / "killed" / "image_0001.nii.gz").exists()
    first = (tmp_path / "killed" / "image_0000.nii.gz").stat().st_mtime_ns
    assert command("--segmentation", path, name="killed") == command("--segmentation", path, name="whole") == 0
    assert contents(tmp_path / "killed") == contents(tmp_path / "whole")
    assert (tmp_path / "killed" / "image_0000.nii.gz").stat().st_mtime_ns == first


def test_interrupted_it_keeps_whole_images_and_goes_on(command, tmp_path, monkeypatch, capsys):
    true = generation.generate

    def interrupted(model, number, **rest):
        for step in true(model, number, **rest):
            yield step
            if (number, step.index) == (1, 0):
                signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(generation, "generate", interrupted)
    assert command() == 130
    assert list(contents(tmp_path / "out")) == ["image_0000.nii.gz"]
    assert "goes on from here" in capsys.readouterr().err
    monkeypatch.undo()
    assert command() == command(name="whole") == 0
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


def test_a_folder_that_was_begun_otherwise_is_refused_and_kept(command, tmp_path, capsys):
    assert command(count=1) == 0
    before = contents(tmp_path / "out")
    assert command("--seed", 4) == command("--guidance-scale", 3) == 2
    assert "another seed" in capsys.readouterr().err
    assert contents(tmp_path / "out") == before
    record = json.loads((tmp_path / "out" / "generation.json").read_text())
    assert (record["seed"], record["settings"]["steps"]) == (0, 4)


@pytest.mark.parametrize("begun", ["float32", "bfloat16"])
def test_what_was_begun_in_a_precision_goes_on_in_it_whatever_is_the_fastest(command, tmp_path, begun):
    assert command("--precision", begun, count=1) == command() == 0
    assert command("--precision", begun, name="whole") == 0
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")
    assert command("--precision", {"float32": "bfloat16", "bfloat16": "float32"}[begun]) == 2


def test_the_fastest_precision_is_written_down_and_older_images_are_float32(command, tmp_path):
    assert command(count=1, name="new") == 0
    record = json.loads((tmp_path / "new" / "generation.json").read_text())
    assert record["settings"]["precision"] in ("FLOAT32", "BFLOAT16")
    assert command("--precision", "float32", count=1) == command("--precision", "float32", name="whole") == 0
    path = tmp_path / "out" / "generation.json"
    record = json.loads(path.read_text())
    assert record["settings"].pop("precision") == "FLOAT32"
    path.write_text(json.dumps(record))
    assert command() == 0
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"settings": {"steps": "many"}}'])
def test_a_damaged_account_of_the_images_is_told(command, tmp_path, capsys, text):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "generation.json").write_text(text)
    assert command() == 2
    assert "cannot be used for the images" in capsys.readouterr().err


def test_bad_input_is_told_before_anything_is_written(command, tmp_path, capsys):
    labels = ball(0)[1]
    unknown, empty = tmp_path / "unknown.nii.gz", tmp_path / "empty.nii.gz"
    write_volume(unknown, Volume(7 * (labels.values > 0).astype(np.uint8), labels.grid))
    write_volume(empty, Volume(0 * labels.values, labels.grid))
    (tmp_path / "maps").mkdir()
    other = tmp_path / "pose.safetensors"
    save_checkpoint(other, Checkpoint("pose", {}, {"x": torch.zeros(1)}, {}))
    cases = {
        ("--segmentation", unknown): "label 7; the model knows: 0, 3, 40",
        ("--segmentation", empty): "all 0",
        ("--segmentation", tmp_path / "maps"): "no label map in the folder",
        ("--segmentation", tmp_path / "nowhere.nii.gz"): "no file",
        ("--class", "early"): "no class 'early'. Its classes: late",
        ("--steps", 1001): "1..1000",
        ("--guidance-scale", -1): "guidance_scale",
        ("--model", other): "of the kind 'pose'",
        ("--model", "nothing"): "no model 'nothing'",
        ("--device", "cuda:77"): "cuda:77",
    }
    for given, text in cases.items():
        assert command(*given) == 2, given
        assert text in capsys.readouterr().err, given
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("missing", ["frame", "diffusion"])
def test_weights_that_do_not_say_what_the_images_share_are_refused(weights, tmp_path, missing, command, capsys):
    config = asdict(ImageRecipeConfig(network=NETWORK, frame=FRAME))
    del config[missing]
    damaged = tmp_path / "damaged.safetensors"
    save_checkpoint(damaged, Checkpoint("image", config, ImageDenoiser(NETWORK).state_dict(), {}))
    assert command("--model", damaged) == 2
    assert missing in capsys.readouterr().err


def test_settings_out_of_range_are_refused():
    for change in ({"steps": 0}, {"guidance_scale": -0.1}):
        with pytest.raises(ValueError, match=next(iter(change))):
            replace(GenerationSettings(), **change)
