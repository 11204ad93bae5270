"""The module SpatialDiffusion: registration of two volumes by diffusion of the transform between them."""

import importlib.util
import os
import sys

import slicer
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)

# Run from the source tree, the shared package lies beside the folder of this file, where Slicer does not look.
if importlib.util.find_spec("DiffusionCore") is None:
    sys.path.append(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))

from SpatialDiffusionLib.Logic import SpatialDiffusionLogic as RegistrationLogic
from SpatialDiffusionLib.Parameters import Parameters
from SpatialDiffusionLib.SampleFiles import registerSampleData
from SpatialDiffusionLib.SelfTests import SelfTests
from SpatialDiffusionLib.Widget import RegistrationPanel

from DiffusionCore.mrml.reloading import forget_sources, reload_others


class SpatialDiffusion(ScriptedLoadableModule):
    def __init__(self, parent):
        super().__init__(parent)
        parent.title = _("Spatial Diffusion")
        parent.categories = [translate("qSlicerAbstractCoreModule", "Registration")]
        parent.dependencies = ["Markups", "Plots", "Segmentations", "Sequences", "Tables", "Transforms", "Volumes"]
        parent.contributors = ["SpatialDiffusion developers"]
        parent.helpText = _(
            "Aligns a moving volume to a fixed volume. The transform starts far from the answer and settles step by "
            "step; every step is shown, can be browsed afterwards, and can be resumed from. It finds affine "
            "transforms, and smooth deformations that landmarks and segments can steer."
        )
        parent.acknowledgementText = _("Built on PyTorch, SimpleITK, nibabel and 3D Slicer.")
        slicer.app.connect("startupCompleted()", registerSampleData)


class SpatialDiffusionWidget(ScriptedLoadableModuleWidget):
    panel = None

    def setup(self):
        super().setup()
        self.logic = SpatialDiffusionLogic()
        self.panel = RegistrationPanel(self)

    def enter(self):
        self.panel.enter()

    def exit(self):
        self.panel.exit()

    def cleanup(self):
        if self.panel is not None:
            self.panel.cleanup()

    def onReload(self):
        forget_sources()
        super().onReload()
        reload_others(self.moduleName)


class SpatialDiffusionLogic(ScriptedLoadableModuleLogic, RegistrationLogic):
    """``register`` for scripts, and the parameters that are saved with the scene."""

    def getParameterNode(self):
        return Parameters(super().getParameterNode())


class SpatialDiffusionTest(SelfTests, ScriptedLoadableModuleTest):
    """What a user of Slicer runs by Reload and Test; the tests are in SpatialDiffusionLib/SelfTests.py."""

    logicClass = SpatialDiffusionLogic
