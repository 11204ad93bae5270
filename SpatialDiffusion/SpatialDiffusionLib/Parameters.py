"""What the panel asks for and shows; saved with the scene."""

from pathlib import Path
from typing import Annotated

import slicer
from slicer import vtkMRMLScalarVolumeNode, vtkMRMLTransformNode
from slicer.parameterNodeWrapper import Default, WithinRange, parameterNodeWrapper

from DiffusionCore.mrml.panels.training.recipes import default_training_folder

from .Presets import DAMPING


@parameterNodeWrapper
class Parameters:
    """The whole state of the panel.

    Attributes:
        preset: the key of a preset (Presets.py).
        targetSegment: the name of a segment that both segmentations have.
        directionLine: points along what the deformation prefers.
        pull: strength of landmarks, target and direction, percent; 50 is the normal one.
        smoothness: power of ten that the normal one is multiplied by.
        device: "auto", "cpu" or "cuda:0".
        detail: "fast", "default" or "accurate": how much time for how much detail of a deformation.
        damping: how much the change of volume by a deformation is held back.
        steps: of the diffusion; 0 leaves the number to the preset.
        live: follow the newest step of a run.
        fade: opacity of the moving volume over the fixed one.
        before, grid, colors, uncertainty, sideBySide: what the views show beside the result.
        trainingRecipe: the key of a recipe (DiffusionCore/mrml/panels/training/recipes.py).
        trainingData: the folder or list of images that it learns from; empty for none.
        trainingFolder, trainingName: a training lies in the folder trainingFolder / trainingName.
        trainingBegin: name or path of the model that it begins with; empty for none.
        trainingSteps: how many steps it takes; 0 for those of the recipe.
        trainingMinutes: its time limit; 0 for none.
        trainingDevice: "auto", "cpu" or "cuda".
    """

    fixedVolume: vtkMRMLScalarVolumeNode
    movingVolume: vtkMRMLScalarVolumeNode
    preset: str = "automatic"
    fixedSegmentation: slicer.vtkMRMLSegmentationNode
    movingSegmentation: slicer.vtkMRMLSegmentationNode
    initialTransform: vtkMRMLTransformNode
    fixedLandmarks: slicer.vtkMRMLMarkupsFiducialNode
    movingLandmarks: slicer.vtkMRMLMarkupsFiducialNode
    targetSegment: str = ""
    directionLine: slicer.vtkMRMLMarkupsLineNode
    pull: Annotated[float, WithinRange(0, 100)] = 50.0
    smoothness: Annotated[float, WithinRange(-1, 1)] = 0.0
    outputTransform: vtkMRMLTransformNode
    outputVolume: vtkMRMLScalarVolumeNode
    device: str = "auto"
    detail: str = "default"
    damping: Annotated[float, WithinRange(0, 1)] = DAMPING
    steps: Annotated[int, WithinRange(0, 100)] = 0
    samples: Annotated[int, WithinRange(1, 16)] = 1
    seed: Annotated[int, WithinRange(0, 999999)] = 0
    keepSteps: bool = True
    live: bool = True
    fade: Annotated[float, WithinRange(0, 1)] = 0.5
    before: bool = False
    grid: bool = False
    colors: bool = False
    uncertainty: bool = False
    sideBySide: bool = False
    trainingRecipe: str = "affine"
    trainingData: Path
    trainingFolder: Annotated[Path, Default(generator=default_training_folder)]
    trainingName: str = "my-affine-1"
    trainingBegin: str = ""
    trainingSteps: Annotated[int, WithinRange(0, 10000000)] = 0
    trainingMinutes: Annotated[int, WithinRange(0, 100000)] = 0
    trainingDevice: str = "auto"
    trainingLogAxis: bool = False
