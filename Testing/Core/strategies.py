"""What the laws are tried on: grids that are never cubic and always oblique, affine maps, smooth fields, images."""

import numpy as np
import torch
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter
from scipy.spatial.transform import Rotation

from DiffusionCore.space import Grid, Volume
from DiffusionCore.transforms import Affine, Group

seeds = st.integers(0, 2**32 - 1)


def floats(low, high):
    return st.floats(low, high, allow_subnormal=False)


@st.composite
def directions(draw):
    """Rotations by any angle, half of them turned into left-handed axes."""
    rotation = Rotation.random(rng=np.random.default_rng(draw(seeds))).as_matrix()
    return rotation @ np.diag([1.0, draw(st.sampled_from([1.0, -1.0])), 1.0])


@st.composite
def grids(draw, smallest=2, largest=9):
    size = draw(st.lists(st.integers(smallest, largest), min_size=3, max_size=3, unique=True))
    spacing = draw(st.tuples(*[floats(0.4, 4.0)] * 3))
    origin = draw(st.tuples(*[floats(-100, 100)] * 3))
    return Grid(tuple(size), spacing, origin, tuple(map(tuple, draw(directions()))))


@st.composite
def affines(draw, group=Group.AFFINE, translation=50.0):
    """Maps of ``group`` with turns below 180 degrees, scales and shears within about a third."""
    generator = np.random.default_rng(draw(seeds))
    turn = generator.normal(size=3)
    turn *= generator.uniform(0, 2.5) / np.linalg.norm(turn)
    shift = generator.uniform(-translation, translation, 3)
    return Affine.exponential(np.concatenate([turn, shift, generator.uniform(-0.3, 0.3, group - 6)]))


@st.composite
def points(draw, count=17, reach=100.0):
    generator = np.random.default_rng(draw(seeds))
    return torch.from_numpy(generator.uniform(-reach, reach, (count, 3)))


def oblique_grid(size=(23, 31, 19), spacing=(1.2, 0.9, 1.7)):
    axes = Rotation.from_euler("xyz", [20, -10, 33], degrees=True).as_matrix() @ np.diag([1.0, -1.0, 1.0])
    return Grid(size, spacing, (10.0, -20.0, 5.0), tuple(map(tuple, axes)))


def smooth_vectors(grid, longest, seed=0, width=3.0):
    """Random vectors (3, K, J, I), mm, at most ``longest``, smooth over ``width`` voxels, zero at the borders."""
    generator = np.random.default_rng(seed)
    windows = np.einsum("k,j,i->kji", *(np.sin(np.linspace(0, np.pi, n)) ** 2 for n in grid.shape))
    vectors = np.stack([gaussian_filter(generator.normal(size=grid.shape), width) for _ in range(3)]) * windows
    return torch.from_numpy(vectors * longest / np.linalg.norm(vectors, axis=0).max()).float()


def smooth_volume(grid, seed=0, dtype=np.float32, top=1000.0):
    values = gaussian_filter(np.random.default_rng(seed).normal(size=grid.shape), 1.0)
    return Volume(((values - values.min()) / np.ptp(values) * top).astype(dtype), grid)
