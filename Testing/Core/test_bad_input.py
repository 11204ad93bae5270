"""What bad input gets from the shell: exit code 2, one clear line, and nothing left half-written."""

import errno
import shutil

import nibabel
import numpy as np
import pytest
from shell_world import FIXED_GRID, MOVING_GRID, moved_header, script, world  # noqa: F401

from DiffusionCore.__main__ import main
from DiffusionCore.commands import output, running
from DiffusionCore.storage.volumes import read_volume, write_volume


@pytest.fixture
def refused(world, script, capsys):  # noqa: F811
    """Return a function that runs register, checks that it is refused before any computing, and returns its line."""

    def run(*more, **files):
        before = {path: path.read_bytes() for path in world.folder.rglob("*") if path.is_file()}
        code = world.register(*more, **files)
        lines = capsys.readouterr().err.splitlines()
        assert code == 2
        assert len(lines) == 1, lines
        assert lines[0].startswith("error: ")
        assert "Traceback" not in lines[0]
        assert not script.calls
        assert {path: path.read_bytes() for path in world.folder.rglob("*") if path.is_file()} == before
        return lines[0]

    return run


def nifti(path, values):
    nibabel.Nifti1Image(values, np.diag([3.0, 2.5, 4.0, 1.0])).to_filename(path)
    return path


def test_a_missing_file(world, refused):  # noqa: F811
    assert "nowhere.nii.gz" in refused(moving=world.nowhere)


def test_a_folder(world, refused):  # noqa: F811
    assert "folder" in refused(fixed=world.folder)


def test_text_named_as_an_image(world, refused):  # noqa: F811
    world.notes.write_text("these are my notes\n")
    assert "notes.nii.gz" in refused(fixed=world.notes)


def test_an_unknown_ending(world, refused):  # noqa: F811
    path = world.folder / "photo.jpeg"
    path.write_bytes(b"\xff\xd8\xff")
    assert ".nii.gz" in refused(moving=path)


@pytest.mark.parametrize("share", [0.0, 0.4, 0.95])
def test_a_truncated_file(world, refused, share):  # noqa: F811
    data = world.moving.read_bytes()
    world.cut.write_bytes(data[: int(share * len(data))])
    assert "cut.nii.gz" in refused(moving=world.cut)


def test_an_empty_image(world, refused):  # noqa: F811
    line = refused(moving=world.write("zero.nii.gz", np.zeros(FIXED_GRID.shape, np.int16)))
    assert "constant" in line
    assert "zero.nii.gz" in line


def test_a_constant_image(world, refused):  # noqa: F811
    assert "fixed image is constant" in refused(fixed=world.write("flat.nrrd", np.full(FIXED_GRID.shape, 7.5)))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_not_finite(world, refused, value):  # noqa: F811
    values = read_volume(world.fixed).values.astype(np.float32)
    values[3, 4, 5] = value
    assert "NaN" in refused(fixed=world.write("hole.nii.gz", values))


@pytest.mark.parametrize("change", [lambda x: x * 1e296, lambda x: x * 1e-300, lambda x: x + 1e12])
def test_values_beyond_single_precision(world, refused, change):  # noqa: F811
    values = change(read_volume(world.fixed).values.astype(np.float64))
    assert "single precision" in refused(fixed=world.write("extreme.nii.gz", values))


def test_a_2d_image(world, refused):  # noqa: F811
    assert "2D" in refused(fixed=nifti(world.plane, np.ones((20, 24), np.float32)))


def test_a_4d_image(world, refused):  # noqa: F811
    assert "one 3D image is needed" in refused(fixed=nifti(world.series, np.ones((8, 9, 7, 5), np.float32)))


def test_a_single_slice(world, refused):  # noqa: F811
    assert "slice" in refused(fixed=nifti(world.slice, np.ones((20, 24, 1), np.float32)))


def test_a_handful_of_slices(world, refused):  # noqa: F811
    values = np.arange(20 * 24 * 3, dtype=np.float32).reshape(20, 24, 3)
    assert "at least 4 voxels" in refused(fixed=nifti(world.slab, values))


def test_a_segmentation_of_another_image(world, refused):  # noqa: F811
    assert "moving segmentation" in refused("--moving-segmentation", world.fixed_labels)


def test_a_segmentation_that_lies_elsewhere(world, refused):  # noqa: F811
    write_volume(world.shifted, moved_header(read_volume(world.fixed_labels), (0, 0, 2)))
    assert "fixed segmentation" in refused("--fixed-segmentation", world.shifted)


def test_a_segmentation_that_is_no_labels(world, refused):  # noqa: F811
    values = read_volume(world.fixed).values * 0.37
    assert "whole numbers" in refused("--fixed-segmentation", world.write("soft.nii.gz", values))


def test_an_initial_transform_that_moves_the_images_apart(world, refused):  # noqa: F811
    assert "do not overlap" in refused("--initial-transform", world.folder / "far.tfm")


def test_an_initial_transform_that_is_no_transform(world, refused):  # noqa: F811
    path = world.folder / "nonsense.tfm"
    path.write_text("#Insight Transform File V1.0\nTransform: nothing\n")
    assert "nonsense.tfm" in refused("--initial-transform", path)
    assert "fixed.nii.gz" in refused("--initial-transform", world.fixed)


def test_a_singular_initial_transform(world, refused):  # noqa: F811
    path = world.folder / "flat.tfm"
    numbers = "1 0 0 0 1 0 0 0 0 5 5 5"
    head = "#Insight Transform File V1.0\n#Transform 0\nTransform: AffineTransform_double_3_3\n"
    path.write_text(f"{head}Parameters: {numbers}\nFixedParameters: 0 0 0\n")
    refused("--initial-transform", path)


@pytest.mark.parametrize(
    ("more", "word"),
    [
        (["--method", "magic"], "affine"),
        (["--group", "projective"], "similarity"),
        (["--steps", "0"], "at least 1"),
        (["--steps", "many"], "many"),
        (["--seed", "dice"], "dice"),
        (["--seed", "-5"], "from 0"),
        (["--seed", "9" * 20], "from 0"),
        (["--frobnicate"], "--frobnicate"),
        (["--device", "abacus"], "available: cpu"),
        (["--device", "cuda:77"], "available: cpu"),
    ],
)
def test_an_unknown_choice(refused, more, word):
    assert word in refused(*more)


def test_cuda_where_there_is_none(refused, monkeypatch):
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    assert "The device 'cuda' is not there; available: cpu." in refused("--device", "cuda")


@pytest.mark.parametrize("model", ["gpt", "weights/nowhere.safetensors"])
def test_an_unknown_model(world, capsys, model):  # noqa: F811
    assert world.register("--model", model) == 2
    assert f"no model '{model}'" in capsys.readouterr().err.splitlines()[-1]
    assert not world.output.exists()


def test_weights_that_are_none(world, capsys):  # noqa: F811
    assert world.register("--model", world.fixed) == 2
    assert "fixed.nii.gz" in capsys.readouterr().err.splitlines()[-1]
    assert not world.output.exists()


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("speed=3", "learning_rate"),
        ("steps", "key=value"),
        ("=3", "learning_rate"),
        ("steps=many", "steps"),
        ("network.hue=1", "hue"),
        ("network.size=9", "multiple of 8"),
    ],
)
def test_a_bad_setting_of_a_training(tmp_path, capsys, text, word):
    assert main(["train", "affine", "--output", str(tmp_path / "run"), text]) == 2
    assert word in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_no_command(capsys):
    assert main([]) == 2
    assert capsys.readouterr().err.startswith("error: ")
    assert main(["regsiter"]) == 2
    assert "register" in capsys.readouterr().err


def test_an_output_that_is_a_file(world, refused):  # noqa: F811
    world.output.write_text("mine")
    assert "it is a file" in refused()


def test_an_output_below_a_file(world, refused):  # noqa: F811
    world.output.write_text("mine")
    assert "is a file" in refused("--output", world.output / "deeper")


def test_a_read_only_output(refused, monkeypatch):
    def mkdtemp(**_):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(output.tempfile, "mkdtemp", mkdtemp)
    assert "read-only" in refused()


@pytest.mark.usefixtures("script")
def test_a_disk_that_fills_up_leaves_the_earlier_results(world, monkeypatch, capsys):  # noqa: F811
    assert world.register() == 0
    before = {path.name: path.read_bytes() for path in world.output.iterdir()}

    def full(path, volume):
        path.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(running, "write_volume", full)
    capsys.readouterr()
    assert world.register("--seed", 3) == 2
    assert "the disk is full" in capsys.readouterr().err.splitlines()[-1]
    assert {path.name: path.read_bytes() for path in world.output.iterdir()} == before


def test_a_registration_that_runs_out_of_memory(world, script, capsys):  # noqa: F811
    def burst(step):
        raise MemoryError

    script.after = burst
    assert world.register() == 2
    assert "out of memory" in capsys.readouterr().err.splitlines()[-1]
    assert not world.output.exists()


def test_a_defect_is_one_line_and_with_debug_a_traceback(world, script, capsys):  # noqa: F811
    def defect(step):
        raise RuntimeError("the sky fell")

    script.after = defect
    assert world.register() == 1
    line = capsys.readouterr().err.splitlines()[-1]
    assert "the sky fell" in line
    assert "--debug" in line
    with pytest.raises(RuntimeError, match="the sky fell"):
        world.register("--debug")
    assert not world.output.exists()


@pytest.mark.parametrize(
    ("name", "text", "word"),
    [
        ("none.csv", None, "none.csv"),
        ("empty.csv", "", "no pairs"),
        ("header.csv", "fixed,moving\n", "no pairs"),
        ("column.csv", "fixed,moving,color\na,b,c\n", "color"),
        ("lacking.csv", "fixed\na\n", "moving"),
        ("twice.csv", "name,fixed,moving\nx,a,b\nx,c,d\n", "'x'"),
        ("escape.csv", "name,fixed,moving\n../x,a,b\n", "../x"),
        ("broken.json", "[{", "broken.json"),
        ("number.json", "5", "number.json"),
    ],
)
def test_a_bad_list(tmp_path, capsys, name, text, word):
    if text is not None:
        (tmp_path / name).write_text(text)
    assert main(["evaluate", str(tmp_path / name), "--output", str(tmp_path / "out")]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert word in lines[0]
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("script")
def test_bad_landmarks_are_a_line_of_the_table(world, capsys):  # noqa: F811
    (world.folder / "points.csv").write_text("x,y\n1,2\n")
    listed = world.folder / "list.csv"
    listed.write_text("fixed,moving,landmarks\nfixed.nii.gz,moving.nii.gz,points.csv\n")
    assert main(["evaluate", str(listed), "--output", str(world.output)]) == 1
    assert "fx, fy, fz" in capsys.readouterr().out


def test_images_of_very_different_sizes_are_no_error(world, script):  # noqa: F811
    tiny = world.write("tiny.nii.gz", np.arange(4 * 5 * 6).reshape(4, 5, 6), MOVING_GRID.resized((6, 5, 4)))
    assert world.register(moving=tiny) == 0
    assert len(script.calls) == 1
    shutil.rmtree(world.output)
