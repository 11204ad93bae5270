"""The suite of losses, each together with its derivative by the image or the field.

"torch" is ours without kernels; the losses that have none are plain torch anyway. "Published" is the loss as its
source describes it, by convolutions and the derivatives of torch; MONAI's penalties are in voxels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from torch import Tensor

from DiffusionCore.losses import (
    LocalCorrelation,
    SelfSimilarity,
    bending_penalty,
    gradient_penalty,
    structural_similarity,
)
from Testing.Benchmarks.options import Options
from Testing.Benchmarks.race import Call, Contest
from Testing.Benchmarks.suites import published_losses as published
from Testing.Benchmarks.suites.monai_peers import WINDOW, invited, monai_losses
from Testing.Benchmarks.suites.scene import Scene, backward, by_torch, scenes

SPACING = (0.9, 1.0, 2.5)  # mm along (i, j, k)
CONVOLVED = 64**3  # voxels, up to which the published convolutions by whole windows take part: seconds for each call
LARGE, FEW = 128**3, 3  # voxels, above which there are few rounds, as MONAI's structural similarity takes half a minute


def contests(options: Options) -> Iterator[Contest]:
    """Yield the contests of all sizes."""
    for scene in scenes(options):
        rounds = FEW if scene.image.numel() > LARGE else None
        for contests_of in (likeness, smoothness):
            for contest in invited(contests_of(scene), monai_losses(scene)):
                yield replace(contest, rounds=rounds)


def likeness(scene: Scene) -> Iterator[Contest]:
    """How alike two images are; ours, and the published context, know one of them beforehand."""
    image, other = scene.image, scene.other
    correlation, context = LocalCorrelation(other, window=WINDOW), SelfSimilarity(other)

    def correlated() -> object:
        return correlation.value_and_slope(image)

    def convolved(loss: Callable[[Tensor, Tensor], Tensor]) -> dict[str, Call]:
        small = image.numel() <= CONVOLVED or not scene.on_cpu
        return {"published": backward(lambda x: loss(x, other), image)} if small else {}

    summed = convolved(published.correlation)
    yield scene.contest("local correlation of 9", correlated, summed, least=44)
    yield scene.contest("local correlation of 9 without kernels", by_torch(correlated), summed, kernels=False)
    yield scene.contest(
        "structural similarity of 9",
        backward(lambda x: structural_similarity(x, other, window=WINDOW), image),
        convolved(published.similarity),
        kernels=False,
    )
    known = published.self_similarity(other)
    yield scene.contest(
        "self-similarity context",
        lambda: context.value_and_slope(image),
        {"published": backward(lambda x: (published.self_similarity(x) - known).square().mean(), image)},
        kernels=False,
    )


def smoothness(scene: Scene) -> Iterator[Contest]:
    """How smooth a field is, in mm."""
    for benchmark, ours, theirs in (
        ("gradient penalty in mm", gradient_penalty, published.gradient_penalty),
        ("bending energy in mm", bending_penalty, published.bending_energy),
    ):

        def by_ours(field: Tensor, ours=ours) -> Tensor:
            return ours(field, SPACING)

        def by_theirs(field: Tensor, theirs=theirs) -> Tensor:
            return theirs(field, SPACING)

        yield scene.contest(
            benchmark,
            backward(by_ours, scene.shifts),
            {"published": backward(by_theirs, scene.shifts)},
            kernels=False,
        )
