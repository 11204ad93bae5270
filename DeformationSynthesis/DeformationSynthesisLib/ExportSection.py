"""The section Export: how and where the kept variants are written."""

from pathlib import Path

import ctk
from slicer.i18n import tr as _

from DiffusionCore.mrml.panels.choices import Choice

SCENE = "scene"
_NNUNET = "nnunet"


class ExportSection:
    """Shows the parameters of the export, and why it is not possible."""

    def __init__(self, ui, onFormat) -> None:
        self._ui = ui
        self._formats = Choice(ui.formatSelector, onFormat)
        self._formats.fill(
            [(_NNUNET, _("nnU-Net v2 dataset")), ("pairs", _("NIfTI pairs")), (SCENE, _("Keep in scene"))]
        )
        ui.exportFolderEdit.filters = ctk.ctkPathLineEdit.Dirs | ctk.ctkPathLineEdit.Writable

    def follow(self, parameters) -> None:
        """Show what is asked for in the chosen format."""
        ui, kind = self._ui, parameters.exportFormat
        self._formats.show(kind)
        for widget in (ui.exportFolderEdit, ui.exportFolderEditLabel, ui.originalsCheckBox):
            widget.setVisible(kind != SCENE)
        for widget in (ui.datasetLabel, ui.datasetRow):
            widget.setVisible(kind != SCENE)
        ui.datasetSpinBox.setVisible(kind == _NNUNET)
        ui.exportLabel.setText(self._text(parameters))

    def problem(self, parameters) -> str:
        """Return why nothing can be written; empty if it can."""
        if parameters.exportFormat == SCENE:
            return ""
        if not parameters.exportFolder.is_absolute():
            return _("Choose a folder.")
        if not parameters.datasetName.replace("_", "").isalnum():
            return _("The name of the data set can have letters, digits and _ only.")
        return ""

    def output(self, parameters) -> Path:
        """Return the folder that is written to."""
        name = parameters.datasetName
        if parameters.exportFormat == _NNUNET:
            name = f"Dataset{parameters.datasetNumber:03d}_{name}"
        return parameters.exportFolder / name

    def _text(self, parameters) -> str:
        problem = self.problem(parameters)
        if problem or parameters.exportFormat == SCENE:
            return problem or _("Volumes and segmentations of the kept variants are added to the scene.")
        return _("To {folder}").format(folder=self.output(parameters))
