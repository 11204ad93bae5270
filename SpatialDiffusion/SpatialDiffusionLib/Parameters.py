"""What the panel asks for; saved with the scene."""

from slicer import vtkMRMLScalarVolumeNode, vtkMRMLTransformNode
from slicer.i18n import tr as _
from slicer.parameterNodeWrapper import parameterNodeWrapper


@parameterNodeWrapper
class Parameters:
    fixedVolume: vtkMRMLScalarVolumeNode
    movingVolume: vtkMRMLScalarVolumeNode
    outputTransform: vtkMRMLTransformNode
    outputVolume: vtkMRMLScalarVolumeNode


def problem(parameters) -> str:
    """Return why a registration cannot start, in words for the user; empty when it can."""
    if parameters is None or parameters.fixedVolume is None:
        return _("Select a fixed volume.")
    if parameters.movingVolume is None:
        return _("Select a moving volume.")
    if parameters.fixedVolume is parameters.movingVolume:
        return _("Fixed and moving are the same volume.")
    if parameters.outputVolume in (parameters.fixedVolume, parameters.movingVolume):
        return _("The moved volume would overwrite an input. Select another one.")
    return ""
