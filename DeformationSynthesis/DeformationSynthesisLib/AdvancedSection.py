"""The section Advanced: what its file cannot say."""

from slicer.i18n import tr as _

from DiffusionCore.mrml.panels.choices import Choice
from DiffusionCore.mrml.panels.packages import versions_text

# What Restore defaults sets back
RESTORED = ("method", "count", "strength", "symmetry", "volumeChange", "attempts", "rotation", "intensity", "seed")


class AdvancedSection:
    """Fills in lists and texts."""

    def __init__(self, ui, onSymmetry, onInstall, onRestore) -> None:
        self._ui = ui
        self.symmetry = Choice(ui.symmetrySelector, onSymmetry)
        self.symmetry.fill([("auto", _("Automatic")), ("on", _("Both sides alike")), ("off", _("Each side by itself"))])
        ui.installButton.clicked.connect(onInstall)
        ui.restoreButton.clicked.connect(onRestore)
        self.listPackages()

    def listPackages(self) -> None:
        """Show the versions of the packages, or which are missing."""
        self._ui.packagesLabel.setText(versions_text())
