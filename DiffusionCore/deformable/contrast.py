"""Whether two images that are about aligned have one contrast, or the inverse one: what relates their intensities."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import avg_pool3d

from DiffusionCore.losses import LocalCorrelation
from DiffusionCore.losses.box import box_sum

_WINDOW = 5  # voxels along a side of the cubes of the local correlation
_BINS = 32
_MOST, _FEWEST = 50_000, 2 * _BINS  # voxels that are looked at


class Relation(NamedTuple):
    """What relates the intensities of two images; both are 1 for images of one contrast, or of the inverse one.

    Attributes:
        monotone: which share of what any curve explains of one image by the other a rising or a falling curve does.
        local: which share of their squared local correlation is there before one is shown in the contrast of the other.
    """

    monotone: float
    local: float


@torch.no_grad()
def relation(images: Tensor) -> Relation:
    """Return what relates ``images`` (2, 1, K, J, I), background 0; 0 where too little is there to tell.

    A curve is made of the means of one image in 32 bins of the other (as in the correlation ratio of Roche et al.,
    MICCAI 1998); of both ways, the worse one counts. A bias field blurs the curves, a gamma bends them, and neither
    changes what is seen in a small cube; a contrast that is another one turns them, or some cubes. What lies within two
    voxels of a background does not count: there both get dark, whatever their contrasts. Large images are halved until
    a cube is about a seventh of the object. Source: our own.
    """
    inside = _inside(images)
    while inside.sum() > _MOST:
        images = avg_pool3d(images, [min(2, n) for n in images.shape[2:]])
        inside = _inside(images)
    values = images[:, inside[0]].double()
    if values.shape[1] < _FEWEST:
        return Relation(0.0, 0.0)
    curves = _Curve.between(values[1], values[0]), _Curve.between(values[0], values[1])
    one, other = images.float().split(1)
    weights = inside.float()
    plain = _alike(one, other, weights)
    shown = max(_alike(one, curves[0].apply(other), weights), _alike(other, curves[1].apply(one), weights))
    return Relation(min(curve.monotone() for curve in curves), min(1.0, plain / shown) if shown > 1e-6 else 0.0)


class _Curve(NamedTuple):
    """From the intensities of one image to those of another: straight between (``x``, ``y``), and on beyond them."""

    x: Tensor
    y: Tensor

    @classmethod
    def between(cls, given: Tensor, wanted: Tensor) -> _Curve:
        """Return the curve through the means of ``wanted`` (N,) in bins of as many ``given`` ones each, which rise."""
        bins = given.argsort().argsort() * _BINS // len(given)
        count = torch.bincount(bins, minlength=_BINS)
        return cls(*(torch.bincount(bins, values, minlength=_BINS) / count for values in (given, wanted)))

    def apply(self, image: Tensor) -> Tensor:
        """Return ``image`` in the other contrast."""
        place = torch.searchsorted(self.x, image.double()).clamp(1, _BINS - 1)
        steps = self.x.diff()
        rises = torch.where(steps > 1e-6, self.y.diff() / steps, 0.0)  # many voxels may have one intensity
        return (self.y[place - 1] + rises[place - 1] * (image - self.x[place - 1])).float()

    def monotone(self) -> float:
        """Return the share of the variance that is left when the curve must rise, or must fall; 0 for none at all."""
        y = self.y - self.y.mean()
        kept = max(float(_rising(way).square().mean()) for way in (y, -y))
        return min(1.0, kept / float(y.square().mean().clamp_min(1e-12)))


def _rising(y: Tensor) -> Tensor:
    """Return the nearest numbers to ``y`` (N,) that never fall, by least squares.

    Source: the formula of maxima of minima of means, Robertson, Wright and Dykstra, Order Restricted Statistical
    Inference (1988), section 1.4.
    """
    sums = torch.cat([y.new_zeros(1), y.cumsum(0)])
    first, last = torch.meshgrid(torch.arange(len(y)), torch.arange(len(y)), indexing="ij")
    means = (sums[1:] - sums[:-1, None]) / (last - first + 1).clamp_min(1)
    least = means.flip(1).cummin(1).values.flip(1)
    return least.masked_fill(first > last, -torch.inf).amax(0)


def _inside(images: Tensor) -> Tensor:
    """Return where the cubes about a voxel hold no background of either image: (1, 1, K, J, I)."""
    background = (images <= 0).any(0, keepdim=True).float()
    return box_sum(background, _WINDOW) == 0


def _alike(image: Tensor, reference: Tensor, weights: Tensor) -> float:
    return float(LocalCorrelation(reference, window=_WINDOW, weights=weights).value(image))
