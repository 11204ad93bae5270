"""The panel: runs the registration of the chosen volumes and says what happens."""

import slicer
from slicer.i18n import tr as _

from DiffusionCore.checks import DiffusionCoreError
from DiffusionCore.mrml.install import ensure_packages
from DiffusionCore.mrml.panel import ParameterPanel

from .Parameters import problem


class RegistrationPanel(ParameterPanel):
    """Register and Stop are one button; the scene can be closed and volumes deleted while it says Stop."""

    def __init__(self, module):
        self._stopping = False
        super().__init__(module, "SpatialDiffusion")
        self.ui.registerButton.clicked.connect(self._onButton)

    def on_change(self):
        if not self.running:
            reason = problem(self.parameters)
            self.ui.registerButton.setEnabled(not reason)
            self.say(reason or _("Ready."))

    def cleanup(self):
        self._stopping = True
        super().cleanup()

    def _onButton(self, *_checked):
        if not self.running:
            self._register()
            return
        self._stopping = True
        self.ui.registerButton.setEnabled(False)
        self.ui.registerButton.setText(_("Stopping..."))
        self.say(_("Stopping after this step..."))

    def _register(self):
        chosen = self.parameters
        inputs, outputs = (chosen.fixedVolume, chosen.movingVolume), (chosen.outputTransform, chosen.outputVolume)
        message = _("The registration failed; the Python console holds the details.")
        self._setRunning(True)
        try:
            self.say(_("Looking for PyTorch..."))
            ensure_packages("SpatialDiffusion")
            self.say(_("Reading the volumes..."))
            result = self.logic.register(*inputs, *outputs, onStep=self._onStep, shouldStop=lambda: self._stopping)
            message = _("Stopped. The transform holds the last step.") if self._stopping else _("Done.")
            self._show(inputs[0], result)
        except DiffusionCoreError as error:
            message = str(error)
        finally:
            self._setRunning(False)
            self.say(message)

    def _onStep(self, step):
        if not self._stopping:
            self.say(_("Step {number}: {phase}").format(number=step.index + 1, phase=step.phase))
        slicer.app.processEvents()

    def _show(self, fixed, result):
        """Select the result in the panel, and lay it over the fixed volume in the slice views."""
        if self.parameters is not None:
            self.parameters.outputTransform = result.outputTransform
            self.parameters.outputVolume = result.outputVolume
        slicer.util.setSliceViewerLayers(background=fixed, foreground=result.outputVolume, foregroundOpacity=0.5)

    def _setRunning(self, running):
        self.running = running
        self._stopping = False
        self.ui.inputsSection.setEnabled(not running)
        self.ui.outputsSection.setEnabled(not running)
        self.ui.progressBar.setVisible(running)
        self.ui.registerButton.setText(_("Stop") if running else _("Register"))
        self.ui.registerButton.setEnabled(running or not problem(self.parameters))
        slicer.app.processEvents()
