"""What a refinement makes alike: the measures of it, each as settings that images can be compared by; no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from DiffusionCore.checks import check_range

if TYPE_CHECKING:
    from torch import Tensor

    from DiffusionCore.deformable.contrast import Relation
    from DiffusionCore.losses import Comparison


@dataclass(frozen=True)
class CorrelationMeasure:
    """The squared local correlation: for images of one contrast, also where it is inverted.

    Attributes:
        window: voxels along a side of the cubes whose correlation counts.

    Raises:
        ValueError: the window has no middle, or only one voxel.
    """

    window: int = 5
    metric: ClassVar[str] = "local_correlation"
    """Its name among the metrics of a step."""

    def __post_init__(self) -> None:
        _check_odd(self.window, "window")

    def comparison(self, reference: Tensor, weights: Tensor) -> Comparison:
        """Return what compares images with ``reference`` (B, 1, K, J, I), whose foreground has a mean of about 1."""
        from DiffusionCore.losses import LocalCorrelation

        return LocalCorrelation(reference, window=self.window, weights=weights)


@dataclass(frozen=True)
class SelfSimilarityMeasure:
    """The self-similarity context (MIND-SSC): for images of any two contrasts.

    Attributes:
        patch: voxels along a side of the patches of an image that are compared with each other.

    Raises:
        ValueError: the patch has no middle, or only one voxel.
    """

    patch: int = 3
    metric: ClassVar[str] = "self_similarity"

    def __post_init__(self) -> None:
        _check_odd(self.patch, "patch")

    def comparison(self, reference: Tensor, weights: Tensor) -> Comparison:
        """Return what compares images with ``reference``, as for the other measure."""
        from DiffusionCore.losses import SelfSimilarity

        return SelfSimilarity(reference, patch=self.patch, weights=weights)


Measure = CorrelationMeasure | SelfSimilarityMeasure


@dataclass(frozen=True)
class AutomaticMeasure:
    """One of the other measures, by the contrasts of the pair.

    Attributes:
        monotone, local: what must relate their intensities after the affine registration (``contrast.Relation``) for
            the images to count as of one contrast, or the inverse one. Measured: `Documentation/deformable.md`.

    Raises:
        ValueError: no share is that high or low.
    """

    monotone: float = 0.97
    local: float = 0.91
    retired: ClassVar[frozenset[str]] = frozenset({"least"})

    def __post_init__(self) -> None:
        check_range(self, 0.0, 1.0, "monotone", "local")

    def chosen(self, relation: Relation) -> Measure:
        """Return the measure for images that are related so."""
        one_contrast = relation.monotone >= self.monotone and relation.local >= self.local
        return CorrelationMeasure() if one_contrast else SelfSimilarityMeasure()


MEASURES: dict[str, type[Measure | AutomaticMeasure]] = {
    "automatic": AutomaticMeasure,
    "local-correlation": CorrelationMeasure,
    "mind": SelfSimilarityMeasure,
}
"""The names of the measures in the shell."""


def _check_odd(count: int, name: str) -> None:
    if count < 3 or count % 2 == 0:
        raise ValueError(f"'{name}' must be an odd number of at least 3 voxels, got {count}")
