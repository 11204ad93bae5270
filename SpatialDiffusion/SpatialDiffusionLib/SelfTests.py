"""The self-tests: short registrations of two balls, in the worker and the scene that the user will work with."""

import time

import slicer
from slicer.i18n import tr as _

_LIMIT = 120.0  # seconds; far more than any of these takes
_CLASSICAL = {"model": None, "search": {"rotations": 100}}  # no network: what is tested is the module


class SelfTests:
    """Mixed into the test class of the module, which names the class of the logic as ``logicClass``."""

    logicClass = None

    def setUp(self):
        slicer.mrmlScene.Clear()

    def runTest(self):
        for test in (
            self.test_findsAShift,
            self.test_stopsResumesAndTakesBack,
            self.test_refusesOneVolumeForBoth,
            self.test_saysThatAVolumeIsEmpty,
        ):
            self.setUp()
            test()
        self.delayDisplay(_("All tests passed."))

    def test_findsAShift(self):
        self.setUp()
        fixed, moving = ball("fixed", (20, 0, 0)), ball("moving", (-20, 0, 0))
        steps = []
        result = self.logicClass().register(fixed, moving, settings=_CLASSICAL, seed=1, onStep=steps.append)
        self.assertEqual(result.volume.GetImageData().GetDimensions(), fixed.GetImageData().GetDimensions())
        moved = result.transform.GetTransformFromParent().TransformPoint(20, 0, 0)
        self.assertLess(max(abs(a - b) for a, b in zip(moved, (-20, 0, 0), strict=True)), 3.0)
        self.assertEqual(len(result.steps), len(steps))

    def test_stopsResumesAndTakesBack(self):
        self.setUp()
        logic, request = self.logicClass(), self._request()
        first = logic.start(request)
        self._wait(logic, lambda: first.step is not None)
        first.stop()
        self._wait(logic, lambda: first.state.ended)
        self.assertEqual(first.state.value, "stopped")
        transform = first.nodes.transform
        self.assertIs(request.moving.GetParentTransformNode(), transform)

        second = logic.resume(self._request(request, transform), 0)
        self._wait(logic, lambda: second.state.ended)
        self.assertEqual(second.state.value, "finished")
        self.assertGreater(second.step, first.step)
        names = [node.GetName() for node in slicer.util.getNodesByClass("vtkMRMLSequenceBrowserNode")]
        self.assertEqual(len(names), 2)

        logic.undo()
        self.assertEqual(len(slicer.util.getNodesByClass("vtkMRMLSequenceBrowserNode")), 1)
        logic.close()

    def test_refusesOneVolumeForBoth(self):
        self.setUp()
        from DiffusionCore.checks import DiffusionCoreError

        volume = ball("volume", (0, 0, 0))
        with self.assertRaises(DiffusionCoreError):
            self.logicClass().register(volume, volume)

    def test_saysThatAVolumeIsEmpty(self):
        self.setUp()
        from DiffusionCore.checks import DiffusionCoreError

        empty = ball("empty", (0, 0, 0))
        slicer.util.arrayFromVolume(empty)[:] = 0
        slicer.util.arrayFromVolumeModified(empty)
        before = slicer.mrmlScene.GetNumberOfNodes()
        with self.assertRaises(DiffusionCoreError):
            self.logicClass().register(ball("ball", (0, 0, 0)), empty, settings=_CLASSICAL)
        self.assertEqual(slicer.mrmlScene.GetNumberOfNodes(), before + 2)  # the ball, and how it is shown

    def _request(self, former=None, transform=None):
        from DiffusionCore.mrml.request import RegistrationRequest

        pair = (former.fixed, former.moving) if former else (ball("fixed", (8, 0, 0)), ball("moving", (-8, 4, 0)))
        return RegistrationRequest(*pair, transform=transform, settings=_CLASSICAL)

    def _wait(self, logic, condition):
        deadline = time.monotonic() + _LIMIT
        while not condition():
            self.assertLess(time.monotonic(), deadline)
            logic.poll()
            slicer.app.processEvents()


def ball(name, center):
    """Return a volume node with a soft, slightly flattened ball, so that its pose is defined; ``center`` in mm."""
    import numpy as np

    k, j, i = np.meshgrid(*(2.0 * (np.arange(n) - n // 2) for n in (56, 60, 64)), indexing="ij")
    squares = ((i - center[0]) / 25) ** 2 + ((j - center[1]) / 32) ** 2 + ((k - center[2]) / 20) ** 2
    node = slicer.util.addVolumeFromArray((1000 * np.exp(-(squares**2))).astype(np.float32), name=name)
    node.SetSpacing(2, 2, 2)
    node.SetOrigin(-64, -60, -56)
    return node
