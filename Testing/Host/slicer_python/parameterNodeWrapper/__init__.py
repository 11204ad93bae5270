"""Typed parameters of a module in a vtkMRMLScriptedModuleNode: the part of Slicer's wrapper that our modules use.

What is stored is what Slicer's own wrapper stores, so that either reads the scenes of the other. A type of value or a
kind of widget that is not here is refused, never guessed.
"""

from .annotations import Decimals, Default, SingleStep
from .packs import isParameterPack, parameterPack
from .validators import Choice, Exclude, IsInstance, Maximum, Minimum, NotNone, Validator, WithinRange
from .wrapper import isParameterNodeWrapper, parameterNodeWrapper

__all__ = [
    "Choice",
    "Decimals",
    "Default",
    "Exclude",
    "IsInstance",
    "Maximum",
    "Minimum",
    "NotNone",
    "SingleStep",
    "Validator",
    "WithinRange",
    "isParameterNodeWrapper",
    "isParameterPack",
    "parameterNodeWrapper",
    "parameterPack",
]
