"""The section Advanced: device and packages; its numbers are bound to the parameters by the form."""

from slicer.i18n import tr as _

from DiffusionCore.mrml.panels.choices import Choice
from DiffusionCore.mrml.panels.packages import versions_text

# What Restore defaults sets back, beside the presets
RESTORED = ("preset", "device", "detail", "damping", "steps", "samples", "seed", "keepSteps")


class AdvancedSection:
    """Fills in what the file of the form cannot say."""

    def __init__(self, ui, onDevice, onDetail, onInstall, onRestore) -> None:
        self._ui = ui
        self.details = Choice(ui.detailSelector, onDetail)
        self.details.fill([("fast", _("Fast")), ("default", _("Normal")), ("accurate", _("Fine"))])
        self.devices = Choice(ui.deviceSelector, onDevice)
        # without torch nobody knows which GPUs there are; a run on one that is missing says so
        self.devices.fill(
            [("auto", _("Automatic")), ("cpu", _("CPU")), ("cuda:0", _("CUDA 0")), ("cuda:1", _("CUDA 1"))]
        )
        ui.installButton.clicked.connect(onInstall)
        ui.restoreButton.clicked.connect(onRestore)
        self.listPackages()

    def listPackages(self) -> None:
        """Show the versions of the packages, or which are missing."""
        self._ui.packagesLabel.setText(versions_text())
