"""How a transform does on a pair, on the grid of the fixed image as it is, whoever made it."""

from __future__ import annotations

from typing import Any

import numpy as np

from DiffusionCore.report import Pair, measure, regularity
from DiffusionCore.transforms.base import Transform

_MANY = 30  # labels, from which the groups below mean something
SUBCORTICAL = (23, 30, 31, 32, 36, 37, 47, 48, 55, 56, 57, 58, 59, 60)
"""Accumbens, amygdala, caudate, hippocampus, pallidum, putamen and thalamus in the protocol of Neuromorphometrics."""
FIRST_CORTICAL = 100
"""Labels from here on are cortical in that protocol."""


def score(pair: Pair, transform: Transform) -> dict[str, Any]:
    """Return flat numbers: ``dice``, with many labels also ``dice_subcortical`` and ``dice_cortical``, and so on.

    ``hd95``, ``landmark_error`` and ``true_error`` in mm, ``mutual_information`` in nats; ``percent_folded``,
    ``log_deviation``, ``smallest_jacobian`` and ``gradient_rms`` over the fixed foreground. Definitions: ``metrics``.
    """
    measured, regular = measure(pair, transform), regularity(transform, pair.fixed)
    row: dict[str, Any] = {
        "dice": measured.get("mean_dice"),
        "hd95": measured.get("mean_hd95_mm"),
        "landmark_error": measured.get("landmark_error_mm", {}).get("mean"),
        "true_error": measured.get("true_error_mm", {}).get("mean"),
        "mutual_information": measured["mutual_information"],
        "local_correlation": measured["local_correlation"],
        "percent_folded": regular["percent_folded"],
        "log_deviation": regular["log_deviation"],
        "smallest_jacobian": regular["minimum"],
        "gradient_rms": regular["gradient_rms"],
    }
    dice = {int(label): value for label, value in measured.get("dice", {}).items()}
    if len(dice) > _MANY:
        row["dice_subcortical"] = _mean([dice[label] for label in SUBCORTICAL if label in dice])
        row["dice_cortical"] = _mean([value for label, value in dice.items() if label >= FIRST_CORTICAL])
    return row


def _mean(values: list[float]) -> float | None:
    return float(np.mean(values)) if values else None
