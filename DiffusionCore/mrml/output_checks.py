"""Why the output nodes of a request cannot take a result, in words for the user."""

from __future__ import annotations

from collections.abc import Iterator

from DiffusionCore.mrml.request import RegistrationRequest
from DiffusionCore.mrml.transforms import stands_under


def problems_with_outputs(request: RegistrationRequest) -> Iterator[str]:
    """Yield a sentence for each output node that cannot be used, and what helps."""
    if request.fixed is None or request.moving is None:
        return
    scene = request.fixed.GetScene()
    if request.keep_steps and scene is not None and not scene.IsNodeClassRegistered("vtkMRMLSequenceBrowserNode"):
        yield "The steps cannot be kept: the module Sequences is not loaded. Enable it."
    if request.transform is not None:
        yield from _problems_with_transform(request)
    if request.volume is not None:
        yield from _problems_with_volume(request)


def _problems_with_transform(request: RegistrationRequest) -> Iterator[str]:
    transform, fixed = request.transform, request.fixed
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


def _problems_with_volume(request: RegistrationRequest) -> Iterator[str]:
    volume, fixed, moving = request.volume, request.fixed, request.moving
    parent, problem = volume.GetParentTransformNode(), None
    if volume is fixed or volume is moving:
        problem = "is one of the inputs."
    elif volume.GetClassName() != moving.GetClassName() or volume.GetScene() is not fixed.GetScene():
        problem = f'is not a volume of the same kind and scene as "{moving.GetName()}".'
    elif parent is not None:
        problem = f'lies under "{parent.GetName()}" and would be shown displaced.'
    if problem:
        yield f'The output volume "{volume.GetName()}" {problem} Choose another one.'
