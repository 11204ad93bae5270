"""What MONAI computes of a scene, where it is installed."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from Testing.Benchmarks.race import Call, Contest
from Testing.Benchmarks.suites.scene import Scene, backward

WINDOW = 9
MONAI = importlib.util.find_spec("monai") is not None
MISSING = {} if MONAI else {"MONAI": "pip install monai"}


def invited(contests: Iterable[Contest], calls: Mapping[str, Call]) -> Iterator[Contest]:
    """Yield ``contests`` with MONAI in those whose benchmark it has one of ``calls`` for."""
    for contest in contests:
        monai = {"MONAI": calls[contest.benchmark]} if contest.benchmark in calls else {}
        yield replace(contest, calls={**contest.calls, **monai}, missing={**contest.missing, **MISSING})


def monai_kernels(scene: Scene) -> dict[str, Call]:
    """Return benchmark -> what MONAI computes for it; its fields have the components of k first."""
    if not MONAI:
        return {}
    from monai.networks.blocks import DVF2DDF, Warp

    image, flipped, warp, squared = scene.image, scene.flipped, Warp(), DVF2DDF()
    return {
        "warp": lambda: warp(image, flipped),
        "warp, derivative by the field": backward(lambda u: warp(image, u), flipped),
        "warp, derivative by field and image": backward(warp, image, flipped),
        "composition": lambda: flipped + warp(flipped, flipped),
        "flow": lambda: squared(flipped),
        "flow, derivative": backward(squared, flipped),
    }


def monai_losses(scene: Scene) -> dict[str, Call]:
    """Return benchmark -> what MONAI computes for it; it knows no mm."""
    if not MONAI:
        return {}
    from monai.losses import BendingEnergyLoss, DiffusionLoss, LocalNormalizedCrossCorrelationLoss, SSIMLoss

    correlation = LocalNormalizedCrossCorrelationLoss(kernel_size=WINDOW).to(scene.device)
    similarity = SSIMLoss(spatial_dims=3, win_size=WINDOW)
    correlated = backward(lambda x: correlation(x, scene.other), scene.image)
    return {
        "local correlation of 9": correlated,
        "local correlation of 9 without kernels": correlated,
        "structural similarity of 9": backward(lambda x: similarity(x, scene.other), scene.image),
        "gradient penalty in mm": backward(DiffusionLoss(), scene.flipped),
        "bending energy in mm": backward(BendingEnergyLoss(), scene.flipped),
    }
