"""The levels of a refinement: both images and the velocity on nested grids, each twice as fine as the one before.

::

    velocity  |       o       |       o       |      the grid of a velocity: two voxels of the images in one
    images    |   o   |   o   |   o   |   o   |
    velocity  |   o   |   o   |   o   |   o   |      the next level
    images    | o | o | o | o | o | o | o | o |

The moving image is seen through the affine transform, so that both lie on grids of the fixed space.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import avg_pool3d, interpolate

from DiffusionCore.affine.foreground import extent, working_volume
from DiffusionCore.deformable.contrast import relation
from DiffusionCore.deformable.measures import AutomaticMeasure, Measure
from DiffusionCore.deformable.smoothing import Spacing
from DiffusionCore.interpolation import inside, moved_voxels, pull, pull_at
from DiffusionCore.losses import Comparison, force, with_gradient
from DiffusionCore.space import Frame, Grid, Volume
from DiffusionCore.transforms.affine import Affine
from DiffusionCore.transforms.base import Transform, lattice, voxel_centers
from DiffusionCore.transforms.displacement import sample_field, voxel_vectors
from DiffusionCore.transforms.velocity import Velocity, flow

SMALL = 50.0  # mm of radius; what is smaller is seen finer
_FEWEST = 4  # voxels of a velocity along an axis
_FEW = 5  # cells; of more, one more or less changes their size by less than a tenth
_REACH = 0.55  # of a voxel of the finest velocity: how far the grids go beyond the outer voxel centers of the fixed one
_ACROSS = 10  # voxels of the coarsest images in the radius of the object are enough to begin with
_ROUNDING = 0.02  # of a level
_MOST = 2**25  # voxels of the finest images


@dataclass(frozen=True, eq=False)
class Level:
    """One level. Velocities on it are (3, K, J, I) on ``flow_grid``, mm along its axes (i, j, k).

    Attributes:
        grid: of the images.
        flow_grid: of the velocity, which has the same borders.
        nominal: spacing of the velocity, mm, that lengths in voxels are meant for; axes may differ from it.
        images: the moving and the fixed image with their gradients (2, 4, K, J, I): what is warped.
        measure: of how alike the images are.
        comparison: by it with the fixed and the moving image.
        segments: the same of a moving and a fixed segment that are to meet, if there are any: 1 inside, 0 outside.
    """

    grid: Grid
    flow_grid: Grid
    nominal: float
    images: Tensor
    measure: Measure
    comparison: Comparison
    segments: Tensor | None = None

    @property
    def spacing(self) -> Spacing:
        """The spacing of the velocity along (i, j, k), mm."""
        return self.flow_grid.spacing

    def flows(self, velocity: Tensor) -> Tensor:
        """Return the displacements of exp(v) and exp(-v) on ``flow_grid``, in its voxels: (2, 3, K, J, I)."""
        return flow(torch.stack([velocity, -velocity]) / self._voxel(velocity))

    def shift(self, velocity: Tensor) -> Tensor:
        """Return the first of the ``flows`` alone: (1, 3, K, J, I)."""
        return flow((velocity / self._voxel(velocity))[None])

    def _voxel(self, like: Tensor) -> Tensor:
        return torch.tensor(self.flow_grid.spacing).to(like)[:, None, None, None]

    def coordinates(self, shifts: Tensor) -> Tensor:
        """Return where the ``flows`` take the voxels of the images: VOXEL points (2, K, J, I, 3)."""
        return moved_voxels(shifts, self.grid.shape)

    def similarity(self, velocity: Tensor) -> float:
        """Return how alike the images are, the mean of both directions."""
        warped = pull(self.images[:, :1], self.coordinates(self.flows(velocity)), fill=None)
        return float(self.comparison.value(warped).mean())

    def similarity_under(self, transform: Transform | None) -> float:
        """Return how alike the images are under a ``transform`` that acts before the affine one, if any."""
        warped = self.images[:1, :1]
        if transform is not None:
            shift = voxel_vectors(transform.displacement_on(self.grid), self.grid).to(warped.device)
            warped = pull_at(warped, shift[None])
        return float(self.comparison.value(torch.cat([warped, self.images[1:, :1]]))[0])

    def force(self, coordinates: Tensor) -> tuple[float, Tensor]:
        """Return the similarity at ``coordinates``, and the update (3, K, J, I) of the velocity that raises it most.

        It is the derivative per mm, neither smoothed nor scaled. What one direction gains at a point by moving one way,
        the other one gains at about the same point by moving the opposite way, as their velocities are v and -v (our
        own; exact for small v).
        """
        values, forces = force(self.comparison, self.images, coordinates)
        return float(values.mean()), self._joint(forces)

    def segment_force(self, coordinates: Tensor) -> Tensor:
        """Return the update that lowers the mean square difference of the ``segments`` most; as ``force``."""
        assert self.segments is not None
        warped = pull(self.segments, coordinates, fill=None)
        apart = warped[:, :1] - self.segments.flip(0)[:, :1]
        return self._joint(warped[:, 1:] * apart * (-2 / apart[0].numel()))

    def _joint(self, forces: Tensor) -> Tensor:
        factors = [n // m for n, m in zip(self.grid.shape, self.flow_grid.shape, strict=True)]
        return avg_pool3d((forces[:1] - forces[1:]) / 2, factors)[0]

    def take_over(self, velocity: Tensor) -> Tensor:
        """Return a ``velocity`` of a coarser level on the grid of this one."""
        return interpolate(velocity[None], size=self.flow_grid.shape, mode="trilinear")[0]

    def enter(self, velocity: Velocity | None) -> Tensor:
        """Return ``velocity`` as a field of this level; zero where it has no values, or is None."""
        if velocity is None:
            return torch.zeros(3, *self.flow_grid.shape, device=self.images.device)
        points = voxel_centers(self.flow_grid, dtype=torch.float32)
        return self.turned(sample_field(velocity.vectors, velocity.grid, points).movedim(-1, 0), back=True)

    def leave(self, velocity: Tensor) -> Velocity:
        """Return ``velocity`` as a transform, on the grid of the images.

        Where a flow is steep, its exponential on that finer grid is nearer to the true one, which never folds.
        """
        vectors = interpolate(velocity[None], size=self.grid.shape, mode="trilinear")[0]
        return Velocity(self.turned(vectors, back=False), self.grid)

    def turned(self, vectors: Tensor, *, back: bool) -> Tensor:
        """Return ``vectors`` (3, K, J, I), from components along (i, j, k) to RAS, or ``back``."""
        axes = torch.tensor(self.grid.direction).to(vectors)
        return torch.einsum("ba,bkji->akji" if back else "ab,bkji->akji", axes, vectors.to(self.images.device))


def make_levels(
    fixed: Volume,
    moving: Volume,
    affine: Affine,
    *,
    spacing: float,
    count: int,
    measure: Measure | AutomaticMeasure,
    device: torch.device,
    segments: tuple[Volume, Volume] | None = None,
) -> list[Level]:
    """Return at most ``count`` levels from the coarsest to the finest, whose images have ``spacing`` mm.

    They are coarser where an image has no finer detail, and fewer where that leaves nothing to the finest ones; they
    are finer where its object is small. An axis that is coarser keeps its own spacing until the others have reached it.
    The grids reach beyond the fixed one, so that its voxels lie between voxel centers of every velocity. ``measure``
    says how the images are compared. ``segments`` are a fixed and a moving one that are to meet, not 0 inside.
    """
    radius = min(extent(fixed).radius, extent(moving).radius)
    wanted = spacing * min(1.0, radius / SMALL)
    finest = max(wanted, *(min(image.grid.spacing) for image in (fixed, moving)))
    finest = _affordable(fixed.grid, finest)
    count = max(1, count - _left_out(finest / wanted, finest * 2 ** (count - 1), radius))
    base, factors = _nested(fixed.grid, [finest * 2**n for n in range(count + 1)])
    pair, weights = _pair(fixed, moving, affine, base, finest)
    masks = (
        None
        if segments is None
        else _pair(segment_mask(segments[0]), segment_mask(segments[1]), affine, base, finest)[0]
    )
    if isinstance(measure, AutomaticMeasure):
        measure = measure.chosen(relation(pair))
    own = [max(finest, s) for s in fixed.grid.spacing]
    levels = []
    for number in reversed(range(count)):
        down = factors[number][::-1]
        grid, flow_grid = (_coarser(base, factors[n]) for n in (number, number + 1))
        images, counted = (avg_pool3d(image, down).to(device) for image in (pair, weights))
        comparison = measure.comparison(images.flip(0), counted)
        met = None if masks is None else with_gradient(avg_pool3d(masks, down).to(device), grid.spacing)
        images = with_gradient(images, grid.spacing).contiguous(memory_format=torch.channels_last_3d)
        # a grid that cannot get coarser is not stepped over
        sides = [s * f for s, f in zip(own, factors[number + 1], strict=True)]
        nominal = min(finest * 2 ** (number + 1), max(sides))
        levels.append(Level(grid, flow_grid, nominal, images, measure, comparison, met))
    return levels


def _left_out(ratio: float, coarsest: float, radius: float) -> int:
    """Return how many levels are left out because the finest one has ``ratio`` times the spacing that was wanted.

    Another level at the coarse end would not replace those at the fine one; but the ``coarsest`` stays coarse enough
    for an object of ``radius``.
    """
    fine, coarse = math.log2(ratio), math.log2(_ACROSS * coarsest / radius)
    return max(0, math.floor(min(fine, coarse) + _ROUNDING))


def _pair(fixed: Volume, moving: Volume, affine: Affine, grid: Grid, spacing: float) -> tuple[Tensor, Tensor]:
    """Return the moving image through ``affine`` and the fixed one on ``grid``, and where both have values."""
    image, seen = _seen(moving, affine, grid, spacing)
    target, known = _seen(fixed, Affine.identity(), grid, spacing)
    return torch.cat([image, target]), seen * known


def segment_mask(segment: Volume) -> Volume:
    """Return ``segment`` as an image: 1 where it is not 0."""
    return Volume((segment.values != 0).astype(np.float32), segment.grid)


def _nested(fixed: Grid, spacings: Sequence[float]) -> tuple[Grid, list[tuple[int, int, int]]]:
    """Return the finest grid, and how many of its voxels (i, j, k) make one of each of the rising ``spacings``."""
    own = [max(spacings[0], s) for s in fixed.spacing]
    limits = [max(1, e / s / _FEWEST) for e, s in zip(fixed.extent, own, strict=True)]
    factors = []
    for spacing in spacings:
        wanted = (2 ** max(0, round(math.log2(spacing / s))) for s in own)
        i, j, k = (min(w, 2 ** math.floor(math.log2(most))) for w, most in zip(wanted, limits, strict=True))
        factors.append((i, j, k))
    voxels = [s * f for s, f in zip(own, factors[1], strict=True)]  # of the finest velocity
    a, b, c = (max(0, math.ceil(_REACH * v / s - 0.5)) for v, s in zip(voxels, fixed.spacing, strict=True))
    around = fixed.padded((a, b, c))
    cells = [e / (s * f) for e, s, f in zip(around.extent, own, factors[-1], strict=True)]
    i, j, k = (f * _whole(n) for n, f in zip(cells, factors[-1], strict=True))
    return around.resized((i, j, k)), factors


def _whole(cells: float) -> int:
    """Return a whole number of cells: few are rather made smaller than larger."""
    return max(1, round(cells) if cells > _FEW else math.ceil(cells - 1e-6))


def _coarser(grid: Grid, factors: tuple[int, int, int]) -> Grid:
    i, j, k = (n // f for n, f in zip(grid.size, factors, strict=True))
    return grid.resized((i, j, k))


def _seen(volume: Volume, transform: Affine, grid: Grid, spacing: float) -> tuple[Tensor, Tensor]:
    """Return ``volume`` through ``transform`` on ``grid``, (1, 1, K, J, I), and 1 where it has values, else 0.

    It is smoothed for ``spacing`` mm first, so that what is finer makes no patterns.
    """
    working = working_volume(volume, spacing / 2, spacing)
    values = torch.from_numpy(working.values)
    matrix = working.grid.matrix(Frame.RAS, Frame.VOXEL) @ transform.matrix.numpy()
    points = lattice(matrix @ grid.matrix(Frame.VOXEL, Frame.RAS), grid.size, slice(None), torch.float32)[None]
    return pull(values[None, None], points, fill=None), inside(points, working.grid.size)[:, None].float()


def _affordable(grid: Grid, spacing: float) -> float:
    """Return ``spacing`` mm, or the next coarser one at which the finest images have no more than _MOST voxels."""
    while math.prod(math.ceil(e / max(spacing, s)) for e, s in zip(grid.extent, grid.spacing, strict=True)) > _MOST:
        spacing *= 1.05
    return spacing
