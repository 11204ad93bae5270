"""What the panel asks for and shows; saved with the scene."""

from pathlib import Path
from typing import Annotated, Union

import slicer
from slicer import vtkMRMLScalarVolumeNode
from slicer.parameterNodeWrapper import Default, WithinRange, parameterNodeWrapper

from DiffusionCore.mrml.panels.training.recipes import default_training_folder


@parameterNodeWrapper
class Parameters:
    """The whole state of the panel.

    Attributes:
        source: "scene" or "folder".
        inputSegmentation: a segmentation or a label map.
        method: the key of a method (Methods.py).
        strength: percent.
        collection: path of the folder of the variants; empty before the first.
        shown: the row of the variant that is shown, from 0.
        original, grid, outlines: what the views show of it.
        exportFormat: "nnunet", "pairs" or "scene".
        symmetry: "auto", "on" or "off".
        volumeChange: percent by which a label may grow or shrink.
        attempts: draws until a variant is given up.
        rotation: degrees.
        intensity: percent.
        trainingRecipe: the key of a recipe.
        trainingData: the folder or list of images that it learns from; empty for none.
        trainingFolder, trainingName: a training lies in the folder trainingFolder / trainingName.
        trainingBegin: name or path of the model that it begins with; empty for none.
        trainingSteps: how many steps it takes; 0 for those of the recipe.
        trainingMinutes: its time limit; 0 for none.
        trainingDevice: "auto", "cpu" or "cuda".
    """

    source: str = "scene"
    inputVolume: vtkMRMLScalarVolumeNode
    # the wrapper of Slicer knows unions by this name only
    inputSegmentation: Union[slicer.vtkMRMLSegmentationNode, slicer.vtkMRMLLabelMapVolumeNode, None]  # noqa: UP007
    caseFolder: Annotated[Path, Default(generator=Path.home)]
    method: str = "shapes"
    count: Annotated[int, WithinRange(1, 10000)] = 10
    strength: Annotated[float, WithinRange(0, 100)] = 60.0
    collection: str = ""
    shown: int = 0
    original: bool = False
    grid: bool = False
    outlines: bool = False
    exportFormat: str = "nnunet"
    exportFolder: Annotated[Path, Default(generator=Path.home)]
    datasetNumber: Annotated[int, WithinRange(1, 999)] = 501
    datasetName: str = "Synthetic"
    includeOriginals: bool = True
    symmetry: str = "auto"
    volumeChange: Annotated[float, WithinRange(5, 200)] = 100.0
    attempts: Annotated[int, WithinRange(1, 100)] = 20
    rotation: Annotated[float, WithinRange(0, 30)] = 0.0
    intensity: Annotated[float, WithinRange(0, 100)] = 0.0
    seed: Annotated[int, WithinRange(0, 999999)] = 0
    trainingRecipe: str = "drdm"
    trainingData: Path
    trainingFolder: Annotated[Path, Default(generator=default_training_folder)]
    trainingName: str = "my-drdm-1"
    trainingBegin: str = ""
    trainingSteps: Annotated[int, WithinRange(0, 10000000)] = 0
    trainingMinutes: Annotated[int, WithinRange(0, 100000)] = 0
    trainingDevice: str = "auto"
    trainingLogAxis: bool = False
