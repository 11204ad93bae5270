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
from SpatialDiffusionLib.Widget import RegistrationPanel


class SpatialDiffusion(ScriptedLoadableModule):
    def __init__(self, parent):
        super().__init__(parent)
        parent.title = _("Spatial Diffusion")
        parent.categories = [translate("qSlicerAbstractCoreModule", "Registration")]
        parent.dependencies = ["Sequences", "Tables", "Transforms", "Volumes"]
        parent.contributors = ["SpatialDiffusion developers"]
        parent.helpText = _(
            "Aligns a moving volume to a fixed volume. The transform starts far from the answer and settles step by "
            "step; every step is shown, and can be browsed afterwards. This version finds affine transforms."
        )
        parent.acknowledgementText = _("Built on PyTorch, SimpleITK, nibabel and 3D Slicer.")


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
        if self.panel is not None and self.panel.running:
            slicer.util.warningDisplay(_("A registration is running. Stop it before reloading the module."))
            return
        for name in [name for name in sys.modules if name.startswith(("DiffusionCore", "SpatialDiffusionLib"))]:
            del sys.modules[name]
        super().onReload()


class SpatialDiffusionLogic(ScriptedLoadableModuleLogic, RegistrationLogic):
    """``register`` for scripts, and the parameters that are saved with the scene."""

    def getParameterNode(self):
        return Parameters(super().getParameterNode())


class SpatialDiffusionTest(ScriptedLoadableModuleTest):
    def setUp(self):
        slicer.mrmlScene.Clear()

    def runTest(self):
        for test in (self.test_registersAShiftedVolume, self.test_refusesOneVolumeForBoth):
            self.setUp()
            test()
        self.delayDisplay(_("All tests passed."))

    def test_registersAShiftedVolume(self):
        self.setUp()
        fixed, moving = _ball("fixed", (20, 0, 0)), _ball("moving", (-20, 0, 0))
        result = SpatialDiffusionLogic().register(fixed, moving, seed=1)
        self.assertEqual(result.outputVolume.GetImageData().GetDimensions(), fixed.GetImageData().GetDimensions())
        moved = result.outputTransform.GetTransformFromParent().TransformPoint(20, 0, 0)
        self.assertLess(max(abs(a - b) for a, b in zip(moved, (-20, 0, 0), strict=True)), 3.0)

    def test_refusesOneVolumeForBoth(self):
        self.setUp()
        from DiffusionCore.checks import DiffusionCoreError

        volume = _ball("volume", (0, 0, 0))
        with self.assertRaises(DiffusionCoreError):
            SpatialDiffusionLogic().register(volume, volume)


def _ball(name, center):
    """Return a volume node with a soft, slightly flattened ball, so that its pose is defined."""
    import numpy as np

    k, j, i = np.meshgrid(*(2.0 * (np.arange(n) - n // 2) for n in (56, 60, 64)), indexing="ij")
    squares = ((i - center[0]) / 25) ** 2 + ((j - center[1]) / 32) ** 2 + ((k - center[2]) / 20) ** 2
    node = slicer.util.addVolumeFromArray((1000 * np.exp(-(squares**2))).astype(np.float32), name=name)
    node.SetSpacing(2, 2, 2)
    node.SetOrigin(-64, -60, -56)
    return node
