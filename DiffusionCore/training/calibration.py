"""Calibration of what a model says of its errors: on synthetic pairs, whose true deformation is known.

Of each pair the clues (``deformable.stated``) and the true error are kept at some points of the object. The weights are
fitted to one part of the pairs; everything that is reported was measured on the other part.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.stats import rankdata

from DiffusionCore.affine.steps import Step
from DiffusionCore.checks import check_range
from DiffusionCore.deformable.learned import FIELD, LearnedSettings
from DiffusionCore.deformable.pipeline import DeformablePipeline, DeformableSettings
from DiffusionCore.deformable.sampled import SampledSettings
from DiffusionCore.deformable.settings import RefinementSettings
from DiffusionCore.deformable.stated import Calibration, Calibrations, Witness
from DiffusionCore.space import Volume
from DiffusionCore.training.field_pairs import FieldPairsConfig, draw_field_pairs
from DiffusionCore.training.head_pool import draw_head_pool
from DiffusionCore.transforms.affine import Affine
from DiffusionCore.transforms.base import Transform
from DiffusionCore.transforms.displacement import ras_vectors
from DiffusionCore.transforms.velocity import Velocity
from DiffusionCore.uncertainty import seen_mask

SHARES = (0.5, 0.8, 0.9)
_RIDGE = 1e-3  # of the weights, so that clues that say the same share them


@dataclass(frozen=True)
class CalibrationSettings:
    """How a model is calibrated.

    Attributes:
        pairs: how many are drawn; every second one is kept for the report.
        heads: of which they are drawn.
        points: of the object, that count of each pair.
        seed: of the heads, the pairs, the points and the samples.
        config: what the pairs are like.
        refinement: of the fields, on the grid of the pairs.

    Raises:
        ValueError: a number is out of its range.
    """

    pairs: int = 40
    heads: int = 10
    points: int = 4000
    seed: int = 900
    config: FieldPairsConfig = field(default_factory=FieldPairsConfig)
    refinement: RefinementSettings = field(default_factory=lambda: RefinementSettings(spacing=4.0, iterations=(20, 20)))

    def __post_init__(self) -> None:
        check_range(self, 4, 10_000, "pairs")
        check_range(self, 1, 10_000, "heads")
        check_range(self, 100, 1_000_000, "points")


class Observed(NamedTuple):
    """Of one pair: ln of the clues by name (N,), and the true ``error`` (N,), mm, of a field, or a ``refined`` one."""

    refined: bool
    clues: dict[str, NDArray]
    error: NDArray


def calibrated(
    learned: LearnedSettings | SampledSettings,
    settings: CalibrationSettings | None = None,
    *,
    tell: Callable[[str], None] = lambda text: None,
) -> tuple[Calibrations, list[list[Observed]]]:
    """Return the calibrations of fields by ``learned`` and of their refinement, and all that was observed, by pair.

    ``tell`` hears of each pair.
    """
    settings = settings or CalibrationSettings()
    pairs = []
    for number, seen in enumerate(observations(learned, settings), 1):
        pairs.append(seen)
        errors = ", ".join(f"{'refined' if each.refined else 'field'} {each.error.mean():.2f} mm" for each in seen)
        tell(f"pair {number} of {settings.pairs}: {errors}")
    entries = []
    for refined in (False, True):
        kept = [next(each for each in seen if each.refined is refined) for seen in pairs]
        entry = fitted(kept[::2], refined=refined, sampled=isinstance(learned, SampledSettings))
        entries.append(replace(entry, report=reported(entry, kept[1::2])))
    return Calibrations(tuple(entries)), pairs


def observations(learned: LearnedSettings | SampledSettings, settings: CalibrationSettings) -> Iterator[list[Observed]]:
    """Yield what is seen of each pair: of the field, and of what the refinement made of it."""
    pool = draw_head_pool(settings.heads, generator=torch.Generator().manual_seed(settings.seed))
    generator = torch.Generator().manual_seed(settings.seed + 1)
    plan = DeformableSettings(affine=None, learned=learned, refinement=settings.refinement)
    pipeline, grid = DeformablePipeline(plan), settings.config.grid
    pipeline.calibrations = Calibrations()  # what is seen is the spread itself, and nothing that was said of it before
    i, j, k = (n // 2 for n in grid.size)
    coarse = grid.resized((i, j, k))
    for number in range(settings.pairs):
        pair = draw_field_pairs(pool, settings.config, 1, generator=generator)
        truth = Velocity(ras_vectors(pair.velocities[0], coarse), coarse)
        fixed, moving = (Volume(image[0, 0].numpy(), grid) for image in (pair.fixed, pair.moving))
        chance = torch.Generator().manual_seed(settings.seed + number)
        steps = list(pipeline.steps(fixed, moving, initial=Affine.identity(), generator=chance))
        found = [step for step in steps if step.phase == FIELD][-1]
        witness = Witness(fixed, moving, Affine.identity(), pipeline.spacing)
        inside = np.flatnonzero(seen_mask(fixed, witness.grid))
        chosen = np.random.default_rng(settings.seed + number).permutation(inside)[: settings.points]
        yield [_observed(witness, found, step, truth, chosen, refined=step is not found) for step in (found, steps[-1])]


def _observed(
    witness: Witness, found: Step, step: Step, truth: Transform, chosen: NDArray, *, refined: bool
) -> Observed:
    transform = step.transform
    known = None if found.spread is None else found.spread.values
    clues = witness.clues(found.transform, transform, known)
    error = (transform.map(witness.points) - truth.map(witness.points)).norm(dim=-1)
    return Observed(
        refined, {name: clue.numpy().ravel()[chosen] for name, clue in clues.items()}, error.numpy().ravel()[chosen]
    )


def fitted(pairs: Sequence[Observed], *, refined: bool, sampled: bool) -> Calibration:
    """Return the calibration under which the errors of ``pairs`` are most likely, with radii that hold their shares.

    Least is the mean of ln s^2 + e^2 / s^2, e the error, which is right where s^2 is the mean of e^2 (as of a normal
    error with equal deviations along all axes, but for constants).
    """
    names = [name for name in pairs[0].clues if refined or name != "disagreement"]
    clues = np.concatenate([np.stack([pair.clues[name] for name in names], 1) for pair in pairs]).astype(np.float64)
    error = np.concatenate([pair.error for pair in pairs]).astype(np.float64)
    center = clues.mean(0)

    def loss(values: NDArray) -> tuple[float, NDArray]:
        logarithm = 2 * (values[0] + (clues - center) @ values[1:])
        ratio = error**2 * np.exp(-logarithm)
        slope = 2 * (1 - ratio) / len(error)
        gradient = np.concatenate([[slope.sum()], (clues - center).T @ slope + 2 * _RIDGE * values[1:]])
        return float((logarithm + ratio).mean() + _RIDGE * (values[1:] ** 2).sum()), gradient

    start = np.concatenate([[np.log((error**2).mean()) / 2], np.zeros(len(names))])
    best = minimize(loss, start, jac=True, method="L-BFGS-B").x
    weights = dict(zip(names, best[1:].tolist(), strict=True))
    found = Calibration(refined, sampled, float(best[0] - center @ best[1:]), weights, {})
    ratios = error / np.concatenate([found.stated(pair.clues) for pair in pairs])
    return replace(found, radii={str(share): float(np.quantile(ratios, share)) for share in SHARES})


def reported(calibration: Calibration, pairs: Sequence[Observed]) -> dict[str, float]:
    """Return what ``calibration`` is worth on ``pairs`` that it was not fitted to.

    "within": the mean over pairs of the rank correlation of stated and true errors over the points of one pair;
    "across": that of their means over pairs; "inside 0.9" and so on: the share of all points whose error is less than
    the radius for that share; "error" and "stated": root mean squares, mm; and how many "pairs".
    """
    stated = [calibration.stated(pair.clues) for pair in pairs]
    within = [_rank_correlation(s, pair.error) for s, pair in zip(stated, pairs, strict=True)]
    means = [[float(np.sqrt((v**2).mean())) for v in values] for values in (stated, [pair.error for pair in pairs])]
    every, errors = np.concatenate(stated), np.concatenate([pair.error for pair in pairs])
    inside = {f"inside {share}": float((errors < radius * every).mean()) for share, radius in calibration.radii.items()}
    return {
        "within": float(np.nanmean(within)),
        "across": _rank_correlation(np.array(means[0]), np.array(means[1])),
        **inside,
        "error": float(np.sqrt((errors**2).mean())),
        "stated": float(np.sqrt((every**2).mean())),
        "pairs": float(len(pairs)),
    }


def _rank_correlation(one: NDArray, other: NDArray) -> float:
    """Return Spearman's correlation of two arrays (N,); NaN where one is constant."""
    ranks = np.stack([rankdata(one), rankdata(other)])
    return float(np.corrcoef(ranks)[0, 1]) if ranks.std(1).all() else float("nan")
