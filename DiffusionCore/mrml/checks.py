"""What is to be said about a registration before it begins, in words for the user; cheap enough for every click."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np

from DiffusionCore.checks import GeometryError
from DiffusionCore.mrml.facts import facts_of
from DiffusionCore.mrml.fixes import Fix, FixAction
from DiffusionCore.mrml.labels import reference_size
from DiffusionCore.mrml.output_checks import problems_with_outputs
from DiffusionCore.mrml.request import RegistrationRequest
from DiffusionCore.mrml.steering import Steering, count_of, direction_of
from DiffusionCore.mrml.transforms import stands_under
from DiffusionCore.mrml.volumes import grid_of
from DiffusionCore.space import Frame, Grid

_LEAST = 4  # voxels along each side


class Severity(Enum):
    """How much a finding matters: OPEN and ERROR prevent the registration, the others are only said."""

    OPEN = "open"  # the user has not chosen yet, which is no mistake
    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, eq=False)
class Finding:
    """One or two sentences about the choice of the user, and the button that mends it, if there is one."""

    severity: Severity
    text: str
    fix: Fix | None = None

    @property
    def prevents(self) -> bool:
        """Whether nothing can be registered as long as this holds."""
        return self.severity in (Severity.OPEN, Severity.ERROR)


def findings(request: RegistrationRequest) -> list[Finding]:
    """Return what is to be said about ``request``, errors first; nothing in the scene changes.

    The values of an image are looked at once: until they are modified, further calls take well below a millisecond.
    """
    found = list(_about_choice(request))
    if not found:
        found += _about_images(request)
    found += _about_steering(request.steering)
    found += [Finding(Severity.ERROR, text) for text in problems_with_outputs(request)]
    return sorted(found, key=lambda finding: list(Severity).index(finding.severity))


def overlap(fixed: Grid, moving: Grid) -> bool:
    """Return whether the two boxes have space in common; edge against edge counts as common at times."""
    for own, other in ((fixed, moving), (moving, fixed)):
        corners = own.map(other.corners(), Frame.RAS, Frame.UNIT)
        if (corners.min(axis=0) > 1).any() or (corners.max(axis=0) < -1).any():
            return False
    return True


def _about_choice(request: RegistrationRequest) -> Iterator[Finding]:
    for role, node in {"fixed": request.fixed, "moving": request.moving}.items():
        if node is None:
            yield Finding(Severity.OPEN, f"Select a {role} volume.")
        elif not node.IsA("vtkMRMLScalarVolumeNode") or node.GetScene() is None:
            text = f'The {role} volume must be a volume of the scene; "{node.GetName()}" is not.'
            yield Finding(Severity.ERROR, text)
    if request.fixed is not None and request.fixed is request.moving:
        yield Finding(Severity.OPEN, "Fixed and moving are the same volume.")
    if request.initial is not None and not request.initial.IsTransformToWorldLinear():
        text = f'The initial transform "{request.initial.GetName()}" is not linear. Choose another one.'
        yield Finding(Severity.ERROR, text)


def _about_images(request: RegistrationRequest) -> Iterator[Finding]:
    found = [*about_image("Fixed volume", request.fixed), *about_image("Moving volume", request.moving)]
    yield from found
    if any(finding.prevents for finding in found):
        return
    below = request.transform if stands_under(request.moving, request.transform) else None
    grids = []
    for node, top in ((request.fixed, None), (request.moving, below)):
        try:
            grids.append(grid_of(node, below=top))
        except GeometryError as error:
            under = node.GetParentTransformNode() is not None
            fix = Fix(FixAction.IGNORE_TRANSFORM, node) if under else None
            yield Finding(Severity.ERROR, str(error), fix)
    if len(grids) < 2:
        return
    fixed, moving = grids
    parent = request.moving.GetParentTransformNode()
    if request.initial is None and not overlap(fixed, moving):
        distance = float(np.linalg.norm(fixed.center - moving.center))
        where = f"centers {distance:.0f} mm apart"
        text = f"The volumes do not overlap ({where}). They will be aligned at their centers first."
        yield Finding(Severity.INFO, text)
    elif request.initial is None and parent is not None and parent is not below:
        text = f"Moving volume is under '{parent.GetName()}'. It is used as the initial transform."
        yield Finding(Severity.INFO, text, Fix(FixAction.IGNORE_TRANSFORM, request.moving))
    yield from about_segmentation(request.fixed_segmentation, fixed)
    yield from about_segmentation(request.moving_segmentation, moving)


def about_image(name: str, node: Any) -> Iterator[Finding]:
    """Yield what is to be said about the image of a volume ``node``, which the user calls ``name``."""
    image = node.GetImageData()
    if image is None or image.GetPointData().GetScalars() is None or image.GetNumberOfPoints() == 0:
        yield Finding(Severity.ERROR, f"{name} holds no image. Load it again, or choose another one.")
        return
    components = image.GetNumberOfScalarComponents()
    if components in (3, 4):
        fix = Fix(FixAction.OPEN_MODULE, "VectorToScalarVolume")
        text = f"{name} has {components} color channels. Use Vector to Scalar Volume first."
        yield Finding(Severity.ERROR, text, fix)
    elif components != 1:
        text = f"{name} has {components} values per voxel (4D). Take one of them out first."
        yield Finding(Severity.ERROR, text)
    elif min(image.GetDimensions()) < _LEAST:
        text = f"{name} has {_times(image.GetDimensions())} voxels. A 3D volume of at least {_LEAST} a side is needed."
        yield Finding(Severity.ERROR, text)
    else:
        yield from _about_values(name, image)


def _about_values(name: str, image: Any) -> Iterator[Finding]:
    facts = facts_of(image)
    if facts.low == facts.high:
        yield Finding(Severity.ERROR, f"{name} is empty: every voxel is {facts.low:g}.")
    elif not facts.low < facts.high:
        yield Finding(Severity.ERROR, f"{name} is empty: every voxel is invalid (NaN).")
    elif facts.invalid:
        text = f"{name} has {facts.invalid} invalid voxels (NaN). They count as background."
        if facts.invalid == 1:
            text = f"{name} has one invalid voxel (NaN). It counts as background."
        yield Finding(Severity.WARNING, text, Fix(FixAction.ACCEPT))


def _about_steering(steering: Steering) -> Iterator[Finding]:
    if steering.direction is not None and not any(direction_of(steering.direction)):
        yield Finding(Severity.ERROR, "The direction needs a line with two points. Draw it in a slice view.")
    lists = (steering.fixed_landmarks, steering.moving_landmarks)
    if all(each is None for each in lists):
        return
    if None in lists:
        text = "Landmarks come in pairs: choose a list for the fixed and one for the moving volume."
        yield Finding(Severity.ERROR, text)
    elif lists[0] is lists[1]:
        yield Finding(Severity.ERROR, "Fixed and moving landmarks are the same list. Choose two.")
    elif (counts := [count_of(each) for each in lists])[0] != counts[1]:
        text = f"Fixed and moving landmarks differ in number: {counts[0]} and {counts[1]}. Each needs its counterpart."
        yield Finding(Severity.ERROR, text)


def about_segmentation(node: Any, grid: Grid) -> Iterator[Finding]:
    """Yield what is to be said about the segmentation or label map ``node``, or None, of a volume on ``grid``."""
    size = reference_size(node) if node is not None else None
    if size is not None and size != grid.size:
        # a segmentation is placed in space and can be read on any grid; a label map of another size is a mistake
        severity = Severity.WARNING if node.IsA("vtkMRMLSegmentationNode") else Severity.ERROR
        text = f"Segmentation and volume differ in size: {_times(size)} and {_times(grid.size)}."
        yield Finding(severity, f"{text} Select the segmentation that was drawn on this volume.")


def _times(size: tuple[int, ...]) -> str:
    return "x".join(map(str, size))
