"""How alike two images of any contrasts are: by what each of them is like around a voxel, and its slope by a formula.

The self-similarity context of a voxel x says how unlike the patches about its six neighbors are. Two neighbors along
different axes, there are twelve such pairs p, lie on a diagonal of a square whose third corner is x::

    D_p(x) = mean over a patch of (I(y + a_p) - I(y + b_p))^2      V = mean_p D_p + floor      m_p(x) = exp(-D_p / V)

With the context m of the image, n of the reference, and sums over voxels, the images are alike by

    s = 1 - sum_x mean_p (m_p - n_p)^2 / N      N = 2 sum_x mean_p (n_p - mean_q n_q)^2

which is 1 for equal contexts, and near 0 for contexts that have nothing to do with each other.

Both diagonals of a square serve the two corners that they leave out, so that six sums over patches make all twelve D,
and six more the slope: with g_p = 2 (m_p - n_p) m_p / 12 the derivative of N s by D_p is
(g_p - mean_q g_q D_q / V) / V.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.functional import pad

from DiffusionCore.checks import check_shape
from DiffusionCore.losses.box import box_sum

_PLANES = ((-1, -2), (-1, -3), (-2, -3))  # the axes of the squares
_PAIRS = 12
_LOWER, _UPPER = 0, 1  # corners of a square along an axis


class SelfSimilarity:
    """Compares images with one ``reference`` (B, 1, K, J, I), whose context is computed once.

    Source: MIND-SSC (Heinrich et al., Towards realtime multimodal fusion for image-guided interventions using
    self-similarities, MICCAI 2013, eq. 2-4), without their quantization; the floor, and the slope (module docstring),
    are our own. Neighbors beyond the borders do not count.

    Args:
        reference: of floating point, with intensities of about 0..1, which ``floor`` is meant for.
        patch: voxels along a side of the patches, odd.
        floor: mean square difference that counts as noise, so that an even region has no context.
        weights: of the voxels (B or 1, 1, K, J, I); None weighs all alike.

    Raises:
        ValueError: a shape does not fit, or the patch is even.
    """

    def __init__(
        self, reference: Tensor, *, patch: int = 3, floor: float = 1e-2, weights: Tensor | None = None
    ) -> None:
        check_shape(reference, "B 1 K J I", name="reference")
        k, j, i = reference.shape[2:]
        if weights is not None:
            check_shape(weights, f"W 1 {k} {j} {i}", name="weights")
        self._shape, self._patch, self._floor = reference.shape, patch, floor
        weights = torch.ones_like(reference[:1]) if weights is None else weights
        with torch.no_grad():
            self._context = self._compare(reference)[0]
            spread = self._context.var(1, correction=0, keepdim=True)
            most = 2 * (spread * weights).sum((1, 2, 3, 4), keepdim=True)
            self._weights = weights / most.clamp_min(1e-12)

    @torch.no_grad()
    def value(self, image: Tensor) -> Tensor:
        """Return the s (B,), at most 1, of ``image`` (B, 1, K, J, I), its sums weighted."""
        return self._alike(self._compare(image)[0].sub_(self._context))

    @torch.no_grad()
    def value_and_slope(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Return ``value`` (B,), and its derivative (B, 1, K, J, I) with respect to each voxel of ``image``."""
        context, ratio, scale = self._compare(image)
        away = context - self._context
        value = self._alike(away)
        slope = away.mul_(context)
        shared = (slope * ratio).mean(1, keepdim=True)
        slope.sub_(shared).mul_(self._weights * (2 / _PAIRS) / scale)
        return value, self._gathered(image, slope)

    def _alike(self, away: Tensor) -> Tensor:
        return 1 - (away.square().mean(1, keepdim=True) * self._weights).sum((1, 2, 3, 4))

    def _compare(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the m, the D / V (B, 12, K, J, I) and the V (B, 1, K, J, I) of ``image``."""
        check_shape(image, " ".join(map(str, self._shape)), name="image")
        apart = torch.cat(list(self._distances(image)), 1)
        scale = apart.mean(1, keepdim=True).add_(self._floor)
        ratio = apart.div_(scale)
        return torch.exp(-ratio), ratio, scale

    def _distances(self, image: Tensor) -> Iterator[Tensor]:
        """Yield the D of the diagonals of each plane, at both corners that they serve: (B, 1, K, J, I)."""
        for plane in _PLANES:
            for one, other, corners in _diagonals(image, plane):
                square = (one - other).square_().div_(self._patch**3)
                summed = box_sum(_around(square, plane), self._patch)
                for corner in corners:
                    yield _at(summed, plane, corner)

    def _gathered(self, image: Tensor, slope: Tensor) -> Tensor:
        """Return the slope by ``image`` of what has the ``slope`` (B, 12, K, J, I) by the D: their adjoint."""
        total = torch.zeros_like(image)
        channels = iter(slope.split(1, 1))
        for plane in _PLANES:
            ends = _diagonals(total, plane)
            for (one, other, corners), (to_one, to_other, _) in zip(_diagonals(image, plane), ends, strict=True):
                whole = image.new_zeros(_around(one, plane).shape)
                for corner in corners:
                    _at(whole, plane, corner).add_(next(channels))
                summed = box_sum(whole, self._patch)
                for axis in plane:
                    summed = summed.narrow(axis, 1, summed.shape[axis] - 2)
                part = summed.mul(one - other).mul_(2 / self._patch**3)
                to_one.add_(part)
                to_other.sub_(part)
        return total


def self_similarity(image: Tensor, reference: Tensor, *, patch: int = 3, floor: float = 1e-2) -> Tensor:
    """Return how alike images (B, 1, K, J, I) of any contrasts are, (B,), at most 1; differentiable once in the first.

    As a loss for networks: ``1 - self_similarity(warped, fixed).mean()``. See ``SelfSimilarity``.

    Raises:
        ValueError: the shapes differ, or the patch is even.
    """
    return _Likeness.apply(image, reference, patch, floor)  # pyright: ignore[reportReturnType]


class _Likeness(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, image: Tensor, reference: Tensor, patch: int, floor: float) -> Tensor:
        comparison = SelfSimilarity(reference, patch=patch, floor=floor)
        if not ctx.needs_input_grad[0]:
            return comparison.value(image)
        value, slope = comparison.value_and_slope(image)
        ctx.save_for_backward(slope)
        return value

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *above: Tensor) -> tuple[Tensor | None, ...]:
        return ctx.saved_tensors[0] * above[0][:, None, None, None, None], None, None, None


def _diagonals(image: Tensor, plane: tuple[int, int]) -> Iterator[tuple[Tensor, Tensor, tuple]]:
    """Yield for both diagonals of all unit squares of ``plane``: views of their two ends, and the corners left out."""
    lower, upper = (_LOWER, _LOWER), (_UPPER, _UPPER)
    first, second = (_UPPER, _LOWER), (_LOWER, _UPPER)
    for one, other, corners in ((first, second, (lower, upper)), (lower, upper, (first, second))):
        yield _at(image, plane, one), _at(image, plane, other), corners


def _at(image: Tensor, plane: tuple[int, int], corner: tuple[int, int]) -> Tensor:
    """Return the view of ``image`` that has one voxel less along both axes: the lower or the upper one."""
    for axis, side in zip(plane, corner, strict=True):
        image = image.narrow(axis, side, image.shape[axis] - 1)
    return image


def _around(squares: Tensor, plane: tuple[int, int]) -> Tensor:
    """Return values of ``squares`` with zeros for those that the border cuts: one more on each side of the plane."""
    widths = [0] * 6
    for axis in plane:
        widths[2 * (-axis - 1)] = widths[2 * (-axis - 1) + 1] = 1
    return pad(squares, widths)
