"""The comparison of a folder of images with a reference, in the shell."""

import json

import numpy as np
import pytest
from image_world import ball, write_balls

from DiffusionCore.__main__ import main
from DiffusionCore.images.mosaic import planes
from DiffusionCore.space import Volume
from DiffusionCore.storage.volumes import write_volume


def evaluate(tmp_path, *more):
    given = ["--images", tmp_path / "made", "--reference", tmp_path / "real", "--output", tmp_path / "out", *more]
    return main(["evaluate-images", *map(str, given)])


def test_a_copy_of_the_reference_is_told_whatever_its_scale_and_place(tmp_path, capsys):
    write_balls(tmp_path / "real", 4)
    (tmp_path / "made").mkdir()
    for number in (1, 0):
        image = ball(number)[0]
        moved = image.grid.with_center((300.0, 10.0, -20.0))
        write_volume(tmp_path / "made" / f"image_{number}.nii.gz", Volume(3 * image.values, moved))
    assert evaluate(tmp_path, "--spacing", 6) == 0
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    near = report["nearest"]
    assert [row["nearest"] for row in near["images"]] == ["ball_0", "ball_1"]
    assert near["median"] < 0.1 * near["median_within_reference"]
    assert report["counts"] == {"images": 2, "reference": 4}
    assert report["distances"]["intensities"] < 0.03
    assert report["distances_of_reference_halves"]["frechet"] > 0
    assert (tmp_path / "out" / "mosaic.png").stat().st_size > 5000
    assert "nearest real image" in capsys.readouterr().out


@pytest.mark.parametrize("more", [("--spacing", "0"), ("--images", "nowhere")])
def test_bad_input_is_told(tmp_path, more, capsys):
    write_balls(tmp_path / "real", 3)
    write_balls(tmp_path / "made", 1)
    assert evaluate(tmp_path, *more) == 2
    assert capsys.readouterr().err.startswith("error: ")
    assert evaluate(tmp_path) == 2
    assert "--images needs at least two" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_the_planes_show_the_body_as_a_radiologist_sees_it():
    image = np.zeros((5, 7, 6))
    image[2, :, 5] = 1  # right side at I = 5
    image[2, 6, :] = 2  # anterior at J = 6
    image[4, 3, :] = 3  # superior at K = 4
    axial, coronal, sagittal = planes(image)[:7], planes(image)[9:14], planes(image)[16:21]
    assert (axial[1:, 0] == 1).all()
    assert (axial[0, :6] == 2).all()
    assert (coronal[0, :6] == 3).all()
    assert sagittal[0, 3] == 3
    assert sagittal[2, 0] == 2
