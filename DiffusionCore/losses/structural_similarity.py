"""Structural similarity of two images, and its slope by a formula instead of a recorded graph.

With means (a bar), variances and covariance under a Gaussian window about each voxel::

    S = l k      l = (2 Ibar Jbar + C1) / D1    D1 = Ibar^2 + Jbar^2 + C1
                 k = (2 cov(I, J) + C2) / D2    D2 = var(I) + var(J) + C2

The slope of the mean of S by I is blur'(a) + 2 I blur'(b) + J blur'(c), where a, b and c are the derivatives of S by
the blurred I, I^2 and I J, and blur' is the adjoint of the blur.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.functional import avg_pool3d

from DiffusionCore.checks import check_shape

_SIGMA = 1.5  # voxels
_POWERS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # of the scales, from fine to coarse
_NARROWEST = 9  # voxels at the coarsest scale: as many as a side of the window


def structural_similarity(image: Tensor, reference: Tensor, *, window: int = 9, peak: float = 1.0) -> Tensor:
    """Return the mean structural similarity (B,), at most 1, of images (B, 1, K, J, I); differentiable once in both.

    Args:
        image: of floating point, as the reference.
        reference: of the same shape.
        window: voxels along a side of the Gaussian, odd; images are mirrored at their borders.
        peak: the intensity that the constants C1 = (0.01 peak)^2 and C2 = (0.03 peak)^2 are measured by.

    Raises:
        ValueError: the shapes differ, or the window is even.

    Source: Wang et al., Image quality assessment (IEEE TIP 13, 2004), eq. 13-16, with their Gaussian of 1.5 voxels.
    """
    check_shape(image, "B 1 K J I", name="image")
    check_shape(reference, " ".join(map(str, image.shape)), name="reference")
    if window < 1 or window % 2 == 0:
        raise ValueError(f"'window' must be an odd number of voxels, got {window}")
    return _Similarity.apply(image, reference, window, peak)  # pyright: ignore[reportReturnType]


def multiscale_structural_similarity(image: Tensor, reference: Tensor, *, peak: float = 1.0) -> Tensor:
    """Return the structural similarity at several scales (B,), 0..1, of images (B, 1, K, J, I); no gradient.

    The product of the mean contrast and structure at every scale and of the mean luminance at the last one, to the
    powers of the source; scales halve, and there are as many of its five as leave ``_NARROWEST`` voxels along each
    axis, their powers adding up to 1. A negative mean counts as 0.

    Raises:
        ValueError: the shapes differ.

    Source: Wang, Simoncelli and Bovik, Multi-scale structural similarity (Asilomar 2003), eq. 7, in three dimensions.
    """
    check_shape(image, "B 1 K J I", name="image")
    check_shape(reference, " ".join(map(str, image.shape)), name="reference")
    scales = 1
    while scales < len(_POWERS) and min(image.shape[2:]) >> scales >= _NARROWEST:
        scales += 1
    powers = torch.tensor(_POWERS[:scales]) / sum(_POWERS[:scales])
    result = torch.ones(len(image), device=image.device)
    with torch.no_grad():
        for scale, power in enumerate(powers.tolist()):
            if scale:
                image, reference = avg_pool3d(image, 2), avg_pool3d(reference, 2)
            rows = [_weights(n, 9).to(image) for n in image.shape[2:]]
            moments = torch.cat([image, reference, image * image, reference * reference, image * reference], 1)
            mean, other, square, other_square, product = _blurred(moments, rows).split(1, 1)
            floor = (0.03 * peak) ** 2
            parts = (2 * (product - mean * other) + floor) / (
                square + other_square - mean.square() - other.square() + floor
            )
            if scale == scales - 1:
                light = (0.01 * peak) ** 2
                parts = parts * (2 * mean * other + light) / (mean.square() + other.square() + light)
            result = result * parts.mean((1, 2, 3, 4)).clamp(min=0) ** power
    return result


class _Similarity(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, image: Tensor, reference: Tensor, window: int, peak: float) -> Tensor:
        rows = [_weights(n, window).to(image) for n in image.shape[2:]]
        first, second = (0.01 * peak) ** 2, (0.03 * peak) ** 2
        moments = torch.cat([image, reference, image * image, reference * reference, image * reference], 1)
        mean, other, square, other_square, product = _blurred(moments, rows).split(1, 1)
        shared = mean * other
        light_floor = mean.square() + other.square() + first
        light = (2 * shared + first) / light_floor
        texture_floor = square + other_square - mean.square() - other.square() + second
        texture = (2 * (product - shared) + second) / texture_floor
        value = light * texture

        def slope(here: Tensor, there: Tensor, own: Tensor, opposite: Tensor) -> Tensor:
            """Return the slope by the image ``own`` with the blurred values ``here``."""
            by_product = 2 * light / texture_floor
            by_square = -value / texture_floor
            by_mean = 2 * texture * (there - light * here) / light_floor - there * by_product - 2 * here * by_square
            parts = torch.cat([by_mean, by_square, by_product], 1)
            back = _blurred(parts, [row.T for row in rows])
            return (back[:, :1] + 2 * own * back[:, 1:2] + opposite * back[:, 2:]) / own[0].numel()

        ctx.save_for_backward(
            slope(mean, other, image, reference) if ctx.needs_input_grad[0] else None,
            slope(other, mean, reference, image) if ctx.needs_input_grad[1] else None,
        )
        return value.mean((1, 2, 3, 4))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *above: Tensor) -> tuple[Tensor | None, ...]:
        scale = above[0][:, None, None, None, None]
        return *(None if slope is None else slope * scale for slope in ctx.saved_tensors), None, None


def _blurred(images: Tensor, rows: list[Tensor]) -> Tensor:
    """Return ``images`` (B, C, K, J, I) with the matrices of ``rows`` (k, j, i) applied along the axes.

    Three products of matrices: on a CPU many times faster than a convolution by a cube.
    """
    along_k, along_j, along_i = rows
    images = along_j @ (images @ along_i.T)
    return (along_k @ images.flatten(3)).view(images.shape)


def _weights(size: int, window: int) -> Tensor:
    """Return the Gaussian about each of ``size`` voxels (rows, columns), mirrored at the outer voxels, float64."""
    offsets = torch.arange(window) - window // 2
    weights = torch.exp(-0.5 * (offsets.double() / _SIGMA) ** 2)
    period = max(1, 2 * (size - 1))
    places = (torch.arange(size)[:, None] + offsets) % period
    places = torch.minimum(places, period - places) if size > 1 else torch.zeros_like(places)
    matrix = torch.zeros(size, size, dtype=torch.float64)
    return matrix.scatter_add_(1, places, (weights / weights.sum()).expand(size, -1))
