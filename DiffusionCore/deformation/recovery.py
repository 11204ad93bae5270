"""Recovery: step by step from a randomly deformed anatomy back towards a natural one.

::

    phi <- exp(s v);    for levels s = s_0 > s_1 > ... > s_K = 0:
        phi <- phi exp(-(s_k - s_(k+1)) v_hat(I phi, s_k))           the image is always resampled from the original

It starts at any level, and strides over the others: with the whole velocity as the target, 5 steps end where 80 do. It
keeps what looks natural and takes away what does not; it does not lead back to the undeformed image.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from DiffusionCore.affine.climb import Pace
from DiffusionCore.affine.foreground import extent, working_volume
from DiffusionCore.affine.pair import WorkingPair
from DiffusionCore.affine.polish import InformationStage, PolishSettings, polish
from DiffusionCore.deformation.demons import registered
from DiffusionCore.interpolation import pull, pull_at
from DiffusionCore.networks.precision import computing
from DiffusionCore.networks.recovery import RecoveryNetwork
from DiffusionCore.space import Frame, Grid, Volume
from DiffusionCore.transforms import Displacement, voxel_centers
from DiffusionCore.transforms.affine import Group
from DiffusionCore.transforms.displacement import ras_vectors, voxel_vectors
from DiffusionCore.transforms.velocity import flow

Estimator = Callable[[Tensor, Tensor], Tensor]
"""From images (1, 1, K, J, I) and levels (1,), mm, to unit velocities on a coarser lattice, mm along (i, j, k)."""

_POSING = PolishSettings(
    Group.RIGID, (InformationStage(0, Pace(40, 0.6, 0.15)), InformationStage(1, Pace(40, 0.3, 0.05)))
)


def centered_grid(image: Volume, size: tuple[int, int, int], spacing: float) -> Grid:
    """Return the grid along R, A, S about the foreground of ``image``."""
    x, y, z = extent(image).center.tolist()
    return Grid(size, (spacing, spacing, spacing)).with_center((x, y, z))


def template_volume(template: Tensor, spacing: float) -> Volume:
    """Return the ``template`` (1, 1, K, J, I) of a network as an image along R, A, S about 0."""
    size = (template.shape[4], template.shape[3], template.shape[2])
    return Volume(template[0, 0].numpy(), Grid(size, (spacing, spacing, spacing)).with_center((0.0, 0.0, 0.0)))


def posed_grid(image: Volume, template: Volume) -> Grid:
    """Return the grid of ``template``, turned and shifted so that ``image`` lies in it as the template does.

    It is sought from the centers and the axes of the body on, so the image should not lie far askew.
    """
    pair = WorkingPair(template, image, (8.0, 4.0))
    *_, last = polish(pair, pair.centered(), _POSING, generator=torch.Generator().manual_seed(0))
    (found,) = pair.transforms(last.matrices)
    to_ras = template.grid.matrix(Frame.VOXEL, Frame.RAS)
    return Grid.from_matrix(found.nearest(Group.RIGID).matrix.numpy() @ to_ras, template.grid.size)


def seen_on(image: Volume, grid: Grid) -> Tensor:
    """Return ``image`` on ``grid``, background 0 and mean of the foreground 1: (1, 1, K, J, I), float32."""
    working = working_volume(image, min(grid.spacing))
    points = working.grid.map(voxel_centers(grid).numpy(), Frame.RAS, Frame.VOXEL)
    return pull(torch.from_numpy(working.values)[None, None], torch.from_numpy(points).float()[None])


@dataclass(frozen=True, eq=False)
class Recovery:
    """Recovers deformations of one image, ``seen`` (1, 1, K, J, I) on ``grid`` (isotropic), by a network.

    Attributes:
        estimate: the network.
        seen: the undeformed image.
        grid: of ``seen``.
        smallest: mm, the smallest level that the network was trained on; it is told no smaller one.
    """

    estimate: Estimator
    seen: Tensor
    grid: Grid
    smallest: float

    @classmethod
    def of(cls, network: RecoveryNetwork, image: Volume) -> Recovery:
        """Return the recovery of deformations of ``image`` by ``network``, in the pose of its template."""

        def estimate(images: Tensor, levels: Tensor) -> Tensor:
            seen = registered(images, network.template)
            with computing(torch.float32, images.device):
                return network(images, *seen, levels)

        grid = posed_grid(image, template_volume(network.template, network.config.spacing))
        return cls(estimate, seen_on(image, grid), grid, network.config.smallest)

    @torch.no_grad()
    def steps(self, unit: Tensor, level: float, count: int) -> Iterator[Displacement]:
        """Yield exp(level ``unit``), and what is left of it after each of ``count`` steps, on the grid.

        Args:
            unit: random velocity of unit variance on the grid (3, K, J, I), RAS mm.
            level: mm.
            count: steps; 0 for none.
        """
        total = flow(level * voxel_vectors(unit, self.grid)[None])
        yield Displacement(ras_vectors(total[0], self.grid), self.grid)
        stride = level / max(count, 1)
        for step in range(count):
            told = torch.tensor([max(level - step * stride, self.smallest)])
            coarse = self.estimate(pull_at(self.seen, total), told).float()
            found = F.interpolate(coarse, self.grid.shape, mode="trilinear")
            undo = flow(-stride / self.grid.spacing[0] * found)
            total = undo + pull_at(total, undo)
            yield Displacement(ras_vectors(total[0], self.grid), self.grid)
