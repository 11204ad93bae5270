"""Sampling: what a registration or a new image takes, beside the published procedures with the same networks.

Weights are random where none ship: they do not change the time. Ours computes the networks in what is fastest, as a
user gets it; "float32" names those that do not. The curves along steps show what is made once for all of them, such as
features of the images; those along samples what all samples of a pair share.
"""

from __future__ import annotations

from collections.abc import Iterator

from Testing.Benchmarks.options import Options
from Testing.Benchmarks.race import Contest
from Testing.Benchmarks.suites.sampled_anatomy import anatomy_contests
from Testing.Benchmarks.suites.sampled_transforms import transform_contests


def contests(options: Options) -> Iterator[Contest]:
    """Yield the races for transforms, then those for images and deformations of one image."""
    yield from transform_contests(options)
    yield from anatomy_contests(options)
