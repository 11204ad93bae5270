"""The self-tests: variants of a labeled ball, in the worker and the scene that the user will work with."""

import tempfile
from pathlib import Path

import slicer
from slicer.i18n import tr as _


class SelfTests:
    """Mixed into the test class of the module, which names the class of the logic as ``logicClass``."""

    logicClass = None

    def setUp(self):
        slicer.mrmlScene.Clear()

    def runTest(self):
        for test in (
            self.test_makesVariantsWithTheirLabels,
            self.test_refusesAVolumeWithoutSegmentation,
            self.test_writesWhatWasKept,
        ):
            self.setUp()
            test()
        self.delayDisplay(_("All tests passed."))

    def test_makesVariantsWithTheirLabels(self):
        self.setUp()
        volume, segmentation = labeledBall()
        before = slicer.util.arrayFromVolume(volume).copy()
        made = self.logicClass().synthesize(volume, segmentation, count=2, strength=1.0, seed=3)
        self.assertEqual(len(made), 2)
        images = [slicer.util.arrayFromVolume(image) for image, _labels in made]
        self.assertGreater(abs(images[0] - images[1]).max(), 10)
        self.assertTrue((slicer.util.arrayFromVolume(volume) == before).all())
        names = [labels.GetSegmentation().GetNthSegment(0).GetName() for _image, labels in made]
        self.assertEqual(names, ["ball", "ball"])

    def test_refusesAVolumeWithoutSegmentation(self):
        self.setUp()
        from DiffusionCore.checks import DiffusionCoreError

        volume, _segmentation = labeledBall()
        with self.assertRaises(DiffusionCoreError):
            self.logicClass().synthesize(volume, None)

    def test_writesWhatWasKept(self):
        self.setUp()
        from DiffusionCore.mrml.synthesis_request import SynthesisRequest

        logic = self.logicClass()
        with tempfile.TemporaryDirectory() as folder:
            logic.useCollection(Path(folder) / "variants")
            logic.generate(SynthesisRequest(*labeledBall()), 2)
            self._wait(logic)
            logic.collection.judge(0, False)
            logic.export(Path(folder) / "Dataset501_Ball", "nnunet", True)
            self._wait(logic)
            written = sorted(path.name for path in (Path(folder) / "Dataset501_Ball" / "labelsTr").iterdir())
        self.assertEqual(written, ["ball.nii.gz", "ball_0001.nii.gz"])
        logic.close()

    def _wait(self, logic):
        while logic.running:
            logic.poll()
            slicer.app.processEvents()
        self.assertEqual(logic.run.message, "")


def labeledBall():
    """Return a volume node with a soft, flattened ball, and a segmentation node of its inner part."""
    import numpy as np

    k, j, i = np.meshgrid(*(2.0 * (np.arange(n) - n // 2) for n in (48, 52, 56)), indexing="ij")
    squares = (i / 25) ** 2 + (j / 32) ** 2 + (k / 20) ** 2
    volume = slicer.util.addVolumeFromArray((1000 * np.exp(-(squares**2))).astype(np.float32), name="ball")
    volume.SetSpacing(2, 2, 2)
    volume.SetOrigin(-56, -52, -48)
    segmentation = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "ball segmentation")
    segmentation.CreateDefaultDisplayNodes()
    segmentation.SetReferenceImageGeometryParameterFromVolumeNode(volume)
    identifier = segmentation.GetSegmentation().AddEmptySegment("ball", "ball")
    slicer.util.updateSegmentBinaryLabelmapFromArray((squares < 0.5).astype(np.uint8), segmentation, identifier, volume)
    return volume, segmentation
