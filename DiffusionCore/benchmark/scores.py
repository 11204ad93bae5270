"""How a transform does on a pair, on the grid of the fixed image as it is, whoever made it."""

from __future__ import annotations

from typing import Any

import numpy as np

from DiffusionCore.affine.foreground import foreground_mask
from DiffusionCore.metrics import jacobian_statistics
from DiffusionCore.report import Pair, measure
from DiffusionCore.transforms.base import Transform

_MANY = 30  # labels, from which the groups below mean something
SUBCORTICAL = (23, 30, 31, 32, 36, 37, 47, 48, 55, 56, 57, 58, 59, 60)
"""Accumbens, amygdala, caudate, hippocampus, pallidum, putamen and thalamus in the protocol of Neuromorphometrics."""
FIRST_CORTICAL = 100
"""Labels from here on are cortical in that protocol."""


def score(pair: Pair, transform: Transform) -> dict[str, Any]:
    """Return flat numbers: ``dice``, with many labels also ``dice_subcortical`` and ``dice_cortical``, and so on.

    ``landmark_error`` in mm, ``mutual_information`` in nats; ``percent_folded``, ``log_deviation`` and
    ``smallest_jacobian`` over the fixed foreground and labels.
    """
    measured = measure(pair, transform)
    inside = foreground_mask(pair.fixed)
    if pair.fixed_segmentation is not None:
        inside = inside | (pair.fixed_segmentation.values > 0)
    jacobian = jacobian_statistics(transform, pair.fixed.grid, inside)
    row: dict[str, Any] = {
        "dice": measured.get("mean_dice"),
        "mutual_information": measured["mutual_information"],
        "landmark_error": measured.get("landmark_error_mm", {}).get("mean"),
        "percent_folded": jacobian.percent_folded,
        "log_deviation": jacobian.log_deviation,
        "smallest_jacobian": jacobian.minimum,
    }
    dice = {int(label): value for label, value in measured.get("dice", {}).items()}
    if len(dice) > _MANY:
        row["dice_subcortical"] = _mean([dice[label] for label in SUBCORTICAL if label in dice])
        row["dice_cortical"] = _mean([value for label, value in dice.items() if label >= FIRST_CORTICAL])
    return row


def _mean(values: list[float]) -> float | None:
    return float(np.mean(values)) if values else None
