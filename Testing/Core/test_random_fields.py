"""Random deformations: their law, strength and symmetry; no folds, nothing leaves the grid, seeds repeat."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from strategies import oblique_grid, smooth_volume

from DiffusionCore.checks import GeometryError
from DiffusionCore.deformation.random_fields import MultiScale, resting, sealed
from DiffusionCore.deformation.strength import (
    Strength,
    draw_unit,
    law_for,
    mean_displacement,
    mean_length,
    random_velocity,
    with_mean_displacement,
)
from DiffusionCore.deformation.symmetry import BILATERAL, MidPlane, find_mid_plane
from DiffusionCore.space import Frame, Grid, Volume
from DiffusionCore.transforms import Affine, jacobian_determinant, resample, voxel_centers
from DiffusionCore.transforms.folding import folded_share

TURN = tuple(map(tuple, Affine.exponential((0.3, -0.2, 0.5, 0, 0, 0)).matrix[:3, :3].tolist()))
OBLIQUE = Grid((70, 62, 30), (1.5, 2.0, 4.0), (-50.0, 20.0, 7.0), TURN)
PLANE = MidPlane(tuple((OBLIQUE.center + np.array((2, 1, -3))).tolist()), (0.8, 0.6, 0.0))


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def draw(strength: float, seed: int, grid: Grid = OBLIQUE, **more):
    return random_velocity(grid, strength, generator=seeded(seed), **more)


def test_a_field_has_unit_variance_at_every_voxel():
    law, grid = MultiScale((7.0, 20.0)), oblique_grid((9, 12, 7), (3.5, 3.0, 4.0))
    drawn = torch.stack([law.draw(grid, generator=seeded(n)) for n in range(600)])
    assert drawn.std(0).mean() == pytest.approx(1, abs=0.02)
    assert 0.85 < float(drawn.std(0).min()) < float(drawn.std(0).max()) < 1.15
    assert float(drawn.mean()) == pytest.approx(0, abs=0.02)


def test_the_parts_share_the_variance_as_their_scales_do():
    amplitudes = np.array(MultiScale().amplitudes())
    np.testing.assert_allclose(amplitudes / amplitudes[0], [1, 2, 4, 8])
    assert (amplitudes**2).sum() == pytest.approx(1)
    assert MultiScale(growth=0).amplitudes() == pytest.approx((0.5,) * 4)


def test_a_scale_in_mm_is_the_same_on_every_grid():
    """The correlation half a scale away does not know the spacing."""

    def correlation(spacing):
        grid, law = Grid((24, 7, 6), (spacing, 9.0, 9.0)), MultiScale((12.0,))
        drawn = torch.stack([law.draw(grid, generator=seeded(n)) for n in range(300)])
        apart = round(6 / spacing)
        return float((drawn[..., 6] * drawn[..., 6 + apart]).mean())

    assert correlation(1.5) == pytest.approx(correlation(3.0), abs=0.05)


def test_nothing_crosses_the_border_of_the_grid():
    vectors = sealed(MultiScale().draw(OBLIQUE, generator=seeded(1)), OBLIQUE, 16.0)
    across = torch.einsum("xa,xkji->akji", torch.tensor(OBLIQUE.direction, dtype=torch.float32), vectors)
    for axis in range(3):
        for end in (0, -1):
            assert float(across[axis].select(2 - axis, end).abs().mean()) < 0.2
    flow = draw(5.0, seed=2)
    faces = voxel_centers(OBLIQUE)[:, :, 0].reshape(-1, 3)
    moved = OBLIQUE.map(flow.map(faces).numpy(), Frame.RAS, Frame.VOXEL)
    assert abs(moved[:, 0]).max() < 1.5  # voxels of 1.5 mm, where tissue moves 5 mm


@pytest.mark.parametrize("strength", [1.5, 3.0, 5.0])
@pytest.mark.parametrize("plane", [None, PLANE], ids=["plain", "symmetric"])
def test_the_mean_displacement_is_the_strength_and_nothing_folds(strength, plane):
    velocity = draw(strength, seed=3, plane=plane)
    mean = velocity.displacement_on(OBLIQUE).norm(dim=0).mean()
    assert float(mean) == pytest.approx(strength, rel=0.05)
    assert float(jacobian_determinant(velocity, OBLIQUE).min()) > 0
    assert folded_share(velocity.displacement) == 0


def test_the_strength_is_that_of_the_region():
    region = voxel_centers(OBLIQUE)[10:20, 20:40, 25:45].reshape(-1, 3)
    moved = draw(3.0, seed=4, region=region).map(region) - region
    assert float(moved.norm(dim=-1).mean()) == pytest.approx(3, rel=0.05)


def test_named_strengths_are_1_5_and_3_and_5_mm_in_a_brain_and_scale_with_the_organ():
    assert [round(mean_displacement(s, 170), 1) for s in Strength] == [1.5, 3.1, 5.1]
    assert mean_displacement(1, 85) == pytest.approx(2.55)
    assert law_for(85).scales == pytest.approx((4, 8, 16, 32))


def test_the_inverse_brings_every_point_back():
    velocity = draw(3.0, seed=4)
    points = voxel_centers(OBLIQUE)[4:-4, 6:-6, 6:-6]
    error = (velocity.inverse().map(velocity.map(points)) - points).norm(dim=-1)
    assert float(error.mean()) < 0.05
    assert float(error.max()) < 0.5


def test_a_symmetric_field_is_its_own_mirror_image_and_keeps_its_variance():
    grid = OBLIQUE.with_spacing(4.0)
    law = MultiScale((16.0, 32.0))
    vectors = PLANE.symmetrized(law.draw(grid, generator=seeded(5)), grid, 1.0)
    inside = slice(8, -8)
    other = PLANE.mirrored(vectors, grid)
    middle = (slice(None), slice(10, -10), inside, inside)
    assert float((other - vectors)[middle].std()) < 0.1 * float(vectors[middle].std())
    both = torch.stack([PLANE.symmetrized(law.draw(grid, generator=seeded(n)), grid, 0.9) for n in range(40)])
    assert 0.85 < float(both[:, :, 10:-10, inside, inside].std()) < 1.1


def test_a_reflection_keeps_the_plane_and_is_its_own_inverse():
    reflection = PLANE.reflection
    points = voxel_centers(OBLIQUE)[::9, ::9, ::9]
    torch.testing.assert_close(reflection.map(reflection.map(points)), points)
    on_plane = torch.tensor([PLANE.point], dtype=torch.float64) + torch.tensor([[-0.6, 0.8, 5.0]], dtype=torch.float64)
    torch.testing.assert_close(reflection.map(on_plane), on_plane)
    assert float(torch.linalg.det(reflection.matrix)) == pytest.approx(-1)


def test_the_mid_plane_of_a_tilted_body_is_found():
    grid = oblique_grid((40, 46, 38), (4.0, 3.6, 4.2))
    body = Grid((44, 48, 40), (4.0, 4.0, 4.0)).with_center((0.0, 0.0, 0.0))
    one_side = smooth_volume(body, seed=3).values
    x, y, z = voxel_centers(body).numpy().transpose(3, 0, 1, 2)
    inside = (x / 60) ** 2 + (y / 75) ** 2 + (z / 65) ** 2 < 1
    symmetric = Volume(((one_side + one_side[..., ::-1]) * inside).astype(np.float32), body)
    tilt = Affine.exponential((0.0, 0.2, -0.25, 0, 0, 0))
    truth = Affine.translation(grid.center) @ tilt
    plane, alike = find_mid_plane(resample(symmetric, grid, truth.inverse()))
    normal = (tilt.matrix[:3, :3] @ torch.tensor([1.0, 0, 0], dtype=torch.float64)).numpy()
    assert abs(normal @ plane.normal) > 0.998
    assert abs((np.array(plane.point) - grid.center) @ normal) < 2.0
    assert alike > 0.9
    lopsided = Volume(((300 + 5 * x) * inside).astype(np.float32), body)
    assert find_mid_plane(lopsided)[1] < BILATERAL


def test_seeds_repeat_and_differ():
    assert torch.equal(draw(2.0, seed=1).vectors, draw(2.0, seed=1).vectors)
    assert not torch.allclose(draw(2.0, seed=1).vectors, draw(2.0, seed=2).vectors, atol=0.1)


def test_strength_zero_is_the_identity():
    assert not draw(0.0, seed=1).vectors.any()


@pytest.mark.parametrize("strength", [-1.0, float("nan"), float("inf")])
def test_a_strength_that_is_no_length_is_refused(strength):
    with pytest.raises(ValueError, match="strength"):
        draw(strength, seed=1)


@pytest.mark.parametrize("scales", [(), (0.0, 4.0), (8.0, 4.0), (8.0, float("inf"))])
def test_scales_that_do_not_grow_are_refused(scales):
    with pytest.raises(ValueError, match="scales"):
        MultiScale(scales)


def test_a_thin_slab_is_refused_but_a_single_slice_moves_within_itself():
    with pytest.raises(GeometryError, match="4 voxels"):
        draw(3.0, seed=1, grid=Grid((40, 30, 2)))
    moved = draw(3.0, seed=1, grid=Grid((40, 30, 1))).displacement.vectors
    assert moved[2].abs().max() == 0
    assert moved.norm(dim=0).mean() == pytest.approx(3, rel=0.05)


def test_the_same_unit_field_serves_every_strength():
    law = MultiScale()
    grid = law.grid_for(OBLIQUE)
    unit = draw_unit(grid, law, None, generator=seeded(6))
    weak, strong = (with_mean_displacement(unit, grid, mm).vectors for mm in (1.0, 2.0))
    assert torch.nn.functional.cosine_similarity(weak.flatten(), strong.flatten(), dim=0) > 0.9999
    assert mean_length(strong, grid) > mean_length(weak, grid)
    assert replace(law, growth=0.0).amplitudes() != law.amplitudes()


def test_a_field_at_rest_ends_in_zeros_and_is_itself_within():
    vectors = MultiScale().draw(OBLIQUE, generator=seeded(3))
    rested = resting(vectors, OBLIQUE, 10.0)
    for axis in (1, 2, 3):
        faces = rested.movedim(axis, 0)[[0, -1]]
        assert not faces.any()
    k, j, i = (slice(depth, -depth) for depth in (int(np.ceil(10.0 / s)) for s in OBLIQUE.spacing[::-1]))
    torch.testing.assert_close(rested[:, k, j, i], vectors[:, k, j, i])
