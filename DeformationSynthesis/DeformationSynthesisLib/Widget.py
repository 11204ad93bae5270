"""The panel: makes one deformed copy of the chosen volume."""

import slicer
from slicer.i18n import tr as _

from DiffusionCore.checks import DiffusionCoreError
from DiffusionCore.mrml.install import ensure_packages
from DiffusionCore.mrml.panel import ParameterPanel
from DiffusionCore.mrml.texts import core_text


class DeformationPanel(ParameterPanel):
    def __init__(self, module):
        super().__init__(module, "DeformationSynthesis")
        self.ui.deformButton.clicked.connect(self._deform)

    def on_change(self):
        chosen = self.parameters
        reason = ""
        if chosen.inputVolume is None:
            reason = _("Select a volume.")
        elif chosen.outputVolume is chosen.inputVolume:
            reason = _("The deformed volume would overwrite the input. Select another one.")
        self.ui.deformButton.setEnabled(not reason)
        self.say(reason or _("Ready."))

    def _deform(self, *_checked):
        chosen = self.parameters
        try:
            ensure_packages("DeformationSynthesis", translate=core_text)
            with slicer.util.WaitCursor():
                output = self.logic.deform(chosen.inputVolume, chosen.outputVolume, chosen.strengthMm, chosen.seed)
        except DiffusionCoreError as error:
            self.say(core_text(str(error)))
            return
        chosen.outputVolume = output
        slicer.util.setSliceViewerLayers(background=chosen.inputVolume, foreground=output, foregroundOpacity=0.5)
        self.say(_("Done."))
