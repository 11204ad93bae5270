"""What speaks against a registration, in words for the user, before it begins; cheap enough for every click."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any

from DiffusionCore.mrml.request import RegistrationRequest
from DiffusionCore.mrml.transforms import stands_under


class Severity(Enum):
    """How much a finding matters: an ERROR prevents the registration, the others are said."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


class FixAction(Enum):
    """What a button beside a finding does; ``Fix.target`` says with what."""

    OPEN_MODULE = "open module"  # target: the name of the module
    IGNORE_TRANSFORM = "ignore transform"  # target: the volume node to take out of its transforms
    ACCEPT = "accept"  # nothing to do: the user has read it


@dataclass(frozen=True, eq=False)
class Fix:
    """A button: its ``text`` and what it does."""

    text: str
    action: FixAction
    target: Any = None


@dataclass(frozen=True, eq=False)
class Finding:
    """One sentence or two about the choice of the user, and the button that mends it, if there is one."""

    severity: Severity
    text: str
    fix: Fix | None = None


def findings(request: RegistrationRequest) -> list[Finding]:
    """Return what is to be said about ``request``, errors first; nothing in the scene changes.

    Values are looked at once per image: a second call with the same images costs next to nothing.
    """
    found = list(_about_nodes(request))
    return sorted(found, key=lambda finding: list(Severity).index(finding.severity))


def _about_nodes(request: RegistrationRequest) -> Iterator[Finding]:
    for role, node in {"fixed": request.fixed, "moving": request.moving}.items():
        if node is None:
            yield Finding(Severity.ERROR, f"Select a {role} volume.")
        elif not node.IsA("vtkMRMLScalarVolumeNode") or node.GetScene() is None:
            yield Finding(
                Severity.ERROR, f'The {role} volume must be a volume of the scene; "{node.GetName()}" is not.'
            )
    if request.fixed is not None and request.fixed is request.moving:
        yield Finding(Severity.ERROR, "Fixed and moving are the same volume.")
    for text in (*_about_transform(request), *_about_volume(request)):
        yield Finding(Severity.ERROR, text)


def _about_transform(request: RegistrationRequest) -> Iterator[str]:
    transform, fixed = request.transform, request.fixed
    if transform is None or fixed is None:
        return
    parent, problem = transform.GetParentTransformNode(), None
    if transform.GetClassName() != "vtkMRMLTransformNode":
        problem = f"is of the old class {transform.GetClassName()}, which cannot hold every step."
    elif transform.GetScene() is not fixed.GetScene():
        problem = "is not in the scene."
    elif parent is not None:
        problem = f'lies under "{parent.GetName()}".'
    elif stands_under(fixed, transform):
        problem = f'holds the fixed volume "{fixed.GetName()}", which would move with it.'
    if problem:
        yield f'The output transform "{transform.GetName()}" {problem} Choose another one.'


def _about_volume(request: RegistrationRequest) -> Iterator[str]:
    volume, fixed, moving = request.volume, request.fixed, request.moving
    if volume is None or fixed is None or moving is None:
        return
    parent, problem = volume.GetParentTransformNode(), None
    if volume is fixed or volume is moving:
        problem = "is one of the inputs."
    elif volume.GetClassName() != moving.GetClassName() or volume.GetScene() is not fixed.GetScene():
        problem = f'is not a volume of the same kind and scene as "{moving.GetName()}".'
    elif parent is not None:
        problem = f'lies under "{parent.GetName()}" and would be shown displaced.'
    if problem:
        yield f'The output volume "{volume.GetName()}" {problem} Choose another one.'
