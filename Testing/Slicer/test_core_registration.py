import numpy as np
import pytest
import torch
from nodes import OBLIQUE, POSE, add_transform, add_volume, contents, from_world, smooth_field

from DiffusionCore.checks import DiffusionCoreError
from DiffusionCore.mrml.bridge import transform_to_node
from DiffusionCore.registration import AffineSettings
from DiffusionCore.space import Frame, Grid, Volume
from DiffusionCore.transforms.affine import Affine
from DiffusionCore.transforms.resample import resample


def head(grid):
    """Return an ellipsoid with an uneven inside: enough for the registration of the core."""
    points = torch.from_numpy(grid.map(np.moveaxis(np.indices(grid.size), 0, -1), Frame.VOXEL, Frame.RAS)).numpy()
    inside = (((points - [2, 5, -3]) / [60, 75, 55]) ** 2).sum(-1) < 1
    values = inside * (300 + 150 * np.sin(points / [17, 23, 19] + [0, 1, 2]).sum(-1))
    return Volume(values.T.astype(np.int16), grid)


def test_the_registration_of_the_core_aligns_coarse_volumes_within_a_voxel(scene, logic):
    fixed = head(Grid((44, 48, 40), (4, 4, 4.5), (-90, -95, -85), ((1, 0, 0), (0, 0.8, -0.6), (0, 0.6, 0.8))))
    grid = Grid((50, 46, 42), (3.8, 4.2, 4), (100, -90, -80), ((-1, 0, 0), (0, 1, 0), (0, 0, 1)))
    pose = Affine.exponential((0.12, -0.08, 0.15, 8, -6, 5))
    moving = resample(head(grid), grid, pose.inverse())
    output, seen = add_transform(scene), []
    result = logic.register(
        add_volume(scene, fixed, "fixed"),
        add_volume(scene, moving, "moving"),
        output,
        settings=AffineSettings(model=None),
        onStep=seen.append,
    )
    points = np.random.default_rng(1).uniform(-35, 35, (50, 3))
    assert np.linalg.norm(from_world(output, points) - pose.map(torch.from_numpy(points)).numpy(), axis=1).max() < 4
    assert result.browser.GetNumberOfItems() == result.table.GetNumberOfRows() == len(seen) > 3
    assert [step.index for step in result.registration.steps] == list(range(len(seen)))
    assert {"mutual_information", "overlap"} <= {
        result.table.GetColumnName(column) for column in range(result.table.GetNumberOfColumns())
    }


def test_the_registration_of_the_core_starts_where_it_is_told(scene, logic, pair):
    start = add_transform(scene, "start")
    transform_to_node(POSE, start)
    seen = []
    logic.register(
        *pair, initialTransform=start, settings=AffineSettings(model=None), onStep=seen.append, shouldStop=lambda: True
    )
    assert np.allclose(seen[0].transform.matrix, POSE.matrix)
    assert len(seen) == 1


def test_a_field_to_start_from_is_refused(scene, logic, pair):
    start = add_transform(scene, "start")
    transform_to_node(smooth_field(OBLIQUE), start)
    before = contents(scene)
    with pytest.raises(DiffusionCoreError, match='"start" is not linear'):
        logic.register(*pair, initialTransform=start)
    assert contents(scene) == before


def test_a_constant_volume_is_refused_by_the_core(scene, logic, pair):
    constant = add_volume(scene, Volume(np.full(OBLIQUE.shape, 7, np.int16), OBLIQUE), "constant")
    before = contents(scene)
    with pytest.raises(DiffusionCoreError, match="constant"):
        logic.register(pair[0], constant, settings=AffineSettings(model=None))
    assert contents(scene) == before
