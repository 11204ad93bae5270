"""Steering: what guides a registration, as the user has it in the scene; no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import slicer
import vtk

from DiffusionCore.mrml.transforms import stands_under

Point = tuple[float, float, float]


@dataclass(frozen=True, eq=False)
class Steering:
    """What a deformation is to reach beside alike images (DiffusionCore.deformable.guidance.Guidance).

    Attributes:
        fixed_landmarks, moving_landmarks: lists of points (markups nodes), paired by their order; None without.
        segment: the name of a segment that both segmentations have, and that is to cover its counterpart; "" without.
        direction: a line (markups node) along which points may move; None without.
        strength: of landmarks, segment and direction, 1 being a normal one; with 0 none of them counts.
        smoothness: how strongly the deformation is held smooth, times the normal strength.
    """

    fixed_landmarks: Any = None
    moving_landmarks: Any = None
    segment: str = ""
    direction: Any = None
    strength: float = 1.0
    smoothness: float = 1.0

    @property
    def guides(self) -> bool:
        """Whether there is anything to be guided by."""
        asked = bool(self.segment) or self.direction is not None
        asked = asked or (self.fixed_landmarks is not None and self.moving_landmarks is not None)
        return (asked and self.strength > 0) or self.smoothness != 1.0


def pairs_of(steering: Steering, output: Any) -> list[tuple[Point, Point]]:
    """Return the pairs of landmarks, RAS mm: fixed ones in the world, moving ones as ``output`` receives them.

    Moving landmarks under ``output`` are taken from below it, like the moving volume; others from the world.
    """
    if steering.fixed_landmarks is None or steering.moving_landmarks is None:
        return []
    below = output if stands_under(steering.moving_landmarks, output) else None
    return list(zip(_points(steering.fixed_landmarks, None), _points(steering.moving_landmarks, below), strict=True))


def guidance_of(steering: Steering, output: Any, numbers: dict[str, int]) -> dict[str, Any] | None:
    """Return the plain settings of the guidance; None without any. ``numbers``: segment name -> label.

    Those of a segment lack the files of both label maps: the labels travel with the job, which adds them.
    """
    if not steering.guides:
        return None
    guidance: dict[str, Any] = {"smoothness": steering.smoothness}
    pairs = pairs_of(steering, output)
    if pairs and steering.strength > 0:
        listed = [{"fixed": list(fixed), "moving": list(moving)} for fixed, moving in pairs]
        guidance["landmarks"] = {"pairs": listed, "strength": steering.strength}
    if steering.segment in numbers and steering.strength > 0:
        guidance["segment"] = {"label": numbers[steering.segment], "strength": steering.strength}
    if steering.direction is not None and steering.strength > 0:
        guidance["direction"] = {"direction": list(direction_of(steering.direction)), "strength": steering.strength}
    return guidance


def direction_of(line: Any) -> Point:
    """Return the direction of a markups line, RAS of the world; (0, 0, 0) while it has not two points.

    It is that of the fixed image, whose points a deformation moves.
    """
    points = _points(line, None)
    (x, y, z), (u, v, w) = points if len(points) == 2 else [(0.0, 0.0, 0.0)] * 2
    return u - x, v - y, w - z


def count_of(landmarks: Any) -> int:
    """Return how many points of a markups node have been placed."""
    return landmarks.GetNumberOfDefinedControlPoints()


def placed(landmarks: Any) -> list[Point]:
    """Return the points of a markups node that have been placed, RAS mm of the node itself."""
    points = []
    for number in range(landmarks.GetNumberOfControlPoints()):
        if landmarks.GetNthControlPointPositionStatus(number) == landmarks.PositionDefined:
            point = [0.0, 0.0, 0.0]
            landmarks.GetNthControlPointPosition(number, point)
            x, y, z = point
            points.append((x, y, z))
    return points


def _points(landmarks: Any, below: Any) -> list[Point]:
    """Return the points that have been placed, RAS mm of the world, or of what the transform ``below`` receives."""
    to_below = vtk.vtkGeneralTransform()
    slicer.vtkMRMLTransformNode.GetTransformBetweenNodes(landmarks.GetParentTransformNode(), below, to_below)
    return [to_below.TransformPoint(point) for point in placed(landmarks)]
