"""Points of the fixed image, and fast reading of the moving image (and its gradient) at their images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from DiffusionCore.affine.similarity import bin_positions
from DiffusionCore.kernels import kernel_for
from DiffusionCore.losses.box import box_sum
from DiffusionCore.space import Frame, Volume


@dataclass(frozen=True)
class Samples:
    """Points of the fixed image: ``points`` (N, 3) mm about the fixed center, ``bins`` (N,) of their intensities."""

    points: Tensor
    bins: Tensor


@dataclass(frozen=True)
class Reading:
    """An image at (C, N) points: bin ``positions``, their ``gradient`` (C, N, 3) per mm, and ``inside`` (0 or 1)."""

    positions: Tensor
    gradient: Tensor
    inside: Tensor


class Sampler:
    """A working volume that is read at many points; its intensities are positions on the axis of bins."""

    def __init__(self, volume: Volume) -> None:
        values = torch.from_numpy(np.ascontiguousarray(volume.values, dtype=np.float32))
        self.volume = volume
        self.size = volume.grid.size
        self.positions = bin_positions(values)
        self.background = float(self.positions.min())
        self._flat = self.positions.flatten()
        i, j, k = self.size
        self._strides = torch.tensor([1, i, i * j], dtype=torch.float32)
        steps = [
            (min(1, i - 1)) * a + i * min(1, j - 1) * b + i * j * min(1, k - 1) * c
            for c in (0, 1)
            for b in (0, 1)
            for a in (0, 1)
        ]
        self._corners = torch.tensor(steps)
        self._limit = torch.tensor([i, j, k], dtype=torch.float32) - 1
        self._from_ras = torch.from_numpy(volume.grid.matrix(Frame.RAS, Frame.VOXEL))

    def to_voxel(self, matrices: Tensor) -> Tensor:
        """Return (C, 3, 4) float32: ``matrices`` (C, 4, 4) into RAS, followed by RAS -> voxel."""
        return (self._from_ras @ matrices.double())[..., :3, :].float()

    def read(self, matrices: Tensor, points: Tensor) -> Reading:
        """Return the trilinear reading at ``matrices`` (C, 4, 4; into RAS) of ``points`` (N, 3)."""
        matrix = self.to_voxel(matrices)
        if read := kernel_for("read", self.positions, points):
            return Reading(*read(self.positions, matrix, points, self._from_ras[:3, :3].float()))
        where = points @ matrix[..., :3].mT + matrix[..., None, :, 3]
        inside = ((where >= -0.5) & (where <= self._limit + 0.5)).all(-1).float()
        where = torch.minimum(where.clamp_min(0), self._limit)
        low = torch.minimum(where.floor(), (self._limit - 1).clamp_min(0))
        start = (low * self._strides).sum(-1).long()
        x, y, z = (where - low).unbind(-1)
        v = self._flat.index_select(0, (self._corners[:, None] + start.flatten()).flatten()).view(8, *start.shape)
        # one axis after the other: differences along an axis are its derivative, interpolated along the others
        dx = v[1::2] - v[::2]
        vx = v[::2] + x * dx
        dy, gx = vx[1::2] - vx[::2], dx[::2] + y * (dx[1::2] - dx[::2])
        vy = vx[::2] + y * dy
        dz = vy[1] - vy[0]
        gradient = torch.stack([gx[0] + z * (gx[1] - gx[0]), dy[0] + z * (dy[1] - dy[0]), dz], -1)
        return Reading(vy[0] + z * dz, gradient @ self._from_ras[:3, :3].float(), inside)

    def read_nearest(self, matrices: Tensor, points: Tensor) -> tuple[Tensor, Tensor]:
        """Return the bins (C, N) of the nearest voxels, background beyond the image, and which points are inside."""
        matrix = self.to_voxel(matrices)
        matrix[..., 3] += 0.5
        padded = self._padded_bins()
        inside = torch.ones(len(matrix), len(points), dtype=torch.bool)
        index = torch.zeros(len(matrix), len(points), dtype=torch.int32)
        stride = 1
        for axis, n in enumerate(self.size):
            where = torch.addmm(matrix[:, axis, 3:], matrix[:, axis, :3], points.T)
            cell = where.clamp_(-1, n).floor_()  # -1 and n are the padding
            inside &= (cell >= 0) & (cell < n)
            index += ((cell + 1) * stride).int()
            stride *= n + 2
        return padded.index_select(0, index.flatten()).view(index.shape), inside

    def _padded_bins(self) -> Tensor:
        bins = self.positions.round().to(torch.uint8)[None]
        return torch.nn.functional.pad(bins, (1,) * 6, value=round(self.background)).flatten()


def foreground_points(volume: Volume, center: NDArray, count: int, *, generator: torch.Generator) -> Tensor:
    """Return at most ``count`` points (N, 3), mm about ``center``, spread over the foreground of a working ``volume``.

    One voxel around the foreground belongs to it. Points lie anywhere in their voxels, so that no sampling pattern
    meets the moving lattice.
    """
    values = torch.from_numpy(np.ascontiguousarray(volume.values, dtype=np.float32))
    kji = (box_sum((values > 0).float(), 3) > 0).nonzero()
    if not len(kji):
        kji = torch.ones_like(values).nonzero()
    count = min(count, len(kji))
    shares = (torch.arange(count) + torch.rand(count, generator=generator)) / count
    chosen = (shares * len(kji)).long().clamp_max(len(kji) - 1)
    voxel = kji[chosen].flip(-1) + torch.rand(count, 3, generator=generator) - 0.5
    return torch.from_numpy(volume.grid.map(voxel.numpy(), Frame.VOXEL, Frame.RAS) - center).float()
