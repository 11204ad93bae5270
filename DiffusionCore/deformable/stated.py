"""How wrong a deformation may be, place by place, in mm: as a calibration on pairs with a known truth says it.

With s the root mean square distance of T(x) from the true point, and clues c about x, s is a product of their powers::

    ln s = b + sum_n w_n ln c_n

    spread         mm, of samples, or what the network believes its error to be
    disagreement   mm, between what the network found and what the refinement made of it
    size           mm, of the deformation
    unlike         1 - squared local correlation of the fixed and the warped image
    flat           1 / variance of the fixed image about x

Source: our own. Which of them help is measured, not assumed: ``training.calibration``.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from numpy.typing import NDArray
from torch import Tensor

from DiffusionCore.affine.foreground import working_volume
from DiffusionCore.affine.steps import Spread, Step
from DiffusionCore.checks import ConfigError, StorageError
from DiffusionCore.config import from_json
from DiffusionCore.deformable.learned import seen, seen_grid, seen_spacing
from DiffusionCore.losses.box import box_counts, box_sum
from DiffusionCore.space import Volume
from DiffusionCore.transforms.affine import Affine
from DiffusionCore.transforms.base import Transform, voxel_centers

SUFFIX = ".calibration.json"
LOCALIZES = 0.3  # rank correlation of stated and true errors within a pair, from which a map says where
_WINDOW = 5
_FLOORS = {"spread": 0.05, "disagreement": 0.1, "size": 0.1, "unlike": 0.03, "flat": 1e-3}


@dataclass(frozen=True)
class Calibration:
    """How s is made of clues, and what it was worth on pairs that it was not fitted to.

    Attributes:
        refined: of what a refinement made, or of the field before it.
        sampled: of samples, or of the estimates of a network used as a regression.
        bias, weights: b, and w by the name of the clue.
        radii: in s, of the balls about T(x) that hold the truth in a share of all places: share (text) -> radius.
        report: measured on other pairs: "within" and "across" (rank correlations), "coverage" by share, "pairs", ...
    """

    refined: bool
    sampled: bool
    bias: float
    weights: dict[str, float]
    radii: dict[str, float]
    report: dict[str, float] = field(default_factory=dict)

    @property
    def localizes(self) -> bool:
        """Whether s says where errors are."""
        return self.report.get("within", 0.0) >= LOCALIZES

    def stated(self, clues: dict[str, NDArray]) -> NDArray:
        """Return s at some points (N,), mm."""
        return self.state({name: torch.from_numpy(clue) for name, clue in clues.items()}).numpy()

    def state(self, clues: dict[str, Tensor]) -> Tensor:
        """Return s (K, J, I), mm."""
        told = torch.stack([weight * clues[name] for name, weight in self.weights.items()])
        return (self.bias + told.sum(0)).exp()


@dataclass(frozen=True)
class Calibrations:
    """All that was measured of one model: the file beside its weights."""

    entries: tuple[Calibration, ...] = ()

    def of(self, *, refined: bool, sampled: bool) -> Calibration | None:
        """Return the one for such a result, if it was measured."""
        return next((e for e in self.entries if (e.refined, e.sampled) == (refined, sampled)), None)

    def replaced(self, other: Calibrations) -> Calibrations:
        """Return these with those of ``other`` in place of the ones for the same results."""
        made = {(entry.refined, entry.sampled) for entry in other.entries}
        kept = tuple(entry for entry in self.entries if (entry.refined, entry.sampled) not in made)
        return Calibrations(kept + other.entries)


def load_calibrations(weights: Path) -> Calibrations:
    """Return what was measured of the model whose ``weights`` lie there; nothing, if it was not.

    Raises:
        StorageError: the file cannot be read.
    """
    path = calibration_path(weights)
    try:
        return from_json(Calibrations, path.read_text(encoding="utf-8")) if path.exists() else Calibrations()
    except (OSError, UnicodeDecodeError, ConfigError) as error:
        raise StorageError(
            f"The calibration '{path}' cannot be read ({error}). Remove it, or measure it anew."
        ) from None


def calibration_path(weights: Path) -> Path:
    """Return where the calibration of the model with these ``weights`` lies."""
    return weights.with_name(weights.stem + SUFFIX)


class Witness:
    """Gathers the clues about the deformation between ``fixed`` and ``moving`` after the affine ``start``.

    ``spacing`` is that of what a network sees of a head, mm.
    """

    def __init__(self, fixed: Volume, moving: Volume, start: Affine, spacing: float) -> None:
        spacing = seen_spacing(fixed, spacing)
        fixed, self._moving = working_volume(fixed, spacing), working_volume(moving, spacing)
        self.grid = seen_grid(fixed, spacing)
        self._fixed, self._start = seen(fixed, self.grid, Affine.identity()), start
        self.points = voxel_centers(self.grid)
        self._aligned = start.map(self.points)

    def clues(self, found: Transform, transform: Transform, spread: Volume | None) -> dict[str, Tensor]:
        """Return ln of every clue (K, J, I) about ``transform``, which was refined from what a network ``found``."""
        reached = transform.map(self.points)
        moved = seen(self._moving, self.grid, transform)
        alike, variance = _locally(self._fixed[0, 0], moved[0, 0])
        known = {
            "disagreement": (found.map(self.points) - reached).norm(dim=-1),
            "size": (reached - self._aligned).norm(dim=-1),
            "unlike": 1 - alike,
            "flat": variance,
        }
        if spread is not None:
            known["spread"] = seen(spread, self.grid, Affine.identity())[0, 0]
        told = {name: (clue.float() + _FLOORS[name]).log() for name, clue in known.items()}
        return told | {"flat": -told["flat"]}


class Teller:
    """Lets the steps of one registration say how wrong they may be.

    Where the model was calibrated for it, that is stated of the end of its field and of the end of the refinement;
    else it is the spread of the samples, or what the network believes.

    Args:
        calibrations: of the model.
        sampled: whether its field is sampled.
        witness: of the pair.
    """

    def __init__(self, calibrations: Calibrations, witness: Witness, *, sampled: bool) -> None:
        self._calibrations, self._witness, self._sampled = calibrations, witness, sampled
        self._found: Step | None = None

    def field(self, step: Step) -> Step:
        """Return a step of the field, which may have a spread already."""
        self._found = step  # with its own spread, which is a clue of the refined one, too
        return self._told(step, step, refined=False)

    def refined(self, step: Step) -> Step:
        """Return a step of the refinement after it."""
        return step if self._found is None else self._told(step, self._found, refined=True)

    def _told(self, step: Step, found: Step, *, refined: bool) -> Step:
        calibration = self._calibrations.of(refined=refined, sampled=self._sampled)
        known = None if found.spread is None else found.spread.values
        if step.time > 0 or calibration is None or (known is None and "spread" in calibration.weights):
            return replace(step, spread=found.spread)
        values = calibration.state(self._witness.clues(found.transform, step.transform, known))
        return replace(step, spread=Spread(Volume(values.numpy(), self._witness.grid), True, calibration.localizes))


def _locally(fixed: Tensor, moved: Tensor) -> tuple[Tensor, Tensor]:
    """Return the squared correlation about each voxel, 0..1, and the variance of ``fixed`` there; all (K, J, I)."""
    k, j, i = fixed.shape
    moments = torch.stack([fixed, moved, fixed * fixed, moved * moved, fixed * moved])
    moments = box_sum(moments, _WINDOW) / box_counts((k, j, i), _WINDOW, like=fixed)
    mean, other, square, other_square, product = moments
    variance, other_variance = (square - mean**2).clamp_min(0), (other_square - other**2).clamp_min(0)
    floor = _FLOORS["flat"]
    return (product - mean * other).square() / ((variance + floor) * (other_variance + floor)), variance
