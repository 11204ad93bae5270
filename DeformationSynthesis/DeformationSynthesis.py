"""The module DeformationSynthesis: new labeled cases out of few, by deformations and by image diffusion."""

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

from DeformationSynthesisLib.Logic import DeformationSynthesisLogic as DeformationLogic
from DeformationSynthesisLib.Parameters import Parameters
from DeformationSynthesisLib.SampleFiles import registerSampleData
from DeformationSynthesisLib.SelfTests import SelfTests
from DeformationSynthesisLib.Widget import SynthesisPanel

from DiffusionCore.mrml.reloading import forget_sources, reload_others


class DeformationSynthesis(ScriptedLoadableModule):
    def __init__(self, parent):
        super().__init__(parent)
        parent.title = _("Deformation Synthesis")
        parent.categories = [translate("qSlicerAbstractCoreModule", "Registration")]
        parent.dependencies = ["Segmentations", "Transforms", "Volumes"]
        parent.contributors = ["SpatialDiffusion developers"]
        parent.helpText = _(
            "Makes new labeled training cases out of few: image and segmentation go through one random, smooth "
            "deformation that never folds. Every variant is checked and can be looked at; those that are kept become a "
            "data set that nnU-Net reads."
        )
        parent.acknowledgementText = _("Built on PyTorch, SimpleITK, nibabel and 3D Slicer.")
        slicer.app.connect("startupCompleted()", registerSampleData)


class DeformationSynthesisWidget(ScriptedLoadableModuleWidget):
    panel = None

    def setup(self):
        super().setup()
        self.logic = DeformationSynthesisLogic()
        self.panel = SynthesisPanel(self)

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


class DeformationSynthesisLogic(ScriptedLoadableModuleLogic, DeformationLogic):
    """``synthesize`` for scripts, and the parameters that are saved with the scene."""

    def getParameterNode(self):
        return Parameters(super().getParameterNode())


class DeformationSynthesisTest(SelfTests, ScriptedLoadableModuleTest):
    """What a user of Slicer runs by Reload and Test; the tests are in DeformationSynthesisLib/SelfTests.py."""

    logicClass = DeformationSynthesisLogic
