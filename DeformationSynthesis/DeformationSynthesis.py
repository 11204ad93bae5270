"""The module DeformationSynthesis: deformed copies of a volume."""

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
from DeformationSynthesisLib.Widget import DeformationPanel

from DiffusionCore.mrml.reloading import forget_sources, reload_others


class DeformationSynthesis(ScriptedLoadableModule):
    def __init__(self, parent):
        super().__init__(parent)
        parent.title = _("Deformation Synthesis")
        parent.categories = [translate("qSlicerAbstractCoreModule", "Registration")]
        parent.dependencies = ["Volumes"]
        parent.contributors = ["SpatialDiffusion developers"]
        parent.helpText = _(
            "Makes a deformed copy of a volume: a random, smooth deformation that never folds, of the mean "
            "displacement asked for. Deformations learned from anatomy, and copies of segmentations, come later."
        )
        parent.acknowledgementText = _("Built on PyTorch, SimpleITK, nibabel and 3D Slicer.")


class DeformationSynthesisWidget(ScriptedLoadableModuleWidget):
    panel = None

    def setup(self):
        super().setup()
        self.logic = DeformationSynthesisLogic()
        self.panel = DeformationPanel(self)

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
    """``deform`` for scripts, and the parameters that are saved with the scene."""

    def getParameterNode(self):
        return Parameters(super().getParameterNode())


class DeformationSynthesisTest(ScriptedLoadableModuleTest):
    def setUp(self):
        slicer.mrmlScene.Clear()

    def runTest(self):
        for test in (self.test_sameSeedGivesTheSameCopy, self.test_strengthZeroCopies):
            self.setUp()
            test()
        self.delayDisplay(_("All tests passed."))

    def test_sameSeedGivesTheSameCopy(self):
        self.setUp()
        volume, deform = _ramp(), DeformationSynthesisLogic().deform
        first, again, other = (slicer.util.arrayFromVolume(deform(volume, None, 3.0, seed)) for seed in (1, 1, 2))
        self.assertTrue((first == again).all())
        self.assertFalse((first == other).all())

    def test_strengthZeroCopies(self):
        self.setUp()
        volume = _ramp()
        copy = DeformationSynthesisLogic().deform(volume, None, 0.0, 1)
        difference = slicer.util.arrayFromVolume(copy) - slicer.util.arrayFromVolume(volume)
        self.assertLess(abs(difference).max(), 0.1)


def _ramp():
    """Return a volume node whose every voxel has another value."""
    import numpy as np

    node = slicer.util.addVolumeFromArray(np.arange(20 * 24 * 28, dtype=np.float32).reshape(20, 24, 28), name="ramp")
    node.SetSpacing(2, 2.5, 3)
    return node
