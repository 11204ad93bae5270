"""Is a variant fit to be used? What was measured of it, and why it was refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from DiffusionCore.metrics import jacobian_statistics
from DiffusionCore.space import Frame
from DiffusionCore.synthesis.anatomy import Anatomy
from DiffusionCore.synthesis.labels import LabelStatistics, largest_factor
from DiffusionCore.synthesis.plausibility import Scores
from DiffusionCore.synthesis.settings import SynthesisSettings
from DiffusionCore.transforms import Displacement, Transform
from DiffusionCore.transforms.folding import folded_share

_NEAR = 0.15  # of the wanted mean displacement


@dataclass(frozen=True)
class SampleChecks:
    """What was measured of a variant.

    Attributes:
        folding_percent: of the cells between voxels that fold, 0 in whatever is kept.
        least_jacobian: the smallest Jacobian determinant of the tissue.
        log_jacobian_deviation: of the tissue: how unevenly its volume changes.
        mean_displacement_mm, largest_displacement_mm: of the tissue, without the random affine map.
        wanted_displacement_mm: what was asked for.
        outside_percent: of the tissue, that left the field of view.
        largest_volume_change: the largest factor by which a label grew or shrank.
        volume_changes: the factor of every label, by segmentation.
        part_changes: the labels whose parts are more or fewer than in the case, with both numbers, by segmentation: on
            voxels that are about as coarse as the structure (``LabelStatistics``).
        scores: of the volumes of the labels against a reference, if there is one.
        refused: why the variant cannot be used; empty if it can.
    """

    folding_percent: float
    least_jacobian: float
    log_jacobian_deviation: float
    mean_displacement_mm: float
    largest_displacement_mm: float
    wanted_displacement_mm: float
    outside_percent: float
    largest_volume_change: float
    volume_changes: tuple[dict[int, float], ...]
    part_changes: tuple[dict[int, tuple[int, int]], ...]
    scores: Scores | None
    refused: tuple[str, ...]

    def summary(self) -> dict[str, Any]:
        """Return the numbers as JSON knows them, rounded to what they mean."""
        numbers = {
            name: round(getattr(self, name), 4)
            for name in ("folding_percent", "least_jacobian", "log_jacobian_deviation", "mean_displacement_mm")
        }
        rest = {
            name: round(getattr(self, name), 4)
            for name in (
                "largest_displacement_mm",
                "wanted_displacement_mm",
                "outside_percent",
                "largest_volume_change",
            )
        }
        changes = [{str(k): round(v, 3) for k, v in each.items()} for each in self.volume_changes]
        parts = [{str(k): list(v) for k, v in each.items()} for each in self.part_changes]
        scores = {} if self.scores is None else {f"{k}_z": round(v, 3) for k, v in self.scores._asdict().items()}
        return {**numbers, **rest, **scores, "volume_changes": changes, "part_changes": parts}


def check_sample(
    anatomy: Anatomy,
    deformation: Transform,
    whole: Transform,
    field: Displacement,
    labels: Sequence[LabelStatistics],
    settings: SynthesisSettings,
) -> SampleChecks:
    """Return what is to be said of a variant.

    Args:
        anatomy: of the case.
        deformation: the part whose strength was asked for.
        whole: all that was done, points of the variant to points of the case.
        field: ``whole`` on the grid of the images.
        labels: of the deformed segmentations.
        settings: what has to be met.
    """
    limits = settings.limits
    folding = 100 * folded_share(field)
    tissue = np.zeros(field.grid.shape, bool)
    i, j, k = np.rint(field.grid.map(anatomy.region.numpy(), Frame.RAS, Frame.VOXEL)).astype(int).T
    tissue[k, j, i] = True
    jacobian = jacobian_statistics(field, field.grid, tissue)
    lengths = (deformation.map(anatomy.region) - anatomy.region).square().sum(-1).sqrt()
    moved = float(lengths.mean())
    outside = _outside(anatomy, whole, field)
    changes = tuple(a.changes(b, limits.counted) for a, b in zip(anatomy.labels, labels, strict=True))
    largest = max((largest_factor(each) for each in changes), default=1.0)
    lost = sorted({value for a, b in zip(anatomy.labels, labels, strict=True) for value in a.lost(b)})
    broken = sorted({value for a, b in zip(anatomy.labels, labels, strict=True) for value in a.broken(b)})
    scores, own = (
        None if anatomy.reference is None else anatomy.reference.scores(each[0].volumes)
        for each in (labels, anatomy.labels)
    )
    asymmetry, shares = scores or (0.0, 0.0)
    most = own or (limits.asymmetry, limits.shares)
    found = {
        f"{folding:.3g} % of the field folds": folding > 0 or jacobian.minimum <= 0,
        f"the mean displacement is {moved:.2f} mm": abs(moved - anatomy.wanted) > _NEAR * anatomy.wanted,
        f"{100 * outside:.2g} % of the tissue left the field of view": outside > limits.outside,
        f"a label changed its volume by a factor of {largest:.2f}": largest > limits.volume_change,
        f"both sides differ (z {asymmetry:.1f})": asymmetry > max(limits.asymmetry, most[0]),
        f"the volumes of the labels are unusual (z {shares:.1f})": shares > max(limits.shares, most[1]),
        f"lost labels {_listed(lost)}": bool(lost),
        f"other parts of labels {_listed(broken)}": bool(broken),
    }
    return SampleChecks(
        folding,
        jacobian.minimum,
        jacobian.log_deviation,
        moved,
        float(lengths.max()),
        anatomy.wanted,
        100 * outside,
        largest,
        changes,
        tuple(a.recounted(b) for a, b in zip(anatomy.labels, labels, strict=True)),
        scores,
        tuple(text for text, wrong in found.items() if wrong),
    )


def _outside(anatomy: Anatomy, whole: Transform, field: Displacement) -> float:
    """Return the share of the tissue whose place in the variant lies outside of its grid.

    Only what is nearer to a border than anything moves can leave, so the inverse is not asked for without need.
    """
    grid, region = field.grid, anatomy.region
    reach = float(field.vectors.square().sum(0).max().sqrt()) + max(grid.spacing)
    depths = (1 - abs(grid.map(region.numpy(), Frame.RAS, Frame.UNIT))) * np.array(grid.extent) / 2
    near = torch.from_numpy((depths < reach).any(-1))
    if not near.any():
        return 0.0
    places = grid.map(whole.inverse().map(region[near]).numpy(), Frame.RAS, Frame.UNIT)
    return float((abs(places) > 1).any(-1).sum()) / len(region)


def _listed(values: list[int]) -> str:
    return ", ".join(map(str, values[:5])) + (", ..." if len(values) > 5 else "")
