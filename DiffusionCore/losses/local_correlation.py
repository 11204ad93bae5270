"""Squared local correlation of two images, and its slope by a formula instead of a recorded graph.

Over the cube of n voxels about each voxel x, with means (a bar) and covariances of what is in it::

    r2(x) = C^2 / (A B)        C = cov(I, J),  A = var(I) + floor,  B = var(J) + floor

Every voxel y of the cube moves C by (J - Jbar) / n and A by 2 (I - Ibar) / n, so the slope of sum_x w(x) r2(x) is::

    J box(a) + I box(b) - box(a Jbar + b Ibar)        a = 2 w C / (A B n),  b = -a C / A

with sums over cubes, ``box``: three to make r2, three to derive it, and nothing recorded between them.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from DiffusionCore.checks import check_shape
from DiffusionCore.kernels import kernel_for
from DiffusionCore.losses.box import box_counts, box_sum


class LocalCorrelation:
    """Compares images with one ``reference`` (B, 1, K, J, I), whose moments are computed once.

    Source: the squared local correlation of Avants et al., Medical Image Analysis 12, 2008, eq. 5-7 (SyN), as a mean
    over voxels; the slope (module docstring) is our own form of theirs. At a border the cube is cut, not padded.

    Args:
        reference: of floating point, with intensities of about 0..1, which ``floor`` is meant for.
        window: voxels along a side of the cube, odd.
        floor: variance that counts as noise, so that an even region does not correlate.
        weights: of the centers of the cubes (B or 1, 1, K, J, I); None weighs all voxels alike.

    Raises:
        ValueError: a shape does not fit, or the window is even.
    """

    def __init__(
        self, reference: Tensor, *, window: int = 5, floor: float = 1e-4, weights: Tensor | None = None
    ) -> None:
        check_shape(reference, "B 1 K J I", name="reference")
        k, j, i = reference.shape[2:]
        if weights is not None:
            check_shape(weights, f"W 1 {k} {j} {i}", name="weights")
        self._reference, self._window, self._floor = reference, window, floor
        self._per_count = 1 / box_counts((k, j, i), window, like=reference)
        weights = torch.ones_like(reference[:1]) if weights is None else weights
        self._weights = weights / weights.sum((1, 2, 3, 4), keepdim=True).clamp_min(1e-12)
        self._double_share = 2 * self._weights * self._per_count
        with torch.no_grad():
            self._mean = box_sum(reference, window) * self._per_count
            square = box_sum(reference * reference, window) * self._per_count
            self._variance = self._make_variance(square, self._mean)

    @torch.no_grad()
    def value(self, image: Tensor) -> Tensor:
        """Return the weighted mean (B,), 0..1, of the squared local correlation of ``image`` (B, 1, K, J, I)."""
        check_shape(image, " ".join(map(str, self._reference.shape)), name="image")
        if compare := self._kernel(image):
            return compare(image, *self._known(), slope=False)[0]
        return self._compare(image)[0]

    @torch.no_grad()
    def value_and_slope(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Return ``value`` (B,), and its derivative (B, 1, K, J, I) with respect to each voxel of ``image``."""
        check_shape(image, " ".join(map(str, self._reference.shape)), name="image")
        if compare := self._kernel(image):
            return compare(image, *self._known(), slope=True)
        value, mean, variance, cross, ratio = self._compare(image)
        parts = image.new_empty((image.shape[0], 3, *image.shape[2:]))
        a, b, rest = parts[:, :1], parts[:, 1:2], parts[:, 2:]
        torch.mul(ratio, self._double_share, out=a)
        torch.mul(a, cross, out=b).div_(variance).neg_()
        torch.mul(a, self._mean, out=rest).addcmul_(b, mean)
        summed = box_sum(parts, self._window)
        slope = summed[:, 2:].neg_().addcmul_(self._reference, summed[:, :1]).addcmul_(image, summed[:, 1:2])
        return value, slope

    def _kernel(self, image: Tensor) -> Any:
        """Return the kernel that compares ``image``, if there is one; it knows no cube of one voxel."""
        return kernel_for("compare", image, self._reference) if self._window > 1 else None

    def _known(self) -> tuple:
        return self._reference, self._mean, self._variance, self._weights, self._per_count, self._window, self._floor

    def _compare(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Return the value, and of each cube: mean and A of ``image``, C, and C / (A B)."""
        moments = torch.cat([image, image * image, image * self._reference], 1)
        moments = box_sum(moments, self._window).mul_(self._per_count)
        mean, variance, cross = moments[:, :1], moments[:, 1:2], moments[:, 2:]
        self._make_variance(variance, mean)
        cross.addcmul_(mean, self._mean, value=-1)
        ratio = cross / (variance * self._variance)
        value = (cross * ratio).mul_(self._weights).sum((1, 2, 3, 4))
        return value, mean, variance, cross, ratio

    def _make_variance(self, square: Tensor, mean: Tensor) -> Tensor:
        """Turn mean squares into variances plus the floor, which rounding does not bring them below; in place."""
        return square.addcmul_(mean, mean, value=-1).clamp_min_(0).add_(self._floor)


def local_correlation(image: Tensor, reference: Tensor, *, window: int = 9, floor: float = 1e-4) -> Tensor:
    """Return the mean squared local correlation (B,), 0..1, of images (B, 1, K, J, I); differentiable once in both.

    As a loss for networks: ``1 - local_correlation(warped, fixed).mean()``. See ``LocalCorrelation``.

    Raises:
        ValueError: the shapes differ, or the window is even.
    """
    return _Correlation.apply(image, reference, window, floor)  # pyright: ignore[reportReturnType]


class _Correlation(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, image: Tensor, reference: Tensor, window: int, floor: float) -> Tensor:
        slopes: list[Tensor | None] = [None, None]
        value: Tensor | None = None
        for number, (one, other) in enumerate(((image, reference), (reference, image))):
            if ctx.needs_input_grad[number]:
                value, slopes[number] = LocalCorrelation(other, window=window, floor=floor).value_and_slope(one)
        ctx.save_for_backward(*slopes)
        return LocalCorrelation(reference, window=window, floor=floor).value(image) if value is None else value

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *above: Tensor) -> tuple[Tensor | None, ...]:
        scale = above[0][:, None, None, None, None]
        return *(None if slope is None else slope * scale for slope in ctx.saved_tensors), None, None
