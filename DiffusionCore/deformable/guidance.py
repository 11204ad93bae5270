"""What a user wants of a deformation beside alike images: terms of an energy, each with its strength.

All are plain numbers, so that they travel with the settings. Strengths are relative: 1 is a normal one, 0 none.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from DiffusionCore.checks import check_range

Point = tuple[float, float, float]


@dataclass(frozen=True)
class LandmarkPair:
    """A point of the ``fixed`` image and the same point of the ``moving`` image, RAS mm."""

    fixed: Point
    moving: Point


@dataclass(frozen=True)
class Landmarks:
    """Pairs of points that are to meet. About each, within ``reach`` mm, the displacement is drawn to what it needs.

    Raises:
        ValueError: there is no pair, a coordinate is not finite, or a number is out of its range.
    """

    pairs: tuple[LandmarkPair, ...]
    strength: float = 1.0
    reach: float = 8.0

    def __post_init__(self) -> None:
        check_range(self, 0.0, 1e3, "strength")
        check_range(self, 0.1, 1e3, "reach")
        if not self.pairs:
            raise ValueError("'pairs' must hold at least one pair of landmarks")
        if not all(math.isfinite(x) for pair in self.pairs for point in (pair.fixed, pair.moving) for x in point):
            raise ValueError("'pairs' must hold finite coordinates")


@dataclass(frozen=True)
class TargetSegment:
    """A segment that is to cover the same segment: ``label`` of the label maps in two files, fixed and moving."""

    fixed: Path
    moving: Path
    label: int
    strength: float = 1.0

    def __post_init__(self) -> None:
        check_range(self, 0.0, 1e3, "strength")
        check_range(self, 1, math.inf, "label")


@dataclass(frozen=True)
class PreferredDirection:
    """A ``direction`` (RAS, of any length) that points may move along; across it the velocity is held back."""

    direction: Point
    strength: float = 1.0

    def __post_init__(self) -> None:
        check_range(self, 0.0, 1e3, "strength")
        length = math.hypot(*self.direction)
        if not (math.isfinite(length) and length > 0):
            raise ValueError(f"'direction' must be finite and not zero, got {self.direction}")


@dataclass(frozen=True)
class Guidance:
    """What guides a deformation; what is None does not.

    Attributes:
        landmarks, segment, direction: see their types.
        smoothness: how strongly the velocity is held smooth, times the normal strength.
        similarity: how much alike images count, times the normal strength.
    """

    landmarks: Landmarks | None = None
    segment: TargetSegment | None = None
    direction: PreferredDirection | None = None
    smoothness: float = 1.0
    similarity: float = 1.0

    def __post_init__(self) -> None:
        check_range(self, 0.01, 100.0, "smoothness")
        check_range(self, 0.0, 100.0, "similarity")

    @property
    def leads(self) -> bool:
        """Whether it says where points are to go, and not only how."""
        return self.landmarks is not None or self.segment is not None
