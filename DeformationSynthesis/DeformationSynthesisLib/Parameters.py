"""What the panel asks for; saved with the scene."""

from typing import Annotated

from slicer import vtkMRMLScalarVolumeNode
from slicer.parameterNodeWrapper import WithinRange, parameterNodeWrapper


@parameterNodeWrapper
class Parameters:
    inputVolume: vtkMRMLScalarVolumeNode
    outputVolume: vtkMRMLScalarVolumeNode
    strengthMm: Annotated[float, WithinRange(0, 10)] = 3.0
    seed: Annotated[int, WithinRange(0, 999999)] = 0
