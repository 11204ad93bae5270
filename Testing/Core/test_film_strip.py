"""The film strip shows the body as a radiologist expects it, and the steps that matter."""

import numpy as np
import pytest
from matplotlib.image import imread
from shell_world import MOVING_GRID, TRUTH, oblique

from DiffusionCore.affine.steps import Step
from DiffusionCore.film_strip import choose_frames, draw_film_strip, pictures, plane_grids, white_of
from DiffusionCore.space import Frame, Volume
from DiffusionCore.transforms.affine import Affine
from DiffusionCore.transforms.base import voxel_centers
from DiffusionCore.transforms.resample import resample

GRID = oblique((30, 26, 34), (4.0, 5.0, 3.5), (-7.0, 12.0, 31.0), 0.4)


def body(mark):
    """Return a ball of 40 mm with a bright mark 25 mm from its center in the direction ``mark`` (RAS)."""
    points = voxel_centers(GRID).numpy() - GRID.map((0, 0, 0), Frame.UNIT, Frame.RAS)
    near = np.linalg.norm(points - 25 * np.array(mark), axis=-1) < 12
    return Volume((np.linalg.norm(points, axis=-1) < 40) * 100.0 + near * 300, GRID)


@pytest.mark.parametrize(
    ("plane", "mark", "side"),
    [
        (0, (1, 0, 0), (0, -1)),  # axial: right is on the left, anterior above
        (0, (0, 1, 0), (-1, 0)),
        (1, (-1, 0, 0), (0, 1)),  # coronal: left is on the right, superior above
        (1, (0, 0, 1), (-1, 0)),
        (2, (0, 1, 0), (0, -1)),  # sagittal: anterior is on the left, inferior below
        (2, (0, 0, -1), (1, 0)),
    ],
)
def test_directions_of_the_body_lie_where_the_letters_say(plane, mark, side):
    volume = body(mark)
    picture = pictures(volume, volume, [Affine.identity()], plane_grids(volume)[plane], (white_of(volume),) * 2)[0][
        ..., 0
    ]
    bright = np.argwhere(picture > 0.9).mean(0) - (np.array(picture.shape) - 1) / 2
    assert np.sign(np.round(bright / 20)).tolist() == list(side)


def test_pixels_are_square_in_mm_and_planes_hold_the_body():
    for grid in plane_grids(body((1, 0, 0))):
        assert np.ptp(grid.spacing) < 1e-9
        assert min(grid.extent[:2]) > 80


def test_aligned_images_make_a_seamless_checkerboard():
    volume = body((0, 1, 0))
    moving = resample(volume, MOVING_GRID.padded(20), TRUTH.inverse())
    for transform, smallest, largest in ((TRUTH, 0.0, 0.12), (Affine.identity(), 0.12, 1.0)):
        whites = white_of(volume), white_of(moving)
        still, _, board, moved = pictures(volume, moving, [transform], plane_grids(volume)[0], whites)
        assert smallest < abs(moved - still).mean() < largest
        assert abs(board.mean() - (0.92 * still.mean() + 0.84 * moved.mean()) / 2) < 0.05


def test_frames_follow_the_way_and_end_with_the_last_step():
    shifts = [0.0, 30.0, 60.0, 60.5, 60.6, 60.6, 60.6, 60.6, 60.6]
    steps = [Step(n, "x", 0.0, Affine.translation((shift, 0, 0))) for n, shift in enumerate(shifts)]
    chosen = choose_frames(steps, GRID, 4)
    assert len(set(chosen)) == 4
    assert chosen == sorted(chosen)
    assert chosen[-1] == len(steps) - 1
    assert {0, 1, 2} <= set(chosen)
    assert choose_frames(steps[:1], GRID, 5) == [0]


def test_the_picture_is_a_png_with_a_column_per_frame(tmp_path):
    volume = body((0, 0, 1))
    steps = [Step(n, "pose", 1 - n / 9, TRUTH.fraction(n / 9), {"mutual_information": 0.1}) for n in range(10)]
    widths = []
    for frames in (2, 4):
        draw_film_strip(tmp_path / "strip.png", volume, volume, steps, frames=frames)
        picture = imread(tmp_path / "strip.png")
        widths.append(picture.shape[1])
        assert picture[..., :3].std() > 0.1
    assert widths[1] - widths[0] == pytest.approx(2 * 215, abs=2)
