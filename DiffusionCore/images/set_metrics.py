"""How alike two sets of images are, and whether one repeats the other: images (N, 1, K, J, I) in one frame.

Features are those of a fixed network with random weights: they need no download and no training, and tell sets apart by
texture and by what lies where. Their distances compare models on the same reference; they are not those of an Inception
network in the literature. All numbers depend on how many images there are: compare with those of two real halves.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations

import torch
import torch.nn.functional as F
from torch import Tensor

from DiffusionCore.checks import check_shape
from DiffusionCore.losses.structural_similarity import multiscale_structural_similarity

_SEED, _WIDTH, _LEVELS = 2024, 16, 3
_PAIRS = 100
_QUANTILES = 1000
_FOREGROUND = 0.05  # relative to the mean of the foreground


def random_features(images: Tensor) -> Tensor:
    """Return features (N, 224) of ``images`` (N, 1, K, J, I), at least 8 voxels a side, float64.

    Three times: convolution by 3^3 random weights to 16 channels, rectifier, halving; the mean and the deviation of
    each channel after every one, and its mean in the eight octants after the last. Weights are normal with the variance
    2 / inputs, drawn with a fixed seed. Source: our own; random networks as a measure of generated images, Naeem et
    al., Reliable fidelity and diversity metrics for generative models (ICML 2020).
    """
    check_shape(images, "N 1 K J I", name="images")
    generator = torch.Generator().manual_seed(_SEED)
    parts = []
    hidden = images.float()
    for level in range(_LEVELS):
        inputs = 27 * hidden.shape[1]
        weight = torch.randn(_WIDTH, hidden.shape[1], 3, 3, 3, generator=generator) * math.sqrt(2 / inputs)
        hidden = F.avg_pool3d(F.relu(F.conv3d(hidden, weight.to(hidden), padding=1)), 2)
        parts += [hidden.mean((2, 3, 4)), hidden.std((2, 3, 4), correction=0)]
        if level == _LEVELS - 1:
            parts.append(F.adaptive_avg_pool3d(hidden, 2).flatten(1))
    return torch.cat(parts, 1).double()


def frechet_distance(first: Tensor, second: Tensor) -> float:
    """Return |m - n|^2 + tr(A + B - 2 (A B)^1/2) of the means and covariances of features (N, D) and (M, D).

    Raises:
        ValueError: a set has fewer than two.

    Source: Heusel et al., GANs trained by a two time-scale update rule (NeurIPS 2017), eq. 6 (FID).
    """
    _check_sets(first, second)
    root = _root(torch.cov(first.T))
    cross = torch.linalg.eigvalsh(root @ torch.cov(second.T) @ root).clamp(min=0).sqrt().sum()
    traces = first.var(0).sum() + second.var(0).sum()
    return float(((first.mean(0) - second.mean(0)).square().sum() + traces - 2 * cross).clamp(min=0))


def kernel_distance(first: Tensor, second: Tensor) -> float:
    """Return the unbiased squared maximum mean discrepancy of features (N, D) and (M, D); 0 in the mean for one law.

    The kernel is (x y / D + 1)^3.

    Raises:
        ValueError: a set has fewer than two.

    Source: Binkowski et al., Demystifying MMD GANs (ICLR 2018), eq. 4 and section 4.
    """
    _check_sets(first, second)

    def kernel(a: Tensor, b: Tensor) -> Tensor:
        return (a @ b.T / a.shape[1] + 1) ** 3

    def within(x: Tensor) -> Tensor:
        values = kernel(x, x)
        return (values.sum() - values.diagonal().sum()) / (len(x) * (len(x) - 1))

    return float(within(first) + within(second) - 2 * kernel(first, second).mean())


def standardized(features: Tensor, reference: Tensor) -> Tensor:
    """Return ``features`` (N, D) in deviations from the mean of those of the ``reference`` (M, D)."""
    return (features - reference.mean(0)) / reference.std(0).clamp(min=1e-6)


def histogram_distance(first: Tensor, second: Tensor) -> float:
    """Return the Wasserstein-1 distance of the foreground intensities of two sets, in the unit of the intensities.

    It is the mean distance of their quantiles; foreground is above 5 % of its mean.
    """
    shares = (torch.arange(_QUANTILES) + 0.5) / _QUANTILES
    quantiles = []
    for images in (first, second):
        values = images[images > _FOREGROUND].float().flatten().sort().values
        if not len(values):
            return float("inf")
        quantiles.append(values[(shares * len(values)).long()])
    return float((quantiles[0] - quantiles[1]).abs().mean())


def mean_similarity(images: Tensor) -> float:
    """Return the mean multi-scale structural similarity of pairs of ``images``: how little they vary; 1 for copies.

    All pairs, or 100 evenly chosen ones where there are more; NaN for one image.
    """
    pairs = list(combinations(range(len(images)), 2))
    chosen = pairs[:: max(1, -(-len(pairs) // _PAIRS))]
    peak = float(images.amax())
    values = [multiscale_structural_similarity(images[a : a + 1], images[b : b + 1], peak=peak) for a, b in chosen]
    return float(torch.cat(values).mean()) if values else float("nan")


@dataclass(frozen=True)
class Neighbors:
    """The nearest image of a reference set for each image.

    Attributes:
        numbers: in the reference set.
        distances: root mean square differences over all voxels, in the unit of the intensities.
    """

    numbers: tuple[int, ...]
    distances: tuple[float, ...]

    @property
    def median(self) -> float:
        """The median distance."""
        return float(torch.tensor(self.distances).median())


def nearest(images: Tensor, reference: Tensor) -> Neighbors:
    """Return the nearest of ``reference`` for each of ``images``."""
    distances = torch.cdist(images.float().flatten(1), reference.float().flatten(1)) / math.sqrt(images[0].numel())
    least = distances.min(1)
    return Neighbors(tuple(least.indices.tolist()), tuple(least.values.tolist()))


def nearest_other(images: Tensor) -> Neighbors:
    """Return the nearest other image of the same set for each: what a new image of its kind would have."""
    distances = torch.cdist(images.float().flatten(1), images.float().flatten(1)) / math.sqrt(images[0].numel())
    least = distances.fill_diagonal_(math.inf).min(1)
    return Neighbors(tuple(least.indices.tolist()), tuple(least.values.tolist()))


def _root(matrix: Tensor) -> Tensor:
    """Return the square root of a symmetric positive ``matrix``."""
    values, vectors = torch.linalg.eigh(matrix)
    return (vectors * values.clamp(min=0).sqrt()) @ vectors.T


def _check_sets(first: Tensor, second: Tensor) -> None:
    check_shape(second, f"N {first.shape[1]}", name="second")
    if min(len(first), len(second)) < 2:
        raise ValueError(f"Sets need at least two images each, got {len(first)} and {len(second)}")
